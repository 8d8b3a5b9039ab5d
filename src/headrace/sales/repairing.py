"""What people do with rows that did not load: correct, map a name, release, ignore, send again.

Whatever is decided, the file as it came stays as it is. Rows that are sent again are a delivery of their own, which names the
one that they came from and loads as a batch of its own.
"""

import csv
import io
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from django.db.models import F

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts, files
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.intake.load import intake
from headrace.intake.mapping import REJECT_COLUMNS
from headrace.intake.report import FileReport
from headrace.intake.store import LakeStore
from headrace.intake.verdicts import NOT_RELEASED
from headrace.masterdata import aliases
from headrace.sales import deliveries, rules, waiting
from headrace.sales.lake import opened
from headrace.sales.models import Delivery, DeskFault, DeskRow
from headrace.workflow import requests

KIND = "repair_row"
SUSPECTED = frozenset({"suspected_duplicate", "serial_reported_twice", "equal_row", "already_loaded", "already_there"})
"""Faults that say that a row is a line which is there already."""
NOT_RELEASABLE = frozenset({*NOT_RELEASED, "file_held", "cannot_reverse"})
DUPLICATE = "It is the line that is there already."
_OPEN = (DeskRow.State.WAITING, DeskRow.State.READY)


def correct(*, row: uuid.UUID, values: Mapping[str, str], by: Person, at: datetime) -> str:
    """Correct cells of a row, by the names of its columns, and judge it anew; gives its state. Without values it is judged only.

    `ready` to be sent, `waiting` where faults are left, `asked` where the change of quantity or amount takes a second person.
    """
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    seen = _seen(row)
    cells = _with(seen, values)
    return _judge(seen, cells, released=False, reason="", by=by, at=at, act="correct_row")


def release(*, row: uuid.UUID, reason: str, by: Person, at: datetime) -> str:
    """Let a held row go, because what it is held for is not so (it is another sale); gives its state, as `correct`."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    reason = _reason(reason)
    seen = _seen(row)
    stopping = set(seen.faults.filter(round=seen.round, settled=False).values_list("code", "action"))
    if {action for _, action in stopping} != {"hold"}:
        raise Refusal("row_rejected", f"Row {seen.row} is rejected, not held for a decision. Correct it, or ignore it.")
    stuck = sorted({code for code, _ in stopping} & NOT_RELEASABLE)
    if stuck:
        raise Refusal(
            "not_releasable",
            f"Row {seen.row} is held for {', '.join(stuck)}, which nobody can wave through. Correct it, or ask for a sound file.",
        )
    cells = seen.corrected or seen.cells
    return _judge(seen, cells, released=True, reason=reason, by=by, at=at, act="release_row")


def ignore(*, row: uuid.UUID, reason: str, by: Person, at: datetime) -> None:
    """Close a row that is not to load, with the reason."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    reason = _reason(reason)
    with acts.act("ignore_row", at=at):
        held = _locked(row)
        changes = waiting.changed([held])
        held.state, held.reason, held.decided_by, held.decided_at = DeskRow.State.IGNORED, reason, by, at
        changes.save()


def confirm(*, row: uuid.UUID, by: Person, at: datetime) -> None:
    """Confirm that a row is a line that is there already; it is ignored for that reason."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    seen = _seen(row)
    if not SUSPECTED & set(seen.faults.filter(round=seen.round).values_list("code", flat=True)):
        raise Refusal("not_suspected", f"Row {seen.row} is not suspected to be there already. Ignore it with a reason.")
    ignore(row=row, reason=DUPLICATE, by=by, at=at)


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapping did: rows that were sent again, rows that now wait for a second person, and those with other faults."""

    sent: int
    asked: int
    left: int


