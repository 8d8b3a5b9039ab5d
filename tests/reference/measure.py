"""The running measure of a scope, its cap, and the tiers' edges in measure terms (semantics, 4 and 5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from headrace.engine.terms.model import Terms, Tier
from tests.reference.facts import World
from tests.reference.fifo import costs_of
from tests.reference.judge import Judged
from tests.reference.needs import Card, base_word, card_of, rate_for, value_of
from tests.reference.numbers import ZERO, number, round6


class Band(NamedTuple):
    """One tier with its edge in measure terms; position counts from 1 as written."""

    tier: Tier
    edge: Fraction
    above: bool
    position: int

    def reached(self, measure: Fraction) -> bool:
        """`from` is reached at its edge, `above` only past it."""
        return measure > self.edge if self.above else measure >= self.edge


@dataclass
class Entry:
    """One line that measures or earns in a scope, with everything that is worked out for it."""

    judged: Judged
    terms: Terms
    card: Card
    m: Fraction = ZERO
    base: Fraction = ZERO
    units: Fraction = ZERO
    cost: Fraction = ZERO
    amount: Fraction = ZERO
    quantity: Fraction = ZERO
    before: Fraction = ZERO  # the running measure before and after the line
    after: Fraction = ZERO
    against: Fraction = ZERO  # the baseline or target that edges are read against
    bands: tuple[Band, ...] = ()
    wholly_free: bool = False
    own: Fraction = ZERO  # coefficients and fixed, after line limits
    shared: Fraction = ZERO  # parts of shared amounts
    rate: Fraction | None = None
    award: Fraction = ZERO
    lost_to: str | None = None

    @property
    def earns(self) -> bool:
        """Whether the line qualifies."""
        return self.judged.earns

    @property
    def line_id(self) -> str:
        """The identity of the line."""
        return str(self.judged.line["line_id"])

    def band_at(self, measure: Fraction) -> Band | None:
        """The highest tier reached at a measure, by this line's rate card."""
        reached = [band for band in self.bands if band.reached(measure)]
        return reached[-1] if reached else None


def entry_of(world: World, judged: Judged) -> Entry:
    """Value one line: measure, base and units, and what special prices need. Distinct values come later."""
    terms = judged.terms
    assert terms is not None
    entry = Entry(judged, terms, card_of(terms.schedule, judged.placed_on))
    rate = rate_for(world, terms, judged.line, judged.placed_on, judged.period)
    plain = _plain_value(judged, rate)
    of, base = terms.measure.of, base_word(terms)
    value = plain(of) - sum((plain(word) for word in terms.measure.minus), ZERO)
    if judged.measures:
        entry.m = value
    if judged.earns:
        entry.base = value if base is None else plain(base)
        entry.units = number(judged.line["quantity"])
        if "count" in {of, terms.pays_on}:
            entry.units = plain("count")
        entry.quantity = number(judged.line["quantity"])
        _special_price_values(world, entry, plain)
    return entry


def _plain_value(judged: Judged, rate: Fraction | None) -> Callable[[str], Fraction]:
    def plain(word: str) -> Fraction:
        if word.startswith("distinct "):
            return ZERO
        return value_of(word, judged.records, Fraction(1) if rate is None else rate)

    return plain


def _special_price_values(world: World, entry: Entry, plain: Callable[[str], Fraction]) -> None:
    tiers = entry.card.tiers
    if any(tier.margin_to is not None for tier in tiers):
        entry.amount = plain("amount")
    basis = entry.terms.schedule.cost_basis
    if any(tier.margin_to is not None or tier.down_to is not None for tier in tiers):
        cost = costs_of(world).of(entry.terms, entry.judged.line).value if basis == "fifo" else plain(basis)
        assert cost is not None
        entry.cost = cost


def add_distinct(entries: Sequence[Entry]) -> None:
    """Add distinct counts, in order of place: to the measure over lines that measure, to the base over those that earn."""
    measured: dict[tuple[str, object], Fraction] = {}
    earned: dict[tuple[str, object], Fraction] = {}
    for entry in entries:
        measure = entry.terms.measure
        base = base_word(entry.terms)
        signs = [(measure.of, 1), *((word, -1) for word in measure.minus)]
        for word, sign in signs:
            if word.startswith("distinct ") and entry.judged.measures:
                entry.m += sign * _change(measured, word, entry)
        for word in dict.fromkeys((base or measure.of, measure.of)):
            if word.startswith("distinct ") and entry.earns:
                change = _change(earned, word, entry)
                entry.units = change
                if word == (base or measure.of):
                    entry.base += change


def _change(running: dict[tuple[str, object], Fraction], word: str, entry: Entry) -> Fraction:
    """The change that a line makes to the number of values whose running quantity is above zero."""
    record, column = word.removeprefix("distinct ").split(".")
    value = entry.judged.records[record].get(column)
    if value is None:
        return ZERO
    line = entry.judged.line
    old = running.get((word, value), ZERO)
    new = old + (Fraction(1) if line["kind"] in {"training", "referral"} else number(line["quantity"]))
    running[word, value] = new
    return Fraction((new > 0) - (old > 0))


def cap_part(amount: Fraction, m: Fraction, counted: Fraction, reached: bool) -> Fraction:
    """Give the share of an amount that counts where only `counted` of its measure m does."""
    if m == 0:
        return ZERO if reached else amount
    return amount if counted == m else round6(amount * counted / m)


def run_measure(entries: Sequence[Entry], cap: Callable[[Entry], Fraction | None]) -> None:
    """Run the measure through the lines in order, and cut measure, base and units at the cap."""
    plain = capped = ZERO
    for entry in entries:
        plain += entry.m
        most = cap(entry)
        new = plain if most is None else min(plain, most)
        counted = new - capped
        for name in ("base", "units", "cost", "amount", "quantity"):
            value = cap_part(getattr(entry, name), entry.m, counted, most is not None and plain >= most)
            setattr(entry, name, value)
        entry.before, entry.after, entry.m = capped, new, counted
        capped = new


def bands_of(entry: Entry, against: Fraction | None, in_force: Fraction) -> tuple[Band, ...]:
    """Put the edges of a line's rate card into measure terms."""
    bands = []
    for position, tier in enumerate(entry.card.tiers, start=1):
        written = tier.above if tier.from_ is None else tier.from_
        edge = number(written) if written is not None else ZERO
        if against is not None:
            edge = round6(_edge_against(entry.terms, edge, against))
        if entry.terms.limits.prorate in {"edges", "both"}:
            edge = round6(edge * in_force)
        bands.append(Band(tier, edge, tier.from_ is None and tier.above is not None, position))
    return tuple(bands)


def _edge_against(terms: Terms, edge: Fraction, against: Fraction) -> Fraction:
    measure = terms.measure
    growth = measure.growth
    way = growth.as_ if growth is not None else measure.target.as_ if measure.target is not None else "multiple"
    if way == "multiple":
        return edge * against
    if way == "amount":
        return against + edge
    return against * edge / 100 + (against if growth is not None else ZERO)
