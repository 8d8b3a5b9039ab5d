"""Files that are delivered: kept, queued, loaded by a job, and shown with their counts, money and findings."""

import re
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.engine.findings import Finding, Refusal, Severity, has_errors
from headrace.engine.schema import REFERENCE_KINDS
from headrace.foundation import access, acts, events, files
from headrace.foundation.keyset import Place, latest_first
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.intake.load import Request, intake
from headrace.intake.profile import ControlTotals, Profile, builtin_profiles, load_profile, parse_profile
from headrace.intake.report import FileReport
from headrace.intake.store import Appended, LakeStore, NewBatch
from headrace.intake.tables import read_table
from headrace.lake import Batch, Lake, State
from headrace.masterdata import aliases, store
from headrace.sales import references, waiting
from headrace.sales.lake import opened
from headrace.sales.models import Delivery, DeliveryFinding, Reported, SavedProfile

LINES = "lines"
FINDINGS_MAX = 1_000
LOADED = "delivery_loaded"
"""The event: lines of a delivery are in the lake, or a reference table is in force."""


def deliver(  # noqa: PLR0913 (what a form of one file asks)
    *,
    name: str,
    content: BinaryIO,
    kind: str,
    profile: str = "",
    period: tuple[date, date] | None = None,
    stated: Mapping[str, str] | None = None,
    by: Person,
    at: datetime,
) -> Delivery:
    """Take a file, and queue it to be loaded. kind: `lines`, or a reference table. profile: how lines are read.

    stated: control totals of the sender, by name (rows, quantity, amount), as decimal text. Refused if the file, its kind or its
    profile is none that is taken; what is wrong inside the file are findings of the delivery.
    """
    access.require(by, VENDOR, Permission.LOAD_DATA, at.date())
    if kind != LINES and kind not in REFERENCE_KINDS:
        raise Refusal("delivery_kind", f"{kind!r} is none of {', '.join((LINES, *REFERENCE_KINDS))}.")
    if kind == LINES:
        _profile(profile)
    if period is not None and period[0] >= period[1]:
        raise Refusal(
            "period_empty", "The period must end after it begins; its end is the first day that is not in it."
        )
    totals = _stated(stated or {})
    # The file first: a delivery whose file is missing would be a lie, a file without a delivery is only waste.
    kept = files.store(name=name, content=content, organisation=VENDOR, by=by, at=at)
    with acts.act("deliver_file", at=at):
        delivery = Delivery(
            file=kept.pk,
            name=kept.name,
            kind=kind,
            profile=profile if kind == LINES else "",
            period_from=period[0] if period else None,
            period_until=period[1] if period else None,
            stated=totals,
            delivered_by=by,
            delivered_at=at,
        )
        delivery.save()
        from headrace.sales.tasks import load_delivery

        load_delivery.enqueue(str(delivery.pk))
    return delivery


def load(*, delivery: uuid.UUID, at: datetime) -> str:
    """Load a delivery, and give its state. A second time, also after a killed first, ends the same and adds nothing."""
    asked = Delivery.objects.get(pk=delivery)
    if asked.state != Delivery.State.QUEUED:
        return str(asked.state)
    with tempfile.TemporaryDirectory(prefix="headrace-delivery-") as scratch, opened() as lake:
        # A name may be as long as people like; that of a file ends at 255 bytes, and that of its rejects is longer still.
        path = Path(scratch) / asked.name.encode()[-200:].decode(errors="ignore")
        path.symlink_to(files.path_of(asked.file))
        try:
            if asked.kind == LINES:
                outcome = _load_lines(asked, path, lake, Path(scratch) / "rejects", at)
            else:
                outcome = _load_reference(asked, path, lake, Path(scratch), at)
        except Refusal as refusal:
            outcome = _Outcome(Delivery.State.REFUSED, {}, refusal.findings, reason=refusal.message)
        rejects = None
        if outcome.rejects is not None:
            with outcome.rejects.open("rb") as content:
                rejects = files.keep(
                    name=outcome.rejects.name, content=content, organisation=VENDOR, by=asked.delivered_by, at=at
                ).pk
        _finish(asked, outcome, rejects, at, hidden=f"{scratch}/")
    return str(outcome.state)


@dataclass(frozen=True, slots=True)
class _Outcome:
    state: Delivery.State
    report: dict[str, Any]
    findings: Sequence[Finding]
    rejects: Path | None = None
    reason: str = ""
    source: str = ""
    read: FileReport | None = None
    is_mine: bool = False


