"""Adjustments by hand: explained by a version in force or recorded as a side deal, posted apart, taken back line by line."""

from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import companies, files
from headrace.foundation.people import Person
from headrace.foundation.roles import Role
from headrace.governance import adjusting, side_deals
from headrace.governance.adjusting import Wanted
from headrace.governance.models import Adjustment, SideDeal
from headrace.ledger import proof, reading
from headrace.ledger.kinds import Kind
from headrace.programs import balances, finalising, versions
from headrace.workflow import requests
from tests.server.channel import (
    FEBRUARY,
    HEADER,
    JANUARY,
    TERMS,
    Team,
    activated,
    delivered,
    member_with,
    team,
    waiting,
    work,
)
from tests.server.conftest import Admins
from tests.server.test_routes import with_second_factor

pytestmark = pytest.mark.django_db
D = Decimal
Q1 = {"from_": date(2026, 1, 1), "until": date(2026, 4, 1)}


@pytest.fixture
def channel(admins: Admins) -> Team:
    """A program in force; A sold 600 and B 50."""
    made = team(admins)
    activated(made)
    delivered(made, JANUARY)
    return made


@pytest.fixture
def manager(admins: Admins) -> Person:
    return member_with(admins, "may", Role.ACCOUNT_MANAGER, at=timezone.now())


def ask(by: Person, amount: str = "25", **further: Any) -> Adjustment:
    at = timezone.now()
    kept = files.store(name="mail.csv", content=BytesIO(b"agreed,25\n"), organisation="vendor", by=by, at=at)
    given: dict[str, Any] = {
        "program": "volume", "version": 1, "partner": "A", **Q1, "amount": D(amount), "currency": "USD",
        "reason_code": "missing_lines", "note": "Lines of March are missing.", "lines": {}, **further,
    }  # fmt: skip
    return adjusting.ask(wanted=Wanted(**given), evidence=kept.pk, by=by, at=at)


def approve(by: Person, channel: Team) -> None:
    (asked,) = waiting(channel)
    requests.approve(request=asked.request, by=by, at=timezone.now())
    work()


def stand() -> dict[tuple[str, str, bool], Decimal]:
    """Give credits − debits of liabilities and the memorandum, by kind, payee and whether it is an adjustment."""
    kinds = (Kind.ACCRUED, Kind.PAYABLE, Kind.OVERPAID, Kind.EARNED)
    sums: dict[tuple[str, str, bool], Decimal] = {}
    for row in reading.balances(companies.find("US"), kinds=kinds):
        key = (row.account.kind.value, row.account.key.payee, bool(row.account.key.fund))
        sums[key] = sums.get(key, D(0)) - row.amount
    return {key: amount for key, amount in sums.items() if amount}


ENGINE = {("accrued", "A", False): D(60), ("accrued", "B", False): D(5)}


def test_an_adjustment_takes_two_people_and_is_posted_apart(channel: Team, manager: Person) -> None:
    made = ask(manager)
    assert stand() == ENGINE
    for other in (manager, channel.author, channel.loader):
        with pytest.raises(Refusal):
            approve(other, channel)
    approve(channel.analyst, channel)
    assert stand() == {**ENGINE, ("accrued", "A", True): D(25), ("earned", "A", True): D(25)}
    made.refresh_from_db()
    assert (made.state, made.decided_by) == ("posted", channel.analyst)
    # It is not what the engine calculates: balances, their proof, later batches and a finalisation leave it as it is.
    assert {
        each.key.payee_id: each.earned for each in balances.seen(channel.controller, at=timezone.now()).standings
    } == {
        "A": D(60),
        "B": D(5),
    }
    delivered(channel, FEBRUARY, name="february.csv")
    assert balances.prove() == 2
    finalising.ask(program="volume", period_from=date(2026, 1, 1), by=channel.analyst, at=timezone.now())
    work()
    approve(channel.controller, channel)
    assert stand() == {
        ("accrued", "A", False): D(140), ("accrued", "B", False): D(5), ("accrued", "A", True): D(25),
        ("earned", "A", False): D(140), ("earned", "B", False): D(5), ("earned", "A", True): D(25),
    }  # fmt: skip
    assert proof.prove().findings == ()


def test_a_rejected_one_posts_nothing(channel: Team, manager: Person) -> None:
    made = ask(manager)
    (asked,) = waiting(channel)
    requests.reject(request=asked.request, by=channel.analyst, reason="No evidence.", at=timezone.now())
    made.refresh_from_db()
    assert (made.state, stand()) == ("rejected", ENGINE)


def test_less_than_nothing_is_owed_back(channel: Team, manager: Person) -> None:
    ask(manager, "-10", reason_code="data_error")
    approve(channel.controller, channel)
    assert stand() == {**ENGINE, ("overpaid", "A", True): D(-10), ("earned", "A", True): D(-10)}


def test_each_line_that_arrives_takes_its_share_back(channel: Team, manager: Person) -> None:
    made = ask(manager, "25", lines={"m1": D(15), "m2": D(10)})
    approve(channel.analyst, channel)
    delivered(channel, HEADER + "m1,sale,sell_through,2026-03-05,A,K1,1,150,USD\n", name="march.csv")
    made.refresh_from_db()
    assert (made.state, made.arrived) == ("posted", ["m1"])
    # A earns 750 × 10 % by its lines, and 10 by hand is left.
    assert stand() == {
        ("accrued", "A", False): D(75), ("accrued", "B", False): D(5), ("accrued", "A", True): D(10),
        ("earned", "A", True): D(10),
    }  # fmt: skip
    assert adjusting.take_back(at=timezone.now()) == 0
    delivered(channel, HEADER + "m2,sale,sell_through,2026-03-06,A,K1,1,100,USD\n", name="later.csv")
    made.refresh_from_db()
    assert made.state == "reversed"
    assert stand() == {("accrued", "A", False): D(85), ("accrued", "B", False): D(5)}
    assert proof.prove().findings == ()


