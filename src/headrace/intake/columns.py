"""Decide which column of a file becomes which column of a table, of which type, in SQL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from headrace.engine.schema import LINE, TABLES, Kind, Stage
from headrace.intake.conversion import CURRENCY, SQL_DECIMAL, Conversion, DateStyle, NumberStyle, Styles, convert
from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import PLAIN, TEXT, Staged, as_sql_text, quote

SQL_TYPES: Mapping[pa.DataType, str] = {
    LINE: SQL_DECIMAL,
    pa.date32(): "DATE",
    pa.bool_(): "BOOLEAN",
    pa.string(): "VARCHAR",
}
ARROW_TYPES: Mapping[str, pa.DataType] = {
    "decimal": LINE,
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "text": pa.string(),
}

# Other names that a column may come under, and columns that stay text whatever their values look like.
ALIASES: Mapping[str, Mapping[str, str]] = {
    kind: {"partner_id": "earner"} for kind in ("targets", "forecasts", "posted")
}
TEXT_ONLY = frozenset({"targets", "forecasts", "posted"})
WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "lines": {"kind": tuple(Kind), "stage": tuple(Stage)},
    "calendar": {"kind": ("month", "quarter", "half", "year")},
}
DEFAULTS: Mapping[tuple[str, str], str] = {("lines", "stage"): Stage.SELL_THROUGH.value}
SHAPES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("lines", "currency"): (CURRENCY, "the currency codes of ISO 4217, such as USD"),
    ("rates", "from_currency"): ("[A-Z][A-Z0-9_-]{2,15}", "capital letters, such as USD"),
    ("rates", "to_currency"): ("[A-Z][A-Z0-9_-]{2,15}", "capital letters, such as USD"),
    ("rates", "rate"): (r"0*([0-9]{1,12}([.][0-9]{1,12}0*)?|[.][0-9]{1,12}0*)", "a positive decimal, such as 1.0389"),
}


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """One column of the result: where it comes from (null: nowhere), its type, and how it is read.

    `stated` is the SQL of the text in the file; `words` or `shape` restrict text.
    """

    name: str
    type: pa.DataType
    required: bool
    source: str | None
    stated: str
    conversion: Conversion
    words: tuple[str, ...] = ()
    shape: tuple[str, str] | None = None

    def value(self) -> str:
        """Give SQL for the value, null where it is missing or refused."""
        if self.words:
            listed = ", ".join(f"'{word}'" for word in self.words)
            return f"CASE WHEN {self.conversion.value} IN ({listed}) THEN {self.conversion.value} END"
        if self.shape:
            return f"CASE WHEN regexp_full_match({self.conversion.value}, '{self.shape[0]}') THEN {self.conversion.value} END"
        return self.conversion.value

    def can_fail(self) -> bool:
        """Tell whether a value of this column may be a fault."""
        return self.required or self.type != pa.string() or bool(self.words) or self.shape is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file becomes a table."""

    kind: str
    columns: tuple[PlannedColumn, ...]

    def select(self) -> str:
        """Give the SQL select list."""
        return ", ".join(f"CAST({c.value()} AS {SQL_TYPES[c.type]}) AS {quote(c.name)}" for c in self.columns)

    def column(self, name: str) -> PlannedColumn | None:
        """Give a column by name."""
        return next((column for column in self.columns if column.name == name), None)

    def schema(self) -> pa.Schema:
        """Give the Arrow schema."""
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])


def plan_columns(
    kind: str,
    staged: Staged,
    overrides: Mapping[str, str],
    con: duckdb.DuckDBPyConnection,
    styles: Styles,
    log: FindingLog,
) -> Plan | None:
    """Plan each column of a file in file mode; null with findings if a column is missing that must be there."""
    declared = TABLES[kind]
    positions = _positions(kind, staged)
    missing = [
        name
        for name, column in declared.items()
        if not column.nullable and name not in positions and (kind, name) not in DEFAULTS
    ]
    for name in missing:
        log.add(
            "missing_column",
            f"The {kind} file has no column {name} ({declared[name].meaning}). It has:"
            f" {', '.join(staged.columns)}. Add or rename one.",
            column=name,
            row=1,
        )
    if missing:
        return None
    for name in overrides:
        if name not in positions:
            log.add(
                "unknown_column",
                f"The schema names column {name}, which the file does not have.",
                severity="warning",
                column=name,
            )
    further = {name: at for name, at in positions.items() if name not in declared}
    inferred = _infer(kind, staged, {n: at for n, at in further.items() if n not in overrides}, con)
    columns = []
    for name, column in declared.items():
        if name in positions or not column.nullable:
            columns.append(
                _planned(kind, name, column.type, not column.nullable, _at(staged, positions.get(name)), styles)
            )
    for name in further:
        stated = ARROW_TYPES[overrides[name]] if name in overrides else inferred[name]
        columns.append(_planned(kind, name, stated, False, _at(staged, positions[name]), styles))
    return Plan(kind, tuple(columns))


