"""Partners, products, rates, imports, fields, levels and segments."""

import uuid
from datetime import date
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import File, Form, Router
from ninja.files import UploadedFile
from pydantic import BeforeValidator, Field

from headrace.api import paging
from headrace.api.calling import caller, read, write
from headrace.api.paging import Paged, page_of
from headrace.api.problems import FindingSaid
from headrace.api.programs import Reason, Shown
from headrace.api.shapes import Day, Given, Needed, Said, Text, Truth, Whole, shape
from headrace.catalogue import products, rates
from headrace.engine.rules import ColumnType
from headrace.foundation import access
from headrace.foundation.files import SIZE_MAX
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import aliases, editing, fields, importing, kinds, looking, store, timeline
from headrace.masterdata.editing import Edit
from headrace.partners import bank, levels, seeing, segments
from headrace.partners.kinds import PARTNER, TYPES

router = Router()
PARTNERS, CATALOGUE, IMPORTS, LEVELS, SEGMENTS = (
    ["partners"], ["catalogue"], ["imports"], ["levels"], ["segments"],
)  # fmt: skip

shape(timeline.Span, "Span")
shape(store.Said, "Fact")
shape(seeing.Known, "PartnerField")
Entry = shape(looking.Found, "Entry")
Partner = shape(seeing.Listed, "Partner")
PartnerDetail = shape(seeing.Detail, "PartnerDetail", parts={"aliases": ("source", "name")})
BankData = shape(bank.Shown, "BankData")
ProductDetail = shape(
    products.Detail,
    "ProductDetail",
    parts={
        "fields": ("name", "now", "spans"), "prices": ("price_list", "currency", "spans"),
        "units": ("unit", "factor"), "components": ("product", "quantity"),
    },
)  # fmt: skip
RateTable = shape(rates.Table, "RateTable")
Import = shape(importing.Run, "Import")
Segment = shape(segments.Segment, "Segment")
_MEMBERS = {"members": ("code", "name"), "unknown": ("code", "name")}
SegmentPreview = shape(segments.Preview, "SegmentPreview", parts=_MEMBERS)


class PartnerGiven(Given):
    """A partner to open. code: as lines and files name it. from_on: null since ever."""

    code: Needed
    name: Annotated[Needed, Field(max_length=200)]
    type: Literal[tuple(TYPES)]  # type: ignore[valid-type]
    from_on: Day | None = None


class ValuesGiven(Given):
    """Values of fields, as a file would have them (empty: there is none), for some days. until_on: not included."""

    values: dict[Needed, Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]] = Field(
        min_length=1, max_length=100
    )
    from_on: Day | None = None
    until_on: Day | None = None


class Taken(Said):
    """How many facts were new: none where all was known already."""

    new: int


class AliasGiven(Given):
    """What another system calls it."""

    source: Annotated[Needed, Field(max_length=60)]
    name: Needed


class AliasKept(Said):
    """A name in another system, and what it stands for."""

    source: str
    name: str
    code: str


class BankDataGiven(Given):
    """Where to pay. number: an IBAN, or an account number with the bank's own code."""

    company: Annotated[Needed, Field(max_length=20)]
    currency: Needed
    holder: Needed
    number: Needed
    bank_code: Text = ""
    bic: Text = ""


class AskedFor(Said):
    """A request that a second person decides."""

    request: uuid.UUID


class Quote(Said):
    """A rate of a day."""

    from_currency: str
    to_currency: str
    rate: str


class ImportForm(Given):
    """What a file holds. from_on: from when rows without days count for what is known. table: only for rates."""

    what: Needed
    source: Annotated[Needed, Field(max_length=60)]
    from_on: Day
    table: Annotated[Text, Field(max_length=60)] = ""
    all_or_none: bool = False


class ImportTaken(Said):
    """An import that was queued."""

    id: uuid.UUID


class ImportOpened(Said):
    """An import with what was found."""

    run: Import  # type: ignore[valid-type]
    findings: list[FindingSaid]


class FieldSaid(Said):
    """A field that is kept of a kind of record. owner: the system that keeps it, empty for any."""

    kind: str
    name: str
    type: ColumnType
    internal: bool
    owner: str


class FieldGiven(Given):
    """A further field."""

    kind: Needed
    name: Annotated[Needed, Field(max_length=60)]
    type: ColumnType
    internal: Truth = True


