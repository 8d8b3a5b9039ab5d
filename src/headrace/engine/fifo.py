"""What sold units cost, first in first out: the lots of a partner and product as stretches of one axis, sales as intervals on it.

The lots of one book (see stock) lie end to end from nought. Net sales move a pointer along them in the order of place: a sale
up, a return of it down again over the same units, so that a full return leaves the lots as if nothing had happened. A count
puts the pointer where the units counted are what is left. What a line moves over is what it costs: each lot's units × unit
cost, rounded to six decimals. Before the first lot and past the last the nearest lot's unit cost holds, and the line is
short.
"""

from collections.abc import Iterable

from headrace.engine.findings import Finding
from headrace.engine.numeric import SUM, dec, product_fx, share
from headrace.engine.session import Session, text
from headrace.engine.stock import lots

_NOTHING = f"CAST(0 AS {SUM})"
_FAR = dec(10**15, 28, 6)
_ITEM = "holder, product, book"
_SHORT_MAX = 20


def put_fifo_costs(session: Session, moneys: Iterable[tuple[str, int]]) -> None:
    """Make `fifo_costs`: one row per money and line that sells or takes back. moneys: each a currency (or none) and an age.

    Columns: money, age, n, holder, product, cost (SUM; null where no lot is known, or a lot has no exchange rate), unquoted
    (that rate is missing), short (units that no lot covers).
    """
    session.table("fifo_lots", _lots_on_axis())
    session.table("fifo_uses", _uses())
    session.table("fifo_met", _met())
    wanted = sorted(set(moneys))
    selects = [_costs(money, age) for money, age in wanted]
    session.table("fifo_costs", " UNION ALL ".join(selects))
    session.drop("fifo_lots", "fifo_uses", "fifo_met")


def _lots_on_axis() -> str:
    """Write the query of the lots with the stretch of the axis that each takes: low, high, and its number from 1."""
    order = f"PARTITION BY {_ITEM} ORDER BY n IS NOT NULL, day, n"
    upto = f"CAST(sum(quantity) OVER ({order} ROWS UNBOUNDED PRECEDING) AS {SUM})"
    return (
        f"SELECT *, CAST(high - quantity AS {SUM}) AS low, number = lots AS last FROM ("
        f"SELECT *, {upto} AS high, CAST(row_number() OVER ({order}) AS INTEGER) AS number, count(*) OVER (PARTITION "
        f"BY {_ITEM}) AS lots "
        f"FROM ({lots()}))"
    )


def _uses() -> str:
    """Write the query of what moves the pointer: n (null: a unit that comes back after a later count), and from where to where.

    Where a count lies between a sale and the return that names it, the return still undoes the sale where that took place,
    and its units come back once more after the count, as what nobody pays for.
    """
    moves = (
        "SELECT CASE WHEN incoming THEN NULL ELSE n END AS n, holder, product, coalesce(sale_day, day) AS place_day, "
        "coalesce(sale_n, n) AS place_n, coalesce(turn, 0) AS turn, -change AS quantity FROM stock_moves "
        "WHERE NOT lot AND NOT (incoming AND change < 0 AND sale_n IS NOT NULL) UNION ALL "
        "SELECT NULL, m.holder, m.product, m.day, m.n, 0, -m.change FROM stock_moves m JOIN stock_counts c ON "
        "c.holder = m.holder "
        "AND c.product = m.product AND c.day <= m.day AND c.day > m.sale_day AND c.until > m.day WHERE NOT m.incoming"
    )
    placed = (
        "SELECT u.*, coalesce(c.segment, 0) AS segment, coalesce(c.book, 0) AS book, c.day AS since, c.quantity AS counted, "
        "c.paid IS NOT NULL AS opens "
        f"FROM ({moves}) u LEFT JOIN stock_counts c ON c.holder = u.holder AND c.product = u.product AND c.day <= u.place_day "
        "AND c.until > u.place_day"
    )
    # Lots are few beside lines, counts fewer: the units before a count are added up once per count.
    before = (
        f"SELECT c.holder, c.product, c.segment, CAST(sum(l.quantity) AS {SUM}) AS quantity FROM stock_counts c "
        f"JOIN fifo_lots l ON l.holder = c.holder AND l.product = c.product AND l.book = c.book AND l.day < c.day "
        "WHERE c.paid IS NULL GROUP BY ALL"
    )
    start = f"CASE WHEN u.segment = 0 OR u.opens THEN {_NOTHING} ELSE coalesce(b.quantity, {_NOTHING}) - u.counted END"
    upto = (
        "sum(u.quantity) OVER (PARTITION BY u.holder, u.product, u.segment ORDER BY u.place_day, u.place_n, u.turn, "
        "u.n NULLS FIRST "
        "ROWS UNBOUNDED PRECEDING)"
    )
    return (
        f"SELECT u.n, u.holder, u.product, u.book, u.quantity, CAST({start} + {upto} AS {SUM}) AS reached FROM ({placed}) u "
        f"LEFT JOIN ({before}) b ON b.holder = u.holder AND b.product = u.product AND b.segment = u.segment"
    )


