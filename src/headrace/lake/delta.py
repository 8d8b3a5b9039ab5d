"""One Delta table in a folder, written so that a commit is on the disk before anybody can see it.

Reading the log, schemas and checkpoints is the `deltalake` library's work. Only the log entry of a commit is written here,
because the library makes an entry visible before it is durable and retries over another writer's commit: this writer puts the
entry to the disk first and then links it to the one version it was made for, so a second writer of the same version fails.
That is also what fences off a process whose lease was taken over (see `headrace.lake.store`).

Not here: leases, batches, what the rows mean.
"""

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError

from headrace.engine.findings import Refusal
from headrace.lake.durable import publish_new, sync_file, sync_folder

_LOG = "_delta_log"
_READER_MAX, _WRITER_MAX = 1, 2
# Log entries are kept for good: they say which batch added which files, and a torn checkpoint can be read around.
_CONFIGURATION = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A data file that is on the disk and waits for its commit. path: relative to the table's folder."""

    path: str
    size: int
    rows: int
    partition: Mapping[str, str] = field(default_factory=dict)
    lowest: Mapping[str, Any] = field(default_factory=dict)
    highest: Mapping[str, Any] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)

    def action(self, *, at_ms: int, data_change: bool) -> dict[str, Any]:
        """Give the log action that adds the file."""
        stats = {
            "numRecords": self.rows,
            "minValues": dict(self.lowest),
            "maxValues": dict(self.highest),
            "nullCount": dict(self.nulls),
        }
        return {
            "add": {
                "path": self.path,
                "size": self.size,
                "partitionValues": dict(self.partition),
                "modificationTime": at_ms,
                "dataChange": data_change,
                "stats": json.dumps(stats, separators=(",", ":")),
            }
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one log entry changes.

    operation: what the table's history shows. marks: application id to the highest number committed under it. removed: rows
    of `files()` that leave the list. data_change: false where rows only moved between files. schema: a wider schema.
    """

    operation: str
    added: Sequence[NewFile] = ()
    removed: Sequence[Mapping[str, Any]] = ()
    marks: Mapping[str, int] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    data_change: bool = True
    schema: pa.Schema | None = None


class DeltaFolder:
    """A Delta table in a folder; reading needs no lock, writing needs the lake's lease."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # The library's object may not be used by two threads at once.
        self._lock = threading.RLock()
        self._table = self._load()
        self._files: tuple[int, pa.Table] | None = None
        self._marks: tuple[int, dict[str, int | None]] = (-1, {})

    @classmethod
    def create(
        cls, path: Path, schema: pa.Schema, *, partition_by: Sequence[str] = (), described: Sequence[str]
    ) -> "DeltaFolder":
        """Make an empty table and wait until it is on the disk. described: columns whose extent the log keeps per file."""
        configuration = {**_CONFIGURATION, "delta.dataSkippingStatsColumns": ",".join(described)}
        DeltaTable.create(str(path), schema=schema, partition_by=list(partition_by), configuration=configuration)
        for entry in (path / _LOG).iterdir():
            sync_file(entry)
        for folder in (path / _LOG, path, path.parent):
            sync_folder(folder)
        return cls(path)

    @property
    def version(self) -> int:
        """Give the version last read."""
        with self._lock:
            return self._table.version()

    @property
    def schema(self) -> pa.Schema:
        """Give the schema last read, partition columns included."""
        with self._lock:
            return pa.schema(self._table.schema().to_arrow())

    def refresh(self) -> int:
        """Read what was committed since, by whomever; give the version."""
        with self._lock:
            if self._may_have_more():
                try:
                    self._table.update_incremental()
                except DeltaError:
                    self._table = self._load()
            return self.version

    def _may_have_more(self) -> bool:
        """Tell whether the log may go beyond the version last read, for which the library needs a hundred times as long.

        Versions have no gaps, and software that removes entries removes the oldest: while the entry last read is there and the
        next is not, there is no later one.
        """
        version = self._table.version()
        return self._entry(version + 1).exists() or not self._entry(version).exists()

    def mark(self, application: str) -> int | None:
        """Give the highest number committed under an application id, null if none was."""
        with self._lock:
            if self._marks[0] != self.version:
                self._marks = (self.version, {})
            marks = self._marks[1]
            if application not in marks:
                marks[application] = self._table.transaction_version(application)
            return marks[application]

    def files(self) -> pa.Table:
        """Give the current data files: one row per file.

        Columns: path (relative), size_bytes, num_records, `partition.<column>`, and `min.`, `max.`, `null_count.<column>` as
        far as the writer gave them.
        """
        with self._lock:
            if self._files is None or self._files[0] != self.version:
                self._files = (self.version, pa.table(self._table.get_add_actions(flatten=True)))
            return self._files[1]

    def rows(self) -> int:
        """Count the rows of the table by what the log says."""
        return sum(self.files()["num_records"].to_pylist())

    def commit(self, commit: Commit, *, at: datetime) -> int:
        """Write the next version after the one last read; give its number.

        The entry is durable before it is visible. Raises Refusal `lease_lost`, with nothing changed, if that version was
        written by another process meanwhile.
        """
        assert self._table.protocol().min_writer_version <= _WRITER_MAX
        version = self.version + 1
        at_ms = int(at.timestamp() * 1000)
        actions: list[dict[str, Any]] = [
            {"commitInfo": {"timestamp": at_ms, "operation": commit.operation, "headrace": dict(commit.info)}}
        ]
        actions += [{"txn": {"appId": name, "version": number}} for name, number in commit.marks.items()]
        if commit.schema is not None:
            actions.append(self._wider_schema(commit.schema))
        actions += [file.action(at_ms=at_ms, data_change=commit.data_change) for file in commit.added]
        actions += [_removal(row, at_ms=at_ms, data_change=commit.data_change) for row in commit.removed]
        content = "".join(json.dumps(action, separators=(",", ":")) + "\n" for action in actions)
        if not publish_new(self._entry(version), content.encode()):
            raise Refusal(
                "lease_lost",
                f"Another process took over the lake {self.path.parent} while this one was at work. Nothing of this request "
                "was added here. Send it again: what was already added is recognised.",
            )
        self.refresh()
        return version

    def was_committed(self, version: int, files: Sequence[NewFile]) -> bool:
        """Tell whether a version is there and is the one that adds these files."""
        try:
            text = self._entry(version).read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        return any(file.path in text for file in files)

    def added_since(self, version: int) -> list[Path] | None:
        """Give the files that brought new rows after a version, oldest first; null if the log does not say any more."""
        paths: list[Path] = []
        for number in range(version + 1, self.version + 1):
            try:
                text = self._entry(number).read_text(encoding="utf-8")
            except FileNotFoundError:
                return None
            adds = (json.loads(line).get("add") for line in text.splitlines() if line)
            paths += [self.path / add["path"] for add in adds if add and add["dataChange"]]
        return paths

    def entries(self) -> Iterator[list[dict[str, Any]]]:
        """Give the actions of every log entry that is still there, oldest first."""
        for number in range(self.version + 1):
            try:
                text = self._entry(number).read_text(encoding="utf-8")
            except FileNotFoundError:
                continue
            yield [json.loads(line) for line in text.splitlines() if line]

    def checkpoint(self) -> None:
        """Sum the log up in one file, so that readers need not read every entry; durable when this returns."""
        with self._lock:
            self._table.create_checkpoint()
        log = self.path / _LOG
        for entry in log.glob(f"{self.version:020d}.checkpoint*.parquet"):
            sync_file(entry)
        sync_file(log / "_last_checkpoint")
        sync_folder(log)

    def obsolete(self, *, hours_min: int) -> list[Path]:
        """List files that left the table, or never came to it, at least so many hours ago."""
        names = self._table.vacuum(retention_hours=hours_min, dry_run=True, enforce_retention_duration=False, full=True)
        return [self.path / name for name in names]

    def repair(self) -> list[str]:
        """Set aside what a power failure tore in the log (never anything acknowledged); give the names.

        Raises Refusal `lake_damaged` where an entry is torn that has others after it.
        """
        log = self.path / _LOG
        torn = [path for path in log.glob("*.checkpoint*.parquet") if not _is_parquet(path)]
        if torn:
            (log / "_last_checkpoint").unlink(missing_ok=True)
        entries = sorted(path for path in log.iterdir() if path.suffix == ".json" and path.stem.isdecimal())
        bad = [path for path in entries[-1:] if not _is_entry(path)]
        if any(not _is_entry(path) for path in entries[-50:-1]):
            raise _damaged(self.path, "an entry in the middle of its log cannot be read")
        for path in torn + bad:
            path.replace(path.with_name(path.name + ".torn"))
        if torn or bad:
            sync_folder(log)
            self._table = self._load()
        return [path.name for path in torn + bad]

    def _load(self) -> DeltaTable:
        try:
            table = DeltaTable(str(self.path))
        except TableNotFoundError as error:
            raise _damaged(self.path, "it holds no Delta table") from error
        except DeltaError as error:
            table = self._load_before_torn_entry(error)
        if table.protocol().min_reader_version > _READER_MAX or table.protocol().min_writer_version > _WRITER_MAX:
            raise Refusal(
                "lake_newer",
                f"The table {self.path} was changed by software that uses newer features of Delta than this version of "
                "Headrace knows. Use the newer version of Headrace, or bring the folder back from a backup.",
            )
        return table

    def _load_before_torn_entry(self, error: DeltaError) -> DeltaTable:
        """Open the table as it was before a last entry that a power failure left half written."""
        entries = sorted(path for path in (self.path / _LOG).glob("*.json") if path.stem.isdecimal())
        if not entries or _is_entry(entries[-1]):
            raise _damaged(self.path, "its log cannot be read") from error
        try:
            return DeltaTable(str(self.path), version=int(entries[-1].stem) - 1)
        except DeltaError as second:
            raise _damaged(self.path, "its log cannot be read") from second

    def _entry(self, version: int) -> Path:
        return self.path / _LOG / f"{version:020d}.json"

    def _wider_schema(self, schema: pa.Schema) -> dict[str, Any]:
        metadata = self._table.metadata()
        return {
            "metaData": {
                "id": str(metadata.id),
                "name": None,
                "description": None,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": Schema.from_arrow(schema).to_json(),
                "partitionColumns": metadata.partition_columns,
                "createdTime": metadata.created_time,
                "configuration": metadata.configuration,
            }
        }


def _removal(row: Mapping[str, Any], *, at_ms: int, data_change: bool) -> dict[str, Any]:
    partition = {key.removeprefix("partition."): row[key] for key in row if key.startswith("partition.")}
    return {
        "remove": {
            "path": row["path"],
            "deletionTimestamp": at_ms,
            "dataChange": data_change,
            "extendedFileMetadata": True,
            "partitionValues": partition,
            "size": row["size_bytes"],
        }
    }


def _is_entry(path: Path) -> bool:
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            json.loads(line)
    except ValueError:
        return False
    return path.stat().st_size > 0


def _is_parquet(path: Path) -> bool:
    try:
        pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return False
    return True


def _damaged(path: Path, what: str) -> Refusal:
    return Refusal(
        "lake_damaged",
        f"The table {path} is damaged: {what}. Run the recovery of the lake; if it says the same, bring the folder "
        f"{path.parent} back from a backup.",
    )


def relative_name(table: Path, path: Path) -> str:
    """Give a data file's path as the log writes it."""
    return os.fspath(path.relative_to(table).as_posix())
