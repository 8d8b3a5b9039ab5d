"""Give every line its identity, and find rows of one file that are equal, or that claim the same identity."""

import duckdb

from headrace.intake.mapping import Mapping
from headrace.intake.staging import ROW
from headrace.intake.verdicts import Check, note, note_checks

_RESERVED = r"~(r|v[0-9]+)$"


def base_id(mapping: Mapping) -> str:
    """Give SQL for the identity that the source gives a row, before equal rows are numbered; null where a key column is empty.

    source:value:value…, where : # ~ % inside a value are written %3A %23 %7E %25, so that no two keys give one identity.
    A released or repaired row that had a number keeps it, for the rows that it is equal to are not in its file.
    """
    base = _source_id(mapping)
    if not (mapping.release or mapping.repairs) or "_line_id" not in mapping.staged.columns:
        return base
    had = mapping.column("_line_id")
    numbered = f"starts_with({had}, {base} || '#') AND regexp_matches({had}, '#[0-9]+$')"
    asked = "true" if mapping.repairs else f"{mapping.release} = 'yes'"
    return f"CASE WHEN {asked} AND {numbered} THEN {had} ELSE {base} END"


def _source_id(mapping: Mapping) -> str:
    profile = mapping.profile
    if "line_id" in profile.fields:
        return "line_id"
    assert profile.line_key is not None
    parts = [f"'{profile.source}'"]
    for column in profile.line_key.columns:
        text = mapping.column(column)
        if profile.line_key.content:
            text = f"coalesce({text}, '')"
        escaped = f"replace(replace(replace(replace({text}, '%', '%25'), ':', '%3A'), '#', '%23'), '~', '%7E')"
        parts.append(f"CASE WHEN regexp_matches({text}, '[%:#~]') THEN {escaped} ELSE {text} END")
    if profile.line_key.content:
        parts.append(mapping.content())
    return " || ':' || ".join(parts)


def assign_ids(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Make the table `numbered`: the line_id of each row that repeats an earlier one; all other rows keep their base.

    Rows that claim an identity already taken in the file become faults.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE numbered ({ROW} BIGINT, line_id VARCHAR)")
    reserved = f"regexp_matches(_base, '{_RESERVED}')"
    checks = [
        Check(condition="_base IS NULL AND NOT _bad", code="missing_key", action="reject", stated=_missing(mapping)),
        Check(condition=reserved, code="reserved_line_id", action="reject", stated=_reserved()),
    ]
    note_checks(con, "lines_read", checks)
    if not con.execute("SELECT count(_base) > count(DISTINCT _base) FROM lines_read").fetchall()[0][0]:
        return
    con.execute(
        "CREATE OR REPLACE TEMP TABLE repeated AS SELECT _base FROM lines_read WHERE _base IS NOT NULL GROUP BY"
        " _base HAVING count(*) > 1"
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE alike AS
        SELECT {ROW}, _base, row_number() OVER equal AS occurrence, first_value({ROW}) OVER equal AS equal_row,
               first_value(content) OVER same AS first_content, first_value({ROW}) OVER same AS first_row, content
        FROM (SELECT {ROW}, _base, {mapping.content()} AS content
              FROM raw JOIN (SELECT {ROW}, _base FROM lines_read SEMI JOIN repeated USING (_base)) USING ({ROW}))
        WINDOW equal AS (PARTITION BY _base, content ORDER BY {ROW} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
               same AS (PARTITION BY _base ORDER BY {ROW} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"""
    )
    _note_repeated(con, mapping)
    con.execute("DROP TABLE alike")


def _note_repeated(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    conflict = "'It has the same identity (' || _base || ') as row ' || first_row || ', with other values. Correct one of them.'"
    equal = "'It equals row ' || equal_row || ' in all that the profile reads.'"
    own_id = "line_id" in mapping.profile.fields
    others = "alike WHERE content <> first_content"
    note(con, code="duplicate_line_id", action="reject" if own_id else "hold", rows=others, stated=conflict)
    equals = "alike WHERE content = first_content AND occurrence > 1"
    if own_id:
        note(con, code="equal_row", action="reject", rows=equals, stated=f"{equal} || ' A line_id names one line.'")
        return
    action, more = {
        "load": ("warn", "It was loaded as a line of its own; set `duplicates` in the profile if it should not be."),
        "hold": ("hold", "The profile holds equal rows."),
        "reject": ("reject", "The profile rejects equal rows."),
    }[mapping.profile.duplicates]
    note(con, code="equal_row", action=action, rows=equals, stated=f"{equal} || ' {more}'")
    con.execute(
        f"INSERT INTO numbered SELECT {ROW}, _base || '#' || occurrence FROM alike WHERE content = first_content"
        " AND occurrence > 1"
    )


def _missing(mapping: Mapping) -> str:
    key = mapping.profile.line_key
    columns = ", ".join(key.columns) if key else "line_id"
    return f"'A column of the line key is empty ({columns}). Without it the line has no identity.'".replace(
        "{", ""
    ).replace("}", "")


def _reserved() -> str:
    return "'line_id ' || _base || ' ends like a correction (~r, ~v2), which only Headrace writes. Rename it.'"
