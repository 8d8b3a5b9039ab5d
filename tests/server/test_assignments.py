"""Assignment: who takes part from when until when decides what is earned, as the terms say; figures worked by hand."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.engine.terms import terms_hash
from headrace.foundation.people import Person
from headrace.foundation.roles import Role
from headrace.governance import assigning, own_inputs
from headrace.governance.assigning import Whom
from headrace.governance.models import Assignment
from headrace.partners import segments
from headrace.programs import balances, finalising, versions
from headrace.programs.book import DatabaseBook
from headrace.programs.models import Version
from headrace.runs.finalise import run_folder
from headrace.runs.record import verify
from headrace.runs.sources import Source, from_cited_lake
from headrace.sales.lake import opened
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
from tests.server.conftest import NOW, Admins
from tests.server.master import load
from tests.server.test_routes import with_second_factor

pytestmark = pytest.mark.django_db
ENROLLED = TERMS.replace("schedule:", "enrolled: true\nschedule:")


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people, whose roles are older than the sales."""
    return team(admins, NOW)


def assign(channel: Team, *partners: str, on: str = "2026-01-01", at: datetime | None = None, **whom: str) -> int:
    done = assigning.assign(
        program="volume", whom=Whom(partners=partners, **whom), from_on=date.fromisoformat(on), by=channel.author,
        at=at or timezone.now(),
    )  # fmt: skip
    work()
    return done.made


def earned(channel: Team) -> dict[str, Decimal]:
    found = balances.seen(channel.controller, at=timezone.now())
    return {each.key.payee_id: each.earned for each in found.standings if each.earned}


def test_only_who_is_assigned_earns_and_balances_follow_at_once(channel: Team) -> None:
    activated(channel, ENROLLED)
    delivered(channel, JANUARY)
    delivered(channel, FEBRUARY, name="february.csv")
    assert earned(channel) == {}
    assert assign(channel, "B") == 1
    assert earned(channel) == {"B": 5}
    # A joins in February. January's 600 count to the tier and earn nothing: 400 × 10 % + 200 × 20 %.
    assert assign(channel, "A", "B", on="2026-02-01") == 1
    assert earned(channel) == {"A": 80, "B": 5}
    # The document is still the one that was approved.
    version = Version.objects.get()
    assert version.terms_hash == terms_hash(versions.subject(version.pk).terms)


def test_joining_late_may_count_from_the_enrolment(channel: Team) -> None:
    activated(channel, ENROLLED.replace("enrolled: true", "enrolled: true\ncounts_from: enrolment"))
    delivered(channel, JANUARY)
    delivered(channel, FEBRUARY, name="february.csv")
    assign(channel, "A", on="2026-02-01")
    assert earned(channel) == {"A": 60}


def leave(channel: Team, until: str, at: datetime) -> None:
    assigning.leave(
        program="volume", partner="A", until_on=date.fromisoformat(until), by=channel.author, at=at
    )  # fmt: skip
    work()


def test_who_leaves_earns_until_then_and_never_less_than_before(channel: Team) -> None:
    activated(channel, ENROLLED)
    assign(channel, "A")
    delivered(channel, JANUARY)
    delivered(channel, FEBRUARY, name="february.csv")
    assert earned(channel) == {"A": 140}
    in_march = datetime(2026, 3, 5, tzinfo=UTC)
    with pytest.raises(Refusal) as refusal:
        leave(channel, "2026-03-04", in_march)
    assert refusal.value.code == "leaves_too_early"
    leave(channel, "2026-03-10", in_march)
    delivered(channel, HEADER + "a4,sale,sell_through,2026-03-20,A,K1,1,500,USD\n", name="later.csv")
    assert earned(channel) == {"A": 140}
    with pytest.raises(Refusal) as refusal:
        leave(channel, "2026-12-31", timezone.now())
    assert refusal.value.code == "left_already"


def test_who_leaves_may_forfeit_what_is_not_final(channel: Team) -> None:
    activated(channel, ENROLLED.replace("enrolled: true", "enrolled: true\non_exit: forfeit"))
    assign(channel, "A")
    delivered(channel, JANUARY)
    leave(channel, "2026-03-10", datetime(2026, 3, 5, tzinfo=UTC))
    assert earned(channel) == {}


