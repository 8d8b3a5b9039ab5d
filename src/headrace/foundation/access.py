"""Who is in which organisation with which roles, and may therefore do what.

A role takes two people; conflicting duties are refused.
Days are half-open and given by the caller. Every refusal leaves everything as it was.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q, QuerySet

from headrace.engine.findings import Refusal
from headrace.foundation import acts
from headrace.foundation.models import Membership, Person, RoleGrant, RolePolicy
from headrace.foundation.roles import (
    PARTNER_ROLES,
    SCOPES,
    SECOND_FACTOR_AT_FIRST,
    VENDOR,
    Permission,
    Role,
    carried,
    conflict_among,
)

_limit: ContextVar[tuple[uuid.UUID, frozenset[Permission]] | None] = ContextVar("limit", default=None)


@contextmanager
def limited_to(person: Person, permissions: frozenset[Permission]) -> Iterator[None]:
    """Let the person do no more than these in this context, whatever their roles carry: what a token's scopes say."""
    token = _limit.set((person.pk, permissions))
    try:
        yield
    finally:
        _limit.reset(token)


def in_force(day: date, prefix: str = "") -> Q:
    """Give the condition that a dated row is in force on the day."""
    return Q(**{f"{prefix}from_on__lte": day}) & (
        Q(**{f"{prefix}until_on__isnull": True}) | Q(**{f"{prefix}until_on__gt": day})
    )


def join(*, person: Person, organisation: str, from_on: date, until_on: date | None, at: datetime) -> Membership:
    """Make a person a member of an organisation, as yet without a role. Refused if they are one in these days already."""
    with acts.act("join_organisation", at=at):
        person = Person.locked(person.pk)
        meeting = Membership.objects.filter(
            Q(until_on__isnull=True) | Q(until_on__gt=from_on), person=person, organisation=organisation
        )
        if until_on is not None:
            meeting = meeting.filter(from_on__lt=until_on)
            if until_on <= from_on:
                raise Refusal("membership_days", f"The membership of {person} must end after it begins, {from_on}.")
        if meeting.exists():
            raise Refusal(
                "already_member", f"{person} is a member of {organisation} in these days already. Use that membership."
            )
        membership = Membership(person=person, organisation=organisation, from_on=from_on, until_on=until_on)
        membership.save()
    return membership


def request_role(
    *, membership: uuid.UUID, role: Role, by: Person, from_on: date, until_on: date | None = None, at: datetime
) -> RoleGrant:
    """Ask for a role of a membership; a second person decides. Refused if it does not fit or its duties conflict."""
    with acts.act("request_role", at=at):
        member = Membership.objects.filter(pk=membership).first()
        if member is None:
            may_grant(by, VENDOR, at)
            raise Refusal("membership_unknown", "There is no such membership. Load the page of roles again.")
        may_grant(by, member.organisation, at)
        person = Person.locked(member.person_id)
        if (member.organisation == VENDOR) == (role in PARTNER_ROLES):
            raise Refusal(
                "role_of_organisation", f"{role.label} is not a role in {member.organisation}. Choose another."
            )
        if until_on is not None and until_on <= from_on:
            raise Refusal("grant_days", f"The role must end after it begins, {from_on}. Give a later day.")
        open_or_given = RoleGrant.objects.filter(
            Q(until_on__isnull=True) | Q(until_on__gt=from_on), membership=member, role=role
        ).exclude(state=RoleGrant.State.REFUSED)
        if open_or_given.exists():
            raise Refusal("role_held", f"{person} has the role {role.label}, or it is asked for, already.")
        _no_conflict(person, role, from_on, until_on)
        grant = RoleGrant(
            membership=member, role=role, from_on=from_on, until_on=until_on, requested_by=by, requested_at=at
        )
        grant.save()
    return grant


