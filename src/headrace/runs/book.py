"""What a lake's runs have decided: reference tables in force, active programs, finalised periods and their postings.

A small SQLite file beside the lake's register (`runs.sqlite3`), until an application's database takes its place. Amounts are
decimal text, days ISO text. Reference tables are content hashes of snapshots in the lake and are never changed: a newer one
takes over from the moment that it is known. A run is `pending` from before its awards reach the lake until its postings are
written; postings and the state `final` are one transaction, so a run that was cut off has posted nothing.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from headrace.engine.findings import Refusal
from headrace.lake import Lake
from headrace.lake.register_sqlite import SqliteRegister
from headrace.live import SqliteTotals

FILE_NAME = "runs.sqlite3"
_FORMAT = 1
_BUSY_SECONDS = 30
_SCHEMA = """
CREATE TABLE reference (
    kind TEXT NOT NULL, hash TEXT NOT NULL, known_since TEXT NOT NULL, source TEXT NOT NULL,
    sequence INTEGER PRIMARY KEY AUTOINCREMENT
) STRICT;
CREATE TABLE program (
    program TEXT NOT NULL, version INTEGER NOT NULL, hash TEXT NOT NULL, document TEXT NOT NULL, added_at TEXT NOT NULL,
    PRIMARY KEY (program, version)
) STRICT;
CREATE TABLE run (
    run TEXT PRIMARY KEY, program TEXT NOT NULL, period_from TEXT NOT NULL, period_until TEXT NOT NULL,
    batch_seq INTEGER NOT NULL, sequence INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('pending', 'final')),
    at TEXT NOT NULL, UNIQUE (program, sequence)
) STRICT;
CREATE TABLE posting (
    run TEXT NOT NULL REFERENCES run (run), program TEXT NOT NULL, payee_kind TEXT NOT NULL, payee_id TEXT NOT NULL,
    scope TEXT NOT NULL, period_from TEXT NOT NULL, period_until TEXT NOT NULL, amount TEXT NOT NULL, currency TEXT NOT NULL,
    PRIMARY KEY (run, program, payee_kind, payee_id, scope, period_from, period_until)
) STRICT;
CREATE INDEX posting_program ON posting (program);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What one run posted for one statement. from_, until: the statement's period, null where unbounded."""

    program: str
    payee_kind: str
    payee_id: str
    scope: str
    from_: date | None
    until: date | None
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run of finalising. sequence: its place among the runs of the program, from 1; no two share one."""

    run: str
    program: str
    from_: date | None
    until: date | None
    batch_seq: int
    sequence: int
    state: str


class Book:
    """The book of one lake. One connection; use one object a thread."""

    def __init__(self, folder: Path, *, to_read: bool = False) -> None:
        """Open the book of a lake's folder, and make it where it is not there.

        to_read: nothing is written, not even a book, so that a user who may only read the folder can do so. Raises Refusal
        `book_newer` where a newer Headrace wrote it, `book_unwritable` or `book_unreadable` where it cannot be opened.
        """
        if to_read:
            self._con = _open_to_read(folder)
            return
        try:
            self._con = sqlite3.connect(folder / FILE_NAME, timeout=_BUSY_SECONDS, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise _unwritable(folder, error) from error
        try:
            self._con.execute("PRAGMA journal_mode = WAL")
            self._con.execute("PRAGMA synchronous = FULL")
            self._con.execute("PRAGMA foreign_keys = ON")
            self._make(folder)
        except Refusal:
            self._con.close()
            raise
        except sqlite3.OperationalError as error:
            self._con.close()
            raise _unwritable(folder, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    def totals(self, lake: Lake) -> SqliteTotals:
        """Give the store of live balances, in the file of the lake's register."""
        assert isinstance(lake.register, SqliteRegister), "the lake's register lies in an application's database"
        return SqliteTotals(lake.register)

    # Reference tables

    def set_reference(self, kind: str, content_hash: str, *, source: str) -> bool:
        """Put a reference table in force from now on; false where this very content is in force already."""
        with self._transaction():
            if self.references().get(kind) == content_hash:
                return False
            self._con.execute(
                "INSERT INTO reference (kind, hash, known_since, source) VALUES (?, ?, ?, ?)",
                (kind, content_hash, _now(), source),
            )
        return True

    def references(self) -> dict[str, str]:
        """Give the content hash of each reference table that is in force."""
        query = "SELECT kind, hash FROM reference WHERE sequence IN (SELECT max(sequence) FROM reference GROUP BY kind)"
        return dict(self._con.execute(query).fetchall())

    # Programs

    def set_program(self, program: str, version: int, *, content_hash: str, document: Mapping[str, object]) -> bool:
        """Activate one version of a program for live balances; false where it is active already.

        Raises Refusal `version_taken` where that version is active with other terms.
        """
        with self._transaction():
            row = self._con.execute(
                "SELECT hash FROM program WHERE program = ? AND version = ?", (program, version)
            ).fetchone()
            if row is not None:
                if row[0] == content_hash:
                    return False
                raise Refusal(
                    "version_taken",
                    f"Version {version} of {program} is active with other terms, and a version never changes. "
                    "Give the changed terms a higher version number.",
                )
            self._con.execute(
                "INSERT INTO program VALUES (?, ?, ?, ?, ?)",
                (program, version, content_hash, json.dumps(document, sort_keys=True), _now()),
            )
        return True

    def remove_program(self, program: str) -> bool:
        """Deactivate all versions of a program; false where it was not active. What it posted stays."""
        with self._transaction():
            return self._con.execute("DELETE FROM program WHERE program = ?", (program,)).rowcount > 0

    def programs(self) -> list[dict[str, object]]:
        """Give the documents of all active versions, by program and version."""
        query = "SELECT document FROM program ORDER BY program, version"
        return [json.loads(row[0]) for row in self._con.execute(query).fetchall()]

    # Finalising

    def begin(self, run: RunRow) -> RunRow:
        """Note a run before its awards reach the lake; gives the row that is there where it was begun already.

        Raises Refusal `finalised_meanwhile` where another run of the program has taken this one's place in the sequence.
        """
        with self._transaction():
            found = self._run(run.run)
            if found is not None:
                return found
            values = (run.run, run.program, _day(run.from_), _day(run.until), run.batch_seq, run.sequence, _now())
            try:
                self._con.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, 'pending', ?)", values)
            except sqlite3.IntegrityError as error:
                message = f"Another run finalised {run.program} in the meantime; nothing was posted by this one. Run it again."
                raise Refusal("finalised_meanwhile", message) from error
        return run

    def finish(self, run: str, postings: Iterable[Posting]) -> None:
        """Write a run's postings and make it final, in one transaction; a run that is final stays as it is."""
        with self._transaction():
            found = self._run(run)
            assert found is not None, f"{run} was not begun"
            if found.state == "final":
                return
            rows = [
                (
                    run,
                    p.program,
                    p.payee_kind,
                    p.payee_id,
                    p.scope,
                    _day(p.from_),
                    _day(p.until),
                    f"{p.amount:f}",
                    p.currency,
                )
                for p in postings
            ]
            self._con.executemany("INSERT INTO posting VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._con.execute("UPDATE run SET state = 'final' WHERE run = ?", (run,))

    def runs(self, program: str | None = None) -> list[RunRow]:
        """Give the runs in the order in which they were begun."""
        query = "SELECT run, program, period_from, period_until, batch_seq, sequence, state FROM run"
        if program is None:
            return [_row(row) for row in self._con.execute(f"{query} ORDER BY sequence, run").fetchall()]
        return [
            _row(row)
            for row in self._con.execute(f"{query} WHERE program = ? ORDER BY sequence, run", (program,)).fetchall()
        ]

    def postings(self, program: str | None = None) -> list[Posting]:
        """Give what was posted, summed for each statement."""
        query = (
            "SELECT program, payee_kind, payee_id, scope, period_from, period_until, amount, currency FROM posting"
            " WHERE ? IS NULL OR program = ?"
        )
        sums: dict[tuple[str, ...], Decimal] = {}
        for *key, amount, currency in self._con.execute(query, (program, program)).fetchall():
            identity = (*key, currency)
            sums[identity] = sums.get(identity, Decimal(0)) + Decimal(amount)
        return [
            Posting(
                program=key[0], payee_kind=key[1], payee_id=key[2], scope=key[3], from_=_date(key[4]), until=_date(key[5]),
                amount=amount, currency=key[6],
            )
            for key, amount in sorted(sums.items())
        ]  # fmt: skip

    def _run(self, run: str) -> RunRow | None:
        query = "SELECT run, program, period_from, period_until, batch_seq, sequence, state FROM run WHERE run = ?"
        row = self._con.execute(query, (run,)).fetchone()
        return None if row is None else _row(row)

    def _make(self, folder: Path) -> None:
        with self._transaction():
            if not _is_made(self._con, folder):
                _make_tables(self._con)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._con.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._con.execute("ROLLBACK")
            raise
        self._con.execute("COMMIT")


def _open_to_read(folder: Path) -> sqlite3.Connection:
    path = folder / FILE_NAME
    if not path.is_file():
        return _empty()
    try:
        return _read_only(path, "mode=rw")
    except sqlite3.OperationalError as error:
        # In a folder that this user cannot write, SQLite has no place for the files by which readers and writers see each
        # other. Without a write-ahead log nobody is writing, and the file can be read as one that will not change.
        if error.sqlite_errorname.startswith("SQLITE_READONLY") and not path.with_name(f"{FILE_NAME}-wal").exists():
            return _read_only(path, "immutable=1")
        raise _unreadable(folder, error) from error


def _read_only(path: Path, how: str) -> sqlite3.Connection:
    con = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        con.execute("PRAGMA query_only = ON")
        if _is_made(con, path.parent):
            return con
    except BaseException:
        con.close()
        raise
    con.close()
    return _empty()


def _empty() -> sqlite3.Connection:
    con = sqlite3.connect(":memory:", isolation_level=None)
    _make_tables(con)
    return con


def _is_made(con: sqlite3.Connection, folder: Path) -> bool:
    version = con.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, _FORMAT):
        raise Refusal(
            "book_newer",
            f"The book of runs in {folder} has format {version}; this version of Headrace knows {_FORMAT}. "
            "Use the newer version.",
        )
    return bool(version == _FORMAT)


def _make_tables(con: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";\n"):
        if statement.strip():
            con.execute(statement)
    con.execute(f"PRAGMA user_version = {_FORMAT}")


def _unreadable(folder: Path, error: Exception) -> Refusal:
    message = (
        f"The book of runs in {folder} cannot be read ({error}). Let somebody who may write there run `headrace lake recover`, "
        "or work on a copy of the folder."
    )
    return Refusal("book_unreadable", message)


def _unwritable(folder: Path, error: Exception) -> Refusal:
    message = f"The book of runs in {folder} cannot be opened ({error}). Check that the folder can be written."
    return Refusal("book_unwritable", message)


def _row(row: tuple[str, str, str, str, int, int, str]) -> RunRow:
    run, program, from_, until, batch_seq, sequence, state = row
    return RunRow(
        run=run, program=program, from_=_date(from_), until=_date(until), batch_seq=batch_seq, sequence=sequence, state=state
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
