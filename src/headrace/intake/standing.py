"""Meet what was loaded before: reject what is there, or correct it by reversals and new versions.

`additions` becomes the table of what is written: which row under which line_id, and `reversals` the lines that are cancelled.
A reversal takes the place of its line: same day, parties and further columns, opposite quantity and money, kind turned from sale
to return (purchase to purchase_return) and back, `original_line_id` = the line that it cancels.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import duckdb
import pyarrow as pa

from headrace.engine.findings import Refusal
from headrace.engine.schema import LINES
from headrace.intake.findings_log import FindingLog
from headrace.intake.mapping import SIGNED, Mapping
from headrace.intake.staging import ROW, literal, quote
from headrace.intake.store import REVERSAL, SUFFIX, FactStore
from headrace.intake.verdicts import STOPPING, Tally, note

TURNED = {"sale": "return", "return": "sale", "purchase": "purchase_return", "purchase_return": "purchase"}
# What may differ without the line being another: identity and arrival, which Headrace gives.
_NOT_CONTENT = ("line_id", "received_on", "batch_seq", "original_line_id")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a replacing or changing file means for the lines that stand: counts, and money by currency."""

    standing: Tally
    unchanged: int
    changed: int
    new: int
    gone: int


def named_rows() -> str:
    """Give SQL for the rows with their line_id as `_id`."""
    return f"(SELECT l.*, coalesce(n.line_id, _base) AS _id FROM lines_read l LEFT JOIN numbered n USING ({ROW}))"


def good_rows() -> str:
    """Give SQL for the rows that nothing speaks against so far, with their line_id as `_id`."""
    return f"(FROM {named_rows()} WHERE {ROW} NOT IN (SELECT {ROW} FROM faults WHERE {STOPPING}))"


def begin(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of additions and reversals, empty."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE additions ({ROW} BIGINT, line_id VARCHAR)")
    con.execute("CREATE OR REPLACE TEMP TABLE unchanged_rows (" + ROW + " BIGINT)")


def note_known(con: duckdb.DuckDBPyConnection, known: pa.Table) -> bool:
    """Reject rows whose line_id (column of `known`) is there already; tell whether that is every row that was left."""
    if known.num_rows == 0:
        return False
    con.register("known", known.select(["line_id"]))
    left, found = con.execute(
        f"SELECT count(*), count(*) FILTER (_id IN (SELECT line_id FROM known)) FROM {good_rows()}"
    ).fetchall()[0]
    rows = f"{good_rows()} SEMI JOIN (SELECT line_id AS _id FROM known) USING (_id)"
    if left == found:
        con.execute(f"INSERT INTO unchanged_rows SELECT {ROW} FROM {rows}")
    else:
        note(
            con,
            code="already_loaded",
            action="reject",
            rows=rows,
            stated="'line_id ' || _id || ' was loaded before. A correction needs a profile with mode changes or replace.'",
        )
    con.unregister("known")
    return bool(left == found)


def check_period(con: duckdb.DuckDBPyConnection, period: tuple[dt.date, dt.date]) -> None:
    """Reject rows outside the period that the file replaces."""
    start, end = (day.isoformat() for day in period)
    note(
        con,
        code="outside_period",
        action="reject",
        rows=f"lines_read WHERE occurred_on < DATE '{start}' OR occurred_on >= DATE '{end}'",
        column="'occurred_on'",
        stated=f"'The row is of ' || occurred_on || ', and the file replaces {start} until before {end}.'",
    )


def correct(
    con: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    store: FactStore,
    log: FindingLog,
    *,
    period: tuple[dt.date, dt.date] | None,
) -> Comparison:
    """Compare the file with what stands, of the (reporter, period) that it replaces or of the lines that it names.

    Rows equal to a standing line are unchanged; others are additions, as the next version where the identity was used before;
    standing lines that changed, or (replace) are missing from the file, are reversed.
    """
    bases = con.sql(f"SELECT DISTINCT _id AS line_id FROM {good_rows()}").to_arrow_table()
    history = [store.versions_of(bases)]
    if period is not None:
        reporters = con.execute(
            "SELECT DISTINCT reporter_id FROM lines_read WHERE reporter_id IS NOT NULL ORDER BY 1"
        ).fetchall()
        history += [store.lines_of(reporter, *period) for (reporter,) in reporters]
    known = pa.concat_tables([_in_full(table) for table in history], promote_options="permissive")
    con.register("history_found", known)
    con.execute("CREATE OR REPLACE TEMP TABLE history AS SELECT DISTINCT ON (line_id) * FROM history_found")
    con.unregister("history_found")
    _find_standing(con, period)
    _note_elsewhere(con, period)
    _match(con)
    _note_irreversible(con, log)
    counts = con.execute(
        """SELECT count(*) FILTER (fate = 'unchanged'), count(*) FILTER (fate = 'changed'), count(*) FILTER (fate = 'new'),
                  count(*) FILTER (fate = 'gone') FROM matched"""
    ).fetchall()[0]
    return Comparison(_tally_standing(con), *counts)