def approve_role(*, grant: uuid.UUID, by: Person, at: datetime) -> RoleGrant:
    """Give the role that was asked for. Refused to whoever asked and to whoever gets it, and if duties conflict by now."""
    with acts.act("approve_role", at=at):
        asked = _to_decide(grant, by, at)
        _no_conflict(asked.membership.person, Role(asked.role), asked.from_on, asked.until_on)
        asked.state = RoleGrant.State.APPROVED
        asked.save()
    return asked


def refuse_role(*, grant: uuid.UUID, by: Person, reason: str, at: datetime) -> RoleGrant:
    """Refuse a role that was asked for, with the reason."""
    if not reason.strip():
        raise Refusal("reason_missing", "Say why the role is refused; whoever asked reads it.")
    with acts.act("refuse_role", at=at):
        asked = _to_decide(grant, by, at)
        asked.state, asked.reason = RoleGrant.State.REFUSED, reason.strip()
        asked.save()
    return asked


def end_role(*, grant: uuid.UUID, by: Person, on: date, at: datetime) -> RoleGrant:
    """End an approved role from a day on; taking away takes one person. A role that was to begin later never does."""
    with acts.act("end_role", at=at):
        held = _held(grant, by, at)
        if held.state != RoleGrant.State.APPROVED or (held.until_on is not None and held.until_on <= on):
            raise Refusal("role_not_in_force", "This role is not in force on that day, so it cannot end on it.")
        held.until_on = max(on, held.from_on)
        held.save()
    return held


def _held(grant: uuid.UUID, by: Person, at: datetime) -> RoleGrant:
    """Read a grant whose person is locked first, so that two decisions about one person follow one another."""
    known = RoleGrant.objects.select_related("membership").filter(pk=grant).first()
    if known is None:
        may_grant(by, VENDOR, at)
        raise Refusal("grant_unknown", "There is no such role request. Load the page of roles again.")
    may_grant(by, known.membership.organisation, at)
    Person.locked(known.membership.person_id)
    return RoleGrant.locked(grant)


def _to_decide(grant: uuid.UUID, by: Person, at: datetime) -> RoleGrant:
    asked = _held(grant, by, at)
    if asked.state != RoleGrant.State.REQUESTED:
        raise Refusal("already_decided", f"This role was {asked.state} already. Ask for it again if it is needed.")
    if by.pk in (asked.requested_by_id, asked.membership.person_id):
        raise Refusal("second_person", "A role takes two people: neither who asked for it nor who gets it decides.")
    asked.decided_by, asked.decided_at = by, at
    return asked


def may_grant(by: Person, organisation: str, at: datetime) -> None:
    """Refuse unless the person decides who may do what in the organisation."""
    day = at.date()
    if Permission.GRANT_ROLE in permitted(by, VENDOR, day):
        require(by, VENDOR, Permission.GRANT_ROLE, day)
        return
    require(by, organisation, Permission.MANAGE_OWN_USERS, day)


def _no_conflict(person: Person, role: Role, from_on: date, until_on: date | None) -> None:
    others = RoleGrant.objects.filter(
        Q(until_on__isnull=True) | Q(until_on__gt=from_on), membership__person=person, state=RoleGrant.State.APPROVED
    )
    if until_on is not None:
        others = others.filter(from_on__lt=until_on)
    held = {Role(name) for name in others.values_list("role", flat=True)}
    why = conflict_among(carried(held | {role}))
    if why is not None:
        raise Refusal(
            "duties_conflict",
            f"{person} cannot be {role.label} beside {', '.join(sorted(one.label for one in held))}: {why}. End one role first.",
        )


def roles_of(person: Person, day: date, organisation: str | None = None) -> frozenset[Role]:
    """Give the roles that are in force on the day, in one organisation or in all."""
    grants = RoleGrant.objects.filter(
        in_force(day), in_force(day, "membership__"), membership__person=person, state=RoleGrant.State.APPROVED
    )
    if organisation is not None:
        grants = grants.filter(membership__organisation=organisation)
    if not person.is_active:
        return frozenset()
    return frozenset(Role(name) for name in grants.values_list("role", flat=True))


