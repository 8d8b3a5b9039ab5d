"""What is decided about each row: faults by row, and from them the findings and the counts.

The table `faults` holds one row per fault: _row, col, code, action (reject, hold, released, warn), stated (what the message is
about). A row with a reject is rejected, else with a hold held, else loaded.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from headrace.engine.findings import Severity
from headrace.intake.conversion import MESSAGES, Styles, describe
from headrace.intake.findings_log import FindingLog
from headrace.intake.mapping import Mapping as LineMapping
from headrace.intake.mapping import fails, typed
from headrace.intake.staging import ROW, literal

SEVERITIES: Mapping[str, Severity] = {"reject": "error", "hold": "warning", "released": "warning", "warn": "warning"}
# SQL for whether a fault keeps its row from loading.
STOPPING = "action IN ('reject', 'hold')"
# Held for what a reviewer cannot wave through: two rows under one identity would be one line.
NOT_RELEASED = ("duplicate_line_id",)
OUTCOMES: Mapping[str, str] = {
    "reject": " The row is rejected.",
    "hold": " The row is held for a decision.",
    "released": " The row was released.",
    "warn": "",
}
OUTCOMES_OF_ROWS = ("loaded", "rejected", "held", "unchanged")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows, how many units, and how much money by currency."""

    rows: int
    quantity: Decimal
    amounts: dict[str, Decimal]

    def plus_rows(self, rows: int) -> "Tally":
        """Add rows that hold neither units nor money that could be read."""
        return Tally(self.rows + rows, self.quantity, self.amounts)

    def as_dict(self) -> dict[str, object]:
        """Give a JSON object, decimals as text."""
        return {
            "rows": self.rows,
            "quantity": f"{self.quantity:f}",
            "amounts": {currency: f"{amount:f}" for currency, amount in self.amounts.items()},
        }


