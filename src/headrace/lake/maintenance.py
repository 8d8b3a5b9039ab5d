"""Upkeep of the tables: log checkpoints, compaction of small files, removal of files that nobody may be reading any more.

Compaction moves rows into larger files and changes none: each keeps its `batch_seq`, so "as of n" reads the same. Files that
left a table stay on the disk for the retention, for readers that hold an older list of files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine.findings import Finding, Refusal
from headrace.lake.datafiles import FileWriter
from headrace.lake.delta import Commit, DeltaFolder
from headrace.lake.duplicates import DuplicateIndex
from headrace.lake.durable import disk_faults_refused, remove_files
from headrace.lake.rows import BATCH_SEQ, MONTH, by_month
from headrace.lake.writing import Clock, Held

RETENTION_HOURS = 7 * 24
CHECKPOINT_COMMITS = 50
COMPACT_COMMITS = 100
# A month is compacted at once when it has so many files more than it needs.
MONTH_FILES_MAX = 128
# What an append may compact on the way; the rest waits for its turn, or for `maintain`.
_DUE_ROWS_MAX = 250_000
_TARGET_ROWS = 1_000_000
_SMALL_ROWS = 65_536
_GROUP_FILES_MIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """What upkeep did: files merged, files made of them, files removed from the disk."""

    merged: int
    made: int
    removed: int


def maintain_if_due(lines: DeltaFolder, index: DuplicateIndex, held: Held, *, clock: Clock) -> list[Finding]:
    """Do the upkeep that is due after an append; a refusal of it becomes a warning, for the append itself is done."""
    try:
        with disk_faults_refused(lines.path.parent):
            if lines.version % COMPACT_COMMITS == 0 or _files_of_fullest_month(lines) > MONTH_FILES_MAX:
                compact(lines, held, clock=clock, rows_max=_DUE_ROWS_MAX)
                index.follow()
                lines.checkpoint()
            elif lines.version % CHECKPOINT_COMMITS == 0:
                lines.checkpoint()
    except Refusal as refusal:
        return [
            Finding(
                code=refusal.code, message=f"The lines were added. Upkeep was not done: {refusal}", severity="warning"
            )
        ]
    return []


def maintain(
    tables: Mapping[str, DeltaFolder], index: DuplicateIndex, held: Held, *, clock: Clock, retention_hours: int
) -> Maintained:
    """Do all upkeep now, under the lease."""
    merged, made = compact(tables["lines"], held, clock=clock)
    index.catch_up(between_files=held.keep)
    index.save()
    removed = 0
    for table in tables.values():
        table.checkpoint()
        removed += remove_files(table.obsolete(hours_min=retention_hours))
        held.keep()
    return Maintained(merged=merged, made=made, removed=removed)


def compact(lines: DeltaFolder, held: Held, *, clock: Clock, rows_max: int | None = None) -> tuple[int, int]:
    """Merge small files of each month into larger ones; give how many were merged into how many.

    rows_max: read no more rows than this, months with the most files first.
    """
    merged = made = rows_read = 0
    groups = _groups(lines.files().to_pylist(), target_rows=min(_TARGET_ROWS, rows_max or _TARGET_ROWS))
    for files in sorted(groups, key=len, reverse=True):
        rows_read += sum(row["num_records"] for row in files)
        if rows_max is not None and rows_read > rows_max:
            break
        writer = FileWriter(lines.path, version=lines.version + 1, described=["line_id", "partner_id", BATCH_SEQ])
        try:
            rows = _read(lines, files)
            parts = [({MONTH: month}, part) for month, part in by_month(rows)]
            assert [partition[MONTH] for partition, _ in parts] == [files[0][f"partition.{MONTH}"]]
            writer.write(parts)
            commit = Commit(operation="OPTIMIZE", added=writer.written, removed=files, data_change=False)
            lines.commit(commit, at=clock())
        except BaseException:
            if not lines.was_committed(writer.version, writer.written):
                writer.discard()
            raise
        held.keep()
        merged, made = merged + len(files), made + len(writer.written)
    return merged, made


def _files_of_fullest_month(lines: DeltaFolder) -> int:
    small = lines.files().select([f"partition.{MONTH}", "num_records"]).group_by(f"partition.{MONTH}")
    return max(small.aggregate([("num_records", "count")])["num_records_count"].to_pylist(), default=0)


def _groups(files: Sequence[Mapping[str, Any]], *, target_rows: int) -> list[list[Mapping[str, Any]]]:
    """Choose the files of each month to merge: the smallest, as long as each is not much larger than those before together.

    So a row is rewritten about as often as its file can double before it is large enough, not at every compaction.
    """
    months: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(files, key=lambda row: (row["num_records"], row["path"])):
        months.setdefault(row[f"partition.{MONTH}"], []).append(row)
    chosen = []
    for month in sorted(months):
        group: list[Mapping[str, Any]] = []
        total = 0
        for row in months[month]:
            if row["num_records"] > max(total, _SMALL_ROWS) or total + row["num_records"] > target_rows:
                break
            group.append(row)
            total += row["num_records"]
        if len(group) >= _GROUP_FILES_MIN:
            chosen.append(group)
    return chosen


def _read(lines: DeltaFolder, files: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = pa.schema([column for column in lines.schema if column.name != MONTH])
    parts = [_whole(lines.path / row["path"]) for row in files]
    rows = pa.concat_tables([schema.empty_table(), *parts], promote_options="default")
    return rows.select(schema.names).cast(schema)


def _whole(path: Path) -> pa.Table:
    # Not read_table, which takes twice as long for a small file.
    with pq.ParquetFile(path) as file:
        return file.read()
