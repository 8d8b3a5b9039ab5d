"""What the repair desk shows: deliveries with rows that wait, unknown names with suggestions, rows, and how it all adds up."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, QuerySet

from headrace.engine.findings import Refusal
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata.suggesting import Directory, Suggestion
from headrace.sales.models import Delivery, DeskFault, DeskRow
from headrace.sales.repairing import NOT_RELEASABLE, SUSPECTED, width

NAMES_MAX = 50
ROWS_MAX = 200
OPEN = (DeskRow.State.WAITING, DeskRow.State.ASKED, DeskRow.State.READY, DeskRow.State.SENT)


@dataclass(frozen=True, slots=True)
class Sum:
    """So many rows, so much quantity, and money by currency; `(none)` is what could not be read."""

    rows: int
    quantity: Decimal
    amounts: Mapping[str, Decimal]

    def plus(self, other: "Sum", sign: int = 1) -> "Sum":
        """Add, or with sign -1 take away."""
        amounts = dict(self.amounts)
        for currency, amount in other.amounts.items():
            amounts[currency] = amounts.get(currency, Decimal(0)) + sign * amount
        return Sum(self.rows + sign * other.rows, self.quantity + sign * other.quantity, amounts)

    def same(self, other: "Sum") -> bool:
        """Tell whether nothing is between the two."""
        left = self.plus(other, -1)
        return not left.rows and not left.quantity and not any(left.amounts.values())


NOTHING = Sum(0, Decimal(0), {})


@dataclass(frozen=True, slots=True)
class Account:
    """Where the rows of a delivery are, by what each holds as it came: received is the sum of all the other parts."""

    received: Sum
    parts: Mapping[str, Sum]

    @property
    def adds_up(self) -> bool:
        """Tell whether received = loaded + unchanged + rejected + held + ignored + repaired, in rows and money."""
        total = NOTHING
        for part in self.parts.values():
            total = total.plus(part)
        return total.same(self.received)


def account(delivery: uuid.UUID, viewer: Person, *, at: datetime) -> Account:
    """Say where the rows of a delivery are now. A row that is being sent again counts as it was until it is loaded."""
    asked = _delivery(delivery, viewer, at)
    parts = {name: _told(asked.report.get(name)) for name in ("loaded", "unchanged", "rejected", "held")}
    parts |= {"ignored": NOTHING, "repaired": NOTHING}
    if asked.columns:
        parts |= {"rejected": NOTHING, "held": NOTHING}
        rows = DeskRow.objects.filter(delivery=asked)
        listed = rows.values_list("state", "outcome", "quantity", "amount", "currency")
        for state, outcome, quantity, amount, currency in listed.iterator(chunk_size=2_000):
            part = state if state in ("ignored", "repaired") else outcome
            came = Sum(1, quantity or Decimal(0), {currency or "(none)": amount or Decimal(0)})
            parts[part] = parts[part].plus(came)
    return Account(_told(asked.report.get("received")), parts)


def _told(tally: Mapping[str, Any] | None) -> Sum:
    if tally is None:
        return NOTHING
    amounts = {currency: Decimal(amount) for currency, amount in tally.get("amounts", {}).items()}
    return Sum(tally["rows"], Decimal(tally.get("quantity", 0)), amounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A delivery with rows at the desk. counts: rows by state."""

    delivery: uuid.UUID
    name: str
    delivered_at: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownName:
    """A name of a source that nobody knows yet, in rows that wait."""

    kind: str
    source: str
    name: str
    rows: int
    suggestions: tuple[Suggestion, ...]


