"""Closing a period: what stands against the lock, who explained what, and alarms; figures worked by hand, both databases."""

import uuid
from datetime import UTC, date, datetime
from io import BytesIO

import pytest
from django.db import connection
from django.utils import timezone

from headrace.closing import alarms, checklist, checks, proofs
from headrace.closing.checks import Check, Item, Severity
from headrace.closing.models import Alarm, Explanation
from headrace.engine.findings import Refusal
from headrace.foundation import companies
from headrace.foundation.models import OutboxMessage, Person
from headrace.ledger import periods
from headrace.programs import finalising
from headrace.sales import deliveries, reporting
from headrace.server import doctor
from headrace.workflow import requests
from tests.server.channel import FEBRUARY, JANUARY, Team, activated, delivered, team, work
from tests.server.conftest import Admins
from tests.server.master import load
from tests.server.test_routes import with_second_factor

pytestmark = pytest.mark.django_db
LATER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give people, open books and sales of 600 for A and 50 for B, so that 60 and 5 are provided for the first quarter."""
    made = team(admins)
    work()
    activated(made)
    delivered(made, JANUARY.replace("x1,sale", "b2,sale").replace("2026-13-45", "2026-03-30"))
    return made


def month(number: int) -> uuid.UUID:
    found = periods.standings(companies.find("US"))
    return next(one.id for one in found if one.from_on == date(2026, number, 1))


def found(channel: Team, number: int = 3) -> dict[str, int]:
    """Give how many items each check finds that finds any."""
    rows = checklist.of(month(number), channel.controller, at=timezone.now()).rows
    return {row.check.code: len(row.found.items) for row in rows if row.found.items}


def prove() -> None:
    for kind in proofs.Kind.values:
        proofs.prove(kind, at=timezone.now())


def close(channel: Team, *numbers: int) -> None:
    for number in numbers:
        periods.soft_close(period=month(number), by=channel.analyst, at=timezone.now())


def lock(channel: Team, number: int, *, asks: Person | None = None, decides: Person | None = None) -> None:
    asks, decides = asks or channel.analyst, decides or channel.controller
    periods.ask(period=month(number), to="locked", by=asks, at=timezone.now())
    periods.decide(period=month(number), by=decides, approve=True, at=timezone.now())


def explain(channel: Team, code: str, number: int = 3, by: Person | None = None) -> None:
    row = next(
        row for row in checklist.of(month(number), channel.auditor, at=timezone.now()).rows if row.check.code == code
    )
    checklist.explain(
        period=month(number), check=code, digest=row.found.digest, reason="B settles by hand.",
        by=by or channel.analyst, at=timezone.now(),
    )  # fmt: skip


def refused(act: object, *args: object, **named: object) -> str:
    with pytest.raises(Refusal) as why:
        act(*args, **named)  # type: ignore[operator]
    return why.value.code


def finalise(channel: Team) -> None:
    now = timezone.now()
    finalising.ask(program="volume", period_from=date(2026, 1, 1), by=channel.analyst, at=now)
    work()
    (waiting,) = requests.open_of([finalising.KIND])
    requests.approve(request=waiting.request, by=channel.controller, at=now)
    work()


def test_a_period_is_locked_once_nothing_stands_against_it(channel: Team) -> None:
    close(channel, 1, 2, 3)
    prove()
    # January and February hold nothing; in March the quarter of `volume` is over and not finalised.
    assert (found(channel, 1), found(channel, 2), found(channel, 3)) == ({}, {}, {"not_finalised": 1})
    lock(channel, 1)
    lock(channel, 2)
    assert refused(lock, channel, 3) == "close_stopped"
    finalise(channel)
    # What was earned was provided for before, so nothing moves in live balances; its memoranda are booked in April.
    assert found(channel) == {}
    assert found(channel, 4) == {"books_unproven": 1}
    lock(channel, 3)
    assert [one.state for one in periods.standings(companies.find("US"))][-3:] == ["locked"] * 3


def test_without_a_proof_of_this_moment_nothing_is_locked(channel: Team) -> None:
    close(channel, 1)
    assert found(channel, 1) == {"balances_unproven": 1}
    prove()
    delivered(channel, FEBRUARY, name="february.csv")
    assert set(found(channel, 1)) == {"balances_unproven"}
    assert refused(lock, channel, 1) == "close_stopped"
    prove()
    lock(channel, 1)


def test_what_is_asked_for_is_checked_again_when_it_is_granted(channel: Team) -> None:
    close(channel, 1)
    prove()
    periods.ask(period=month(1), to="locked", by=channel.analyst, at=timezone.now())
    delivered(channel, FEBRUARY, name="february.csv")
    decide = {"period": month(1), "by": channel.controller, "approve": True, "at": timezone.now()}
    assert refused(periods.decide, **decide) == "close_stopped"
    assert periods.standing(companies.find("US"), month(1)).state == "soft_closed"
    prove()
    periods.decide(**{**decide, "at": timezone.now()})  # type: ignore[arg-type]
    assert periods.standing(companies.find("US"), month(1)).state == "locked"


def test_an_explanation_holds_for_what_was_seen_and_its_author_does_not_grant_the_lock(channel: Team) -> None:
    close(channel, 1, 2, 3)
    prove()
    lock(channel, 1)
    lock(channel, 2)
    assert refused(explain, channel, "balances_unproven") == "nothing_to_explain"
    assert refused(explain, channel, "not_finalised", by=channel.author) == "not_permitted"
    explain(channel, "not_finalised")
    assert refused(explain, channel, "not_finalised") == "explained_already"
    assert refused(lock, channel, 3, asks=channel.controller, decides=channel.analyst) == "second_person"
    periods.decide(period=month(3), by=channel.analyst, approve=False, at=timezone.now())
    # The controller grants it, on the analyst's word.
    lock(channel, 3)
    (said,) = checklist.overrides(month(3), until=timezone.now())
    assert (said.check, said.items, said.reason, said.by) == (
        "not_finalised", 1, "B settles by hand.", f"person:{channel.analyst.pk}",
    )  # fmt: skip


def test_a_row_more_and_the_explanation_no_longer_holds(channel: Team) -> None:
    delivered(channel, JANUARY.replace("a1,", "a3,").replace("b1,", "b3,"), name="more.csv")
    # One row has no such day.
    assert found(channel)["rows_waiting"] == 1
    explain(channel, "rows_waiting")
    rows = checklist.of(month(3), channel.controller, at=timezone.now()).rows
    assert next(row for row in rows if row.check.code == "rows_waiting").stands is False
    delivered(channel, JANUARY.replace("a1,", "a4,").replace("b1,", "b4,"), name="again.csv")
    (row,) = [
        row
        for row in checklist.of(month(3), channel.controller, at=timezone.now()).rows
        if row.check.code == "rows_waiting"
    ]
    assert ([item.text for item in row.found.items], row.stands) == (
        ["more.csv: 1 row(s) rejected, 0 held.", "again.csv: 1 row(s) rejected, 0 held."], True,
    )  # fmt: skip
    assert Explanation.objects.count() == 1


def test_a_report_that_is_owed_and_did_not_come_is_told(channel: Team) -> None:
    now = timezone.now()
    load("partner", "partner_id,name,valid_from\nC,C,2026-01-01\nD,D,2026-01-01\n", channel.loader, at=now)
    prove()
    owed = {"stage": "sell_through", "calendar": "month", "due_days": 10, "by": channel.loader, "at": now}
    at_quarter = {**owed, "calendar": "quarter"}
    reporting.owe(reporter="C", from_on=date(2026, 2, 1), **owed)  # type: ignore[arg-type]
    reporting.owe(reporter="D", from_on=date(2026, 1, 1), **at_quarter)  # type: ignore[arg-type]
    # C owes February and March, each in its month; D owes the quarter, which ends with March.
    counts = {number: found(channel, number).get("feeds_missing", 0) for number in (1, 2, 3)}
    assert counts == {1: 0, 2: 1, 3: 2}
    explain(channel, "feeds_missing", 2)
    rows = checklist.of(month(2), channel.controller, at=now).rows
    assert not next(row for row in rows if row.check.code == "feeds_missing").stands


def test_what_blocks_is_not_explained_away(channel: Team) -> None:
    now = timezone.now()
    prove()
    delivery = deliveries.deliver(
        name="f.csv", content=BytesIO(FEBRUARY.encode()), kind="lines", profile="canonical", by=channel.loader, at=now
    )
    assert found(channel, 1)["files_waiting"] == 1
    assert refused(explain, channel, "files_waiting", 1) == "blocks"
    deliveries.load(delivery=delivery.pk, at=now)
    rows = checklist.of(month(1), channel.controller, at=now).rows
    (item,) = next(row for row in rows if row.check.code == "files_waiting").found.items
    assert item.text == "Batch 2 (f.csv) is appended and not in the balances."


def test_a_finalisation_that_is_under_way_is_told_until_it_is_posted(channel: Team) -> None:
    prove()
    finalising.ask(program="volume", period_from=date(2026, 1, 1), by=channel.analyst, at=timezone.now())
    assert found(channel)["requests_open"] == 1
    work()
    assert found(channel)["requests_open"] == 1
    (waiting,) = requests.open_of([finalising.KIND])
    requests.reject(request=waiting.request, by=channel.controller, reason="No.", at=timezone.now())
    assert "requests_open" not in found(channel)


def test_other_apps_register_their_checks(channel: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_CHECKS", {})
    feeds = Check(
        code="feeds_missing", label="Missing feeds", severity=Severity.EXPLAIN, mend="Ask for them.",
        look=lambda close: [Item(f"B owes the report of {close.period.from_on:%B}.")],
    )  # fmt: skip
    checks.register(feeds)
    rows = checklist.of(month(1), channel.controller, at=timezone.now()).rows
    assert [item.text for row in rows for item in row.found.items] == ["B owes the report of January."]


def test_a_balance_that_was_changed_behind_the_services_raises_an_alarm_that_names_it(channel: Team) -> None:
    prove()
    assert alarms.sounding() == ()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE programs_livestatement SET earned = '61' WHERE payee_id = 'A'")
    assert proofs.prove(proofs.Kind.BALANCES, at=timezone.now()) == 1
    (alarm,) = alarms.sounding()
    # 600 × 10 %.
    assert alarm.faults[0].endswith("earned stands 61, computed 60")
    assert "volume / partner / A" in alarm.faults[0]
    assert alarm.severity == "critical"
    assert proofs.prove(proofs.Kind.BALANCES, at=timezone.now()) == 1
    assert (Alarm.objects.count(), OutboxMessage.objects.filter(kind="alarm").count()) == (1, 1)
    assert found(channel, 1) == {"balances_unproven": 1, "not_provided": 1}
    shown = {each.what: each.fault for each in doctor.examine()}
    assert "1 figure(s) of live balances" in (shown["alarms"] or "")
    for who, sees in ((channel.controller, True), (channel.partner_a, False)):
        page = with_second_factor(who).get("/", secure=True).content.decode()
        assert ("computed 60" in page) is sees
    with connection.cursor() as cursor:
        cursor.execute("UPDATE programs_livestatement SET earned = '60' WHERE payee_id = 'A'")
    assert proofs.prove(proofs.Kind.BALANCES, at=timezone.now()) == 0
    assert alarms.sounding() == ()
    assert Alarm.objects.get().cleared_because.startswith("Proven at")


def test_the_proofs_are_scheduled_jobs(channel: Team) -> None:
    # They ran with the first work of the worker.
    assert {kind for kind in proofs.Kind.values if proofs.last(kind) is not None} == set(proofs.Kind.values)


def test_the_checklist_is_a_page(channel: Team) -> None:
    close(channel, 1, 2, 3)
    prove()
    analyst, auditor = with_second_factor(channel.analyst), with_second_factor(channel.auditor)
    address = f"/closing/{month(3)}/"
    page = analyst.get(address, secure=True).content.decode()
    assert "volume, 2026-01-01/2026-04-01: 2 payee(s) are provided for and nothing is finalised." in page
    assert '<a href="/programs/of/volume/">' in page
    assert "Explain" in page
    assert "Explain" not in auditor.get(address, secure=True).content.decode()
    row = next(
        row
        for row in checklist.of(month(3), channel.auditor, at=timezone.now()).rows
        if row.check.code == "not_finalised"
    )
    given = {"check": "not_finalised", "digest": row.found.digest, "reason": "Later <b>"}
    assert auditor.post(f"{address}explain", given, secure=True).status_code == 403
    assert analyst.post(f"{address}explain", {**given, "digest": "x"}, secure=True).status_code == 409
    assert analyst.post(f"{address}explain", given, secure=True).status_code == 302
    page = analyst.get(address, secure=True).content.decode()
    assert "Later &lt;b&gt;" in page
    assert "Nothing stands against locking it." in page