def begin(con: duckdb.DuckDBPyConnection) -> None:
    """Make the empty table of faults."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE faults ({ROW} BIGINT, col VARCHAR, code VARCHAR, action VARCHAR, stated VARCHAR)"
    )


def note(
    con: duckdb.DuckDBPyConnection, *, code: str, action: str, rows: str, column: str = "NULL", stated: str = "NULL"
) -> None:
    """Add the same fault for all rows of a query's FROM part; column and stated are SQL."""
    con.execute(f"INSERT INTO faults SELECT {ROW}, {column}, {literal(code)}, {literal(action)}, {stated} FROM {rows}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is tested of each row of a relation, and the fault of those that meet the condition; as `note`, all in SQL.

    unless_faulty: rows that have a fault already do not get this one.
    """

    condition: str
    code: str
    action: str
    column: str = "NULL"
    stated: str = "NULL"
    unless_faulty: bool = False


def note_checks(con: duckdb.DuckDBPyConnection, relation: str, checks: Sequence[Check]) -> None:
    """Add the faults of all checks, in their order. One look at the relation tells which are met at all: mostly none."""
    if not checks:
        return
    met = con.execute(f"SELECT {', '.join(f'bool_or({c.condition})' for c in checks)} FROM {relation}").fetchall()[0]
    for check, is_met in zip(checks, met, strict=True):
        if is_met:
            known = f" AND {ROW} NOT IN (SELECT {ROW} FROM faults)" if check.unless_faulty else ""
            rows = f"{relation} WHERE ({check.condition}){known}"
            note(con, code=check.code, action=check.action, rows=rows, column=check.column, stated=check.stated)


def note_bad_values(con: duckdb.DuckDBPyConnection, mapping: LineMapping) -> None:
    """Add a fault for each value that could not be read."""
    if not con.execute("SELECT 1 FROM lines_read WHERE _bad LIMIT 1").fetchall():
        return
    bad = f"(SELECT * FROM raw SEMI JOIN (SELECT {ROW} FROM lines_read WHERE _bad) USING ({ROW}))"
    con.execute(f"CREATE OR REPLACE TEMP TABLE bad_rows AS SELECT * FROM {typed(mapping, bad)}")
    for field in mapping.fields:
        con.execute(
            f"""
            INSERT INTO faults
            SELECT {ROW}, {literal(field.column or field.name)},
                   CASE WHEN {field.stated} IS NULL THEN 'missing_value' ELSE {field.reason} END, 'reject', {field.stated}
            FROM bad_rows WHERE {fails(field)}"""
        )
    con.execute("DROP TABLE bad_rows")


def release(con: duckdb.DuckDBPyConnection, mapping: LineMapping, log: FindingLog) -> None:
    """Let rows go that are held and that a reviewer released. A release that cannot be understood rejects its row."""
    if mapping.release is None:
        _tell_unreleased(con, mapping, log)
        return
    note(
        con,
        code="unclear_release",
        action="reject",
        rows=f"raw WHERE {mapping.release} <> 'yes'",
        column="'_release'",
        stated=f"{mapping.release} || ' stands under _release. Write yes to load the row, or leave it empty.'",
    )
    codes = ", ".join(map(literal, NOT_RELEASED))
    con.execute(
        f"UPDATE faults SET action = 'released' WHERE action = 'hold' AND code NOT IN ({codes})"
        f" AND {ROW} IN (SELECT {ROW} FROM raw WHERE {mapping.release} = 'yes')"
    )


def _tell_unreleased(con: duckdb.DuckDBPyConnection, mapping: LineMapping, log: FindingLog) -> None:
    if "_release" not in mapping.staged.columns:
        return
    marked = con.execute(f"SELECT count({mapping.column('_release')}) FROM raw").fetchall()[0][0]
    if marked:
        log.add(
            "release_not_asked",
            f"{marked:,} rows are marked under _release and were not released. Load the file with --release if they are meant.",
            severity="warning",
        )


def decide(con: duckdb.DuckDBPyConnection) -> None:
    """Make the table `verdicts`: one row per row with a reject or hold, and its outcome."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE verdicts AS
        SELECT {ROW}, CASE WHEN bool_or(action = 'reject') THEN 'rejected' ELSE 'held' END AS outcome
        FROM faults WHERE {STOPPING} GROUP BY {ROW}"""
    )


def log_faults(con: duckdb.DuckDBPyConnection, log: FindingLog, styles: Styles, reasons: Mapping[str, str]) -> None:
    """Turn faults into findings: the first of each kind in full, all of them counted."""
    kinds = con.execute("SELECT code, col, action, count(*) FROM faults GROUP BY ALL ORDER BY ALL").fetchall()
    for code, column, action, number in kinds:
        severity = SEVERITIES[action]
        room = log.room(code, column, severity)
        rows = con.execute(
            f"SELECT {ROW}, stated FROM faults WHERE code = ? AND col IS NOT DISTINCT FROM ? AND action = ? ORDER"
            f" BY {ROW} LIMIT {room}",
            [code, column, action],
        ).fetchall()
        for row, stated in rows:
            told = message_of(code, column, stated, styles, reasons) + OUTCOMES[action]
            log.add(code, told, severity=severity, row=row, column=column)
        log.count_more(code, column, severity, number - len(rows))


def message_of(code: str, column: str | None, stated: str | None, styles: Styles, reasons: Mapping[str, str]) -> str:
    """Say what a fault is."""
    if code in reasons:
        return reasons[code]
    if code in MESSAGES:
        return describe(code, column or "", stated, styles)
    return stated or code


def tallies(con: duckdb.DuckDBPyConnection, *, ragged_rows: int) -> dict[str, Tally]:
    """Count rows, units and money, received and by outcome: loaded, rejected, held, unchanged.

    ragged_rows: so many rows more were rejected before they could be split into columns.
    """
    groups = con.execute(
        f"""
        SELECT coalesce(outcome, 'loaded'), currency, count(*), coalesce(sum(quantity), 0), coalesce(sum(amount), 0)
        FROM lines_read LEFT JOIN verdicts USING ({ROW}) GROUP BY ALL ORDER BY currency NULLS LAST"""
    ).fetchall()
    counted = {outcome: _tally(row[1:] for row in groups if row[0] == outcome) for outcome in OUTCOMES_OF_ROWS}
    counted["received"] = _tally(row[1:] for row in groups)
    for outcome in ("received", "rejected"):
        counted[outcome] = counted[outcome].plus_rows(ragged_rows)
    return counted


@dataclass(frozen=True, slots=True)
class Reported:
    """Rows of one reporter (else the seller), stage and month (its first day; null where the day could not be read).

    received: all of them. loaded: those that loaded, or were there already.
    """

    reporter: str
    stage: str
    month: dt.date | None
    received: int
    loaded: int


def reported(con: duckdb.DuckDBPyConnection) -> tuple[Reported, ...]:
    """Count the rows of the file by reporter, stage and month, where a reporter could be read."""
    there = {row[0] for row in con.execute("DESCRIBE lines_read").fetchall()}
    who = [name for name in ("reporter_id", "partner_id") if name in there]
    if not who:
        return ()
    groups = con.execute(
        f"""
        SELECT coalesce({", ".join([*who, "NULL"])}) AS reporter, coalesce(stage, '') AS stage,
               CAST(date_trunc('month', occurred_on) AS DATE) AS month, count(*),
               count(*) FILTER (coalesce(outcome, 'loaded') IN ('loaded', 'unchanged'))
        FROM lines_read LEFT JOIN verdicts USING ({ROW}) GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    return tuple(Reported(*group) for group in groups if group[0] is not None)


def _tally(groups: Iterable[tuple[str | None, int, Decimal, Decimal]]) -> Tally:
    rows, units, money = 0, Decimal(0), dict[str, Decimal]()
    for currency, count, quantity, amount in groups:
        rows, units = rows + count, units + quantity
        name = currency or "(none)"
        money[name] = money.get(name, Decimal(0)) + amount
    return Tally(rows, units, money)
