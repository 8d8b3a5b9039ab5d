"""Price protection: the lots that partners hold on the day of a price change, written as lines, so that the one plan prices them.

A program with `schedule.price_change` looks at held lots in the place of lines: one row per purchase line of which units are
left (the newest stay), and one per partner and product, `stock:<partner>:<product>`, for the units that no purchase covers.
Each stands on the effective day, is earned by who holds it, measures its units and is paid the fall of the price for each.
Rules, enrolment, scopes, limits and rounding are those of every other program. Before the effective day nothing is held.
"""

from dataclasses import replace
from datetime import date

from headrace.engine.book import Book, Edition, day_number
from headrace.engine.findings import Finding
from headrace.engine.numeric import LINE, SUM
from headrace.engine.session import Session
from headrace.engine.source import OWN, Source
from headrace.engine.stock import lots, on_hand

# Held lots are numbered apart from lines: below nought, and each effective day in a range of its own.
_RANGE = 2**40
_FIRST_PLACE = -(2**61)


def effective_day(edition: Edition) -> date | None:
    """Give the day whose stock an edition pays on; null for every other kind of program."""
    change = edition.terms.schedule.price_change
    return None if change is None else change.effective


def relation_of(edition: Edition) -> str:
    """Name what an edition looks at: placed lines, or the lots held on its effective day."""
    day = effective_day(edition)
    return "placed" if day is None else f"held_{day:%Y%m%d}"


def effective_days(book: Book) -> list[date]:
    """Give the effective days of a book, in order."""
    days = {day for edition in book.editions if (day := effective_day(edition)) is not None}
    return sorted(days)


def widen(source: Source, book: Book) -> Source:
    """Make the effective days that have come days of the run."""
    days = [day for day in effective_days(book) if day <= source.as_of]
    if not days:
        return source
    return replace(source, first_day=min(source.first_day, days[0]), last_day=max(source.last_day, days[-1]))


def put_held_lots(session: Session, book: Book, source: Source) -> list[str]:
    """Make `held_<day>` for each effective day, with the columns of `placed`; gives their names. Reads the tables of `stock`."""
    names: list[str] = []
    for index, day in enumerate(effective_days(book)):
        name = f"held_{day:%Y%m%d}"
        session.table("lots_left", _lots_left(day_number(day)))
        session.table(name, _as_lines(day_number(day), index, known=day <= source.as_of))
        names.append(name)
    session.drop("lots_left")
    return names


def not_yet(book: Book, source: Source) -> list[Finding]:
    """Report the price changes that lie after the as-of day, on whose stock nobody can say anything yet."""
    return [
        Finding(
            code="not_effective",
            severity="info",
            message=f"The price change of {edition.label} holds from {day}, after the as-of day; nothing is paid yet.",
        )
        for edition in book.editions
        if (day := effective_day(edition)) is not None and day > source.as_of
    ]


def _lots_left(day: int) -> str:
    """Write the query of what is left of each lot at the start of a day: holder, product, n (null: none), since, units, turn.

    Lots of which nothing is left are there too, with nought.
    """
    counted = f"SELECT holder, product, day, book, paid FROM stock_counts WHERE day <= {day} AND until > {day}"
    newer = (
        "sum(l.quantity) OVER (PARTITION BY l.holder, l.product ORDER BY l.day DESC, l.n DESC ROWS UNBOUNDED PRECEDING) "
        "- l.quantity"
    )
    bought = (
        f"SELECT l.holder, l.product, l.n, l.day, l.quantity, {newer} AS newer FROM ({lots(day)}) l LEFT JOIN counted c "
        "ON c.holder = l.holder AND c.product = l.product WHERE l.n IS NOT NULL AND l.book = coalesce(c.book, 0)"
    )
    rest = (
        "SELECT h.holder, h.product, NULL AS n, c.day AS since, h.quantity - coalesce(b.quantity, 0) AS units, "
        f"coalesce(c.book, 0) = 1 AS opened FROM ({on_hand(day)}) h LEFT JOIN counted c ON c.holder = h.holder "
        "AND c.product = h.product LEFT JOIN (SELECT holder, product, sum(quantity) AS quantity FROM bought "
        "GROUP BY holder, product) b ON b.holder = h.holder AND b.product = h.product"
    )
    left = (
        "SELECT b.holder, b.product, b.n, b.day AS since, least(coalesce(h.quantity, 0) - b.newer, b.quantity) AS "
        "units FROM bought b "
        f"LEFT JOIN ({on_hand(day)}) h ON h.holder = b.holder AND h.product = b.product "
        f"UNION ALL SELECT holder, product, n, since, units FROM ({rest}) WHERE opened OR units > 0"
    )
    return (
        f"WITH counted AS ({counted}), bought AS ({bought}) SELECT holder, product, n, since, "
        f"CAST(greatest(units, 0) AS {SUM}) AS units, "
        f"row_number() OVER (ORDER BY n IS NOT NULL, since, n, holder, product) AS turn FROM ({left})"
    )


def _as_lines(day: int, index: int, *, known: bool) -> str:
    """Write the query of lots as placed lines: the purchase's facts, the holder in every role, units left, the effective day."""
    number = f"CAST(-h.turn - {index * _RANGE} AS BIGINT)"
    place = f"CAST(h.turn + {_FIRST_PLACE + index * _RANGE} AS BIGINT)"
    placed = (
        f"{number} AS n, {place} AS place_n, {day} AS day, {day} AS sale_day, {OWN} AS placing, CAST(0 AS INTEGER) AS seq, "
        f"1 AS type, CAST(h.units AS {LINE}) AS quantity, h.holder AS partner_id, h.holder AS buyer_id, h.holder AS reporter_id"
    )
    replaced = "n, day, type, quantity, partner_id, buyer_id, reporter_id, rep_id, currency"
    return (
        f"SELECT * FROM placed WHERE FALSE UNION ALL BY NAME SELECT b.* EXCLUDE ({replaced}), {placed} FROM lots_left h "
        f"JOIN base b ON b.n = h.n WHERE {str(known).upper()} UNION ALL BY NAME "
        f"SELECT 'stock:' || h.holder || ':' || h.product AS line_id, 'stock_count' AS kind, "
        "DATE '1970-01-01' + CAST(h.since AS INTEGER) AS occurred_on, h.product AS product_id, "
        f"{placed} FROM lots_left h WHERE h.n IS NULL AND {str(known).upper()}"
    )
