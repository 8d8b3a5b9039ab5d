"""Stock in the channel: who holds how many units of what on a day, and the lots that they were bought in.

Stock of a partner moves up where it buys and down where it sells, on the day of the line; a count (a row of the stock table, or a
line of kind stock_count) sets it at the start of its day. Everything is SQL over the lines; nothing is decided here about money.

Tables, one row per …: `stock_lines` line that can move stock; `stock_moves` line and holder; `stock_counts` count, with the
days until the next one; `stock_cuts` unit count taken off a lot by a return that names its purchase.

The first count that has a unit cost *opens* the lots: its units are one lot, older purchases are gone. Every other count only
says how many units are left; the newest stay.
"""

import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.book import DAY_MAX, DAY_MIN
from headrace.engine.numeric import LINE, SUM, dec
from headrace.engine.schema import LINE as LINE_TYPE
from headrace.engine.session import Session
from headrace.engine.source import Source

_NOTHING = f"CAST(0 AS {SUM})"
_SALES = "('sale', 'return')"
_BOUGHT = "('sale', 'purchase')"
_ROWS = pa.schema(
    [
        ("holder", pa.string()), ("product", pa.string()), ("day", pa.int32()), ("quantity", LINE_TYPE), ("paid", LINE_TYPE),
        ("turn", pa.int64()),
    ]
)  # fmt: skip


def put_stock(session: Session, source: Source, rows: pa.Table | None) -> None:
    """Make the tables of stock from the lines and the stock table (schema.STOCK), both up to the as-of day."""
    session.put("stock_rows", _rows(source, rows))
    session.table(
        "stock_lines",
        "SELECT line_id, n, kind, day, partner_id, buyer_id, product_id, quantity, amount, cost, currency FROM base "
        "WHERE product_id IS NOT NULL AND kind IN ('sale', 'return', 'purchase', 'purchase_return', 'stock_count')",
    )
    _put_counts(session)
    _put_moves(session, source)


def _rows(source: Source, rows: pa.Table | None) -> pa.Table:
    """Give the rows of the stock table that are known on the as-of day, with their turn in the table."""
    if rows is None or not rows.num_rows:
        return _ROWS.empty_table()
    days = rows.column("on").cast(pa.date32())
    unit_cost = rows.column("unit_cost") if "unit_cost" in rows.column_names else pa.nulls(rows.num_rows, LINE_TYPE)
    columns = [
        rows.column("partner_id"),
        rows.column("product_id"),
        days.cast(pa.int32()),
        rows.column("quantity"),
        unit_cost,
    ]
    numbered = pa.table([*columns, pa.array(range(rows.num_rows))], names=_ROWS.names).cast(_ROWS)
    return numbered.filter(pc.less_equal(days, pa.scalar(source.as_of, pa.date32())))


def _put_counts(session: Session) -> None:
    """Make `stock_counts`: of several counts of a day the last one holds, lines after rows.

    segment: number of the count; book: 1 from the count that opened the lots on, else 0; paid ÷ per: the unit cost of the
    count that opened the lots, null for the others.
    """
    one = dec(1, 18, 6)
    priced = "kind = 'stock_count' AND cost IS NOT NULL AND quantity > 0"
    counted = (
        f"SELECT holder, product, day, quantity, paid, {one} AS per, CAST(NULL AS VARCHAR) AS currency, 0 AS "
        "by_line, turn FROM stock_rows "
        f"UNION ALL SELECT partner_id, product_id, day, quantity, CASE WHEN {priced} THEN cost END, CASE WHEN "
        f"{priced} THEN quantity END, "
        "currency, 1, row_number() OVER (ORDER BY n) FROM stock_lines WHERE kind = 'stock_count' AND partner_id IS NOT NULL"
    )
    item = "PARTITION BY holder, product ORDER BY day"
    newest = (
        "SELECT *, row_number() OVER (PARTITION BY holder, product, day ORDER BY by_line DESC, turn DESC) AS newest "
        f"FROM ({counted})"
    )
    numbered = (
        f"SELECT *, CAST(row_number() OVER ({item}) AS INTEGER) AS segment, lead(day, 1, {DAY_MAX}) OVER ({item}) AS until, "
        f"sum(CASE WHEN paid IS NULL THEN 0 ELSE 1 END) OVER ({item} ROWS UNBOUNDED PRECEDING) AS costs FROM "
        f"({newest}) WHERE newest = 1"
    )
    session.table(
        "stock_counts",
        "SELECT holder, product, day, quantity, CASE WHEN costs = 1 THEN paid END AS paid, per, currency, segment, until, "
        f"CAST(least(costs, 1) AS INTEGER) AS book FROM ({numbered})",
    )


