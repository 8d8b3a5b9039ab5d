"""Faults that show only between the values of a row, or between rows: duplicates, overlaps, empty intervals, wrong signs.

Each check is SQL that gives (row, code, column, message) of the rows to leave out; they join the table `bad`.
"""

from collections.abc import Mapping, Sequence

import duckdb

from headrace.engine.findings import Severity
from headrace.intake.columns import Plan
from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import ROW, quote

_IDENTITY: Mapping[str, Sequence[str]] = {
    "partners": ("partner_id",),
    "products": ("product_id",),
    "calendar": ("kind",),
}
# Leaving these rows out changes nothing: the same line was read already.
_HARMLESS = frozenset({"repeated_line"})
_UNIQUE: Mapping[str, Sequence[str]] = {
    "rates": ("date", "from_currency", "to_currency"),
    "targets": ("program", "from", "until"),
    "forecasts": ("program", "from", "until"),
}
_INTERVAL: Mapping[str, tuple[str, str]] = {
    "partners": ("valid_from", "valid_until"),
    "products": ("valid_from", "valid_until"),
    "deals": ("valid_from", "valid_until"),
    "targets": ("from", "until"),
    "forecasts": ("from", "until"),
    "posted": ("from", "until"),
    "calendar": ("from", "until"),
}


def check_rows(con: duckdb.DuckDBPyConnection, plan: Plan, log: FindingLog) -> None:
    """Log the rows that do not go together, and add them to the table `bad`."""
    if plan.kind == "lines":
        _run(con, _signs(plan), log)
        _run(con, _repeated_line_ids(con, plan), log)
        return
    if plan.kind in _INTERVAL:
        _run(con, _empty_intervals(plan), log)
    if plan.kind in _UNIQUE:
        _run(con, _repeated(plan), log)
    if plan.kind == "rates":
        _run(con, _rates(plan), log)
    if plan.kind in _IDENTITY:
        _run(con, _overlaps(plan), log)


def _run(con: duckdb.DuckDBPyConnection, check: str | None, log: FindingLog) -> None:
    if check is None:
        return
    con.execute(f"CREATE OR REPLACE TEMP TABLE found AS {check}")
    counted = con.execute("SELECT code, col, count(*) FROM found GROUP BY ALL ORDER BY ALL").fetchall()
    for code, column, number in counted:
        severity: Severity = "warning" if code in _HARMLESS else "error"
        room = log.room(code, column, severity)
        rows = con.execute(
            f"SELECT {ROW}, message FROM found WHERE code = ? AND col = ? ORDER BY {ROW} LIMIT {room}", [code, column]
        ).fetchall()
        for row, message in rows:
            log.add(code, message, severity=severity, row=row, column=column)
        log.count_more(code, column, severity, number - len(rows))
    con.execute(f"INSERT INTO bad SELECT DISTINCT {ROW} FROM found")
    con.execute("DROP TABLE found")


def _good(plan: Plan, *names: str) -> str:
    """Give SQL for the good rows so far, with the named columns of the plan that are there (the others null)."""
    listed = []
    for name in names:
        column = plan.column(name)
        listed.append(f"{column.value() if column else 'NULL'} AS {quote(name)}")
    return f"(SELECT {ROW}, {', '.join(listed)} FROM raw WHERE {ROW} NOT IN (SELECT {ROW} FROM bad))"


def _signs(plan: Plan) -> str:
    return f"""
        SELECT {ROW}, 'return_not_negative' AS code, CASE WHEN quantity > 0 THEN 'quantity' ELSE 'amount' END AS col,
               'A return carries negative quantity and amount, and this one has quantity ' || quantity
               || ' and amount ' || amount || '. Turn the signs, or make it a sale.' AS message
        FROM {_good(plan, "kind", "quantity", "amount")}
        WHERE kind IN ('return', 'purchase_return') AND (quantity > 0 OR amount > 0)"""


