"""Roles take two people, and duties that conflict are refused when a role is asked for, given and used."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from headrace.engine.findings import Refusal
from headrace.foundation import access, people
from headrace.foundation.models import Person, RoleGrant
from headrace.foundation.roles import CARRIES, CONFLICTS, VENDOR, Permission, Role, carried, conflict_among
from tests.server.conftest import NOW, TODAY, Admins, MakePerson

LATER = TODAY + timedelta(days=10)


def refusal(call: object, **arguments: object) -> str:
    assert callable(call)
    with pytest.raises(Refusal) as refused:
        call(**arguments)
    return refused.value.code


def ask(person: Person, role: Role, admins: Admins, **dates: object) -> RoleGrant:
    member = person.memberships.get()
    arguments = {"from_on": TODAY, "at": NOW, **dates}
    return access.request_role(membership=member.pk, role=role, by=admins[0], **arguments)  # type: ignore[arg-type]


def test_no_role_holds_conflicting_duties_by_itself() -> None:
    assert [role for role in Role if conflict_among(CARRIES[role])] == []


def test_every_conflict_can_come_about_and_is_seen() -> None:
    for one, other, why in CONFLICTS:
        assert conflict_among(frozenset({one, other})) == why
        assert one in carried(Role)
        assert other in carried(Role)


def test_a_role_gives_nothing_until_a_second_person_approves(admins: Admins, person_with: MakePerson) -> None:
    cleo = person_with(email="cleo@example.com")
    grant = ask(cleo, Role.AUDITOR, admins)
    assert access.roles_of(cleo, TODAY) == frozenset()
    access.approve_role(grant=grant.pk, by=admins[1], at=NOW)
    assert access.roles_of(cleo, TODAY) == {Role.AUDITOR}


def test_asvs_8_2_1_whoever_asked_does_not_approve(admins: Admins, person_with: MakePerson) -> None:
    grant = ask(person_with(email="cleo@example.com"), Role.AUDITOR, admins)
    assert refusal(access.approve_role, grant=grant.pk, by=admins[0], at=NOW) == "second_person"
    grant.refresh_from_db()
    assert (grant.state, grant.decided_by) == ("requested", None)


def test_asvs_8_2_1_whoever_gets_a_role_does_not_approve_it(admins: Admins) -> None:
    ben = admins[1]
    grant = ask(ben, Role.AUDITOR, admins)
    assert refusal(access.approve_role, grant=grant.pk, by=ben, at=NOW) == "second_person"


def test_the_database_itself_wants_two_people(admins: Admins, person_with: MakePerson) -> None:
    grant = ask(person_with(email="cleo@example.com"), Role.AUDITOR, admins)
    grant.state, grant.decided_by, grant.decided_at = RoleGrant.State.APPROVED, admins[0], NOW
    with pytest.raises(IntegrityError), transaction.atomic():
        grant.save()


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        (Role.PROGRAM_MANAGER, Role.FINANCE_ANALYST),
        (Role.ACCOUNT_MANAGER, Role.CONTROLLER),
        (Role.CHANNEL_OPERATIONS, Role.FINANCE_ANALYST),
        (Role.ADMINISTRATOR, Role.CONTROLLER),
    ],
)
def test_conflicting_duties_are_refused_when_asked_for(
    held: Role, asked: Role, admins: Admins, person_with: MakePerson
) -> None:
    cleo = person_with(held)
    with pytest.raises(Refusal) as refused:
        ask(cleo, asked, admins)
    assert refused.value.code == "duties_conflict"
    assert not RoleGrant.objects.filter(role=asked).exists()


def test_conflicting_duties_are_refused_when_given(admins: Admins, person_with: MakePerson) -> None:
    cleo = person_with(email="cleo@example.com")
    first, second = ask(cleo, Role.PROGRAM_MANAGER, admins), ask(cleo, Role.FINANCE_ANALYST, admins)
    access.approve_role(grant=first.pk, by=admins[1], at=NOW)
    assert refusal(access.approve_role, grant=second.pk, by=admins[1], at=NOW) == "duties_conflict"


def test_conflicting_duties_are_refused_when_used(admins: Admins, person_with: MakePerson) -> None:
    cleo = person_with(Role.ACCOUNT_MANAGER)
    member = cleo.memberships.get()
    # As an import or an older rule book could have left it.
    RoleGrant(
        membership=member,
        role=Role.CONTROLLER,
        state="approved",
        from_on=TODAY,
        requested_by=admins[0],
        requested_at=NOW,
        decided_by=admins[1],
        decided_at=NOW,
    ).save()
    for permission in (Permission.RELEASE_PAYMENT, Permission.EDIT_BANK_DATA):
        with pytest.raises(Refusal) as refused:
            access.require(cleo, VENDOR, permission, TODAY)
        assert refused.value.code == "duties_conflict"
    access.require(cleo, VENDOR, Permission.ASSIGN_PROGRAM, TODAY)


def test_roles_that_never_meet_in_time_do_not_conflict(admins: Admins, person_with: MakePerson) -> None:
    cleo = person_with(email="cleo@example.com")
    first = ask(cleo, Role.PROGRAM_MANAGER, admins, until_on=LATER)
    access.approve_role(grant=first.pk, by=admins[1], at=NOW)
    with pytest.raises(Refusal):
        ask(cleo, Role.FINANCE_ANALYST, admins, from_on=LATER - timedelta(days=1))
    second = ask(cleo, Role.FINANCE_ANALYST, admins, from_on=LATER)
    access.approve_role(grant=second.pk, by=admins[1], at=NOW)
    assert access.roles_of(cleo, LATER - timedelta(days=1)) == {Role.PROGRAM_MANAGER}
    assert access.roles_of(cleo, LATER) == {Role.FINANCE_ANALYST}


def test_a_role_ends_on_the_day_it_is_said_to(admins: Admins, person_with: MakePerson) -> None:
    cleo = person_with(Role.AUDITOR)
    access.end_role(grant=cleo.memberships.get().grants.get().pk, by=admins[0], on=LATER, at=NOW)
    assert access.roles_of(cleo, LATER - timedelta(days=1)) == {Role.AUDITOR}
    assert access.roles_of(cleo, LATER) == frozenset()


def test_nobody_decides_twice(admins: Admins, person_with: MakePerson) -> None:
    grant = ask(person_with(email="cleo@example.com"), Role.AUDITOR, admins)
    access.refuse_role(grant=grant.pk, by=admins[1], reason="no longer here", at=NOW)
    assert refusal(access.approve_role, grant=grant.pk, by=admins[1], at=NOW) == "already_decided"


def test_asvs_8_2_2_a_partner_admin_acts_only_in_the_own_organisation(person_with: MakePerson) -> None:
    admin = person_with(Role.PARTNER_ADMIN)
    people.invite(email="x@example.com", name="X", organisation="P1", by=admin, at=NOW)
    code = refusal(people.invite, email="y@example.com", name="Y", organisation="P2", by=admin, at=NOW)
    assert code == "not_permitted"
    assert not Person.objects.filter(email="y@example.com").exists()


def test_vendor_roles_stay_in_the_vendor(admins: Admins, person_with: MakePerson) -> None:
    partner = person_with(Role.PARTNER_USER)
    with pytest.raises(Refusal) as refused:
        ask(partner, Role.CONTROLLER, admins)
    assert refused.value.code == "role_of_organisation"


def test_an_installation_is_founded_once_by_two(db: None) -> None:
    assert refusal(people.found, emails=("a@example.com", "A@example.com"), at=NOW) == "founders"
    people.found(emails=("a@example.com", "b@example.com"), at=NOW)
    assert refusal(people.found, emails=("c@example.com", "d@example.com"), at=NOW) == "founded_already"


def test_the_second_factor_follows_the_role(admins: Admins, person_with: MakePerson) -> None:
    cleo = person_with(Role.PROGRAM_MANAGER)
    assert not access.needs_second_factor(cleo, TODAY)
    access.set_second_factor(role=Role.PROGRAM_MANAGER, asked=True, by=admins[0], at=NOW)
    assert access.needs_second_factor(cleo, TODAY)
    code = refusal(access.set_second_factor, role=Role.ADMINISTRATOR, asked=False, by=admins[0], at=NOW)
    assert code == "second_factor_kept"
