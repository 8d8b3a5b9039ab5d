"""Read the history of euro reference rates of the European Central Bank: one row a day, one column a currency.

A quote is units of the currency for one euro. `N/A` and empty cells are no quotes. Which earlier day stands in for a day
without quotes is the engine's decision, not made here.
"""

import re
from collections.abc import Sequence

import duckdb

from headrace.intake.staging import ROW, TEXT, Staged

_CURRENCY = re.compile("[A-Z]{3}")


def is_ecb_layout(columns: Sequence[str]) -> bool:
    """Tell whether a header is that of the history file: a date, then nothing but currency codes."""
    named = [name for name in columns[1:] if not name.startswith("column_")]
    return bool(columns) and columns[0].casefold() == "date" and len(named) > 1 and all(map(_CURRENCY.fullmatch, named))


def unpivot(staged: Staged, con: duckdb.DuckDBPyConnection) -> Staged:
    """Turn the history into one row a quote: date, from_currency (EUR), to_currency, rate."""
    staged.register(con, "wide")
    quotes = [
        f"SELECT {ROW}, _c0, 'EUR' AS _c1, '{name}' AS _c2, _c{i} AS _c3 FROM wide WHERE trim(_c{i}) NOT IN ('', 'N/A')"
        for i, name in enumerate(staged.columns)
        if _CURRENCY.fullmatch(name)
    ]
    long = con.sql(
        f"SELECT _c0, _c1, _c2, _c3, {ROW} FROM ({' UNION ALL '.join(quotes)}) ORDER BY {ROW}, _c2"
    ).to_arrow_table()
    return Staged(staged.file, ("date", "from_currency", "to_currency", "rate"), (TEXT,) * 4, long)
