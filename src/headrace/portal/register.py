"""Pages of the register of programs and their budgets."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.engine.findings import Refusal
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance import budgets
from headrace.governance import register as programs
from headrace.governance.budgets import Wanted
from headrace.portal.edge import person
from headrace.portal.exports import as_csv


class BudgetForm(forms.Form):
    """A budget to ask for."""

    program = forms.CharField(max_length=100)
    amount = forms.DecimalField(min_value=0, max_digits=18, decimal_places=6)
    expected = forms.DecimalField(
        min_value=0, max_digits=18, decimal_places=6, help_text="What it is expected to cost."
    )
    currency = forms.CharField(max_length=3)
    region = forms.CharField(max_length=60, required=False)
    warn_at = forms.DecimalField(min_value=0, max_value=1, initial="0.8", help_text="Share of the amount.")
    reason = forms.CharField(max_length=1000)


@login_required
@require_GET
def register(request: HttpRequest) -> HttpResponse:
    """Show the register."""
    return _page(request, BudgetForm())


def _page(request: HttpRequest, form: BudgetForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "rows": programs.rows(person(request), at=now),
        "form": form,
        "may_ask": Permission.AUTHOR_TERMS in access.permitted(person(request), VENDOR, now.date()),
    }
    return render(request, "portal/governance/register.html", context, status=status)


@login_required
@require_GET
def register_file(request: HttpRequest) -> HttpResponse:
    """Hand out the register as CSV."""
    rows = programs.rows(person(request), at=timezone.now())
    return as_csv("programs.csv", programs.HEADER, [programs.cells(row) for row in rows])


@login_required
@require_POST
def ask_budget(request: HttpRequest) -> HttpResponse:
    """Ask for a budget."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.AUTHOR_TERMS, now.date())
    form = BudgetForm(request.POST)
    if form.is_valid():
        given = dict(form.cleaned_data)
        program, reason = given.pop("program"), given.pop("reason")
        try:
            budgets.ask(program=program, wanted=Wanted(**given), reason=reason, by=person(request), at=now)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "Asked for. Finance decides under “Requests”.")
            return redirect("register")
    return _page(request, form, status=422)
