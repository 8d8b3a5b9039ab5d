"""Pages of the books for finance and auditors: trial balance, roll-forward, postings with their cause, accounting periods."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.engine.findings import Finding, Refusal
from headrace.foundation import access, companies
from headrace.foundation.companies import Company
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger import general_ledger, opening, periods, profiles, reading
from headrace.ledger.desk import AccountKey
from headrace.ledger.kinds import MEMORANDA, Column, Kind
from headrace.portal.edge import person
from headrace.portal.exports import as_csv

PAGE = 50


class Asked(forms.Form):
    """What of the books to show. Days are included, `until` is not."""

    company = forms.ChoiceField(required=False)
    as_of = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    known_on = forms.DateField(
        required=False, label="As known at the end of", widget=forms.DateInput(attrs={"type": "date"})
    )
    from_on = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until_on = forms.DateField(
        required=False, label="Until (not included)", widget=forms.DateInput(attrs={"type": "date"})
    )
    by_currency = forms.BooleanField(required=False, label="In each currency instead of the company's")
    payee = forms.CharField(required=False, max_length=64)
    program = forms.CharField(required=False, max_length=100)
    before = forms.IntegerField(required=False, min_value=1, max_value=2**62, widget=forms.HiddenInput)


@dataclass(frozen=True, slots=True)
class _Question:
    """What was asked, checked. company: the only one, or the first, where none is named; null where there is none."""

    company: Company | None
    form: Asked
    given: dict[str, Any]

    @property
    def known_at(self) -> datetime | None:
        day: date | None = self.given.get("known_on")
        return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)

    def span(self) -> tuple[date, date]:
        """Give the days of the roll-forward: this month where none are asked."""
        first = timezone.now().date().replace(day=1)
        start: date = self.given.get("from_on") or first
        until: date = self.given.get("until_on") or (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        return start, until

    def only(self) -> Company:
        """Give the company; refused where there is none."""
        return self.company or companies.find("")


def _question(request: HttpRequest, *fields: str) -> _Question:
    """Let in who reads the books, and read what they ask."""
    access.require(person(request), VENDOR, Permission.READ_LEDGER, timezone.now().date())
    form = Asked(request.GET or None)
    every = companies.listed()
    form.fields["company"].choices = [(one.code, f"{one.code} · {one.name}") for one in every]  # type: ignore[attr-defined]
    for name in set(form.fields) - {"company", *fields}:
        del form.fields[name]
    if form.is_bound and not form.is_valid():
        faults = "; ".join(f"{name}: {' '.join(map(str, wrong))}" for name, wrong in form.errors.items())
        raise Refusal("question", f"This cannot be shown: {faults} Correct it and ask again.")
    given = form.cleaned_data if form.is_bound else {}
    code = given.get("company")
    return _Question(companies.find(code) if code else next(iter(every), None), form, given)


@login_required
@require_GET
def trial_balance(request: HttpRequest) -> HttpResponse:
    """Show the totals by kind of account and currency, and whether they agree."""
    asked = _question(request, "as_of", "known_on")
    figures = _figures(asked) if asked.company else ()
    return render(
        request, "portal/ledger/trial_balance.html", {"asked": asked, "figures": figures, "query": _query(request)}
    )


@login_required
@require_GET
def trial_balance_file(request: HttpRequest) -> HttpResponse:
    """Export the trial balance."""
    asked = _question(request, "as_of", "known_on")
    company = asked.only()
    header = ("company", "account", "currency", "debit", "credit", "functional_debit", "functional_credit")
    rows = [
        (company.code, one.kind.value, one.currency, one.debit, one.credit, one.functional_debit, one.functional_credit)
        for one in _figures(asked)
    ]
    return as_csv(f"trial-balance-{company.code}.csv", header, rows)


def _figures(asked: _Question) -> tuple[reading.Figure, ...]:
    return reading.trial_balance(asked.only(), as_of=asked.given.get("as_of"), known_at=asked.known_at)


@login_required
@require_GET
def roll_forward(request: HttpRequest) -> HttpResponse:
    """Show how the liability came from its opening to its closing."""
    asked = _question(request, "from_on", "until_on", "by_currency", "known_on")
    rows = _rolled(asked) if asked.company else ()
    context = {
        "asked": asked, "rows": [(row, [row.columns[column] for column in Column]) for row in rows],
        "columns": [column.value.capitalize() for column in Column], "span": asked.span(), "query": _query(request),
    }  # fmt: skip
    return render(request, "portal/ledger/roll_forward.html", context)


@login_required
@require_GET
def roll_forward_file(request: HttpRequest) -> HttpResponse:
    """Export the roll-forward."""
    asked = _question(request, "from_on", "until_on", "by_currency", "known_on")
    company = asked.only()
    header = ("company", "program", "age", "currency", "opening", *(column.value for column in Column), "closing")
    rows = [
        (
            company.code,
            row.program,
            row.age,
            row.currency,
            row.opening,
            *(row.columns[one] for one in Column),
            row.closing,
        )
        for row in _rolled(asked)
    ]
    return as_csv(f"roll-forward-{company.code}.csv", header, rows)


def _rolled(asked: _Question) -> tuple[reading.Rolled, ...]:
    start, until = asked.span()
    functional = not asked.given.get("by_currency")
    return reading.roll_forward(
        asked.only(), from_on=start, until_on=until, functional=functional, known_at=asked.known_at
    )


@login_required
@require_GET
def postings(request: HttpRequest) -> HttpResponse:
    """Show postings, the latest first."""
    asked = _question(request, "payee", "program", "before")
    lines = _lines(asked, PAGE) if asked.company else ()
    older = lines[-1].id if len(lines) == PAGE else None
    return render(
        request,
        "portal/ledger/postings.html",
        {"asked": asked, "lines": lines, "older": older, "query": _query(request)},
    )


@login_required
@require_GET
def postings_file(request: HttpRequest) -> HttpResponse:
    """Export the latest 10,000 postings that were asked for; `before` gives older ones."""
    asked = _question(request, "payee", "program", "before")
    company = asked.only()
    parts = ("kind", "payee_kind", "payee", "program", "period", "fund")
    header = (
        "posting", "entry", "cause_kind", "cause", "known_at", "on", "booked_on", "purpose", "version", "currency", "amount",
        "functional", *(f"{side}_{part}" for side in ("debit", "credit") for part in parts),
    )  # fmt: skip
    rows = [
        (
            line.id, str(line.entry), *line.cause, line.at.isoformat(), line.on, line.booked_on, line.purpose.value,
            line.version, line.currency, line.amount, line.functional, *_account(line.debit), *_account(line.credit),
        )
        for line in _lines(asked, 10_000)
    ]  # fmt: skip
    return as_csv(f"postings-{company.code}.csv", header, rows)


def _account(account: AccountKey) -> tuple[str, ...]:
    key = account.key
    return account.kind.value, key.payee_kind, key.payee, key.program, key.period, key.fund


def _lines(asked: _Question, size: int) -> tuple[reading.Line, ...]:
    given = asked.given
    return reading.postings(
        asked.only(), before=given.get("before"), payee=given.get("payee"), program=given.get("program"), size=size
    )


@login_required
@require_GET
def posting(request: HttpRequest, company: str, posting: int) -> HttpResponse:
    """Open a posting to its cause, and to the other postings of the same cause."""
    access.require(person(request), VENDOR, Permission.READ_LEDGER, timezone.now().date())
    books = companies.find(company)
    line, cause = reading.opened(books, posting)
    beside = reading.postings(books, cause=line.cause, size=PAGE)
    return render(
        request, "portal/ledger/posting.html", {"company": books, "line": line, "cause": cause, "beside": beside}
    )


@login_required
@require_GET
def accounting_periods(request: HttpRequest) -> HttpResponse:
    """Show the periods of a company, and what may be done with each."""
    asked = _question(request)
    rows = periods.standings(asked.company) if asked.company else ()
    may_close = Permission.CLOSE_PERIOD in access.permitted(person(request), VENDOR, timezone.now().date())
    return render(request, "portal/ledger/periods.html", {"asked": asked, "rows": rows, "may_close": may_close})


@login_required
@require_POST
def close_period(request: HttpRequest, period: uuid.UUID) -> HttpResponse:
    """Soft-close a period."""
    periods.soft_close(period=period, by=person(request), at=timezone.now())
    messages.success(request, "Closed for all but closing entries.")
    return redirect("ledger_periods")


@login_required
@require_POST
def ask_period(request: HttpRequest, period: uuid.UUID) -> HttpResponse:
    """Ask a second person to lock a period, or to open it again."""
    periods.ask(period=period, to=request.POST.get("to", ""), by=person(request), at=timezone.now())
    messages.success(request, "Asked for. A second person decides.")
    return redirect("ledger_periods")


@login_required
@require_POST
def decide_period(request: HttpRequest, period: uuid.UUID) -> HttpResponse:
    """Decide, as the second person, what was asked for a period."""
    approve = request.POST.get("approve") == "yes"
    periods.decide(period=period, by=person(request), approve=approve, at=timezone.now())
    messages.success(request, "Done." if approve else "Turned down.")
    return redirect("ledger_periods")


@login_required
@require_POST
def hand_over_journal(request: HttpRequest, period: uuid.UUID) -> HttpResponse:
    """Export the journal of a locked period; from then on the period is never opened again."""
    books, lines = general_ledger.hand_over(period=period, by=person(request), at=timezone.now())
    header = (
        "company", "account", "currency", "cost_centre", "program", "debit", "credit", "functional_debit",
        "functional_credit",
    )  # fmt: skip
    rows = [
        (
            books.code, line.account, line.currency, line.cost_centre, line.program, line.debit, line.credit,
            line.functional_debit, line.functional_credit,
        )
        for line in lines
    ]  # fmt: skip
    return as_csv(f"journal-{books.code}.csv", header, rows)


def _query(request: HttpRequest) -> str:
    """Give what was asked, without the page, to go on asking it."""
    asked = request.GET.copy()
    asked.pop("before", None)
    return asked.urlencode()


class OpeningForm(forms.Form):
    """The balances of an older system."""

    company = forms.ChoiceField(choices=lambda: [(one.code, f"{one.code} · {one.name}") for one in companies.listed()])
    on = forms.DateField(label="As of", widget=forms.DateInput(attrs={"type": "date"}))
    file = forms.FileField(label="Balances (CSV)", help_text=f"Columns: {', '.join(opening.COLUMNS)}.")


@login_required
@require_GET
def opening_journals(request: HttpRequest) -> HttpResponse:
    """Show what is carried over from an older system, and the form to propose it."""
    return _opening(request, OpeningForm(), ())


def _opening(request: HttpRequest, form: OpeningForm, findings: Sequence[Finding], status: int = 200) -> HttpResponse:
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.READ_LEDGER, now.date())
    context = {
        "journals": [(one, opening.listed(one, person(request), at=now)) for one in companies.listed()],
        "form": form, "findings": findings[:FINDINGS_MAX], "more": max(0, len(findings) - FINDINGS_MAX),
        "may_close": Permission.CLOSE_PERIOD in access.permitted(person(request), VENDOR, now.date()),
    }  # fmt: skip
    return render(request, "portal/ledger/opening.html", context, status=status)


FINDINGS_MAX = 200


@login_required
@require_POST
def propose_opening(request: HttpRequest) -> HttpResponse:
    """Propose an opening journal; every row that cannot be is shown, and then nothing is kept."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.CLOSE_PERIOD, now.date())
    form = OpeningForm(request.POST, request.FILES)
    if not form.is_valid():
        return _opening(request, form, (), status=422)
    given = form.cleaned_data
    try:
        rows = opening.read_file(given["file"].read())
        opening.propose(company=companies.find(given["company"]), on=given["on"], rows=rows, by=person(request), at=now)
    except Refusal as refusal:
        form.add_error(None, refusal.message)
        return _opening(request, form, refusal.findings, status=422)
    messages.success(request, "Proposed. A second person holds its totals against the old books, and approves it.")
    return redirect("opening_journals")


