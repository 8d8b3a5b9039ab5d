"""Sell-through against purchases and stock: nobody sells more than was there. What goes beyond it is told, day by day.

Stock of a partner and product moves as everywhere (docs/semantics.md, §10): up where it buys, down where it sells, on the day of
the line; the latest count, a row of the stock table or a line, sets it at the start of its day. A partner and product of which
neither a purchase nor a count is known is not looked at: there is nothing to hold its sales against.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa

from headrace.engine.schema import LINES, STOCK, Lines
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.intake.staging import literal
from headrace.sales import references
from headrace.sales.lake import opened

SHOWN_MAX = 500
_QUERY = """
    WITH moves AS (
        SELECT partner_id AS holder, product_id AS product, occurred_on AS day, -quantity AS moved, true AS sells
        FROM lines WHERE kind IN ('sale', 'return')
        UNION ALL SELECT buyer_id, product_id, occurred_on, quantity, false FROM lines WHERE kind IN ('sale', 'return')
        UNION ALL SELECT partner_id, product_id, occurred_on, quantity, false FROM lines
        WHERE kind IN ('purchase', 'purchase_return')),
    counted AS (
        SELECT partner_id AS holder, product_id AS product, "on" AS day, quantity, 0 AS by_line, turn FROM stock
        UNION ALL SELECT partner_id, product_id, occurred_on, quantity, 1, row_number() OVER (ORDER BY occurred_on, line_id)
        FROM lines WHERE kind = 'stock_count'),
    counts AS (
        SELECT holder, product, day, quantity AS count FROM counted
        QUALIFY row_number() OVER (PARTITION BY holder, product, day ORDER BY by_line DESC, turn DESC) = 1),
    by_day AS (
        SELECT holder, product, day, sum(moved) AS moved, -coalesce(sum(moved) FILTER (sells), 0) AS sold
        FROM moves WHERE holder IS NOT NULL AND product IS NOT NULL GROUP BY ALL),
    known AS (
        SELECT holder, product FROM counts
        UNION SELECT holder, product FROM moves WHERE NOT sells AND holder IS NOT NULL),
    days AS (
        SELECT holder, product, day, coalesce(moved, 0) AS moved, coalesce(sold, 0) AS sold, count,
               count(count) OVER (PARTITION BY holder, product ORDER BY day) AS segment
        FROM by_day FULL JOIN counts USING (holder, product, day)),
    stocked AS (
        SELECT *, coalesce(max(count) OVER (PARTITION BY holder, product, segment), 0)
                  + sum(moved) OVER (PARTITION BY holder, product, segment ORDER BY day) AS left_over
        FROM days SEMI JOIN known USING (holder, product)),
    short AS (
        SELECT *, greatest(-left_over, 0) AS short,
               coalesce(lag(greatest(-left_over, 0)) OVER (PARTITION BY holder, product, segment ORDER BY day), 0) AS before
        FROM stocked)
    SELECT holder, product, day, sold, sold + left_over AS there, short - before AS excess FROM short
    WHERE short > before AND sold > 0 AND ($since IS NULL OR day >= $since) AND ($until IS NULL OR day < $until)
    ORDER BY day DESC, holder, product
"""


@dataclass(frozen=True, slots=True)
class Excess:
    """Units that a partner sold of a product on a day beyond what was there, net of returns.

    there: stock at the start of the day and what came in on it, below zero where earlier days sold too much.
    """

    partner: str
    product: str
    day: date
    sold: Decimal
    there: Decimal
    excess: Decimal


def excesses(*, since: date | None = None, until: date | None = None) -> tuple[Excess, ...]:
    """List what was sold beyond purchases and opening stock on the days since until before until, the latest day first."""
    with opened() as lake, duckdb.connect() as con:
        _view(con, lake.lines())
        held = references.in_force().get("stock")
        stock = lake.load_snapshot(held) if held else pa.schema([(n, c.type) for n, c in STOCK.items()]).empty_table()
        con.register("stock", stock.append_column("turn", pa.array(range(stock.num_rows), pa.int64())))
        rows = con.execute(_QUERY, {"since": since, "until": until}).fetchall()
    return tuple(Excess(*row) for row in rows)


def _view(con: duckdb.DuckDBPyConnection, lines: Lines) -> None:
    if not lines.paths:
        con.register("lines", pa.schema([(name, column.type) for name, column in LINES.items()]).empty_table())
        return
    files = ", ".join(literal(str(path)) for path in lines.paths)
    bound = f" WHERE batch_seq <= {lines.batch_seq_max}" if lines.batch_seq_max is not None else ""
    con.execute(
        f"CREATE TEMP VIEW lines AS FROM read_parquet([{files}], union_by_name = true, hive_partitioning = false){bound}"
    )


def seen(viewer: Person, *, at: datetime) -> tuple[Excess, ...]:
    """Give the latest excesses. For people of the vendor who may read all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    return excesses()[:SHOWN_MAX]
