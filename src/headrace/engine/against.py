"""What the edges and rates of a scope are read against: baselines, targets, governed inputs, days in force.

Small and local: works on the scopes that were found, not on lines. For every scope, edition and earner that needs it, gives the
baseline or target T, the reason where there is none, and a ladder of its own with edges in measure terms.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa

from headrace.engine.book import Book, Card, Edition
from headrace.engine.ladders import ladder_rows, price_fall, rung_rows, written_edges
from headrace.engine.period import Period, Version, days_in_force, effective_on, program_span
from headrace.engine.qualify import CODE
from headrace.engine.schema import RATE, SUM
from headrace.engine.session import Session
from headrace.engine.terms.model import Input, Terms, Tier
from headrace.engine.values import is_against
from headrace.engine.words import is_word

PAYEE = ("payee_kind", "payee_id")
AGAINST = [
    ("s", pa.string()), ("edition", pa.int32()), ("earner_no", pa.int32()), ("value", SUM), ("reason", pa.int32()),
    ("own_rate", RATE),
]  # fmt: skip
OWN_LADDERS = [("s", pa.string()), ("card", pa.int32()), ("earner_no", pa.int32()), ("ladder", pa.int64())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One scope as one edition and earner see it. words: of the scope, as text."""

    s: int
    edition: Edition
    earner_no: int
    earner: str
    words: Mapping[str, str]
    period: Period


def places(session: Session, book: Book, rows: str, periods: Sequence[Period], editions: set[int]) -> list[Place]:
    """List the distinct scopes, editions and earners of a relation (s, edition, earner_no) among these editions.

    `scope_names` (s, scope, period) must name every scope of the relation.
    """
    if not editions:
        return []
    chosen = ", ".join(str(number) for number in sorted(editions))
    found = session.rows(
        f"SELECT DISTINCT r.s, r.edition, r.earner_no, i.id, w.scope, w.period FROM {rows} r JOIN ids i ON i.no = r.earner_no "
        f"JOIN scope_names w ON w.s = r.s WHERE r.edition IN ({chosen}) ORDER BY ALL"
    )
    return [
        Place(
            s=int(str(s)), edition=book.editions[int(str(edition))], earner_no=int(str(number)), earner=str(earner),
            words=json.loads(str(scope)), period=periods[int(str(period))],
        )
        for s, edition, number, earner, scope, period in found
    ]  # fmt: skip


def inputs_of(place: Place) -> Iterator[Input]:
    """Give the governed inputs that fit an earner, scope and period; bounds that are given must equal the period's."""
    for entry in place.edition.terms.inputs:
        fits = entry.earner == place.earner and all(
            place.words.get(word) == value for word, value in entry.scope.items()
        )
        if fits and entry.from_ in {None, place.period.from_} and entry.until in {None, place.period.until}:
            yield entry


def input_value(place: Place, key: str) -> Decimal | None:
    """Give the first governed input of that key."""
    return next((value for entry in inputs_of(place) if (value := getattr(entry, key)) is not None), None)


class Rows:
    """A table of program, scope columns, from, until and a value: targets, forecasts, posted.

    Columns that words of scopes name (and payee_kind and payee_id) belong to the scope, whatever the programs of the run use.
    """

    def __init__(self, table: pa.Table | None, value: str) -> None:
        self._by_program: dict[str, list[tuple[Mapping[str, str], date | None, date | None, Decimal]]] = {}
        if table is None:
            return
        words = [each for each in table.column_names if is_word(each) or each in PAYEE]
        for row in table.to_pylist():
            scope = {word: str(row[word]) for word in words if row.get(word) is not None}
            entry = (scope, row.get("from"), row.get("until"), Decimal(row[value]))
            self._by_program.setdefault(row["program"], []).append(entry)

    def matching(self, program: str, words: Mapping[str, str], period: Period) -> Iterator[Decimal]:
        """Give the values whose scope columns, where given, and bounds equal."""
        for scope, start, end, value in self._by_program.get(program, ()):
            bounds = start in {None, period.from_} and end in {None, period.until}
            if bounds and all(words.get(word) == text for word, text in scope.items()):
                yield value


def force_share(book: Book, place_edition: Edition, earner: str, period: Period) -> Fraction:
    """Give days in force ÷ days of the period: of the program's life and of the earner's enrolment; 1 where unbounded."""
    days = period.days
    if not days:
        return Fraction(1)
    spans = [program_life(book, place_edition)]
    entry = next((each for each in place_edition.terms.inputs if each.earner == earner and each.enrolled_from), None)
    if entry is not None:
        spans.append(Period(entry.enrolled_from, entry.enrolled_until))
    return Fraction(days_in_force(period, spans) or 0, days)


