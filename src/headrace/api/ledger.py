"""Companies and their books: balances, trial balance, roll-forward, postings with their cause, accounting periods."""

import uuid
from datetime import date
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Path, Router
from pydantic import BeforeValidator, Field

from headrace.api import paging
from headrace.api.calling import caller, ledger_reader, read, write
from headrace.api.paging import Paged, page_of
from headrace.api.shapes import Day, Given, Instant, Needed, Said, Text, Truth, Whole, shape
from headrace.engine.findings import Refusal
from headrace.foundation import access, companies
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger import causes, desk, general_ledger, periods, reading
from headrace.ledger.kinds import Kind

router = Router(tags=["books"])

shape(desk.Key, "AccountOf")
shape(desk.AccountKey, "Account")
Standing = shape(
    reading.Standing,
    "AccountBalance",
    without=("debits", "credits", "functional_debits", "functional_credits"),
    also={"amount": reading.Standing.amount.fget.__annotations__["return"]},  # type: ignore[attr-defined]
)
Figure = shape(reading.Figure, "TrialBalanceRow")
Rolled = shape(reading.Rolled, "RollForwardRow")
Posting = shape(reading.Line, "Posting", cause=Annotated[dict[str, str], BeforeValidator(
    lambda value: dict(zip(("kind", "id"), value, strict=True))
)])  # fmt: skip
AccountingPeriod = shape(periods.Standing, "AccountingPeriod")
JournalLine = shape(general_ledger.JournalLine, "JournalLine")
Cause = shape(causes.Opened, "Cause")

Number = Annotated[int, Path(ge=1, lt=2**62)]


class Company(Said):
    """A legal entity of the vendor."""

    code: str
    name: str
    functional_currency: str
    fiscal_month: int
    fiscal_day: int


class CompanyGiven(Given):
    """A company to open. The fiscal year starts on a day from 1 to 28 of a month."""

    code: Annotated[Needed, Field(max_length=20)]
    name: Annotated[Needed, Field(max_length=200)]
    functional_currency: Text
    fiscal_month: Whole = Field(default=1, ge=1, le=12)
    fiscal_day: Whole = Field(default=1, ge=1, le=28)


class BooksGiven(Given):
    """From when on the books are kept: the fiscal month that holds the day."""

    first_on: Day


class PeriodOpened(Said):
    """The first accounting period of a company."""

    id: uuid.UUID
    from_on: date
    until_on: date


class PostingOpened(Said):
    """A posting, and what caused it."""

    posting: Posting  # type: ignore[valid-type]
    cause: Cause  # type: ignore[valid-type]


class Asked(Given):
    """What a period is to become."""

    to: Literal["locked", "soft_closed", "open"]


class Decided(Given):
    """Whether what was asked for is granted."""

    approve: Truth


class Journal(Said):
    """The journal of a locked period, for a general ledger."""

    company: str
    lines: list[JournalLine]  # type: ignore[valid-type]


@read(router, "/companies", page_of(Company))
def list_companies(request: HttpRequest, page: Paged) -> object:
    """List companies, by code."""
    viewer, at = caller(request)
    if Permission.MANAGE_COMPANIES not in access.permitted(viewer, VENDOR, at.date()):
        access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    return paging.whole(companies.listed(), lambda row: (row.code,), page)


@write(router, "/companies", Company, status=201)
def open_company(request: HttpRequest, given: CompanyGiven) -> object:
    """Open a company."""
    by, at = caller(request)
    return companies.open_company(**given.model_dump(), by=by, at=at)


@write(router, "/companies/{company}/books", PeriodOpened, status=201)
def open_books(request: HttpRequest, company: Text, given: BooksGiven) -> object:
    """Open a company's books."""
    by, at = caller(request)
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    return periods.open_books(company=companies.find(company), first_on=given.first_on, by=by, at=at)


@read(router, "/companies/{company}/balances", page_of(Standing))
def list_account_balances(  # noqa: PLR0913, PLR0917 (what a reader may ask)
    request: HttpRequest,
    company: Text,
    page: Paged,
    as_of: Day | None = None,
    known_at: Instant | None = None,
    payee: Text = "",
    program: Text = "",
    kind: Kind | None = None,
) -> object:
    """List what stands on the accounts: debits less credits. as_of: what is booked until that day, included.

    known_at: what was posted until that instant. payee: a partner. program, kind: only those.
    """
    ledger_reader(request)
    found = reading.balances(
        companies.find(company),
        kinds=(kind,) if kind else (),
        payee=("partner", payee) if payee else None,
        program=program or None,
        as_of=as_of,
        known_at=known_at,
    )
    return paging.whole(found, lambda row: row.account.fields(), page)


