"""The jobs of sales data."""
