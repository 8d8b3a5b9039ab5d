"""Writes what was calculated in the shape of the public contract: statements as a table, awards as a Parquet file."""

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from headrace.engine.accounts import Desk
from headrace.engine.book import Book, Calendar, Edition
from headrace.engine.ladders import INFINITE
from headrace.engine.numeric import SUM, dec
from headrace.engine.period import Period, payable_on
from headrace.engine.results import AWARDS, STATEMENTS
from headrace.engine.session import Session, name, text

_ZERO = f"CAST(0 AS {SUM})"
_NULL = f"CAST(NULL AS {SUM})"


def put_labels(session: Session, book: Book, calendar: Calendar) -> None:
    """Make the small tables that turn numbers back into names: editions, and periods with their due days per edition."""
    rows = [
        {
            "edition": edition.number, "program_id": edition.terms.program, "version": edition.terms.version,
            "currency": edition.terms.currency, "verifies": edition.terms.verify is not None,
        }
        for edition in book.editions
    ]  # fmt: skip
    schema = pa.schema(
        [
            ("edition", pa.int32()),
            ("program_id", pa.string()),
            ("version", pa.int32()),
            ("currency", pa.string()),
            ("verifies", pa.bool_()),
        ]
    )
    session.put("edition_labels", pa.Table.from_pylist(rows, schema=schema))
    due = [
        {"edition": edition.number, "period": number, "payable_on": _due(edition, period)}
        for edition in book.editions
        for number, period in enumerate(calendar.periods)
    ]
    kinds = [("edition", pa.int32()), ("period", pa.int32()), ("payable_on", pa.date32())]
    session.put("due_days", pa.Table.from_pylist(due, schema=pa.schema(kinds)))
    periods = [
        {"period": number, "from_on": period.from_, "until_on": period.until}
        for number, period in enumerate(calendar.periods)
    ]
    kinds = [("period", pa.int32()), ("from_on", pa.date32()), ("until_on", pa.date32())]
    session.put("period_labels", pa.Table.from_pylist(periods, schema=pa.schema(kinds)))


def _due(edition: Edition, period: Period) -> object:
    settle = edition.terms.settle
    return payable_on(period, settle.grace_days, settle.hold_days, settle.pay_day)


def _payee(relation: str, ids: int) -> tuple[str, str]:
    """Write kind and number of the id of a payee: persons are numbered past all partners."""
    number = f"{relation}.payee_no"
    return f"CASE WHEN {number} >= {ids} THEN 'person' ELSE 'partner' END", f"({number} % {ids})"


def note_statements(desk: Desk, *, first: bool, verify: bool) -> None:
    """Add the statements of one wave to `statement_rows`; first: there are none yet."""
    session, ids = desk.session, max(len(desk.ids), 1)
    if verify:
        session.table(
            "unverified",
            f"SELECT s, payee_no, CAST(sum(award) AS {SUM}) AS amount FROM awards_made WHERE NOT verified GROUP BY s, payee_no",
        )
    kind, number = _payee("c", ids)
    edge = f"CASE WHEN f.high < {dec(INFINITE, 28, 6)} THEN f.high END"
    unverified = f"coalesce(v.amount, {_ZERO})" if verify else _ZERO
    joined = " LEFT JOIN unverified v ON v.s = c.s AND v.payee_no = c.payee_no" if verify else ""
    posted = f"coalesce(o.amount, {_ZERO})"
    to_post = f"c.earned + coalesce(c.carried_in, {_ZERO}) - coalesce(c.carried, {_ZERO}) - {unverified} - {posted}"
    select = (
        f"SELECT c.s, c.payee_no, c.edition, d.program_id AS program, d.version, {kind} AS payee_kind, i.id AS "
        f"payee_id, w.scope, "
        f't.from_on AS "from", t.until_on AS until, c.total AS measure, c.base, f.position AS tier, c.earned, '
        f"{unverified} AS unverified, {posted} AS posted, CAST({to_post} AS {SUM}) AS to_post, c.earned AS accrued, "
        f"{_NULL} AS forecast, d.currency, c.lines, {edge} AS next_from, CAST({edge} - c.total AS {SUM}) AS next_distance, "
        f"c.carried, c.carried_in, u.payable_on, c.earner_no FROM settled c JOIN edition_labels d ON d.edition = c.edition "
        f"JOIN ids i ON i.no = {number} JOIN scope_names w ON w.s = c.s JOIN period_labels t ON t.period = w.period "
        "LEFT JOIN finals f ON f.s = c.s AND f.ladder = c.ladder "
        f"LEFT JOIN due_days u ON u.edition = c.edition AND u.period = w.period{joined} "
        "LEFT JOIN posted o ON o.s = c.s AND o.payee_no = c.payee_no"
    )
    if first:
        session.table("statement_rows", select)
    else:
        session.execute(f"INSERT INTO statement_rows BY NAME {select}")


