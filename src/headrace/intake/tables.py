"""File mode: read the tables of one calculation straight from files, without profile or lake.

Declared columns have the types of engine.schema; any further column gets the type that ALL of its values allow (decimal, ISO
date, true/false, else text), unless a schema states it. Rows with a fault are findings and are left out; the others are read.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from headrace.engine.findings import Finding, Refusal
from headrace.engine.schema import TABLES, Lines, Tables
from headrace.intake import ecb
from headrace.intake.columns import plan_columns
from headrace.intake.container import Container, detect_container
from headrace.intake.conversion import Styles
from headrace.intake.delimited import CsvForm, stage_csv
from headrace.intake.faults import find_faults
from headrace.intake.findings_log import FindingLog
from headrace.intake.schema_text import parse_schema
from headrace.intake.staging import ROW, Staged, literal
from headrace.intake.table_checks import check_rows
from headrace.intake.workbook import SheetForm, stage_parquet, stage_xlsx

MEMORY_MAX = "2GB"


@dataclass(frozen=True, slots=True)
class TableRead:
    """What one file gave: a reference table, or lines in Parquet; null where nothing could be read. Counts are of records."""

    kind: str
    table: pa.Table | None
    lines: Lines | None
    findings: tuple[Finding, ...]
    received: int
    loaded: int


def read_tables(
    files: Mapping[str, Path], *, into: Path, schemas: Mapping[str, str | Mapping[str, str]] | None = None
) -> tuple[Tables | None, list[Finding]]:
    """Read the files of one calculation, by the names in engine.schema.TABLES; `lines` must be among them.

    The lines go to a Parquet file in the folder `into`. Null if the lines cannot be read at all. Raises Refusal for a name
    that is no table, a file that is not there, or a schema that cannot be understood.
    """
    findings: list[Finding] = []
    references: dict[str, pa.Table] = {}
    lines: Lines | None = None
    for kind, path in files.items():
        read = read_table(kind, path, into=into, schema_overrides=(schemas or {}).get(kind))
        findings.extend(read.findings)
        lines = read.lines or lines
        if read.table is not None:
            references[kind] = read.table
    return (Tables(lines, references) if lines is not None else None), findings


def read_table(
    kind: str, path: Path, *, into: Path, schema_overrides: str | Mapping[str, str] | None = None
) -> TableRead:
    """Read one table of a calculation from a CSV (also gzipped), XLSX or Parquet file.

    `kind` is a name in engine.schema.TABLES. Lines are written to `into`/lines.parquet. `schema_overrides` states the type of
    further columns: a mapping, or text (`name:type,…`, or a JSON or YAML file's content) of text, decimal, date, boolean.
    Raises Refusal if the kind or the schema is wrong, or no file is there; everything about the data is a finding.
    """
    if kind not in TABLES:
        raise Refusal("unknown_table", f"No table is named {kind!r}. Give one of: {', '.join(sorted(TABLES))}.")
    if not path.is_file():
        raise Refusal("file_not_found", f"There is no file {path}. Check the path of the {kind} file.")
    overrides = parse_schema(schema_overrides)
    log = FindingLog(str(path))
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix="staging-") as scratch, connect(Path(scratch)) as con:
        staged = stage_file(path, log, into=Path(scratch) / "records.arrow")
        if staged is None:
            return TableRead(kind, None, None, tuple(log.findings()), 0, 0)
        if kind == "rates" and ecb.is_ecb_layout(staged.columns):
            staged = ecb.unpivot(staged, con)
        try:
            read = _read_staged(kind, staged, overrides, con, log, into)
        except duckdb.InvalidInputException as error:
            log.add(
                "unreadable_file",
                f"The file cannot be read: {_first_line(error)}. It was probably damaged; write it again.",
            )
            read = None
        con.execute("DROP VIEW IF EXISTS raw")
    return read or TableRead(kind, None, None, tuple(log.findings()), 0, 0)


def stage_file(
    path: Path, log: FindingLog, *, into: Path, form: CsvForm | None = None, sheet: SheetForm | None = None
) -> Staged | None:
    """Read any supported file into staged records; null with a finding if it cannot be read."""
    match detect_container(path, log):
        case Container.CSV:
            return stage_csv(path, str(path), log, into=into, form=form)
        case Container.XLSX:
            return stage_xlsx(path, str(path), log, into=into, form=sheet)
        case Container.PARQUET:
            return stage_parquet(path, str(path), log)
        case _:
            return None


@contextmanager
def connect(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB that spills into a scratch folder, and close it."""
    con = duckdb.connect(
        config={"memory_limit": MEMORY_MAX, "temp_directory": str(scratch), "preserve_insertion_order": True}
    )
    try:
        yield con
    finally:
        con.close()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _read_staged(
    kind: str, staged: Staged, overrides: Mapping[str, str], con: duckdb.DuckDBPyConnection, log: FindingLog, into: Path
) -> TableRead | None:
    staged.register(con, "raw")
    styles = Styles()
    plan = plan_columns(kind, staged, overrides, con, styles, log)
    if plan is None:
        return None
    received = _count(con, "raw")
    find_faults(con, plan, log, styles)
    check_rows(con, plan, log)
    dropped = _count(con, "bad")
    good = f"SELECT {plan.select()} FROM raw" + (f" WHERE {ROW} NOT IN (SELECT {ROW} FROM bad)" if dropped else "")
    findings = tuple(log.findings())
    if kind != "lines":
        table: pa.Table = con.sql(good).to_arrow_table()
        return TableRead(kind, table.cast(plan.schema()), None, findings, received, received - dropped)
    target = into / "lines.parquet"
    con.execute(f"COPY ({good}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)")
    columns = {column.name: column.type for column in plan.columns}
    return TableRead(kind, None, Lines((target,), columns), findings, received, received - dropped)


def _count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(con.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
