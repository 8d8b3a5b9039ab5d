"""Budgets warn and stop what is promised anew, and never what is owed; the register says it all. Figures worked by hand."""

from datetime import date
from decimal import Decimal

import pytest
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.engine.terms import loads
from headrace.governance import assigning, budgets, register
from headrace.governance.assigning import Whom
from headrace.governance.budgets import Wanted
from headrace.programs import versions
from headrace.programs.models import Version
from headrace.workflow import requests
from tests.server.channel import FEBRUARY, JANUARY, TERMS, Team, activated, delivered, team, waiting, work
from tests.server.conftest import Admins
from tests.server.test_routes import with_second_factor

pytestmark = pytest.mark.django_db
D = Decimal
CAPPED = TERMS.replace("schedule:", "enrolled: true\nlimits: { payout: { per_scope: 100 } }\nschedule:")


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


def budget(channel: Team, amount: str, expected: str = "0", **further: str) -> None:
    wanted = Wanted(amount=D(amount), expected=D(expected), currency="USD", **further)  # type: ignore[arg-type]
    budgets.ask(program="volume", wanted=wanted, reason="plan", by=channel.author, at=timezone.now())
    (asked,) = [each for each in waiting(channel) if each.kind == "budget"]
    requests.approve(request=asked.request, by=channel.analyst, at=timezone.now())


def approved(channel: Team, text: str) -> Version:
    at = timezone.now()
    version = versions.draft(text=text, by=channel.author, at=at)
    versions.step(version=version.pk, event="submit", by=channel.author, at=at)
    (asked,) = waiting(channel)
    requests.approve(request=asked.request, by=channel.approver, at=at)
    return version


def activate(channel: Team, version: Version) -> None:
    versions.step(version=version.pk, event="activate", by=channel.author, at=timezone.now())


def assign(channel: Team, *partners: str) -> None:
    assigning.assign(
        program="volume", whom=Whom(partners=partners), from_on=date(2026, 1, 1), by=channel.author, at=timezone.now()
    )
    work()


def row(channel: Team) -> register.Row:
    (one,) = register.rows(channel.controller, at=timezone.now())
    return one


def test_a_budget_takes_two_people_and_the_last_approved_one_holds(channel: Team) -> None:
    versions.draft(text=TERMS, by=channel.author, at=timezone.now())
    assert row(channel).status == "none"
    budget(channel, "1000", "200", region="EMEA")
    wanted = Wanted(amount=D(5000), expected=D(0), currency="USD")
    budgets.ask(program="volume", wanted=wanted, reason="more", by=channel.author, at=timezone.now())
    assert (row(channel).budget, row(channel).region) == (D(1000), "EMEA")
    with pytest.raises(Refusal) as refusal:
        budgets.ask(program="volume", wanted=wanted, reason="more", by=channel.author, at=timezone.now())
    assert refusal.value.code == "asked_already"
    (asked,) = waiting(channel)
    assert asked.facts["before"] == {"USD": "1000"}
    requests.reject(request=asked.request, by=channel.analyst, reason="No money.", at=timezone.now())
    assert row(channel).budget == 1000


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(amount=D(10), expected=D(11), currency="USD"),
        Wanted(amount=D(10), expected=D(-1), currency="USD"),
        Wanted(amount=D(10), expected=D(1), currency="dollars"),
        Wanted(amount=D(10), expected=D(1), currency="USD", warn_at=D(2)),
    ],
)
def test_what_is_no_budget_is_refused(channel: Team, wanted: Wanted) -> None:
    versions.draft(text=TERMS, by=channel.author, at=timezone.now())
    with pytest.raises(Refusal) as refusal:
        budgets.ask(program="volume", wanted=wanted, reason="plan", by=channel.author, at=timezone.now())
    assert refusal.value.code == "budget_faulty"


