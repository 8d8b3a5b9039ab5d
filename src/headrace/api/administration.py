"""Oneself, persons and their roles, the audit trail, jobs that failed."""

import uuid
from datetime import date, datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from headrace.api import paging
from headrace.api.calling import caller, read, write
from headrace.api.masters import Done
from headrace.api.paging import Paged, page_of
from headrace.api.programs import Reason
from headrace.api.shapes import Day, Given, Needed, Said, Text, shape
from headrace.foundation import access, audit, jobs, people
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission, Role

router = Router()
SELF, ROLES, AUDIT, JOBS = ["oneself"], ["roles"], ["audit trail"], ["jobs"]

Grant = shape(access.Standing, "Grant")
Act = shape(audit.Line, "Act", parts={"changes": ("record", "record_id", "field", "before", "after")})
FailedJob = shape(jobs.FailedJob, "FailedJob")


class Self(Said):
    """Whose token it is, and what it may do: by organisation, of what its scopes hold."""

    person: uuid.UUID
    name: str
    email: str
    scopes: list[str]
    permissions: dict[str, list[str]]


class Invitation(Given):
    """Whom to invite. organisation: `vendor`, or the id of a partner."""

    email: Needed
    name: Annotated[Text, Field(max_length=200)] = ""
    organisation: Annotated[Needed, Field(max_length=64)] = VENDOR


class Invited(Said):
    """A membership of a person in an organisation."""

    membership: uuid.UUID
    person: uuid.UUID
    organisation: str
    from_on: date


class RoleGiven(Given):
    """A role to ask for. until_on: not included; null: until it is ended."""

    membership: uuid.UUID
    role: Role
    from_on: Day
    until_on: Day | None = None


class GrantAsked(Said):
    """A role that was asked for or decided."""

    grant: uuid.UUID
    role: Role
    state: str
    from_on: date
    until_on: date | None


@read(router, "/me", Self, tags=SELF)
def get_me(request: HttpRequest) -> object:
    """Read whose token it is and what it may do."""
    viewer, at = caller(request)
    day = at.date()
    held = {each: sorted(access.permitted(viewer, each, day)) for each in access.organisations_of(viewer, day)}
    scopes = request.auth.scopes  # type: ignore[attr-defined]
    return {
        "person": viewer.pk, "name": viewer.name, "email": viewer.email, "scopes": scopes, "permissions": held
    }  # fmt: skip


@read(router, "/roles", page_of(Grant), tags=ROLES)
def list_roles(request: HttpRequest, page: Paged, state: Text = "") -> object:
    """Review who has which role, since when, asked for and decided by whom. state: only those."""
    viewer, at = caller(request)
    if Permission.READ_AUDIT not in access.permitted(viewer, VENDOR, at.date()):
        access.require(viewer, VENDOR, Permission.GRANT_ROLE, at.date())
    states = (state,) if state else ("requested", "approved", "refused")
    return paging.whole(access.standings(states=states), lambda row: (row.email, row.role.value, str(row.grant)), page)


@write(router, "/roles", GrantAsked, status=201, tags=ROLES)
def request_role(request: HttpRequest, given: RoleGiven) -> object:
    """Ask for a role of a membership; a second person decides."""
    by, at = caller(request)
    return _grant(access.request_role(**given.model_dump(), by=by, at=at))


def _grant(grant: object) -> dict[str, object]:
    names = ("role", "state", "from_on", "until_on")
    return {"grant": grant.pk, **{name: getattr(grant, name) for name in names}}  # type: ignore[attr-defined]


@write(router, "/roles/{uuid:grant}/approve", GrantAsked, tags=ROLES)
def approve_role(request: HttpRequest, grant: uuid.UUID) -> object:
    """Approve a role as the second person."""
    by, at = caller(request)
    return _grant(access.approve_role(grant=grant, by=by, at=at))


@write(router, "/roles/{uuid:grant}/refuse", GrantAsked, tags=ROLES)
def refuse_role(request: HttpRequest, grant: uuid.UUID, given: Reason) -> object:
    """Refuse a role, with the reason."""
    by, at = caller(request)
    return _grant(access.refuse_role(grant=grant, by=by, reason=given.reason, at=at))


@write(router, "/roles/{uuid:grant}/end", GrantAsked, tags=ROLES)
def end_role(request: HttpRequest, grant: uuid.UUID) -> object:
    """End a role today."""
    by, at = caller(request)
    return _grant(access.end_role(grant=grant, by=by, on=at.date(), at=at))


@write(router, "/people", Invited, status=201, tags=ROLES)
def invite_person(request: HttpRequest, given: Invitation) -> object:
    """Invite a person into an organisation. They choose a password by mail."""
    by, at = caller(request)
    member = people.invite(**given.model_dump(), by=by, at=at)
    return {
        "membership": member.pk, "person": member.person_id, "organisation": member.organisation,
        "from_on": member.from_on,
    }  # fmt: skip


@read(router, "/audit", page_of(Act), tags=AUDIT)
def list_acts(request: HttpRequest, page: Paged, record: Text = "") -> object:
    """List the acts of the audit trail, the latest first. record: only those that changed the record of this id."""
    viewer, at = caller(request)
    access.require(viewer, VENDOR, Permission.READ_AUDIT, at.date())
    lines = audit.read(before=paging.part(page, int), record_id=record or None, size=page.size + 1)
    return paging.cut(lines, lambda row: (row.seq,), page)


def _administrator(request: HttpRequest) -> tuple[Person, datetime]:
    viewer, at = caller(request)
    access.require(viewer, VENDOR, Permission.MANAGE_COMPANIES, at.date())
    return viewer, at


@read(router, "/jobs/failed", page_of(FailedJob), tags=JOBS)
def list_failed_jobs(request: HttpRequest, page: Paged) -> object:
    """List the jobs that failed for good. For administrators."""
    _administrator(request)
    return paging.whole(jobs.failed(), lambda row: (str(row.task),), page)


@write(router, "/jobs/{uuid:task}/run-again", Done, tags=JOBS)
def run_job_again(request: HttpRequest, task: uuid.UUID) -> object:
    """Queue a failed job again. For administrators."""
    _, at = _administrator(request)
    jobs.run_again(task=task, at=at)
    return {"done": True}
