"""Live balances in the SQLite file of the lake's register, so that a batch is worked and marked posted in one transaction.

Sums are kept as whole millionths and amounts as decimals, both in text, because they outgrow SQLite's numbers; they are added in
Python, exactly.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation

from headrace.engine.findings import Refusal
from headrace.engine.totals import ScopeKey, Sums, Totals
from headrace.lake.register_sqlite import SqliteRegister, mark_posted
from headrace.live.totals import Among, Followed, Posting, Standing, StatementKey

VERSION = 1
# Python's default context would round a difference past 28 digits without a word; this one stops instead.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])

_KEY = ("program", "payee_kind", "payee_id", "scope", "period_from", "period_until")
_SCOPE = ("program", "scope", "period_from", "period_until")
_FIGURES = (
    "version", "measure", "base", "tier", "earned", "unverified", "currency", "lines", "next_from", "next_distance", "carried",
    "carried_in", "payable_on",
)  # fmt: skip
# Dates are ISO text; an unbounded side is empty text, so that it takes part in the keys. The long keys are written once and
# numbered, so that what every batch changes is small.
_TABLES = (
    "create table live_format (version integer not null) strict",
    f"create table live_scope (id integer primary key, {', '.join(f'{name} text not null' for name in _SCOPE)}, "
    f"unique ({', '.join(_SCOPE)})) strict",
    """create table live_total (scope_id integer not null references live_scope, part text not null, measure text not null,
    base text not null, units text not null, quantity text not null, lines integer not null, primary key (scope_id, part))
    strict, without rowid""",
    f"create table live_key (id integer primary key, {', '.join(f'{name} text not null' for name in _KEY)}, "
    f"unique ({', '.join(_KEY)})) strict",
    """create table live_statement (key_id integer primary key references live_key, version integer not null,
    measure text not null, base text not null, tier integer, earned text not null, unverified text not null,
    currency text not null, lines integer not null, next_from text, next_distance text, carried text, carried_in text,
    payable_on text) strict""",
    """create table live_posting (sequence integer primary key, key_id integer not null references live_key,
    version integer not null, cause text not null, amount text not null, currency text not null,
    unique (key_id, cause, currency)) strict""",
    """create table live_followed (program text primary key, basis text not null, loaded_as_of integer not null,
    moneys text not null, stale text) strict, without rowid""",
    "create table live_awaited (line_id text primary key) strict, without rowid",
)


class SqliteTotals:
    """Totals and statements in the file of a register."""

    def __init__(self, register: SqliteRegister) -> None:
        """Open the store, made empty where there is none yet. Raises Refusal `totals_newer`."""
        self._register = register
        with register.reading() as connection:
            ready = _is_ready(connection)
        if not ready:
            with register.transaction() as connection:
                if not _is_ready(connection):
                    for statement in _TABLES:
                        connection.execute(statement)
                    connection.execute("insert into live_format values (?)", (VERSION,))

    @contextmanager
    def batch(self, batch_seq: int, *, at: datetime) -> Iterator["SqliteWork"]:
        """Open the transaction of a batch; leaving it without an error posts the batch."""
        with self._register.transaction() as connection:
            done = not mark_posted(connection, batch_seq, at=at)
            taking = [] if done else [each for each in _followed(connection) if each.loaded_as_of < batch_seq]
            yield SqliteWork(connection, f"batch:{batch_seq}", [each for each in taking if not each.stale], done=done)

    @contextmanager
    def load(self, programs: Sequence[Followed], *, expected: Sequence[Followed]) -> Iterator["SqliteWork"]:
        """Open the transaction in which programs begin to be followed, or begin anew."""
        with self._register.transaction() as connection:
            named = {each.program for each in programs}
            standing = [each for each in _followed(connection) if each.program in named]
            as_of = {each.loaded_as_of for each in programs}
            assert len(as_of) == 1, "programs that are loaded together are computed as of one batch"
            later = connection.execute(
                "select max(batch_seq) from batch where state = 'posted' and batch_seq > ?", (max(as_of),)
            ).fetchone()[0]
            if standing != list(expected) or later is not None:
                raise Refusal(
                    "totals_moved", "Other batches were posted while the balances were worked out; work them out again."
                )
            for each in programs:
                connection.execute(_DELETE_TOTALS, (each.program,))
                _write_followed(connection, each)
            (sequence,) = connection.execute("select coalesce(max(sequence), 0) + 1 from live_posting").fetchone()
            yield SqliteWork(connection, f"load:{max(as_of)}:{sequence}", list(programs), done=False)

    def forget(self, program: str) -> None:
        """Follow a program no more."""
        with self._register.transaction() as connection:
            (sequence,) = connection.execute("select coalesce(max(sequence), 0) + 1 from live_posting").fetchone()
            SqliteWork(connection, f"forget:{sequence}", [], done=False).withdraw(program, (), among=None)
            connection.execute(_DELETE_TOTALS, (program,))
            connection.execute("delete from live_followed where program = ?", (program,))

    def followed(self) -> list[Followed]:
        """List the followed programs by name."""
        with self._register.reading() as connection:
            return _followed(connection)

    def standings(self, *, program: str | None = None, payee: str | None = None) -> list[Standing]:
        """Give the statements as they stand, in the order of their keys."""
        columns = ", ".join((*_KEY, *_FIGURES))
        where = "where (?1 is null or program = ?1) and (?2 is null or payee_id = ?2)"
        with self._register.reading() as connection:
            rows = connection.execute(
                f"select {columns} from live_key k join live_statement s on s.key_id = k.id {where} order by {', '.join(_KEY)}",
                (program, payee),
            ).fetchall()
        return [_standing(row) for row in rows]

    def postings(self, *, program: str | None = None) -> list[Posting]:
        """Give what was posted, in order of time."""
        columns = ", ".join(_KEY)
        with self._register.reading() as connection:
            rows = connection.execute(
                f"select {columns}, version, amount, currency, cause from live_posting p join live_key k on k.id = p.key_id "
                "where ?1 is null or program = ?1 order by sequence",
                (program,),
            ).fetchall()
        return [
            Posting(key=_key(row[:6]), version=row[6], amount=Decimal(row[7]), currency=row[8], cause=row[9])
            for row in rows
        ]


class SqliteWork:
    """One open transaction."""

    def __init__(self, connection: sqlite3.Connection, cause: str, followed: Sequence[Followed], *, done: bool) -> None:
        self._connection = connection
        self._cause = cause
        self._followed = {each.program: each for each in followed}
        self._done = done

    @property
    def done(self) -> bool:
        """Tell whether the batch was posted before."""
        return self._done

    def followed(self) -> list[Followed]:
        """List the followed programs that are worked."""
        return [self._followed[name] for name in sorted(self._followed)]

    def add(self, shares: Totals) -> Totals:
        """Add shares to the totals; give all parts of every touched scope."""
        assert not self._done, "the batch was posted before"
        assert {key.program for key in shares} <= self._followed.keys(), "a program takes no part"
        ids = self._numbers("live_scope", _SCOPE, {key: (*key[:2], _text(key[2]), _text(key[3])) for key in shares})
        standing = self._standing_parts(ids.values())
        merged: dict[ScopeKey, dict[str, Sums]] = {}
        written: list[tuple[str | int, ...]] = []
        for key, parts in shares.items():
            totals = merged[key] = standing.get(ids[key], {})
            for part, share in parts.items():
                sums = totals[part] = totals[part].plus(share) if part in totals else share
                written.append((ids[key], part, *map(str, sums[:4]), sums.lines))
        self._connection.executemany(f"insert or replace into live_total values ({_marks(7)})", written)
        return merged

    def put(self, standings: Sequence[Standing]) -> int:
        """Put statements in the place of the earlier ones of the same keys and post the differences."""
        assert not self._done, "the batch was posted before"
        ids = self._numbers("live_key", _KEY, {each.key: _key_text(each.key) for each in standings})
        earned = self._connection.execute(_EARNED, (json.dumps(list(ids.values())),)).fetchall()
        before = {key_id: {currency: Decimal(amount)} for key_id, amount, currency in earned}
        written: list[tuple[str | int | None, ...]] = []
        posted: list[tuple[str | int, ...]] = []
        for each in standings:
            key_id = ids[each.key]
            written.append((key_id, *_figures(each)))
            posted += self._differences(key_id, each.version, before.get(key_id, {}), {each.currency: each.earned})
        self._connection.executemany(f"insert or replace into live_statement values ({_marks(14)})", written)
        self._post(posted)
        return len(posted)

    def withdraw(self, program: str, keep: Collection[StatementKey], *, among: Among | None) -> int:
        """Withdraw the statements of a program that are not to be kept, and post what that takes back."""
        where, values = "", list[str]()
        if among is not None:
            values = [f'$."{among.word}"', json.dumps(sorted(among.values)), _text(among.since)]
            where = " and json_extract(scope, ?) in (select value from json_each(?)) and period_from >= ?"
        kept = {_key_text(each) for each in keep}
        rows = self._connection.execute(
            f"select {', '.join(_KEY)}, k.id, version, earned, currency from live_key k join live_statement s "
            f"on s.key_id = k.id where program = ?{where}",
            (program, *values),
        ).fetchall()
        gone = [row[6:] for row in rows if row[:6] not in kept]
        for key_id, version, earned, currency in gone:
            self._post(self._differences(key_id, version, {currency: Decimal(earned)}, {}))
        self._connection.executemany("delete from live_statement where key_id = ?", [row[:1] for row in gone])
        return len(gone)

    def met(self, program: str, moneys: Collection[str]) -> frozenset[str]:
        """Note currencies that a program met; give all that it met since its load."""
        followed = self._followed[program]
        if not followed.moneys >= set(moneys):
            followed = replace(followed, moneys=followed.moneys | set(moneys))
            self._followed[program] = followed
            _write_followed(self._connection, followed)
        return followed.moneys

    def turn_stale(self, program: str, reason: str) -> None:
        """Say that a program has to be loaded anew."""
        self._connection.execute("update live_followed set stale = ? where program = ?", (reason, program))

    def await_sales(self, line_ids: Collection[str]) -> None:
        """Remember sales that returns name and that are not in the lake yet."""
        self._connection.executemany("insert or ignore into live_awaited values (?)", [(each,) for each in line_ids])

    def awaited(self, line_ids: Collection[str]) -> bool:
        """Tell whether one of the lines is a sale that an earlier return named; it is awaited no longer."""
        if self._connection.execute("select 1 from live_awaited limit 1").fetchone() is None:
            return False
        found = self._connection.execute(
            "delete from live_awaited where line_id in (select value from json_each(?)) returning line_id",
            (json.dumps(list(line_ids)),),
        ).fetchall()
        return bool(found)

    def _numbers[Key](self, table: str, columns: Sequence[str], keys: Mapping[Key, Sequence[str]]) -> dict[Key, int]:
        """Give the numbers of keys, new ones where they have none yet."""
        values = [f"json_extract(j.value, '$[{at}]')" for at in range(len(columns))]
        same = " and ".join(f"t.{column} = {value}" for column, value in zip(columns, values, strict=True))
        find = f"select t.id from json_each(?) j left join {table} t on {same} order by j.key"
        add = f"insert into {table} ({', '.join(columns)}) values ({_marks(len(columns))}) returning id"
        found = self._connection.execute(find, (json.dumps(list(keys.values())),)).fetchall()
        return {
            key: number if number is not None else self._connection.execute(add, tuple(written)).fetchone()[0]
            for (key, written), (number,) in zip(keys.items(), found, strict=True)
        }

    def _standing_parts(self, scope_ids: Iterable[int]) -> dict[int, dict[str, Sums]]:
        """Give the parts of scopes as they stand."""
        parts: dict[int, dict[str, Sums]] = {}
        rows = self._connection.execute(_PARTS, (json.dumps(list(scope_ids)),))
        for scope_id, part, measure, base, units, quantity, lines in rows:
            sums = Sums(int(measure), int(base), int(units), int(quantity), lines)
            parts.setdefault(scope_id, {})[part] = sums
        return parts

    def _differences(
        self, key_id: int, version: int, before: Mapping[str, Decimal], after: Mapping[str, Decimal]
    ) -> list[tuple[str | int, ...]]:
        """Give the rows to post: a statement whose currency changed is taken back in the one and given in the other."""
        rows: list[tuple[str | int, ...]] = []
        for currency in sorted(before.keys() | after.keys()):
            amount = _EXACT.subtract(after.get(currency, Decimal(0)), before.get(currency, Decimal(0)))
            if amount:
                rows.append((key_id, version, self._cause, f"{amount:f}", currency))
        return rows

    def _post(self, rows: Sequence[tuple[str | int, ...]]) -> None:
        self._connection.executemany(
            f"insert into live_posting (key_id, version, cause, amount, currency) values ({_marks(5)})", rows
        )


def _marks(count: int) -> str:
    return ", ".join("?" * count)


_DELETE_TOTALS = "delete from live_total where scope_id in (select id from live_scope where program = ?)"
_EARNED = "select key_id, earned, currency from json_each(?) j cross join live_statement s on s.key_id = j.value"  # in this order
_PARTS = (
    "select scope_id, part, measure, base, units, quantity, lines from json_each(?) j cross join live_total t "
    "on t.scope_id = j.value"
)


def _is_ready(connection: sqlite3.Connection) -> bool:
    """Tell whether the tables are there. Raises Refusal `totals_newer` where a newer version made them."""
    if connection.execute("select 1 from sqlite_master where name = 'live_format'").fetchone() is None:
        return False
    (version,) = connection.execute("select version from live_format").fetchone()
    if version != VERSION:
        raise Refusal(
            "totals_newer",
            f"The live balances have format {version}; this version of Headrace knows format {VERSION}. Use the newer version.",
        )
    return True


def _followed(connection: sqlite3.Connection) -> list[Followed]:
    rows = connection.execute(
        "select program, basis, loaded_as_of, moneys, stale from live_followed order by program"
    ).fetchall()
    return [
        Followed(program=program, basis=basis, loaded_as_of=as_of, moneys=frozenset(json.loads(moneys)), stale=stale)
        for program, basis, as_of, moneys, stale in rows
    ]


def _write_followed(connection: sqlite3.Connection, each: Followed) -> None:
    row = (each.program, each.basis, each.loaded_as_of, json.dumps(sorted(each.moneys)), each.stale)
    connection.execute(f"insert or replace into live_followed values ({_marks(5)})", row)


def _figures(each: Standing) -> Iterable[str | int | None]:
    for name in _FIGURES:
        value = getattr(each, name)
        if isinstance(value, Decimal):
            yield f"{value:f}"
        elif isinstance(value, date):
            yield value.isoformat()
        else:
            yield value


_DECIMALS = {"measure", "base", "earned", "unverified", "next_from", "next_distance", "carried", "carried_in"}


def _standing(row: Sequence[str | int | None]) -> Standing:
    figures: dict[str, object] = dict(zip(_FIGURES, row[6:], strict=True))
    for name in _DECIMALS:
        figures[name] = None if figures[name] is None else Decimal(str(figures[name]))
    due = figures["payable_on"]
    figures["payable_on"] = None if due is None else date.fromisoformat(str(due))
    return Standing(key=_key([str(value) for value in row[:6]]), **figures)  # type: ignore[arg-type]


def _key(row: Sequence[str]) -> StatementKey:
    return StatementKey(row[0], row[1], row[2], row[3], _date(row[4]), _date(row[5]))


def _key_text(key: StatementKey) -> tuple[str, ...]:
    return (*key[:4], _text(key.from_), _text(key.until))


def _text(day: date | None) -> str:
    return day.isoformat() if day else ""


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
