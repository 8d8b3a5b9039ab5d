"""Programs, the requests that wait for a second person, balances, finalising and statements."""

import uuid
from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import BeforeValidator, Field, create_model

from headrace.api import paging
from headrace.api.calling import caller, read, write
from headrace.api.paging import Paged, page_of
from headrace.api.shapes import Amount, Day, Document, Given, Said, Text, shape
from headrace.engine.results import STATEMENTS
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission
from headrace.live import Posting, Standing, StatementKey
from headrace.programs import balances, finalising, versions
from headrace.workflow import requests

router = Router()
PROGRAMS, REQUESTS, BALANCES, STATEMENT = ["programs"], ["requests"], ["balances"], ["statements"]

shape(requests.Decided, "Decision")
shape(StatementKey, "BalanceKey")
Version = shape(versions.Shown, "Version", without=("terms",))
Request = shape(requests.Asked, "Request", facts=dict[str, Any])
Balance = shape(Standing, "Balance")
Change = shape(Posting, "BalanceChange")
Statement = shape(finalising.Stated, "Statement")

Shown = Annotated[str, BeforeValidator(str)]


class FinalisationSaid(Said):
    """A wish to finalise a period, and what came of it. figures: what a second person approves; empty until worked out."""

    id: uuid.UUID
    program: str
    period_from: date | None
    period_until: date | None
    batch_seq: int
    figures: dict[str, Any]
    asked_by: Shown
    state: str
    asked_at: datetime
    run: str | None
    done_at: datetime | None
    reason: str


Period = shape(finalising.Period, "ProgramPeriod", asked=list[FinalisationSaid])


class TermsGiven(Given):
    """A program document: as text in YAML or JSON."""

    text: Document


class Step(Given):
    """What is done with a version."""

    event: Literal["submit", "activate", "suspend", "resume", "end"]


class FinaliseGiven(Given):
    """Which period: by its first day, null where periods have none."""

    period_from: Day | None


class Reason(Given):
    """Why."""

    reason: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$", description="Whoever asked reads it.")]


class Approved(Said):
    """last: nobody else has to decide."""

    last: bool


class BalanceOpened(Said):
    """A payee's balances in a program, with every change of them and its cause, the latest first."""

    balances: list[Balance]  # type: ignore[valid-type]
    changes: list[Change]  # type: ignore[valid-type]


@read(router, "/versions", page_of(Version), tags=PROGRAMS)
def list_versions(request: HttpRequest, page: Paged, program: Text = "", state: Text = "") -> object:
    """List versions of programs, by program and number. program, state: only those."""
    viewer, at = caller(request)
    rows = [
        row
        for row in versions.listed(viewer, at=at)
        if program in ("", row.program) and state in ("", row.state)
    ]  # fmt: skip
    return paging.whole(rows, lambda row: (row.program, row.number), page)


@write(router, "/versions", Version, status=201, tags=PROGRAMS)
def draft_version(request: HttpRequest, given: TermsGiven) -> object:
    """Write a program document: a new program, a new version of one, or a draft anew. Its faults are findings."""
    by, at = caller(request)
    access.require(by, VENDOR, Permission.AUTHOR_TERMS, at.date())
    return versions.shown(versions.draft(text=given.text, by=by, at=at), by, at=at)


@write(router, "/versions/{uuid:version}/steps", Version, tags=PROGRAMS)
def step_version(request: HttpRequest, version: uuid.UUID, given: Step) -> object:
    """Submit a draft for review, or activate, suspend, resume or end a version."""
    by, at = caller(request)
    return versions.shown(versions.step(version=version, event=given.event, by=by, at=at), by, at=at)


@read(router, "/programs/{program}/periods", page_of(Period), tags=PROGRAMS)
def list_program_periods(request: HttpRequest, program: Text, page: Paged) -> object:
    """List the periods of a program that have balances, with the finalisations that were asked for."""
    viewer, at = caller(request)
    versions.of_program(program, viewer, at=at)
    rows = finalising.periods(program, viewer, at=at)
    return paging.whole(rows, lambda row: (str(row.from_ or ""), str(row.until or "")), page, latest=True)


@write(router, "/programs/{program}/finalisations", FinalisationSaid, status=201, tags=PROGRAMS)
def ask_to_finalise(request: HttpRequest, program: Text, given: FinaliseGiven) -> object:
    """Ask to finalise a period. It is worked out by a job, and then a request that a second person decides."""
    by, at = caller(request)
    access.require(by, VENDOR, Permission.FINALISE, at.date())
    return finalising.ask(program=program, period_from=given.period_from, by=by, at=at)


@read(router, "/requests", page_of(Request), tags=REQUESTS)
def list_requests(request: HttpRequest, page: Paged, state: Text = "", kind: Text = "") -> object:
    """List requests, the latest first. state, kind: only those."""
    viewer, at = caller(request)
    before = paging.moment_before(page)
    found = requests.listed(viewer, at=at, size=page.size + 1, before=before, state=state, kind=kind)
    rows = sorted(found, key=lambda row: paging.moment(row.made_at, row.request))
    rows.sort(key=lambda row: row.made_at, reverse=True)
    return paging.cut(rows, lambda row: paging.moment(row.made_at, row.request), page)