def _load_lines(asked: Delivery, path: Path, lake: Lake, rejects: Path, at: datetime) -> _Outcome:
    profile = profile_of(asked)
    request = request_for(asked, lake, repairs=asked.repairs is not None)
    (report,) = intake([path], profile, _OwnBatch(lake, asked, at), request=request, out=rejects).files
    state = Delivery.State(report.status)
    if state == Delivery.State.NOTHING_NEW and report.rejected.rows + report.held.rows and not report.unchanged.rows:
        state = Delivery.State.HELD
    findings = list(report.findings)
    is_mine = False
    if report.batch_seq is None and asked.batch_seq is not None and _is_in_lake(lake, asked.batch_seq):
        state, is_mine = Delivery.State.LOADED, True
        findings.append(
            Finding(
                code="report_lost",
                severity="info",
                message=f"Batch {asked.batch_seq} holds what this file changed. The worker stopped before it could report, and "
                "the counts here are those of a second look, to which everything was there already.",
            )
        )
    return _Outcome(
        state,
        _figures(report),
        findings,
        # Rows that are sent again go back to where they came from.
        rejects=None if asked.repairs is not None else report.rejects,
        source=alias_source(profile),
        read=report,
        is_mine=is_mine,
    )


def request_for(asked: Delivery, lake: Lake, *, repairs: bool, dry_run: bool = False) -> Request:
    """Say how a delivery is to be read. repairs: it holds rows that are sent again, which came when the first file did."""
    in_force = references.in_force()
    known: dict[str, pa.Table] = {
        kind: lake.load_snapshot(content) for kind, content in in_force.items() if kind in {"partners", "products"}
    }
    profile = profile_of(asked)
    if "customer" in profile.require_known:
        known["customers"] = pa.table({"customer_id": pa.array(sorted(store.codes_of("customer")), pa.string())})
    period = (asked.period_from, asked.period_until) if asked.period_from and asked.period_until else None
    return Request(
        received_on=(asked.repairs or asked).delivered_at.date(),
        references=known,
        period=period,
        expected=ControlTotals.model_validate(asked.stated) if asked.stated else None,
        repairs=repairs,
        release=repairs,
        aliases=aliases.of_source(alias_source(profile)),
        waiting_max=waiting.ROWS_MAX,
        dry_run=dry_run,
        detail_max=FINDINGS_MAX,
    )


def alias_source(profile: Profile) -> str:
    """Give the name under which aliases of a profile's source are kept.

    >>> alias_source(load_profile("canonical"))
    'canonical'
    """
    plain = re.sub("[^a-z0-9_-]", "-", (profile.source or profile.profile).lower())
    return plain if plain[0].isalpha() else f"s-{plain}"


def _is_in_lake(lake: Lake, batch_seq: int) -> bool:
    batch = lake.register.batch(batch_seq)
    return batch is not None and batch.state in (State.APPENDED, State.POSTED)


def _load_reference(asked: Delivery, path: Path, lake: Lake, scratch: Path, at: datetime) -> _Outcome:
    read = read_table(asked.kind, path, into=scratch)
    report = {"received": {"rows": read.received}, "loaded": {"rows": read.loaded}}
    if read.table is None or not read.loaded or has_errors(read.findings):
        reason = "A reference table is taken whole or not at all, and this one holds nothing, or rows with faults. Mend them."
        return _Outcome(Delivery.State.REFUSED, report, read.findings, reason=reason)
    faults = references.faults_with(lake, kind=asked.kind, table=read.table)
    if has_errors(faults):
        reason = "Programs in force could not be calculated with this table, so the one before stays in force."
        return _Outcome(Delivery.State.REFUSED, report, (*read.findings, *faults), reason=reason)
    changed = references.put_in_force(
        kind=asked.kind, content_hash=lake.store_snapshot(read.table), source=asked.name, rows=read.loaded, at=at
    )
    return _Outcome(Delivery.State.LOADED if changed else Delivery.State.NOTHING_NEW, report, read.findings)


def _figures(report: FileReport) -> dict[str, Any]:
    told = report.as_dict()
    return {name: told[name] for name in told if name not in {"file", "findings", "rejects", "batch_seq", "status"}}


