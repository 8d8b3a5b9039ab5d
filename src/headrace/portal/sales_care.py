"""Pages of what is loaded, owed and watched: corrections, reports, folders."""

import uuid
from datetime import date

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.engine.findings import Refusal
from headrace.engine.schema import Stage
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission
from headrace.portal.edge import person
from headrace.sales import correcting, deliveries, inbox, reconciling, reporting


class BatchForm(forms.Form):
    """A batch to undo."""

    batch = forms.IntegerField(min_value=1)
    reason = forms.CharField(max_length=500)


class LineForm(forms.Form):
    """A line to correct: one column and its value on each line of text."""

    line_id = forms.CharField(label="Line", max_length=2000)
    values = forms.CharField(
        label="What it is to say, as amount = 500", widget=forms.Textarea(attrs={"rows": 4}), max_length=5000
    )
    reason = forms.CharField(max_length=500)

    def clean_values(self) -> dict[str, str]:
        """Read columns and values."""
        given: dict[str, str] = {}
        for each in self.cleaned_data["values"].splitlines():
            name, equals, text = each.partition("=")
            if not equals:
                raise forms.ValidationError("Write each as column = value, on a line of its own.")
            given[name.strip()] = text.strip()
        return given


@login_required
@require_GET
def corrections(request: HttpRequest) -> HttpResponse:
    """List what was undone and corrected, with the forms to ask for it."""
    return _corrections(request, BatchForm(), LineForm())


def _corrections(request: HttpRequest, batch: BatchForm, line: LineForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "corrections": correcting.listed(person(request), at=now),
        "batch": batch,
        "line": line,
        "may_repair": Permission.REPAIR_DATA in access.permitted(person(request), VENDOR, now.date()),
    }
    return render(request, "portal/corrections.html", context, status=status)


@login_required
@require_POST
def reverse_batch(request: HttpRequest) -> HttpResponse:
    """Ask to undo a batch."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.REPAIR_DATA, now.date())
    form = BatchForm(request.POST)
    if form.is_valid():
        try:
            correcting.ask_to_reverse(**form.cleaned_data, by=person(request), at=now)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
    if not form.is_valid():
        return _corrections(request, form, LineForm(), status=422)
    messages.success(request, "Asked for. A second person decides it under Requests.")
    return redirect("corrections")


@login_required
@require_POST
def correct_line(request: HttpRequest) -> HttpResponse:
    """Ask to correct a line."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.REPAIR_DATA, now.date())
    form = LineForm(request.POST)
    if form.is_valid():
        try:
            correcting.ask_to_correct(**form.cleaned_data, by=person(request), at=now)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
    if not form.is_valid():
        return _corrections(request, BatchForm(), form, status=422)
    messages.success(request, "Asked for. A second person decides it under Requests.")
    return redirect("corrections")


class DutyForm(forms.Form):
    """Who owes which report."""

    reporter = forms.CharField(label="Partner (id)", max_length=300)
    stage = forms.ChoiceField(choices=[(stage.value, stage.value.replace("_", " ")) for stage in Stage])
    calendar = forms.ChoiceField(label="Each", choices=[(name, name) for name in reporting.CALENDARS])
    due_days = forms.IntegerField(label="Due so many days after it", min_value=0, max_value=reporting.DUE_DAYS_MAX)
    from_on = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))


@login_required
@require_GET
def reports(request: HttpRequest) -> HttpResponse:
    """List reports that are owed, and how well reporters report."""
    return _reports(request, DutyForm())


def _reports(request: HttpRequest, form: DutyForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    owed, scores = reporting.seen(person(request), at=now)
    may_repair = Permission.REPAIR_DATA in access.permitted(person(request), VENDOR, now.date())
    context = {"reports": owed, "scores": scores, "form": form, "may_repair": may_repair}
    return render(request, "portal/reports.html", context, status=status)


@login_required
@require_POST
def owe_report(request: HttpRequest) -> HttpResponse:
    """Say that a partner owes reports."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.REPAIR_DATA, now.date())
    form = DutyForm(request.POST)
    if form.is_valid():
        try:
            reporting.owe(**form.cleaned_data, by=person(request), at=now)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
    if not form.is_valid():
        return _reports(request, form, status=422)
    messages.success(request, "Kept.")
    return redirect("reports")


@login_required
@require_POST
def nothing_to_report(request: HttpRequest, duty: uuid.UUID) -> HttpResponse:
    """Note that there was nothing to report."""
    try:
        period_from = date.fromisoformat(request.POST.get("from", ""))
    except ValueError:
        period_from = date.min
    reporting.nothing(duty=duty, period_from=period_from, by=person(request), at=timezone.now())
    messages.success(request, "Noted.")
    return redirect("reports")


class FolderForm(forms.Form):
    """A folder to watch."""

    name = forms.CharField(label="Folder in the inbox", max_length=60)
    profile = forms.ChoiceField(choices=lambda: [(name, name) for name in deliveries.profiles()])


@login_required
@require_GET
def inbox_page(request: HttpRequest) -> HttpResponse:
    """List watched folders and the files that were taken."""
    return _inbox(request, FolderForm())


def _inbox(request: HttpRequest, form: FolderForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    folders, taken = inbox.listed(person(request), at=now)
    may_load = Permission.LOAD_DATA in access.permitted(person(request), VENDOR, now.date())
    context = {"folders": folders, "taken": taken, "form": form, "may_load": may_load}
    return render(request, "portal/inbox.html", context, status=status)


@login_required
@require_POST
def watch_folder(request: HttpRequest) -> HttpResponse:
    """Have a folder watched."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.LOAD_DATA, now.date())
    form = FolderForm(request.POST)
    if form.is_valid():
        try:
            inbox.watch(**form.cleaned_data, by=person(request), at=now)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
    if not form.is_valid():
        return _inbox(request, form, status=422)
    messages.success(request, "It is watched from now on.")
    return redirect("inbox")


@login_required
@require_POST
def end_folder(request: HttpRequest) -> HttpResponse:
    """Watch a folder no longer."""
    inbox.end(name=request.POST.get("name", ""), by=person(request), at=timezone.now())
    messages.success(request, "It is watched no longer.")
    return redirect("inbox")


@login_required
@require_GET
def stock(request: HttpRequest) -> HttpResponse:
    """List what was sold beyond purchases and stock."""
    return render(request, "portal/stock.html", {"excesses": reconciling.seen(person(request), at=timezone.now())})
