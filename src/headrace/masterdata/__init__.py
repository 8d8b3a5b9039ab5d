"""What is known of partners, products and their like: entries with dated facts, their sources, and the import of files.

Knows no partner and no product: the apps above declare kinds and fields.
"""