def _in_full(table: pa.Table) -> pa.Table:
    """Add the declared columns that a table of lines lacks, null."""
    for name, column in LINES.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, column.type))
    return table.cast(
        pa.schema([pa.field(f.name, LINES[f.name].type if f.name in LINES else f.type) for f in table.schema])
    )


def _find_standing(con: duckdb.DuckDBPyConnection, period: tuple[dt.date, dt.date] | None) -> None:
    where = ""
    if period is not None:
        where = f"AND occurred_on >= DATE '{period[0].isoformat()}' AND occurred_on < DATE '{period[1].isoformat()}'"
        where += " AND reporter_id IN (SELECT reporter_id FROM lines_read)"
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE standing AS
        SELECT *, regexp_replace(line_id, '{SUFFIX}', '') AS _base FROM history
        WHERE NOT ends_with(line_id, '{REVERSAL}')
          AND line_id || '{REVERSAL}' NOT IN (SELECT line_id FROM history WHERE ends_with(line_id, '{REVERSAL}')) {where}"""
    )


def _note_elsewhere(con: duckdb.DuckDBPyConnection, period: tuple[dt.date, dt.date] | None) -> None:
    """Reject rows whose identity stands outside the period or reporter that the file replaces."""
    if period is None:
        return
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE elsewhere AS
        SELECT regexp_replace(line_id, '{SUFFIX}', '') AS _id, occurred_on AS other_on, reporter_id AS other_reporter FROM history
        WHERE NOT ends_with(line_id, '{REVERSAL}') AND line_id NOT IN (SELECT line_id FROM standing)
          AND line_id || '{REVERSAL}' NOT IN (SELECT line_id FROM history)"""
    )
    note(
        con,
        code="already_loaded",
        action="reject",
        rows=f"(SELECT g.{ROW}, _id, other_on, other_reporter FROM {good_rows()} g JOIN elsewhere USING (_id))",
        stated="'line_id ' || _id || ' stands on ' || other_on || ' for reporter ' || coalesce(other_reporter, '(none)')"
        " || ', outside what this file replaces. Replace that period too.'",
    )
    con.execute("DROP TABLE elsewhere")


