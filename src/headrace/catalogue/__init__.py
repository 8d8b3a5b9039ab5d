"""What is sold: products with families, bundles and units, dated price lists, and named tables of rates."""