def program_life(book: Book, edition: Edition) -> Period:
    """Give the days from the first effective date of a program to its last end."""
    editions = [book.editions[number] for number in book.programs[edition.program].editions]
    starts = [
        effective_on(
            Version(
                number=each.terms.version,
                valid=Period(each.terms.valid.from_, each.terms.valid.until),
                applies=each.terms.applies,
            ),
            each.periods,
        )
        for each in editions
    ]
    known = [start for start in starts if start is not None]
    span = program_span(Period(each.terms.valid.from_, each.terms.valid.until) for each in editions)
    first = min(known, default=None)
    return Period(None if first in {None, date.min} else first, span.until)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found: rows of AGAINST, of OWN_LADDERS, and the steps and rungs of those ladders."""

    against: list[dict[str, object]]
    ladders: list[dict[str, object]]
    steps: list[dict[str, object]]
    rungs: list[dict[str, object]]


def measure_against(
    book: Book, found: Sequence[Place], targets: Rows, baselines: Mapping[tuple[int, int], Decimal]
) -> Measured:
    """Give T of each scope, or why there is none, and the scope's own ladders. baselines: measured ones, by edition and scope."""
    made = Measured([], [], [], [])
    cards: dict[int, list[Card]] = {}
    for card in book.cards:
        cards.setdefault(card.version, []).append(card)
    for place in found:
        value, reason = _against(place, targets, baselines)
        key = {"s": place.s, "earner_no": place.earner_no}
        rate = input_value(place, "rate")
        made.against.append(
            {**key, "edition": place.edition.number, "value": value, "reason": reason, "own_rate": rate}
        )
        if reason is not None:
            continue
        for card in cards[place.edition.number]:
            ladder = len(book.cards) + len(made.ladders)
            made.ladders.append({**key, "card": card.number, "ladder": ladder})
            tiers = _own_tiers(card, rate)
            edges = [_edge(book, place, edge, value) for edge in written_edges(tiers)]
            terms = place.edition.terms
            made.rungs.extend(rung_rows(ladder, tiers, edges))
            made.steps.extend(ladder_rows(ladder, tiers, edges, terms.limits.negative, price_fall(terms)))
    return made


def _against(
    place: Place, targets: Rows, baselines: Mapping[tuple[int, int], Decimal]
) -> tuple[Decimal | None, int | None]:
    """Give the baseline or target of a scope, and the reason where it is missing."""
    terms = place.edition.terms
    growth = terms.measure.growth
    if growth is not None:
        if growth.baseline == "entered":
            found = _entered(place, targets, "baseline")
        else:
            found = baselines.get((place.edition.number, place.s))
        if found is not None and found > 0:
            return found, None
        return Decimal(0), None if growth.no_baseline == "zero" else CODE["no_baseline"]
    if terms.measure.target is not None:
        found = _entered(place, targets, "target")
        if found is None:
            found = terms.measure.target.value
        return (None, CODE["no_target"]) if found is None else (found, None)
    return None, None


def _entered(place: Place, targets: Rows, key: str) -> Decimal | None:
    value = input_value(place, key)
    if value is not None:
        return value
    return next(targets.matching(place.edition.terms.program, place.words, place.period), None)


def _own_tiers(card: Card, rate: Decimal | None) -> tuple[Tier, ...]:
    """Give the tiers with a governed rate in the place of each rate that is not 0."""
    if rate is None:
        return card.tiers
    return tuple(tier.model_copy(update={"rate": rate}) if tier.rate else tier for tier in card.tiers)


def _edge(book: Book, place: Place, edge: Decimal, value: Decimal | None) -> Decimal:
    """Put a written edge into measure terms."""
    terms = place.edition.terms
    if value is not None:
        edge = rounded_fraction(_meant(terms, Fraction(edge), Fraction(value)), 6)
    if terms.limits.prorate in {"edges", "both"}:
        share = force_share(book, place.edition, place.earner, place.period)
        edge = rounded_fraction(Fraction(edge) * share, 6)
    return edge


def _meant(terms: Terms, edge: Fraction, value: Fraction) -> Fraction:
    growth, target = terms.measure.growth, terms.measure.target
    way = growth.as_ if growth is not None else target.as_ if target is not None else "multiple"
    if way == "multiple":
        return edge * value
    if way == "amount":
        return value + edge
    part = value * edge / 100
    return value + part if growth is not None else part


def rounded_fraction(value: Fraction, decimals: int) -> Decimal:
    """Round a fraction half away from zero."""
    scaled = value * 10**decimals
    doubled = abs(scaled) * 2
    whole = (doubled.numerator // doubled.denominator + 1) // 2
    return Decimal(whole if scaled >= 0 else -whole).scaleb(-decimals)


def editions_against(book: Book) -> set[int]:
    """Give the editions whose edges or rates depend on the scope or the earner."""
    return {edition.number for edition in book.editions if is_against(edition.terms)}