def _finish(asked: Delivery, outcome: _Outcome, rejects: uuid.UUID | None, at: datetime, *, hidden: str) -> None:
    """Note what came of a delivery. hidden: the folder of the job, which says nothing to a reader."""
    with acts.act("load_delivery", at=at):
        done = Delivery.locked(asked.pk)
        if done.state != Delivery.State.QUEUED:
            return
        done.state, done.report, done.reason = (
            outcome.state,
            outcome.report,
            waiting.readable(outcome.reason.replace(hidden, "")),
        )
        done.rejects, done.done_at, done.source = rejects, at, outcome.source
        if done.repairs is not None:
            waiting.settle(done, outcome.read, reason=done.reason, is_mine=outcome.is_mine)
        elif outcome.read is not None:
            done.save()
            waiting.take(done, outcome.read)
        done.save()
        if outcome.read is not None:
            _note_reported(done, outcome.read)
        DeliveryFinding.objects.bulk_create(
            DeliveryFinding(
                delivery=done,
                position=position,
                code=each.code,
                severity=each.severity,
                row=each.row,
                column=None if each.column is None else waiting.readable(each.column),
                message=waiting.readable(each.message.replace(hidden, "")),
            )
            for position, each in enumerate(outcome.findings)
        )
        if outcome.state == Delivery.State.LOADED:
            events.announce(LOADED)


def _refuse_zero_characters(lines: pa.Table | Path) -> None:
    parts = lines.to_batches() if isinstance(lines, pa.Table) else pq.ParquetFile(lines).iter_batches()
    for part in parts:
        for name in part.schema.names:
            if not pa.types.is_string(part.schema.field(name).type):
                continue
            where = pc.index(pc.match_substring(part[name], "\0"), True).as_py()
            if where >= 0:
                line = waiting.readable(str(part["line_id"][where].as_py()))
                raise Refusal(
                    "zero_character",
                    f"The line {line} has a character in {name} that is no text (U+0000). Nothing of the file was loaded; take "
                    "the character out and deliver it again.",
                )


def _note_reported(done: Delivery, report: FileReport) -> None:
    Reported.objects.bulk_create(
        (
            Reported(
                delivery=done,
                reporter=waiting.readable(each.reporter),
                stage=each.stage,
                month=each.month,
                received=each.received,
                loaded=each.loaded,
                received_at=(done.repairs or done).delivered_at,
            )
            for each in report.reported
        ),
        batch_size=1_000,
    )


class _OwnBatch(LakeStore):
    """The lake, as one delivery adds to it: its batch is noted before its lines are there.

    So a second try, after a killed first, takes its own batch for its own, and reports what the first would have.
    """

    def __init__(self, lake: Lake, delivery: Delivery, at: datetime) -> None:
        super().__init__(lake)
        self._delivery = delivery
        self._at = at

    def registered(self, batch: NewBatch) -> Batch:
        """Register the batch under the name that people know the file by, and note its number."""
        registered = super().registered(replace(batch, source=self._delivery.name))
        self._note(registered.batch_seq)
        return registered

    def append(self, lines: pa.Table | Path, batch: NewBatch) -> Appended:
        """Add the lines. Refused as `zero_character` where a text holds one, which no database takes."""
        _refuse_zero_characters(lines)
        appended = super().append(lines, batch)
        self._note(appended.batch_seq)
        if appended.earlier and appended.batch_seq == self._delivery.batch_seq:
            return Appended(
                batch_seq=appended.batch_seq,
                accepted=appended.accepted,
                duplicates=appended.duplicates,
                findings=appended.findings,
            )
        return appended

    def _note(self, batch_seq: int) -> None:
        """Note the batch as this delivery's, unless it is another's: of the same file, delivered before."""
        with acts.act("note_batch", at=self._at):
            mine = Delivery.locked(self._delivery.pk)
            owner = Delivery.objects.filter(batch_seq=batch_seq).first()
            if owner is None:
                mine.batch_seq = batch_seq
                mine.save()
            if owner is None or owner.pk == mine.pk:
                self._delivery.batch_seq = batch_seq


def profile_of(delivery: Delivery) -> Profile:
    """Give the profile that a delivery is read by, as it is now."""
    return _profile(delivery.profile)


def _profile(name: str) -> Profile:
    saved = SavedProfile.objects.filter(name=name).first()
    if saved is not None:
        return parse_profile(saved.text, file=name)
    if name in builtin_profiles():
        return load_profile(name)
    raise Refusal("profile_unknown", f"There is no profile {name!r}. Choose one of {', '.join(profiles())}.")


def profiles() -> list[str]:
    """List the profiles that lines can be read by: the installation's own, then those of Headrace."""
    own = list(SavedProfile.objects.order_by("name").values_list("name", flat=True))
    ours = sorted(builtin_profiles(), key=lambda name: (name != "canonical", name))
    return [*own, *(name for name in ours if name not in own)]


