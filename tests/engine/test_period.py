"""Periods, versions and due days: stated by hand from a calendar."""

from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.engine.period import (
    Applies,
    Every,
    Period,
    Periods,
    Version,
    day_periods,
    days_in_force,
    effective_on,
    fiscal_periods,
    governing_spans,
    governing_version,
    late_from,
    life,
    payable_on,
    period_of,
    periods_between,
    previous_period,
    previous_year,
    program_span,
)


def d(text: str) -> date:
    return date.fromisoformat(text)


def p(from_: str | None, until: str | None) -> Period:
    return Period(None if from_ is None else d(from_), None if until is None else d(until))


@pytest.mark.parametrize(
    ("every", "day", "expected"),
    [
        ("week", "2026-07-05", p("2026-06-29", "2026-07-06")),  # a Sunday
        ("week", "2026-07-06", p("2026-07-06", "2026-07-13")),  # a Monday
        ("month", "2024-02-29", p("2024-02-01", "2024-03-01")),
        ("quarter", "2026-03-31", p("2026-01-01", "2026-04-01")),
        ("quarter", "2026-04-01", p("2026-04-01", "2026-07-01")),
        ("half", "2026-06-30", p("2026-01-01", "2026-07-01")),
        ("half", "2026-12-31", p("2026-07-01", "2027-01-01")),
        ("year", "2026-12-31", p("2026-01-01", "2027-01-01")),
        ("year", "0001-01-01", p("0001-01-01", "0002-01-01")),
        ("month", "9999-12-31", p("9999-12-01", None)),
    ],
)
def test_calendar_periods(every: Every, day: str, expected: Period) -> None:
    assert period_of(Periods(every=every), d(day)) == expected


@pytest.mark.parametrize(
    ("every", "anchor", "day", "expected"),
    [
        # Month ends clamp, and the next period counts from the anchor again: the 31st comes back.
        ("month", "2026-01-31", "2026-02-27", p("2026-01-31", "2026-02-28")),
        ("month", "2026-01-31", "2026-03-30", p("2026-02-28", "2026-03-31")),
        ("month", "2026-01-31", "2026-03-31", p("2026-03-31", "2026-04-30")),
        ("month", "2026-01-31", "2025-12-31", p("2025-12-31", "2026-01-31")),
        ("month", "2026-01-31", "2025-12-30", p("2025-11-30", "2025-12-31")),
        ("quarter", "2026-02-15", "2026-02-14", p("2025-11-15", "2026-02-15")),
        ("half", "2025-08-31", "2026-02-28", p("2026-02-28", "2026-08-31")),
        ("year", "2024-02-29", "2025-02-28", p("2025-02-28", "2026-02-28")),
        ("year", "2024-02-29", "2028-02-28", p("2027-02-28", "2028-02-29")),
        ("week", "2026-07-01", "2026-06-30", p("2026-06-24", "2026-07-01")),
        ("week", "2026-07-01", "2026-07-07", p("2026-07-01", "2026-07-08")),
    ],
)
def test_anchored_periods_clamp_without_drift(every: Every, anchor: str, day: str, expected: Period) -> None:
    assert period_of(Periods(every=every, anchor=d(anchor)), d(day)) == expected


@given(
    every=st.sampled_from(["week", "month", "quarter", "half", "year"]),
    anchor=st.none() | st.dates(date(1990, 1, 1), date(2040, 12, 31)),
    day=st.dates(date(1980, 1, 1), date(2050, 12, 31)),
)
def test_periods_tile_the_calendar(every: Every, anchor: date | None, day: date) -> None:
    periods = Periods(every=every, anchor=anchor)
    period = period_of(periods, day)
    assert period is not None
    assert day in period
    assert period.from_ is not None
    assert period.until is not None
    assert period_of(periods, period.from_) == period
    following = period_of(periods, period.until)
    assert following is not None
    assert following.from_ == period.until
    assert previous_period(periods, following) == period


@given(
    every=st.sampled_from(["week", "month", "quarter", "half", "year"]), anchor=st.none() | st.dates(), day=st.dates()
)
def test_no_date_is_out_of_reach(every: Every, anchor: date | None, day: date) -> None:
    period = period_of(Periods(every=every, anchor=anchor), day)
    assert period is not None
    assert day in period


def test_the_program_itself_is_a_period() -> None:
    span = program_span([p("2025-03-01", "2026-01-01"), p("2025-01-15", "2025-06-01")])
    assert span == p("2025-01-15", "2026-01-01")
    periods = Periods(every="program", span=span)
    assert period_of(periods, d("2025-01-14")) is None
    assert period_of(periods, d("2025-12-31")) == span
    assert period_of(periods, d("2026-01-01")) is None
    assert previous_period(periods, span) is None
    assert program_span([p("2025-01-01", "2026-01-01"), p(None, "2027-01-01")]) == p(None, "2027-01-01")
    assert program_span([]) == Period()


