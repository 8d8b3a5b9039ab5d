"""Pages of shadow runs: a version held against what was paid the old way."""

import uuid

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.engine.findings import Finding, Refusal
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance import shadow as runs
from headrace.portal.edge import person
from headrace.portal.exports import as_csv

HEADER = ("partner", "from", "until", "old", "shadow", "difference", "cause")


class OldResults(forms.Form):
    """A file of old results."""

    file = forms.FileField(label="Old results (CSV or XLSX)", help_text="Columns: partner, from, until, amount.")


@login_required
@require_GET
def shadows(request: HttpRequest) -> HttpResponse:
    """List shadow runs."""
    rows = runs.listed(person(request), at=timezone.now())
    return render(request, "portal/governance/shadows.html", {"rows": rows})


@login_required
@require_POST
def start(request: HttpRequest, version: uuid.UUID) -> HttpResponse:
    """Hold a version against old results."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.AUTHOR_TERMS, now.date())
    form = OldResults(request.POST, request.FILES)
    findings: tuple[Finding, ...] = ()
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            made = runs.start(version=version, name=file.name, content=file.read(), by=person(request), at=now)
        except Refusal as refusal:
            form.add_error("file", refusal.message)
            findings = refusal.findings
        else:
            messages.success(request, "It is being worked out. Nothing is posted.")
            return redirect("shadow", shadow=made.pk)
    context = {"form": form, "version": version, "findings": findings}
    return render(request, "portal/governance/old_results.html", context, status=422)


@login_required
@require_GET
def one_shadow(request: HttpRequest, shadow: uuid.UUID) -> HttpResponse:
    """Show one shadow run: differences grouped by cause, then row by row."""
    now = timezone.now()
    context = {
        "run": runs.one(shadow, person(request), at=now),
        "causes": runs.CAUSES,
        "may_author": Permission.AUTHOR_TERMS in access.permitted(person(request), VENDOR, now.date()),
    }
    return render(request, "portal/governance/shadow.html", context)


@login_required
@require_POST
def again(request: HttpRequest, shadow: uuid.UUID) -> HttpResponse:
    """Work a shadow run out again."""
    runs.again(shadow=shadow, by=person(request), at=timezone.now())
    messages.success(request, "It is being worked out again.")
    return redirect("shadow", shadow=shadow)


@login_required
@require_GET
def differences_file(request: HttpRequest, shadow: uuid.UUID) -> HttpResponse:
    """Hand out the rows of a shadow run as CSV."""
    run = runs.one(shadow, person(request), at=timezone.now())
    return as_csv("shadow.csv", HEADER, [[row[name] for name in HEADER] for row in run.rows])
