"""Rows that wait for people: taken in with the delivery that brought them, put back or closed with the one that sends them again.

What is written here is written in the transaction that ends the delivery, so it is written once.
"""

from collections.abc import Iterable, Sequence

from headrace.foundation import acts
from headrace.intake.plausibility import NAMES
from headrace.intake.report import FileReport
from headrace.intake.waiting import RowFault
from headrace.sales.models import Delivery, DeskFault, DeskRow

ROWS_MAX = 20_000
"""A delivery with more rows that did not load is not for a desk: its file of rejects is, or a sound file."""
ALREADY_THERE = RowFault(
    "already_there",
    None,
    "reject",
    "The line is in the lake already, by another file. Ignore this row, with that reason.",
)
_AT_ONCE = 500
_RECORD = "sales.deskrow"
_TRAIL = ("state", "corrected", "released", "reason", "round", "repair_id", "outcome", "large", "decided_by_id")
NAME_MAX = 300


def readable(text: str) -> str:
    """Write a zero character, which PostgreSQL does not take, as its picture."""
    return text.replace("\0", "␀")


def take(delivery: Delivery, report: FileReport) -> None:
    """Take in the rows of a delivery that did not load."""
    delivery.columns = [readable(name) for name in report.waiting_columns] if report.waiting else []
    rows = [
        DeskRow(
            delivery=delivery,
            row=each.row,
            outcome=each.outcome,
            line_id=None if each.line_id is None else readable(each.line_id),
            cells=[readable(cell or "") for cell in each.cells],
            quantity=each.quantity,
            amount=each.amount,
            currency=each.currency or "",
        )
        for each in report.waiting
    ]
    DeskRow.objects.bulk_create(rows, batch_size=_AT_ONCE)
    _note_faults(zip(rows, (each.faults for each in report.waiting), strict=True))


def settle(repair: Delivery, report: FileReport | None, *, reason: str, is_mine: bool) -> None:
    """Close the rows that loaded, and put the others back. report: null where the delivery was refused, for the reason.

    is_mine: what is there already was brought by this very delivery, whose worker was stopped before it could report.
    """
    rows = list(
        DeskRow.objects.select_for_update().filter(repair=repair, state=DeskRow.State.SENT).order_by("repair_row")
    )
    judged = {} if report is None else {each.row: each for each in report.waiting}
    there = frozenset() if report is None or is_mine else frozenset(report.unchanged_rows)
    back: list[tuple[DeskRow, Sequence[RowFault]]] = []
    changes = changed(rows)
    for row in rows:
        found = judged.get(row.repair_row or 0)
        if found is not None:
            row.outcome = found.outcome
            back.append((row, found.faults))
        elif row.repair_row in there:
            row.outcome = "rejected"
            back.append((row, (ALREADY_THERE,)))
        elif report is None:
            back.append((row, (RowFault("file_refused", None, "reject", reason),)))
        else:
            row.state = DeskRow.State.REPAIRED
    for row, _ in back:
        row.state, row.repair, row.repair_row, row.released = DeskRow.State.WAITING, None, None, False
        row.round += 1
    changes.save()
    _note_faults(back)


def judge(row: DeskRow, faults: Sequence[RowFault]) -> None:
    """Say what keeps a row out now, in a new round."""
    row.round += 1
    _note_faults([(row, faults)])


def _note_faults(rows: Iterable[tuple[DeskRow, Sequence[RowFault]]]) -> None:
    DeskFault.objects.bulk_create(
        (
            DeskFault(
                row=row,
                round=row.round,
                position=position,
                code=fault.code,
                column=None if fault.column is None else readable(fault.column),
                action=fault.action,
                message=readable(fault.message),
                kind=_kind(fault),
                name=readable(fault.name) if fault.name and _kind(fault) else "",
            )
            for row, faults in rows
            for position, fault in enumerate(faults)
        ),
        batch_size=_AT_ONCE,
    )


def _kind(fault: RowFault) -> str:
    if not fault.name or len(fault.name) > NAME_MAX:
        return ""
    return NAMES.get(f"{fault.code.removeprefix('unknown_')}_id", "")


class changed:  # noqa: N801 (reads as a verb)
    """Rows that are about to change: `save` writes them and notes in the trail what is other than it was."""

    def __init__(self, rows: Sequence[DeskRow]) -> None:
        self._rows = rows
        self._before = [_noted(row) for row in rows]

    def save(self) -> None:
        """Write the rows; in the act that is under way."""
        fields = ["state", "outcome", "corrected", "round", "released", "large", "reason", "editors", "decided_by"]
        DeskRow.objects.bulk_update(self._rows, [*fields, "decided_at", "repair", "repair_row"], batch_size=_AT_ONCE)
        with acts.joined("change_desk_rows") as act:
            for row, before in zip(self._rows, self._before, strict=True):
                act.note(_RECORD, str(row.pk), before, _noted(row))


def _noted(row: DeskRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in _TRAIL}
