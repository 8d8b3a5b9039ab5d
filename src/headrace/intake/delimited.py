"""Read delimited text (CSV and its relatives) into staged records, in bounded memory and without guessing types."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from headrace.intake.container import RECORD_BYTES_MAX, Text, open_bytes, survey_text
from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import ROW, TEXT, RaggedRows, Staged, check_header, write_staged

DELIMITERS = (",", ";", "\t", "|")
REJECTS_BEGIN = "_row"


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvForm:
    """What a profile states about a delimited file; null is found out."""

    encoding: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    header_row: int | None = None


def stage_csv(path: Path, name: str, log: FindingLog, *, into: Path, form: CsvForm | None = None) -> Staged | None:
    """Read a delimited file; null with a finding if it holds no table."""
    form = form or CsvForm()
    text = survey_text(path, log, encoding=form.encoding)
    if text is None:
        return None
    head = _read_head(text, form, log)
    if head is None:
        return None
    columns = check_header(head.names, log, row=head.row)
    if columns is None:
        return None
    with RaggedRows(into.with_suffix(".ragged")) as ragged:
        reading = _Reading(text, head, form, log, ragged)
        table = write_staged(into, reading.batches(), len(columns))
    if reading.failed:
        return None
    if table.num_rows == 0 and not ragged.count:
        log.add("no_rows", "The file has a header and no records.", severity="warning")
    staged = Staged(
        name, columns, (TEXT,) * len(columns), table,
        ragged_rows=ragged.count, ragged=ragged.path, delimiter=head.delimiter,
    )  # fmt: skip
    return _without_empty_unnamed(staged, head.names)


@dataclass(frozen=True, slots=True)
class _Head:
    names: list[str]
    row: int
    delimiter: str


def _read_head(text: Text, form: CsvForm, log: FindingLog) -> _Head | None:
    if not text.sample.strip("\ufeff \t\r\n\0"):
        log.add("empty_file", "The file is empty. Send it again, with a header row and its records.")
        return None
    delimiter = form.delimiter or detect_delimiter(text.sample)
    try:
        for row, cells in enumerate(_rows(text.sample, delimiter, form.quote), start=1):
            is_first = any(cell.strip() for cell in cells)
            # A file of rejects begins with its header, wherever the header of the source's own files is.
            if row == form.header_row or (is_first and (form.header_row is None or cells[0] == REJECTS_BEGIN)):
                return _Head(cells, row, delimiter)
    except csv.Error as error:
        log.add(
            "unreadable_header",
            f"The header row cannot be read: {error}. The first row must hold the columns' names.",
            row=1,
        )
        return None
    log.add("unreadable_header", f"The file has no row {form.header_row} to take the header from.", row=form.header_row)
    return None


def _rows(sample: str, delimiter: str, quote: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quotechar=quote)


def detect_delimiter(sample: str) -> str:
    """Tell the delimiter: the one that splits the first rows into the most columns of the same number."""
    best, best_score = ",", (0.0, 0)
    complete = sample[: sample.rfind("\n") + 1] or sample
    for delimiter in DELIMITERS:
        try:
            widths = [len(cells) for _, cells in zip(range(50), _rows(complete, delimiter, '"'), strict=False) if cells]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        same = sum(width == widths[0] for width in widths) / len(widths)
        if (same, widths[0]) > best_score:
            best, best_score = delimiter, (same, widths[0])
    return best


@dataclass(slots=True)
class _Reading:
    """One pass of the parser: gives batches with row numbers, and notes rows that do not fit the header."""

    text: Text
    head: _Head
    form: CsvForm
    log: FindingLog
    ragged: RaggedRows
    failed: bool = False
    _skipped: list[int] = field(default_factory=list)
    _next_row: int = 1
    _last: pa.RecordBatch | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        width = len(self.head.names)
        try:
            with self._open() as reader:
                for batch in reader:
                    yield from self._keep(self._number(batch))
        except (pa.ArrowInvalid, OSError, UnicodeError) as error:
            self._fail(error)
        if not self.failed and self._last is not None and not self.text.quotes_pair_up:
            self._check_end(self._last, width)

    def _open(self) -> pa_csv.CSVStreamingReader:
        names = [f"_c{i}" for i in range(len(self.head.names))]
        return pa_csv.open_csv(
            open_bytes(self.text.path, gzipped=self.text.gzipped),
            read_options=pa_csv.ReadOptions(
                column_names=names, block_size=RECORD_BYTES_MAX, use_threads=False, encoding=self.text.encoding
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self.head.delimiter,
                quote_char=self.form.quote,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=self._note_ragged,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )

    def _note_ragged(self, row: pa_csv.InvalidRow) -> str:
        self._skipped.append(row.number)
        if row.number <= self.head.row or not row.text.strip(f"{self.head.delimiter} \t\r\n"):
            return "skip"
        self.ragged.add(row.number, self._cells(row.text.rstrip("\r\n")))
        hint = " It runs over several lines: a quote is probably not closed." if "\n" in row.text.strip() else ""
        self.log.add(
            "ragged_row",
            f"Row {row.number} has {row.actual_columns} columns where the header has"
            f" {row.expected_columns}.{hint} Correct it, or put values"
            " that hold the delimiter in quotes.",
            row=row.number,
        )
        return "skip"

    def _cells(self, text: str) -> list[str]:
        """Split a row that has not the header's number of columns; give it whole where that cannot be done."""
        try:
            cells = next(_rows(text, self.head.delimiter, self.form.quote), [])
        except csv.Error:
            return [text]
        while len(cells) > len(self.head.names) and not cells[-1]:
            cells.pop()
        return cells

    def _number(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Add the row numbers: consecutive, but for the rows that were skipped on the way."""
        count = batch.num_rows
        skipped = [row for row in self._skipped if row >= self._next_row] if count else []
        rows = pa.arange(self._next_row, self._next_row + count + len(skipped))
        if skipped:
            rows = rows.filter(pc.invert(pc.is_in(rows, pa.array(skipped, pa.int64())))).slice(0, count)
        if count:
            self._next_row = rows[-1].as_py() + 1
            self._skipped = [row for row in self._skipped if row >= self._next_row]
        return batch.append_column(pa.field(ROW, pa.int64()), rows)

    def _keep(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Drop what precedes the data (blank rows, the header itself) and rows without any value."""
        if batch.num_rows and all(column.null_count for column in batch.columns[:-1]):
            empty = batch.column(0).is_null()
            for column in batch.columns[1:-1]:
                empty = pc.and_(empty, column.is_null())
            batch = batch.filter(pc.invert(empty))
        if batch.num_rows and batch.column(ROW)[0].as_py() <= self.head.row:
            batch = batch.filter(pc.greater(batch.column(ROW), self.head.row))
        if batch.num_rows:
            self._last = batch.slice(batch.num_rows - 1)
            yield batch

    def _fail(self, error: Exception) -> None:
        self.failed = True
        if "straddling" in str(error):
            self.log.add(
                "record_too_long",
                f"A record at or after row {self._next_row} is longer than {RECORD_BYTES_MAX:,} bytes: probably a"
                " quote that is not closed."
                " Nothing was read; correct the file.",
                row=self._next_row,
            )
            return
        self.log.add(
            "unreadable_file",
            f"Reading stopped after row {self._next_row - 1}: {error}. Nothing was read; correct the file or"
            " state its form in a profile.",
            row=self._next_row,
        )

    def _check_end(self, last: pa.RecordBatch, width: int) -> None:
        values = [last.column(i)[0].as_py() for i in range(width)]
        if any(value is not None and "\n" in value for value in values):
            self.failed = True
            row = last.column(ROW)[0].as_py()
            self.log.add(
                "unclosed_quote",
                f"Row {row} opens a quote that is never closed and would swallow the rest of the file. Nothing"
                " was read; close the quote.",
                row=row,
            )


def _without_empty_unnamed(staged: Staged, names: list[str]) -> Staged:
    """Leave out columns that have neither a name nor a value, as a delimiter at the end of each row makes them."""
    assert staged.table is not None
    empty = {
        i
        for i, name in enumerate(names)
        if not name.strip() and staged.table.column(i).null_count == staged.table.num_rows
    }
    if not empty:
        return staged
    kept = [i for i in range(len(names)) if i not in empty]
    table = staged.table.select([*kept, len(names)]).rename_columns([*(f"_c{i}" for i in range(len(kept))), ROW])
    columns = tuple(staged.columns[i] for i in kept)
    return replace(staged, columns=columns, types=(TEXT,) * len(kept), table=table)