def _positions(kind: str, staged: Staged) -> dict[str, int]:
    """Give the place of each column by its name in the table."""
    known = {name.casefold(): name for name in TABLES[kind]}
    aliases = ALIASES.get(kind, {})
    positions: dict[str, int] = {}
    for at, header in enumerate(staged.columns):
        name = known.get(header.casefold(), header)
        if name in aliases and aliases[name] not in staged.columns:
            name = aliases[name]
        positions[name] = at
    return positions


def _at(staged: Staged, at: int | None) -> tuple[str, str, str] | None:
    return None if at is None else (f"_c{at}", staged.types[at], staged.columns[at])


def _planned(
    kind: str, name: str, target: pa.DataType, required: bool, source: tuple[str, str, str] | None, styles: Styles
) -> PlannedColumn:
    words, shape = WORDS.get(kind, {}).get(name, ()), SHAPES.get((kind, name))
    default = DEFAULTS.get((kind, name))
    if source is None:
        assert default is not None
        return PlannedColumn(name, target, False, None, "NULL", Conversion(f"'{default}'", "'bad_text'"))
    column, stored, header = source
    conversion = convert(column, stored, target, styles)
    stated = as_sql_text(column, stored)
    if default is not None:
        conversion = Conversion(f"coalesce({conversion.value}, '{default}')", conversion.reason)
        required = False
    return PlannedColumn(name, target, required, header, stated, conversion, words, shape)


def _infer(
    kind: str, staged: Staged, further: Mapping[str, int], con: duckdb.DuckDBPyConnection
) -> dict[str, pa.DataType]:
    """Find the narrowest type that holds all values of each further column; text if it has none."""
    inferred: dict[str, pa.DataType] = {}
    tests: list[str] = []
    names: list[str] = []
    strict = Styles(NumberStyle(), DateStyle())
    for name, at in further.items():
        column, stored = f"_c{at}", staged.types[at]
        if kind in TEXT_ONLY or stored not in (TEXT, PLAIN):
            by_storage = {SQL_DECIMAL: LINE, "DATE": pa.date32(), "BOOLEAN": pa.bool_()}
            inferred[name] = pa.string() if kind in TEXT_ONLY else by_storage[stored]
            continue
        names.append(name)
        # A number with leading zeros (007, a postal code) is a name: as a decimal it would lose them.
        decimal = f"({convert(column, TEXT, LINE, strict).value} IS NOT NULL AND NOT regexp_matches({column}, '^ *[+-]?0[0-9]'))"
        date = f"(length({column}) IN (10, 19) AND {convert(column, TEXT, pa.date32(), strict).value} IS NOT NULL"
        midnight = f"(length({column}) = 10 OR right({column}, 8) = '00:00:00'))"
        boolean = f"{convert(column, TEXT, pa.bool_(), strict).value} IS NOT NULL"
        tests += [
            f"bool_and({test}) FILTER (WHERE {column} IS NOT NULL)"
            for test in (decimal, f"{date} AND {midnight}", boolean)
        ]
    if names:
        answers = con.execute(f"SELECT {', '.join(tests)} FROM raw").fetchall()[0]
        for i, name in enumerate(names):
            inferred[name] = _first_true(answers[3 * i : 3 * i + 3])
    return inferred


def _first_true(answers: Iterable[bool | None]) -> pa.DataType:
    kinds = (LINE, pa.date32(), pa.bool_())
    return next((kind for kind, answer in zip(kinds, answers, strict=True) if answer), pa.string())