@read(router, "/requests/{uuid:request_id}", Request, tags=REQUESTS)
def get_request(request: HttpRequest, request_id: uuid.UUID) -> object:
    """Read a request: its facts as they were when it was asked for, and who decided what."""
    viewer, at = caller(request)
    return requests.one(request_id, viewer, at=at)


@write(router, "/requests/{uuid:request_id}/approve", Approved, tags=REQUESTS)
def approve_request(request: HttpRequest, request_id: uuid.UUID) -> object:
    """Approve the stage that a request stands in, as a second person."""
    by, at = caller(request)
    return {"last": requests.approve(request=request_id, by=by, at=at)}


@write(router, "/requests/{uuid:request_id}/reject", Request, tags=REQUESTS)
def reject_request(request: HttpRequest, request_id: uuid.UUID, given: Reason) -> object:
    """Reject a request, with the reason."""
    by, at = caller(request)
    requests.reject(request=request_id, by=by, reason=given.reason, at=at)
    return requests.one(request_id, by, at=at)


@write(router, "/requests/{uuid:request_id}/withdraw", Request, tags=REQUESTS)
def withdraw_request(request: HttpRequest, request_id: uuid.UUID) -> object:
    """Take a request back; only its maker does."""
    by, at = caller(request)
    requests.withdraw(request=request_id, by=by, at=at)
    return requests.one(request_id, by, at=at)


def _key(row: Any) -> paging.Key:
    key = row.key
    return key.program, key.payee_kind, key.payee_id, key.scope, str(key.from_ or ""), str(key.until or "")


BalancePage = create_model(
    "BalancePage",
    __base__=page_of(Balance),
    __doc__="A page of balances.",
    behind=(dict[str, str], Field(description="Programs that are being worked out anew, by the reason.")),
    waiting=(int, Field(description="Batches that are in the lake and not in these figures yet.")),
)


@read(router, "/balances", BalancePage, tags=BALANCES)
def list_balances(request: HttpRequest, page: Paged, program: Text = "", payee: Text = "") -> object:
    """List live balances, as far as the caller may see them. program, payee: only those."""
    viewer, at = caller(request)
    found = balances.seen(viewer, program=program or None, payee=payee or None, at=at, most=None)
    paged = paging.whole(found.standings, _key, page)
    return {**paged, "behind": found.behind, "waiting": found.waiting}


@read(router, "/balances/of", BalanceOpened, tags=BALANCES)
def get_balance(request: HttpRequest, program: Text, payee: Text) -> object:
    """Explain a payee's balances in a program: every change with its cause, the latest first."""
    viewer, at = caller(request)
    standings, postings = balances.of(program, payee, viewer, at=at)
    return {"balances": standings, "changes": postings}


@read(router, "/statements", page_of(Statement), tags=STATEMENT)
def list_statements(request: HttpRequest, page: Paged, program: Text = "", payee: Text = "") -> object:
    """List final statements that the caller may see, the latest first. program, payee: only those."""
    viewer, at = caller(request)
    before = paging.part(page, int)
    rows = finalising.statements(viewer, at=at, size=page.size + 1, before=before, program=program, payee=payee)
    return paging.cut(rows, lambda row: (row.posting,), page)


def _of_arrow(type_: Any, nullable: bool) -> Any:
    plain = {"string": str, "int32": int, "int64": int, "date32[day]": date}.get(str(type_), Amount)
    return plain | None if nullable else plain


def _statement_columns() -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for each in STATEMENTS:
        hidden = each.name in finalising.VENDORS_OWN
        type_ = _of_arrow(each.type, each.nullable or hidden)
        if each.name == "from":
            columns["from_"] = (type_, Field(validation_alias="from", serialization_alias="from"))
        else:
            columns[each.name] = (type_, None if hidden else ...)
    return columns


StatementRow = create_model(
    "StatementRow",
    __base__=Said,
    __doc__="A row of a statement, as it was written. accrued, forecast: for people of the vendor only.",
    **_statement_columns(),
)


class StatementOpened(Said):
    """A statement of a payee in a run."""

    rows: list[StatementRow]


@read(router, "/statements/{run}", StatementOpened, tags=STATEMENT)
def get_statement(request: HttpRequest, run: Text, payee: Text) -> object:
    """Read a payee's statement in a final run, as it was written and can be verified."""
    viewer, at = caller(request)
    return {"rows": finalising.statement(run, payee, viewer, at=at)}


_CSV = {"responses": {200: {"description": "The file.", "content": {"text/csv": {"schema": {"type": "string"}}}}}}


@read(router, "/statements/{run}/csv", None, openapi_extra=_CSV, tags=STATEMENT)
def get_statement_csv(request: HttpRequest, run: Text, payee: Text) -> HttpResponse:
    """Download a payee's statement in a final run as CSV."""
    viewer, at = caller(request)
    rows = finalising.statement(run, payee, viewer, at=at)
    answer = HttpResponse(finalising.as_csv(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="statement.csv"'
    return answer
