"""Pages of assignment: who takes part in which program, and what partners are offered; partners' own values from a file."""

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
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance import assigning, own_inputs
from headrace.governance.assigning import Whom
from headrace.portal.edge import person

DAY = forms.DateInput(attrs={"type": "date"})


class AssignForm(forms.Form):
    """Who is assigned."""

    program = forms.CharField(max_length=100)
    partners = forms.CharField(max_length=20_000, required=False, help_text="Ids, separated by commas.")
    segment = forms.CharField(max_length=100, required=False, help_text="Instead of partners.")
    everybody = forms.BooleanField(required=False, label="All partners")
    from_on = forms.DateField(label="From", widget=DAY)

    def whom(self) -> Whom | None:
        """Give who is meant; nobody, or more than one way, is a fault of the form."""
        given = self.cleaned_data
        partners = tuple(text.strip() for text in given["partners"].split(",") if text.strip())
        if (bool(partners), bool(given["segment"]), given["everybody"]).count(True) != 1:
            self.add_error(None, "Name partners, or a segment, or all of them.")
            return None
        return Whom(partners=partners, segment=given["segment"])


class LeaveForm(forms.Form):
    """Who leaves."""

    program = forms.CharField(max_length=100)
    partner = forms.CharField(max_length=200)
    until_on = forms.DateField(label="First day without it", widget=DAY)


class InputsForm(forms.Form):
    """A file of targets, baselines, own rates and caps."""

    file = forms.FileField(label="CSV file")


@login_required
@require_GET
def assignments(request: HttpRequest) -> HttpResponse:
    """List assignments."""
    return _page(request, AssignForm(), LeaveForm())


def _page(request: HttpRequest, form: AssignForm, leaving: LeaveForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "rows": assigning.listed(person(request), at=now),
        "form": form,
        "leaving": leaving,
        "may_assign": Permission.ASSIGN_PROGRAM in access.permitted(person(request), VENDOR, now.date()),
    }
    return render(request, "portal/governance/assignments.html", context, status=status)


@login_required
@require_POST
def assign(request: HttpRequest) -> HttpResponse:
    """Assign partners to a program."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.ASSIGN_PROGRAM, now.date())
    form = AssignForm(request.POST)
    whom = form.whom() if form.is_valid() else None
    if whom is None:
        return _page(request, form, LeaveForm(), status=422)
    given = form.cleaned_data
    try:
        done = assigning.assign(
            program=given["program"], whom=whom, from_on=given["from_on"], by=person(request), at=now
        )  # fmt: skip
    except Refusal as refusal:
        form.add_error(None, refusal.message)
        return _page(request, form, LeaveForm(), status=422)
    messages.success(request, f"{done.made} assigned; {len(done.already)} took part already.")
    return redirect("assignments")


@login_required
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """End a partner's part in a program."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.ASSIGN_PROGRAM, now.date())
    form = LeaveForm(request.POST)
    if form.is_valid():
        try:
            assigning.leave(**form.cleaned_data, by=person(request), at=now)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "It ends on that day, as the terms say.")
            return redirect("assignments")
    return _page(request, AssignForm(), form, status=422)


@login_required
@require_POST
def accept(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Accept terms for a partner."""
    assigning.decide(assignment=assignment, accept=True, by=person(request), at=timezone.now())
    messages.success(request, "Accepted.")
    return redirect("assignments")


@login_required
@require_POST
def decline(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Decline terms for a partner."""
    reason = request.POST.get("reason", "")
    assigning.decide(assignment=assignment, accept=False, reason=reason, by=person(request), at=timezone.now())
    messages.success(request, "Declined.")
    return redirect("assignments")


@login_required
@require_POST
def load_inputs(request: HttpRequest, code: str) -> HttpResponse:
    """Put partners' own values from a file into a draft."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.AUTHOR_TERMS, now.date())
    form = InputsForm(request.POST, request.FILES)
    if not form.is_valid():
        return render(
            request, "portal/governance/inputs.html", {"form": form, "code": code, "findings": ()}, status=422
        )
    try:
        number = own_inputs.load(
            program=code, content=form.cleaned_data["file"].read(own_inputs.SIZE_MAX + 1), by=person(request), at=now
        )
    except Refusal as refusal:
        form.add_error("file", refusal.message)
        context = {"form": form, "code": code, "findings": refusal.findings}
        return render(request, "portal/governance/inputs.html", context, status=422)
    messages.success(request, f"The values are in the draft of version {number}; they are approved with it.")
    return redirect("program", code=code)
