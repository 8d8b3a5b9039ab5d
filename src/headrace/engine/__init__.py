"""The calculation engine: terms and tables in, earnings and findings out.

Pure: no clock, no network, no database but the one in memory that runs the plan. Nothing here imports the lake, intake,
live balances or the command line. What is named here is imported when it is first asked for: who only reads program documents
does not wait for the database.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.engine.run import Request, Result, calculate

__all__ = ["Request", "Result", "calculate"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("headrace.engine.run"), name)