class OwnerGiven(Given):
    """Which system keeps a field; empty: any."""

    kind: Needed
    field: Needed
    source: Text = ""


class LevelSaid(Said):
    """A level with its rules."""

    name: str
    rank: Annotated[str, BeforeValidator(lambda rank: f"{rank:f}")]
    reach: Annotated[str, BeforeValidator(lambda rule: rule.text)]
    keep: Annotated[str, BeforeValidator(lambda rule: rule.text)]
    notice_days: int


class LevelGiven(Given):
    """A level from a day on. reach, keep: rules over partner facts; an empty keep is the same as reach."""

    level: Annotated[Needed, Field(max_length=100)]
    rank: Whole = Field(ge=0, le=1000)
    reach: Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00]*$")]
    keep: Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00]*$")] = ""
    notice_days: Whole = Field(default=0, ge=0, le=366)
    from_on: Day


class LevelKept(Said):
    """A level that was defined."""

    level: str
    from_on: date


class LevelProposal(Said):
    """A change of level that the rules ask for."""

    id: uuid.UUID
    partner: str
    from_level: str
    to_level: str
    why: str
    proposed_on: date
    effective_on: date
    state: str
    decided_by: Shown | None
    reason: str


class SegmentGiven(Given):
    """A segment from a day on."""

    segment: Annotated[Needed, Field(max_length=100)]
    name: Annotated[Needed, Field(max_length=200)]
    rule: Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00]*$")]
    from_on: Day


class SegmentKept(Said):
    """A segment that was defined."""

    segment: str
    from_on: date


class Done(Said):
    """It was done."""

    done: bool


@read(router, "/partners", page_of(Partner), tags=PARTNERS)
def list_partners(request: HttpRequest, page: Paged, text: Text = "") -> object:
    """List partners by code, those that the caller sees. text: in the code or any name it ever had."""
    viewer, at = caller(request)
    after = paging.part(page, str) or ""
    rows = seeing.partners(viewer=viewer, at=at, text=text, after=after, size=page.size + 1)
    return paging.cut(rows, lambda row: (row.code,), page)


@write(router, "/partners", Partner, status=201, tags=PARTNERS)
def open_partner(request: HttpRequest, given: PartnerGiven) -> object:
    """Open a partner."""
    by, at = caller(request)
    values = {"name": given.name, "type": given.type}
    edit = Edit(kind=PARTNER.name, code=given.code, values=values, from_on=given.from_on, opens=True)
    editing.say(edit, by=by, at=at, act="open_partner")
    return seeing.opened(given.code.strip(), at=at)


@read(router, "/partners/{uuid:partner}", PartnerDetail, tags=PARTNERS)
def get_partner(request: HttpRequest, partner: uuid.UUID) -> object:
    """Read a partner: every value with its days, accounts, contacts, who is above and below it."""
    viewer, at = caller(request)
    return seeing.partner(partner=partner, viewer=viewer, at=at)


@write(router, "/partners/{uuid:partner}/values", Taken, tags=PARTNERS)
def edit_partner(request: HttpRequest, partner: uuid.UUID, given: ValuesGiven) -> object:
    """Say values of a partner for some days."""
    by, at = caller(request)
    code = seeing.code_of(partner, viewer=by, at=at)
    edit = Edit(kind=PARTNER.name, code=code, values=given.values, from_on=given.from_on, until_on=given.until_on)
    return {"new": editing.say(edit, by=by, at=at)}


@write(router, "/partners/{uuid:partner}/aliases", AliasKept, status=201, tags=PARTNERS)
def name_partner(request: HttpRequest, partner: uuid.UUID, given: AliasGiven) -> object:
    """Remember what another system calls a partner."""
    by, at = caller(request)
    code = seeing.code_of(partner, viewer=by, at=at)
    aliases.remember(kind=PARTNER.name, code=code, source=given.source, name=given.name, by=by, at=at)
    return {"source": given.source, "name": given.name, "code": code}


@read(router, "/partners/{uuid:partner}/bank-data", page_of(BankData), tags=PARTNERS)
def list_bank_data(request: HttpRequest, partner: uuid.UUID, page: Paged) -> object:
    """List the bank data of a partner, masked."""
    viewer, at = caller(request)
    code = seeing.code_of(partner, viewer=viewer, at=at)
    rows = bank.bank_data(partner=code, viewer=viewer, at=at)
    return paging.whole(rows, lambda row: (str(row.id),), page)


