"""Adding a batch's lines: check against the lake, write, commit, note; in that order, each step durable before the next.

1. personal fields to their side table, their keys into the lines
2. duplicate check, data files, the list of rejected duplicates     a crash leaves files that nobody reads
3. the log entry: from here the batch is in the lake                a crash leaves the register to be brought up
4. the register: appended                                           and only then the caller hears of it
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine.findings import Finding, Refusal
from headrace.lake.datafiles import FileWriter
from headrace.lake.delta import Commit, DeltaFolder
from headrace.lake.duplicates import DUPLICATES, DuplicateIndex
from headrace.lake.durable import publish, sync_folder
from headrace.lake.personal import PersonalColumns, split_off
from headrace.lake.register import Batch, Register, State
from headrace.lake.rows import BATCH_SEQ, MONTH, by_month, chunks, conformed, schema_of, widened
from headrace.lake.writing import BATCHES, Clock, Held, duplicate_path

_DESCRIBED = ("line_id", "partner_id", BATCH_SEQ)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendResult:
    """What became of a batch. batch: as it stands now. accepted: lines added. duplicates: one row per rejected line: `row`
    (position in the batch from 0), `line_id`, `held_by` (the batch_seq that has it). earlier: the batch was in the lake already,
    and this is what became of it then. findings: warnings about upkeep; the lines are in the lake whatever they say."""

    batch: Batch
    accepted: int
    duplicates: pa.Table
    earlier: bool = False
    findings: tuple[Finding, ...] = field(default=())

    def with_findings(self, findings: Sequence[Finding]) -> "AppendResult":
        """Give the result with warnings added."""
        return replace(self, findings=(*self.findings, *findings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an append works on, under the lease that it holds."""

    folder: Path
    lines: DeltaFolder
    personal: DeltaFolder
    register: Register
    index: DuplicateIndex
    held: Held
    clock: Clock


def append(
    work: Work, batch: Batch, rows: pa.Table | Path, personal_columns: Sequence[PersonalColumns]
) -> AppendResult:
    """Add the lines of a batch that are not in the lake yet. See `Lake.append`."""
    current = work.register.find(batch.content_hash)
    if current is None:
        raise Refusal(
            "batch_unknown",
            f"Batch {batch.batch_seq} ({batch.source}) is refused or was never registered in the lake {work.folder}. Register "
            "it again.",
        )
    if current.state is not State.REGISTERED:
        return _earlier(work.folder, current)
    schema = widened(work.lines.schema, _schema_without_personal(rows, personal_columns))
    last = work.lines.mark(BATCHES) or 0
    if current.batch_seq < last:
        current = work.register.renumber(current.batch_seq, at=work.clock())
    work.index.catch_up(between_files=work.held.keep)
    writer = FileWriter(work.lines.path, version=work.lines.version + 1, described=_DESCRIBED)
    try:
        hashes, duplicates = _write(work, writer, current, rows, schema, personal_columns)
        _keep_duplicates(work.folder, current.batch_seq, duplicates)
        _commit(work, writer, current, schema, duplicates.num_rows)
    except BaseException:
        if not work.lines.was_committed(writer.version, writer.written):
            writer.discard()
        raise
    work.index.add(hashes, version=writer.version)
    accepted = sum(file.rows for file in writer.written)
    work.register.mark_appended(
        current.batch_seq,
        accepted=accepted,
        duplicates=duplicates.num_rows,
        token=work.held.lease.token,
        at=work.clock(),
    )
    appended = replace(current, state=State.APPENDED, accepted=accepted, duplicates=duplicates.num_rows, earlier=False)
    return AppendResult(batch=appended, accepted=accepted, duplicates=duplicates)


def _write(
    work: Work,
    writer: FileWriter,
    batch: Batch,
    rows: pa.Table | Path,
    schema: pa.Schema,
    personal_columns: Sequence[PersonalColumns],
) -> tuple[list[pa.Array], pa.Table]:
    """Write the new lines to data files; give their hashes, and the lines that were rejected."""
    hashes: list[pa.Array] = []
    rejected = [DUPLICATES.empty_table()]
    first_row = 0
    carried = [name for group in personal_columns for name in group.columns]
    for chunk in chunks(rows):
        checked = work.index.check(
            conformed(chunk, schema, batch_seq=batch.batch_seq, carried=carried),
            first_row=first_row,
            batch_seq=batch.batch_seq,
            pending=hashes,
            pending_files=writer.paths(),
        )
        first_row += chunk.num_rows
        rejected.append(checked.duplicates)
        if checked.accepted.num_rows:
            lines = split_off(
                work.personal, checked.accepted, personal_columns, batch_seq=batch.batch_seq, at=work.clock()
            )
            writer.write([({MONTH: month}, part) for month, part in by_month(lines)])
            hashes.append(checked.hashes)
        work.held.keep()
    return hashes, pa.concat_tables(rejected)


def _commit(work: Work, writer: FileWriter, batch: Batch, schema: pa.Schema, duplicates: int) -> None:
    info = {
        "batch_seq": batch.batch_seq,
        "content_hash": batch.content_hash,
        "source": batch.source,
        "raw": batch.raw,
        "registered_at": batch.registered_at.isoformat(),
        "duplicates": duplicates,
    }
    commit = Commit(
        operation="WRITE",
        added=writer.written,
        marks={BATCHES: batch.batch_seq},
        info=info,
        schema=schema if schema != work.lines.schema else None,
    )
    work.lines.commit(commit, at=work.clock())


def _schema_without_personal(rows: pa.Table | Path, personal_columns: Sequence[PersonalColumns]) -> pa.Schema:
    schema = schema_of(rows)
    for group in personal_columns:
        schema = group.replaced_in(schema)
    return schema


def _keep_duplicates(folder: Path, batch_seq: int, duplicates: pa.Table) -> None:
    """Keep the rejected lines of a batch, so that a caller that was cut off can still be told."""
    path = duplicate_path(folder, batch_seq)
    if duplicates.num_rows:
        publish(path, lambda temporary: pq.write_table(duplicates, temporary))
    elif path.exists():
        path.unlink()
        sync_folder(path.parent)


def _earlier(folder: Path, batch: Batch) -> AppendResult:
    path = duplicate_path(folder, batch.batch_seq)
    duplicates = pq.read_table(path) if path.is_file() else DUPLICATES.empty_table()
    assert batch.accepted is not None
    return AppendResult(
        batch=replace(batch, earlier=True), accepted=batch.accepted, duplicates=duplicates, earlier=True
    )
