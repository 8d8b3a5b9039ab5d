"""The file of rejects: rows that did not load, as they came, to be repaired or released and sent again with the same profile.

In front of the source's own columns stand `_row` (its number in the file that it came in), `_outcome` (rejected or held),
`_reasons`, `_line_id` (the identity that it had) and `_release`, where a reviewer writes yes for a held row that is meant.
"""

import csv
import shutil
from pathlib import Path
from typing import TextIO

import duckdb

from headrace.intake.conversion import SQL_DECIMAL
from headrace.intake.mapping import REJECT_COLUMNS, Mapping
from headrace.intake.staging import PLAIN, ROW, Staged, as_sql_text, literal, quote
from headrace.intake.standing import named_rows
from headrace.intake.verdicts import STOPPING


def write_rejects(con: duckdb.DuckDBPyConnection, mapping: Mapping, target: Path, *, scratch: Path) -> None:
    """Write the rows that are rejected or held, in the delimiter and encoding in which the profile reads files.

    First come those that were split into columns, by row number, then those that were not. Files of another kind (XLSX,
    Parquet) are written as delimited text too, their numbers with the decimal mark of the profile.
    """
    staged, form = mapping.staged, mapping.profile.file
    delimiter = form.delimiter or staged.delimiter
    written = scratch / "rejects.csv"
    con.execute(
        f"COPY ({_select(mapping)}) TO {literal(str(written))} (FORMAT csv, HEADER, DELIMITER {literal(delimiter)})"
    )
    # What a profile's encoding lacks was not in a file of it; a workbook may hold it.
    with target.open("w", encoding=form.encoding or "utf-8", errors="backslashreplace", newline="") as file:
        with written.open(encoding="utf-8", newline="") as rows:
            shutil.copyfileobj(rows, file)
        if staged.ragged is not None:
            _write_ragged(staged, staged.ragged, file, delimiter)


def source_columns(mapping: Mapping) -> list[str]:
    """Give SQL for the source's own columns as text in its own notation, in order, each under its name."""
    staged = mapping.staged
    return [
        f"{_text(f'_c{i}', kind, mapping.profile.numbers.decimal)} AS {quote(name)}"
        for i, (name, kind) in enumerate(zip(staged.columns, staged.types, strict=True))
        if name not in REJECT_COLUMNS
    ]


def _select(mapping: Mapping) -> str:
    columns = "".join(f", {column}" for column in source_columns(mapping))
    reasons = "string_agg(DISTINCT coalesce(col || ': ', '') || code, '; ' ORDER BY coalesce(col || ': ', '') || code)"
    return f"""
        SELECT {ROW} AS _row, outcome AS _outcome, _reasons, _id AS _line_id, NULL AS _release{columns} FROM raw
        JOIN verdicts USING ({ROW})
        JOIN (SELECT {ROW}, {reasons} AS _reasons FROM faults WHERE {STOPPING} GROUP BY {ROW}) USING ({ROW})
        JOIN (SELECT {ROW}, _id FROM {named_rows()}) USING ({ROW})
        WHERE outcome IN ('rejected', 'held') ORDER BY {ROW}"""


def _text(column: str, kind: str, decimal: str) -> str:
    text = as_sql_text(column, kind)
    if decimal == "." or kind not in (PLAIN, SQL_DECIMAL):
        return text
    # Text in the source's own notation stays as it is; a native number is to be read again in that notation.
    is_number = f"regexp_full_match({text}, '[+-]?[0-9]+[.][0-9]+')"
    return f"CASE WHEN {is_number} THEN replace({text}, '.', {literal(decimal)}) ELSE {text} END"


def _write_ragged(staged: Staged, ragged: Path, file: TextIO, delimiter: str) -> None:
    """Write the rows of another number of columns: the file's own cells, without those that a file of rejects had in front."""
    ahead = sum(name in REJECT_COLUMNS for name in staged.columns)
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    with ragged.open(encoding="utf-8", newline="") as rows:
        for row, *cells in csv.reader(rows):
            writer.writerow([row, "rejected", "ragged_row", "", "", *cells[ahead:]])