def memberships(day: date) -> tuple[tuple[uuid.UUID, str], ...]:
    """List the memberships that have not ended by the day: id, and the person's address with the organisation."""
    rows = Membership.objects.filter(Q(until_on__isnull=True) | Q(until_on__gt=day)).select_related("person")
    return tuple((row.pk, f"{row.person.email} in {row.organisation}") for row in rows.order_by("person__email"))


def permitted(person: Person, organisation: str, day: date) -> frozenset[Permission]:
    """Give what the person may do in the organisation on the day; through a token, what of it the token's scopes hold."""
    held = carried(roles_of(person, day, organisation))
    limit = _limit.get()
    return held & limit[1] if limit is not None and limit[0] == person.pk else held


def require(person: Person, organisation: str, permission: Permission, day: date) -> None:
    """Refuse unless the person may do this now, and holds no duty anywhere that conflicts with it."""
    if permission not in permitted(person, organisation, day):
        if permission in carried(roles_of(person, day, organisation)):
            scopes = " or ".join(scope.value for scope, held in SCOPES.items() if permission in held)
            raise Refusal("scope_missing", f"You may do this, but the token may not. Make one with the scope {scopes}.")
        raise Refusal(
            "not_permitted",
            f"This asks for the permission “{permission.value}”. Ask an administrator for a role with it.",
        )
    everything = carried(roles_of(person, day))
    for other in everything:
        why = conflict_among(frozenset({permission, other}))
        if why is not None:
            raise Refusal(
                "duties_conflict", f"This was not done: {why}, and {person} holds both. An administrator ends one role."
            )


def needs_second_factor(person: Person, day: date) -> bool:
    """Tell whether a role of the person asks for a second factor."""
    decided = dict(RolePolicy.objects.values_list("role", "second_factor"))
    return any(decided.get(role.value, role in SECOND_FACTOR_AT_FIRST) for role in roles_of(person, day))


def set_second_factor(*, role: Role, asked: bool, by: Person, at: datetime) -> None:
    """Decide whether a role asks for a second factor. Never waived for administrators, who could then waive it for all."""
    require(by, VENDOR, Permission.GRANT_ROLE, at.date())
    if role is Role.ADMINISTRATOR and not asked:
        raise Refusal("second_factor_kept", "Administrators always sign in with a second factor.")
    with acts.act("set_second_factor", at=at):
        policy = RolePolicy.objects.filter(role=role).first() or RolePolicy(role=role)
        policy.second_factor = asked
        policy.save()


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of an access review: a grant with its membership. state: requested, approved or refused."""

    grant: uuid.UUID
    person: str
    email: str
    organisation: str
    role: Role
    state: str
    from_on: date
    until_on: date | None
    requested_by: str
    decided_by: str | None
    reason: str


def standings(*, person: Person | None = None, states: Iterable[str] = ("approved",)) -> tuple[Standing, ...]:
    """List grants, by person and role. person: only theirs. states: which."""
    grants: QuerySet[RoleGrant] = (
        RoleGrant.objects.filter(state__in=tuple(states))
        .select_related("membership__person", "requested_by", "decided_by")
        .order_by("membership__person__email", "role", "from_on")
    )
    if person is not None:
        grants = grants.filter(membership__person=person)
    return tuple(
        Standing(
            grant=row.pk,
            person=str(row.membership.person),
            email=row.membership.person.email,
            organisation=row.membership.organisation,
            role=Role(row.role),
            state=row.state,
            from_on=row.from_on,
            until_on=row.until_on,
            requested_by=str(row.requested_by),
            decided_by=str(row.decided_by) if row.decided_by else None,
            reason=row.reason,
        )
        for row in grants
    )


def organisations_of(person: Person, day: date) -> frozenset[str]:
    """Give the organisations that the person is a member of on the day."""
    return frozenset(Membership.objects.filter(in_force(day), person=person).values_list("organisation", flat=True))
