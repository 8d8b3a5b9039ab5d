"""Hand-worked cases: read from YAML files and from fenced blocks in the pages of docs/calculation.

A case gives programs, lines and reference tables, the expected statement and award rows, and the arithmetic in words. Tables
are written as text: a header of column names, then one row a line, separated by blanks; `-` is null. Only the columns that
a case names are compared, but the rows must be all the rows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode

from headrace.engine.schema import LINE, LINES, TABLES, Column, Lines, Tables
from headrace.engine.terms.model import Terms

type Row = dict[str, object]

LINE_DEFAULTS: Row = {
    "kind": "sale",
    "stage": "sell_through",
    "partner_id": "P1",
    "product_id": "A",
    "quantity": Decimal(1),
    "amount": Decimal(0),
    "currency": "USD",
}
CASE_KEYS = {
    "case", "source", "why", "programs", "lines", "as_of", "statements", "awards", "reasons", "findings", "fixed", *TABLES,
}  # fmt: skip
BLOCK = re.compile(r"^```yaml case\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Case:
    """One worked example."""

    name: str
    programs: tuple[Terms, ...]
    lines: list[Row]
    references: dict[str, list[Row]]
    as_of: date | None
    statements: list[Row] | None
    awards: list[Row] | None
    reasons: dict[str, dict[str, int]] | None
    findings: set[str] | None
    fixed: list[Row]  # finalised statements


def cases_of(path: Path) -> Iterator[Case]:
    """Read every case of a YAML file, or of the fenced blocks of a page."""
    text = path.read_text(encoding="utf-8")
    texts = BLOCK.findall(text) if path.suffix == ".md" else [text]
    for part in texts:
        loaded = _yaml().load(part)
        for case in loaded if isinstance(loaded, list) else [loaded]:
            yield _case(case)


def _yaml() -> YAML:
    """Make a reader that keeps every number exact."""
    yaml = YAML(typ="safe", pure=True)

    def exact(_: object, node: ScalarNode) -> Decimal:
        return Decimal(node.value.replace("_", ""))

    yaml.constructor.add_constructor("tag:yaml.org,2002:float", exact)
    return yaml


def _case(raw: Mapping[str, Any]) -> Case:
    unknown = set(raw) - CASE_KEYS
    assert not unknown, f"{raw.get('case')}: unknown keys {unknown}"
    assert raw["why"], f"{raw['case']} does not say why"
    programs = tuple(Terms.model_validate({"currency": "USD"} | program) for program in raw["programs"])
    lines = [LINE_DEFAULTS | row for row in _table(raw.get("lines"), LINES)]
    references = {name: _table(raw[name], TABLES[name]) for name in TABLES if name != "lines" and name in raw}
    statements = _table(raw["statements"], {}) if "statements" in raw else None
    awards = _table(raw["awards"], {}) if "awards" in raw else None
    reasons = {program: dict(counts) for program, counts in raw["reasons"].items()} if "reasons" in raw else None
    findings = set(raw["findings"]) if "findings" in raw else None
    return Case(
        raw["case"],
        programs,
        lines,
        references,
        raw.get("as_of"),
        statements,
        awards,
        reasons,
        findings,
        _table(raw.get("fixed"), {}),
    )


def _table(value: str | Sequence[Mapping[str, object]] | None, columns: Mapping[str, Column]) -> list[Row]:
    """Read rows written as text or as YAML mappings."""
    if value is None:
        return []
    if not isinstance(value, str):
        return [{key: _cell(cell, columns.get(key)) for key, cell in row.items()} for row in value]
    header, *rows = (line.split() for line in value.strip().splitlines())
    assert all(len(row) == len(header) for row in rows), f"ragged table:\n{value}"
    return [{key: _cell(cell, columns.get(key)) for key, cell in zip(header, row, strict=True)} for row in rows]


def _cell(value: object, column: Column | None) -> object:
    """Read a cell by its declared type; a further column shows its type by its look."""
    if value is None or value == "-":
        return None
    if column is not None and pa.types.is_string(column.type):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return _looked_at(value) if isinstance(value, str) else value


def _looked_at(value: str) -> object:
    if value in {"true", "false"}:
        return value == "true"
    if re.fullmatch(r"-?\d+(\.\d+)?", value):
        return Decimal(value)
    return date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d\d-\d\d", value) else value


def tables_of(lines: Sequence[Row], references: Mapping[str, Sequence[Row]], folder: Path, files: int = 1) -> Tables:
    """Write the lines to Parquet files and give the tables that the engine reads."""
    made = _arrow([LINE_DEFAULTS | row for row in lines], LINES)
    paths = []
    for at in range(files):
        path = folder / f"lines{at}.parquet"
        pq.write_table(made.take(pa.array(range(at, len(lines), files), pa.int64())), path)
        paths.append(path)
    columns = {field.name: field.type for field in made.schema}
    return Tables(Lines(tuple(paths), columns), {name: _arrow(rows, TABLES[name]) for name, rows in references.items()})


def _arrow(rows: Sequence[Row], columns: Mapping[str, Column]) -> pa.Table:
    """Make an Arrow table of declared and further columns."""
    names = [name for name in columns if not columns[name].nullable or any(name in row for row in rows)]
    further = sorted({name for row in rows for name in row} - set(columns))
    arrays, fields = [], []
    for name in [*names, *further]:
        values = [row.get(name) for row in rows]
        kind = columns[name].type if name in columns else _further_type(values)
        arrays.append(pa.array(values, kind))
        fields.append(pa.field(name, kind))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _further_type(values: Sequence[object]) -> pa.DataType:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return pa.bool_()
    if known and all(isinstance(value, Decimal) for value in known):
        return LINE
    return pa.date32() if known and all(isinstance(value, date) for value in known) else pa.string()
