"""The rows that did not load, one by one: their cells as they came, what they hold, and every fault that keeps them out.

A repair desk works on these; the file of rejects holds the same rows for people who repair in a spreadsheet.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from headrace.intake.mapping import REJECT_COLUMNS
from headrace.intake.mapping import Mapping as LineMapping
from headrace.intake.plausibility import KNOWN
from headrace.intake.rejects import source_columns
from headrace.intake.staging import ROW
from headrace.intake.standing import named_rows
from headrace.intake.verdicts import STOPPING, message_of

_UNKNOWN = {f"unknown_{word}": field for word, (field, _, _) in KNOWN.items()}


@dataclass(frozen=True, slots=True)
class RowFault:
    """What keeps a row out. action: reject or hold. name: the unknown name that it is about, if it is about one."""

    code: str
    column: str | None
    action: str
    message: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """A row that is rejected or held. row: as a spreadsheet counts. cells: of `FileReport.waiting_columns`, null where empty.

    quantity, amount, currency: as far as they could be read. A row of another number of columns has cells of its own number.
    """

    row: int
    outcome: str
    line_id: str | None
    cells: tuple[str | None, ...]
    quantity: Decimal | None
    amount: Decimal | None
    currency: str | None
    faults: tuple[RowFault, ...]


def columns(mapping: LineMapping) -> tuple[str, ...]:
    """Give the source's own columns, in order."""
    return tuple(name for name in mapping.staged.columns if name not in REJECT_COLUMNS)


def waiting_rows(
    con: duckdb.DuckDBPyConnection, mapping: LineMapping, reasons: Mapping[str, str]
) -> tuple[WaitingRow, ...]:
    """Give the rows that are rejected or held, by row number; those that could not be split into columns come last."""
    own = source_columns(mapping)
    fields = {row[0] for row in con.execute("DESCRIBE lines_read").fetchall()}
    named = [field if field in fields else f"NULL AS {field}" for field in dict.fromkeys(_UNKNOWN.values())]
    found = con.execute(
        f"""
        SELECT {ROW}, outcome, _id, quantity, amount, currency, {", ".join(named)}{"".join(f", {each}" for each in own)}
        FROM raw JOIN verdicts USING ({ROW})
        JOIN (SELECT {ROW}, _id, quantity, amount, currency, {", ".join(named)} FROM {named_rows()}) USING ({ROW})
        WHERE outcome IN ('rejected', 'held') ORDER BY {ROW}"""
    ).fetchall()
    names = list(dict.fromkeys(_UNKNOWN.values()))
    faults = _faults(con, mapping, reasons)
    rows = []
    for row, outcome, line_id, quantity, amount, currency, *rest in found:
        known_as = dict(zip(names, rest[: len(names)], strict=True))
        rows.append(
            WaitingRow(
                row=row,
                outcome=outcome,
                line_id=line_id,
                cells=tuple(rest[len(names) :]),
                quantity=quantity,
                amount=amount,
                currency=currency,
                faults=tuple(
                    RowFault(code, column, action, told, known_as[_UNKNOWN[code]] if code in _UNKNOWN else None)
                    for code, column, action, told in faults.get(row, ())
                ),
            )
        )
    return (*rows, *_ragged(mapping))


def _faults(
    con: duckdb.DuckDBPyConnection, mapping: LineMapping, reasons: Mapping[str, str]
) -> dict[int, list[tuple[str, str | None, str, str]]]:
    stopping: dict[int, list[tuple[str, str | None, str, str]]] = {}
    for row, code, column, action, stated in con.execute(
        f"SELECT {ROW}, code, col, action, stated FROM faults WHERE {STOPPING} ORDER BY ALL"
    ).fetchall():
        told = message_of(code, column, stated, mapping.styles, reasons)
        stopping.setdefault(row, []).append((code, column, action, told))
    return stopping


def _ragged(mapping: LineMapping) -> list[WaitingRow]:
    staged = mapping.staged
    if staged.ragged is None:
        return []
    ahead = sum(name in REJECT_COLUMNS for name in staged.columns)
    width = len(staged.columns) - ahead
    rows = []
    with staged.ragged.open(encoding="utf-8", newline="") as file:
        for row, *cells in csv.reader(file):
            own = tuple(cell or None for cell in cells[ahead:])
            told = f"The row has {len(own)} cells, and the header has {width} columns. Give it a value for each column."
            rows.append(
                WaitingRow(
                    row=int(row),
                    outcome="rejected",
                    line_id=None,
                    cells=own,
                    quantity=None,
                    amount=None,
                    currency=None,
                    faults=(RowFault("ragged_row", None, "reject", told),),
                )
            )
    return rows
