"""Amendments: reviewed with what they change, accepted by those who lose, activated as approved; figures worked by hand."""

import re
from decimal import Decimal

import pytest
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation.people import Person
from headrace.foundation.roles import Role
from headrace.governance import reviewing
from headrace.governance.models import Acceptance, Review
from headrace.governance.tasks import review_version
from headrace.programs import balances, versions
from headrace.programs.models import Version
from headrace.workflow import requests
from headrace.workflow.models import Request
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
LOWER = (
    TERMS.replace("name:", "version: 2\nname:").replace("2026-01-01", "2026-02-01").replace("rate: 0.1", "rate: 0.05")
)
LATER = LOWER.replace("2026-02-01", "2026-04-01")
HIGHER = (
    TERMS.replace("name:", "version: 2\nname:").replace("2026-01-01", "2026-02-01").replace("rate: 0.1", "rate: 0.15")
)


@pytest.fixture
def channel(admins: Admins) -> Team:
    """A program in force; A sold 600 in January and 600 in February, B 50 at February's end."""
    made = team(admins)
    activated(made)
    delivered(made, JANUARY)
    delivered(made, FEBRUARY, name="february.csv")
    return made


@pytest.fixture
def of_a(admins: Admins) -> Person:
    return member_with(admins, "alice", Role.PARTNER_ADMIN, "A", at=timezone.now())


@pytest.fixture
def of_b(admins: Admins) -> Person:
    return member_with(admins, "bill", Role.PARTNER_ADMIN, "B", at=timezone.now())


def submitted(channel: Team, text: str) -> Version:
    at = timezone.now()
    version = versions.draft(text=text, by=channel.author, at=at)
    versions.step(version=version.pk, event="submit", by=channel.author, at=at)
    work()
    return version


def approved(channel: Team, text: str, *more: Person) -> Version:
    version = submitted(channel, text)
    (asked,) = waiting(channel)
    for person in (channel.approver, *more):
        requests.approve(request=asked.request, by=person, at=timezone.now())
    return version


def activate(channel: Team, version: Version) -> Version:
    return versions.step(version=version.pk, event="activate", by=channel.author, at=timezone.now())


def refused(channel: Team, version: Version) -> str:
    with pytest.raises(Refusal) as refusal:
        activate(channel, version)
    version.refresh_from_db()
    assert version.state == "approved"
    return refusal.value.code


def decide(person: Person, *, accept: bool = True, reason: str = "") -> None:
    mine = [each for each in reviewing.to_accept(person, at=timezone.now()) if each.may_decide]
    (one,) = mine
    reviewing.decide(acceptance=one.acceptance, accept=accept, reason=reason, by=person, at=timezone.now())


def earned(channel: Team) -> dict[str, Decimal]:
    found = balances.seen(channel.controller, at=timezone.now())
    return {each.key.payee_id: each.earned for each in found.standings}


def test_the_reviewer_sees_the_difference_and_who_would_get_less(channel: Team) -> None:
    submitted(channel, LOWER)
    (asked,) = waiting(channel)
    facts = asked.facts
    # Laid over the whole quarter. A: 1,000 × 5 % + 200 × 20 % = 90, not 140; B: 2.50, not 5.
    assert (facts["simulated_now"], facts["simulated_then"]) == ({"USD": "145"}, {"USD": "92.5"})
    assert [(row["payee"], row["now"], row["then"], row["less"]) for row in facts["would_get_less"]] == [
        ("A", "140", "90", "50"),
        ("B", "5", "2.5", "2.5"),
    ]
    # As it would be. A: 600 × 10 % in January, then 400 × 5 % + 200 × 20 % = 120; B: 50 × 5 %.
    assert [(row["payee"], row["earned"], row["then"], row["less"]) for row in facts[reviewing.LOWERED]] == [
        ("A", "140", "120", "20"),
        ("B", "5", "2.5", "2.5"),
    ]
    assert ("schedule.tiers[1].rate", "worse") in [(row["key"], row["for the partner"]) for row in facts["changes"]]
    assert facts["as_of_batch"] == 2
    page = with_second_factor(channel.approver).get(f"/requests/{asked.request}/", secure=True).content.decode()
    assert re.search(r"<td>A</td><td></td><td>140</td><td>90</td><td>50</td><td>USD</td>", page)


def test_lowering_what_is_earned_takes_finance_and_every_partner_who_loses(
    channel: Team, of_a: Person, of_b: Person
) -> None:
    version = submitted(channel, LOWER)
    (asked,) = waiting(channel)
    assert not requests.approve(request=asked.request, by=channel.approver, at=timezone.now())
    assert not Acceptance.objects.exists()
    for other in (channel.analyst, channel.author):
        with pytest.raises(Refusal):
            requests.approve(request=asked.request, by=other, at=timezone.now())
    assert requests.approve(request=asked.request, by=channel.controller, at=timezone.now())
    version.refresh_from_db()
    assert refused(channel, version) == "acceptance_missing"
    decide(of_a)
    assert refused(channel, version) == "acceptance_missing"
    decide(of_b)
    assert activate(channel, version).state == "active"
    work()
    assert earned(channel) == {"A": 120, "B": Decimal("2.5")}