def _put_moves(session: Session, source: Source) -> None:
    """Make `stock_moves` and `stock_cuts`.

    change: units on hand, up or down. lot: it is a lot of its own. sale_day, sale_n, turn: the place of a return that names
    its sale.
    """
    bought_by = f"CASE WHEN kind IN {_SALES} THEN buyer_id ELSE partner_id END"
    session.table(
        "stock_changes",
        "SELECT line_id, n, kind, day, partner_id AS holder, product_id AS product, FALSE AS incoming, "
        f"CAST(-quantity AS {LINE}) AS change, CAST(NULL AS {LINE}) AS paid, currency FROM stock_lines "
        f"WHERE kind IN {_SALES} AND partner_id IS NOT NULL UNION ALL "
        f"SELECT line_id, n, kind, day, {bought_by}, product_id, TRUE, "
        "quantity, CASE WHEN kind = 'purchase' THEN coalesce(cost, amount) ELSE amount END, currency FROM stock_lines "
        f"WHERE kind <> 'stock_count' AND {bought_by} IS NOT NULL",
    )
    named = "CAST(NULL AS INTEGER) AS sale_day, NULL AS sale_n, CAST(NULL AS INTEGER) AS turn"
    joins = ""
    if source.has_sales_of_returns:
        named = "o.day AS sale_day, o.n AS sale_n, CASE WHEN o.n IS NOT NULL THEN s.return_seq END AS turn"
        joins = (
            " LEFT JOIN sale_of s ON s.return_id = c.line_id LEFT JOIN stock_changes o ON o.n = s.sale_n AND o.holder = c.holder "
            "AND o.product = c.product AND o.incoming = c.incoming"
        )
    session.table(
        "stock_moves",
        f"SELECT c.*, c.incoming AND c.change > 0 AND c.kind IN {_BOUGHT} AS lot, {named} FROM stock_changes c{joins}",
    )
    session.drop("stock_changes")
    session.view(
        "stock_cuts",
        "SELECT sale_n AS n, holder, day, change FROM stock_moves WHERE incoming AND change < 0 AND sale_n IS NOT NULL",
    )


def on_hand(day: int) -> str:
    """Write the query of the units on hand at the start of a day: holder, product, quantity."""
    return (
        f"SELECT holder, product, CAST(sum(change) AS {SUM}) AS quantity FROM ("
        f"SELECT holder, product, quantity AS change FROM stock_counts WHERE day <= {day} AND until > {day} UNION ALL "
        "SELECT m.holder, m.product, m.change FROM stock_moves m LEFT JOIN stock_counts c ON c.holder = m.holder "
        f"AND c.product = m.product AND c.day <= {day} AND c.until > {day} WHERE m.day < {day} AND m.day >= "
        f"coalesce(c.day, {DAY_MIN})"
        ") GROUP BY holder, product"
    )


def lots(before: int = DAY_MAX) -> str:
    """Write the query of the lots from before a day, less what went back by then: one row per opening count or purchase.

    Columns: holder, product, book, day, n and line_id (null for a count), quantity (above nought), paid ÷ per (the unit
    cost), currency.
    """
    bought = f"SELECT n, holder, sum(change) AS change FROM stock_cuts WHERE day < {before} GROUP BY n, holder"
    return (
        "SELECT holder, product, book, day, n, line_id, quantity, paid, per, currency FROM ("
        f"SELECT holder, product, book, day, NULL AS n, NULL AS line_id, CAST(quantity AS {SUM}) AS quantity, paid, "
        "per, currency "
        f"FROM stock_counts WHERE paid IS NOT NULL AND day <= {before} UNION ALL "
        "SELECT m.holder, m.product, coalesce(c.book, 0), m.day, m.n, m.line_id, CAST(m.change + coalesce(r.change, "
        f"{_NOTHING}) AS {SUM}), "
        "m.paid, m.change, m.currency FROM stock_moves m LEFT JOIN stock_counts c ON c.holder = m.holder AND "
        "c.product = m.product "
        f"AND c.day <= m.day AND c.until > m.day LEFT JOIN ({bought}) r ON r.n = m.n AND r.holder = m.holder "
        f"WHERE m.lot AND m.day < {before}) WHERE quantity > 0"
    )
