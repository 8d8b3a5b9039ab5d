"""Rate tables from CSV and XLSX files beside a document: rows for `schedule.table`, every cell as exact text."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from headrace.engine.findings import Finding
from headrace.engine.terms.document import Data, Document
from headrace.engine.terms.faults import hint
from headrace.engine.terms.messages import Path as Keys
from headrace.engine.terms.messages import finding
from headrace.engine.terms.pricing import TableRow

ROWS_MAX = 200_000
BYTES_MAX = 64 * 1024 * 1024
_KEYS = tuple(TableRow.model_fields)


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row of a file: its cells by key, and where it stands."""

    data: dict[str, Data]
    source: str
    line: int


def read_rate_table(name: str, document: Document, keys: Keys) -> tuple[list[FileRow], list[Finding]]:
    """Read the rows of the file of that name beside the document; columns are the keys of a table row."""
    path, refused = _beside(name, document, keys)
    if path is None:
        return [], refused
    try:
        if not path.is_file():
            return [], [document.finding(keys, "file_missing", file=name)]
        if (size := path.stat().st_size) > BYTES_MAX:
            return [], [document.finding(keys, "file_too_large", file=name, size=size, most=BYTES_MAX)]
        grid = _csv_rows(path) if path.suffix.lower() == ".csv" else _xlsx_rows(path)
    except (OSError, csv.Error, CalamineError, UnicodeDecodeError, ValueError) as fault:
        return [], [document.finding(keys, "table_file_broken", file=name, problem=str(fault) or type(fault).__name__)]
    source = str(Path(document.source).parent / name) if document.source is not None else str(path)
    rows, found = _rows(grid, source)
    if not rows and not found:
        found.append(document.finding(keys, "table_file_empty", file=name))
    elif len(rows) > ROWS_MAX:
        return [], [document.finding(keys, "table_file_rows", file=name, most=ROWS_MAX)]
    return rows, found


def _beside(name: str, document: Document, keys: Keys) -> tuple[Path | None, list[Finding]]:
    """Find the file beside the document; a name that leads out of its folder is refused."""
    if document.folder is None:
        return None, [document.finding(keys, "table_file_needs_document", file=name)]
    try:
        folder = document.folder.resolve()
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder) and not Path(name).is_absolute() and "\\" not in name
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        return None, [document.finding(keys, "table_file_outside", file=name)]
    if path.suffix.lower() not in {".csv", ".xlsx"}:
        return None, [document.finding(keys, "table_file_kind", file=name)]
    return path, []


def _csv_rows(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8-sig")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    return [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)]


def _xlsx_rows(path: Path) -> list[list[str]]:
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: object) -> str:
    """Write a spreadsheet's cell as the shortest decimal that the spreadsheet shows.

    A spreadsheet holds numbers as binary floats; their shortest text is the number that was typed, up to 15 digits.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        number = Decimal(repr(value))
        return f"{number.normalize():f}" if number.is_finite() else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value).strip()


def _rows(grid: Sequence[Sequence[str]], source: str) -> tuple[list[FileRow], list[Finding]]:
    if not grid:
        return [], []
    header = [cell.lower().replace(" ", "_") for cell in grid[0]]
    found = []
    for position, key in enumerate(header):
        if key not in _KEYS:
            told = {"key": grid[0][position], "hint": hint(key, _KEYS), "allowed": ", ".join(_KEYS)}
            found.append(finding("table_file_column", told, source=source, line=1, path=(key,) if key else ()))
        elif key in header[:position]:
            found.append(finding("key_twice", {"key": key, "first": 1}, source=source, line=1, path=(key,)))
    if found:
        return [], found
    rows: list[FileRow] = []
    for line, cells in enumerate(grid[1:], start=2):
        if not any(cells):
            continue
        if len(cells) != len(header):
            told_width = {"found": len(cells), "expected": len(header)}
            found.append(finding("table_file_width", told_width, source=source, line=line))
            continue
        data: dict[str, Data] = {key: cell for key, cell in zip(header, cells, strict=True) if cell != ""}
        rows.append(FileRow(data, source, line))
    return rows, found
