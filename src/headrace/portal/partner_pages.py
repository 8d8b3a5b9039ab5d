"""Pages of partners: list, detail with every date and source, bank data, levels, segments with their preview."""

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
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import aliases, editing
from headrace.masterdata.editing import Edit
from headrace.masterdata.fields import fields_of
from headrace.partners import bank, levels, seeing, segments
from headrace.partners.kinds import PARTNER, TYPES
from headrace.portal.edge import person

DAY = forms.DateInput(attrs={"type": "date"})


class NewPartner(forms.Form):
    """A partner to open."""

    code = forms.CharField(max_length=300, label="Id", help_text="As lines and files name it.")
    name = forms.CharField(max_length=200)
    type = forms.ChoiceField(choices=[(each, each) for each in TYPES])
    from_on = forms.DateField(label="From", required=False, widget=DAY, help_text="Empty: since ever.")


class Say(forms.Form):
    """A value for some days."""

    field = forms.ChoiceField(choices=lambda: [(name, name) for name in fields_of(PARTNER.name)])
    value = forms.CharField(max_length=1000, required=False, help_text="Empty: there is none.")
    from_on = forms.DateField(label="From", required=False, widget=DAY)
    until_on = forms.DateField(label="Until (not included)", required=False, widget=DAY)


class Alias(forms.Form):
    """What another system calls it."""

    source = forms.CharField(max_length=60, label="System", help_text="Such as crm.")
    name = forms.CharField(max_length=300, label="Name or number there")


class BankData(forms.Form):
    """Where to pay."""

    company = forms.CharField(max_length=20)
    currency = forms.CharField(max_length=3)
    holder = forms.CharField(max_length=140)
    number = forms.CharField(max_length=50, label="IBAN, or account number")
    bank_code = forms.CharField(max_length=34, required=False, help_text="Only without an IBAN.")
    bic = forms.CharField(max_length=11, required=False, label="BIC")


class LevelForm(forms.Form):
    """A level's rules."""

    level = forms.CharField(max_length=100)
    rank = forms.IntegerField(min_value=0, max_value=1000, help_text="The higher, the better.")
    reach = forms.CharField(max_length=20_000, help_text="Who is promoted to it.")
    keep = forms.CharField(max_length=20_000, required=False, help_text="Who stays; empty: as to reach it.")
    notice_days = forms.IntegerField(min_value=0, max_value=366, initial=0)
    from_on = forms.DateField(label="From", widget=DAY)


class SegmentForm(forms.Form):
    """A segment's rule."""

    segment = forms.CharField(max_length=100, label="Id")
    name = forms.CharField(max_length=200)
    rule = forms.CharField(max_length=20_000, help_text="Such as: partner.region = 'EMEA' and partner.certified")
    from_on = forms.DateField(label="From", widget=DAY)


@login_required
@require_GET
def partner_list(request: HttpRequest) -> HttpResponse:
    """List the partners that the viewer sees."""
    return _list(request, NewPartner())


def _list(request: HttpRequest, opening: NewPartner, status: int = 200) -> HttpResponse:
    viewer, now = person(request), timezone.now()
    text, after = request.GET.get("text", "")[:200], request.GET.get("after", "")[:400]
    rows = seeing.partners(viewer=viewer, at=now, text=text, after=after)
    context = {
        "rows": rows,
        "text": text,
        "next": rows[-1].code if len(rows) == seeing.PAGE else None,
        "opening": opening if _may(request, Permission.REPAIR_DATA) else None,
    }
    return render(request, "portal/partners.html", context, status=status)


def _may(request: HttpRequest, permission: Permission, organisation: str = VENDOR) -> bool:
    return permission in access.permitted(person(request), organisation, timezone.now().date())