def map_name(*, kind: str, source: str, name: str, code: str, by: Person, at: datetime) -> Mapped:
    """Remember what a source's name stands for; all waiting rows that only lacked that go along, and are sent again."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    with acts.act("map_name", at=at):
        aliases.remember(kind=kind, source=source, name=name, code=code, by=by, at=at)
        named = DeskFault.objects.filter(
            kind=kind,
            name=name.strip(),
            settled=False,
            round=F("row__round"),
            row__state=DeskRow.State.WAITING,
            row__delivery__source=source,
        )
        affected = sorted(set(named.values_list("row__delivery", flat=True)))
        sent = asked = left = 0
        for delivery in affected:
            come_from = Delivery.locked(delivery)
            rows = list(
                DeskRow.objects.select_for_update()
                .filter(delivery=delivery, state=DeskRow.State.WAITING, pk__in=named.values("row"))
                .prefetch_related("faults")
                .order_by("row")
            )
            ready, large, others = _without(rows, kind, name.strip())
            left += others
            for row in large:
                changes = waiting.changed([row])
                _ask(row, by, at)
                changes.save()
            if ready:
                _send(come_from, ready, by, at)
            sent, asked = sent + len(ready), asked + len(large)
    return Mapped(sent, asked, left)


def _without(rows: Sequence[DeskRow], kind: str, name: str) -> tuple[list[DeskRow], list[DeskRow], int]:
    """Settle the unknown name in rows; give those that are ready, those that take a second person, and how many are left."""
    ready, large, left = [], [], 0
    settled: list[DeskFault] = []
    for row in rows:
        faults = [fault for fault in row.faults.all() if fault.round == row.round and not fault.settled]
        met = [fault for fault in faults if (fault.kind, fault.name) == (kind, name)]
        if not met:
            continue
        settled += met
        if len(met) < len(faults):
            left += 1
        elif row.large:
            large.append(row)
        else:
            ready.append(row)
    for fault in settled:
        fault.settled = True
    DeskFault.objects.bulk_update(settled, ["settled"], batch_size=500)
    return ready, large, left


def send_again(*, delivery: uuid.UUID, by: Person, at: datetime) -> Delivery:
    """Send the rows of a delivery that are ready, as a delivery of their own; refused (`nothing_ready`) where there is none."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    with acts.act("send_again", at=at):
        if not Delivery.objects.filter(pk=delivery).exists():
            raise Refusal("delivery_unknown", "There is no such delivery. Load the page of sales data again.")
        come_from = Delivery.locked(delivery)
        rows = list(
            DeskRow.objects.select_for_update().filter(delivery=delivery, state=DeskRow.State.READY).order_by("row")
        )
        if not rows:
            raise Refusal("nothing_ready", f"No row of {come_from.name} is ready. Correct or release some first.")
        return _send(come_from, rows, by, at)


def _send(come_from: Delivery, rows: Sequence[DeskRow], by: Person, at: datetime) -> Delivery:
    number = come_from.repaired_by.count() + 1
    name = f"{come_from.name[:160]} repaired {number}.csv"
    kept = files.keep(name=name, content=io.BytesIO(_file(come_from, rows)), organisation=VENDOR, by=by, at=at)
    repair = Delivery(
        file=kept.pk,
        name=name,
        kind=come_from.kind,
        profile=come_from.profile,
        period_from=come_from.period_from,
        period_until=come_from.period_until,
        delivered_by=by,
        delivered_at=at,
        repairs=come_from,
    )
    repair.save()
    changes = waiting.changed(rows)
    for position, row in enumerate(rows, start=2):
        row.state, row.repair, row.repair_row = DeskRow.State.SENT, repair, position
    changes.save()
    from headrace.sales.tasks import load_delivery

    load_delivery.enqueue(str(repair.pk))
    return repair


