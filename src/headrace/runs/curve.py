"""The payout curve of a program as data: what a payee earns at each measure, priced by the engine on made-up sales.

Nothing here knows how a schedule pays. The edges come from the engine's own statements (`next_tier`); between them the curve is
sampled, and where it is not straight (a cap, a guarantee, a minimum) the bend is searched until it is known to the smallest step.
All curves of a simulation advance together, one run of the engine a round.
"""

import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from headrace.engine import Request, calculate
from headrace.engine.numeric import is_money, minor_unit
from headrace.engine.terms.model import Terms
from headrace.runs.made_up import (
    LINES_MAX,
    Averages,
    Card,
    curve_terms,
    left_out,
    made_up_rows,
    tables_of,
    why_no_curve,
    words_needed,
)
from headrace.runs.tallies import rounded

_DAY = date(2001, 1, 1)  # any day: nothing in a curve's terms is dated
_EXACT = 6  # decimals of the twin whose amounts are not rounded to money
_SAMPLES = 32
_ROUNDS_MAX = 40
_BENDS_MAX = 6
_STAIRS = 10
_TOLERANCE = Fraction(1, 100_000)

type Wanted = Mapping[int, Iterable[Decimal]]  # measures by number of the curve
type Tracing[T] = Generator[Wanted, None, T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What the engine says of one made-up payee. exact: the amount to six decimals, before it is rounded to money."""

    measure: Decimal
    earned: Decimal
    exact: Decimal
    base: Decimal
    tier: int | None
    next_from: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One point. marginal_rate: what each further unit of the measure adds here, null where only a step is known.

    edge: `before`, `at` or `after` an edge or bend; null at the ends of the curve.
    """

    measure: Decimal
    earned: Decimal
    base: Decimal
    marginal_rate: Decimal | None
    tier: int | None
    edge: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The payout curve of one rate card. reason: the code of why there are no points (made_up.WHY_NOT).

    goes_on: the same steps go on past the last point (packages, free goods).
    """

    terms: Terms
    card_from: date | None
    averages: Averages
    points: tuple[CurvePoint, ...] = ()
    reason: str | None = None
    goes_on: bool = False
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A stretch of the measure on which one curve pays `less`, `equal` or `more` than another, up to where the curves end."""

    from_: Decimal
    until: Decimal
    then_pays: str


@dataclass(slots=True)
class Drawing:
    """The curves of some rate cards by what history says of each; remembers every point that was priced."""

    cards: Sequence[Card]
    averages: Sequence[Averages]
    priced: list[dict[Decimal, Priced]] = field(init=False)

    def __post_init__(self) -> None:
        self.priced = [{} for _ in self.cards]

    def curves(self) -> list[Curve]:
        """Draw every curve, in the order of the cards."""
        reasons = [_reason(card, each) for card, each in zip(self.cards, self.averages, strict=True)]
        numbers = [number for number, reason in enumerate(reasons) if reason is None]
        traced = dict(zip(numbers, self._run([_trace(self, number) for number in numbers]), strict=True))
        curves = []
        for number, card in enumerate(self.cards):
            points = traced.get(number)
            curves.append(
                Curve(
                    terms=card.terms,
                    card_from=card.from_,
                    averages=self.averages[number],
                    points=points or (),
                    reason=reasons[number] or ("too_many_lines" if points is None else None),
                    goes_on=bool(_stairs(card.terms)),
                    left_out=tuple(left_out(card)),
                )
            )
        return curves

    def break_even(self, then: int, now: int) -> tuple[Section, ...] | None:
        """Say for which measures curve `then` pays less, as much as or more than `now`; null where that cannot be said.

        Both must count the same in periods of one length. Decided on amounts before they are rounded to money.
        """
        terms = [self.cards[at].terms for at in (then, now)]
        same = all(len({getattr(each.measure, key) for each in terms}) == 1 for key in ("of", "minus", "every"))
        if not same or any(not self.priced[at] or _stairs(self.cards[at].terms) for at in (then, now)):
            return None
        measures = sorted(self.priced[then].keys() | self.priced[now].keys())
        return self._run([_sections(self, then, now, measures)])[0]

    def _run[T](self, tracings: Sequence[Tracing[T]]) -> list[T]:
        """Let tracings go on together, a round at a time, until each has its result."""
        results: dict[int, T] = {}
        open_ones = dict(enumerate(tracings))
        while open_ones:
            wanted: dict[int, set[Decimal]] = {}
            for number, tracing in list(open_ones.items()):
                try:
                    for at, values in next(tracing).items():
                        wanted.setdefault(at, set()).update(values)
                except StopIteration as stop:
                    results[number] = stop.value
                    del open_ones[number]
            self._price(wanted)
        return [results[number] for number in range(len(tracings))]

    def _price(self, wanted: Wanted) -> None:
        """Price the measures that are not priced yet, in one run of the engine."""
        missing = {at: sorted(set(measures) - self.priced[at].keys()) for at, measures in wanted.items()}
        missing = {at: measures for at, measures in missing.items() if measures}
        if not missing:
            return
        rows, programs = [], []
        asked: dict[tuple[str, str], tuple[int, Decimal]] = {}
        for at, measures in missing.items():
            card, averages, name = self.cards[at], self.averages[at], f"curve-{at}"
            payees = {f"{name}-{number}": measure for number, measure in enumerate(measures)}
            rows.append(made_up_rows(card, name, averages, payees, _DAY))
            terms = curve_terms(card, name, averages, list(payees), _DAY)
            programs += [terms, _exact_twin(terms)]
            asked |= {(name, payee): (at, measure) for payee, measure in payees.items()}
        with tempfile.TemporaryDirectory(prefix="headrace-curve-") as scratch:
            tables = tables_of(rows, [self.cards[at] for at in missing], Path(scratch))
            statements = calculate(Request(programs=tuple(programs), tables=tables)).statements.to_pylist()
        found = {(row["program"], row["payee_id"]): row for row in statements}
        for (name, payee), (at, measure) in asked.items():
            row, twin = found[name, payee], found[f"{name}-exact", payee]
            cap = self.cards[at].terms.limits.measure.max
            assert row["measure"] == (measure if cap is None else min(measure, cap)), (row["measure"], measure)
            self.priced[at][measure] = Priced(
                measure=measure,
                earned=row["earned"],
                exact=Decimal(0) if _forfeits(self.cards[at].terms) and not row["earned"] else twin["earned"],
                base=row["base"],
                tier=row["tier"],
                next_from=row["next_from"],
            )


def _exact_twin(terms: Terms) -> Terms:
    """Give the terms that pay the same to six decimals. What falls below a minimum is decided on the rounded amount."""
    return terms.model_copy(
        update={
            "program": f"{terms.program}-exact",
            "rounding": terms.rounding.model_copy(update={"decimals": _EXACT}),
            "limits": terms.limits.model_copy(update={"minimum": None}),
        }
    )


def _forfeits(terms: Terms) -> bool:
    return terms.limits.minimum is not None and terms.limits.minimum.below == "forfeit"


def _reason(card: Card, averages: Averages) -> str | None:
    reason = why_no_curve(card)
    if reason is not None:
        return reason
    if any(word not in averages.values for word in words_needed(card.terms)):
        return "no_history"
    if averages.against is None:
        return "no_baseline" if card.terms.measure.growth else "no_target" if card.terms.measure.target else None
    return None


def step_of(terms: Terms) -> Decimal:
    """Give the smallest step of a measure: a cent, a unit, a line; finer where the tiers' edges are."""
    if terms.measure.of == "count":
        return Decimal(1)
    money = terms.money or (terms.currency if is_money(terms.currency) else None)
    decimals = 0 if terms.measure.of == "quantity" or money is None else minor_unit(money)
    written = [edge for tier in terms.schedule.tiers for edge in (tier.from_, tier.above) if edge is not None]
    if terms.measure.growth is None and terms.measure.target is None:
        decimals = max([decimals, *(-_exponent(edge) for edge in written)])
    return Decimal(1).scaleb(-decimals)


def _exponent(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return min(0, exponent)


def _trace(drawing: Drawing, at: int) -> Tracing[tuple[CurvePoint, ...] | None]:
    """Find the edges, look at both sides of each, and search what bends between them. Nothing where it takes too many lines."""
    card, averages, priced = drawing.cards[at], drawing.averages[at], drawing.priced[at]
    step, stairs, guesses = step_of(card.terms), _stairs(card.terms), _guesses(card.terms)
    smooth = not card.per_line and not stairs
    guessed = _marks(card, guesses, averages)
    if card.terms.measure.of == "count" and max(guessed) > LINES_MAX:
        return None
    # Everything that will be looked at if the edges are where they are guessed: one run instead of four.
    samples = (measure for pair in _stretches(guessed, step) for measure in _between(*pair, step)) if smooth else ()
    yield {at: {*guessed, *(edge + step for edge in guesses), *samples}}
    edges = yield from _edges(drawing, at, step)
    marks = _marks(card, [edge for edge in edges if edge not in stairs], averages)
    yield {at: marks}
    for edge in edges:
        past = edge + step
        if priced[edge].next_from == edge and marks.get(past) is None:  # an edge that is only reached past it
            marks[past] = "after"
    if smooth:
        bends = yield from _bends(drawing, at, marks, step)
        marks = bends | marks
    return _points([priced[measure] for measure in sorted(marks)], marks, step)


def _marks(card: Card, edges: Sequence[Decimal], averages: Averages) -> dict[Decimal, str | None]:
    """List the points of a curve and on which side of an edge each lies: its ends, both sides of every edge and stair.

    The curve ends half as far again as the last edge, or as far as history went; with stairs, past the last one listed.
    """
    step, stairs, first = step_of(card.terms), _stairs(card.terms), _first(card, averages)
    last = max(*edges, card.terms.limits.measure.max or 0, 0, 0)
    reach = max(Decimal(last) * 3 / 2, averages.measure_max, Decimal(1))
    marks: dict[Decimal, str | None] = {first: None}
    if not stairs:
        marks[max(first, rounded(Fraction(reach) / Fraction(step), 0) * step)] = None
    for edge in edges:
        marks |= {edge - step: "before", edge: "at"}
    for edge in stairs:
        marks |= {edge - step: "before", edge: "at", edge + step: "after"}
    return {measure: mark for measure, mark in marks.items() if measure >= first}


def _first(card: Card, averages: Averages) -> Decimal:
    """Give where a curve starts: at nothing, or at one line where the program looks at single lines."""
    if not card.per_line:
        return Decimal(0)
    step = step_of(card.terms)
    line = Fraction(1) if card.terms.measure.of == "count" else averages.line
    return max(step, rounded(line / Fraction(step), 0) * step)


def _edges(drawing: Drawing, at: int, step: Decimal) -> Tracing[list[Decimal]]:
    """Ask the engine for the next tier's edge from the start up, until there is none."""
    priced = drawing.priced[at]
    edges: set[Decimal] = set()
    asked = {_first(drawing.cards[at], drawing.averages[at])}
    while asked:
        yield {at: asked}
        found = {priced[measure].next_from for measure in asked}
        new = {edge for edge in found if edge is not None} - edges
        edges |= new
        asked = {near for edge in new for near in (edge, edge + step)}
    return sorted(edge for edge in edges if edge > 0)


def _guesses(terms: Terms) -> list[Decimal]:
    """List the edges as written, a guess that saves rounds; the engine says where they are."""
    if terms.measure.growth is not None or terms.measure.target is not None:
        return []
    written = (edge for tier in terms.schedule.tiers for edge in (tier.from_, tier.above))
    return sorted({edge for edge in written if edge is not None and edge > 0})


def _stairs(terms: Terms) -> list[Decimal]:
    """List the first steps of a program that pays a piece for every so much."""
    schedule = terms.schedule
    if schedule.package is not None:
        first = 0 if schedule.package.count == "started" else 1  # a started one is due as soon as there is anything
        return [schedule.package.free + schedule.package.of * number for number in range(first, _STAIRS + 1)]
    if schedule.free_goods is not None:
        return [schedule.free_goods.buy * number for number in range(1, _STAIRS + 1)]
    return []


def _bends(
    drawing: Drawing, at: int, marks: Mapping[Decimal, str | None], step: Decimal
) -> Tracing[dict[Decimal, str | None]]:
    """Find where the curve bends or jumps between the points marked."""
    priced, card = drawing.priced[at], drawing.cards[at]
    found: dict[Decimal, str | None] = {}
    stretches = _stretches(marks, step)
    for _ in range(_BENDS_MAX):
        samples = {pair: _between(*pair, step) for pair in stretches}
        yield {at: [measure for row in samples.values() for measure in row]}
        stretches = []
        for low, high in (pair for pair, row in samples.items() if _bent(priced, row, card) is not None):
            before, after = yield from _search(drawing, at, low, high, step)
            found |= {before: "before", after: "at"}
            stretches += _stretches((low, before), step) + _stretches((after, high), step)
        if not stretches:
            break
    return found


def _stretches(measures: Iterable[Decimal], step: Decimal) -> list[tuple[Decimal, Decimal]]:
    """List the stretches between neighbours that have room for a bend."""
    return [(low, high) for low, high in pairwise(sorted(measures)) if high - low > 2 * step]


def _search(drawing: Drawing, at: int, low: Decimal, high: Decimal, step: Decimal) -> Tracing[tuple[Decimal, Decimal]]:
    """Close in on the first bend of a stretch: the last measure before it and the first at it."""
    priced = drawing.priced[at]
    for _ in range(_ROUNDS_MAX):
        row = _between(low, high, step)
        yield {at: row}
        bend = _bent(priced, row, drawing.cards[at])
        if bend is None:
            break
        narrow = row[bend - 1], row[min(bend + 1, len(row) - 1)]
        if row[bend] - row[bend - 1] == step and row[bend + 1] - row[bend] == step:
            return row[bend], row[bend + 1]
        low, high = narrow
    return low, high


def _bent(priced: Mapping[Decimal, Priced], row: Sequence[Decimal], card: Card) -> int | None:
    """Give the first place at which three neighbours are not on a line; nothing where all are."""
    units = max([tier.per_unit or Decimal(0) for tier in card.terms.schedule.tiers], default=Decimal(0))
    tolerance = _TOLERANCE + abs(Fraction(units)) / 10**6
    for place in range(1, len(row) - 1):
        left, here, right = (priced[measure] for measure in row[place - 1 : place + 2])
        width = Fraction(right.measure - left.measure)
        way = Fraction(here.measure - left.measure) / width
        straight = Fraction(left.exact) + Fraction(right.exact - left.exact) * way
        if abs(Fraction(here.exact) - straight) > tolerance:
            return place
    return None


def _between(low: Decimal, high: Decimal, step: Decimal) -> list[Decimal]:
    """Give measures from low to high, both included, on the grid of steps and about evenly spaced."""
    steps = int((high - low) / step)
    count = min(_SAMPLES, steps)
    return [low + step * (steps * number // count) for number in range(count)] + [high]


def _points(found: Sequence[Priced], marks: Mapping[Decimal, str | None], step: Decimal) -> tuple[CurvePoint, ...]:
    slopes = [_slope(left, right, step) for left, right in pairwise(found)]
    points = []
    for number, point in enumerate(found):
        looks = (slopes[number] if number < len(slopes) else None), (slopes[number - 1] if number else None)
        points.append(
            CurvePoint(
                measure=point.measure,
                earned=point.earned,
                base=point.base,
                marginal_rate=next((slope for slope in looks if slope is not None), None),
                tier=point.tier,
                edge=marks.get(point.measure),
            )
        )
    return tuple(points)


def _slope(left: Priced, right: Priced, step: Decimal) -> Decimal | None:
    """Give what a unit of the measure adds between two points; null across one step, which may be a jump."""
    if right.measure - left.measure <= step:
        return None
    return rounded(Fraction(right.exact - left.exact) / Fraction(right.measure - left.measure))


def _sections(drawing: Drawing, then: int, now: int, measures: Sequence[Decimal]) -> Tracing[tuple[Section, ...]]:
    """Find where the sign of (then − now) changes, to the step."""
    step = min(step_of(drawing.cards[at].terms) for at in (then, now))
    yield {then: measures, now: measures}

    def sign(measure: Decimal) -> int:
        difference = drawing.priced[then][measure].exact - drawing.priced[now][measure].exact
        return (difference > 0) - (difference < 0)

    starts = [measures[0]]
    for low, high in pairwise(measures):
        place = low
        while sign(place) != sign(high):
            left, right = place, high
            while right - left > step:
                row = _between(left, right, step)
                yield {then: row, now: row}
                other = next(number for number, measure in enumerate(row) if sign(measure) != sign(place))
                left, right = row[other - 1], row[other]
            place = right
            starts.append(place)
    words = {-1: "less", 0: "equal", 1: "more"}
    return tuple(
        Section(from_=from_, until=until, then_pays=words[sign(from_)])
        for from_, until in pairwise([*starts, measures[-1]])
    )