@write(router, "/partners/{uuid:partner}/bank-data", AskedFor, status=201, tags=PARTNERS)
def ask_bank_data(request: HttpRequest, partner: uuid.UUID, given: BankDataGiven) -> object:
    """Ask for new bank data of a partner's account; a second person decides, and then it cools."""
    by, at = caller(request)
    code = seeing.code_of(partner, viewer=by, at=at)
    numbers = bank.Numbers(holder=given.holder, number=given.number, bank_code=given.bank_code, bic=given.bic)
    asked = bank.ask(partner=code, company=given.company, currency=given.currency, numbers=numbers, by=by, at=at)
    return {"request": asked}


@read(router, "/products", page_of(Entry), tags=CATALOGUE)
def list_products(request: HttpRequest, page: Paged, text: Text = "") -> object:
    """List products by code. text: in the code or any name it ever had."""
    viewer, at = caller(request)
    after = paging.part(page, str) or ""
    rows = products.products(viewer=viewer, at=at, text=text, after=after, size=page.size + 1)
    return paging.cut(rows, lambda row: (row.code,), page)


@read(router, "/products/{uuid:product}", ProductDetail, tags=CATALOGUE)
def get_product(request: HttpRequest, product: uuid.UUID) -> object:
    """Read a product with its prices, units and parts."""
    viewer, at = caller(request)
    return products.product(product=product, viewer=viewer, at=at)


@read(router, "/rate-tables", page_of(RateTable), tags=CATALOGUE)
def list_rate_tables(request: HttpRequest, page: Paged) -> object:
    """List the tables of rates."""
    viewer, at = caller(request)
    return paging.whole(rates.tables(viewer=viewer, at=at), lambda row: (row.name,), page)


@read(router, "/rate-tables/{table}/quotes", page_of(Quote), tags=CATALOGUE)
def list_quotes(request: HttpRequest, table: Text, day: Day, page: Paged) -> object:
    """List the quotes of a table on a day."""
    viewer, at = caller(request)
    rows = [
        Quote(from_currency=one, to_currency=other, rate=rate)
        for one, other, rate in rates.quotes(table=table, day=day, viewer=viewer, at=at)
    ]
    return paging.whole(rows, lambda row: (row.from_currency, row.to_currency), page)


@read(router, "/imports", page_of(Import), tags=IMPORTS)
def list_imports(request: HttpRequest, page: Paged) -> object:
    """List imports of master data, the latest first."""
    viewer, at = caller(request)
    rows = importing.runs(viewer=viewer, at=at, size=page.size + 1, before=paging.moment_before(page))
    return paging.cut(rows, lambda row: paging.moment(row.asked_at, row.id), page)


@write(router, "/imports", ImportTaken, status=201, tags=IMPORTS)
def import_file(request: HttpRequest, file: File[UploadedFile], form: Form[ImportForm]) -> object:
    """Bring in a file of partners, products, prices, rates… It is queued; read the import to see what came of it."""
    by, at = caller(request)
    access.require(by, VENDOR, Permission.LOAD_DATA, at.date())
    upload = importing.Upload(name=file.name or "", content=file.read(SIZE_MAX + 1), **form.model_dump())
    return {"id": importing.request_import(upload, by=by, at=at)}


@read(router, "/imports/{uuid:import_id}", ImportOpened, tags=IMPORTS)
def get_import(request: HttpRequest, import_id: uuid.UUID) -> object:
    """Read an import with what was found."""
    viewer, at = caller(request)
    shown, findings = importing.run_with_findings(run=import_id, viewer=viewer, at=at)
    return {"run": shown, "findings": findings}


@read(router, "/fields", page_of(FieldSaid), tags=IMPORTS)
def list_fields(request: HttpRequest, page: Paged) -> object:
    """List what is kept of each kind of record, and which system keeps it."""
    viewer, at = caller(request)
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = []
    for kind in kinds.kinds():
        owners = fields.systems_of_record(kind.name)
        rows += [_field(kind.name, each, owners) for each in fields.fields_of(kind.name).values()]
    return paging.whole(rows, lambda row: (row.kind, row.name), page)