def calendar(*rows: tuple[str, str, str]) -> pa.Table:
    return pa.table(
        {
            "kind": [row[0] for row in rows],
            "from": pa.array([d(row[1]) for row in rows], pa.date32()),
            "until": pa.array([d(row[2]) for row in rows], pa.date32()),
        }
    )


def test_fiscal_periods_come_from_the_table_and_gaps_have_none() -> None:
    table = calendar(
        ("month", "2026-03-02", "2026-03-30"),
        ("month", "2026-02-02", "2026-03-02"),
        ("quarter", "2026-01-05", "2026-04-06"),
        ("month", "2026-04-06", "2026-05-04"),
    )
    rows, findings = fiscal_periods(table, "month")
    assert findings == ()
    periods = Periods(every="month", fiscal=rows)
    assert period_of(periods, d("2026-03-01")) == p("2026-02-02", "2026-03-02")
    assert period_of(periods, d("2026-03-30")) is None
    assert period_of(periods, d("2026-01-31")) is None
    assert previous_period(periods, p("2026-04-06", "2026-05-04")) == p("2026-03-02", "2026-03-30")
    assert previous_period(periods, p("2026-02-02", "2026-03-02")) is None
    table = day_periods(periods, d("2026-03-28"), d("2026-04-07"))
    assert table.column("day").to_pylist() == [d("2026-03-28"), d("2026-03-29"), d("2026-04-06"), d("2026-04-07")]
    assert period_of(Periods(every="week", fiscal=()), d("2026-03-28")) is None


def test_faulty_rows_of_a_fiscal_calendar_are_told() -> None:
    table = calendar(
        ("month", "2026-01-05", "2026-02-02"),
        ("month", "2026-02-01", "2026-03-02"),
        ("month", "2026-05-01", "2026-05-01"),
    )
    rows, findings = fiscal_periods(table, "month")
    assert rows == (p("2026-01-05", "2026-02-02"),)
    assert [(finding.code, finding.row) for finding in findings] == [("calendar_overlap", 3), ("calendar_row_empty", 4)]


def test_each_day_gets_its_period() -> None:
    table = day_periods(Periods(every="month"), d("2026-01-30"), d("2026-02-02"))
    january, february = ("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01")
    expected = [
        ("2026-01-30", *january),
        ("2026-01-31", *january),
        ("2026-02-01", *february),
        ("2026-02-02", *february),
    ]
    assert [tuple(str(value) for value in row.values()) for row in table.to_pylist()] == expected
    assert day_periods(Periods(every="month"), d("2026-02-02"), d("2026-02-01")).num_rows == 0
    span = p("2026-02-01", None)
    table = day_periods(Periods(every="program", span=span), d("2026-01-30"), d("2026-02-02"))
    assert table.to_pylist() == [
        {"day": d("2026-02-01"), "from": d("2026-02-01"), "until": None},
        {"day": d("2026-02-02"), "from": d("2026-02-01"), "until": None},
    ]


def test_lists_the_periods_between_two_days() -> None:
    assert periods_between(Periods(every="quarter"), d("2026-03-31"), d("2026-04-01")) == (
        p("2026-01-01", "2026-04-01"),
        p("2026-04-01", "2026-07-01"),
    )
    assert periods_between(Periods(every="year"), d("9998-12-31"), date.max)[-1] == p("9999-01-01", None)


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (p("2024-01-01", "2025-01-01"), p("2023-01-01", "2024-01-01")),
        (p("2024-02-29", "2024-03-29"), p("2023-02-28", "2023-03-29")),
        (p("2025-02-28", None), p("2024-02-28", None)),
        (p("0001-06-01", "0001-07-01"), p(None, None)),
    ],
)
def test_the_same_dates_a_year_earlier(period: Period, expected: Period) -> None:
    assert previous_year(period) == expected


@pytest.mark.parametrize(
    ("applies", "every", "from_", "expected"),
    [
        ("from_date", "quarter", "2026-02-10", "2026-02-10"),
        ("period_start", "quarter", "2026-02-10", "2026-01-01"),
        ("next_period", "quarter", "2026-02-10", "2026-04-01"),
        ("next_period", "quarter", "2026-04-01", "2026-04-01"),
        ("period_start", "program", "2026-02-10", "2026-01-15"),
        ("next_period", "program", "2026-01-15", "2026-01-15"),
        ("next_period", "program", "2026-02-10", None),  # no later period ever starts
        ("period_start", "quarter", None, "0001-01-01"),
    ],
)
def test_when_a_version_takes_over(applies: Applies, every: Every, from_: str | None, expected: str | None) -> None:
    periods = Periods(every=every, span=p("2026-01-15", None))
    version = Version(number=1, valid=p(from_, None), applies=applies)
    assert effective_on(version, periods) == (None if expected is None else d(expected))