def test_a_partner_who_declines_keeps_what_was_earned(channel: Team, of_a: Person, of_b: Person) -> None:
    version = approved(channel, LOWER, channel.controller)
    decide(of_a)
    with pytest.raises(Refusal) as refusal:
        decide(of_b, accept=False, reason=" ")
    assert refusal.value.code == "reason_missing"
    decide(of_b, accept=False, reason="We sold on the old terms.")
    assert refused(channel, version) == "acceptance_declined"
    assert earned(channel) == {"A": 140, "B": 5}
    # The way out: other terms, from April on, which touch nothing that is earned.
    versions.step(version=version.pk, event="reopen", by=channel.author, at=timezone.now())
    again = approved(channel, LATER)
    assert again.pk == version.pk
    assert activate(channel, again).state == "active"
    work()
    assert earned(channel) == {"A": 140, "B": 5}


def test_acceptances_of_others_do_not_exist(channel: Team, of_a: Person) -> None:
    approved(channel, LOWER, channel.controller)
    of_b = Acceptance.objects.get(partner="B")
    assert [each.partner for each in reviewing.to_accept(of_a, at=timezone.now())] == ["A"]
    page = with_second_factor(of_a)
    assert page.post(f"/acceptances/{of_b.pk}/accept", secure=True).status_code == 404
    listed = page.get("/acceptances/", secure=True).content.decode()
    assert "<td>140</td><td>120</td><td>20</td>" in listed
    assert ">B<" not in listed
    # A user of the partner reads it, and only its administrator binds it.
    of_own = Acceptance.objects.get(partner="A")
    user = with_second_factor(channel.partner_a)
    assert user.post(f"/acceptances/{of_own.pk}/accept", secure=True).status_code == 403
    assert user.get("/acceptances/", secure=True).status_code == 200
    assert page.post(f"/acceptances/{of_own.pk}/accept", secure=True).status_code == 302
    assert page.post(f"/acceptances/{of_own.pk}/decline", {"reason": "no"}, secure=True).status_code == 409
    of_own.refresh_from_db()
    assert of_own.state == "accepted"


def test_what_raises_or_begins_later_asks_one_stage(channel: Team) -> None:
    for text in (LATER, HIGHER):
        version = submitted(channel, text)
        (asked,) = waiting(channel)
        assert asked.facts[reviewing.LOWERED] == []
        requests.approve(request=asked.request, by=channel.approver, at=timezone.now())
        versions.step(version=version.pk, event="reopen", by=channel.author, at=timezone.now())
    assert not Acceptance.objects.exists()


def test_what_was_approved_is_what_is_activated(channel: Team) -> None:
    second = approved(channel, LATER)
    third = approved(channel, LATER.replace("version: 2", "version: 3").replace("2026-04-01", "2026-07-01"))
    # Both were reviewed against the first; once the second is in force, the third was reviewed against what is no more.
    assert activate(channel, second).state == "active"
    assert refused(channel, third) == "amendment_overtaken"
    versions.step(version=third.pk, event="reopen", by=channel.author, at=timezone.now())
    third = approved(channel, LATER.replace("version: 2", "version: 3").replace("2026-04-01", "2026-07-01"))
    assert Request.objects.get(subject=str(third.pk), facts__amends_version=2).state == "approved"
    assert activate(channel, third).state == "active"


def test_more_lines_after_the_approval_are_not_lowered_unseen(channel: Team, of_a: Person, of_b: Person) -> None:
    version = approved(channel, LOWER, channel.controller)
    decide(of_a)
    decide(of_b)
    # B sells 100 more in March: 15 by the old terms, 7.50 by the new ones, and 2.50 was agreed to.
    delivered(channel, HEADER + "b2,sale,sell_through,2026-03-05,B,K1,1,100,USD\n", name="march.csv")
    assert refused(channel, version) == "effect_grown"
    assert earned(channel) == {"A": 140, "B": 15}


def test_the_job_that_runs_twice_asks_once(channel: Team) -> None:
    submitted(channel, LATER)
    (review,) = Review.objects.all()
    assert review_version.func(str(review.pk)) == "asked"
    assert len(waiting(channel)) == 1


def test_a_draft_taken_back_while_its_effect_is_worked_out_asks_nobody(channel: Team) -> None:
    at = timezone.now()
    version = versions.draft(text=LATER, by=channel.author, at=at)
    versions.step(version=version.pk, event="submit", by=channel.author, at=at)
    versions.return_to_draft(version=version.pk, at=at)
    work()
    assert waiting(channel) == []


def test_an_amendment_before_any_line_arrived(admins: Admins) -> None:
    made = team(admins)
    activated(made)
    submitted(made, LATER)
    (asked,) = waiting(made)
    assert (asked.facts["would_get_less"], asked.facts[reviewing.LOWERED]) == ([], [])
    assert "no lines" in asked.facts["simulated"]
