"""Live balances: running totals behind a store port, priced by the engine elsewhere. No Django."""

from headrace.live.totals import Balance, BatchWork, Followed, Posting, StatementKey, Sums, TotalKey, TotalsStore
from headrace.live.totals_sqlite import SqliteTotals

__all__ = [
    "Balance",
    "BatchWork",
    "Followed",
    "Posting",
    "SqliteTotals",
    "StatementKey",
    "Sums",
    "TotalKey",
    "TotalsStore",
]
