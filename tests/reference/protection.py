"""Price protection: units left in the channel on the day when a price falls (semantics, 10)."""

from datetime import date
from fractions import Fraction

from headrace.engine.terms.model import PriceChange, Terms
from tests.reference.facts import Row, World
from tests.reference.judge import EARNER_COLUMN, Judged, judge
from tests.reference.measure import Entry
from tests.reference.needs import Card, target_currency
from tests.reference.numbers import ZERO, number
from tests.reference.periods import Program
from tests.reference.stock import left_on


def protected(world: World, program: Program, findings: set[str]) -> list[Entry]:
    """Give one entry for every lot of a holder that qualifies, with the fall of the price on what is left of it."""
    found = []
    for terms in program.versions:
        change = terms.schedule.price_change
        if change is None or program.governing(change.effective) is not terms:
            continue
        window = program.period_of(change.effective, terms)
        for holder, product in _holders(world):
            for left, lot in left_on(world, holder, product, change.effective):
                line = lot.line or _opening(world, terms, holder, product)
                judged = judge(world, program, line, findings, under=terms, window=window)
                if judged.earns and judged.earner == holder:
                    found.append(_entry(judged, terms, left * _fall(change)))
                    found[-1].m = found[-1].units = found[-1].quantity = left
    return found


def _holders(world: World) -> list[tuple[str, str]]:
    """Every partner and product whose stock is known to move or to have been counted."""
    pairs = {(row["partner_id"], row["product_id"]) for row in world.rows("stock")}
    for line in world.lines.values():
        pairs |= {(line.get("partner_id"), line.get("product_id")), (line.get("buyer_id"), line.get("product_id"))}
    return sorted(
        (str(partner), str(product)) for partner, product in pairs if partner is not None and product is not None
    )


def _fall(change: PriceChange) -> Fraction:
    if change.drop is not None:
        return number(change.drop)
    assert change.from_ is not None
    assert change.to is not None
    return number(change.from_) - number(change.to)


def _entry(judged: Judged, terms: Terms, credit: Fraction) -> Entry:
    entry = Entry(judged, terms, Card((), ()))
    entry.own = credit
    return entry


def _opening(world: World, terms: Terms, holder: str, product: str) -> Row:
    """The opening row of the stock table in the shape of a line."""
    rows = [row for row in world.rows("stock") if row["partner_id"] == holder and row["product_id"] == product]
    on = min(row["on"] for row in rows if isinstance(row["on"], date))
    line: dict[str, object] = {
        "line_id": f"stock:{holder}:{product}",
        "kind": terms.kinds[0],
        "stage": terms.stage[0],
        "occurred_on": on,
        "product_id": product,
        "quantity": ZERO,
        "amount": ZERO,
        "currency": target_currency(terms) or terms.currency,
    }
    return line | {EARNER_COLUMN[terms.earner]: holder}
