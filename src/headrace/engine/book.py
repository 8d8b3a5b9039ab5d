"""The programs of one run, numbered: versions, rate cards, periods and the shape of every scope.

Pure Python over the documents, before any line is read. Days are integers (days since 1970-01-01); half-open intervals of
days use DAY_MIN and DAY_MAX for unbounded ends, so that comparing never meets a null.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

import pyarrow as pa

from headrace.engine.findings import Finding, Refusal
from headrace.engine.numeric import is_money, minor_unit
from headrace.engine.period import (
    Period,
    Periods,
    Version,
    effective_on,
    fiscal_periods,
    periods_between,
    program_span,
)
from headrace.engine.terms.model import TableRow, Terms, Tier

DAY_MIN = -800_000
DAY_MAX = 3_000_000
_EPOCH = date(1970, 1, 1).toordinal()


def day_number(day: date) -> int:
    """Give the days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def day_of(number: int) -> date | None:
    """Give the date back; null for an unbounded end."""
    return None if number in (DAY_MIN, DAY_MAX) else date.fromordinal(number + _EPOCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One rate card: what prices the lines of one version from `since` until before `until`."""

    number: int
    version: int
    since: int
    until: int
    tiers: tuple[Tier, ...]
    table: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One version of a program in the book. `since`, `until`: the days that it governs; empty where it never does."""

    number: int
    program: int
    terms: Terms
    periods: Periods
    effective: date | None
    since: int
    until: int
    shape: int

    @property
    def label(self) -> str:
        """Name it in a message."""
        return f"{self.terms.program} version {self.terms.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """All editions of one program id."""

    number: int
    id: str
    editions: tuple[int, ...]
    span: Period


@dataclass(frozen=True, slots=True)
class Shape:
    """What a scope of a program is made of; statements of one program may have several shapes, one per list of words."""

    number: int
    program: int
    per: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Book:
    """Everything that was numbered. Lists are indexed by number."""

    programs: tuple[Program, ...]
    editions: tuple[Edition, ...]
    cards: tuple[Card, ...]
    shapes: tuple[Shape, ...]
    findings: tuple[Finding, ...] = field(default=())

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every word that some scope uses."""
        return tuple(sorted({word for shape in self.shapes for word in shape.per}))

    def in_force(self, program: Program, day: date) -> Edition:
        """Give the version that governs a day, else the last that did before, else the first one."""
        editions = [self.editions[number] for number in program.editions]
        begun = [each for each in editions if each.since < each.until and each.since <= day_number(day)]
        return max(begun, key=lambda each: each.since, default=editions[0])

    def decimals(self, edition: int) -> int:
        """Give how many decimals the amounts of a version's statements keep."""
        terms = self.editions[edition].terms
        if terms.rounding.decimals is not None:
            return terms.rounding.decimals
        return minor_unit(terms.currency)


def make_book(programs: Sequence[Terms], calendar: pa.Table | None) -> Book:
    """Number the documents.

    Raises Refusal `duplicate_version` where two documents are the same version of one program, `mixed_program` where versions of
    one program do not agree on the currency, or count in different units of payee.
    """
    by_id: dict[str, list[Terms]] = {}
    for terms in programs:
        by_id.setdefault(terms.program, []).append(terms)
    findings: dict[Finding, None] = {}
    books: list[Program] = []
    editions: list[Edition] = []
    cards: list[Card] = []
    shapes: list[Shape] = []
    for program_id in sorted(by_id):
        versions = sorted(by_id[program_id], key=lambda terms: terms.version)
        _check_versions(versions)
        number = len(books)
        span = program_span(Period(terms.valid.from_, terms.valid.until) for terms in versions)
        first = len(editions)
        governed = _governed(versions, span, calendar, findings)
        for terms, (periods, effective, since, until) in zip(versions, governed, strict=True):
            per = terms.measure.per
            shape = next((each for each in shapes if each.program == number and each.per == per), None)
            if shape is None:
                shape = Shape(len(shapes), number, per)
                shapes.append(shape)
            edition = Edition(
                number=len(editions), program=number, terms=terms, periods=periods, effective=effective,
                since=since, until=until, shape=shape.number,
            )  # fmt: skip
            editions.append(edition)
            cards.extend(cards_of(edition, len(cards)))
        books.append(Program(number=number, id=program_id, editions=tuple(range(first, len(editions))), span=span))
    return Book(
        programs=tuple(books), editions=tuple(editions), cards=tuple(cards), shapes=tuple(shapes), findings=tuple(findings)
    )  # fmt: skip


def _check_versions(versions: Sequence[Terms]) -> None:
    program = versions[0].program
    numbers = [terms.version for terms in versions]
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        message = f"Version {twice} of {program} is given twice; give each version once, under a number of its own."
        raise Refusal("duplicate_version", message)
    for key in ("currency", "earner", "paid_to"):
        values = {getattr(terms, key) for terms in versions}
        if len(values) > 1:
            listed = ", ".join(sorted(values))
            message = (
                f"The versions of {program} say different things for {key} ({listed}); a new {key} is a new program."
            )
            raise Refusal("mixed_program", message)
    for terms in versions:
        if terms.money is None and not is_money(terms.currency) and terms.currency is None:
            raise AssertionError


def _governed(
    versions: Sequence[Terms], span: Period, calendar: pa.Table | None, findings: dict[Finding, None]
) -> list[tuple[Periods, date | None, int, int]]:
    """Give each version's periods, effective date and the days that it governs."""
    prepared: list[tuple[Periods, date | None]] = []
    for terms in versions:
        fiscal = None
        if terms.measure.calendar == "fiscal" and terms.measure.every != "program":
            fiscal, faults = fiscal_periods(calendar, terms.measure.every)
            findings.update(dict.fromkeys(faults))
        periods = Periods(every=terms.measure.every, anchor=terms.measure.anchor, fiscal=fiscal, span=span)
        valid = Period(terms.valid.from_, terms.valid.until)
        effective = effective_on(Version(number=terms.version, valid=valid, applies=terms.applies), periods)
        prepared.append((periods, effective))
    order = sorted(
        (index for index, (_, on) in enumerate(prepared) if on is not None),
        key=lambda index: (prepared[index][1], versions[index].version),
    )
    spans = dict.fromkeys(range(len(versions)), (0, 0))
    for place, index in enumerate(order):
        on = prepared[index][1]
        assert on is not None
        since = DAY_MIN if on == date.min else day_number(on)
        until = _end(versions[index].valid.until)
        if place + 1 < len(order):
            following = prepared[order[place + 1]][1]
            assert following is not None
            until = min(until, DAY_MIN if following == date.min else day_number(following))
        spans[index] = (since, max(since, until))
    return [(periods, effective, *spans[index]) for index, (periods, effective) in enumerate(prepared)]


def _end(until: date | None) -> int:
    return DAY_MAX if until is None else day_number(until)


def cards_of(edition: Edition, first: int) -> list[Card]:
    """Cut the days of an edition at its rate changes; the cards are numbered from `first`."""
    schedule = edition.terms.schedule
    changes = sorted(schedule.changes, key=lambda change: change.on)
    starts = [DAY_MIN, *(day_number(change.on) for change in changes)]
    ends = [*starts[1:], DAY_MAX]
    priced = [(schedule.tiers, schedule.table), *((change.tiers, change.table) for change in changes)]
    return [
        Card(
            number=first + index, version=edition.number, since=max(start, edition.since), until=min(end, edition.until),
            tiers=tiers, table=table,
        )
        for index, (start, end, (tiers, table)) in enumerate(zip(starts, ends, priced, strict=True))
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calendar:
    """The periods that the lines' days fall into, numbered in order of time, and the day table of every way to run periods."""

    definitions: Mapping[Periods, int]
    periods: tuple[Period, ...]
    days: pa.Table

    def of(self, definition: Periods) -> list[Period]:
        """Give the periods of one way to run them that hold some day."""
        wanted = self.definitions[definition]
        rows = zip(self.days.column("definition").to_pylist(), self.days.column("period").to_pylist(), strict=True)
        return [self.periods[number] for number in sorted({number for each, number in rows if each == wanted})]

    def number_of(self, period: Period) -> int | None:
        """Give the number of a period, if it is one of them."""
        return next((index for index, each in enumerate(self.periods) if each == period), None)


DAYS = pa.schema([("definition", pa.int32()), ("day", pa.int32()), ("period", pa.int32())])
PERIOD_DAYS = pa.schema([("period", pa.int32()), ("since", pa.int32()), ("until", pa.int32())])


def make_calendar(definitions: Iterable[Periods], first_day: date, last_day: date) -> Calendar:
    """Number the periods that hold the days from first to last, and list every such day."""
    numbered: dict[Periods, int] = {}
    spans: list[tuple[int, Period]] = []
    for definition in definitions:
        if definition not in numbered:
            numbered[definition] = len(numbered)
            spans.extend((numbered[definition], each) for each in periods_between(definition, first_day, last_day))
    ordered = sorted({period for _, period in spans}, key=lambda each: (each.from_ or date.min, each.until or date.max))
    number = {period: index for index, period in enumerate(ordered)}
    first, last = day_number(first_day), day_number(last_day)
    columns: tuple[list[int], list[int], list[int]] = ([], [], [])
    for definition_number, period in spans:
        start = first if period.from_ is None else max(first, day_number(period.from_))
        end = last + 1 if period.until is None else min(last + 1, day_number(period.until))
        columns[0].extend([definition_number] * (end - start))
        columns[1].extend(range(start, end))
        columns[2].extend([number[period]] * (end - start))
    return Calendar(numbered, tuple(ordered), pa.table(list(columns), schema=DAYS))


def total(values: Iterable[Decimal]) -> Decimal:
    """Add decimals; zero where there are none."""
    return sum(values, Decimal(0))
