"""Files of master data: asked for by a person, read by a job, taken in one revision, with what was found row by row.

What is a table of its own (quotes of rates) registers a loader; everything else is lines of a kind.
"""

import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from io import BytesIO
from pathlib import Path

from django.db.models import QuerySet

from headrace.engine.findings import Finding, Refusal, Severity, has_errors
from headrace.foundation import access, acts, files
from headrace.foundation.keyset import Place, latest_first
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import Staged
from headrace.intake.tables import stage_file
from headrace.masterdata import store
from headrace.masterdata.fields import checked_source
from headrace.masterdata.kinds import HAND, Kind, Line, kind, kinds
from headrace.masterdata.models import ImportFinding, ImportRun
from headrace.masterdata.planning import plan
from headrace.masterdata.reading import read_lines

FILE_KINDS = ("csv", "xlsx")
_SEVERITIES: dict[str, Severity] = {"error": "error", "warning": "warning", "info": "info"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loader took: rows in the file, rows taken, facts that were new."""

    received: int
    loaded: int
    facts: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: which named table a file fills, from which source, whether one fault stops it; the file's digest."""

    table: str
    source: str
    all_or_none: bool
    sha256: str


type Loader = Callable[[Staged, Asked, store.Writing, FindingLog], Loaded]
_LOADERS: dict[str, tuple[str, Loader]] = {}


def register_loader(name: str, label: str, loader: Loader) -> None:
    """Take files of a table of its own under the name."""
    _LOADERS[name] = (label, loader)


def importable() -> tuple[tuple[str, str], ...]:
    """List what files can hold: name and label."""
    return (
        *((each.name, each.label) for each in kinds() if each.by_file),
        *((name, label) for name, (label, _) in _LOADERS.items()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to bring in. what: one of `importable`. source: the system that it comes from. table: which named table it fills.

    from_on: from when rows without days count for entries that are known. all_or_none: one fault stops the whole file.
    """

    what: str
    source: str
    name: str
    content: bytes
    from_on: date
    all_or_none: bool = False
    table: str = ""


def request_import(upload: Upload, *, by: Person, at: datetime) -> uuid.UUID:
    """Keep a file and queue its import; gives the run. Refused for what is not taken, or without LOAD_DATA."""
    access.require(by, VENDOR, Permission.LOAD_DATA, at.date())
    if upload.what not in dict(importable()):
        raise Refusal("kind_unknown", f"No file of {upload.what!r} is taken here. Choose from the list.")
    source = checked_source(upload.source)
    if source == HAND:
        raise Refusal("source_name", f"{HAND!r} is what people enter. Name the system that the file comes from.")
    if files.kind_of(upload.name, upload.content) not in FILE_KINDS:
        raise Refusal("file_kind", f"{upload.name} is neither CSV nor XLSX. Save it as one of these.")
    from headrace.masterdata.tasks import run_queued_import

    with acts.act("request_import", at=at):
        stored = files.store(name=upload.name, content=BytesIO(upload.content), organisation=VENDOR, by=by, at=at)
        run = ImportRun(
            kind=upload.what,
            source=source,
            table=upload.table.strip(),
            file=stored,
            all_or_none=upload.all_or_none,
            from_on=upload.from_on,
            asked_by=by,
            asked_at=at,
        )
        run.save()
        run_queued_import.enqueue(str(run.pk))
    return run.pk


def run_import(*, run: uuid.UUID, at: datetime) -> None:
    """Bring in the file of a run; a run that was brought in already is left as it is."""
    asked = ImportRun.objects.select_related("file").get(pk=run)
    if asked.state != ImportRun.State.QUEUED:
        return
    path = files.path_of(asked.file_id)
    log = FindingLog(asked.file.name)
    with tempfile.TemporaryDirectory() as scratch:
        staged = stage_file(path, log, into=Path(scratch) / "records.arrow")
        with store.revising("import_file", source=asked.source, at=at) as writing:
            asked = ImportRun.locked(run)
            if asked.state != ImportRun.State.QUEUED:
                return
            loaded = Loaded(0, 0, 0) if staged is None else _load(staged, asked, writing, log)
            _ended(asked, loaded, writing, log, at)


def _load(staged: Staged, run: ImportRun, writing: store.Writing, log: FindingLog) -> Loaded:
    if run.kind in _LOADERS:
        asked = Asked(run.table, run.source, run.all_or_none, run.file.sha256)
        return _LOADERS[run.kind][1](staged, asked, writing, log)
    return _load_lines(staged, run, writing, log)


def _load_lines(staged: Staged, run: ImportRun, writing: store.Writing, log: FindingLog) -> Loaded:
    of = kind(run.kind)
    read = read_lines(of, staged, run.source, log)
    lines = _dated(of, read.lines, run.from_on) if read.undated else read.lines
    planned = plan(of, lines, source=run.source)
    log.extend(replace(finding, file=log.file) for finding in planned.findings)
    if not planned.taken or (run.all_or_none and has_errors(log.findings())):
        return Loaded(read.received, 0, 0)
    facts = sum(writing.write(each, statements) for each, statements in planned.statements)
    return Loaded(read.received, len(planned.taken), facts)


def _dated(of: Kind, lines: tuple[Line, ...], from_on: date) -> tuple[Line, ...]:
    known = store.known_codes(of.name, {line.code for line in lines})
    return tuple(replace(line, from_on=from_on) if line.code in known else line for line in lines)


def _ended(run: ImportRun, loaded: Loaded, writing: store.Writing, log: FindingLog, at: datetime) -> None:
    run.state = ImportRun.State.LOADED if loaded.loaded else ImportRun.State.STOPPED
    run.received, run.loaded, run.facts = loaded.received, loaded.loaded, loaded.facts
    run.revision, run.ended_at = writing.revision, at
    run.save()
    ImportFinding.objects.bulk_create(
        (
            ImportFinding(
                run=run,
                position=position,
                row=finding.row,
                column=finding.column,
                code=finding.code,
                severity=finding.severity,
                message=finding.message,
            )
            for position, finding in enumerate(log.findings())
        ),
        batch_size=store.BATCH,
    )


@dataclass(frozen=True, slots=True)
class Run:
    """One import as people see it. fault: it stopped, or rows were left out."""

    id: uuid.UUID
    what: str
    source: str
    table: str
    file: uuid.UUID
    name: str
    state: str
    all_or_none: bool
    received: int
    loaded: int
    facts: int
    revision: int | None
    asked_by: str
    asked_at: datetime


def runs(*, viewer: Person, at: datetime, size: int = 50, before: Place | None = None) -> tuple[Run, ...]:
    """List the last imports, the latest first, for whoever may read all. before: only those behind this place."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    return tuple(_shown(row) for row in latest_first(_listed(), "asked_at", before)[:size])


def run_with_findings(*, run: uuid.UUID, viewer: Person, at: datetime) -> tuple[Run, tuple[Finding, ...]]:
    """Give one import with what was found; refused (`import_unknown`) if there is none."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    row = _listed().filter(pk=run).first()
    if row is None:
        raise Refusal("import_unknown", "There is no such import. Look for it in the list.")
    found = tuple(
        Finding(
            code=each.code, message=each.message, severity=_SEVERITIES[each.severity], row=each.row, column=each.column
        )
        for each in row.findings.order_by("position")
    )
    return _shown(row), found


def _listed() -> "QuerySet[ImportRun]":
    return ImportRun.objects.select_related("file", "asked_by")


def _shown(row: ImportRun) -> Run:
    labels = dict(importable())
    return Run(
        row.pk,
        labels.get(row.kind, row.kind),
        row.source,
        row.table,
        row.file_id,
        row.file.name,
        row.state,
        row.all_or_none,
        row.received,
        row.loaded,
        row.facts,
        row.revision_id,
        str(row.asked_by),
        row.asked_at,
    )
