"""A channel small enough to work by hand, as it comes through the application: terms, files, people, and a worker."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from io import BytesIO

from django.utils import timezone

from headrace.foundation import access, companies, jobs, people
from headrace.foundation.models import Person
from headrace.foundation.roles import PARTNER_ROLES, VENDOR, Role
from headrace.ledger import periods
from headrace.programs import versions
from headrace.programs.models import Version
from headrace.sales import deliveries
from headrace.sales.models import Delivery
from headrace.workflow import requests
from tests.server.conftest import Admins

TERMS = """\
program: volume
name: Volume rebate
currency: USD
valid: { from: 2026-01-01, until: 2027-01-01 }
schedule:
  tiers:
    - { from: 0, rate: 0.1 }
    - { from: 1000, rate: 0.2 }
"""
HEADER = "line_id,kind,stage,occurred_on,partner_id,product_id,quantity,amount,currency\n"
JANUARY = HEADER + (
    "a1,sale,sell_through,2026-01-05,A,K1,1,600,USD\n"
    "b1,sale,sell_through,2026-02-28,B,K1,1,50,USD\n"
    "x1,sale,sell_through,2026-13-45,B,K1,1,70,USD\n"
)
FEBRUARY = HEADER + "a2,sale,sell_through,2026-02-05,A,K1,1,600,USD\n"


@dataclass(frozen=True, slots=True)
class Team:
    """Who does what: one loads, two write and run programs, two finalise; one sees as partner A, one as partner B."""

    loader: Person
    author: Person
    approver: Person
    analyst: Person
    controller: Person
    auditor: Person
    partner_a: Person
    partner_b: Person


def member_with(admins: Admins, name: str, role: Role, organisation: str = VENDOR, *, at: datetime) -> Person:
    """Invite somebody with a role that both administrators agreed to."""
    member = people.invite(email=f"{name}@example.com", name=name, organisation=organisation, by=admins[0], at=at)
    asked = access.request_role(membership=member.pk, role=role, by=admins[0], from_on=at.date(), at=at)
    access.approve_role(grant=asked.pk, by=admins[1], at=at)
    assert (role in PARTNER_ROLES) == (organisation != VENDOR)
    return member.person


def team(admins: Admins, at: datetime | None = None) -> Team:
    """Invite everybody, with roles that two administrators agreed to, and open the books of the one company, in dollars."""
    at = at or timezone.now()

    make = partial(member_with, admins, at=at)
    made = Team(
        loader=make("loader", Role.CHANNEL_OPERATIONS),
        author=make("author", Role.PROGRAM_MANAGER),
        approver=make("approver", Role.PROGRAM_MANAGER),
        analyst=make("analyst", Role.FINANCE_ANALYST),
        controller=make("controller", Role.CONTROLLER),
        auditor=make("auditor", Role.AUDITOR),
        partner_a=make("ann", Role.PARTNER_USER, "A"),
        partner_b=make("bob", Role.PARTNER_USER, "B"),
    )
    company = companies.open_company(code="US", name="Headrace", functional_currency="USD", by=admins[0], at=at)
    periods.open_books(company=company, first_on=date(2026, 1, 1), by=made.controller, at=at)
    return made


def activated(people_: Team, text: str = TERMS) -> Version:
    """Draft, submit, approve and activate a program."""
    at = timezone.now()
    version = versions.draft(text=text, by=people_.author, at=at)
    versions.step(version=version.pk, event="submit", by=people_.author, at=at)
    if not waiting(people_):
        work()  # the effect of an amendment is worked out first
    (asked,) = waiting(people_)
    requests.approve(request=asked.request, by=people_.approver, at=at)
    return versions.step(version=version.pk, event="activate", by=people_.author, at=at)


def waiting(people_: Team) -> list[requests.Asked]:
    """List the requests that are open."""
    return [each for each in requests.listed(people_.controller, at=timezone.now()) if each.state == "open"]


def delivered(people_: Team, text: str, name: str = "june.csv", **further: object) -> Delivery:
    """Deliver a file of lines, and let the worker load it and post it."""
    delivery = deliveries.deliver(
        name=name, content=BytesIO(text.encode()), by=people_.loader, at=timezone.now(),
        **{"kind": "lines", "profile": "canonical", **further},  # type: ignore[arg-type]
    )  # fmt: skip
    work()
    delivery.refresh_from_db()
    return delivery


def work() -> None:
    """Run the jobs until none is due; a job that failed for good fails the test."""
    worker = jobs.Worker("test")
    while worker.step():
        pass
    assert jobs.failed() == (), jobs.failed()
