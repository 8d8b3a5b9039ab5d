"""The lines that undo a batch, or that put a corrected line in the place of one: reversals and next versions, as tables.

Nothing is taken away: a reversal cancels a line on its own day, and a next version stands in its place (see intake.store).
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import duckdb
import pyarrow as pa

from headrace.engine.findings import Refusal
from headrace.engine.schema import LINES, Kind, Stage
from headrace.intake.mapping import SIGNED, SQL_TYPES
from headrace.intake.staging import literal, quote
from headrace.intake.standing import TURNED
from headrace.intake.store import REVERSAL, SUFFIX, LakeStore
from headrace.lake import Lake

FIXED = frozenset({"line_id", "received_on", "original_line_id", "batch_seq"})
"""Columns of a line that no correction changes: who it is, what it cites, when it came."""
_BASE = f"regexp_replace(line_id, '{SUFFIX}', '')"
_VERSION = "coalesce(TRY_CAST(nullif(regexp_extract(line_id, '~v([0-9]+)', 1), '') AS INTEGER), 1)"


@dataclass(frozen=True, slots=True)
class Undone:
    """The lines that undo something. reversed_lines: how many cancel a line; restored: how many stand again."""

    lines: pa.Table
    reversed_lines: int
    restored: int
    quantity: Decimal
    amounts: dict[str, Decimal]


def undo_batch(lake: Lake, batch_seq: int, *, received_on: dt.date) -> Undone:
    """Give the lines that undo what a batch brought and that still stands.

    A line of it is reversed. A line that the batch itself reversed is given again as the next version, unless another version
    of it stands since. Refused as `cannot_reverse` where a line of it is of a kind that has no opposite.
    """
    with duckdb.connect() as con:
        _read_history(con, lake, batch_seq)
        stuck = con.execute(
            f"SELECT count(*), min(line_id) FROM gone WHERE kind NOT IN ({', '.join(map(literal, TURNED))})"
        ).fetchall()[0]
        if stuck[0]:
            raise Refusal(
                "cannot_reverse",
                f"Batch {batch_seq} holds {stuck[0]:,} lines that no line can cancel, such as {stuck[1]}. Correct the others "
                "one by one, or send a file that replaces the period.",
            )
        columns = _columns(con)
        again = f"""
            SELECT {_base_of("h")} || '~v' || (used + 1) AS line_id, {_listed(columns, {})}
            FROM history h JOIN restored USING (line_id)"""
        lines = con.sql(
            f"{_reversals(columns, received_on)} UNION ALL BY NAME {again} ORDER BY line_id"
        ).to_arrow_table()
        groups = con.execute(
            "SELECT currency, count(*), sum(quantity), sum(amount) FROM gone GROUP BY 1 ORDER BY 1"
        ).fetchall()
    reversed_lines = sum(row[1] for row in groups)
    return Undone(
        lines=lines,
        reversed_lines=reversed_lines,
        restored=lines.num_rows - reversed_lines,
        quantity=sum((row[2] for row in groups), Decimal(0)),
        amounts={row[0]: row[3] for row in groups},
    )


def _read_history(con: duckdb.DuckDBPyConnection, lake: Lake, batch_seq: int) -> None:
    """Make `history` (all versions of a batch's lines), `gone` (its lines that stand) and `restored` (lines to give again)."""
    files = ", ".join(literal(str(path)) for path in lake.lines(batch=batch_seq).paths)
    bases = pa.table({"line_id": pa.array([], pa.string())})
    if files:
        there = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        bases = con.sql(
            f"SELECT DISTINCT {_BASE} AS line_id FROM {there} WHERE batch_seq = {batch_seq}"
        ).to_arrow_table()
    _register_history(con, lake, bases)
    con.execute(f"CREATE TEMP TABLE gone AS SELECT * FROM standing WHERE batch_seq = {batch_seq}")
    con.execute(
        f"""
        CREATE TEMP TABLE restored AS
        SELECT arg_max(line_id, version) AS line_id, any_value(used) AS used FROM (
            SELECT left(line_id, -{len(REVERSAL)}) AS line_id, {_BASE} AS base, {_VERSION} AS version FROM history
            WHERE batch_seq = {batch_seq} AND ends_with(line_id, '{REVERSAL}'))
        JOIN (SELECT {_BASE} AS base, max({_VERSION}) AS used FROM history GROUP BY 1) USING (base)
        WHERE base NOT IN (SELECT {_BASE} FROM standing WHERE line_id NOT IN (SELECT line_id FROM gone))
        GROUP BY base"""
    )


def _register_history(con: duckdb.DuckDBPyConnection, lake: Lake, bases: pa.Table) -> None:
    known = LakeStore(lake).versions_of(bases)
    if known.num_rows == 0:
        known = pa.schema(
            [*((name, column.type) for name, column in LINES.items()), ("batch_seq", pa.int64())]
        ).empty_table()
    con.register("known", known)
    con.execute("CREATE TEMP TABLE history AS SELECT * FROM known")
    con.execute(
        f"""
        CREATE TEMP TABLE standing AS SELECT * FROM history
        WHERE NOT ends_with(line_id, '{REVERSAL}')
          AND line_id || '{REVERSAL}' NOT IN (SELECT line_id FROM history WHERE ends_with(line_id, '{REVERSAL}'))"""
    )


def standing_line(lake: Lake, line_id: str) -> dict[str, object]:
    """Give the declared columns of a line that stands.

    Refused as `line_unknown` where there is none, as `line_reversed` where it was cancelled, with the version in its place.
    """
    base = re.sub(SUFFIX, "", line_id)
    with duckdb.connect() as con:
        _register_history(con, lake, pa.table({"line_id": [base]}))
        found = con.sql(f"SELECT * FROM standing WHERE line_id = {literal(line_id)}").to_arrow_table().to_pylist()
        there = con.execute("SELECT count(*) FROM history WHERE line_id = ?", [line_id]).fetchall()[0][0]
        stands = [row[0] for row in con.execute("SELECT line_id FROM standing").fetchall()]
    if not found:
        if not there:
            raise Refusal(
                "line_unknown", f"There is no line {line_id!r} in the lake. Look it up in an explanation or a file."
            )
        rest = f"{stands[0]} stands in its place; correct that one." if stands else "Nothing stands in its place."
        raise Refusal("line_reversed", f"The line {line_id!r} was cancelled, or cancels another. {rest}")
    return {name: found[0].get(name) for name in LINES}


def correct_line(lake: Lake, line_id: str, values: Mapping[str, object], *, received_on: dt.date) -> pa.Table:
    """Give the two lines of a correction: the reversal of the line, and its next version with the values (declared columns)."""
    stood = standing_line(lake, line_id)
    if stood["kind"] not in TURNED:
        raise Refusal("cannot_reverse", f"The line {line_id!r} is a {stood['kind']}, which no line can cancel.")
    base = re.sub(SUFFIX, "", line_id)
    with duckdb.connect() as con:
        _register_history(con, lake, pa.table({"line_id": [base]}))
        con.execute(f"CREATE TEMP TABLE gone AS SELECT * FROM standing WHERE line_id = {literal(line_id)}")
        columns = _columns(con)
        changed = {name: _literal(name, value) for name, value in values.items()}
        used = con.execute(f"SELECT max({_VERSION}) FROM history").fetchall()[0][0]
        version = f"SELECT {literal(f'{base}~v{used + 1}')} AS line_id, {_listed(columns, changed)} FROM gone h"
        return con.sql(f"{_reversals(columns, received_on)} UNION ALL BY NAME {version}").to_arrow_table()


def checked_values(values: Mapping[str, str]) -> dict[str, object]:
    """Read corrected values as text: declared columns with their types, an empty text for none. Refused with the first fault."""
    read: dict[str, object] = {}
    for name, written in values.items():
        if name not in LINES or name in FIXED:
            raise Refusal(
                "column_unknown", f"No correction changes {name!r}. Correct {', '.join(sorted(set(LINES) - FIXED))}."
            )
        column, text = LINES[name], written.strip()
        if not text and not column.nullable:
            raise Refusal("missing_value", f"{name} must have a value. Fill it in.")
        words = {"kind": tuple(TURNED), "stage": tuple(Stage)}.get(name)
        if words and text not in words:
            raise Refusal("bad_value", f"{text!r} is none of {', '.join(words)}.")
        kind = SQL_TYPES[column.type]
        if text:
            # By way of a decimal with more places, so that a seventh decimal is refused and not rounded away.
            exact = (
                f"TRY_CAST(? AS {kind})"
                if kind != "DECIMAL(18,6)"
                else (
                    "CASE WHEN TRY_CAST(? AS DECIMAL(38,18)) = TRY_CAST(? AS DECIMAL(18,6)) THEN TRY_CAST(? AS DECIMAL(18,6)) END"
                )
            )
            with duckdb.connect() as con:
                (value,) = con.execute(f"SELECT {exact}", [text] * exact.count("?")).fetchall()[0]
            if value is None:
                raise Refusal("bad_value", f"{name}: {text!r} is no {kind.lower()}. Write 2026-07-31, 1500.25 or true.")
            read[name] = value
        else:
            read[name] = None
    return read


def fits(line: Mapping[str, object]) -> None:
    """Refuse a line that no file could bring: a return with a positive quantity or amount, a currency that is none."""
    positive = any(isinstance(line[name], Decimal) and line[name] > 0 for name in ("quantity", "amount"))  # type: ignore[operator]
    if line["kind"] in (Kind.RETURN, Kind.PURCHASE_RETURN) and positive:
        raise Refusal(
            "return_not_negative", "A return carries negative quantity and amount. Correct the sign, or the kind."
        )
    from headrace.engine.currencies import MINOR_UNITS

    if line["currency"] not in MINOR_UNITS:
        raise Refusal("bad_currency", f"{line['currency']!r} is no currency: write a code of ISO 4217, such as USD.")


def _columns(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    described = con.execute("DESCRIBE history").fetchall()
    return {row[0]: row[1] for row in described if row[0] not in ("batch_seq", "line_id", "month")}


def _listed(columns: Mapping[str, str], special: Mapping[str, str]) -> str:
    return ", ".join(
        f"CAST({special.get(name, f'h.{quote(name)}')} AS {kind}) AS {quote(name)}" for name, kind in columns.items()
    )


def _reversals(columns: Mapping[str, str], received_on: dt.date) -> str:
    turned = " ".join(f"WHEN '{kind}' THEN '{opposite}'" for kind, opposite in TURNED.items())
    special = {
        "kind": f"CASE h.kind {turned} END",
        "original_line_id": "h.line_id",
        "received_on": f"DATE '{received_on.isoformat()}'",
        **{name: f"-h.{name}" for name in SIGNED},
    }
    return f"SELECT h.line_id || '{REVERSAL}' AS line_id, {_listed(columns, special)} FROM gone h"


def _base_of(alias: str) -> str:
    return _BASE.replace("line_id", f"{alias}.line_id")


def _literal(name: str, value: object) -> str:
    return "NULL" if value is None else f"CAST({literal(str(value))} AS {SQL_TYPES[LINES[name].type]})"
