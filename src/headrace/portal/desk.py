"""Pages of the repair desk: rows that did not load, unknown names, and what people do with them."""

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
from headrace.portal.edge import person
from headrace.sales import desk, repairing, rules

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
