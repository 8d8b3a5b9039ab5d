"""The sample channel in an installation of its own: people, master data, files and programs, all through the services.

Everything is made up. Who holds which role is `CAST`; what they do is what people do on the pages.
"""

import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.utils import timezone

from headrace.engine.findings import Refusal, has_errors
from headrace.engine.rules import ColumnType
from headrace.foundation import access, acts, companies, jobs, people
from headrace.foundation.people import Person
from headrace.foundation.roles import PARTNER_ROLES, VENDOR, Role
from headrace.ledger import periods
from headrace.masterdata import fields, importing
from headrace.programs import versions
from headrace.sales import deliveries, own_tables
from headrace.sample import Sample
from headrace.workflow import requests

PARTNER = "R-002"
PROGRAMS = (
    "apac-target", "coop-accrual", "deal-registration", "emea-volume", "gateway-spiff", "latam-purchase", "partner-points",
    "platinum-year",
)  # fmt: skip
"""Those of the sample's programs that are brought into force."""
DELIVERED = ("stock", "targets", "forecasts", "deals", "calendar")
LAYOUTS = ("canonical", "semicolon", "workbook")
SAMPLE_BEGINS = date(2024, 7, 1)
SAMPLE_ENDS = datetime(2026, 7, 1, tzinfo=UTC)

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SignIn:
    """One person of the demo, and how they sign in."""

    name: str
    email: str
    role: Role
    organisation: str
    password: str


CAST = (
    ("Ada Winter", Role.ADMINISTRATOR),
    ("Ben Somers", Role.ADMINISTRATOR),
    ("Olga Reimann", Role.CHANNEL_OPERATIONS),
    ("Paul Authier", Role.PROGRAM_MANAGER),
    ("Petra Quist", Role.PROGRAM_MANAGER),
    ("Anton Meral", Role.ACCOUNT_MANAGER),
    ("Fay Linden", Role.FINANCE_ANALYST),
    ("Carl Onesti", Role.CONTROLLER),
    ("Aki Toivola", Role.AUDITOR),
    ("Rita Adler", Role.PARTNER_ADMIN),
    ("Uwe Sands", Role.PARTNER_USER),
    ("Sara Reyes", Role.SALES_REP),
)


def cast() -> tuple[SignIn, ...]:
    """Give everybody of the demo a new password."""
    return tuple(
        SignIn(
            name,
            f"{name.partition(' ')[0].lower()}@demo.example",
            role,
            PARTNER if role in PARTNER_ROLES else VENDOR,
            secrets.token_urlsafe(12),
        )
        for name, role in CAST
    )


def fill(sample: Sample, signing_in: Iterable[SignIn], *, say: Say) -> None:
    """Fill a new installation with the sample channel. say: told of each step before it is done.

    Refused (`demo_failed`) where a job, an import or a delivery did not end well.
    """
    say("people and their roles, each asked for by one administrator and approved by the other")
    by = _people(tuple(signing_in))
    loader = by[Role.CHANNEL_OPERATIONS][0]
    say("a company, and its books")
    _books(administrator=by[Role.ADMINISTRATOR][0], controller=by[Role.CONTROLLER][0])
    say("partners, products and rates, imported and put in force")
    _master_data(sample, loader)
    say(f"{len(sample.sales_files)} sales files, delivered as the parties would send them, and loaded by the worker")
    _deliver(sample, loader)
    say(f"{len(PROGRAMS)} programs: written by one program manager, approved by another, activated, calculated")
    for path in sample.programs:
        if path.stem in PROGRAMS:
            _bring_into_force(path.read_text(encoding="utf-8"), *by[Role.PROGRAM_MANAGER])
    _work()


