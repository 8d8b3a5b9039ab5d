"""The command line over everything that is installed. `commands` lists the commands; the module of each adds it to `app`."""

from headrace.cli.app import main

__all__ = ["main"]