def read_statements(session: Session) -> pa.Table:
    """Give the statements, sorted by program, payee, scope and period."""
    columns = ", ".join(name(field.name) for field in STATEMENTS)
    order = 'program, payee_kind, payee_id, scope, "from" NULLS FIRST, until NULLS LAST, version'
    return session.fetch(f"SELECT {columns} FROM statement_rows ORDER BY {order}").cast(STATEMENTS)


def award_rows(desk: Desk, *, verify: bool) -> str:
    """Write the query of the awards of one wave, in the columns of the contract and with program_no, n for the next waves."""
    kind, number = _payee("a", max(len(desk.ids), 1))
    verified = "a.verified" if verify else "TRUE"
    lines = (
        f"SELECT a.program AS program_no, a.n, d.program_id AS program, d.version, {kind} AS payee_kind, i.id AS "
        f"payee_id, w.scope, "
        f't.from_on AS "from", t.until_on AS until, a.line_id, a.occurred_on, CAST(a.m AS {SUM}) AS measure, '
        f"CAST(a.after AS {SUM}) AS measure_after, CAST(a.paid AS {SUM}) AS base, a.position AS tier, "
        f"CAST(a.rate AS DECIMAL(9, 6)) AS rate, a.award, {verified} AS verified, o.program_id AS lost_to "
        "FROM awards_made a JOIN edition_labels d ON d.edition = a.edition "
        f"JOIN ids i ON i.no = {number} JOIN scope_names w ON w.s = a.s JOIN period_labels t ON t.period = w.period "
        "LEFT JOIN program_labels o ON o.program = a.lost_to"
    )
    kind, number = _payee("c", max(len(desk.ids), 1))
    alone = (
        f"SELECT c.program, NULL, d.program_id, d.version, {kind}, i.id, w.scope, t.from_on, t.until_on, NULL, "
        f"NULL, {_NULL}, {_NULL}, "
        f"{_NULL}, NULL, NULL, c.earned, TRUE, NULL FROM settled c JOIN edition_labels d ON d.edition = c.edition "
        f"JOIN ids i ON i.no = {number} JOIN scope_names w ON w.s = c.s JOIN period_labels t ON t.period = w.period "
        "WHERE c.lines = 0 AND c.earned <> 0"
    )
    return f"{lines} UNION ALL {alone}"


def put_program_labels(session: Session, book: Book) -> None:
    """Make `program_labels`: the id of each program."""
    numbers: Sequence[int] = [program.number for program in book.programs]
    ids = [program.id for program in book.programs]
    session.put(
        "program_labels", pa.table({"program": pa.array(numbers, pa.int32()), "program_id": pa.array(ids, pa.string())})
    )


def write_awards(session: Session, queries: Sequence[str], path: Path) -> None:
    """Write the awards to a temporary name beside `path`, make them durable, then give them their name."""
    partial = path.with_name(f".{path.name}.partial")
    columns = ", ".join(name(field.name) for field in AWARDS)
    try:
        query = " UNION ALL ".join(f"SELECT {columns} FROM ({query})" for query in queries)
        session.execute(f"COPY ({query}) TO {text(str(partial))} (FORMAT parquet)")
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        partial.unlink(missing_ok=True)
