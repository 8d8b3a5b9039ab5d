"""What is in the lake and wrong: a batch is undone, a line corrected, by lines that cancel and take the place of others.

One person asks, another decides, a job writes the lines as a batch of its own. A period that was finalised gets the difference in
its next run, as from any late line.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts, events
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.intake import reversing
from headrace.lake import Lake, State
from headrace.sales import deliveries
from headrace.sales.lake import opened
from headrace.sales.models import Batch, Correction
from headrace.workflow import requests

BATCH, LINE = "reverse_batch", "correct_line"


def ask_to_reverse(*, batch: int, reason: str, by: Person, at: datetime) -> Correction:
    """Ask to undo what a batch brought and what of it still stands; a second person decides.

    Refused for a batch that is not in the lake, of which nothing stands, or that is undone already.
    """
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    row = Batch.objects.filter(pk=batch, state__in=("appended", "posted")).first()
    if row is None:
        raise Refusal("batch_unknown", f"Batch {batch} is not in the lake, so there is nothing of it to undo.")
    with opened() as lake:
        undone = reversing.undo_batch(lake, batch, received_on=at.date())
    if not undone.lines.num_rows:
        raise Refusal("nothing_stands", f"Nothing of batch {batch} stands any more.")
    shown = {
        "batch": batch,
        "file": row.source,
        "lines_cancelled": undone.reversed_lines,
        "lines_that_stand_again": undone.restored,
        "quantity": f"{undone.quantity:f}",
        "money": {currency: f"{amount:f}" for currency, amount in undone.amounts.items()},
    }
    asked = Correction(kind=BATCH, subject=_subject(BATCH, str(batch)), of_batch=batch, shown=shown)
    return _ask(asked, reason, by, at)


def ask_to_correct(*, line_id: str, values: Mapping[str, str], reason: str, by: Person, at: datetime) -> Correction:
    """Ask to correct a line that stands; a second person decides. values: text by declared column, empty for none.

    Refused for a line that is not there or was cancelled, for values that cannot be read, and where nothing would change.
    """
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    read = reversing.checked_values(values)
    with opened() as lake:
        stood = reversing.standing_line(lake, line_id)
        reversing.correct_line(lake, line_id, read, received_on=at.date())
    changed = {name: value for name, value in read.items() if value != stood[name]}
    if not changed:
        raise Refusal("nothing_changed", f"The line {line_id!r} says all of that already.")
    reversing.fits({**stood, **changed})
    shown = {
        "line": line_id,
        **{name: f"{_text(stood[name])} → {_text(value)}" for name, value in changed.items()},
    }
    asked = Correction(
        kind=LINE,
        subject=_subject(LINE, line_id),
        line_id=line_id,
        values={name: "" if value is None else str(value) for name, value in changed.items()},
        shown=shown,
    )
    return _ask(asked, reason, by, at)


def _ask(asked: Correction, reason: str, by: Person, at: datetime) -> Correction:
    if not reason.strip():
        raise Refusal("reason_missing", "Say why; whoever decides reads it.")
    asked.reason, asked.asked_by, asked.asked_at = reason.strip(), by, at
    with acts.act(f"ask_to_{asked.kind}", at=at):
        if Correction.objects.filter(subject=asked.subject, state__in=("asked", "approved", "done")).exists():
            raise Refusal(
                "corrected_already", "This was asked for already, or is done. Look at the list of corrections."
            )
        asked.save()
        facts = {**asked.shown, "reason": asked.reason}
        requests.ask(kind=asked.kind, subject=str(asked.pk), facts=facts, by=by, at=at)
    return asked


def carry_out(*, correction: uuid.UUID, at: datetime) -> str:
    """Write the lines of an approved correction, and give its state. A second time, also after a killed first, adds nothing."""
    asked = Correction.objects.get(pk=correction)
    if asked.state != Correction.State.APPROVED:
        return str(asked.state)
    state, batch_seq, told = Correction.State.DONE, None, ""
    with opened() as lake:
        what = f"batch {asked.of_batch}" if asked.kind == BATCH else f"line {asked.line_id}"
        raw = json.dumps({"correction": str(asked.pk), "of": what, "values": asked.values}, sort_keys=True).encode()
        batch = lake.register_batch(raw, source=f"correction of {what}", profile="correction")
        if batch.state is State.REGISTERED:
            try:
                batch_seq = lake.append(batch, _lines(lake, asked)).batch.batch_seq
            except Refusal as refusal:
                if refusal.code not in _OVERTAKEN:
                    raise
                lake.refuse_batch(batch.batch_seq, reason=refusal.message)
                state, told = Correction.State.REFUSED, refusal.message
        else:
            batch_seq = batch.batch_seq
    with acts.act("carry_out_correction", at=at):
        done = Correction.locked(correction)
        if done.state != Correction.State.APPROVED:
            return str(done.state)
        done.state, done.batch_seq, done.told, done.done_at = state, batch_seq, told, at
        done.save()
        if state == Correction.State.DONE:
            events.announce(deliveries.LOADED)
    return str(state)


_OVERTAKEN = frozenset({"line_reversed", "line_changed", "nothing_stands", "cannot_reverse"})


def _lines(lake: Lake, asked: Correction) -> pa.Table:
    """Give the lines of a correction as of now; refused where what was decided about is not what stands any more."""
    received_on = asked.asked_at.date()
    if asked.of_batch is not None:
        undone = reversing.undo_batch(lake, asked.of_batch, received_on=received_on)
        if not undone.lines.num_rows:
            raise Refusal("nothing_stands", f"Nothing of batch {asked.of_batch} stands any more.")
        return undone.lines
    values = reversing.checked_values(asked.values)
    stood = reversing.standing_line(lake, asked.line_id)
    if any(asked.shown[name] != f"{_text(stood[name])} → {_text(value)}" for name, value in values.items()):
        raise Refusal("line_changed", f"The line {asked.line_id!r} is not what it was. Ask anew.")
    return reversing.correct_line(lake, asked.line_id, values, received_on=received_on)


def _approved(subject: str, by: Person, at: datetime) -> None:
    _decided(subject, Correction.State.APPROVED)
    from headrace.sales.tasks import make_correction

    make_correction.enqueue(subject)


def _rejected(subject: str, by: Person, reason: str, at: datetime) -> None:
    _decided(subject, Correction.State.REJECTED)


def _decided(subject: str, state: Correction.State) -> None:
    asked = Correction.locked(uuid.UUID(subject))
    asked.state = state
    asked.save()


for _kind in (BATCH, LINE):
    requests.ends(_kind, requests.Ending(approved=_approved, rejected=_rejected))


def _subject(kind: str, of: str) -> str:
    return hashlib.sha256(f"{kind}\n{of}".encode()).hexdigest()


def _text(value: object) -> str:
    return "(empty)" if value is None else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One correction, as pages show it."""

    kind: str
    shown: Mapping[str, object]
    reason: str
    state: str
    by: str
    at: datetime
    batch_seq: int | None
    told: str


def listed(viewer: Person, *, at: datetime, size: int = 100) -> tuple[Shown, ...]:
    """List corrections, the latest first. For people of the vendor who may read all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = Correction.objects.select_related("asked_by").order_by("-asked_at")[:size]
    return tuple(
        Shown(
            kind=row.kind,
            shown=row.shown,
            reason=row.reason,
            state=row.state,
            by=str(row.asked_by),
            at=row.asked_at,
            batch_seq=row.batch_seq,
            told=row.told,
        )
        for row in rows
    )