def _field(kind: str, field: kinds.Field, owners: dict[str, str]) -> FieldSaid:
    owner = owners.get(field.name, "")
    return FieldSaid(kind=kind, name=field.name, type=field.type, internal=field.internal, owner=owner)


def _field_of(kind: str, name: str) -> FieldSaid:
    return _field(kind, fields.fields_of(kind)[name], fields.systems_of_record(kind))


@write(router, "/fields", FieldSaid, status=201, tags=IMPORTS)
def declare_field(request: HttpRequest, given: FieldGiven) -> object:
    """Declare a further field."""
    by, at = caller(request)
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    kind = kinds.kind(given.kind)
    fields.declare_field(
        kind_name=kind.name, name=given.name, column_type=given.type, internal=given.internal, by=by, at=at
    )
    return _field_of(kind.name, given.name)


@write(router, "/fields/system-of-record", FieldSaid, tags=IMPORTS)
def set_system_of_record(request: HttpRequest, given: OwnerGiven) -> object:
    """Say which system keeps a field."""
    by, at = caller(request)
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    kind = kinds.kind(given.kind)
    fields.set_system_of_record(kind_name=kind.name, field=given.field, source=given.source, by=by, at=at)
    return _field_of(kind.name, given.field)


@read(router, "/levels", page_of(LevelSaid), tags=LEVELS)
def list_levels(request: HttpRequest, page: Paged) -> object:
    """List the levels of today, the highest first."""
    viewer, at = caller(request)
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = {f"{place:06d}": row for place, row in enumerate(levels.ladder(at.date()))}
    paged = paging.whole(rows.items(), lambda row: (row[0],), page)
    return {"items": [_level(row) for _, row in paged["items"]], "next": paged["next"]}


def _level(row: levels.Level) -> dict[str, Any]:
    return {
        "name": row.name, "rank": row.rank, "reach": row.reach, "keep": row.keep, "notice_days": row.notice.days
    }  # fmt: skip


@write(router, "/levels", LevelKept, status=201, tags=LEVELS)
def set_level(request: HttpRequest, given: LevelGiven) -> object:
    """Define a level from a day on."""
    by, at = caller(request)
    access.require(by, VENDOR, Permission.AUTHOR_TERMS, at.date())
    definition = levels.Definition(**given.model_dump(exclude={"from_on"}))
    levels.set_level(definition, from_on=given.from_on, by=by, at=at)
    return given


@read(router, "/level-proposals", page_of(LevelProposal), tags=LEVELS)
def list_level_proposals(request: HttpRequest, page: Paged) -> object:
    """List the changes of level that the rules ask for, the latest proposed first."""
    viewer, at = caller(request)
    rows = levels.proposals(viewer=viewer, at=at)
    return paging.whole(rows, lambda row: (str(row.proposed_on), str(row.pk)), page, latest=True)


@write(router, "/level-proposals/{uuid:proposal}/refuse", Done, tags=LEVELS)
def refuse_level(request: HttpRequest, proposal: uuid.UUID, given: Reason) -> object:
    """Refuse a proposed change of level, with the reason."""
    by, at = caller(request)
    levels.refuse(proposal=proposal, reason=given.reason, by=by, at=at)
    return {"done": True}


@read(router, "/segments", page_of(Segment), tags=SEGMENTS)
def list_segments(request: HttpRequest, page: Paged) -> object:
    """List the segments of today."""
    viewer, at = caller(request)
    return paging.whole(segments.segments(viewer=viewer, at=at), lambda row: (row.code,), page)


@read(router, "/segments/preview", SegmentPreview, tags=SEGMENTS)
def preview_segment(
    request: HttpRequest,
    rule: Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"^[^\x00]*$")],
    day: Day | None = None,
) -> object:
    """Try a rule: who would be in it on a day."""
    viewer, at = caller(request)
    return segments.preview(rule=rule, viewer=viewer, at=at, day=day)


@write(router, "/segments", SegmentKept, status=201, tags=SEGMENTS)
def define_segment(request: HttpRequest, given: SegmentGiven) -> object:
    """Define a segment from a day on."""
    by, at = caller(request)
    access.require(by, VENDOR, Permission.ASSIGN_PROGRAM, at.date())
    segments.define(**given.model_dump(), by=by, at=at)
    return given
