"""Baselines and targets: what the edges of growth and target programs are read against (semantics, 5)."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from headrace.engine.terms.model import Growth, Input, Terms
from tests.reference.facts import Row, World, day, occurred
from tests.reference.judge import Judged, Scope, judge
from tests.reference.measure import Entry, add_distinct, entry_of
from tests.reference.numbers import number, total
from tests.reference.periods import Period, Program, year_before


class Against:
    """Finds the baseline or target of a scope, earner and period; remembers the baselines' scopes."""

    def __init__(self, world: World, program: Program) -> None:
        self.world = world
        self.program = program
        self._sums: dict[tuple[int, Period], dict[Scope, Fraction]] = {}

    def find(self, judged: Judged) -> tuple[Fraction | None, str | None]:
        """Give what a line's edges are read against, and the reason where it is missing."""
        terms = judged.terms
        if terms is None or judged.period is None:
            return None, None
        if terms.measure.growth is not None:
            found = self._baseline(terms, terms.measure.growth, judged, judged.period)
            if found is not None and found > 0:
                return found, None
            return Fraction(0), None if terms.measure.growth.no_baseline == "zero" else "no_baseline"
        if terms.measure.target is not None:
            value = entered(self.world, terms, judged, "target")
            if value is None:
                value = terms.measure.target.value
            return (Fraction(0), "no_target") if value is None else (number(value), None)
        return None, None

    def _baseline(self, terms: Terms, growth: Growth, judged: Judged, period: Period) -> Fraction | None:
        if growth.baseline == "entered":
            value = entered(self.world, terms, judged, "baseline")
            return None if value is None else number(value)
        window = self._window(terms, growth, period)
        if window is None:
            return None
        key = (terms.version, window)
        if key not in self._sums:
            self._sums[key] = self._measured(terms, window, growth.frozen_on)
        return self._sums[key].get(judged.scope)

    def _window(self, terms: Terms, growth: Growth, period: Period) -> Period | None:
        if period.from_ is None or period.until is None:
            return None
        if growth.baseline == "previous_year":
            return Period(year_before(period.from_), year_before(period.until))
        return self.program.period_of(period.from_.fromordinal(period.from_.toordinal() - 1), terms)

    def _measured(self, terms: Terms, window: Period, frozen_on: date | None) -> dict[Scope, Fraction]:
        """Measure every scope in a window of days under one version's rules, whatever its validity."""
        scopes: dict[Scope, list[Entry]] = {}
        for line in self.world.lines.values():
            if frozen_on is not None and (day(line, "received_on") or occurred(line)) > frozen_on:
                continue
            judged = judge(self.world, self.program, line, set(), under=terms, window=window)
            if window.holds(judged.placed_on) and judged.measures:
                scopes.setdefault(judged.scope, []).append(entry_of(self.world, judged))
        sums = {}
        for scope, entries in scopes.items():
            entries.sort(key=lambda entry: entry.judged.place)
            add_distinct(entries)
            sums[scope] = total(entry.m for entry in entries)
        return sums


def inputs_of(terms: Terms, judged: Judged) -> Iterator[Input]:
    """Give the governed inputs that fit a line's earner, scope and period (equal bounds, or null)."""
    scope, period = dict(judged.scope), judged.period
    for row in terms.inputs:
        fits = row.earner == judged.earner and all(scope.get(word) == value for word, value in row.scope.items())
        if fits and period is not None:
            fits = row.from_ in {None, period.from_} and row.until in {None, period.until}
        if fits:
            yield row


def input_value(terms: Terms, judged: Judged, key: str) -> Fraction | None:
    """Give the first governed input of that key."""
    for row in inputs_of(terms, judged):
        value = getattr(row, key)
        if value is not None:
            return number(value)
    return None


def entered(world: World, terms: Terms, judged: Judged, key: str) -> Decimal | Fraction | None:
    """Give an entered baseline or target: governed inputs first, then the targets file."""
    value = input_value(terms, judged, key)
    if value is not None:
        return value
    for row in world.rows("targets"):
        if row_fits(row, terms, judged.scope, judged.period):
            return number(row["value"])
    return None


SCOPE_WORDS = frozenset(
    ["earner", "group", "product", "family", "customer", "buyer", "rep", "deal", "authorization", "line"]
)


def row_fits(row: Row, terms: Terms, scope: Scope, period: Period | None) -> bool:
    """Tell whether a row of targets, forecasts or posted is of this program, period and scope; null fits every one."""
    if row["program"] != terms.program or period is None:
        return False
    if row["from"] not in {None, period.from_} or row["until"] not in {None, period.until}:
        return False
    words = dict(scope)
    named = {
        name: value for name, value in row.items() if name in SCOPE_WORDS or name.startswith(("line.", "product."))
    }
    return all(value is None or words.get(name) == value for name, value in named.items())
