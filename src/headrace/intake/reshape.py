"""Reference files of others as canonical tables: a table map renames columns, picks rows and puts versions end to end.

Partners, products, quotas and calendars come from other systems under other names. A map is one reviewable document for one
table; `reshape` writes what it says as CSV that `calculate` reads. Activity lines have profiles instead, see `profile`.
"""

import csv
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from headrace.engine.findings import Finding, Refusal, has_errors
from headrace.engine.schema import TABLES
from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import ROW
from headrace.intake.tables import connect, stage_file

type Record = dict[str, str]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Versions(_Part):
    """Rows of one `id` hold one after the other: each until the next one starts.

    starts, ends: canonical columns; what the source says about the end is not used. first: since_ever empties the start
    of an id's first row. last: what happens to the row that nothing follows; open leaves its end empty.
    """

    id: tuple[str, ...]
    starts: str = "valid_from"
    ends: str = "valid_until"
    first: Literal["since_ever", "as_dated"] = "since_ever"
    last: Literal["open", "drop"] = "open"


class TableMap(_Part):
    """How a file becomes one canonical table.

    columns: canonical name ← column of the source. constants: canonical name ← the same text in every row. values: for a
    canonical column, texts that are replaced; others stay. where: for a canonical column, the texts that are kept. Cells are
    trimmed, and rows that come out equal are written once.
    """

    table: str
    name: str = ""
    columns: dict[str, str] = Field(min_length=1)
    constants: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    where: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    versions: Versions | None = None

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if self.table not in TABLES or self.table == "lines":
            others = ", ".join(sorted(set(TABLES) - {"lines"}))
            raise ValueError(f"table is one of {others}; activity lines are loaded by a profile")
        if twice := set(self.columns) & set(self.constants):
            raise ValueError(f"{', '.join(sorted(twice))} is both a column and a constant")
        known = set(self.columns) | set(self.constants)
        used = {*self.values, *self.where}
        if self.versions:
            used |= {*self.versions.id, self.versions.starts}
        if unknown := used - known:
            raise ValueError(f"{', '.join(sorted(unknown))} is neither in columns nor in constants")
        return self

    def header(self) -> tuple[str, ...]:
        """Give the columns of the canonical file, in order."""
        names = dict.fromkeys((*self.constants, *self.columns))
        if self.versions:
            names |= dict.fromkeys((self.versions.starts, self.versions.ends))
        return tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshaped:
    """What came out: the rows read and written, and findings; nothing is written where one is of severity error."""

    received: int
    written: int
    findings: tuple[Finding, ...]


def load_table_map(path: Path) -> TableMap:
    """Read a table map from YAML or JSON. Raises Refusal `bad_table_map` with one finding for each fault."""
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (OSError, UnicodeError, YAMLError, ValueError, RecursionError) as error:
        raise Refusal("bad_table_map", f"The table map {path} cannot be read: {error}") from error
    try:
        return TableMap.model_validate(_as_text(document))
    except ValidationError as error:
        findings = tuple(
            Finding(
                code="bad_table_map",
                message=fault["msg"].removeprefix("Value error, "),
                file=str(path),
                column=".".join(map(str, fault["loc"])) or None,
            )
            for fault in error.errors()
        )
        listed = "; ".join(f"{finding.column or 'document'}: {finding.message}" for finding in findings[:10])
        raise Refusal("bad_table_map", f"The table map {path} is faulty: {listed}", findings=findings) from error


def reshape(source: Path, table_map: TableMap, out: Path) -> Reshaped:
    """Write a file of another system as the canonical table that the map says, CSV in UTF-8.

    Columns that the map names and the file lacks are findings, and so are two versions of an id that start on the same day;
    then nothing is written. Raises Refusal if there is no such file.
    """
    if not source.is_file():
        raise Refusal("file_not_found", f"There is no file {source}. Check the path.")
    log = FindingLog(str(source))
    with tempfile.TemporaryDirectory(prefix="headrace-reshape-") as scratch:
        staged = stage_file(source, log, into=Path(scratch) / "records.arrow")
        missing = [name for name in table_map.columns.values() if staged is None or staged.position(name) is None]
        if staged is not None and missing:
            log.add(
                "column_missing",
                f"The file has no column {', '.join(missing)}; it has {', '.join(staged.columns)}. Correct the map.",
            )
        if staged is None or missing:
            return Reshaped(received=0, written=0, findings=tuple(log.findings()))
        with connect(Path(scratch)) as con:
            staged.register(con, "raw")
            positions = [at for name in table_map.columns.values() if (at := staged.position(name)) is not None]
            raw = con.execute(f"SELECT * FROM raw ORDER BY {ROW}").fetchall()
            cells = [[_cell(record[at]) for at in positions] for record in raw]
            con.execute("DROP VIEW IF EXISTS raw")
    rows = _put_end_to_end(list(_records(cells, table_map)), table_map.versions, log)
    findings = tuple(log.findings())
    if rows is None:
        return Reshaped(received=len(cells), written=0, findings=findings)
    with out.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, table_map.header(), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return Reshaped(received=len(cells), written=len(rows), findings=findings)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _as_text(node: object) -> object:
    """Take numbers, dates and truth values of YAML for the text that a file's cell holds."""
    if isinstance(node, dict):
        return {str(key): _as_text(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_as_text(value) for value in node]
    if isinstance(node, bool):
        return "true" if node else "false"
    return node if node is None or isinstance(node, str) else str(node)


def _records(cells: Sequence[Sequence[str]], table_map: TableMap) -> Iterator[Record]:
    seen: set[tuple[str, ...]] = set()
    for row in cells:
        record: Record = {**table_map.constants, **dict(zip(table_map.columns, row, strict=True))}
        for name, texts in table_map.values.items():
            record[name] = texts.get(record[name], record[name])
        key = tuple(record.values())
        if key in seen or any(record[name] not in texts for name, texts in table_map.where.items()):
            continue
        seen.add(key)
        yield record


def _put_end_to_end(rows: list[Record], versions: Versions | None, log: FindingLog) -> list[Record] | None:
    """Give each row the start of the next one of its id as its end; null if that cannot be decided."""
    if versions is None:
        return rows
    by_id: dict[tuple[str, ...], list[Record]] = {}
    for row in rows:
        by_id.setdefault(tuple(row[name] for name in versions.id), []).append(row)
    placed: list[Record] = []
    for identity, group in by_id.items():
        group.sort(key=lambda row: row[versions.starts])
        starts = [row[versions.starts] for row in group]
        if len(set(starts)) < len(starts):
            log.add(
                "versions_start_together",
                f"Two rows of {'/'.join(identity)} start on the same day, so which one holds is unknown. Correct the file.",
            )
            continue
        placed += _versions_of(group, versions)
    return None if has_errors(log.findings()) else placed


def _versions_of(group: Sequence[Mapping[str, str]], versions: Versions) -> Iterator[Record]:
    for at, row in enumerate(group):
        followed = at + 1 < len(group)
        if not followed and versions.last == "drop":
            continue
        start = "" if at == 0 and versions.first == "since_ever" else row[versions.starts]
        yield {**row, versions.starts: start, versions.ends: group[at + 1][versions.starts] if followed else ""}
