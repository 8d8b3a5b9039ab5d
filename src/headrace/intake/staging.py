"""The records of one file as plain columns _c0, _c1, … with their row numbers, before anything is read into them.

Text stays text here: no parser may guess that a column is a number, because it would guess a binary float. Staged records
lie in a memory-mapped Arrow file, or stay in the Parquet file that they came from, so memory stays bounded.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.intake.findings_log import FindingLog

# Names that no column of a source or profile can have by accident.
ROW = "__row__"
# How a column is stored: as text in the source's own notation, as text written from a native value (ISO dates, point decimals),
# or as one of the engine's own types.
TEXT = "VARCHAR"
PLAIN = "PLAIN"


@dataclass(frozen=True, slots=True)
class Staged:
    """Records of a file: `columns` are the header's names, in order; `types` how the file stores each, in DuckDB's words.

    `ragged_rows` could not be split into the header's columns; `ragged` holds them, see RaggedRows. `delimiter`: what parts the
    columns, or would in a text of them.
    """

    file: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    table: pa.Table | None
    parquet: Path | None = None
    ragged_rows: int = 0
    ragged: Path | None = None
    delimiter: str = ","

    def register(self, con: duckdb.DuckDBPyConnection, name: str) -> None:
        """Make the records readable in SQL under a name, with columns _c0, _c1, … and __row__."""
        if self.table is not None:
            con.register(name, self.table)
            return
        assert self.parquet is not None
        columns = ", ".join(
            f"{_stored(quote(column), kind)} AS _c{i}"
            for i, (column, kind) in enumerate(zip(self.columns, self.types, strict=True))
        )
        source = f"read_parquet({literal(str(self.parquet))}, file_row_number = true)"
        con.execute(
            f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {columns}, file_row_number + 2 AS {ROW} FROM {source}"
        )

    def rows(self) -> int:
        """Count the records that could be split into the header's columns."""
        if self.table is not None:
            return int(self.table.num_rows)
        assert self.parquet is not None
        return int(pq.read_metadata(self.parquet).num_rows)

    def position(self, column: str) -> int | None:
        """Give the place of a column by its header, exactly or else without regard to case."""
        if column in self.columns:
            return self.columns.index(column)
        folded = [name.casefold() for name in self.columns]
        return folded.index(column.casefold()) if column.casefold() in folded else None


class RaggedRows:
    """The rows of a file that do not have the header's number of columns: their numbers and cells, in a CSV file."""

    def __init__(self, path: Path) -> None:
        """Begin the file, or a new one in its place."""
        self.path = path
        self.count = 0
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: int, cells: Iterable[str]) -> None:
        """Keep one row."""
        self.count += 1
        self._writer.writerow([row, *cells])


def _stored(column: str, kind: str) -> str:
    return f"CAST({column} AS VARCHAR)" if kind in (TEXT, PLAIN) else column


def as_sql_text(column: str, kind: str) -> str:
    """Give SQL for a staged column as text."""
    return column if kind in (TEXT, PLAIN) else f"CAST({column} AS VARCHAR)"


def quote(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def staged_schema(width: int) -> pa.Schema:
    """Give the Arrow schema of staged text."""
    return pa.schema([*(pa.field(f"_c{i}", pa.string()) for i in range(width)), pa.field(ROW, pa.int64())])


def write_staged(path: Path, batches: Iterable[pa.RecordBatch], width: int) -> pa.Table:
    """Write batches of staged text to an Arrow file and give it back memory-mapped."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, staged_schema(width)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def check_header(names: Sequence[str | None], log: FindingLog, *, row: int) -> tuple[str, ...] | None:
    """Give the header's names, trimmed; null with a finding if two are the same. Columns without a name become `column_n`."""
    header = tuple((name or "").strip() or f"column_{i}" for i, name in enumerate(names, start=1))
    seen: dict[str, str] = {}
    for name in header:
        if name.casefold() in seen:
            log.add(
                "duplicate_column",
                f"The header names the column {name!r} twice (upper and lower case do not tell columns apart)."
                " Rename or drop one.",
                row=row,
                column=name,
            )
            return None
        seen[name.casefold()] = name
    return header
