"""Pages of the catalogue, of imports with their findings, and of the fields that are kept."""

import uuid

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from headrace.catalogue import products, rates
from headrace.engine.findings import Refusal
from headrace.engine.rules import ColumnType
from headrace.foundation import access
from headrace.foundation.files import SIZE_MAX
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import fields, importing, kinds
from headrace.masterdata.importing import Upload
from headrace.portal.edge import person

DAY = forms.DateInput(attrs={"type": "date"})


class UploadForm(forms.Form):
    """A file to bring in."""

    what = forms.ChoiceField(choices=importing.importable, label="What it holds")
    source = forms.CharField(max_length=60, label="System that it comes from", help_text="Such as erp or crm.")
    file = forms.FileField(label="CSV or XLSX", max_length=200)
    from_on = forms.DateField(
        label="Rows without days count from",
        widget=DAY,
        help_text="For what is known already; new entries: since ever.",
    )
    table = forms.CharField(
        max_length=60, required=False, label="Table of rates", help_text="Only for rates: such as ecb."
    )
    all_or_none = forms.BooleanField(required=False, label="All rows or none")


class FieldForm(forms.Form):
    """A further field."""

    kind_name = forms.ChoiceField(label="Of", choices=lambda: [(k.name, k.label) for k in kinds.kinds() if not k.fixed])
    name = forms.CharField(max_length=60)
    column_type = forms.ChoiceField(label="Type", choices=[(each.value, each.value) for each in ColumnType])
    internal = forms.BooleanField(required=False, initial=True, label="Not for partners' eyes")


class OwnerForm(forms.Form):
    """Which system keeps a field."""

    kind_name = forms.ChoiceField(label="Of", choices=lambda: [(k.name, k.label) for k in kinds.kinds()])
    field = forms.CharField(max_length=60)
    source = forms.CharField(max_length=60, required=False, help_text="Empty: any.")


@login_required
@require_GET
def product_list(request: HttpRequest) -> HttpResponse:
    """List products."""
    text, after = request.GET.get("text", "")[:200], request.GET.get("after", "")[:400]
    now = timezone.now()
    found = products.products(viewer=person(request), at=now, text=text, after=after)
    shown = ("name", "family", "category", "unit")
    context = {
        "rows": [(each, [each.value(name, now.date()) or "" for name in shown]) for each in found],
        "text": text,
        "next": found[-1].code if len(found) == products.PAGE else None,
    }
    return render(request, "portal/products.html", context)


@login_required
@require_GET
def product_page(request: HttpRequest, product: uuid.UUID) -> HttpResponse:
    """Show a product with its prices, units and parts."""
    detail = products.product(product=product, viewer=person(request), at=timezone.now())
    return render(request, "portal/product.html", {"product": detail})


@login_required
@require_GET
def rate_tables(request: HttpRequest) -> HttpResponse:
    """List the tables of rates; with a table and a day, its quotes."""
    viewer, now = person(request), timezone.now()
    table, text = request.GET.get("table", "")[:60], request.GET.get("day", "")
    context: dict[str, object] = {"tables": rates.tables(viewer=viewer, at=now), "table": table}
    if table:
        try:
            day = forms.DateField().clean(text)
        except forms.ValidationError:
            day = now.date()
        context |= {"day": day, "quotes": rates.quotes(table=table, day=day, viewer=viewer, at=now)}
    return render(request, "portal/rates.html", context)


@login_required
@require_GET
def import_list(request: HttpRequest) -> HttpResponse:
    """List imports, and offer the form for a file."""
    return _imports(request, UploadForm(initial={"from_on": timezone.now().date()}))


def _imports(request: HttpRequest, form: UploadForm, status: int = 200) -> HttpResponse:
    now = timezone.now()
    may = Permission.LOAD_DATA in access.permitted(person(request), VENDOR, now.date())
    context = {"runs": importing.runs(viewer=person(request), at=now), "form": form if may else None}
    return render(request, "portal/imports.html", context, status=status)


@login_required
@require_POST
def import_file(request: HttpRequest) -> HttpResponse:
    """Queue a file."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.LOAD_DATA, now.date())
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _imports(request, form, status=422)
    given = dict(form.cleaned_data)
    file: UploadedFile[bytes] = given.pop("file")
    upload = Upload(name=file.name or "", content=file.read(SIZE_MAX + 1), **given)
    try:
        run = importing.request_import(upload, by=person(request), at=now)
    except Refusal as refusal:
        form.add_error(None, refusal.message)
        return _imports(request, form, status=422)
    return redirect("import", run)


@login_required
@require_GET
def import_page(request: HttpRequest, run: uuid.UUID) -> HttpResponse:
    """Show an import with what was found."""
    shown, findings = importing.run_with_findings(run=run, viewer=person(request), at=timezone.now())
    return render(request, "portal/import.html", {"run": shown, "findings": findings})


@login_required
@require_GET
def field_list(request: HttpRequest) -> HttpResponse:
    """List what is kept of each kind, and which system keeps it."""
    return _fields(request, FieldForm(), OwnerForm())


def _fields(request: HttpRequest, declaring: FieldForm, owning: OwnerForm, status: int = 200) -> HttpResponse:
    day = timezone.now().date()
    access.require(person(request), VENDOR, Permission.READ_ALL, day)
    listed = []
    for kind in kinds.kinds():
        owners = fields.systems_of_record(kind.name)
        of_kind = [(field, owners.get(field.name, "")) for field in fields.fields_of(kind.name).values()]
        listed.append((kind, of_kind))
    may = Permission.REPAIR_DATA in access.permitted(person(request), VENDOR, day)
    context = {"kinds": listed, "declaring": declaring if may else None, "owning": owning if may else None}
    return render(request, "portal/fields.html", context, status=status)


@login_required
@require_POST
def declare_field(request: HttpRequest) -> HttpResponse:
    """Declare a further field."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.REPAIR_DATA, now.date())
    form = FieldForm(request.POST)
    if not form.is_valid():
        return _fields(request, form, OwnerForm(), status=422)
    given = form.cleaned_data | {"column_type": ColumnType(form.cleaned_data["column_type"])}
    fields.declare_field(**given, by=person(request), at=now)
    messages.success(request, "Declared.")
    return redirect("fields")


@login_required
@require_POST
def set_system_of_record(request: HttpRequest) -> HttpResponse:
    """Say which system keeps a field."""
    now = timezone.now()
    access.require(person(request), VENDOR, Permission.REPAIR_DATA, now.date())
    form = OwnerForm(request.POST)
    if not form.is_valid():
        return _fields(request, FieldForm(), form, status=422)
    fields.set_system_of_record(**form.cleaned_data, by=person(request), at=now)
    messages.success(request, "Kept.")
    return redirect("fields")