@login_required
@require_POST
def approve_opening(request: HttpRequest, journal: uuid.UUID) -> HttpResponse:
    """Approve an opening journal as the second person."""
    opening.approve(journal=journal, by=person(request), at=timezone.now())
    messages.success(request, "Approved and posted.")
    return redirect("opening_journals")


class AccountForm(forms.Form):
    """The general ledger's account for a kind of account."""

    company = forms.ChoiceField(choices=lambda: [(one.code, f"{one.code} · {one.name}") for one in companies.listed()])
    program_type = forms.CharField(label="Program type (empty: all others)", required=False, max_length=60)
    kind = forms.ChoiceField(choices=[(kind.value, kind.label) for kind in Kind if kind not in MEMORANDA])
    account = forms.CharField(label="Account of the general ledger", max_length=60)


class ProgramForm(forms.Form):
    """What the general ledger must know of a program."""

    program = forms.CharField(max_length=100)
    program_type = forms.CharField(max_length=60)
    cost_centre = forms.CharField(required=False, max_length=60)


@login_required
@require_GET
def ledger_profiles(request: HttpRequest) -> HttpResponse:
    """Show which account of the general ledger takes what, and the forms to ask for a change."""
    return _profiles(request, AccountForm(), ProgramForm())


def _profiles(request: HttpRequest, account: AccountForm, program: ProgramForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "found": profiles.in_force(person(request), at=now), "account": account, "program": program,
        "may_close": Permission.CLOSE_PERIOD in access.permitted(person(request), VENDOR, now.date()),
    }  # fmt: skip
    return render(request, "portal/ledger/profiles.html", context, status=status)


@login_required
@require_POST
def ask_account(request: HttpRequest) -> HttpResponse:
    """Ask for an account of the general ledger."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.CLOSE_PERIOD, now.date())
    form = AccountForm(request.POST)
    if not form.is_valid():
        return _profiles(request, form, ProgramForm(), status=422)
    given = {**form.cleaned_data, "company": companies.find(form.cleaned_data["company"])}
    profiles.ask_account(**{**given, "kind": Kind(given["kind"])}, by=person(request), at=now)
    messages.success(request, "Asked for. It waits under “Requests” for a second person.")
    return redirect("ledger_profiles")


@login_required
@require_POST
def ask_program(request: HttpRequest) -> HttpResponse:
    """Ask to say of which type a program is, and whose cost centre bears it."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.CLOSE_PERIOD, now.date())
    form = ProgramForm(request.POST)
    if not form.is_valid():
        return _profiles(request, AccountForm(), form, status=422)
    profiles.ask_program(**form.cleaned_data, by=person(request), at=now)
    messages.success(request, "Asked for. It waits under “Requests” for a second person.")
    return redirect("ledger_profiles")
