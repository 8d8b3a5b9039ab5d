"""Makes the kinds and loaders of the catalogue known when the application starts; it has no jobs of its own."""

from headrace.catalogue import products, rates

__all__ = ["products", "rates"]
