"""Running totals in the SQLite file of the lake's register, so that a batch is added and marked posted in one transaction.

Sums are kept as whole millionths in text, because they outgrow SQLite's 64-bit integers, and are added in Python, exactly.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal

from headrace.engine.findings import Refusal
from headrace.lake.register_sqlite import SqliteRegister, mark_posted
from headrace.live.totals import EXACT, Balance, Followed, Posting, StatementKey, Sums, TotalKey

VERSION = 1
_MILLIONTH = Decimal("0.000001")

_KEY = "program, payee_kind, payee_id, scope, period_from, period_until"
_KEY_IS = "program = ? and payee_kind = ? and payee_id = ? and scope = ? and period_from = ? and period_until = ?"
# Dates are ISO text; an unbounded side is empty text, so that it takes part in the keys.
_KEY_COLUMNS = """
    program text not null, payee_kind text not null, payee_id text not null, scope text not null,
    period_from text not null, period_until text not null"""
_TABLES = (
    "create table live_format (version integer not null) strict",
    f"""create table live_total ({_KEY_COLUMNS}, rate_card text not null,
    measure text not null, base text not null, units text not null, cost text not null, lines integer not null,
    primary key ({_KEY}, rate_card)) strict, without rowid""",
    f"""create table live_posting ({_KEY_COLUMNS}, version integer not null, cause text not null,
    amount text not null, currency text not null, primary key ({_KEY}, version, cause)) strict, without rowid""",
    f"""create table live_posted ({_KEY_COLUMNS}, amount text not null, currency text not null,
    primary key ({_KEY})) strict, without rowid""",
    """create table live_followed (program text primary key, terms_hash text not null, loaded_as_of integer not null,
    added_to integer not null) strict, without rowid""",
)


class SqliteTotals:
    """A store of totals in the file of a register."""

    def __init__(self, register: SqliteRegister) -> None:
        """Open the totals, made empty where there are none yet. Raises Refusal `totals_newer`."""
        self._register = register
        with register.transaction() as connection:
            _prepare(connection)

    @contextmanager
    def batch(self, batch_seq: int, *, at: datetime) -> Iterator["SqliteBatchWork"]:
        """Open the transaction of a batch; leaving it without an error posts the batch."""
        with self._register.transaction() as connection:
            done = not mark_posted(connection, batch_seq, at=at)
            yield SqliteBatchWork(connection, batch_seq, done=done)

    def load(
        self,
        program: Followed,
        *,
        totals: Iterable[tuple[TotalKey, Sums]],
        postings: Iterable[Posting],
        expected: Followed | None,
    ) -> None:
        """Begin to follow a program, or begin anew."""
        with self._register.transaction() as connection:
            _refuse_moved(connection, program, expected)
            connection.execute("delete from live_total where program = ?", (program.program,))
            _write_totals(connection, totals)
            _post(connection, list(postings))
            connection.execute(
                "insert or replace into live_followed values (?, ?, ?, ?)",
                (program.program, program.terms_hash, program.loaded_as_of, program.loaded_as_of),
            )

    def forget(self, program: str) -> None:
        """Follow a program no more."""
        with self._register.transaction() as connection:
            connection.execute("delete from live_total where program = ?", (program,))
            connection.execute("delete from live_followed where program = ?", (program,))

    def followed(self) -> list[Followed]:
        """List the followed programs by name."""
        with self._register.reading() as connection:
            return _followed(connection)

    def balances(self, *, program: str | None = None, payee: tuple[str, str] | None = None) -> list[Balance]:
        """Give the balances of statements in the order of their keys."""
        kind, payee_id = payee or (None, None)
        where = "where (?1 is null or program = ?1) and (?2 is null or (payee_kind = ?2 and payee_id = ?3))"
        with self._register.reading() as connection:
            posted = connection.execute(
                f"select {_KEY}, amount, currency from live_posted {where}", (program, kind, payee_id)
            ).fetchall()
            totals = connection.execute(
                f"select {_KEY}, rate_card, measure, base, units, cost, lines from live_total {where}",
                (program, kind, payee_id),
            ).fetchall()
        amounts = {_statement(row[:6]): (_decimal(row[6]), row[7]) for row in posted}
        sums: dict[StatementKey, dict[str, Sums]] = {}
        for row in totals:
            sums.setdefault(_statement(row[:6]), {})[row[6]] = _sums(row[7:])
        return [
            Balance(
                statement=key,
                posted=amounts.get(key, (Decimal(0), ""))[0],
                currency=amounts.get(key, (Decimal(0), ""))[1],
                totals=sums.get(key, {}),
            )
            for key in sorted(amounts.keys() | sums.keys(), key=_key_values)
        ]


class SqliteBatchWork:
    """The open transaction of one batch."""

    def __init__(self, connection: sqlite3.Connection, batch_seq: int, *, done: bool) -> None:
        self.batch_seq = batch_seq
        self._connection = connection
        self._done = done

    @property
    def done(self) -> bool:
        """Tell whether the batch was posted before."""
        return self._done

    def programs(self) -> list[Followed]:
        """List the followed programs that the batch is to be added to."""
        if self._done:
            return []
        return [program for program in _followed(self._connection) if program.loaded_as_of < self.batch_seq]

    def add(self, shares: Iterable[tuple[TotalKey, Sums]]) -> dict[TotalKey, Sums]:
        """Add the batch's shares; give the totals of every touched statement."""
        takes_part = {program.program for program in self.programs()}
        touched: dict[StatementKey, dict[str, Sums]] = {}
        for key, share in shares:
            assert key.statement.program in takes_part, (
                f"batch {self.batch_seq} is not to be added to {key.statement.program}"
            )
            if key.statement not in touched:
                touched[key.statement] = _totals_of(self._connection, key.statement)
            totals = touched[key.statement]
            totals[key.rate_card] = totals.get(key.rate_card, Sums()) + share
        after = {
            TotalKey(statement=statement, rate_card=card): sums
            for statement, cards in touched.items()
            for card, sums in cards.items()
        }
        _write_totals(self._connection, after.items())
        self._connection.executemany(
            "update live_followed set added_to = max(added_to, ?) where program = ?",
            [(self.batch_seq, program) for program in sorted(takes_part)],
        )
        return after

    def posted(self, statements: Iterable[StatementKey]) -> dict[StatementKey, Decimal]:
        """Give what is posted on each statement before this batch."""
        return {key: _posted(self._connection, key)[0] for key in statements}

    def post(self, postings: Sequence[Posting]) -> int:
        """Post differences; give how many are new."""
        assert not self._done, f"batch {self.batch_seq} was posted before"
        return _post(self._connection, postings)