def save_profile(*, text: str, by: Person, at: datetime) -> SavedProfile:
    """Save a profile under the name that it gives itself, in the place of the one before. Refused with its faults."""
    access.require(by, VENDOR, Permission.LOAD_DATA, at.date())
    read = parse_profile(text, file="the profile")
    if read.profile in builtin_profiles():
        raise Refusal("profile_name", f"{read.profile} is a profile of Headrace itself. Give yours another name.")
    with acts.act("save_profile", at=at):
        saved = SavedProfile.objects.filter(name=read.profile).first() or SavedProfile(name=read.profile)
        saved.text, saved.saved_by, saved.saved_at = text, by, at
        saved.save()
    return saved


def _stated(stated: Mapping[str, str]) -> dict[str, str]:
    totals: dict[str, str] = {}
    for name, text in stated.items():
        if not text:
            continue
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("nan")
        whole = name != "rows" or number == number.to_integral_value()
        if name not in ControlTotals.model_fields or not number.is_finite() or not whole:
            raise Refusal(
                "not_a_number", f"The control total of {name} is {text!r}; write a plain number, as 46875762.82."
            )
        totals[name] = f"{number:f}"
    return totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One delivery, as pages show it. counts: (name, rows, quantity, money by currency); totals: (name, stated, found, equal)."""

    delivery: uuid.UUID
    name: str
    kind: str
    profile: str
    state: str
    by: str
    delivered_at: datetime
    done_at: datetime | None
    batch_seq: int | None
    reason: str
    file: uuid.UUID
    rejects: uuid.UUID | None
    at_desk: bool
    repairs: uuid.UUID | None
    counts: tuple[tuple[str, int, str, Mapping[str, str]], ...]
    totals: tuple[tuple[str, str, str, bool], ...]
    findings: tuple[Finding, ...]
    finding_counts: tuple[tuple[str, int], ...]


def listed(
    viewer: Person, *, at: datetime, size: int = 100, before: Place | None = None, state: str = ""
) -> tuple[Shown, ...]:
    """List deliveries, the latest first, without their findings. For people of the vendor who may read all.

    before: only those behind this place. state: only those.
    """
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = Delivery.objects.select_related("delivered_by").filter(**({"state": state} if state else {}))
    return tuple(_shown(row, ()) for row in latest_first(rows, "delivered_at", before)[:size])


def taken(delivery: Delivery) -> Shown:
    """Give a delivery that was just taken, to whoever delivered it."""
    return _shown(delivery, ())


def one(delivery: uuid.UUID, viewer: Person, *, at: datetime) -> Shown:
    """Give one delivery with its findings. Refused as `delivery_unknown` where there is none."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    row = Delivery.objects.select_related("delivered_by").filter(pk=delivery).first()
    if row is None:
        raise Refusal("delivery_unknown", "There is no such delivery. Load the page of sales data again.")
    found = row.findings.order_by("position")
    return _shown(
        row,
        tuple(
            Finding(
                code=each.code,
                severity=severity(each.severity),
                row=each.row,
                column=each.column,
                message=each.message,
            )
            for each in found
        ),
    )


def severity(written: str) -> Severity:
    """Give the severity that a finding was kept with."""
    return cast("Severity", written)


def _shown(row: Delivery, findings: tuple[Finding, ...]) -> Shown:
    report = row.report
    counts = [
        (name, tally["rows"], tally.get("quantity", ""), tally.get("amounts", {}))
        for name in ("received", "loaded", "rejected", "held", "unchanged")
        if (tally := report.get(name)) is not None
    ]
    totals = [
        (name, each["stated"], each["found"], Decimal(each["stated"]) == Decimal(each["found"]))
        for name, each in (report.get("control_totals") or {}).items()
    ]
    return Shown(
        delivery=row.pk,
        name=row.name,
        kind=row.kind,
        profile=row.profile,
        state=row.state,
        by=str(row.delivered_by),
        delivered_at=row.delivered_at,
        done_at=row.done_at,
        batch_seq=row.batch_seq,
        reason=row.reason,
        file=row.file,
        rejects=row.rejects,
        at_desk=bool(row.columns),
        repairs=row.repairs_id,
        counts=tuple(counts),
        totals=tuple(totals),
        findings=findings,
        finding_counts=tuple(sorted((report.get("finding_counts") or {}).items())),
    )
