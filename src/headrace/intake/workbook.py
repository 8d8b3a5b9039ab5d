"""Read an XLSX sheet, or describe a Parquet file, as staged records.

A workbook stores numbers as binary floats. Each is written out as the shortest decimal that stands for the same float (Python's
repr), and where that needs more than the 15 digits that a spreadsheet shows, as those 15 digits: 19.99 comes out as 19.99, and a
computed 0.30000000000000004 as 0.3, as on the screen.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, WorksheetNotFound

from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import PLAIN, TEXT, RaggedRows, Staged, check_header, staged_schema, write_staged

BATCH_ROWS = 20_000
DIGITS_OF_A_SPREADSHEET = 15

type Cell = str | int | float | bool | dt.date | dt.time | dt.datetime | dt.timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetForm:
    """Which sheet to read, where its header is, and the decimal mark that texts of this source use (numbers follow it)."""

    sheet: str | None = None
    header_row: int | None = None
    decimal: str = "."


def stage_xlsx(path: Path, name: str, log: FindingLog, *, into: Path, form: SheetForm | None = None) -> Staged | None:
    """Read one sheet (the first that is a table, unless named); null with a finding if it holds no table."""
    form = form or SheetForm()
    try:
        rows = _open_sheet(path, form.sheet, log)
    except PasswordError:
        log.add("unsupported_file", "The workbook has a password. Save it without one.")
        return None
    except (CalamineError, OSError, ValueError) as error:
        log.add(
            "unreadable_file",
            f"The workbook cannot be read: {error}. Open it in a spreadsheet and save it again as XLSX.",
        )
        return None
    if rows is None:
        return None
    numbered = ((number, cells) for number, cells in rows if any(cell != "" for cell in cells))
    wanted = next((found for found in numbered if form.header_row is None or found[0] == form.header_row), None)
    if wanted is None:
        log.add("empty_file", "The sheet is empty. Send it again, with a header row and its records.")
        return None
    row, cells = wanted
    width = max(i for i, cell in enumerate(cells, start=1) if cell != "")
    columns = check_header([cell_text(cell) for cell in cells[:width]], log, row=row)
    if columns is None:
        return None
    with RaggedRows(into.with_suffix(".ragged")) as ragged:
        table = write_staged(into, _batches(numbered, width, form.decimal, log, ragged), width)
    if table.num_rows == 0 and not ragged.count:
        log.add("no_rows", "The sheet has a header and no records.", severity="warning")
    return Staged(name, columns, (TEXT,) * width, table, ragged_rows=ragged.count, ragged=ragged.path)


def _open_sheet(path: Path, sheet: str | None, log: FindingLog) -> Iterator[tuple[int, Sequence[Cell]]] | None:
    workbook = CalamineWorkbook.from_path(str(path))
    sheets = [meta.name for meta in workbook.sheets_metadata if meta.typ == SheetTypeEnum.WorkSheet]
    if sheet is not None and sheet not in sheets:
        log.add("unknown_sheet", f"The workbook has no sheet {sheet!r}; it has {', '.join(sheets)}.")
        return None
    if not sheets:
        log.add("empty_file", "The workbook has no sheet. Send it again, with a header row and its records.")
        return None
    try:
        opened = workbook.get_sheet_by_name(sheet or sheets[0])
    except WorksheetNotFound as error:
        log.add("unreadable_file", f"The sheet cannot be read: {error}.")
        return None
    if opened.start is None:
        return iter(())
    return enumerate(opened.iter_rows(), start=1)


def _batches(
    rows: Iterator[tuple[int, Sequence[Cell]]], width: int, decimal: str, log: FindingLog, ragged: RaggedRows
) -> Iterator[pa.RecordBatch]:
    records: list[list[str | None]] = []
    numbers: list[int] = []
    for number, cells in rows:
        if any(cell != "" for cell in cells[width:]):
            log.add(
                "ragged_row",
                f"Row {number} has values to the right of the last named column. Name the column or clear the cells.",
                row=number,
            )
            ragged.add(number, [cell_text(cell, decimal) or "" for cell in cells])
            continue
        records.append([cell_text(cell, decimal) for cell in cells[:width]] + [None] * (width - len(cells)))
        numbers.append(number)
        if len(records) == BATCH_ROWS:
            yield _batch(records, numbers, width)
            records, numbers = [], []
    if records:
        yield _batch(records, numbers, width)


def _batch(records: list[list[str | None]], numbers: list[int], width: int) -> pa.RecordBatch:
    columns = [pa.array(column, pa.string()) for column in zip(*records, strict=True)]
    return pa.RecordBatch.from_arrays([*columns, pa.array(numbers, pa.int64())], schema=staged_schema(width))


def cell_text(cell: Cell, decimal: str = ".") -> str | None:
    """Write a cell as text: numbers as exact decimals with the given mark, dates as ISO, an empty cell as null.

    >>> cell_text(19.99), cell_text(3.0), cell_text(0.1 + 0.2), cell_text(1e-6), cell_text(True)
    ('19.99', '3', '0.3', '0.000001', 'true')
    """
    match cell:
        case bool():
            return "true" if cell else "false"
        case float():
            return _float_text(cell).replace(".", decimal)
        case dt.datetime():
            return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
        case dt.date() | dt.time():
            return cell.isoformat()
        case _:
            return str(cell) or None


def _float_text(number: float) -> str:
    exact = Decimal(repr(number))
    if not exact.is_finite():
        return str(number)
    if len(exact.as_tuple().digits) > DIGITS_OF_A_SPREADSHEET:
        exact = Decimal(f"{number:.{DIGITS_OF_A_SPREADSHEET}g}")
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def stage_parquet(path: Path, name: str, log: FindingLog) -> Staged | None:
    """Describe a Parquet file; null with a finding if it cannot be read. Nested columns are left out with a warning."""
    try:
        schema = pa_parquet.read_schema(str(path))
        rows = pa_parquet.read_metadata(str(path)).num_rows
    except (pa.ArrowInvalid, OSError) as error:
        log.add(
            "unreadable_file",
            f"The Parquet file cannot be read: {error}. It was probably cut off on its way; send it again.",
        )
        return None
    if check_header(schema.names, log, row=1) is None:
        return None
    kept = [(column.name, _parquet_type(column.type)) for column in schema]
    for column, kind in kept:
        if kind is None:
            log.add(
                "unsupported_column",
                f"Column {column} is nested or binary and was left out.",
                severity="warning",
                column=column,
            )
    if any(pa.types.is_floating(column.type) for column in schema):
        names = ", ".join(column.name for column in schema if pa.types.is_floating(column.type))
        log.add(
            "binary_float",
            f"Stored as binary floating point: {names}. Each value is read as the shortest decimal that stands"
            " for it; write decimals.",
            severity="info",
        )
    if rows == 0:
        log.add("no_rows", "The file has columns and no records.", severity="warning")
    usable = [(column, kind) for column, kind in kept if kind is not None]
    return Staged(name, tuple(column for column, _ in usable), tuple(kind for _, kind in usable), None, path)


def _parquet_type(kind: pa.DataType) -> str | None:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_decimal(kind) and (kind.precision, kind.scale) == (18, 6):
        return "DECIMAL(18,6)"
    if pa.types.is_date32(kind):
        return "DATE"
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return None
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return TEXT if is_text else PLAIN