def _prepare(connection: sqlite3.Connection) -> None:
    there = connection.execute("select 1 from sqlite_master where name = 'live_format'").fetchone()
    if there is None:
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("insert into live_format values (?)", (VERSION,))
        return
    (version,) = connection.execute("select version from live_format").fetchone()
    if version != VERSION:
        raise Refusal(
            "totals_newer",
            f"The running totals have format {version}; this version of Headrace knows format {VERSION}. Use the newer version.",
        )


def _followed(connection: sqlite3.Connection) -> list[Followed]:
    rows = connection.execute("select program, terms_hash, loaded_as_of from live_followed order by program").fetchall()
    return [Followed(program=program, terms_hash=terms, loaded_as_of=as_of) for program, terms, as_of in rows]


def _refuse_moved(connection: sqlite3.Connection, program: Followed, expected: Followed | None) -> None:
    """Refuse a load that was computed before something else happened to the program."""
    standing = {one.program: one for one in _followed(connection)}.get(program.program)
    row = connection.execute("select added_to from live_followed where program = ?", (program.program,)).fetchone()
    # A batch posted already while this load does not hold it would never be added.
    (posted_to,) = connection.execute("select coalesce(max(batch_seq), 0) from batch where state = 'posted'").fetchone()
    if standing != expected or posted_to > program.loaded_as_of or (row and row[0] > program.loaded_as_of):
        raise Refusal(
            "totals_moved",
            f"The totals of program {program.program} were computed as of batch {program.loaded_as_of}, but the lake went on "
            "meanwhile. Nothing was changed; compute them again as of the last batch.",
        )


def _totals_of(connection: sqlite3.Connection, key: StatementKey) -> dict[str, Sums]:
    rows = connection.execute(
        f"select rate_card, measure, base, units, cost, lines from live_total where {_KEY_IS}", _key_values(key)
    ).fetchall()
    return {row[0]: _sums(row[1:]) for row in rows}


def _write_totals(connection: sqlite3.Connection, totals: Iterable[tuple[TotalKey, Sums]]) -> None:
    connection.executemany(
        "insert or replace into live_total values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                *_key_values(key.statement),
                key.rate_card,
                *(_text(value) for value in (sums.measure, sums.base, sums.units, sums.cost)),
                sums.lines,
            )
            for key, sums in totals
        ),
    )


def _posted(connection: sqlite3.Connection, key: StatementKey) -> tuple[Decimal, str | None]:
    row = connection.execute(f"select amount, currency from live_posted where {_KEY_IS}", _key_values(key)).fetchone()
    return (_decimal(row[0]), row[1]) if row else (Decimal(0), None)


def _post(connection: sqlite3.Connection, postings: Sequence[Posting]) -> int:
    new = 0
    for posting in postings:
        values = _key_values(posting.statement)
        added = connection.execute(
            "insert or ignore into live_posting values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, posting.version, posting.cause, _text(posting.amount), posting.currency),
        )
        if added.rowcount == 0:
            continue
        before, currency = _posted(connection, posting.statement)
        assert currency in {None, posting.currency}, (
            f"{posting.statement} is posted in {currency}, not {posting.currency}"
        )
        connection.execute(
            "insert or replace into live_posted values (?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, _text(EXACT.add(before, posting.amount)), posting.currency),
        )
        new += 1
    return new


def _key_values(key: StatementKey) -> tuple[str, str, str, str, str, str]:
    return (key.program, key.payee_kind, key.payee_id, key.scope, _day(key.period_from), _day(key.period_until))


def _statement(row: tuple[str, ...]) -> StatementKey:
    program, kind, payee_id, scope, period_from, period_until = row
    return StatementKey(
        program=program,
        payee_kind=kind,
        payee_id=payee_id,
        scope=scope,
        period_from=date.fromisoformat(period_from) if period_from else None,
        period_until=date.fromisoformat(period_until) if period_until else None,
    )


def _sums(row: tuple[str, str, str, str, int]) -> Sums:
    measure, base, units, cost, lines = row
    return Sums(measure=_decimal(measure), base=_decimal(base), units=_decimal(units), cost=_decimal(cost), lines=lines)


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _text(value: Decimal) -> str:
    """Write a decimal as whole millionths. A value with more decimals is a defect: every product is rounded to six."""
    millionths = EXACT.scaleb(value, 6)
    whole = millionths.to_integral_value()
    assert whole == millionths, f"{value} has more than six decimals"
    return str(int(whole))


def _decimal(millionths: str) -> Decimal:
    return EXACT.multiply(Decimal(millionths), _MILLIONTH)
