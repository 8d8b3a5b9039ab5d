"""The command line over everything that is installed. Each module adds its commands to `app`."""

from headrace.cli import balances, bench, calculating, closing, demo, explaining, loading, reshaping, simulating  # noqa: F401 (add their commands)
from headrace.cli.app import main

__all__ = ["main"]