@contextmanager
def cited(source: Mapping[str, object], into: Path) -> Iterator[Source]:
    with opened() as lake:
        found = source["lake"]
        assert isinstance(found, dict)
        yield from_cited_lake(lake, found)


def test_a_statement_cites_who_was_enrolled_and_verifies_after_others_joined(channel: Team) -> None:
    activated(channel, ENROLLED)
    delivered(channel, JANUARY)
    assign(channel, "B")
    now = timezone.now()
    asked = finalising.ask(program="volume", period_from=date(2026, 1, 1), by=channel.analyst, at=now)
    work()
    (one,) = waiting(channel)
    requests.approve(request=one.request, by=channel.controller, at=now)
    work()
    asked.refresh_from_db()
    assert (asked.state, asked.figures["to_post"]) == ("done", {"USD": "5.000000"})
    assign(channel, "A")
    assert earned(channel) == {"A": 60, "B": 5}
    with opened() as lake:
        assert asked.run is not None
        folder = run_folder(lake, asked.run)
    checked = verify(folder, cited)
    assert (checked.differences, checked.statements) == ((), 1)
    assert balances.prove() == 2


def test_an_enrolment_in_between_is_not_finalised_unseen(channel: Team) -> None:
    activated(channel, ENROLLED)
    delivered(channel, JANUARY)
    assign(channel, "B")
    now = timezone.now()
    asked = finalising.ask(program="volume", period_from=date(2026, 1, 1), by=channel.analyst, at=now)
    work()
    (one,) = waiting(channel)
    assign(channel, "A")
    requests.approve(request=one.request, by=channel.controller, at=now)
    work()
    asked.refresh_from_db()
    assert asked.state == "refused"


def test_where_the_terms_ask_a_partner_is_enrolled_once_it_accepted(channel: Team, admins: Admins) -> None:
    alice = member_with(admins, "alice", Role.PARTNER_ADMIN, "A", at=NOW)
    activated(channel, ENROLLED.replace("enrolled: true", "enrolled: true\naccepted: true"))
    delivered(channel, JANUARY)
    assign(channel, "A", "B")
    assert earned(channel) == {}
    of_a, of_b = Assignment.objects.get(partner="A"), Assignment.objects.get(partner="B")
    page = with_second_factor(alice)
    listed = page.get("/assignments/", secure=True).content.decode()
    assert "A partner is enrolled once it accepted these terms" in listed
    assert ">B<" not in listed
    assert page.post(f"/assignments/{of_b.pk}/accept", secure=True).status_code == 404
    user = with_second_factor(channel.partner_a)
    assert user.post(f"/assignments/{of_a.pk}/accept", secure=True).status_code == 403
    assert page.post(f"/assignments/{of_a.pk}/accept", secure=True).status_code == 302
    assert page.post(f"/assignments/{of_a.pk}/accept", secure=True).status_code == 409
    work()
    assert earned(channel) == {"A": 60}


def declined(channel: Team, person: Person) -> None:
    (mine,) = [each for each in assigning.listed(person, at=timezone.now()) if each.may_decide]
    assigning.decide(assignment=mine.assignment, accept=False, by=person, at=timezone.now())


def test_who_declines_is_out_and_may_be_offered_again(channel: Team, admins: Admins) -> None:
    alice = member_with(admins, "alice", Role.PARTNER_ADMIN, "A", at=NOW)
    activated(channel, ENROLLED.replace("enrolled: true", "enrolled: true\naccepted: true"))
    delivered(channel, JANUARY)
    assign(channel, "A")
    declined(channel, alice)
    work()
    assert earned(channel) == {}
    assert assign(channel, "A") == 1


def test_a_segment_and_everybody(channel: Team) -> None:
    load("partner", "partner_id,name,region,type,valid_from\nA,Alpha,EMEA,reseller,2025-01-01\nB,Beta,APAC,reseller,2025-01-01\n",
         channel.loader, at=timezone.now())  # fmt: skip
    work()
    segments.define(
        segment="emea", name="EMEA", rule="partner.region = 'EMEA'", from_on=date(2025, 1, 1), by=channel.author,
        at=timezone.now(),
    )  # fmt: skip
    activated(channel, ENROLLED)
    delivered(channel, JANUARY)
    assert assign(channel, segment="emea") == 1
    assert earned(channel) == {"A": 60}
    with pytest.raises(Refusal) as refusal:
        assign(channel, "Z")
    assert refusal.value.code == "partner_unknown"
    assert assign(channel) == 1
    assert earned(channel) == {"A": 60, "B": 5}


