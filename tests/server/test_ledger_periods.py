"""Accounting periods: which one takes a posting, who closes it, and when it is never opened again."""

import uuid
from datetime import UTC, date, datetime

import pytest

from headrace.engine.findings import Refusal
from headrace.foundation import companies
from headrace.foundation.roles import Role
from headrace.ledger import calendars, flows, periods
from headrace.ledger.kinds import Kind
from headrace.ledger.models import Posting
from tests.server.books import Books, D, items, key
from tests.server.conftest import NOW, Admins, MakePerson

LATER = datetime(2026, 12, 1, tzinfo=UTC)


def refused(act: object, **named: object) -> str:
    with pytest.raises(Refusal) as why:
        act(**named)  # type: ignore[operator]
    return why.value.code


def booked() -> list[tuple[date, date]]:
    return list(Posting.objects.order_by("pk").values_list("on", "booked_on"))


@pytest.mark.parametrize(
    ("fiscal_day", "day", "span"),
    [
        (1, date(2026, 1, 31), (date(2026, 1, 1), date(2026, 2, 1))),
        (1, date(2026, 12, 1), (date(2026, 12, 1), date(2027, 1, 1))),
        (15, date(2026, 3, 14), (date(2026, 2, 15), date(2026, 3, 15))),
        (15, date(2026, 3, 15), (date(2026, 3, 15), date(2026, 4, 15))),
        (28, date(2026, 1, 27), (date(2025, 12, 28), date(2026, 1, 28))),
        (28, date(2026, 2, 28), (date(2026, 2, 28), date(2026, 3, 28))),
    ],
)
def test_a_fiscal_month_runs_from_its_day(admins: Admins, fiscal_day: int, day: date, span: tuple[date, date]) -> None:
    company = companies.open_company(
        code="X", name="X", functional_currency="EUR", fiscal_day=fiscal_day, by=admins[0], at=NOW
    )
    assert companies.fiscal_month(company, day) == span


def test_books_are_opened_once_by_whoever_may(books: Books, admins: Admins) -> None:
    again = {"company": books.company, "first_on": date(2026, 1, 1), "at": NOW}
    assert refused(periods.open_books, **again, by=admins[0]) == "not_permitted"
    assert refused(periods.open_books, **again, by=books.maker) == "books_open"


def test_a_company_without_books_takes_no_posting(books: Books, admins: Admins) -> None:
    other = companies.open_company(code="US", name="US", functional_currency="USD", by=admins[0], at=NOW)
    books.company = other
    with pytest.raises(Refusal) as why:
        books.provide("1")
    assert why.value.code == "books_not_open"


def test_a_posting_belongs_to_the_period_of_its_date_or_the_oldest_open_one(books: Books) -> None:
    books.provide("10", date(2026, 1, 31))
    books.provide("20", date(2025, 6, 1))  # before the books were opened
    books.provide("30", date(2026, 3, 1))  # makes February and March
    books.close(1)
    books.provide("40", date(2026, 1, 15))
    assert booked() == [
        (date(2026, 1, 31), date(2026, 1, 31)),
        (date(2025, 6, 1), date(2026, 1, 1)),
        (date(2026, 3, 1), date(2026, 3, 1)),
        (date(2026, 1, 15), date(2026, 2, 1)),
    ]


def test_where_every_period_is_closed_the_next_one_opens(books: Books) -> None:
    books.provide("10", date(2026, 1, 31))
    books.close(1)
    books.provide("20", date(2026, 1, 31))
    assert booked()[1] == (date(2026, 1, 31), date(2026, 2, 1))


def test_a_date_far_ahead_is_refused(books: Books) -> None:
    books.provide("1", date(2028, 3, 31))
    with pytest.raises(Refusal) as why:
        books.provide("2", date(2028, 4, 1))
    assert why.value.code == "too_far_ahead"
    assert books.of(Kind.ACCRUED) == D(1)


def test_a_soft_closed_period_takes_closing_entries_only_and_a_locked_one_none(books: Books) -> None:
    books.provide("10", date(2026, 1, 31))
    books.close(1, lock=False)
    flows.provide(books.event(date(2026, 1, 31)), items("20"))
    flows.provide(books.event(date(2026, 1, 31), closing=True), items("30"))
    books.close(1)
    flows.provide(books.event(date(2026, 1, 31), closing=True), items("40"))
    assert [on for _, on in booked()] == [date(2026, 1, 31), date(2026, 2, 1), date(2026, 1, 31), date(2026, 2, 1)]


def test_locking_takes_a_second_person(books: Books, person_with: MakePerson) -> None:
    january = books.month(1).id
    maker, second = {"by": books.maker, "at": LATER}, {"by": books.second, "at": LATER}
    auditor = {"by": person_with(Role.AUDITOR), "at": LATER}
    assert refused(periods.ask, period=january, to="locked", **maker) == "period_state"  # open: not closed yet
    assert refused(periods.soft_close, period=january, **auditor) == "not_permitted"
    assert refused(periods.soft_close, period=uuid.uuid4(), **maker) == "period_unknown"
    periods.soft_close(period=january, **maker)  # type: ignore[arg-type]
    assert refused(periods.soft_close, period=january, **maker) == "period_state"
    assert refused(periods.decide, period=january, approve=True, **second) == "nothing_asked"
    periods.ask(period=january, to="locked", **maker)  # type: ignore[arg-type]
    assert refused(periods.decide, period=january, approve=True, **maker) == "second_person"
    assert refused(periods.decide, period=january, approve=True, **auditor) == "not_permitted"
    assert books.month(1).state == "soft_closed"
    periods.decide(period=january, approve=False, **second)  # type: ignore[arg-type]
    assert (books.month(1).state, books.month(1).asked) == ("soft_closed", "")
    periods.ask(period=january, to="locked", **second)  # type: ignore[arg-type]
    periods.decide(period=january, approve=True, **maker)  # type: ignore[arg-type]
    assert books.month(1).state == "locked"


