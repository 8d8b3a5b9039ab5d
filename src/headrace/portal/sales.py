"""Pages of sales data: files that were delivered, what came of them, profiles by which they are read."""

import uuid

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.engine.findings import Refusal
from headrace.engine.schema import REFERENCE_KINDS
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission
from headrace.portal.edge import person
from headrace.sales import deliveries


class DeliveryForm(forms.Form):
    """One file, and how it is read."""

    file = forms.FileField()
    kind = forms.ChoiceField(
        label="What it holds",
        choices=[(deliveries.LINES, "sales lines"), *((kind, f"reference table: {kind}") for kind in REFERENCE_KINDS)],
    )
    profile = forms.ChoiceField(
        label="Profile (for sales lines)", choices=lambda: [(name, name) for name in deliveries.profiles()]
    )
    rows = forms.CharField(label="Rows that the sender says there are", required=False, max_length=40)
    quantity = forms.CharField(label="Quantity that the sender says there is", required=False, max_length=40)
    amount = forms.CharField(label="Amount that the sender says there is", required=False, max_length=40)
    from_on = forms.DateField(
        label="Replaces from", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Only for a profile that replaces a period.",
    )  # fmt: skip
    until_on = forms.DateField(
        label="until (not included)", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean(self) -> None:
        """Ask for both ends of a period, or none."""
        given = self.cleaned_data
        if (given.get("from_on") is None) != (given.get("until_on") is None):
            raise forms.ValidationError("A period needs both its ends.")


class ProfileForm(forms.Form):
    """A profile."""

    text = forms.CharField(
        label="Profile", widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false"}), max_length=200_000
    )


@login_required
@require_GET
def sales(request: HttpRequest) -> HttpResponse:
    """List deliveries, with the form to deliver another."""
    return _sales(request, DeliveryForm(), ProfileForm())


def _sales(request: HttpRequest, form: DeliveryForm, profile: ProfileForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "deliveries": deliveries.listed(person(request), at=now),
        "form": form,
        "profile": profile,
        "may_load": Permission.LOAD_DATA in access.permitted(person(request), VENDOR, now.date()),
    }
    return render(request, "portal/sales.html", context, status=status)


@login_required
@require_POST
def deliver(request: HttpRequest) -> HttpResponse:
    """Take a file and queue it."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.LOAD_DATA, now.date())
    form = DeliveryForm(request.POST, request.FILES)
    if not form.is_valid():
        return _sales(request, form, ProfileForm(), status=422)
    given = form.cleaned_data
    try:
        delivery = deliveries.deliver(
            name=given["file"].name,
            content=given["file"],
            kind=given["kind"],
            profile=given["profile"],
            period=(given["from_on"], given["until_on"]) if given["from_on"] else None,
            stated={name: given[name] for name in ("rows", "quantity", "amount")},
            by=person(request),
            at=now,
        )
    except Refusal as refusal:
        form.add_error(None, refusal.message)
        return _sales(request, form, ProfileForm(), status=422)
    messages.success(request, "Taken. It is loaded by the worker; load this page again to see what came of it.")
    return redirect("delivery", delivery=delivery.pk)


@login_required
@require_GET
def delivery(request: HttpRequest, delivery: uuid.UUID) -> HttpResponse:
    """Show a delivery: counts, money, control totals, findings, and the rows that did not load."""
    return render(request, "portal/delivery.html", {"it": deliveries.one(delivery, person(request), at=timezone.now())})


@login_required
@require_POST
def save_profile(request: HttpRequest) -> HttpResponse:
    """Save a profile."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.LOAD_DATA, now.date())
    form = ProfileForm(request.POST)
    if not form.is_valid():
        return _sales(request, DeliveryForm(), form, status=422)
    try:
        saved = deliveries.save_profile(text=form.cleaned_data["text"], by=person(request), at=now)
    except Refusal as refusal:
        for message in [refusal.message, *(each.message for each in refusal.findings[:20])]:
            form.add_error("text", message)
        return _sales(request, DeliveryForm(), form, status=422)
    messages.success(request, f"The profile {saved.name} is saved.")
    return redirect("sales")