def test_lines_that_arrive_before_the_approval_are_taken_back_with_it(channel: Team, manager: Person) -> None:
    made = ask(manager, "25", lines={"m1": D(25)})
    delivered(channel, HEADER + "m1,sale,sell_through,2026-03-05,A,K1,1,150,USD\n", name="march.csv")
    approve(channel.analyst, channel)
    made.refresh_from_db()
    assert (made.state, stand()[("accrued", "A", False)]) == ("reversed", D(75))
    assert ("accrued", "A", True) not in stand()


@pytest.mark.parametrize(
    ("further", "told"),
    [
        ({"amount": "0"}, "adjusts nothing"),
        ({"reason_code": "because"}, "The reason is one of"),
        ({"note": " "}, "Say what happened"),
        ({"lines": {"m1": D(24)}}, "add up to 24"),
        ({"lines": {"a1": D(25)}}, "arrived already"),
    ],
)
def test_what_is_no_adjustment_is_refused(channel: Team, manager: Person, further: dict[str, Any], told: str) -> None:
    with pytest.raises(Refusal, match=told) as refusal:
        ask(manager, **further)
    assert refusal.value.code == "adjustment_faulty"
    assert not SideDeal.objects.exists()


@pytest.mark.parametrize(
    ("further", "told"),
    [
        ({"program": "handshake"}, "no version handshake/1 was ever approved"),
        ({"version": 2}, "no version volume/2 was ever approved"),
        ({"currency": "EUR"}, "pays in USD, not in EUR"),
        ({"from_": date(2025, 1, 1), "until": date(2025, 4, 1)}, "prices no day of that period"),
    ],
)
def test_what_no_version_explains_is_refused_and_recorded(
    channel: Team, manager: Person, further: dict[str, Any], told: str
) -> None:
    versions.draft(text=TERMS.replace("name:", "version: 2\nname:"), by=channel.author, at=timezone.now())
    with pytest.raises(Refusal, match=told) as refusal:
        ask(manager, **further)
    assert refusal.value.code == "side_deal"
    assert (Adjustment.objects.count(), waiting(channel), stand()) == (0, [], ENGINE)
    (deal,) = side_deals.listed(channel.controller, at=timezone.now())
    assert (deal.what, deal.by) == ("adjustment", "may")
    assert told in deal.said


def test_whom_an_enrolled_program_never_had_is_owed_nothing(channel: Team, manager: Person) -> None:
    only = TERMS.replace("volume", "only").replace(
        "schedule:", "enrolled: true\ninputs: [ { earner: B, enrolled_from: 2026-01-01 } ]\nschedule:"
    )
    activated(channel, only)
    with pytest.raises(Refusal, match="never took part") as refusal:
        ask(manager, program="only")
    assert refusal.value.code == "side_deal"
    ask(manager, program="only", partner="B")


def test_terms_that_nobody_approved_leave_a_trace_too(channel: Team) -> None:
    at = timezone.now()
    version = versions.draft(text=TERMS.replace("volume", "quiet"), by=channel.author, at=at)
    version.state = "approved"  # as somebody who writes past the services could
    version.save()
    with pytest.raises(Refusal) as refusal:
        versions.step(version=version.pk, event="activate", by=channel.author, at=at)
    assert refusal.value.code == "terms_not_approved"
    (deal,) = side_deals.listed(channel.controller, at=at)
    assert (deal.what, deal.program) == ("activate_version", "quiet")


def test_what_has_no_place_in_the_books_is_not_even_asked_for(admins: Admins, manager: Person) -> None:
    made = team(admins)
    activated(made, TERMS.replace("schedule:", "settle: { company: MOON }\nschedule:"))
    with pytest.raises(Refusal) as refusal:
        ask(manager)
    assert refusal.value.code == "no_place"
    assert not Adjustment.objects.exists()


def test_pages_show_it_apart_and_report_every_override(channel: Team, manager: Person) -> None:
    page = with_second_factor(manager)
    given = {
        "program": "volume", "version": "1", "partner": "A", "from_on": "2026-01-01", "until_on": "2026-04-01",
        "amount": "25", "currency": "USD", "reason_code": "missing_lines", "note": "Lines of March", "lines": "m1 15\nm2 10\n",
    }  # fmt: skip

    def sent(**further: str) -> int:
        evidence = SimpleUploadedFile("mail.csv", b"agreed,25\n")
        return int(page.post("/adjustments/ask", {**given, **further, "evidence": evidence}, secure=True).status_code)

    assert [sent(lines="m1"), sent(lines="m1 15\nm1 10"), sent(program="handshake"), sent()] == [422, 422, 422, 302]
    ann, bob = with_second_factor(channel.partner_a), with_second_factor(channel.partner_b)
    assert "25.00 USD" not in ann.get("/adjustments/", secure=True).content.decode()
    approve(channel.analyst, channel)
    assert "25.00 USD" in ann.get("/adjustments/", secure=True).content.decode()
    assert "25.00 USD" not in bob.get("/adjustments/", secure=True).content.decode()
    rows = page.get("/overrides/report.csv", secure=True).content.decode().splitlines()
    assert [row.split(",")[1:3] for row in rows[1:]] == [["adjustment", "volume"], ["side deal", "handshake"]]
    assert "handshake/1 was ever approved" in page.get("/overrides/", secure=True).content.decode()
