"""Headrace: channel incentives, right to the cent and explained."""

__version__ = "0.1.0"
