"""The calculation engine: terms and tables in, earnings and findings out.

Pure: no clock, no network, no database but the one in memory that runs the plan. Nothing here imports the lake, intake,
live balances or the command line.
"""

from headrace.engine.run import Request, Result, calculate

__all__ = ["Request", "Result", "calculate"]
