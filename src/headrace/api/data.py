"""Sales data: files that were delivered, what came of them, profiles by which they are read, stored files."""

import uuid
from typing import Any

from django.http import FileResponse, HttpRequest
from ninja import File, Form, Router
from ninja.files import UploadedFile
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from headrace.api import paging
from headrace.api.calling import caller, read, write
from headrace.api.paging import Paged, page_of
from headrace.api.problems import FindingSaid
from headrace.api.shapes import Day, Document, Given, Said, Text, shape
from headrace.engine.findings import Finding, Refusal
from headrace.foundation import access, files
from headrace.foundation.roles import VENDOR, Permission
from headrace.sales import deliveries

router = Router(tags=["sales data"])

_PARTS = {"counts": ("name", "rows", "quantity", "amounts"), "totals": ("name", "stated", "found", "agrees")}
_COUNTED = {**_PARTS, "finding_counts": ("code", "findings")}
Delivery = shape(deliveries.Shown, "Delivery", without=("findings",), parts=_COUNTED)
shape(Finding, "Finding")


_NOT_GIVEN: Any = Field(default_factory=lambda: None)
"""A form has no word for null: what there is none of is left out."""


class DeliveryForm(Given):
    """How a file is read. rows, quantity, amount: control totals of the sender. from_on, until_on: the period it replaces."""

    kind: Text = Field(default=deliveries.LINES, description="`lines`, or a reference table, such as `partners`.")
    profile: Text = Field(default="canonical", description="How lines are read; one of the profiles.")
    rows: Text = ""
    quantity: Text = ""
    amount: Text = ""
    from_on: Day | SkipJsonSchema[None] = _NOT_GIVEN
    until_on: Day | SkipJsonSchema[None] = _NOT_GIVEN


class Profile(Said):
    """A profile that lines can be read by."""

    name: str


class ProfileGiven(Given):
    """A profile as YAML. It names itself."""

    text: Document


@read(router, "/deliveries", page_of(Delivery))
def list_deliveries(request: HttpRequest, page: Paged, state: Text = "") -> object:
    """List deliveries, the latest first, without their findings. state: only those."""
    viewer, at = caller(request)
    before = paging.moment_before(page)
    rows = deliveries.listed(viewer, at=at, size=page.size + 1, before=before, state=state)
    return paging.cut(rows, lambda row: paging.moment(row.delivered_at, row.delivery), page)


@write(router, "/deliveries", Delivery, status=201)
def deliver_file(request: HttpRequest, file: File[UploadedFile], form: Form[DeliveryForm]) -> object:
    """Deliver a file. It is queued; read the delivery to see what came of it.

    What is wrong inside the file are findings of the delivery.
    """
    by, at = caller(request)
    access.require(by, VENDOR, Permission.LOAD_DATA, at.date())
    if (form.from_on is None) != (form.until_on is None):
        raise Refusal("period_half", "A period needs both its ends. Give from_on and until_on, or neither.")
    delivery = deliveries.deliver(
        name=file.name or "",
        content=file,  # type: ignore[arg-type]  # a file that was uploaded reads like any
        kind=form.kind,
        profile=form.profile,
        period=(form.from_on, form.until_on) if form.from_on and form.until_on else None,
        stated={"rows": form.rows, "quantity": form.quantity, "amount": form.amount},
        by=by,
        at=at,
    )
    return deliveries.taken(delivery)


@read(router, "/deliveries/{uuid:delivery}", Delivery)
def get_delivery(request: HttpRequest, delivery: uuid.UUID) -> object:
    """Read a delivery: its state, counts, money and control totals. The file, and the rows that did not load, are files."""
    viewer, at = caller(request)
    return deliveries.one(delivery, viewer, at=at)


@read(router, "/deliveries/{uuid:delivery}/findings", page_of(FindingSaid))
def list_delivery_findings(request: HttpRequest, delivery: uuid.UUID, page: Paged) -> object:
    """List what was found in a file, in the order of the file."""
    viewer, at = caller(request)
    found = deliveries.one(delivery, viewer, at=at).findings
    after = paging.part(page, int)
    rows = [row for row in enumerate(found) if after is None or row[0] > after][: page.size + 1]
    paged = paging.cut(rows, lambda row: (row[0],), page)
    return {"items": [finding for _, finding in paged["items"]], "next": paged["next"]}


@read(router, "/profiles", page_of(Profile))
def list_profiles(request: HttpRequest, page: Paged) -> object:
    """List the profiles that lines can be read by."""
    viewer, at = caller(request)
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = [Profile(name=name) for name in deliveries.profiles()]
    return paging.whole(rows, lambda row: (row.name,), page)


@write(router, "/profiles", Profile)
def save_profile(request: HttpRequest, given: ProfileGiven) -> object:
    """Save a profile under the name that it gives itself, in the place of the one before."""
    by, at = caller(request)
    return Profile(name=deliveries.save_profile(text=given.text, by=by, at=at).name)


_FILE = {
    "responses": {
        200: {
            "description": "The file.",
            "content": {
                kind.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                for kind in files.KINDS.values()
            },
        }
    }
}


@read(router, "/files/{uuid:file}", None, openapi_extra=_FILE, tags=["files"])
def get_file(request: HttpRequest, file: uuid.UUID) -> FileResponse:
    """Download a stored file: to whoever uploaded it, or reads all."""
    viewer, at = caller(request)
    stored, path = files.open_stored(file=file, viewer=viewer, at=at)
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=stored.name, content_type=files.KINDS[stored.kind]
    )