def test_periods_close_in_order_and_only_when_they_are_over(books: Books) -> None:
    books.provide("1", date(2026, 3, 1))
    by = {"by": books.maker, "at": LATER}
    assert refused(periods.soft_close, period=books.month(2).id, **by) == "earlier_period_open"
    last_day = {"by": books.maker, "at": datetime(2026, 1, 31, 23, tzinfo=UTC)}
    # The roles of the tests begin in March, so the month under way is that one.
    books.close(1, 2, lock=False)
    now = {"by": books.maker, "at": datetime(2026, 3, 31, 23, tzinfo=UTC)}
    assert last_day["at"] < now["at"]  # type: ignore[operator]
    assert refused(periods.soft_close, period=books.month(3).id, **now) == "period_not_over"
    assert refused(periods.ask, period=books.month(2).id, to="locked", **by) == "earlier_period_open"


def test_a_period_is_opened_again_by_two_until_something_of_it_left(books: Books) -> None:
    books.provide("1", date(2026, 2, 1))
    books.close(1, 2)
    january, february = books.month(1).id, books.month(2).id
    maker, second = {"by": books.maker, "at": LATER}, {"by": books.second, "at": LATER}
    assert refused(periods.ask, period=january, to="soft_closed", **maker) == "later_period_closed"
    assert refused(periods.ask, period=february, to="open", **maker) == "period_state"
    periods.ask(period=february, to="soft_closed", **maker)  # type: ignore[arg-type]
    assert refused(periods.decide, period=february, approve=True, **maker) == "second_person"
    assert books.month(2).state == "locked"
    periods.decide(period=february, approve=True, **second)  # type: ignore[arg-type]
    assert books.month(2).state == "soft_closed"
    periods.ask(period=february, to="open", **maker)  # type: ignore[arg-type]
    periods.left(period=february, what="credit memo 17", at=LATER)
    periods.left(period=february, what="credit memo 17", at=LATER)
    assert books.month(2).left == ("credit memo 17",)
    # It left while the request waited.
    assert refused(periods.decide, period=february, approve=True, **second) == "period_left"
    assert refused(periods.ask, period=february, to="open", **maker) == "period_left"
    periods.ask(period=february, to="locked", **maker)  # type: ignore[arg-type]
    periods.decide(period=february, approve=True, **second)  # type: ignore[arg-type]
    assert refused(periods.ask, period=february, to="soft_closed", **maker) == "period_left"


def test_books_in_weeks_run_from_the_nearest_sunday(admins: Admins, person_with: MakePerson) -> None:
    """The calendar of the National Retail Federation: 2024 begins on 4 February, 2025 on 2 February."""
    company = companies.open_company(
        code="R", name="Retail", functional_currency="USD", fiscal_month=2, by=admins[0], at=NOW
    )
    controller = person_with(Role.CONTROLLER)
    opened = {"company": company, "by": controller, "at": NOW}
    assert (
        refused(periods.open_books, **opened, first_on=date(2026, 2, 3), weeks=("4-6-3", "sunday")) == "week_calendar"
    )
    assert refused(periods.open_books, **opened, first_on=date(2026, 2, 3), weeks=("4-5-4", "1")) == "week_calendar"
    first = periods.open_books(**opened, first_on=date(2026, 2, 3), weeks=("4-5-4", "sunday"))  # type: ignore[arg-type]
    # 2026 begins on Sunday 1 February.
    assert (first.from_on, first.until_on) == (date(2026, 2, 1), date(2026, 3, 1))
    books = Books(company, controller, controller)
    books.provide("1", date(2026, 6, 1), key(currency="USD"))
    spans = [(one.from_on, (one.until_on - one.from_on).days // 7) for one in reversed(periods.standings(company))]
    assert spans == [
        (date(2026, 2, 1), 4), (date(2026, 3, 1), 5), (date(2026, 4, 5), 4), (date(2026, 5, 3), 4), (date(2026, 5, 31), 5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "pattern", "span"),
    [
        # 2023 has 53 weeks, from 29 January 2023 until 4 February 2024; the last is of January.
        (date(2024, 2, 3), "4-5-4", (date(2023, 12, 31), date(2024, 2, 4))),
        (date(2024, 2, 4), "4-5-4", (date(2024, 2, 4), date(2024, 3, 3))),
        (date(2023, 12, 30), "4-5-4", (date(2023, 11, 26), date(2023, 12, 31))),
        (date(2025, 2, 1), "4-4-5", (date(2024, 12, 29), date(2025, 2, 2))),
        (date(2024, 3, 9), "5-4-4", (date(2024, 2, 4), date(2024, 3, 10))),
    ],
)
def test_a_month_of_weeks(day: date, pattern: str, span: tuple[date, date]) -> None:
    assert calendars.week_month(day, (2, 1), pattern, 6) == span
