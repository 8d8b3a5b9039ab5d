"""Periods, effective dates and days in force (semantics, 2)."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from headrace.engine.terms.model import Measure, Span, Terms

MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}


class Period(NamedTuple):
    """Half-open; null is unbounded."""

    from_: date | None
    until: date | None

    @property
    def last_day(self) -> date | None:
        """The day before `until`."""
        return None if self.until is None else self.until - timedelta(days=1)

    def holds(self, day: date) -> bool:
        """Tell whether a day lies inside."""
        return (self.from_ is None or self.from_ <= day) and (self.until is None or day < self.until)

    def days(self) -> int | None:
        """Count the days, where both ends are known."""
        return None if self.from_ is None or self.until is None else (self.until - self.from_).days


def add_months(day: date, months: int) -> date:
    """Move by months, the day clamped to the month's end."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def period_of(day: date, measure: Measure, span: Period, calendar: Sequence[Mapping[str, object]]) -> Period | None:
    """Find the period that a day lies in; null where a fiscal calendar has none."""
    if measure.every == "program":
        return span if span.holds(day) else None
    if measure.calendar == "fiscal":
        for row in calendar:
            from_, until = row["from"], row["until"]
            assert isinstance(from_, date)
            assert isinstance(until, date)
            if row["kind"] == measure.every and from_ <= day < until:
                return Period(from_, until)
        return None
    if measure.every == "week":
        monday = measure.anchor or date(2001, 1, 1)
        start = day - timedelta(days=(day - monday).days % 7)
        return Period(start, start + timedelta(days=7))
    length = MONTHS[measure.every]
    anchor = measure.anchor or date(2000, 1, 1)
    k = ((day.year - anchor.year) * 12 + day.month - anchor.month) // length + 1
    while add_months(anchor, k * length) > day:
        k -= 1
    return Period(add_months(anchor, k * length), add_months(anchor, (k + 1) * length))


def year_before(day: date) -> date:
    """One year earlier; 29 February becomes the 28th."""
    return add_months(day, -12)


@dataclass(frozen=True)
class Program:
    """All versions of one program."""

    id: str
    versions: tuple[Terms, ...]
    calendar: tuple[Mapping[str, object], ...]

    @property
    def span(self) -> Period:
        """From the earliest `valid.from` to the latest `valid.until`; unbounded where any version is."""
        spans = [version.valid for version in self.versions]
        return Period(earliest(spans), latest(spans))

    def period_of(self, day: date, terms: Terms) -> Period | None:
        """Find the period of a day as one version counts periods."""
        return period_of(day, terms.measure, self.span, self.calendar)

    def effective_on(self, terms: Terms) -> date:
        """Give the day from which a version governs; `date.min` where nothing bounds it."""
        start = terms.valid.from_
        if start is None:
            return date.min
        if terms.applies == "from_date":
            return start
        period = self.period_of(start, terms)
        if terms.applies == "period_start":
            return start if period is None else period.from_ or date.min
        if period is not None and period.from_ == start:
            return start
        return self._next_start(start, terms, period)

    def _next_start(self, start: date, terms: Terms, period: Period | None) -> date:
        """The first period start after a day; a program has one period, so no next one."""
        if terms.measure.every == "program":
            return date.max
        if terms.measure.calendar == "fiscal":
            begins = [row["from"] for row in self.calendar if row["kind"] == terms.measure.every]
            return min((on for on in begins if isinstance(on, date) and on >= start), default=date.max)
        assert period is not None
        assert period.until is not None
        return period.until

    def governing(self, day: date) -> Terms | None:
        """Find the version in force: the latest effective one, then the highest number; its own end still ends it."""
        begun = [version for version in self.versions if self.effective_on(version) <= day]
        if not begun:
            return None
        last = max(begun, key=lambda version: (self.effective_on(version), version.version))
        return None if last.valid.until is not None and day >= last.valid.until else last

    def latest(self, day: date) -> Terms:
        """The version that governs a day, else the last that did before, else the first one."""
        days = sorted({on for version in self.versions if (on := self.effective_on(version)) <= day}, reverse=True)
        governed = (self.governing(on) for on in days)
        return next((terms for terms in governed if terms is not None), self.versions[0])

    def in_force(self) -> Period:
        """From the first effective date to the last `valid.until`."""
        first = min(self.effective_on(version) for version in self.versions)
        return Period(None if first == date.min else first, self.span.until)


def earliest(spans: Sequence[Span]) -> date | None:
    """The first `from`; null where one is unbounded."""
    days = [span.from_ for span in spans]
    return None if None in days else min(day for day in days if day is not None)


def latest(spans: Sequence[Span]) -> date | None:
    """The last `until`; null where one is unbounded."""
    days = [span.until for span in spans]
    return None if None in days else max(day for day in days if day is not None)


def share_in_force(period: Period, *bounds: Period) -> Fraction:
    """Give days in force ÷ days of the period; whole where the period has no ends."""
    days = period.days()
    if days is None or period.from_ is None or period.until is None:
        return Fraction(1)
    start = max([period.from_, *(bound.from_ for bound in bounds if bound.from_ is not None)])
    end = min([period.until, *(bound.until for bound in bounds if bound.until is not None)])
    return Fraction(max(0, (end - start).days), days)


def payable_on(period: Period, wait_days: int, pay_day: int | None) -> date | None:
    """Give the day of payment: the period's end, the waiting days, then the next pay day (clamped to the month)."""
    if period.until is None:
        return None
    due = period.until + timedelta(days=wait_days)
    if pay_day is None:
        return due
    this = due.replace(day=min(pay_day, monthrange(due.year, due.month)[1]))
    if this >= due:
        return this
    following = add_months(due.replace(day=1), 1)
    return following.replace(day=min(pay_day, monthrange(following.year, following.month)[1]))
