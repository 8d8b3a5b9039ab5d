"""Price protection: units left in the channel on the day when a price falls, in the place of lines (semantics, 10)."""

from collections.abc import Iterator
from datetime import date

from headrace.engine.terms.model import PriceChange
from tests.reference.facts import Row, World
from tests.reference.judge import Judged, judge
from tests.reference.measure import Entry
from tests.reference.needs import Card
from tests.reference.numbers import number
from tests.reference.periods import Program
from tests.reference.stock import Left, left_on, place_key


def price_change(program: Program) -> PriceChange | None:
    """Give the fall of the price that a program protects from; all of its versions say the same."""
    return program.versions[0].schedule.price_change


def judge_lots(world: World, program: Program, change: PriceChange, findings: set[str]) -> list[Judged]:
    """Judge every lot that somebody holds on the effective day, as a line of that day; nothing before it has come."""
    if change.effective > world.as_of:
        findings.add("not_effective")
        return []
    found = []
    for at, (holder, product, left) in enumerate(_in_order(world, change.effective)):
        line, as_line = _lines(holder, product, left, change.effective)
        judged = judge(world, program, as_line, findings, is_lot=True)
        judged.line = line
        judged.place = (change.effective, b"", at, change.effective, b"")
        found.append(judged)
    return found


def _in_order(world: World, effective: date) -> list[tuple[str, str, Left]]:
    """Give what is left everywhere: units that no purchase covers first, then lots by date and id."""

    def key(each: tuple[str, str, Left]) -> tuple[object, ...]:
        holder, product, left = each
        line = None if left.lot is None else left.lot.line
        own = (left.since or date.max, b"") if line is None else place_key(line)
        return (line is not None, *own, holder.encode(), product.encode())

    found = [
        (holder, product, left)
        for holder, product in _holders(world)
        for left in left_on(world, holder, product, effective)
    ]
    return sorted(found, key=key)


def _holders(world: World) -> Iterator[tuple[str, str]]:
    """Every partner and product whose stock may have moved or been counted."""
    pairs = {(row["partner_id"], row["product_id"]) for row in world.rows("stock")}
    for line in world.lines.values():
        pairs |= {(line.get("partner_id"), line.get("product_id")), (line.get("buyer_id"), line.get("product_id"))}
    for partner, product in pairs:
        if partner is not None and product is not None:
            yield str(partner), str(product)


def _lines(holder: str, product: str, left: Left, effective: date) -> tuple[Row, Row]:
    """Give what a lot shows of its line, and the line as rules read it on the effective day: the holder in every role."""
    bought = None if left.lot is None else left.lot.line
    base: dict[str, object] = (
        {
            "line_id": f"stock:{holder}:{product}",
            "kind": "stock_count",
            "product_id": product,
            "occurred_on": left.since,
        }
        if bought is None
        else dict(bought)
    )
    base |= {"partner_id": holder, "buyer_id": holder, "reporter_id": holder, "rep_id": None, "quantity": left.units}
    return base, base | {"occurred_on": effective, "original_line_id": None}


def entry_of_lot(judged: Judged) -> Entry:
    """Give a lot as an entry: its units are measured and paid."""
    terms = judged.terms
    assert terms is not None
    entry = Entry(judged, terms, Card((), ()))
    left = number(judged.line["quantity"])
    if judged.measures:
        entry.m = left
    if judged.earns:
        entry.base = entry.units = left
    return entry
