"""Pages of closing: the checklist of a period, why something may stand, proofs and alarms."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.closing import checklist, pack, proofs
from headrace.closing.checks import Item
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission
from headrace.portal.edge import person


@login_required
@require_GET
def close(request: HttpRequest, period: uuid.UUID) -> HttpResponse:
    """Show what stands against locking a period."""
    now = timezone.now()
    found = checklist.of(period, person(request), at=now)
    rows = [
        (row, [(item.text, _address(item)) for item in row.found.items[:SHOWN_MAX]], len(row.found.items) - SHOWN_MAX)
        for row in found.rows
    ]
    may_close = Permission.CLOSE_PERIOD in access.permitted(person(request), VENDOR, now.date())
    packs = pack.of_period(period, person(request), at=now)
    context = {"it": found, "rows": rows, "packs": packs, "may_close": may_close}
    return render(request, "portal/closing/close.html", context)


SHOWN_MAX = 50


def _address(item: Item) -> str:
    if not item.page:
        return ""
    return (
        reverse(item.page, kwargs=dict(item.of))
        if item.page not in _BY_QUERY
        else reverse(item.page, query=dict(item.of))
    )


_BY_QUERY = frozenset({"balance"})
"""Pages whose arguments come as parameters."""


@login_required
@require_POST
def explain(request: HttpRequest, period: uuid.UUID) -> HttpResponse:
    """Say why what a check found may stand."""
    given = {name: request.POST.get(name, "") for name in ("check", "digest", "reason")}
    checklist.explain(period=period, **given, by=person(request), at=timezone.now())
    messages.success(request, "Noted. It holds for what the check found now, and no longer than that.")
    return redirect("close", period=period)


@login_required
@require_POST
def prove(request: HttpRequest) -> HttpResponse:
    """Queue the proofs."""
    proofs.ask_for_proofs(by=person(request), at=timezone.now())
    messages.success(request, "Asked for. The worker proves balances, books and audit trail; load the checklist again.")
    return redirect("ledger_periods")


@login_required
@require_POST
def ask_for_pack(request: HttpRequest, period: uuid.UUID) -> HttpResponse:
    """Ask for the audit pack of a locked period."""
    pack.ask(period=period, by=person(request), at=timezone.now())
    messages.success(request, "Asked for. The worker makes it; load this page again.")
    return redirect("close", period=period)


@login_required
@require_GET
def download_pack(request: HttpRequest, which: uuid.UUID) -> FileResponse:
    """Hand out an audit pack."""
    name, path = pack.opened(which, person(request), at=timezone.now())
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="application/zip")