def test_programs_for_everybody_and_of_nobody_take_no_assignment(channel: Team) -> None:
    for code in ("program_unknown", "not_by_assignment"):
        with pytest.raises(Refusal) as refusal:
            assign(channel, "A")
        assert refusal.value.code == code
        activated(channel) if code == "program_unknown" else None
    with pytest.raises(Refusal) as refusal:
        assigning.assign(
            program="volume", whom=Whom(partners=("A",)), from_on=date(2026, 1, 1), by=channel.loader, at=timezone.now()
        )
    assert refusal.value.code == "not_permitted"


TARGETS = b"earner,from,until,target,rate,cap\nA,2026-01-01,2026-04-01,500,,50\nB,,,,0.3,\n"


def test_own_values_come_from_a_file_and_changing_one_is_an_amendment(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    author = with_second_factor(channel.author)
    later = b"earner,from,until,rate,cap\nA,2026-01-01,2026-04-01,,50\nB,,,0.3,\n"
    sent = author.post("/programs/of/volume/inputs", {"file": SimpleUploadedFile("own.csv", later)}, secure=True)
    assert sent.status_code == 302
    draft = Version.objects.get(number=2)
    assert (draft.state, [row["earner"] for row in draft.document["inputs"]]) == ("draft", ["A", "B"])
    assert earned(channel) == {"A": 60, "B": 5}
    with pytest.raises(Refusal) as refusal:
        versions.step(version=draft.pk, event="activate", by=channel.author, at=timezone.now())
    assert refusal.value.code == "version_state"
    # In the draft once more: the file takes the place of what was there.
    own_inputs.load(program="volume", content=b"earner,rate\nB,30 %\n", by=channel.author, at=timezone.now())
    draft.refresh_from_db()
    assert [(row["earner"], row["rate"]) for row in draft.document["inputs"]] == [("B", "0.3")]


def test_a_target_of_the_file_decides_the_tier(channel: Team) -> None:
    text = TERMS.replace("schedule:", "measure: { target: { as: percent } }\nschedule:").replace(
        "from: 1000", "from: 100"
    )
    versions.draft(text=text, by=channel.author, at=timezone.now())
    own_inputs.load(program="volume", content=TARGETS, by=channel.author, at=timezone.now())
    version = Version.objects.get()
    assert version.number == 1
    versions.step(version=version.pk, event="submit", by=channel.author, at=timezone.now())
    (asked,) = waiting(channel)
    requests.approve(request=asked.request, by=channel.approver, at=timezone.now())
    versions.step(version=version.pk, event="activate", by=channel.author, at=timezone.now())
    delivered(channel, JANUARY)
    # A: 500 × 10 % + 100 × 20 % = 70, capped at 50. B has no target, so it earns nothing.
    assert earned(channel) == {"A": 50}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe", "UTF-8"),
        (b"partner,target\nA,5\n", "column earner"),
        (b"earner,colour\nA,red\n", "colour"),
        (b"earner,target\n", "1 to"),
        (b"earner,target\nA,many\n", "Row 2, target"),
        (b"earner,from\nA,2026-13-01\n", "Row 2, from"),
        (b"earner,target\nA,5\nA,6\n", "Row 3, earner"),
        (b"earner,target\n,5\n", "Row 2, earner"),
    ],
)
def test_a_file_with_faults_changes_nothing(channel: Team, content: bytes, told: str) -> None:
    versions.draft(text=TERMS, by=channel.author, at=timezone.now())
    with pytest.raises(Refusal, match=told) as refusal:
        own_inputs.load(program="volume", content=content, by=channel.author, at=timezone.now())
    assert refusal.value.code == "inputs_faulty"
    assert "inputs" not in Version.objects.get().document


def test_the_book_gives_enrolments_only_to_terms_that_ask_for_them(channel: Team) -> None:
    activated(channel)
    Assignment(
        program="volume", partner="A", from_on=date(2026, 2, 1), terms_hash="0" * 64, says=[], source="by hand",
        state="enrolled", assigned_by=channel.author, assigned_at=timezone.now(),
    ).save()  # fmt: skip
    assert "inputs" not in DatabaseBook().programs()[0]