def _file(come_from: Delivery, rows: Sequence[DeskRow]) -> bytes:
    """Write rows as a file of rejects, in UTF-8 and parted by commas, each cell in the notation of its source."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*REJECT_COLUMNS, *come_from.columns])
    for row in rows:
        cells = width(row.corrected or row.cells, come_from.columns)
        writer.writerow([row.row, row.outcome, "", row.line_id or "", "yes" if row.released else "", *cells])
    return text.getvalue().encode()


def _judge(seen: DeskRow, cells: list[str], *, released: bool, reason: str, by: Person, at: datetime, act: str) -> str:
    """Try what would come of the row with these cells, and note it, unless somebody else was quicker."""
    told = _tried(seen, cells, released=released)
    with acts.act(act, at=at):
        row = _locked(seen.pk)
        if (row.round, row.state, row.corrected) != (seen.round, seen.state, seen.corrected):
            raise Refusal("row_changed", f"Row {row.row} was changed meanwhile. Load the page again.")
        changes = waiting.changed([row])
        if cells != (row.corrected or row.cells):
            row.corrected = cells
            row.editors = sorted({*row.editors, str(by.pk)})
        row.released, row.reason, row.decided_by, row.decided_at = released, reason, by, at
        row.large = _is_large(row, told)
        row.state = DeskRow.State.WAITING
        stopped = told.waiting[0].faults if told.waiting else (waiting.ALREADY_THERE,) if told.unchanged_rows else ()
        if told.waiting:
            row.outcome = told.waiting[0].outcome
        if stopped:
            row.released = False
            waiting.judge(row, stopped)
        elif row.large:
            _ask(row, by, at)
        else:
            row.state = DeskRow.State.READY
        changes.save()
    return str(row.state)


def _tried(row: DeskRow, cells: Sequence[str], *, released: bool) -> FileReport:
    """Read one row as it would be read if it were sent; nothing is added."""
    delivery = row.delivery
    tried = DeskRow(row=row.row, outcome=row.outcome, line_id=row.line_id, corrected=list(cells), released=released)
    with tempfile.TemporaryDirectory(prefix="headrace-row-") as scratch, opened() as lake:
        path = Path(scratch) / "row.csv"
        path.write_bytes(_file(delivery, [tried]))
        request = deliveries.request_for(delivery, lake, repairs=True, dry_run=True)
        profile = deliveries.profile_of(delivery)
        (report,) = intake([path], profile, LakeStore(lake), request=request, out=Path(scratch) / "out").files
    if report.status == "refused":
        first = report.findings[0]
        raise Refusal(first.code, f"The row cannot be read any more: {first.message}", findings=report.findings)
    return report


def _is_large(row: DeskRow, told: FileReport) -> bool:
    """Tell whether what would load differs by more than one person may change from what came; another currency is all new."""
    ((currency, amount),) = told.received.amounts.items()
    came = (row.amount or Decimal(0)) if currency == row.currency else Decimal(0)
    return abs(amount - came) > rules.number("repair_amount_max") or abs(
        told.received.quantity - (row.quantity or Decimal(0))
    ) > rules.number("repair_quantity_max")


def _ask(row: DeskRow, by: Person, at: datetime) -> None:
    columns = row.delivery.columns
    before, after = width(row.cells, columns), width(row.corrected or row.cells, columns)
    facts = {
        "file": row.delivery.name,
        "row": row.row,
        **{
            f"{column}": f"{old or '(empty)'} → {new or '(empty)'}"
            for column, old, new in zip(columns, before, after, strict=True)
            if old != new
        },
    }
    row.state = DeskRow.State.ASKED
    requests.ask(kind=KIND, subject=str(row.pk), facts=facts, by=by, barred=row.editors, at=at)


def _approved(subject: str, by: Person, at: datetime) -> None:
    _decided(subject, DeskRow.State.READY)


def _rejected(subject: str, by: Person, reason: str, at: datetime) -> None:
    _decided(subject, DeskRow.State.WAITING)


def _decided(subject: str, state: DeskRow.State) -> None:
    row = DeskRow.objects.select_for_update().get(pk=subject)
    assert row.state == DeskRow.State.ASKED, "a row that is asked about is not touched"
    changes = waiting.changed([row])
    row.state = state
    if state == DeskRow.State.WAITING:
        row.corrected, row.large, row.released = None, False, False
    changes.save()


requests.ends(KIND, requests.Ending(approved=_approved, rejected=_rejected))


def _with(row: DeskRow, values: Mapping[str, str]) -> list[str]:
    columns = row.delivery.columns
    unknown = sorted(set(values) - set(columns))
    if unknown:
        raise Refusal("column_unknown", f"{row.delivery.name} has no column {', '.join(unknown)}.")
    cells = dict(zip(columns, width(row.corrected or row.cells, columns), strict=True))
    cells |= {column: waiting.readable(text) for column, text in values.items()}
    return list(cells.values())


def width(cells: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Give a row as many cells as the header has columns: what is missing is empty, what is too much is left out."""
    return [*cells[: len(columns)], *[""] * (len(columns) - len(cells))]


def _reason(reason: str) -> str:
    if not reason.strip():
        raise Refusal("reason_missing", "Say why; whoever looks at the file later reads it.")
    return reason.strip()


def _seen(row: uuid.UUID) -> DeskRow:
    found = DeskRow.objects.select_related("delivery").filter(pk=row).first()
    if found is None:
        raise Refusal("row_unknown", "There is no such row. Load the page of the delivery again.")
    _refuse_closed(found)
    return found


def _locked(row: uuid.UUID) -> DeskRow:
    _seen(row)
    found = DeskRow.objects.select_for_update(of=("self",)).select_related("delivery").get(pk=row)
    _refuse_closed(found)
    return found


def _refuse_closed(row: DeskRow) -> None:
    if row.state not in _OPEN:
        told = {
            DeskRow.State.ASKED: "waits for a second person, who decides its correction",
            DeskRow.State.SENT: "is being loaded",
            DeskRow.State.REPAIRED: f"was loaded by {row.repair.name if row.repair else ''}; correct the line instead",
            DeskRow.State.IGNORED: f"is ignored ({row.reason})",
        }[DeskRow.State(row.state)]
        raise Refusal("row_closed", f"Row {row.row} of {row.delivery.name} {told}.")