def _people(signing_in: tuple[SignIn, ...]) -> dict[Role, list[Person]]:
    at = timezone.now()
    administrators = [each for each in signing_in if each.role is Role.ADMINISTRATOR]
    ada, ben = people.found(emails=[each.email for each in administrators], at=at)
    by: dict[Role, list[Person]] = {Role.ADMINISTRATOR: [ada, ben]}
    for each in signing_in:
        if each.role is Role.ADMINISTRATOR:
            person = {ada.email: ada, ben.email: ben}[each.email]
        else:
            member = people.invite(
                email=each.email, name=each.name, organisation=each.organisation, by=ada, at=timezone.now()
            )
            asked = access.request_role(
                membership=member.pk, role=each.role, by=ada, from_on=at.date(), at=timezone.now()
            )
            access.approve_role(grant=asked.pk, by=ben, at=timezone.now())
            person = member.person
            by.setdefault(each.role, []).append(person)
        with acts.act("choose_password", at=timezone.now()):
            person.name = each.name
            person.set_password(each.password)
            person.save()
    return by


def _books(*, administrator: Person, controller: Person) -> None:
    company = companies.open_company(
        code="SAMPLE", name="Sample Instruments", functional_currency="USD", by=administrator, at=timezone.now()
    )
    periods.open_books(company=company, first_on=SAMPLE_BEGINS, by=controller, at=timezone.now())


def _master_data(sample: Sample, loader: Person) -> None:
    for kind, name, column_type in (
        ("partner", "continent", ColumnType.TEXT),
        ("partner", "contact_email", ColumnType.TEXT),
        ("product", "list_price", ColumnType.DECIMAL),
        ("product", "partner_price", ColumnType.DECIMAL),
        ("product", "distributor_price", ColumnType.DECIMAL),
    ):
        fields.declare_field(kind_name=kind, name=name, column_type=column_type, by=loader, at=timezone.now())
    for what, file, table in (
        ("partner", "partners", ""),
        ("product", "products", ""),
        ("rates", "rates", own_tables.RATES),
    ):
        path = sample.reference / f"{file}.csv"
        upload = importing.Upload(
            what=what, source="sample", name=path.name, content=path.read_bytes(), from_on=SAMPLE_BEGINS, table=table,
            all_or_none=True,
        )  # fmt: skip
        run = importing.request_import(upload, by=loader, at=timezone.now())
        _work()
        _, findings = importing.run_with_findings(run=run, viewer=loader, at=timezone.now())
        if has_errors(findings):
            raise Refusal("demo_failed", f"The import of {path.name} found faults.", findings=findings)


def _deliver(sample: Sample, loader: Person) -> None:
    """Deliver everything, dated no earlier than the sample ends: lines of days to come would be kept out."""
    for layout in LAYOUTS:
        text = sample.profile(layout).read_text(encoding="utf-8")
        deliveries.save_profile(text=text, by=loader, at=timezone.now())
    taken = [(kind, "", sample.reference / f"{kind}.csv") for kind in DELIVERED]
    taken += [(deliveries.LINES, f"sample-{layout}", path) for layout in LAYOUTS for path in sample.sales(layout)]
    for kind, profile, path in taken:
        with path.open("rb") as content:
            deliveries.deliver(
                name=path.name, content=content, kind=kind, profile=profile, by=loader,
                at=max(timezone.now(), SAMPLE_ENDS),
            )  # fmt: skip
    _work()
    listed = deliveries.listed(loader, at=timezone.now(), size=len(taken))
    wrong = [f"{each.name}: {each.state} {each.reason}" for each in listed if each.state in ("queued", "refused")]
    if wrong:
        raise Refusal("demo_failed", f"{len(wrong)} deliveries were not loaded, as {wrong[0]}")


def _bring_into_force(text: str, author: Person, approver: Person) -> None:
    version = versions.draft(text=text, by=author, at=timezone.now())
    versions.step(version=version.pk, event="submit", by=author, at=timezone.now())
    (asked,) = [each for each in requests.listed(approver, at=timezone.now()) if each.state == "open"]
    requests.approve(request=asked.request, by=approver, at=timezone.now())
    versions.step(version=version.pk, event="activate", by=author, at=timezone.now())


def _work() -> None:
    """Run the worker until nothing is due."""
    worker = jobs.Worker(f"demo:{os.getpid()}")
    while worker.step():
        pass
    failed = jobs.failed()
    if failed:
        raise Refusal("demo_failed", f"The job {failed[0].name} failed: {failed[0].fault}")
