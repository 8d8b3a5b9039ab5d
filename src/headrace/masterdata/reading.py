"""From the cells of a file to lines: which column is which field, and what each cell says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from headrace.engine.rules import ColumnType
from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import ROW, Staged
from headrace.masterdata.aliases import codes_for
from headrace.masterdata.fields import DATES, fields_of
from headrace.masterdata.kinds import CODE_MAX, Field, Kind, Line
from headrace.masterdata.values import Unreadable, canonical


def read_value(field: Field, text: str | None) -> tuple[str | None, str | None]:
    """Read a cell: the value (None for a blank one) and what is wrong with it, if anything."""
    if text is None or not text.strip():
        return None, None
    try:
        value = canonical(field.type, text)
    except Unreadable as fault:
        return None, str(fault)
    if field.refers and len(value) > CODE_MAX:
        return None, f"A code has at most {CODE_MAX} characters, and this has {len(value)}. Correct it."
    if field.choices and value not in field.choices:
        return None, f"{value!r} is not one of {', '.join(field.choices)}."
    return value, field.check(value) if field.check else None


@dataclass(frozen=True, slots=True)
class Read:
    """The lines of a file that could be read. undated: the file has no column of days."""

    lines: tuple[Line, ...]
    undated: bool
    received: int


def read_lines(kind: Kind, staged: Staged, source: str, log: FindingLog) -> Read:
    """Read staged records as lines of a kind; what is wrong goes to the log, and the rows with it are left out."""
    received = staged.rows() + staged.ragged_rows
    fields = fields_of(kind.name)
    columns = _columns(kind, fields, staged, log)
    if columns is None:
        return Read((), True, received)
    days = {name: Field(name=name, type=ColumnType.DATE) for name in DATES}
    keys = {field.name: field for field in kind.key}
    lines: list[Line] = []
    rows = list(_records(staged, columns))
    named = (
        codes_for(kind.name, source, {record[kind.key[0].name] or "" for _, record in rows}) if len(keys) == 1 else {}
    )
    for row, record in rows:
        read: dict[str, str | None] = {}
        faults = 0
        for name, text in record.items():
            value, fault = read_value(keys.get(name) or days.get(name) or fields[name], text)
            if fault is None and name in keys and value is None:
                fault = "A row needs a value here. Fill it in."
            if fault is not None:
                log.add("bad_value" if text else "missing_value", f"{name}: {fault}", row=row, column=name)
                faults += 1
            read[name] = value
        if faults:
            continue
        code = kind.code([read.pop(name) or "" for name in keys])
        if (fault := kind.code_fault(code)) is not None:
            log.add("bad_value", fault, row=row, column=kind.key[0].name)
            continue
        start, end = (_day(read.pop(name, None)) for name in DATES)
        if start is not None and end is not None and end <= start:
            log.add("empty_interval", f"The row ends ({end}) before it begins ({start}).", row=row, column=DATES[1])
            continue
        lines.append(Line(row, named.get(code, code), read, start, end))
    return Read(tuple(lines), not set(DATES) & set(columns.values()), received)


def _columns(kind: Kind, fields: Mapping[str, Field], staged: Staged, log: FindingLog) -> dict[int, str] | None:
    """Give field names by the place of their column; nothing, with a finding, where the key is not there."""
    found: dict[int, str] = {}
    for position, header in enumerate(staged.columns):
        name = re.sub(r"[\s-]+", "_", header.strip()).casefold()
        if name in found.values():
            log.add(
                "duplicate_column", f"{header!r} is another column for {name}; it was left out.", severity="warning"
            )
        elif name in fields or name in DATES or name in {part.name for part in kind.key}:
            found[position] = name
        else:
            message = (
                f"{header!r} is no field of {kind.label.lower()}, so the column was left out. Declare it to keep it."
            )
            log.add("unknown_column", message, severity="warning", column=header)
    missing = [part.name for part in kind.key if part.name not in found.values()]
    for name in missing:
        log.add(
            "missing_column", f"The file has no column {name}, by which {kind.label.lower()} are known.", column=name
        )
    return None if missing else found


def _records(staged: Staged, columns: Mapping[int, str]) -> Iterator[tuple[int, dict[str, str | None]]]:
    table = staged.table
    assert table is not None, "only text files and workbooks are taken"
    numbers: Sequence[int] = table.column(ROW).to_pylist()
    cells = {name: table.column(f"_c{position}").to_pylist() for position, name in columns.items()}
    for at, number in enumerate(numbers):
        yield number, {name: values[at] for name, values in cells.items()}


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