@pytest.mark.parametrize(
    ("more", "partners", "promised"),
    [
        ("", 3, "7"),
        # The program's own limit, whoever takes part.
        ("enrolled: true\nlimits: { payout: { per_scope: 100, program: 250 } }\n", 3, "250"),
        # 100 a quarter, 4 quarters, 3 partners; the highest own cap counts for everybody.
        ("enrolled: true\nlimits: { payout: { per_scope: 100 } }\n", 3, "1200"),
        ("enrolled: true\nlimits: { payout: { per_scope: 100 } }\ninputs: [ { earner: A, cap: 150 } ]\n", 2, "1200"),
        ("enrolled: true\nmeasure: { every: month }\nlimits: { payout: { per_scope: 10 } }\n", 1, "120"),
        ("enrolled: true\nmeasure: { every: program }\nlimits: { payout: { per_scope: 10 } }\n", 2, "20"),
        # Not only enrolled partners earn, or a partner has several statements: then there is no such bound.
        ("limits: { payout: { per_scope: 100 } }\n", 3, "7"),
        ("enrolled: true\nmeasure: { per: [earner, product] }\nlimits: { payout: { per_scope: 100 } }\n", 3, "7"),
    ],
)
def test_what_terms_promise_is_their_own_bound_or_what_is_expected(more: str, partners: int, promised: str) -> None:
    read, findings = loads(TERMS.replace("schedule:", f"{more}schedule:"), "p")
    assert [each for each in findings if each.severity == "error"] == []
    assert budgets.promised(read[0], partners, D(7)) == D(promised)


def test_assigning_stops_at_the_budget_and_goes_on_with_more(channel: Team) -> None:
    version = approved(channel, CAPPED)
    budget(channel, "800")
    activate(channel, version)
    # 100 a quarter, 4 quarters: two partners are 800, a third would be 1,200.
    assign(channel, "A", "B")
    assert (row(channel).committed, row(channel).status) == (D(800), "warned")
    with pytest.raises(Refusal) as refusal:
        assign(channel, "C")
    assert refusal.value.code == "budget_exceeded"
    assert "1200 USD would be promised" in refusal.value.message
    budget(channel, "1600")
    assign(channel, "C")
    assert (row(channel).committed, row(channel).status) == (D(1200), "kept")


def test_a_version_beyond_the_budget_does_not_come_into_force(channel: Team) -> None:
    version = approved(channel, TERMS.replace("schedule:", "limits: { payout: { program: 500 } }\nschedule:"))
    budget(channel, "499.99")
    with pytest.raises(Refusal) as refusal:
        activate(channel, version)
    assert refusal.value.code == "budget_exceeded"
    version.refresh_from_db()
    assert version.state == "approved"
    budget(channel, "500")
    activate(channel, version)


def test_what_published_terms_owe_is_owed_beyond_the_budget(channel: Team) -> None:
    version = approved(channel, TERMS)
    budget(channel, "100", "50")
    activate(channel, version)
    delivered(channel, JANUARY)
    # A: 60, B: 5.
    assert (row(channel).committed, row(channel).accrued, row(channel).status) == (D(65), D(65), "kept")
    delivered(channel, FEBRUARY, name="february.csv")
    # A: 140 by now. It is provided in the books, and the budget says so.
    assert (row(channel).accrued, row(channel).paid, row(channel).status) == (D(145), D(0), "exceeded")
    second = TERMS.replace("name:", "version: 2\nname:").replace("2026-01-01", "2026-07-01")
    with pytest.raises(Refusal) as refusal:
        activated(channel, second)
    assert refusal.value.code == "budget_exceeded"


def test_the_register_names_owner_and_approver_on_a_page_and_in_a_file(channel: Team) -> None:
    version = approved(channel, TERMS)
    budget(channel, "1000", "200", region="EMEA")
    activate(channel, version)
    author = with_second_factor(channel.author)
    lines = author.get("/register/programs.csv", secure=True).content.decode().splitlines()
    assert lines[0].split(",") == list(register.HEADER)
    assert lines[1] == (
        "volume,Volume rebate,custom,1,active,author,author,approver,2026-01-01,2027-01-01,EMEA,USD,1000,200,200,0,0,kept"
    )
    page = author.get("/register/", secure=True).content.decode()
    assert "1,000.00 USD" in page
    given = {
        "program": "volume",
        "amount": "2000",
        "expected": "300",
        "currency": "USD",
        "warn_at": "0.5",
        "reason": "x",
    }
    assert author.post("/register/budgets/ask", given, secure=True).status_code == 302
    assert author.post("/register/budgets/ask", {**given, "currency": "$"}, secure=True).status_code == 422
    assert author.post("/register/budgets/ask", {**given, "program": "none"}, secure=True).status_code == 422
