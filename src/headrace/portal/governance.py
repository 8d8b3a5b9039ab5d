"""Pages of governance: what partners are asked to accept."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.governance import reviewing
from headrace.portal.edge import person


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
