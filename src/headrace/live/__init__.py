"""Live balances: running totals and statements as they stand, behind a store port. The engine prices them. No Django."""

from headrace.live.totals import Among, Followed, Posting, Standing, StatementKey, TotalsStore, Work
from headrace.live.totals_sqlite import SqliteTotals

__all__ = ["Among", "Followed", "Posting", "SqliteTotals", "Standing", "StatementKey", "TotalsStore", "Work"]
