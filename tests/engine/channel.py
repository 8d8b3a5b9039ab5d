"""A small channel for tests: lines written as short rows, and one call that calculates over them."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine import Request, Result, calculate
from headrace.engine.schema import LINE, LINES, Lines, Tables
from headrace.engine.terms import Terms

DAY = date(2026, 1, 15)


def line(line_id: str, amount: str = "0", on: date = DAY, **columns: Any) -> dict[str, Any]:
    """Give one line: a sale of one unit by P1 unless said otherwise."""
    negative = amount.startswith("-")
    row: dict[str, Any] = {
        "line_id": line_id, "kind": "return" if negative else "sale", "stage": "sell_through", "occurred_on": on,
        "partner_id": "P1", "product_id": "K1", "quantity": "-1" if negative else "1", "amount": amount, "currency": "USD",
    }  # fmt: skip
    return row | columns


def write_lines(folder: Path, rows: Sequence[Mapping[str, Any]], files: int = 1) -> Lines:
    """Write rows as Parquet, dealt out over some files; text in decimal columns is read as decimals."""
    types = {name: column.type for name, column in LINES.items()}
    for row in rows:
        for name, value in row.items():
            if name not in types:
                types[name] = (
                    LINE if isinstance(value, Decimal) else pa.bool_() if isinstance(value, bool) else pa.string()
                )
    used = [name for name in types if any(name in row for row in rows) or (name in LINES and not LINES[name].nullable)]
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for part in range(files):
        columns = {
            name: pa.array([_typed(row.get(name), types[name]) for row in rows[part::files]], types[name])
            for name in used
        }
        paths.append(folder / f"lines-{part}.parquet")
        pq.write_table(pa.table(columns), paths[-1])
    return Lines(paths=tuple(paths), columns={name: types[name] for name in used})


def _typed(value: Any, kind: pa.DataType) -> Any:
    return Decimal(value) if pa.types.is_decimal(kind) and isinstance(value, str) else value


def run(
    folder: Path, terms: Sequence[Mapping[str, Any]] | Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *,
    files: int = 1, as_of: date | None = None, **references: pa.Table,
) -> tuple[Result, list[dict[str, Any]]]:  # fmt: skip
    """Calculate documents over rows; gives the result and the awards as rows, sorted by program and line."""
    documents = [terms] if isinstance(terms, Mapping) else list(terms)
    request = Request(
        programs=tuple(Terms.model_validate(document) for document in documents),
        tables=Tables(lines=write_lines(folder / "in", rows, files), references=references),
        as_of=as_of, threads=1,
    )  # fmt: skip
    path = folder / "awards.parquet"
    result = calculate(request, awards=path)
    awards = pq.read_table(path).to_pylist() if path.exists() else []
    return result, sorted(awards, key=lambda row: (row["program"], row["line_id"] or "", row["scope"]))


def earned(result: Result) -> list[Decimal]:
    """Give what the statements earned, in their order, without trailing zeros."""
    return [Decimal(str(value)).normalize() for value in result.statements.column("earned").to_pylist()]
