"""Pages of manual adjustments, and the override report: everything that did not go its usual way."""

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.engine.findings import Refusal
from headrace.foundation import access, files
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance import adjusting, guardrails, side_deals
from headrace.governance.adjusting import REASONS, Wanted
from headrace.ledger import causes
from headrace.ledger.desk import Key
from headrace.portal.edge import person
from headrace.portal.exports import as_csv

DAY = forms.DateInput(attrs={"type": "date"})
HEADER = ("when", "kind", "program", "version", "who for", "amount", "currency", "status", "by", "decided by", "why")


class AdjustmentForm(forms.Form):
    """An adjustment to ask for."""

    program = forms.CharField(max_length=100)
    version = forms.IntegerField(min_value=1)
    partner = forms.CharField(max_length=64)
    from_on = forms.DateField(label="Period from", required=False, widget=DAY)
    until_on = forms.DateField(label="Period until (not included)", required=False, widget=DAY)
    amount = forms.DecimalField(max_digits=18, decimal_places=6)
    currency = forms.CharField(max_length=12)
    reason_code = forms.ChoiceField(choices=[(each, each.replace("_", " ")) for each in REASONS], label="Reason")
    note = forms.CharField(max_length=2000, help_text="What happened.")
    evidence = forms.FileField()
    lines = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=200_000,
        help_text="Those that it stands for, one a row: id and share of the amount, taken back when the line arrives.",
    )

    def clean_lines(self) -> dict[str, Decimal]:
        """Read the rows."""
        found: dict[str, Decimal] = {}
        for row in self.cleaned_data["lines"].splitlines():
            line, _, share = row.strip().rpartition(" ")
            try:
                amount = Decimal(share)
            except InvalidOperation:
                amount = Decimal("NaN")
            if row.strip() and (not line.strip() or not amount.is_finite() or line.strip() in found):
                raise forms.ValidationError(f"{row.strip()!r} is not an id and its share, or the id stands twice.")
            if row.strip():
                found[line.strip()] = amount
        return found


@login_required
@require_GET
def adjustments(request: HttpRequest) -> HttpResponse:
    """List adjustments."""
    return _page(request, AdjustmentForm())


def _page(request: HttpRequest, form: AdjustmentForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    permissions = access.permitted(person(request), VENDOR, now.date())
    context = {
        "rows": adjusting.listed(person(request), at=now),
        "form": form,
        "may_ask": Permission.ADJUST_EARNED in permissions,
        "may_read": Permission.READ_ALL in permissions,
    }
    return render(request, "portal/governance/adjustments.html", context, status=status)


@login_required
@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for an adjustment."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.ADJUST_EARNED, now.date())
    form = AdjustmentForm(request.POST, request.FILES)
    if form.is_valid():
        given = dict(form.cleaned_data)
        evidence = given.pop("evidence")
        wanted = Wanted(from_=given.pop("from_on"), until=given.pop("until_on"), **given)
        try:
            kept = files.store(name=evidence.name, content=evidence, organisation=VENDOR, by=person(request), at=now)
            adjusting.ask(wanted=wanted, evidence=kept.pk, by=person(request), at=now)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "Asked for. Finance decides under “Requests”.")
            return redirect("adjustments")
    return _page(request, form, status=422)


@login_required
@require_GET
def overrides(request: HttpRequest) -> HttpResponse:
    """Show the override report."""
    rows = list(_overrides(request))
    return render(request, "portal/governance/overrides.html", {"rows": rows, "header": HEADER})


@login_required
@require_GET
def overrides_file(request: HttpRequest) -> HttpResponse:
    """Hand out the override report as CSV."""
    return as_csv("overrides.csv", HEADER, _overrides(request))


def _overrides(request: HttpRequest) -> Iterator[Sequence[object]]:
    """Give adjustments, exceptions to guardrails, and attempts that no version explained; each the latest first."""
    viewer, now = person(request), timezone.now()
    deals, exceptions = side_deals.listed(viewer, at=now), guardrails.exceptions(viewer, at=now)
    for each in adjusting.listed(viewer, at=now):
        when, why = each.asked_at.isoformat(timespec="minutes"), f"{each.reason_code}: {each.note}"
        yield (
            when, "adjustment", each.program, each.number, each.payee, f"{each.amount:f}", each.currency, each.state,
            each.asked_by, each.decided_by, why,
        )  # fmt: skip
    for one in exceptions:
        when, why = one.asked_at.isoformat(timespec="minutes"), f"{one.words}: {one.reason}"
        yield (when, "exception", one.program, one.number, "", "", "", one.state, one.asked_by, one.decided_by, why)
    for deal in deals:
        when = deal.at.isoformat(timespec="minutes")
        yield (when, "side deal", deal.program, "", "", "", "", "refused", deal.by, "", deal.said)


def _adjustment(cause: str, of: Key) -> causes.Opened:
    return causes.Opened(f"Adjustment for {of.payee}", reverse("adjustments"))


causes.show_as(adjusting.KIND, _adjustment)
