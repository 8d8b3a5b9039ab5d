"""Pages of governance: guardrails with their exceptions, what partners are asked to accept."""

import uuid

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.engine.findings import Refusal
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission, Role
from headrace.governance import guardrails, reviewing
from headrace.governance.guardrails import Limit
from headrace.portal.edge import person

KINDS = (
    ("highest_rate", "Highest rate (a share)"),
    ("payout", "Highest statement of a period (an amount)"),
    ("budget", "Highest budget of a program (an amount)"),
    ("blackout", "Product family on which nothing is earned"),
    ("reviewer", "Permission of who must review"),
    ("stack_share", "All incentives on a line, as a share of a price"),
    ("stack_cost", "Price after all incentives not below a cost"),
)


class GuardrailForm(forms.Form):
    """A guardrail to propose."""

    kind = forms.ChoiceField(choices=KINDS)
    value = forms.DecimalField(required=False, help_text="A share (0.3 is 30 %) or an amount.")
    currency = forms.CharField(max_length=3, required=False, help_text="Of an amount.")
    text = forms.CharField(
        max_length=200, required=False, help_text="Product family, column of prices such as list, or permission."
    )
    program_type = forms.CharField(max_length=60, required=False, help_text="Such as volume_rebate; empty: all.")
    region = forms.CharField(max_length=60, required=False, help_text="Empty: all.")
    role = forms.ChoiceField(
        choices=[("", "all"), *((each.value, each.label) for each in Role)], required=False, label="Role of the author"
    )
    reason = forms.CharField(max_length=1000)


@login_required
@require_GET
def guardrail_list(request: HttpRequest) -> HttpResponse:
    """List guardrails and exceptions."""
    return _guardrails(request, GuardrailForm())


def _guardrails(request: HttpRequest, form: GuardrailForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "rows": guardrails.listed(person(request), at=now),
        "exceptions": guardrails.exceptions(person(request), at=now),
        "form": form,
        "may_set": Permission.SET_GUARDRAILS in access.permitted(person(request), VENDOR, now.date()),
    }
    return render(request, "portal/governance/guardrails.html", context, status=status)


@login_required
@require_POST
def propose_guardrail(request: HttpRequest) -> HttpResponse:
    """Propose a guardrail."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.SET_GUARDRAILS, now.date())
    form = GuardrailForm(request.POST)
    if form.is_valid():
        given = dict(form.cleaned_data)
        reason = given.pop("reason")
        try:
            guardrails.propose(limit=Limit(**given), reason=reason, by=person(request), at=now)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "Proposed. It waits under “Requests” for a second person.")
            return redirect("guardrails")
    return _guardrails(request, form, status=422)


@login_required
@require_POST
def end_guardrail(request: HttpRequest, guardrail: uuid.UUID) -> HttpResponse:
    """Ask that a guardrail holds no more."""
    reason = request.POST.get("reason", "")
    guardrails.propose_end(guardrail=guardrail, reason=reason, by=person(request), at=timezone.now())
    messages.success(request, "Asked for. Until a second person agrees, the guardrail holds.")
    return redirect("guardrails")


@login_required
@require_GET
def version_guardrails(request: HttpRequest, version: uuid.UUID) -> HttpResponse:
    """Show what guardrails say of a version."""
    now = timezone.now()
    context = {
        "version": version,
        "rows": guardrails.against(version, person(request), at=now),
        "may_author": Permission.AUTHOR_TERMS in access.permitted(person(request), VENDOR, now.date()),
    }
    return render(request, "portal/governance/version.html", context)


@login_required
@require_POST
def ask_exception(request: HttpRequest, guardrail: uuid.UUID, version: uuid.UUID) -> HttpResponse:
    """Ask that a version passes a guardrail."""
    reason = request.POST.get("reason", "")
    guardrails.ask_exception(
        guardrail=guardrail, version=version, reason=reason, by=person(request), at=timezone.now()
    )  # fmt: skip
    messages.success(request, "Asked for. Another person decides under “Requests”.")
    return redirect("version_guardrails", version=version)


@login_required
@require_GET
def acceptances(request: HttpRequest) -> HttpResponse:
    """List what partners are asked to accept."""
    rows = reviewing.to_accept(person(request), at=timezone.now())
    return render(request, "portal/governance/acceptances.html", {"rows": rows})


@login_required
@require_POST
def accept(request: HttpRequest, acceptance: uuid.UUID) -> HttpResponse:
    """Accept for a partner."""
    reviewing.decide(acceptance=acceptance, accept=True, by=person(request), at=timezone.now())
    messages.success(request, "Accepted.")
    return redirect("acceptances")


@login_required
@require_POST
def decline(request: HttpRequest, acceptance: uuid.UUID) -> HttpResponse:
    """Decline for a partner, with the reason."""
    reason = request.POST.get("reason", "")
    reviewing.decide(acceptance=acceptance, accept=False, reason=reason, by=person(request), at=timezone.now())
    messages.success(request, "Declined.")
    return redirect("acceptances")