def test_a_version_takes_over_in_a_fiscal_calendar() -> None:
    periods = Periods(every="month", fiscal=(p("2026-01-05", "2026-02-02"), p("2026-03-02", "2026-03-30")))

    def effective(applies: Applies, from_: str) -> date | None:
        return effective_on(Version(number=1, valid=p(from_, None), applies=applies), periods)

    assert effective("period_start", "2026-01-20") == d("2026-01-05")
    assert effective("next_period", "2026-01-20") == d("2026-03-02")
    assert effective("next_period", "2026-02-10") == d("2026-03-02")
    assert effective("period_start", "2026-02-10") == d("2026-02-10")
    assert effective("next_period", "2026-03-10") is None


def test_the_latest_effective_version_governs_and_an_earlier_one_never_comes_back() -> None:
    versions = [
        Version(number=1, valid=p("2026-01-01", "2027-01-01")),
        Version(number=2, valid=p("2026-02-10", "2026-06-01"), applies="next_period"),  # takes over on 1 April
        Version(number=3, valid=p("2026-02-20", "2026-05-01"), applies="next_period"),  # the same day, higher number
    ]
    periods = Periods(every="quarter")
    expected = {
        "2025-12-31": None,
        "2026-01-01": 1,
        "2026-03-31": 1,
        "2026-04-01": 3,
        "2026-04-30": 3,
        "2026-05-01": None,
        "2026-12-31": None,
    }
    assert {day: governing_version(versions, periods, d(day)) for day in expected} == expected
    assert governing_spans(versions, periods) == (
        (1, p("2026-01-01", "2026-04-01")),
        (3, p("2026-04-01", "2026-05-01")),
    )
    assert life(versions, periods) == p("2026-01-01", "2027-01-01")


def test_a_version_that_ends_before_it_takes_over_still_ends_the_one_before() -> None:
    versions = [
        Version(number=1, valid=p("2026-01-01", None)),
        Version(number=2, valid=p("2026-02-10", "2026-03-15"), applies="next_period"),
    ]
    assert governing_spans(versions, Periods(every="quarter")) == ((1, p("2026-01-01", "2026-04-01")),)


def test_a_program_without_dates_always_holds() -> None:
    versions = [Version(number=1)]
    assert governing_spans(versions, Periods(every="year")) == ((1, Period()),)
    assert life(versions, Periods(every="year")) == Period()
    assert life([], Periods(every="year")) is None


def test_counts_the_days_in_force() -> None:
    june = p("2026-06-01", "2026-07-01")
    assert days_in_force(june, []) == 30
    assert days_in_force(june, [p("2026-06-22", None)]) == 9
    assert days_in_force(june, [p("2026-06-22", None), p(None, "2026-06-25")]) == 3
    assert days_in_force(june, [p("2026-06-22", None), p(None, "2026-06-22")]) == 0
    assert days_in_force(june, [p("2026-07-01", None)]) == 0
    assert days_in_force(Period(), [p("2026-07-01", None)]) is None
    assert june.days == 30


def test_lateness_starts_when_the_grace_is_over() -> None:
    assert late_from(p("2026-06-01", "2026-07-01"), 30) == d("2026-07-31")
    assert late_from(p("2026-06-01", "2026-07-01"), 0) == d("2026-07-01")
    assert late_from(p("2026-06-01", None), 30) is None


@pytest.mark.parametrize(
    ("until", "grace", "hold", "pay_day", "expected"),
    [
        ("2026-04-01", 30, 0, None, "2026-05-01"),
        ("2026-04-01", 30, 14, None, "2026-05-15"),
        ("2026-04-01", 30, 14, 15, "2026-05-15"),
        ("2026-04-01", 30, 14, 14, "2026-06-14"),
        ("2026-01-15", 0, 0, 31, "2026-01-31"),
        ("2024-02-10", 0, 0, 30, "2024-02-29"),
        ("2026-01-31", 0, 0, 30, "2026-02-28"),
        ("2026-12-31", 0, 0, 1, "2027-01-01"),
        ("9999-12-01", 60, 0, None, None),
        ("9999-12-20", 0, 0, 5, None),
        (None, 0, 0, 5, None),
    ],
)
def test_when_a_statement_is_due(
    until: str | None, grace: int, hold: int, pay_day: int | None, expected: str | None
) -> None:
    assert payable_on(p(None, until), grace, hold, pay_day) == (None if expected is None else d(expected))


def test_a_period_is_half_open() -> None:
    period = p("2026-01-01", "2026-02-01")
    assert d("2026-01-01") in period
    assert d("2026-01-31") in period
    assert d("2026-02-01") not in period
    assert d("2026-01-01") - timedelta(days=1) not in period