@read(router, "/companies/{company}/trial-balance", page_of(Figure))
def get_trial_balance(
    request: HttpRequest, company: Text, page: Paged, as_of: Day | None = None, known_at: Instant | None = None
) -> object:
    """Read the totals by kind of account and currency, as of a day and as known at an instant."""
    ledger_reader(request)
    figures = reading.trial_balance(companies.find(company), as_of=as_of, known_at=known_at)
    return paging.whole(figures, lambda row: (row.kind.value, row.currency), page)


@read(router, "/companies/{company}/roll-forward", page_of(Rolled))
def get_roll_forward(
    request: HttpRequest,
    company: Text,
    page: Paged,
    from_on: Day,
    until_on: Day,
    by_currency: bool = False,
    known_at: Instant | None = None,
) -> object:
    """Read how the liability came from its opening to its closing, by program and age. until_on: not included."""
    ledger_reader(request)
    if from_on == date.min:
        raise Refusal("days", "There is no day before that one. Begin later.")
    rows = reading.roll_forward(
        companies.find(company), from_on=from_on, until_on=until_on, functional=not by_currency, known_at=known_at
    )
    return paging.whole(rows, lambda row: (row.program, row.age, row.currency), page)


@read(router, "/companies/{company}/postings", page_of(Posting))
def list_postings(
    request: HttpRequest, company: Text, page: Paged, payee: Text = "", program: Text = ""
) -> object:  # fmt: skip
    """List postings, the latest first. payee, program: only those."""
    ledger_reader(request)
    rows = reading.postings(
        companies.find(company),
        before=paging.part(page, int),
        payee=payee or None,
        program=program or None,
        size=page.size + 1,
    )
    return paging.cut(rows, lambda row: (row.id,), page)


@read(router, "/companies/{company}/postings/{posting}", PostingOpened)
def get_posting(request: HttpRequest, company: Text, posting: Number) -> object:
    """Read a posting with what caused it."""
    ledger_reader(request)
    line, cause = reading.opened(companies.find(company), posting)
    return {"posting": line, "cause": cause}


@read(router, "/companies/{company}/periods", page_of(AccountingPeriod))
def list_accounting_periods(request: HttpRequest, company: Text, page: Paged) -> object:
    """List the accounting periods of a company, the latest first."""
    ledger_reader(request)
    rows = periods.standings(companies.find(company))
    return paging.whole(rows, lambda row: (str(row.from_on),), page, latest=True)


def _standing(period: uuid.UUID) -> Any:
    return periods.standing(periods.company_of(period), period)


@write(router, "/accounting-periods/{uuid:period}/soft-close", AccountingPeriod)
def soft_close_period(request: HttpRequest, period: uuid.UUID) -> object:
    """Close a period for all but closing entries."""
    by, at = caller(request)
    periods.soft_close(period=period, by=by, at=at)
    return _standing(period)


@write(router, "/accounting-periods/{uuid:period}/ask", AccountingPeriod)
def ask_period(request: HttpRequest, period: uuid.UUID, given: Asked) -> object:
    """Ask a second person to lock a period, or to open it again by one step."""
    by, at = caller(request)
    periods.ask(period=period, to=given.to, by=by, at=at)
    return _standing(period)


@write(router, "/accounting-periods/{uuid:period}/decide", AccountingPeriod)
def decide_period(request: HttpRequest, period: uuid.UUID, given: Decided) -> object:
    """Grant or turn down, as the second person, what was asked for a period."""
    by, at = caller(request)
    periods.decide(period=period, by=by, approve=given.approve, at=at)
    return _standing(period)


@write(router, "/accounting-periods/{uuid:period}/journal", Journal)
def hand_over_journal(request: HttpRequest, period: uuid.UUID) -> object:
    """Take the journal of a locked period; from then on the period is never opened again."""
    by, at = caller(request)
    company, lines = general_ledger.hand_over(period=period, by=by, at=at)
    return {"company": company.code, "lines": lines}