def waiting(viewer: Person, *, at: datetime) -> tuple[Waiting, ...]:
    """List the deliveries that have rows at the desk, the latest first."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    counted = DeskRow.objects.filter(state__in=OPEN).values("delivery", "state").annotate(rows=Count("pk"))
    by_delivery: dict[uuid.UUID, dict[str, int]] = {}
    for each in counted:
        by_delivery.setdefault(each["delivery"], {})[each["state"]] = each["rows"]
    found = Delivery.objects.filter(pk__in=by_delivery).order_by("-delivered_at")
    return tuple(
        Waiting(delivery=row.pk, name=row.name, delivered_at=row.delivered_at, counts=by_delivery[row.pk])
        for row in found
    )


def unknown_names(viewer: Person, *, at: datetime) -> tuple[UnknownName, ...]:
    """List the unknown names that the most rows wait for, with what they may stand for."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    counted = (
        DeskFault.objects.filter(settled=False, round=F("row__round"), row__state=DeskRow.State.WAITING)
        .exclude(name="")
        .values("kind", "name", source=F("row__delivery__source"))
        .annotate(rows=Count("row", distinct=True))
        .order_by("-rows", "kind", "name", "source")[:NAMES_MAX]
    )
    directories: dict[str, Directory] = {}
    found = []
    for each in counted:
        directory = directories.setdefault(each["kind"], Directory(each["kind"]))
        found.append(UnknownName(**each, suggestions=directory.suggest(each["name"])))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as pages show it. cells: column, as it came, as corrected. faults: what keeps it out now.

    kept_out_by: the codes of these. repair: the delivery that sends it again.
    """

    row: uuid.UUID
    delivery: uuid.UUID
    file: str
    number: int
    outcome: str
    state: str
    cells: tuple[tuple[str, str, str], ...]
    more_cells: tuple[str, ...]
    quantity: Decimal | None
    amount: Decimal | None
    currency: str
    faults: tuple[tuple[str, str], ...]
    reason: str
    repair: uuid.UUID | None
    may_release: bool
    may_confirm: bool
    open: bool


def rows(delivery: uuid.UUID, viewer: Person, *, at: datetime) -> tuple[Row, ...]:
    """List the first rows of a delivery at the desk, open ones first."""
    asked = _delivery(delivery, viewer, at)
    found = list(_rows().filter(delivery=asked, state__in=OPEN).order_by("row")[:ROWS_MAX])
    rest = _rows().filter(delivery=asked).exclude(state__in=OPEN).order_by("row")
    found += rest[: ROWS_MAX - len(found)]
    return tuple(_row(each) for each in found)


def one_row(row: uuid.UUID, viewer: Person, *, at: datetime) -> Row:
    """Give one row; refused (`row_unknown`) where there is none."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    found = _rows().filter(pk=row).first()
    if found is None:
        raise Refusal("row_unknown", "There is no such row. Load the page of the delivery again.")
    return _row(found)


def _rows() -> "QuerySet[DeskRow]":
    return DeskRow.objects.select_related("delivery").prefetch_related("faults")


def _row(row: DeskRow) -> Row:
    columns = row.delivery.columns
    came, corrected = width(row.cells, columns), width(row.corrected or row.cells, columns)
    faults = sorted(
        (each for each in row.faults.all() if each.round == row.round and not each.settled),
        key=lambda each: each.position,
    )
    codes = {each.code for each in faults}
    waits = row.state == DeskRow.State.WAITING
    return Row(
        row=row.pk,
        delivery=row.delivery_id,
        file=row.delivery.name,
        number=row.row,
        outcome=row.outcome,
        state=row.state,
        cells=tuple(zip(columns, came, corrected, strict=True)),
        more_cells=tuple(row.cells[len(columns) :]),
        quantity=row.quantity,
        amount=row.amount,
        currency=row.currency,
        faults=tuple((each.code, each.message) for each in faults) if waits else (),
        reason=row.reason,
        repair=row.repair_id,
        may_release=waits and {each.action for each in faults} == {"hold"} and not codes & NOT_RELEASABLE,
        may_confirm=waits and bool(codes & SUSPECTED),
        open=row.state in (DeskRow.State.WAITING, DeskRow.State.READY),
    )


def _delivery(delivery: uuid.UUID, viewer: Person, at: datetime) -> Delivery:
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    found = Delivery.objects.filter(pk=delivery).first()
    if found is None:
        raise Refusal("delivery_unknown", "There is no such delivery. Load the page of sales data again.")
    return found
