"""What intake needs to know of the lines that were loaded before, as a port; and its reading half over Parquet files.

A line that was corrected stays in the lake: a reversal `<line_id>~r` cancels it, and `<base>~v2`, `~v3`… are its next versions.
The base is the identity that the source gives; a line stands while no reversal names it.
"""

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from headrace.engine.findings import Finding
from headrace.engine.schema import Lines
from headrace.intake.remembered import Remembered
from headrace.intake.staging import literal, quote
from headrace.lake.personal import PersonalColumns
from headrace.lake.register import Batch
from headrace.lake.store import Lake

REVERSAL = "~r"
SUFFIX = "(~v[0-9]+)?(~r)?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """What is handed over with the lines of one file. raw: the file as it came. source: its name as people know it.

    taken: digest of the profile and of the lines taken; the same file and lines again are the same batch, as after a crash.
    personal: groups of columns that describe a person, by the name of the key column that takes their place.
    """

    raw: Path
    source: str
    taken: str
    personal: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became of a batch: its number, how many lines were added, and the line ids (column line_id) that were there.

    earlier: the whole batch was there already.
    """

    batch_seq: int
    accepted: int
    duplicates: pa.Table
    earlier: bool = False
    findings: tuple[Finding, ...] = ()


class FactStore(Protocol):
    """The lines that are there, and the way to add a batch. Tables are keyed by the columns that they share."""

    def known_line_ids(self, line_ids: pa.Table) -> pa.Table:
        """Give those of the line ids (column line_id) that are there, in any version or reversed."""

    def versions_of(self, line_ids: pa.Table) -> pa.Table:
        """Give every line, reversals included, whose base is one of the line ids (column line_id)."""

    def lines_of(self, reporter_id: str, from_on: dt.date, until_on: dt.date) -> pa.Table:
        """Give every line, reversals included, of a reporter with occurred_on in a half-open period."""

    def lines_with(self, columns: Sequence[str], keys: pa.Table) -> pa.Table:
        """Give line_id and the columns of every line that equals a row of keys in all the columns."""

    def append(self, lines: pa.Table | Path, batch: NewBatch) -> Appended:
        """Add the lines of a table or Parquet file as one batch, durably; lines whose line_id is there are not added."""


class FactsInFiles:
    """Reads the lines that are there from the Parquet files of `lines()`, with DuckDB; null means that there are none."""

    def __init__(self, lines: Callable[[Sequence[str] | None], Lines | None]) -> None:
        """Read from what `lines(months)` gives; months (YYYY-MM) may leave out files that hold no other, null asks for all."""
        self._lines = lines
        self._remembered: dict[tuple[str, ...], Remembered] = {}
        self._lock = threading.Lock()

    def known_line_ids(self, line_ids: pa.Table) -> pa.Table:
        """Give those of the line ids that are there."""
        return self._select("line_id", "SEMI JOIN wanted USING (line_id)", line_ids)

    def versions_of(self, line_ids: pa.Table) -> pa.Table:
        """Give every line whose base is one of the line ids."""
        base = f"regexp_replace(there.line_id, '{SUFFIX}', '')"
        return self._select("there.*", f"SEMI JOIN wanted ON {base} = wanted.line_id", line_ids)

    def lines_of(self, reporter_id: str, from_on: dt.date, until_on: dt.date) -> pa.Table:
        """Give every line of a reporter in a period."""
        period = f"occurred_on >= DATE '{from_on.isoformat()}' AND occurred_on < DATE '{until_on.isoformat()}'"
        first, last = from_on.year * 12 + from_on.month - 1, until_on.year * 12 + until_on.month - 1
        months = [f"{month // 12:04}-{month % 12 + 1:02}" for month in range(first, last + 1)]
        return self._select("*", f"WHERE reporter_id = {literal(reporter_id)} AND {period}", None, months)

    def lines_with(self, columns: Sequence[str], keys: pa.Table) -> pa.Table:
        """Give line_id and the columns of every line that equals a row of keys."""
        lines = self._lines(None)
        there = lines is not None and lines.paths and all(column in lines.columns for column in columns)
        if lines is None or not there or keys.num_rows == 0:
            return pa.schema([("line_id", pa.string()), *(keys.schema.field(name) for name in columns)]).empty_table()
        with self._lock:
            key = tuple(columns)
            if key not in self._remembered:
                self._remembered[key] = Remembered(self._database.cursor(), columns)
            found = self._remembered[key].equal_to(keys, lines)
        if found is not None:
            return found
        named = ", ".join(map(quote, columns))
        return self._select(f"line_id, {named}", f"SEMI JOIN wanted USING ({named})", keys)

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect()

    def _select(
        self, columns: str, rest: str, wanted: pa.Table | None, months: Sequence[str] | None = None
    ) -> pa.Table:
        lines = self._lines(months)
        if lines is None or not lines.paths:
            return pa.table({"line_id": pa.array([], pa.string())})
        files = ", ".join(literal(str(path)) for path in lines.paths)
        bound = f" WHERE batch_seq <= {lines.batch_seq_max}" if lines.batch_seq_max is not None else ""
        with self._database.cursor() as con:
            if wanted is not None:
                con.register("wanted", wanted)
            there = f"(FROM read_parquet([{files}], union_by_name = true, hive_partitioning = false){bound}) AS there"
            return con.sql(f"SELECT {columns} FROM {there} {rest}").to_arrow_table()


class LakeStore(FactsInFiles):
    """The lake as a store of facts."""

    def __init__(self, lake: Lake) -> None:
        """Read from and add to a lake."""
        super().__init__(lambda months: lake.lines(months=months))
        self._lake = lake

    def registered(self, batch: NewBatch) -> Batch:
        """Keep the raw file and register it as a batch."""
        return self._lake.register_batch(batch.raw, source=batch.source, profile=batch.taken)

    def append(self, lines: pa.Table | Path, batch: NewBatch) -> Appended:
        """Register the batch, and add the lines."""
        registered = self.registered(batch)
        personal = [PersonalColumns(key=key, columns=columns) for key, columns in batch.personal.items()]
        result = self._lake.append(registered, lines, personal_columns=personal)
        return Appended(
            batch_seq=result.batch.batch_seq,
            accepted=result.accepted,
            duplicates=result.duplicates.select(["line_id"]),
            earlier=result.earlier,
            findings=result.findings,
        )
