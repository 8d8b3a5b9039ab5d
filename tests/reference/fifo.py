"""Cost of sales out of channel stock, first in first out (semantics, 10).

Lots lie end to end from nought. Net sales move a pointer along them; what a line moves over is what it costs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from headrace.engine.terms.model import Terms
from tests.reference.facts import Row, World
from tests.reference.needs import target_currency
from tests.reference.numbers import ZERO, total
from tests.reference.stock import Count, Lot, counts, holding, lots_of, movements, opening, place_key, undone_by

type Place = tuple[tuple[date, bytes], int, tuple[date, bytes], int]


@dataclass(frozen=True)
class Cost:
    """What the units of a line cost: null where no lot is known, or one has no exchange rate (unquoted)."""

    value: Fraction | None
    unquoted: bool = False
    short: bool = False  # some of its units are of no lot


@dataclass(frozen=True)
class _Use:
    """What moves the pointer by some units. line: the sale or its return; null where nobody pays for the units."""

    place: Place
    line: Row | None
    units: Fraction


def costs_of(world: World) -> "Costs":
    """Give the costs of a world, which remember what they found."""
    costs = world.memo.setdefault("costs", Costs(world))
    assert isinstance(costs, Costs)
    return costs


class Costs:
    """Finds what lines cost; works out each partner, product, money and age of quotes once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._known: dict[tuple[str, str, str | None, int], dict[str, Cost]] = {}

    def of(self, terms: Terms, line: Row) -> Cost:
        """Give what a line's units cost in the money of a program."""
        partner, product = line.get("partner_id"), line.get("product_id")
        if line["kind"] not in {"sale", "return"} or partner is None or product is None:
            return Cost(None)
        key = (str(partner), str(product), target_currency(terms), terms.convert.age_days_max)
        if key not in self._known:
            self._known[key] = self._work_out(*key)
        return self._known[key][str(line["line_id"])]

    def _work_out(self, partner: str, product: str, money: str | None, age_days_max: int) -> dict[str, Cost]:
        counted = counts(self.world, partner, product)
        first = opening(counted)
        running: dict[date | None, Fraction] = {}
        found = {}
        for use in sorted(_uses(self.world, partner, product, counted), key=lambda use: use.place):
            on = use.place[0][0]
            count = holding(counted, on)
            opened = first is not None and on >= first.on
            lots = lots_of(self.world, partner, product, opened=opened)
            segment = None if count is None else count.on
            before = running.get(segment, _start(count, first, lots))
            running[segment] = after = before + use.units
            if use.line is not None:
                found[str(use.line["line_id"])] = self._cost(lots, before, after, money, age_days_max)
        return found

    def _cost(
        self, lots: Sequence[Lot], before: Fraction, after: Fraction, money: str | None, age_days_max: int
    ) -> Cost:
        low, high = min(before, after), max(before, after)
        if low == high:
            return Cost(ZERO)
        if not lots:
            return Cost(None, short=True)
        costs = []
        for units, lot in _met(lots, low, high):
            rate: Fraction | None = Fraction(1)
            if money is not None and lot.currency not in {None, money}:
                rate = self.world.rate(str(lot.currency), money, lot.on, age_days_max)
            costs.append(None if rate is None else lot.costs(units, rate))
        short = low < 0 or high > total(lot.quantity for lot in lots)
        if None in costs:
            return Cost(None, unquoted=True, short=short)
        value = total(cost for cost in costs if cost is not None)
        return Cost(value if after > before else -value, short=short)


def _uses(world: World, partner: str, product: str, counted: Sequence[Count]) -> Iterator[_Use]:
    """Give what takes units or gives them back: everything that sells, and what is bought or sent back without a lot."""
    moves = movements(world, partner, product)
    for move in moves:
        undone = undone_by(world, moves, move)
        if move.opens_lot or (move.incoming and move.change < 0 and undone is not None):
            continue
        own = place_key(move.line)
        line = None if move.incoming else move.line
        turn = 0 if move.incoming else 1
        if undone is None:
            yield _Use((own, 0, own, turn), line, -move.change)
            continue
        yield _Use((place_key(undone.line), 1, own, turn), line, -move.change)
        count = holding(counted, move.on)
        if not move.incoming and count is not None and count.on > undone.on:
            yield _Use((own, 0, own, 0), None, -move.change)


def _start(count: Count | None, first: Count | None, lots: Sequence[Lot]) -> Fraction:
    """Where the pointer stands after a count: what it counted is left of what was there before its day."""
    if count is None or first is count:
        return ZERO
    return total(lot.quantity for lot in lots if lot.on < count.on) - count.quantity


def _met(lots: Sequence[Lot], low: Fraction, high: Fraction) -> Iterator[tuple[Fraction, Lot]]:
    """Give the units of each lot in a stretch; what lies before the first lot or past the last is as of that lot."""
    start = ZERO
    for at, lot in enumerate(lots):
        end = start + lot.quantity
        left = low if at == 0 else max(low, start)
        right = high if at == len(lots) - 1 else min(high, end)
        if right > left:
            yield right - left, lot
        start = end
