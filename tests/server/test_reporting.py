"""Who owes which report by when: due, received, late, missing; reminded once; scored as worked by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from headrace.engine.findings import Refusal
from headrace.foundation import people
from headrace.foundation.models import OutboxMessage
from headrace.sales import deliveries, repairing, reporting
from headrace.sales.models import Delivery, Duty
from tests.server.channel import Team, team, work
from tests.server.master import load
from tests.server.shop import HEAD, PARTNERS, PRODUCTS, PROFILE, row_of
from tests.server.test_routes import with_second_factor

START = datetime(2026, 1, 1, 8, tzinfo=UTC)


def on(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T09:00:00+00:00")


@pytest.fixture
def channel(db: None) -> Team:
    """Give the people since January, and a shop whose partners and products are known."""
    ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=START)
    made = team((ada, ben), START)
    load("partner", PARTNERS, made.loader, at=START)
    load("product", PRODUCTS, made.loader, at=START)
    deliveries.save_profile(text=PROFILE, by=made.loader, at=START)
    work()
    return made


def sent(channel: Team, day: str, rows: str) -> Delivery:
    delivery = deliveries.deliver(
        name=f"{day}.csv", content=BytesIO((HEAD + rows).encode()), kind="lines", profile="shop", by=channel.loader, at=on(day)
    )  # fmt: skip
    work()
    delivery.refresh_from_db()
    return delivery


def owes(channel: Team, reporter: str = "A", calendar: str = "month", from_on: str = "2026-01-01") -> Duty:
    return reporting.owe(
        reporter=reporter, stage="sell_through", calendar=calendar, due_days=10, from_on=date.fromisoformat(from_on),
        by=channel.loader, at=START,
    )  # fmt: skip


def statuses(day: str) -> list[tuple[str, str, str, str]]:
    return [
        (each.reporter, each.period_from.isoformat(), each.due_on.isoformat(), each.status)
        for each in reporting.reports(on=date.fromisoformat(day))
    ]


def test_a_report_is_due_then_received_late_or_missing(channel: Team) -> None:
    owes(channel)
    assert statuses("2026-01-31") == []
    assert statuses("2026-02-01") == statuses("2026-02-10") == [("A", "2026-01-01", "2026-02-10", "due")]
    assert statuses("2026-02-11") == [("A", "2026-01-01", "2026-02-10", "missing")]
    sent(channel, "2026-02-11", "R1,1,2026-01-05,A,K1,1,600\n")
    assert statuses("2026-02-10")[0][3] == "due", "what was known on a day stays"
    assert statuses("2026-02-11") == [("A", "2026-01-01", "2026-02-10", "late")]
    sent(channel, "2026-03-10", "R2,1,2026-02-05,A,K1,1,60\n")
    assert statuses("2026-03-10") == [
        ("A", "2026-02-01", "2026-03-10", "received"),
        ("A", "2026-01-01", "2026-02-10", "late"),
    ]


def test_closing_is_told_which_feeds_of_a_period_are_missing(channel: Team) -> None:
    owes(channel)
    owes(channel, "B", "quarter")
    sent(channel, "2026-02-03", "R1,1,2026-01-05,A,K1,1,600\n")
    quarter = {"since": date(2026, 1, 1), "until": date(2026, 4, 1)}
    missing = reporting.missing_feeds(**quarter, on=date(2026, 4, 5))
    assert [(each.reporter, each.period_from, each.status) for each in missing] == [
        ("A", date(2026, 3, 1), "due"),
        ("A", date(2026, 2, 1), "missing"),
        ("B", date(2026, 1, 1), "due"),
    ]  # fmt: skip
    reporting.nothing(duty=missing[1].duty, period_from=date(2026, 2, 1), by=channel.loader, at=on("2026-04-05"))
    sent(channel, "2026-04-06", "R2,1,2026-03-31,A,K1,1,60\nR3,1,2026-03-30,B,K1,1,60\n")
    assert reporting.missing_feeds(**quarter, on=date(2026, 4, 6)) == ()


def test_rows_that_did_not_load_are_no_report_and_repaired_ones_count_from_the_day_of_the_file(channel: Team) -> None:
    owes(channel)
    delivery = sent(channel, "2026-02-09", "R1,1,2026-01-05,A,K1,x,600\n")
    assert statuses("2026-02-20")[0][3] == "missing"
    repairing.correct(row=row_of(delivery, 2), values={"qty": "1"}, by=channel.loader, at=on("2026-02-20"))
    repairing.send_again(delivery=delivery.pk, by=channel.loader, at=on("2026-02-20"))
    work()
    assert statuses("2026-02-20") == [("A", "2026-01-01", "2026-02-10", "received")]


def test_only_periods_wholly_inside_a_duty_are_owed(channel: Team) -> None:
    duty = owes(channel, from_on="2026-01-02")
    assert [row[1] for row in statuses("2026-04-01")] == ["2026-03-01", "2026-02-01"]
    reporting.end(duty=duty.pk, until_on=date(2026, 3, 31), by=channel.loader, at=START)
    assert [row[1] for row in statuses("2026-04-01")] == ["2026-02-01"]
    owes(channel, calendar="year", from_on="2026-03-31")
    assert [row[1] for row in statuses("2028-01-01")] == ["2027-01-01", "2026-02-01"]


def test_timeliness_and_quality_are_as_worked_by_hand(channel: Team) -> None:
    owes(channel)
    owes(channel, "B")
    # January in time: 3 rows of A, of which one has no quantity; 1 row of B, good.
    rows = (
        "R1,1,2026-01-05,A,K1,1,600\nR2,1,2026-01-06,A,K1,2,100\nR3,1,2026-01-07,A,K1,x,5\nR4,1,2026-01-08,B,K1,1,7\n"
    )
    delivery = sent(channel, "2026-02-10", rows)
    # February late: one row of A, good. B sends none. March in time for A: two rows, one of them an unknown product.
    sent(channel, "2026-03-11", "R5,1,2026-02-05,A,K1,1,60\n")
    sent(channel, "2026-04-02", "R6,1,2026-03-05,A,K1,1,60\nR7,1,2026-03-05,A,K9,1,61\n")
    # A repair changes no score: the first try counts.
    repairing.correct(row=row_of(delivery, 4), values={"qty": "1"}, by=channel.loader, at=on("2026-04-03"))
    repairing.send_again(delivery=delivery.pk, by=channel.loader, at=on("2026-04-03"))
    work()
    a, b = reporting.scores(since=date(2026, 1, 1), until=date(2026, 5, 1), on=date(2026, 4, 30))
    # A: 2 of 3 periods in time; 2 + 1 + 1 = 4 of 3 + 1 + 2 = 6 rows good at first.
    assert (a.reporter, a.on_time, a.due, a.timeliness) == ("A", 2, 3, Decimal("66.7"))
    assert (a.loaded, a.received, a.quality) == (4, 6, Decimal("66.7"))
    # B: 1 of 3; 1 of 1.
    assert (b.reporter, b.on_time, b.due, b.timeliness, b.quality) == ("B", 1, 3, Decimal("33.3"), Decimal("100.0"))
    # Before any due day there is nothing to score.
    early = reporting.scores(since=date(2026, 1, 1), until=date(2026, 2, 1), on=date(2026, 2, 1))
    assert [(each.timeliness, each.quality) for each in early] == [(None, None), (None, None)]


def test_a_reporter_is_reminded_once_and_told_once(channel: Team) -> None:
    duty = owes(channel)
    assert reporting.remind(at=on("2026-02-06")) == 0
    for day in ("2026-02-07", "2026-02-08", "2026-02-11", "2026-02-12"):
        assert reporting.remind(at=on(day)) == 1
    told = OutboxMessage.objects.order_by("pk").values_list("kind", "key", "due_at")
    assert list(told) == [
        ("report_due", f"report_due:{duty.pk}:2026-01-01", on("2026-02-07")),
        ("report_missing", f"report_missing:{duty.pk}:2026-01-01", on("2026-02-11")),
    ]
    assert OutboxMessage.objects.first().payload == {  # type: ignore[union-attr]
        "reporter": "A", "stage": "sell_through", "from": "2026-01-01", "until": "2026-02-01", "due_on": "2026-02-10",
    }  # fmt: skip
    sent(channel, "2026-02-13", "R1,1,2026-01-05,A,K1,1,600\n")
    assert reporting.remind(at=on("2026-02-13")) == 0


def test_what_cannot_be_owed_is_refused(channel: Team) -> None:
    def refused(**given: object) -> str:
        asked = {
            "reporter": "A", "stage": "sell_through", "calendar": "month", "due_days": 10, "from_on": date(2026, 1, 1),
            "by": channel.loader, "at": START, **given,
        }  # fmt: skip
        with pytest.raises(Refusal) as told:
            reporting.owe(**asked)  # type: ignore[arg-type]
        return told.value.code

    assert refused(reporter="nobody") == "unknown_reference"
    assert refused(stage="sideways") == "bad_value"
    assert refused(calendar="fortnight") == "bad_value"
    assert refused(due_days=-1) == "bad_value"
    assert refused(by=channel.analyst) == "not_permitted"
    duty = owes(channel)
    assert refused() == "duty_there"
    with pytest.raises(Refusal) as told:
        reporting.nothing(duty=duty.pk, period_from=date(2026, 1, 15), by=channel.loader, at=on("2026-02-05"))
    assert told.value.code == "period_unknown"
    with pytest.raises(IntegrityError), transaction.atomic():
        Duty(reporter="A", stage="sell_through", calendar="month", due_days=1, from_on=date(2026, 1, 1)).save()


def test_the_page_takes_a_duty(channel: Team, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = False
    browser = with_second_factor(channel.loader)
    given = {"reporter": "A", "stage": "sell_through", "calendar": "month", "due_days": "10", "from_on": "2026-01-01"}
    assert browser.post("/sales/reports/owe", given).status_code == 302
    assert browser.post("/sales/reports/owe", given).status_code == 422
    assert "2026-01-01 until 2026-02-01" in browser.get("/sales/reports/").content.decode()
    duty = Duty.objects.get().pk
    assert browser.post(f"/sales/reports/{duty}/nothing", {"from": "2026-01-01"}).status_code == 302
    assert browser.post(f"/sales/reports/{duty}/nothing", {"from": "x"}).status_code == 404
    (january,) = reporting.reports(on=date(2026, 2, 1))
    assert january.status == "due", "what was entered later was not known then"
