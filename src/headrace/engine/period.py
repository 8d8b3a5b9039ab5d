"""Periods, and which version of a program holds when. All spans are half-open dates; null is unbounded.

Gregorian periods follow from the calendar or from an anchor day; fiscal ones are rows of a calendar table; `program` is the whole
life of the program. A bound that would fall outside the years 1 to 9999 is null. Nothing here reads a clock.
"""

from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import pyarrow as pa

from headrace.engine.findings import Finding

type Every = Literal["week", "month", "quarter", "half", "year", "program"]
type Applies = Literal["from_date", "period_start", "next_period"]

_MONTHS: Mapping[Every, int] = {"month": 1, "quarter": 3, "half": 6, "year": 12}
_EPOCH = date(1, 1, 1)  # a Monday, and the first day of every kind of calendar period

# One row per day that lies in a period.
DAY_PERIODS = pa.schema(
    [
        pa.field("day", pa.date32(), nullable=False),
        pa.field("from", pa.date32()),
        pa.field("until", pa.date32()),
    ]
)


@dataclass(frozen=True, slots=True)
class Period:
    """Half-open dates; null is unbounded."""

    from_: date | None = None
    until: date | None = None

    def __contains__(self, day: date) -> bool:
        return (self.from_ is None or self.from_ <= day) and (self.until is None or day < self.until)

    @property
    def days(self) -> int | None:
        """How many days; null where unbounded."""
        return None if self.from_ is None or self.until is None else (self.until - self.from_).days

    def overlap(self, other: "Period") -> "Period | None":
        """Give the days that are in both, or nothing."""
        starts = [day for day in (self.from_, other.from_) if day is not None]
        ends = [day for day in (self.until, other.until) if day is not None]
        both = Period(max(starts, default=None), min(ends, default=None))
        empty = both.from_ is not None and both.until is not None and both.from_ >= both.until
        return None if empty else both


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """How a program's periods run.

    anchor: the first day of one period; the others follow from it. fiscal: the rows of the calendar table of this kind, sorted,
    or null for Gregorian periods. span: the program's life, which is the only period of `every: program`.
    """

    every: Every
    anchor: date | None = None
    fiscal: tuple[Period, ...] | None = None
    span: Period = Period()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What of a version decides when it holds."""

    number: int
    valid: Period = Period()
    applies: Applies = "from_date"


def program_span(valid: Iterable[Period]) -> Period:
    """Give the life of a program: from the earliest start to the latest end of its versions.

    >>> program_span([Period(date(2025, 1, 1), date(2026, 1, 1)), Period(date(2025, 7, 1), None)])
    Period(from_=datetime.date(2025, 1, 1), until=None)
    """
    spans = list(valid)
    starts = [span.from_ for span in spans if span.from_ is not None]
    ends = [span.until for span in spans if span.until is not None]
    return Period(
        min(starts) if spans and len(starts) == len(spans) else None,
        max(ends) if spans and len(ends) == len(spans) else None,
    )


def fiscal_periods(calendar: pa.Table | None, every: Every) -> tuple[tuple[Period, ...], tuple[Finding, ...]]:
    """Give the fiscal periods of this kind, sorted. calendar: one row per fiscal period, schema.CALENDAR.

    A row that does not end after it starts (`calendar_row_empty`) or overlaps an earlier one (`calendar_overlap`) is left out and
    reported. Gaps are allowed: a day in one has no period.
    """
    if calendar is None:
        return (), ()
    columns = (calendar.column(name).to_pylist() for name in ("kind", "from", "until"))
    rows = [
        (start, end, row)
        for row, (kind, start, end) in enumerate(zip(*columns, strict=True), start=2)
        if kind == every and start is not None and end is not None
    ]
    kept: list[Period] = []
    findings: list[Finding] = []
    for start, end, row in sorted(rows):
        if end <= start:
            message = (
                f"The fiscal {every} from {start} until {end} holds no day; write the day after its last as `until`."
            )
            findings.append(Finding(code="calendar_row_empty", message=message, row=row, column="until"))
        elif kept and kept[-1].until is not None and start < kept[-1].until:
            message = (
                f"The fiscal {every} from {start} starts before the one from {kept[-1].from_} ends ({kept[-1].until})."
            )
            findings.append(Finding(code="calendar_overlap", message=message, row=row, column="from"))
        else:
            kept.append(Period(start, end))
    return tuple(kept), tuple(findings)


def period_of(periods: Periods, day: date) -> Period | None:
    """Give the period that holds the day; nothing outside the fiscal calendar or the program's life.

    >>> period_of(Periods(every="month", anchor=date(2026, 1, 31)), date(2026, 2, 28))
    Period(from_=datetime.date(2026, 2, 28), until=datetime.date(2026, 3, 31))
    """
    if periods.every == "program":
        return periods.span if day in periods.span else None
    if periods.fiscal is not None:
        return next((period for period in periods.fiscal if day in period), None)
    anchor = periods.anchor or _EPOCH
    if periods.every == "week":
        week = (day - anchor).days // 7
        return Period(_plus_days(anchor, 7 * week), _plus_days(anchor, 7 * week + 7))
    step = _MONTHS[periods.every]
    index = ((day.year - anchor.year) * 12 + day.month - anchor.month) // step
    # The month alone may place a day before the anchor's day of the month one period too late.
    start = _plus_months(anchor, index * step)
    if start is not None and start > day:
        index -= 1
        start = _plus_months(anchor, index * step)
    return Period(start, _plus_months(anchor, (index + 1) * step))


def periods_between(periods: Periods, first_day: date, last_day: date) -> tuple[Period, ...]:
    """Give every period that holds a day from `first_day` to `last_day`, both included, in order."""
    return tuple(_walk(periods, first_day, last_day))


def day_periods(periods: Periods, first_day: date, last_day: date) -> pa.Table:
    """Give the period of each day from `first_day` to `last_day`, both included: DAY_PERIODS; a day without one has no row."""
    days: list[date] = []
    starts: list[date | None] = []
    ends: list[date | None] = []
    for period in _walk(periods, first_day, last_day):
        start = max(first_day, period.from_ or first_day)
        end = last_day if period.until is None else min(last_day, period.until - timedelta(days=1))
        count = (end - start).days + 1
        days += [start + timedelta(days=offset) for offset in range(count)]
        starts += [period.from_] * count
        ends += [period.until] * count
    return pa.table([days, starts, ends], schema=DAY_PERIODS)


def previous_year(period: Period) -> Period:
    """Give the same dates one year earlier; 29 February becomes the 28th.

    >>> previous_year(Period(date(2024, 2, 29), date(2024, 3, 31)))
    Period(from_=datetime.date(2023, 2, 28), until=datetime.date(2023, 3, 31))
    """
    return Period(
        None if period.from_ is None else _plus_months(period.from_, -12),
        None if period.until is None else _plus_months(period.until, -12),
    )


def previous_period(periods: Periods, period: Period) -> Period | None:
    """Give the period before this one; nothing before the first. A gap in a fiscal calendar is stepped over."""
    if period.from_ is None or period.from_ == date.min or periods.every == "program":
        return None
    if periods.fiscal is not None:
        earlier = [row for row in periods.fiscal if row.until is not None and row.until <= period.from_]
        return earlier[-1] if earlier else None
    return period_of(periods, period.from_ - timedelta(days=1))


def effective_on(version: Version, periods: Periods) -> date | None:
    """Give the day on which the version takes over; date.min where it always held, null where it never does.

    `period_start`: the start of the period that holds valid.from (valid.from itself in a gap of the fiscal calendar).
    `next_period`: the first period start on or after it; a version that no later period start follows never takes over.

    >>> march = Version(number=2, valid=Period(date(2026, 3, 10)), applies="next_period")
    >>> effective_on(march, Periods(every="quarter"))
    datetime.date(2026, 4, 1)
    """
    start = version.valid.from_
    if start is None:
        return date.min
    if version.applies == "from_date":
        return start
    period = period_of(periods, start)
    if version.applies == "period_start":
        return start if period is None else period.from_ or date.min
    if period is not None and period.from_ == start:
        return start
    if period is not None and periods.fiscal is None:
        return None if periods.every == "program" else period.until
    later = [row.from_ for row in periods.fiscal or () if row.from_ is not None and row.from_ >= start]
    return later[0] if later else None


def governing_version(versions: Sequence[Version], periods: Periods, day: date) -> int | None:
    """Give the number of the version that governs a line placed on the day; nothing where none does.

    The latest effective one on or before the day (the higher number of two that take over together), unless it has ended: an
    earlier version does not come back.
    """
    return next((number for number, span in governing_spans(versions, periods) if day in span), None)


def governing_spans(versions: Sequence[Version], periods: Periods) -> tuple[tuple[int, Period], ...]:
    """Give the days that each version governs, in order of time and without overlap; a version that never does is left out."""
    effective = {version.number: effective_on(version, periods) for version in versions}
    taking_over = sorted(
        (
            (on, version.number, version.valid.until)
            for version in versions
            if (on := effective[version.number]) is not None
        ),
        key=lambda entry: entry[:2],
    )
    spans: list[tuple[int, Period]] = []
    for place, (start, number, until) in enumerate(taking_over):
        following = taking_over[place + 1][0] if place + 1 < len(taking_over) else None
        ends = [end for end in (until, following) if end is not None]
        end = min(ends, default=None)
        if end is None or end > start:
            spans.append((number, Period(None if start == date.min else start, end)))
    return tuple(spans)


def life(versions: Sequence[Version], periods: Periods) -> Period | None:
    """Give the days from the first effective date to the last end: what a program is in force; nothing if it never is."""
    starts = [on for version in versions if (on := effective_on(version, periods)) is not None]
    if not starts:
        return None
    ends = [version.valid.until for version in versions]
    latest = None if any(end is None for end in ends) else max(end for end in ends if end is not None)
    return Period(None if min(starts) == date.min else min(starts), latest)


def days_in_force(period: Period, in_force: Iterable[Period]) -> int | None:
    """Count the days of the period that lie in all of these spans; null where that is unbounded.

    >>> days_in_force(Period(date(2026, 6, 1), date(2026, 7, 1)), [Period(date(2026, 6, 22), None)])
    9
    """
    both: Period | None = period
    for span in in_force:
        both = None if both is None else both.overlap(span)
    return 0 if both is None else both.days


def late_from(period: Period, grace_days: int) -> date | None:
    """Give the first day on which a line received is late for the period; null where no day is."""
    return None if period.until is None else _plus_days(period.until, grace_days)


def payable_on(period: Period, grace_days: int, hold_days: int, pay_day: int | None) -> date | None:
    """Give the day on which a statement is due: the period's end plus grace and hold, moved on to the next `pay_day` of a month.

    A `pay_day` past the end of a month is its last day. Null where the period has no end.

    >>> payable_on(Period(date(2026, 1, 1), date(2026, 2, 1)), 10, 5, 31)
    datetime.date(2026, 2, 28)
    """
    due = None if period.until is None else _plus_days(period.until, grace_days + hold_days)
    if due is None or pay_day is None:
        return due
    for months in (0, 1):
        first = _plus_months(due.replace(day=1), months)
        if first is None:
            return None
        day = first.replace(day=min(pay_day, monthrange(first.year, first.month)[1]))
        if day >= due:
            return day
    raise AssertionError("the next month always has a pay day after this one's last day")


def _walk(periods: Periods, first_day: date, last_day: date) -> Iterator[Period]:
    if periods.every == "program":
        both = periods.span.overlap(Period(first_day, _plus_days(last_day, 1))) if first_day <= last_day else None
        yield from () if both is None else (periods.span,)
    elif periods.fiscal is not None:
        asked = Period(first_day, _plus_days(last_day, 1)) if first_day <= last_day else None
        yield from (row for row in periods.fiscal if asked is not None and row.overlap(asked) is not None)
    else:
        day: date | None = first_day
        while day is not None and day <= last_day:
            period = period_of(periods, day)
            assert period is not None
            yield period
            day = period.until


def _plus_days(day: date, days: int) -> date | None:
    ordinal = day.toordinal() + days
    return date.fromordinal(ordinal) if 1 <= ordinal <= date.max.toordinal() else None


def _plus_months(day: date, months: int) -> date | None:
    """Give the same day of a month so many months away, clamped to that month's end; null outside the calendar."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not date.min.year <= year <= date.max.year:
        return None
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
