"""Pages of the repair desk: rows that did not load, unknown names, and what people do with them."""

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
from headrace.sales import correcting, desk, repairing, reporting, rules

CELL = "cell:"
_TOLD = {
    "ready": "The row is ready to be sent again.",
    "asked": "The change is large, so a second person decides it under Requests.",
    "waiting": "The row still has faults; they are below.",
}


class NameForm(forms.Form):
    """What a name stands for."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in ("partner", "product", "customer")])
    source = forms.CharField(max_length=60)
    name = forms.CharField(max_length=300)
    code = forms.CharField(label="Stands for (its id)", max_length=300)


@login_required
@require_GET
def repair_desk(request: HttpRequest) -> HttpResponse:
    """List deliveries with rows that wait, unknown names, and the rules of repairs."""
    return _desk(request, None)


def _desk(request: HttpRequest, fault: Refusal | None, status: int = 200) -> HttpResponse:
    now = timezone.now()
    permissions = access.permitted(person(request), VENDOR, now.date())
    context = {
        "waiting": desk.waiting(person(request), at=now),
        "names": desk.unknown_names(person(request), at=now),
        "rules": rules.shown(),
        "may_repair": Permission.REPAIR_DATA in permissions,
        "may_decide": Permission.FINALISE in permissions,
        "fault": fault,
    }
    return render(request, "portal/desk.html", context, status=status)


@login_required
@require_POST
def map_name(request: HttpRequest) -> HttpResponse:
    """Remember what a name stands for, and send the rows that waited for it."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.REPAIR_DATA, now.date())
    form = NameForm(request.POST)
    if not form.is_valid():
        return _desk(request, Refusal("name_missing", "Choose or write what the name stands for."), status=422)
    try:
        done = repairing.map_name(**form.cleaned_data, by=person(request), at=now)
    except Refusal as refusal:
        return _desk(request, refusal, status=422)
    messages.success(
        request,
        f"Remembered. {done.sent} rows were sent again; {done.asked} wait for a second person, {done.left} have other faults.",
    )
    return redirect("repair_desk")


@login_required
@require_POST
def decide_rule(request: HttpRequest) -> HttpResponse:
    """Decide a rule of sales data."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.FINALISE, now.date())
    try:
        rules.decide(name=request.POST.get("name", ""), text=request.POST.get("value", ""), by=person(request), at=now)
    except Refusal as refusal:
        return _desk(request, refusal, status=422)
    messages.success(request, "Decided.")
    return redirect("repair_desk")


@login_required
@require_GET
def delivery_rows(request: HttpRequest, delivery: uuid.UUID) -> HttpResponse:
    """Show the rows of a delivery that did not load, and where all its rows are."""
    now = timezone.now()
    found = desk.rows(delivery, person(request), at=now)
    context = {
        "delivery": delivery,
        "rows": found,
        "account": desk.account(delivery, person(request), at=now),
        "ready": sum(each.state == "ready" for each in found),
        "may_repair": Permission.REPAIR_DATA in access.permitted(person(request), VENDOR, now.date()),
    }
    return render(request, "portal/desk_delivery.html", context)


@login_required
@require_POST
def send_again(request: HttpRequest, delivery: uuid.UUID) -> HttpResponse:
    """Send the rows that are ready."""
    repair = repairing.send_again(delivery=delivery, by=person(request), at=timezone.now())
    messages.success(
        request, f"Sent as {repair.name}. It is loaded by the worker; load this page again to see the outcome."
    )
    return redirect("delivery_rows", delivery=delivery)


@login_required
@require_GET
def desk_row(request: HttpRequest, row: uuid.UUID) -> HttpResponse:
    """Show one row with its faults."""
    return _row(request, row, None)


def _row(request: HttpRequest, row: uuid.UUID, fault: Refusal | None, status: int = 200) -> HttpResponse:
    now = timezone.now()
    it = desk.one_row(row, person(request), at=now)
    may_repair = Permission.REPAIR_DATA in access.permitted(person(request), VENDOR, now.date())
    context = {"it": it, "may_repair": may_repair and it.open, "fault": fault, "cell": CELL}
    return render(request, "portal/desk_row.html", context, status=status)


@login_required
@require_POST
def repair_row(request: HttpRequest, row: uuid.UUID, act: str) -> HttpResponse:
    """Correct, release, confirm or ignore a row."""
    now, by = timezone.now(), person(request)
    access.require(by, VENDOR, Permission.REPAIR_DATA, now.date())
    seen = desk.one_row(row, by, at=now)
    reason = request.POST.get("reason", "")
    try:
        if act == "correct":
            now_there = {column: corrected for column, _, corrected in seen.cells}
            given = {column: request.POST.get(f"{CELL}{column}", text) for column, text in now_there.items()}
            told = _TOLD[repairing.correct(row=row, values=given, by=by, at=now)]
        elif act == "release":
            told = _TOLD[repairing.release(row=row, reason=reason, by=by, at=now)]
        elif act == "confirm":
            repairing.confirm(row=row, by=by, at=now)
            told = "Confirmed: it is the line that is there already."
        elif act == "ignore":
            repairing.ignore(row=row, reason=reason, by=by, at=now)
            told = "Ignored, with the reason."
        else:
            raise Refusal("step_unknown", f"{act!r} is nothing that is done with a row.")
    except Refusal as refusal:
        return _row(request, row, refusal, status=422)
    messages.success(request, told)
    return redirect("desk_row", row=row)


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
