"""Stock in the channel: units on hand, lots first in first out (semantics, 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.reference.facts import RETURNS, Row, World, day, occurred, text
from tests.reference.numbers import ZERO, number, round6, total


def place_key(line: Row) -> tuple[date, bytes]:
    """Order lines by date and id."""
    return occurred(line), str(line["line_id"]).encode()


@dataclass(frozen=True)
class Move:
    """A line that moves the stock of a partner and product: `change` units, by buying (incoming) or by selling."""

    line: Row
    incoming: bool
    change: Fraction

    @property
    def on(self) -> date:
        """The line's own date."""
        return occurred(self.line)

    @property
    def opens_lot(self) -> bool:
        """Whether the line buys units that are a lot of their own."""
        return self.incoming and self.change > 0 and self.line["kind"] not in RETURNS


def movements(world: World, partner: str, product: str) -> list[Move]:
    """Every line that moves the stock: up where the partner buys, down where it sells."""
    found = []
    for line in world.lines.values():
        if line.get("product_id") != product:
            continue
        quantity = number(line["quantity"])
        sold = line["kind"] in {"sale", "return"}
        buyer = line.get("buyer_id") if sold else line.get("partner_id")
        if line["kind"] in {"sale", "return", "purchase", "purchase_return"} and buyer == partner:
            found.append(Move(line, True, quantity))
        if sold and line.get("partner_id") == partner:
            found.append(Move(line, False, -quantity))
    return found


@dataclass(frozen=True)
class Count:
    """What was counted at the start of a day; paid ÷ per is the unit cost, where it is known. Lines have a currency."""

    on: date
    quantity: Fraction
    paid: Fraction | None
    per: Fraction
    currency: str | None


def counts(world: World, partner: str, product: str) -> list[Count]:
    """The counts that hold, one a day: rows of the stock table and lines of kind stock_count; the line, then the later one."""
    found: dict[date, Count] = {}
    for row in world.rows("stock"):
        on = day(row, "on")
        assert on is not None
        if (row["partner_id"], row["product_id"]) == (partner, product) and on <= world.as_of:
            cost = row.get("unit_cost")
            found[on] = Count(on, number(row["quantity"]), None if cost is None else number(cost), Fraction(1), None)
    for line in sorted(world.lines.values(), key=place_key):
        if line["kind"] == "stock_count" and (line.get("partner_id"), line.get("product_id")) == (partner, product):
            quantity, cost = number(line["quantity"]), line.get("cost")
            paid = number(cost) if cost is not None and quantity > 0 else None
            found[occurred(line)] = Count(occurred(line), quantity, paid, quantity, text(line, "currency"))
    return [found[on] for on in sorted(found)]


def holding(counted: Sequence[Count], on: date) -> Count | None:
    """The count that holds on a day."""
    return next((count for count in reversed(counted) if count.on <= on), None)


def on_hand(world: World, partner: str, product: str, start_of: date) -> Fraction:
    """Units on hand at the start of a day: the last count, and every movement from its day to before this one."""
    count = holding(counts(world, partner, product), start_of)
    since, quantity = (date.min, ZERO) if count is None else (count.on, count.quantity)
    return quantity + total(move.change for move in movements(world, partner, product) if since <= move.on < start_of)


@dataclass(frozen=True)
class Lot:
    """Units bought together for paid ÷ per each; `line` is null for a count that opened the lots."""

    on: date
    quantity: Fraction
    paid: Fraction
    per: Fraction
    currency: str | None
    line: Row | None

    def costs(self, units: Fraction, rate: Fraction) -> Fraction:
        """What some of its units cost at an exchange rate."""
        paid = self.paid if rate == 1 else round6(self.paid * rate)
        return round6(paid * units / self.per)


def opening(counted: Sequence[Count]) -> Count | None:
    """The first count with a unit cost: it opens the lots, older purchases are gone."""
    return next((count for count in counted if count.paid is not None), None)


def lots_of(world: World, partner: str, product: str, *, opened: bool, before: date = date.max) -> list[Lot]:
    """The lots from before a day, the opening one first, less what went back by then; opened: those since the opening count."""
    counted = counts(world, partner, product)
    first = opening(counted)
    found = []
    if opened and first is not None and first.paid is not None and first.on <= before:
        found.append(Lot(first.on, first.quantity, first.paid, first.per, first.currency, None))
    moves = movements(world, partner, product)
    for move in sorted(moves, key=lambda move: place_key(move.line)):
        since = first is not None and move.on >= first.on
        if move.opens_lot and move.on < before and since == opened:
            back = total(
                other.change
                for other in moves
                if undone_by(world, moves, other) is move and other.on < before and other.change < 0
            )
            cost = move.line.get("cost") if move.line["kind"] == "purchase" else None
            paid = number(move.line["amount"] if cost is None else cost)
            found.append(Lot(move.on, move.change + back, paid, move.change, text(move.line, "currency"), move.line))
    return [lot for lot in found if lot.quantity > 0]


def undone_by(world: World, moves: Sequence[Move], move: Move) -> Move | None:
    """The movement that a return undoes: that of the line it names, of the same partner, product and direction."""
    original = text(move.line, "original_line_id")
    if move.line["kind"] not in RETURNS or original is None:
        return None
    same = (each for each in moves if each.line["line_id"] == original and each.incoming == move.incoming)
    return next((each for each in same if each.line["kind"] not in RETURNS), None)


@dataclass(frozen=True)
class Left:
    """Units that are left of a lot on a day; `lot` is null for those that no purchase covers, counted on `since`."""

    units: Fraction
    lot: Lot | None
    since: date | None


def left_on(world: World, partner: str, product: str, effective: date) -> list[Left]:
    """Give what is left of each lot at the start of a day: the newest stay, up to the units on hand."""
    counted = counts(world, partner, product)
    first, count = opening(counted), holding(counted, effective)
    opened = first is not None and first.on <= effective
    bought = [lot for lot in lots_of(world, partner, product, opened=opened, before=effective) if lot.line is not None]
    remaining = on_hand(world, partner, product, effective)
    found = []
    for lot in reversed(bought):
        found.append(Left(max(min(remaining, lot.quantity), ZERO), lot, lot.on))
        remaining -= lot.quantity
    if opened or remaining > 0:
        found.append(Left(max(remaining, ZERO), None, None if count is None else count.on))
    return found[::-1]