def _repeated_line_ids(con: duckdb.DuckDBPyConnection, plan: Plan) -> str | None:
    """Find the second and later rows of each line_id; the first cheap pass tells whether there are any."""
    line_id = plan.column("line_id")
    assert line_id is not None
    good = _good(plan, "line_id")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT line_id FROM {good} GROUP BY line_id HAVING count(*) > 1"
    )
    if not con.execute("SELECT 1 FROM repeated LIMIT 1").fetchall():
        return None
    names = [column.name for column in plan.columns]
    same = f"md5(concat_ws('|', {', '.join(f'coalesce(CAST({quote(n)} AS VARCHAR), chr(0))' for n in names)}))"
    return f"""
        SELECT {ROW}, CASE WHEN content = first_content THEN 'repeated_line' ELSE 'duplicate_line_id' END AS code,
               'line_id' AS col,
               'line_id ' || line_id || ' is on row ' || first_row || ' already, with ' ||
               CASE WHEN content = first_content THEN 'the same values; it was read once'
                    ELSE 'other values; the first was read' END ||
               '. A line_id names one line: drop this row, or give it its own id.' AS message
        FROM (SELECT *, first_value({ROW}) OVER w AS first_row, first_value(content) OVER w AS first_content
              FROM (SELECT {ROW}, line_id, {same} AS content FROM {_good(plan, *names)} SEMI JOIN repeated USING (line_id))
              WINDOW w AS (PARTITION BY line_id ORDER BY {ROW} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW))
        WHERE {ROW} <> first_row"""


def _empty_intervals(plan: Plan) -> str:
    start, end = _INTERVAL[plan.kind]
    return f"""
        SELECT {ROW}, 'empty_interval' AS code, '{end}' AS col,
               'The row ends ({end} ' || {quote(end)} || ') before it begins ({start} ' || {quote(start)}
               || '); the end is the first day on which it no longer holds. Correct one of them.' AS message
        FROM {_good(plan, start, end)} WHERE {quote(end)} <= {quote(start)}"""


def _repeated(plan: Plan) -> str:
    measured = {"targets": "value", "forecasts": "value", "rates": "rate"}[plan.kind]
    keys = list(_UNIQUE[plan.kind])
    if plan.kind != "rates":
        keys = [column.name for column in plan.columns if column.name != measured]
    listed = ", ".join(map(quote, keys))
    shown = " || ', ' || ".join(f"'{key} ' || coalesce(CAST({quote(key)} AS VARCHAR), '(none)')" for key in keys)
    return f"""
        SELECT {ROW}, 'duplicate_row' AS code, '{measured}' AS col,
               'Row ' || first_row || ' already gives the {measured} of ' || {shown}
               || '; the first was read. Drop one.' AS message
        FROM (SELECT *, min({ROW}) OVER (PARTITION BY {listed}) AS first_row FROM {_good(plan, *keys)})
        WHERE {ROW} <> first_row"""


def _rates(plan: Plan) -> str:
    zero = "NOT regexp_matches(rate, '[1-9]')"
    return f"""
        SELECT {ROW}, 'bad_rate' AS code, 'rate' AS col,
               CASE WHEN {zero} THEN 'A rate of zero is no rate. Correct it.'
                    ELSE 'The rate converts ' || from_currency || ' into itself. Drop the row.' END AS message
        FROM {_good(plan, "rate", "from_currency", "to_currency")} WHERE {zero} OR from_currency = to_currency"""


def _overlaps(plan: Plan) -> str:
    """Find rows that hold on a day on which an earlier row of the same identity holds."""
    start, end = _INTERVAL[plan.kind]
    key = _IDENTITY[plan.kind][0]
    window = f"(PARTITION BY {quote(key)} ORDER BY begins, {ROW} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    good = _good(plan, key, start, end)
    return f"""
        SELECT {ROW}, 'overlapping_validity' AS code, '{start}' AS col,
               '{key} ' || {quote(key)} || ' has another row (row ' || other_row || ') that holds on '
               || CASE WHEN begins = DATE '0001-01-01'
               THEN 'the same days' ELSE begins::VARCHAR || ' and after' END
               || '; this row was left out. End the earlier one ({end}) where this one begins.' AS message
        FROM (SELECT *, max(ends) OVER {window} AS reached, arg_max({ROW}, ends) OVER {window} AS other_row
              FROM (SELECT {ROW}, {quote(key)}, coalesce({quote(start)}, DATE '0001-01-01') AS begins,
                           coalesce({quote(end)}, DATE '9999-12-31') AS ends FROM {good}))
        WHERE begins < reached"""