@login_required
@require_POST
def open_partner(request: HttpRequest) -> HttpResponse:
    """Open a partner."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.REPAIR_DATA, now.date())
    form = NewPartner(request.POST)
    if not form.is_valid():
        return _list(request, form, status=422)
    values = {"name": form.cleaned_data["name"], "type": form.cleaned_data["type"]}
    edit = Edit(
        kind=PARTNER.name,
        code=form.cleaned_data["code"],
        values=values,
        from_on=form.cleaned_data["from_on"],
        opens=True,
    )
    editing.say(edit, by=person(request), at=now, act="open_partner")
    messages.success(request, "Opened.")
    return redirect("partners")


@login_required
@require_GET
def partner_page(request: HttpRequest, partner: uuid.UUID) -> HttpResponse:
    """Show a partner."""
    return _page(request, partner)


def _page(request: HttpRequest, partner: uuid.UUID, *, status: int = 200, **forms_shown: forms.Form) -> HttpResponse:
    viewer, now = person(request), timezone.now()
    detail = seeing.partner(partner=partner, viewer=viewer, at=now)
    context: dict[str, object] = {
        "partner": detail,
        "today": now.date(),
        "bank": bank.bank_data(partner=detail.code, viewer=viewer, at=now),
        "cooling_days": bank.COOLING.days,
    }
    if _may(request, Permission.REPAIR_DATA):
        context |= {"say": Say(initial={"from_on": now.date()}), "alias": Alias()}
    if _may(request, Permission.EDIT_BANK_DATA) or _may(request, Permission.EDIT_BANK_DATA, detail.code):
        context["asking"] = BankData()
    return render(request, "portal/partner.html", context | forms_shown, status=status)


@login_required
@require_POST
def edit_partner(request: HttpRequest, partner: uuid.UUID) -> HttpResponse:
    """Say a value for some days."""
    now = timezone.now()
    code = seeing.code_of(partner, viewer=person(request), at=now)
    access.require(person(request), VENDOR, Permission.REPAIR_DATA, now.date())
    form = Say(request.POST)
    if not form.is_valid():
        return _page(request, partner, status=422, say=form)
    given = form.cleaned_data
    edit = Edit(
        kind=PARTNER.name,
        code=code,
        values={given["field"]: given["value"]},
        from_on=given["from_on"],
        until_on=given["until_on"],
    )
    new = editing.say(edit, by=person(request), at=now)
    messages.success(request, "Kept." if new else "That was known already.")
    return redirect("partner", partner)


@login_required
@require_POST
def name_partner(request: HttpRequest, partner: uuid.UUID) -> HttpResponse:
    """Remember what another system calls it."""
    now = timezone.now()
    code = seeing.code_of(partner, viewer=person(request), at=now)
    access.require(person(request), VENDOR, Permission.REPAIR_DATA, now.date())
    form = Alias(request.POST)
    if not form.is_valid():
        return _page(request, partner, status=422, alias=form)
    aliases.remember(kind=PARTNER.name, code=code, **form.cleaned_data, by=person(request), at=now)
    messages.success(request, "Remembered.")
    return redirect("partner", partner)


@login_required
@require_POST
def ask_bank_data(request: HttpRequest, partner: uuid.UUID) -> HttpResponse:
    """Ask for new bank data."""
    now = timezone.now()
    code = seeing.code_of(partner, viewer=person(request), at=now)
    form = BankData(request.POST)
    if not form.is_valid():
        return _page(request, partner, status=422, asking=form)
    given = form.cleaned_data
    numbers = bank.Numbers(**{name: given[name] for name in ("holder", "number", "bank_code", "bic")})
    bank.ask(
        partner=code, company=given["company"], currency=given["currency"], numbers=numbers, by=person(request), at=now
    )
    messages.success(request, "Asked for. A second person decides.")
    return redirect("partner", partner)


@login_required
@require_GET
def level_list(request: HttpRequest) -> HttpResponse:
    """Show the levels, and the changes that their rules ask for."""
    return _levels(request, LevelForm(initial={"from_on": timezone.now().date()}))


def _levels(request: HttpRequest, form: LevelForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    context = {
        "proposals": levels.proposals(viewer=person(request), at=now),
        "ladder": levels.ladder(now.date()),
        "form": form if _may(request, Permission.AUTHOR_TERMS) else None,
        "may_refuse": _may(request, Permission.ASSIGN_PROGRAM),
    }
    return render(request, "portal/levels.html", context, status=status)


@login_required
@require_POST
def set_level(request: HttpRequest) -> HttpResponse:
    """Define a level."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.AUTHOR_TERMS, now.date())
    form = LevelForm(request.POST)
    if not form.is_valid():
        return _levels(request, form, status=422)
    given = dict(form.cleaned_data)
    from_on: date = given.pop("from_on")
    try:
        levels.set_level(levels.Definition(**given), from_on=from_on, by=person(request), at=now)
    except Refusal as refusal:
        form.add_error(None, refusal.message)
        return _levels(request, form, status=422)
    messages.success(request, "Kept. The next review follows it.")
    return redirect("levels")


@login_required
@require_POST
def refuse_level(request: HttpRequest, proposal: uuid.UUID) -> HttpResponse:
    """Refuse a proposed change of level, with the reason."""
    levels.refuse(proposal=proposal, reason=request.POST.get("reason", "")[:500], by=person(request), at=timezone.now())
    messages.success(request, "The level stays.")
    return redirect("levels")


@login_required
@require_GET
def segment_list(request: HttpRequest) -> HttpResponse:
    """Show the segments; with a rule, who would be in it."""
    rule = request.GET.get("rule", "").strip()[:20_000]
    form = SegmentForm(initial={"from_on": timezone.now().date(), "rule": rule})
    return _segments(request, form, rule)


def _segments(request: HttpRequest, form: SegmentForm, rule: str, status: int = 200) -> HttpResponse:
    viewer, now = person(request), timezone.now()
    context: dict[str, object] = {
        "segments": segments.segments(viewer=viewer, at=now),
        "rule": rule,
        "form": form if _may(request, Permission.ASSIGN_PROGRAM) else None,
    }
    try:
        context["preview"] = segments.preview(rule=rule, viewer=viewer, at=now) if rule else None
    except Refusal as refusal:
        context["fault"] = refusal.message
        status = 422
    return render(request, "portal/segments.html", context, status=status)


@login_required
@require_POST
def define_segment(request: HttpRequest) -> HttpResponse:
    """Define a segment."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.ASSIGN_PROGRAM, now.date())
    form = SegmentForm(request.POST)
    if not form.is_valid():
        return _segments(request, form, "", status=422)
    try:
        segments.define(**form.cleaned_data, by=person(request), at=now)
    except Refusal as refusal:
        form.add_error(None, refusal.message)
        return _segments(request, form, "", status=422)
    messages.success(request, "Kept.")
    return redirect("segments")
