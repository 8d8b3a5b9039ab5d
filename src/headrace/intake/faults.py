"""Find the values that cannot be read: rows with one go to the table `bad`, and each value becomes a finding."""

import duckdb

from headrace.intake.columns import Plan, PlannedColumn
from headrace.intake.conversion import Styles, describe
from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import ROW


def find_faults(con: duckdb.DuckDBPyConnection, plan: Plan, log: FindingLog, styles: Styles) -> None:
    """Make the temporary table `bad` with the numbers of all rows that have a fault, and log each fault."""
    tests = [_fails(column) for column in plan.columns if column.can_fail()]
    condition = " OR ".join(tests) or "false"
    con.execute(f"CREATE OR REPLACE TEMP TABLE bad AS SELECT {ROW} FROM raw WHERE {condition}")
    if not con.execute("SELECT 1 FROM bad LIMIT 1").fetchall():
        return
    con.execute(f"CREATE OR REPLACE TEMP TABLE bad_raw AS SELECT raw.* FROM raw SEMI JOIN bad USING ({ROW})")
    for column in plan.columns:
        if column.can_fail():
            _log_faults(con, column, log, styles)
    con.execute("DROP TABLE bad_raw")


def _fails(column: PlannedColumn) -> str:
    missing = f"{column.value()} IS NULL"
    return (
        missing if column.required else f"({column.stated} IS NOT NULL AND trim({column.stated}) <> '' AND {missing})"
    )


def _log_faults(con: duckdb.DuckDBPyConnection, column: PlannedColumn, log: FindingLog, styles: Styles) -> None:
    empty = f"({column.stated} IS NULL OR trim({column.stated}) = '')"
    reason = "'unknown_word'" if column.words or column.shape else column.conversion.reason
    code = f"CASE WHEN {empty} THEN 'missing_value' ELSE {reason} END"
    found = f"SELECT {ROW}, {column.stated} AS stated, {code} AS code FROM bad_raw WHERE {_fails(column)}"
    counted = con.execute(f"SELECT code, count(*) FROM ({found}) GROUP BY code ORDER BY code").fetchall()
    for fault, number in counted:
        room = log.room(fault, column.source or column.name)
        rows = con.execute(
            f"SELECT {ROW}, stated FROM ({found}) WHERE code = ? ORDER BY {ROW} LIMIT {room}", [fault]
        ).fetchall()
        words = ", ".join(column.words) or (column.shape[1] if column.shape else "")
        for row, stated in rows:
            message = describe(fault, column.name, stated, styles, words)
            log.add(fault, f"{column.name}: {message}", row=row, column=column.source or column.name)
        log.count_more(fault, column.source or column.name, "error", number - len(rows))