def _match(con: duckdb.DuckDBPyConnection) -> None:
    """Pair the file's rows with standing lines: unchanged, changed, new, gone.

    A standing line whose row is in the file but faulty is none of these: it stands until the row is repaired.
    """
    file_columns = {row[0] for row in con.execute("DESCRIBE lines_read").fetchall()}
    standing_columns = [row[0] for row in con.execute("DESCRIBE standing").fetchall()]
    shared = [n for n in standing_columns if n in file_columns and not n.startswith("_") and n not in _NOT_CONTENT]
    lost = [n for n in standing_columns if n not in file_columns and not n.startswith("_") and n not in _NOT_CONTENT]
    same = " AND ".join(
        [f"f.{quote(n)} IS NOT DISTINCT FROM s.{quote(n)}" for n in shared] + [f"s.{quote(n)} IS NULL" for n in lost]
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE matched AS
        SELECT f.{ROW} AS {ROW}, f._id AS _id, s.line_id AS stood,
               CASE WHEN f._id IS NULL THEN 'gone' WHEN s.line_id IS NULL THEN 'new'
                    WHEN {same} THEN 'unchanged' ELSE 'changed' END AS fate
        FROM {good_rows()} f FULL JOIN standing s ON f._id = s._base
        WHERE f._id IS NOT NULL OR s._base NOT IN (SELECT _base FROM lines_read WHERE _base IS NOT NULL)"""
    )
    con.execute(f"INSERT INTO unchanged_rows SELECT {ROW} FROM matched WHERE fate = 'unchanged'")
    con.execute(
        f"""
        INSERT INTO additions
        SELECT {ROW}, CASE WHEN used IS NULL THEN _id ELSE _id || '~v' || (used + 1) END FROM matched
        LEFT JOIN (SELECT regexp_replace(line_id, '{SUFFIX}', '') AS _id,
                          max(coalesce(TRY_CAST(nullif(regexp_extract(line_id, '~v([0-9]+)', 1), '') AS INTEGER), 1)) AS used
                   FROM history GROUP BY 1) USING (_id)
        WHERE fate IN ('new', 'changed')"""
    )


def _note_irreversible(con: duckdb.DuckDBPyConnection, log: FindingLog) -> None:
    """A line whose kind has no opposite cannot be cancelled by a line: its correction is held."""
    kinds = ", ".join(map(literal, TURNED))
    stood = "(SELECT line_id AS stood, kind FROM standing)"
    stuck = f"matched JOIN {stood} USING (stood) WHERE fate IN ('changed', 'gone') AND kind NOT IN ({kinds})"
    note(
        con,
        code="cannot_reverse",
        action="hold",
        rows=f"{stuck} AND {ROW} IS NOT NULL",
        stated="'The loaded line ' || stood || ' is a ' || kind || ', which no line can cancel. Decide what it should be.'",
    )
    for line_id, kind in con.execute(
        f"SELECT stood, kind FROM {stuck} AND fate = 'gone' ORDER BY stood LIMIT 1000"
    ).fetchall():
        log.add(
            "cannot_reverse",
            f"The loaded line {line_id} is a {kind} and missing from the file; no line can cancel it, so it"
            " stands. Decide what it should be.",
            severity="warning",
        )
    con.execute(f"DELETE FROM additions WHERE {ROW} IN (SELECT {ROW} FROM {stuck})")
    con.execute(f"DELETE FROM matched WHERE stood IN (SELECT stood FROM {stuck})")


def _tally_standing(con: duckdb.DuckDBPyConnection) -> Tally:
    groups = con.execute(
        "SELECT currency, count(*), sum(quantity), sum(amount) FROM standing GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return Tally(sum(g[1] for g in groups), sum((g[2] for g in groups), Decimal(0)), {g[0]: g[3] for g in groups})


def refuse_shrinkage(comparison: Comparison, *, shrinkage_max: Decimal, confirmed: bool) -> None:
    """Refuse a replacement that takes away more of what stands than the profile allows, unless a person confirmed it."""
    stands, gone = comparison.standing.rows, comparison.gone
    if confirmed or stands == 0 or gone <= shrinkage_max * stands:
        return
    money = ", ".join(f"{amount:f} {currency}" for currency, amount in comparison.standing.amounts.items())
    raise Refusal(
        "shrinkage",
        f"The file would take away {gone:,} of the {stands:,} lines that stand ({money}), more than the profile's limit of"
        f" {shrinkage_max:%}. Nothing was changed. Check that the file is complete, then confirm the shrinkage.",
    )


def reversal_select(con: duckdb.DuckDBPyConnection, received_on: dt.date, columns: dict[str, str]) -> str:
    """Give SQL for the lines that reverse what `correct` found to go, in the columns given with their SQL types."""
    standing = {row[0] for row in con.execute("DESCRIBE standing").fetchall()}
    turned = " ".join(f"WHEN '{kind}' THEN '{opposite}'" for kind, opposite in TURNED.items())
    special = {
        "line_id": f"s.line_id || '{REVERSAL}'",
        "kind": f"CASE s.kind {turned} END",
        "original_line_id": "s.line_id",
        "received_on": f"DATE '{received_on.isoformat()}'",
        **{name: f"-s.{name}" for name in SIGNED},
    }
    listed = ", ".join(
        f"CAST({special.get(name, f's.{quote(name)}' if name in standing else 'NULL')} AS {kind}) AS {quote(name)}"
        for name, kind in columns.items()
    )
    return f"SELECT {listed} FROM standing s JOIN matched m ON m.stood = s.line_id WHERE m.fate IN ('changed', 'gone')"
