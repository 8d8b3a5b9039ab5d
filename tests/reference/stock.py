"""Stock in the channel: units on hand, lots first in first out (semantics, 10)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.reference.facts import Row, World, day, occurred
from tests.reference.numbers import ZERO, number, total


def movements(world: World, partner: str, product: str) -> Iterator[tuple[date, Fraction, Row]]:
    """Every line that moves the stock: up where the partner buys, down where it sells."""
    for line in world.lines.values():
        if line.get("product_id") != product:
            continue
        quantity = number(line["quantity"])
        if line["kind"] in {"purchase", "purchase_return"} and line.get("partner_id") == partner:
            yield occurred(line), quantity, line
        if line["kind"] in {"sale", "return"}:
            if line.get("buyer_id") == partner:
                yield occurred(line), quantity, line
            if line.get("partner_id") == partner:
                yield occurred(line), -quantity, line


def counts(world: World, partner: str, product: str) -> list[tuple[date, Fraction, Row]]:
    """Every count of the stock, at the start of its day: the rows of the stock table and the lines of kind stock_count."""
    found = [
        (on, number(row["quantity"]), row)
        for row in world.rows("stock")
        if row["partner_id"] == partner and row["product_id"] == product and (on := day(row, "on")) is not None
    ]
    found += [
        (occurred(line), number(line["quantity"]), line)
        for line in world.lines.values()
        if line["kind"] == "stock_count" and line.get("partner_id") == partner and line.get("product_id") == product
    ]
    return sorted(found, key=lambda count: count[0])


def on_hand(world: World, partner: str, product: str, start_of: date) -> Fraction:
    """Units on hand at the start of a day: the last count, and every movement from its day to before this one."""
    counted = [count for count in counts(world, partner, product) if count[0] <= start_of]
    since, quantity = (counted[-1][0], counted[-1][1]) if counted else (date.min, ZERO)
    moved = [units for on, units, _ in movements(world, partner, product) if since <= on < start_of]
    return quantity + total(moved)


@dataclass(frozen=True)
class Lot:
    """Units bought together; `line` is null for the opening row of the stock table."""

    quantity: Fraction
    unit_cost: Fraction
    line: Row | None


def lots_of(world: World, partner: str, product: str) -> list[Lot]:
    """The opening row and the purchases after it, in order of date and id."""
    rows = [row for row in world.rows("stock") if row["partner_id"] == partner and row["product_id"] == product]
    opening = min(rows, key=lambda row: day(row, "on") or date.min, default=None)
    since = date.min if opening is None else day(opening, "on") or date.min
    lots = []
    if opening is not None and opening.get("unit_cost") is not None:
        lots.append(Lot(number(opening["quantity"]), number(opening["unit_cost"]), None))
    bought = [
        line
        for on, units, line in movements(world, partner, product)
        if on >= since and units > 0 and _buys(line, partner)
    ]
    for line in sorted(bought, key=lambda line: (occurred(line), str(line["line_id"]).encode())):
        paid = line["cost"] if line.get("cost") is not None and line["kind"] == "purchase" else line["amount"]
        lots.append(Lot(number(line["quantity"]), number(paid) / number(line["quantity"]), line))
    return lots


def _buys(line: Row, partner: str) -> bool:
    return line["kind"] == "purchase" or (line["kind"] == "sale" and line.get("buyer_id") == partner)


def consumed(lots: list[Lot], before: Fraction, after: Fraction) -> Iterator[tuple[Fraction, Lot]]:
    """Give units of each lot between two running quantities sold; what lies beyond all lots comes from the last."""
    sign, low, high = (1, before, after) if after >= before else (-1, after, before)
    start = ZERO
    for at, lot in enumerate(lots):
        end = start + lot.quantity
        if at == len(lots) - 1:
            end = max(end, high)
        taken = max(ZERO, min(high, end) - max(low, start))
        if taken:
            yield sign * taken, lot
        start = end


def left_on(world: World, partner: str, product: str, effective: date) -> list[tuple[Fraction, Lot]]:
    """Give what is left of each lot at the start of a day: the newest stay, up to the units on hand."""
    remaining = max(on_hand(world, partner, product, effective), ZERO)
    found = []
    for lot in reversed(lots_of(world, partner, product)):
        if lot.line is not None and occurred(lot.line) >= effective:
            continue
        taken = min(remaining, lot.quantity)
        remaining -= taken
        found.append((taken, lot))
    return found[::-1]
