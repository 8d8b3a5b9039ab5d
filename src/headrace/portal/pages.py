"""Pages for everybody and for administrators and auditors: my memberships, roles with their second person, the audit trail."""

import uuid

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.closing import alarms
from headrace.foundation import access, audit, people
from headrace.foundation.roles import VENDOR, Permission, Role
from headrace.portal.edge import person
from headrace.portal.exports import as_csv

PAGE = 50


@require_GET
def alive(request: HttpRequest) -> HttpResponse:
    """Say that the process answers."""
    return HttpResponse("ok", content_type="text/plain")


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Show my memberships and roles, and the open alarms to people of the vendor."""
    states = ("approved", "requested", "refused")
    context = {
        "standings": access.standings(person=person(request), states=states),
        "alarms": alarms.seen(person(request), at=timezone.now()),
    }
    return render(request, "portal/home.html", context)


class Invitation(forms.Form):
    """Whom to invite."""

    email = forms.EmailField(label="E-mail")
    name = forms.CharField(max_length=200)
    organisation = forms.CharField(max_length=64, initial=VENDOR, help_text="“vendor”, or the id of a partner.")


class RoleRequest(forms.Form):
    """Which role to ask for."""

    membership = forms.TypedChoiceField(coerce=uuid.UUID, choices=lambda: access.memberships(timezone.now().date()))
    role = forms.ChoiceField(choices=[(role.value, role.label) for role in Role])
    from_on = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until_on = forms.DateField(
        label="Until (not included)", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )


@login_required
@require_GET
def roles(request: HttpRequest) -> HttpResponse:
    """Show who has which role, what waits for a second person, and the forms to ask and invite."""
    return _roles(request, RoleRequest(initial={"from_on": timezone.now().date()}), Invitation())


def _roles(request: HttpRequest, asking: RoleRequest, inviting: Invitation, status: int = 200) -> HttpResponse:
    access.require(person(request), VENDOR, Permission.GRANT_ROLE, timezone.now().date())
    context = {
        "waiting": access.standings(states=("requested",)),
        "given": access.standings(),
        "asking": asking,
        "inviting": inviting,
    }
    return render(request, "portal/roles.html", context, status=status)


@login_required
@require_POST
def request_role(request: HttpRequest) -> HttpResponse:
    """Ask for a role."""
    form = RoleRequest(request.POST)
    if not form.is_valid():
        return _roles(request, form, Invitation(), status=422)
    asked = form.cleaned_data
    access.request_role(
        membership=asked["membership"],
        role=Role(asked["role"]),
        by=person(request),
        from_on=asked["from_on"],
        until_on=asked["until_on"],
        at=timezone.now(),
    )
    messages.success(request, "Asked for. A second administrator decides.")
    return redirect("roles")


@login_required
@require_POST
def invite_person(request: HttpRequest) -> HttpResponse:
    """Invite a person."""
    form = Invitation(request.POST)
    if not form.is_valid():
        return _roles(request, RoleRequest(), form, status=422)
    people.invite(**form.cleaned_data, by=person(request), at=timezone.now())
    messages.success(request, "Invited. They choose a password by “Forgot your password?” on the sign-in page.")
    return redirect("roles")


@login_required
@require_POST
def approve_role(request: HttpRequest, grant: uuid.UUID) -> HttpResponse:
    """Approve a role as the second person."""
    access.approve_role(grant=grant, by=person(request), at=timezone.now())
    messages.success(request, "Approved.")
    return redirect("roles")


@login_required
@require_POST
def refuse_role(request: HttpRequest, grant: uuid.UUID) -> HttpResponse:
    """Refuse a role, with the reason."""
    access.refuse_role(grant=grant, by=person(request), reason=request.POST.get("reason", ""), at=timezone.now())
    messages.success(request, "Refused.")
    return redirect("roles")


@login_required
@require_POST
def end_role(request: HttpRequest, grant: uuid.UUID) -> HttpResponse:
    """End a role today."""
    now = timezone.now()
    access.end_role(grant=grant, by=person(request), on=now.date(), at=now)
    messages.success(request, "Ended.")
    return redirect("roles")


@login_required
@require_GET
def access_review(request: HttpRequest) -> HttpResponse:
    """Export who has which role, since when, asked for and approved by whom."""
    day = timezone.now().date()
    if Permission.READ_AUDIT not in access.permitted(person(request), VENDOR, day):
        access.require(person(request), VENDOR, Permission.GRANT_ROLE, day)
    header = ("email", "name", "organisation", "role", "from", "until", "requested_by", "approved_by")
    rows = [
        (
            row.email, row.person, row.organisation, row.role.value, row.from_on, row.until_on or "", row.requested_by,
            row.decided_by or "",
        )
        for row in access.standings()
    ]  # fmt: skip
    return as_csv(f"access-review-{day}.csv", header, rows)


@login_required
@require_GET
def audit_trail(request: HttpRequest) -> HttpResponse:
    """Show the acts, the latest first; of one record, if its id is given."""
    access.require(person(request), VENDOR, Permission.READ_AUDIT, timezone.now().date())
    before, record = request.GET.get("before", ""), request.GET.get("record", "")
    bound = int(before) if before.isdecimal() and len(before) <= 18 else None
    lines = audit.read(before=bound, record_id=record or None, size=PAGE)
    context = {
        "lines": lines,
        "record": record,
        "head": audit.head(),
        "older": lines[-1].seq if len(lines) == PAGE else None,
    }
    return render(request, "portal/audit.html", context)
