"""Pages of programs: their versions and life, requests that wait for a second person, balances, finalising, statements."""

import uuid
from datetime import date
from functools import partial
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.engine.findings import Refusal
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger import causes
from headrace.ledger.desk import Key
from headrace.portal.edge import person
from headrace.programs import balances as live
from headrace.programs import entering, finalising, versions
from headrace.workflow import requests


class TermsForm(forms.Form):
    """A program document."""

    text = forms.CharField(
        label="Program document", widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false"}), max_length=1_000_000
    )


@login_required
@require_GET
def programs(request: HttpRequest) -> HttpResponse:
    """List programs with their versions."""
    now = timezone.now()
    rows = versions.listed(person(request), at=now)
    may_author = Permission.AUTHOR_TERMS in access.permitted(person(request), VENDOR, now.date())
    return render(request, "portal/programs.html", {"versions": rows, "may_author": may_author})


@login_required
@require_GET
def write_terms(request: HttpRequest) -> HttpResponse:
    """Show the form in which a program document is written, with the text of a version where one is named."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.AUTHOR_TERMS, now.date())
    code = request.GET.get("program", "")
    text = versions.of_program(code, person(request), at=now)[0].written if code else ""
    return render(request, "portal/write_terms.html", {"form": TermsForm(initial={"text": text}), "findings": ()})


@login_required
@require_POST
def save_terms(request: HttpRequest) -> HttpResponse:
    """Save a draft; faults are shown beside the text, which is not lost."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.AUTHOR_TERMS, now.date())
    form = TermsForm(request.POST)
    if not form.is_valid():
        return render(request, "portal/write_terms.html", {"form": form, "findings": ()}, status=422)
    try:
        version = versions.draft(text=form.cleaned_data["text"], by=person(request), at=now)
    except Refusal as refusal:
        form.add_error("text", refusal.message)
        return render(request, "portal/write_terms.html", {"form": form, "findings": refusal.findings}, status=422)
    messages.success(request, f"Version {version.number} is saved as a draft. Submit it when it is ready for review.")
    return redirect("program", code=version.program.code)


@login_required
@require_GET
def program(request: HttpRequest, code: str) -> HttpResponse:
    """Show one program: its versions with their terms in words, and its periods."""
    now = timezone.now()
    permissions = access.permitted(person(request), VENDOR, now.date())
    context = {
        "code": code,
        "versions": versions.of_program(code, person(request), at=now),
        "periods": finalising.periods(code, person(request), at=now),
        "may_finalise": Permission.FINALISE in permissions,
        "may_author": Permission.AUTHOR_TERMS in permissions,
    }
    return render(request, "portal/program.html", context)


@login_required
@require_POST
def step_version(request: HttpRequest, version: uuid.UUID, event: str) -> HttpResponse:
    """Submit, activate, suspend, resume or end a version."""
    moved = versions.step(version=version, event=event, by=person(request), at=timezone.now())
    messages.success(request, f"Version {moved.number} is {moved.state.replace('_', ' ')} now.")
    return redirect("program", code=moved.program.code)


@login_required
@require_POST
def ask_to_finalise(request: HttpRequest, code: str) -> HttpResponse:
    """Ask to finalise a period."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.FINALISE, now.date())
    text = request.POST.get("from", "")
    try:
        period_from = date.fromisoformat(text) if text else None
    except ValueError:
        raise Refusal("no_such_period", f"{text!r} is not a day. Load the page of the program again.") from None
    finalising.ask(program=code, period_from=period_from, by=person(request), at=now)
    messages.success(request, "Asked for. When it is worked out, it waits under “Requests” for a second person.")
    return redirect("program", code=code)


@login_required
@require_GET
def all_requests(request: HttpRequest) -> HttpResponse:
    """List requests, those first that wait for a decision."""
    return render(request, "portal/requests.html", {"requests": requests.listed(person(request), at=timezone.now())})


@login_required
@require_GET
def one_request(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Show one request: its facts, who decided what, and the forms for whoever may decide."""
    asked = requests.one(request_id, person(request), at=timezone.now())
    facts = [(name.replace("_", " "), value) for name, value in asked.facts.items()]
    return render(request, "portal/request.html", {"asked": asked, "facts": facts})


@login_required
@require_POST
def approve_request(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Approve a request as a second person."""
    last = requests.approve(request=request_id, by=person(request), at=timezone.now())
    messages.success(request, "Approved." if last else "Approved. Another person decides the next stage.")
    return redirect("requests")


@login_required
@require_POST
def reject_request(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Reject a request, with the reason."""
    requests.reject(request=request_id, by=person(request), reason=request.POST.get("reason", ""), at=timezone.now())
    messages.success(request, "Rejected.")
    return redirect("requests")


@login_required
@require_POST
def withdraw_request(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Take a request back."""
    requests.withdraw(request=request_id, by=person(request), at=timezone.now())
    messages.success(request, "Taken back.")
    return redirect("requests")


@login_required
@require_GET
def balances(request: HttpRequest) -> HttpResponse:
    """Show where everybody stands, as far as the viewer may see it."""
    wanted = {name: request.GET.get(name, "").strip() or None for name in ("program", "payee")}
    found = live.seen(person(request), program=wanted["program"], payee=wanted["payee"], at=timezone.now())
    context = {"found": found, "totals": live.totals(found.standings), "wanted": wanted}
    return render(request, "portal/balances.html", context)


@login_required
@require_GET
def balance(request: HttpRequest) -> HttpResponse:
    """Show a payee's balances in a program, with every change and its cause. Both come as parameters: an id may be any text."""
    program, payee = request.GET.get("program", ""), request.GET.get("payee", "")
    standings, postings = live.of(program, payee, person(request), at=timezone.now())
    context = {"program": program, "payee": payee, "standings": standings, "postings": postings}
    return render(request, "portal/balance.html", context)


@login_required
@require_GET
def statements(request: HttpRequest) -> HttpResponse:
    """List final statements."""
    return render(
        request, "portal/statements.html", {"statements": finalising.statements(person(request), at=timezone.now())}
    )


@login_required
@require_GET
def statement(request: HttpRequest, run: str) -> HttpResponse:
    """Show a payee's final statement."""
    payee = request.GET.get("payee", "")
    viewer, now = person(request), timezone.now()
    rows = finalising.statement(run, payee, viewer, at=now)
    entries = entering.entries_of(run, payee, viewer, at=now)
    return render(request, "portal/statement.html", {"rows": rows, "run": run, "payee": payee, "entries": entries})


@login_required
@require_GET
def download_statement(request: HttpRequest, run: str) -> HttpResponse:
    """Hand out a payee's final statement as CSV."""
    rows = finalising.statement(run, request.GET.get("payee", ""), person(request), at=timezone.now())
    answer = HttpResponse(finalising.as_csv(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="statement-{run[:8]}.csv"'
    return answer


def _statement_of(run: str, of: Key) -> causes.Opened:
    address = reverse("statement", kwargs={"run": run})
    return causes.Opened(f"Statement of {of.payee}, run {run[:8]}", f"{address}?{urlencode({'payee': of.payee})}")


def _changed_by(what: str, cause: str, of: Key) -> causes.Opened:
    asked = urlencode({"program": of.program, "payee": of.payee})
    return causes.Opened(f"{what} {cause}".strip(), f"{reverse('balance')}?{asked}")


causes.show_as(entering.FINALISATION, _statement_of)
causes.show_as("batch", partial(_changed_by, "Batch"))
causes.show_as("load", partial(_changed_by, "Balances worked out anew as of batch"))
