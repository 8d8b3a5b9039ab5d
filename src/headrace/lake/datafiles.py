"""Parquet files of a table: written so that they are whole and on the disk, described so that readers can pass them by."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.lake.delta import NewFile, relative_name
from headrace.lake.durable import make_folder, publish, remove_files, sync_folder

_ROW_GROUP_ROWS = 122_880
_THREADS = 2
# Values that hardly ever repeat: a dictionary of them costs time and saves nothing.
_DISTINCT = {"line_id", "serial_number"}


class FileWriter:
    """Writes the data files of one coming commit; what is not committed in the end is removed by `discard`.

    version: the table version that the commit is meant for. It begins each name, so that files whose commit can never come
    are known after a crash.
    """

    def __init__(self, table: Path, *, version: int, described: Sequence[str]) -> None:
        self.table = table
        self.version = version
        self.described = described
        self.written: list[NewFile] = []
        self._prefix = f"{version:020d}-{secrets.token_hex(4)}"
        self._paths: list[Path] = []

    def write(self, parts: Iterable[tuple[Mapping[str, str], pa.Table]]) -> list[NewFile]:
        """Write one file per part (partition values and rows); durable when this returns."""
        jobs = []
        for number, (partition, rows) in enumerate(parts, start=len(self._paths)):
            folder = self.table.joinpath(*(f"{name}={value}" for name, value in partition.items()))
            make_folder(folder)
            path = folder / f"{self._prefix}-{number:05d}.parquet"
            self._paths.append(path)
            jobs.append((path, partition, rows))
        new = _in_parallel(self._write_one, jobs)
        for folder in sorted({path.parent for path, _, _ in jobs}):
            sync_folder(folder)
        self.written += new
        return new

    def paths(self) -> list[Path]:
        """Give the files written so far."""
        return [self.table / file.path for file in self.written]

    def discard(self) -> None:
        """Remove everything written: the commit will not come."""
        remove_files(self._paths)

    def _write_one(self, job: tuple[Path, Mapping[str, str], pa.Table]) -> NewFile:
        path, partition, rows = job
        publish(path, lambda temporary: write_parquet(rows, temporary), folder_synced_by_caller=True)
        lowest, highest, nulls = _describe(rows, self.described)
        return NewFile(
            path=relative_name(self.table, path),
            size=path.stat().st_size,
            rows=rows.num_rows,
            partition=partition,
            lowest=lowest,
            highest=highest,
            nulls=nulls,
        )


def write_parquet(rows: pa.Table, path: Path) -> None:
    """Write rows as one Parquet file the way that all files of the lake are written."""
    pq.write_table(
        rows,
        path,
        compression="zstd",
        compression_level=1,
        row_group_size=_ROW_GROUP_ROWS,
        use_dictionary=[name for name in rows.schema.names if name not in _DISTINCT],
        store_decimal_as_integer=True,
    )


def uncommitted(table: Path, *, from_version: int) -> list[Path]:
    """List data files made for a version from this one on, and temporary files: what a killed writer left."""
    left = [
        path for path in table.rglob("*.parquet") if path.name[:20].isdecimal() and int(path.name[:20]) >= from_version
    ]
    return [path for path in left if "_delta_log" not in path.parts] + list(table.rglob(".*.tmp"))


def _describe(rows: pa.Table, columns: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, int]]:
    lowest, highest, nulls = {}, {}, {}
    for name in columns:
        values = rows[name]
        nulls[name] = values.null_count
        ends = pc.min_max(values).as_py()
        if ends["min"] is not None:
            lowest[name], highest[name] = ends["min"], ends["max"]
    return lowest, highest, nulls


def _in_parallel[Job, Result](work: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
    if len(jobs) < 2:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, jobs))