def _met() -> str:
    """Write the query of the lots in which each line's interval begins and ends: n, low, high, and the lots' numbers.

    Both ends are found by running through lots and ends together in the order of the axis.
    """
    ends = (
        "SELECT n, holder, product, book, quantity, least(reached - quantity, reached) AS low, greatest(reached - "
        "quantity, reached) AS high "
        "FROM fifo_uses WHERE n IS NOT NULL"
    )
    # At one point of the axis: an interval that ends there, the lot that begins there, an interval that begins there.
    points = (
        f"SELECT {_ITEM}, CASE WHEN number = 1 THEN -{_FAR} ELSE low END AS point, 1 AS turn, number, NULL AS n, "
        "FALSE AS ends FROM fifo_lots "
        f"UNION ALL SELECT {_ITEM}, high, 0, NULL, n, TRUE FROM fifo_ends UNION ALL SELECT {_ITEM}, low, 2, NULL, n, "
        "FALSE FROM fifo_ends"
    )
    running = f"max(number) OVER (PARTITION BY {_ITEM} ORDER BY point, turn ROWS UNBOUNDED PRECEDING)"
    return (
        f"WITH fifo_ends AS ({ends}), found AS (SELECT n, ends, {running} AS number, turn FROM ({points})) "
        "SELECT e.*, a.number AS first, b.number AS final FROM fifo_ends e "
        "LEFT JOIN found a ON a.n = e.n AND NOT a.ends LEFT JOIN found b ON b.n = e.n AND b.ends"
    )


def _costs(money: str, age: int) -> str:
    """Write the query of the costs of every line in one money."""
    rate, join = "paid", ""
    if money:
        own = f"currency IS NULL OR currency = {text(money)}"
        rate = f"CASE WHEN {own} THEN CAST(paid AS {SUM}) ELSE {product_fx('paid', 'x.rate')} END"
        join = (
            f" LEFT JOIN fx x ON x.age = {age} AND x.from_currency = l.currency AND x.to_currency = {text(money)} "
            "AND x.day = l.day"
        )
    order = f"PARTITION BY {_ITEM} ORDER BY number ROWS UNBOUNDED PRECEDING"
    valued = f"SELECT l.* EXCLUDE (paid), {rate} AS paid FROM fifo_lots l{join}"
    whole = f"SELECT *, {share('paid', 'quantity', 'per')} AS worth FROM ({valued})"
    summed = (
        f"SELECT *, CAST(sum(worth) OVER ({order}) AS {SUM}) AS worth_upto, "
        f"sum(CASE WHEN worth IS NULL THEN 1 ELSE 0 END) OVER ({order}) AS unquoted_upto FROM ({whole})"
    )
    inside = share("a.paid", "(u.high - u.low)", "a.per")
    left = share("a.paid", "(a.high - u.low)", "a.per")
    right = share("b.paid", "(u.high - b.low)", "b.per")
    between = "(b.worth_upto - b.worth - a.worth_upto)"
    spread = f"CASE WHEN b.unquoted_upto - a.unquoted_upto = 0 THEN {left} + {between} + {right} END"
    size = f"CASE WHEN u.low = u.high THEN {_NOTHING} WHEN u.first = u.final THEN {inside} ELSE {spread} END"
    over = "coalesce(z.high, 0)"
    short = (
        f"CASE WHEN z.high IS NULL THEN u.high - u.low ELSE greatest(least(u.high, {_NOTHING}) - u.low, {_NOTHING}) + "
        f"greatest(u.high - greatest(u.low, {over}), {_NOTHING}) END"
    )
    return (
        f"SELECT {text(money)} AS money, {age} AS age, u.n, u.holder, u.product, "
        f"CAST(CASE WHEN u.quantity < 0 THEN -({size}) ELSE {size} END AS {SUM}) AS cost, "
        f"u.first IS NOT NULL AND u.low <> u.high AND ({size}) IS NULL AS unquoted, CAST({short} AS {SUM}) AS short "
        "FROM fifo_met u "
        f"LEFT JOIN ({summed}) a ON a.holder = u.holder AND a.product = u.product AND a.book = u.book AND a.number = u.first "
        f"LEFT JOIN ({summed}) b ON b.holder = u.holder AND b.product = u.product AND b.book = u.book AND b.number = u.final "
        "LEFT JOIN fifo_lots z ON z.holder = u.holder AND z.product = u.product AND z.book = u.book AND z.last"
    )


def report_short(session: Session, relation: str, editions: str) -> list[Finding]:
    """Report lines of these editions (SQL list) whose units no lot covers, by partner and product."""
    rows = session.rows(
        "SELECT f.holder, f.product, count(DISTINCT f.n), CAST(sum(f.short) AS VARCHAR) FROM (SELECT DISTINCT p.n FROM "
        f"{relation} p WHERE p.edition IN ({editions}) AND (p.measures OR p.reason IS NULL)) p "
        "JOIN (SELECT n, holder, product, max(short) AS short FROM fifo_costs GROUP BY n, holder, product) f ON f.n = p.n "
        "WHERE f.short > 0 GROUP BY f.holder, f.product ORDER BY f.holder, f.product"
    )
    findings = [
        Finding(
            code="fifo_short",
            severity="warning",
            message=f"{lines} lines of {holder} sell {_plain(str(units))} units of {product} that no known purchase covers; "
            "they cost what the nearest lot did. Load the purchases, or the opening stock with its unit cost.",
        )
        for holder, product, lines, units in rows[:_SHORT_MAX]
    ]
    if len(rows) > _SHORT_MAX:
        message = f"{len(rows) - _SHORT_MAX} more partners and products sell units that no known purchase covers."
        findings.append(Finding(code="fifo_short", severity="warning", message=message))
    return findings


def _plain(units: str) -> str:
    return units.rstrip("0").rstrip(".")


__all__ = ["put_fifo_costs", "report_short"]
