"""Statements as files: Parquet for machines, a workbook for people, and the citation that lets both be computed again.

A run is a folder: `statements.parquet`, `awards.parquet`, `statements.xlsx` and `run.json`. `run.json` holds the citation
(see `headrace.runs.citation`); the Parquet file of statements carries the same citation in its metadata, so that it can be
verified when it travels alone. Each file is whole or not there.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine.findings import Finding, Refusal
from headrace.engine.numeric import plain
from headrace.lake.durable import publish

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

CITATION_KEY = b"headrace.citation"
_EXCEL_ROWS_MAX = 1_048_575
_WIDTH_MAX = 42


def write_run(
    folder: Path,
    *,
    statements: pa.Table,
    reasons: Mapping[str, Mapping[str, int]],
    findings: Sequence[Finding],
    citation: Mapping[str, object],
) -> list[Path]:
    """Write a run's files but the awards, which the engine writes itself; give their paths.

    Raises Refusal `out_unwritable` where the folder cannot be written.
    """
    text = json.dumps(citation, sort_keys=True, ensure_ascii=False)
    parquet, workbook, record = (folder / name for name in ("statements.parquet", "statements.xlsx", "run.json"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        cited = statements.replace_schema_metadata({CITATION_KEY: text.encode()})
        publish(parquet, lambda path: pq.write_table(cited, path))
        publish(workbook, lambda path: _write_workbook(path, statements, reasons, findings))
        publish(record, lambda path: path.write_text(json.dumps(citation, indent=1, ensure_ascii=False) + "\n"))
    except OSError as error:
        raise Refusal(
            "out_unwritable",
            f"The folder {folder} cannot be written ({error.strerror}). Choose another with --out.",
        ) from error
    return [parquet, workbook, record]


def read_citation(path: Path) -> dict[str, object]:
    """Read the citation of a written run from its folder, its `run.json` or its `statements.parquet`.

    Raises Refusal `not_a_statement` where there is none.
    """
    source = path / "run.json" if path.is_dir() else path
    try:
        if source.suffix == ".parquet":
            metadata = pq.read_schema(source).metadata or {}
            citation = json.loads(metadata[CITATION_KEY])
        else:
            citation = json.loads(source.read_text())
    except (OSError, KeyError, ValueError, pa.ArrowInvalid) as error:
        raise Refusal(
            "not_a_statement",
            f"{path} is not a statement that Headrace wrote. Give the folder, run.json or statements.parquet of a run.",
        ) from error
    if not isinstance(citation, dict) or "engine" not in citation:
        raise Refusal("not_a_statement", f"{path} carries no citation. Give the folder of a run made with --out.")
    return citation


def _write_workbook(
    path: Path,
    statements: pa.Table,
    reasons: Mapping[str, Mapping[str, int]],
    findings: Sequence[Finding],
) -> None:
    # A spreadsheet holds binary floats: amounts beyond 15 digits go in as text, so that no cent is lost in the cell.
    with begin_workbook(path) as book:
        write_sheet(book, "Statements", statements.column_names, [list(row.values()) for row in statements.to_pylist()])
        counted = [[program, reason, count] for program, counts in reasons.items() for reason, count in counts.items()]
        write_sheet(book, "Not earned", ["program", "reason", "lines"], counted)
        rows = [list(finding.as_dict().values()) for finding in findings]
        write_sheet(book, "Findings", ["file", "row", "column", "code", "severity", "message"], rows)


def begin_workbook(path: Path) -> "Workbook":
    """Begin a workbook, which is written at the end of its `with`."""
    # Imported only where a workbook is written: it takes as long as a small calculation.
    from xlsxwriter import Workbook

    return Workbook(path)


def write_sheet(book: "Workbook", name: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Add a sheet with a header; numbers of more than 15 digits and all text stay text, so that no cell is a formula."""
    sheet = book.add_worksheet(name)
    heading = book.add_format({"bold": True, "bottom": 1})
    formats = {
        "amount": book.add_format({"num_format": "#,##0.00####"}),
        "date": book.add_format({"num_format": "yyyy-mm-dd"}),
    }
    sheet.write_row(0, 0, header, heading)
    sheet.freeze_panes(1, 0)
    for at, row in enumerate(rows[:_EXCEL_ROWS_MAX], start=1):
        for column, value in enumerate(row):
            _cell(sheet, at, column, value, formats)
    if rows:
        sheet.autofilter(0, 0, len(rows), len(header) - 1)
    for column, title in enumerate(header):
        longest = max([len(title), *(len(str(row[column])) for row in rows[:200])])
        sheet.set_column(column, column, min(longest + 2, _WIDTH_MAX))


def _cell(sheet: "Worksheet", at: int, column: int, value: object, formats: Mapping[str, object]) -> None:
    match value:
        case None:
            return
        case Decimal():
            text = plain(value)
            if len(text.strip("-").replace(".", "")) <= 15:
                sheet.write_number(at, column, float(text), formats["amount"])
            else:
                sheet.write_string(at, column, text)
        case date():
            sheet.write_datetime(at, column, value, formats["date"])
        case int():
            sheet.write_number(at, column, value)
        case _:
            sheet.write_string(at, column, str(value))
