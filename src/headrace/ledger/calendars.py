"""Fiscal months of a company's books: from its fiscal day to that of the next month, or whole weeks in a quarterly pattern."""

from datetime import date, timedelta

from headrace.engine.findings import Refusal
from headrace.foundation import companies
from headrace.foundation.companies import Company
from headrace.ledger.models import WeekCalendar

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PATTERNS = ("4-4-5", "4-5-4", "5-4-4")


def keep_in_weeks(*, company: Company, pattern: str, begins_on: str) -> None:
    """Have a company's books kept in weeks; in the act that opens them. Refused for what is no pattern or weekday."""
    if pattern not in PATTERNS or begins_on not in WEEKDAYS:
        raise Refusal(
            "week_calendar",
            f"{pattern!r} from {begins_on!r} is no calendar of weeks. Give {', '.join(PATTERNS)}, and a weekday like sunday.",
        )
    WeekCalendar(company=company, pattern=pattern, weekday=WEEKDAYS.index(begins_on)).save()


def month_of(company: Company, day: date) -> tuple[date, date]:
    """Give the fiscal month of the company's books that holds the day, half-open."""
    weeks = WeekCalendar.objects.filter(company=company).first()
    if weeks is None:
        return companies.fiscal_month(company, day)
    return week_month(day, (company.fiscal_month, company.fiscal_day), weeks.pattern, weeks.weekday)


def week_year(year: int, starts: tuple[int, int], weekday: int) -> date:
    """Give the first day of a year of weeks: the weekday (Monday is 0) that is nearest to a month and day of the year.

    The retail year of 2024 begins on the Sunday nearest to 1 February:

    >>> [str(week_year(year, (2, 1), 6)) for year in (2023, 2024, 2025)]
    ['2023-01-29', '2024-02-04', '2025-02-02']
    """
    anchor = date(year, *starts)
    return anchor + timedelta(days=(weekday - anchor.weekday() + 3) % 7 - 3)


def week_month(day: date, starts: tuple[int, int], pattern: str, weekday: int) -> tuple[date, date]:
    """Give the month of weeks that holds the day. A year has 52 or 53 weeks; the 53rd is of its last month.

    >>> [str(each) for each in week_month(date(2024, 3, 3), (2, 1), "4-5-4", 6)]
    ['2024-03-03', '2024-04-07']
    """
    first, after = next(
        (start, end)
        for year in (day.year + 1, day.year, day.year - 1)
        for start, end in ((week_year(year, starts, weekday), week_year(year + 1, starts, weekday)),)
        if start <= day < end
    )
    lengths = [int(weeks) for weeks in pattern.split("-")] * 4
    for number, weeks in enumerate(lengths):
        until = after if number == len(lengths) - 1 else first + timedelta(weeks=weeks)
        if day < until:
            return first, until
        first = until
    raise AssertionError("the months fill the year")
