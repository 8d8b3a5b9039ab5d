"""Requests and the life of a version: maker and approver are two people, a rejection says why, nothing else leads anywhere."""

import uuid
from itertools import product

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation.models import Person
from headrace.foundation.roles import Permission
from headrace.programs import states, versions
from headrace.programs.models import Version
from headrace.workflow import policies, requests
from headrace.workflow.models import Decision, Request
from tests.server.channel import TERMS, Team, activated, team
from tests.server.conftest import Admins


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


def drafted(channel: Team, text: str = TERMS, by: Person | None = None) -> Version:
    return versions.draft(text=text, by=by or channel.author, at=timezone.now())


def submitted(channel: Team) -> tuple[Version, uuid.UUID]:
    version = drafted(channel)
    versions.step(version=version.pk, event="submit", by=channel.author, at=timezone.now())
    return version, Request.objects.get(state="open").pk


def state_of(version: Version) -> str:
    version.refresh_from_db()
    return str(version.state)


def code_of(refused: pytest.ExceptionInfo[Refusal]) -> str:
    return refused.value.code


def test_whoever_asked_does_not_decide_and_nothing_changed(channel: Team) -> None:
    version, asked = submitted(channel)
    with pytest.raises(Refusal) as refused:
        requests.approve(request=asked, by=channel.author, at=timezone.now())
    assert code_of(refused) == "second_person"
    assert (state_of(version), Decision.objects.count()) == ("in_review", 0)


def test_whoever_wrote_at_the_terms_does_not_approve_them_either(channel: Team) -> None:
    drafted(channel, by=channel.approver)
    _, asked = submitted(channel)
    with pytest.raises(Refusal) as refused:
        requests.approve(request=asked, by=channel.approver, at=timezone.now())
    assert code_of(refused) == "second_person"
    requests.approve(request=asked, by=channel.controller, at=timezone.now())


def test_a_decision_asks_for_its_permission(channel: Team) -> None:
    version, asked = submitted(channel)
    for other in (channel.loader, channel.analyst, channel.partner_a):
        with pytest.raises(Refusal) as refused:
            requests.approve(request=asked, by=other, at=timezone.now())
        assert code_of(refused) == "not_permitted"
    assert state_of(version) == "in_review"


def test_a_rejection_goes_back_with_its_reason(channel: Team) -> None:
    version, asked = submitted(channel)
    with pytest.raises(Refusal) as refused:
        requests.reject(request=asked, by=channel.approver, reason="  ", at=timezone.now())
    assert code_of(refused) == "reason_missing"
    requests.reject(request=asked, by=channel.approver, reason="The second tier is too low.", at=timezone.now())
    assert state_of(version) == "draft"
    shown = requests.one(asked, channel.author, at=timezone.now())
    assert [(each.verdict, each.reason) for each in shown.decisions] == [("reject", "The second tier is too low.")]
    with pytest.raises(Refusal) as refused:
        requests.approve(request=asked, by=channel.controller, at=timezone.now())
    assert code_of(refused) == "already_decided"
    submitted(channel)


def test_only_whoever_asked_takes_a_request_back(channel: Team) -> None:
    version, asked = submitted(channel)
    with pytest.raises(Refusal) as refused:
        requests.withdraw(request=asked, by=channel.approver, at=timezone.now())
    assert code_of(refused) == "not_permitted"
    requests.withdraw(request=asked, by=channel.author, at=timezone.now())
    assert state_of(version) == "draft"


def test_terms_in_review_or_later_never_change(channel: Team) -> None:
    version, _ = submitted(channel)
    changed = TERMS.replace("0.2", "0.9")
    with pytest.raises(Refusal) as refused:
        drafted(channel, changed)
    assert code_of(refused) == "version_taken"
    version.refresh_from_db()
    assert version.written == TERMS


def test_terms_that_nobody_approved_do_not_come_into_force(channel: Team) -> None:
    version, asked = submitted(channel)
    requests.approve(request=asked, by=channel.approver, at=timezone.now())
    version.refresh_from_db()
    # As somebody who writes past the services could.
    version.document["schedule"]["tiers"][1]["rate"] = "0.9"
    version.save()
    with pytest.raises(Refusal) as refused:
        versions.step(version=version.pk, event="activate", by=channel.author, at=timezone.now())
    assert code_of(refused) == "terms_not_approved"
    assert state_of(version) == "approved"


def test_a_faulty_document_is_refused_with_its_faults(channel: Team) -> None:
    with pytest.raises(Refusal) as refused:
        drafted(channel, TERMS.replace("rate: 0.2", "rat: 0.2"))
    assert code_of(refused) == "terms_faulty"
    assert any("rat" in finding.message for finding in refused.value.findings)
    assert not Version.objects.exists()


def test_a_new_version_has_a_higher_number(channel: Team) -> None:
    drafted(channel, TERMS.replace("name:", "version: 3\nname:"))
    with pytest.raises(Refusal) as refused:
        drafted(channel, TERMS.replace("name:", "version: 2\nname:"))
    assert code_of(refused) == "version_behind"


@pytest.mark.parametrize(
    ("state", "event"),
    [pair for pair in product(Version.State.values, versions._NEEDS) if pair not in states.LIFE],
)
def test_what_is_no_step_of_the_life_is_refused(channel: Team, state: str, event: str) -> None:
    version = drafted(channel)
    version.state = state
    version.activated_at = timezone.now() if state in versions.IN_FORCE else None
    version.save()
    with pytest.raises(Refusal) as refused:
        versions.step(version=version.pk, event=event, by=channel.author, at=timezone.now())
    assert code_of(refused) == "version_state"
    assert state_of(version) == state


def test_a_version_walks_its_whole_life(channel: Team) -> None:
    version = activated(channel)
    for event, after in (("suspend", "suspended"), ("resume", "active"), ("end", "ended")):
        versions.step(version=version.pk, event=event, by=channel.author, at=timezone.now())
        assert state_of(version) == after


def test_the_database_itself_knows_that_a_maker_never_decides(channel: Team) -> None:
    _, asked = submitted(channel)
    wrong = Decision(
        request_id=asked,
        stage=0,
        maker=channel.author,
        decided_by=channel.author,
        verdict="approve",
        decided_at=timezone.now(),
    )
    with pytest.raises(IntegrityError, match="maker_never_decides"), transaction.atomic():
        wrong.save()


@pytest.fixture
def two_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have terms decided twice."""
    stages = (policies.Stage("Review", Permission.APPROVE_TERMS), policies.Stage("Finance", Permission.APPROVE_TERMS))
    changed = {**policies.policies(), versions.KIND: policies.Policy(versions.KIND, "Terms", stages)}
    monkeypatch.setattr(requests, "policies", lambda: changed)


def test_every_stage_takes_another_person(channel: Team, two_stages: None) -> None:
    version, asked = submitted(channel)
    assert not requests.approve(request=asked, by=channel.approver, at=timezone.now())
    assert state_of(version) == "in_review"
    with pytest.raises(Refusal) as refused:
        requests.approve(request=asked, by=channel.approver, at=timezone.now())
    assert code_of(refused) == "second_person"
    assert requests.approve(request=asked, by=channel.controller, at=timezone.now())
    assert state_of(version) == "approved"
