"""The register of batches and the lease, in one small SQLite file beside the tables of the lake.

Commits about batches wait for the disk; commits about the lease do not, for a lease has no meaning after the power failed.
"""

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from headrace.engine.findings import Refusal
from headrace.lake.durable import sync_file, sync_folder, temporary_name
from headrace.lake.owner import is_known_dead
from headrace.lake.register import Batch, Lease, State

FILE_NAME = "register.sqlite3"
VERSION = 1
_WAIT_SECONDS = 10.0

_TABLES = """
create table batch (
    batch_seq     integer primary key check (batch_seq > 0),
    content_hash  text not null,
    source        text not null,
    state         text not null check (state in ('registered', 'appended', 'posted', 'refused')),
    raw           text,
    registered_at text not null,
    appended_at   text,
    posted_at     text,
    refused_at    text,
    accepted      integer,
    duplicates    integer,
    reason        text,
    check ((state in ('appended', 'posted')) = (accepted is not null and duplicates is not null)),
    check ((state = 'refused') = (reason is not null))
) strict;
create unique index batch_content on batch (content_hash) where state <> 'refused';
create table lease (
    only_row   integer primary key check (only_row = 1),
    token      integer not null,
    owner      text,
    expires_at text
) strict;
insert into lease values (1, 0, null, null);
"""
_COLUMNS = "batch_seq, content_hash, source, state, registered_at, raw, accepted, duplicates, reason"


class SqliteRegister:
    """A register in a SQLite file. Safe to share between threads; other processes open their own."""

    def __init__(self, path: Path) -> None:
        """Open the register. Raises Refusal `register_missing`, `register_newer` or `register_damaged`."""
        self.path = path
        if not path.is_file():
            raise Refusal(
                "register_missing",
                f"The register of batches {path} is not there. Bring it back from the backup that belongs to this lake, or "
                "build it again from the lake with headrace.lake.rebuild_register.",
            )
        self._lock = threading.RLock()
        self._durable = self._connect("full")
        self._quick = self._connect("normal")
        # Closed with the object that uses them, wherever it is let go: an open SQLite file is no harm, but it is untidy.
        self._closing = weakref.finalize(self, _close, self._durable, self._quick)

    @classmethod
    def create(cls, path: Path) -> "SqliteRegister":
        """Make an empty register."""
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.executescript(f"begin; {_TABLES} pragma user_version = {VERSION}; commit;")
        connection.close()
        return cls(path)

    @classmethod
    def restore(cls, path: Path, batches: Sequence[Batch]) -> "SqliteRegister":
        """Make a register that holds these batches already; it is there wholly or not at all."""
        building = temporary_name(path)
        cls.create(building).close()
        connection = sqlite3.connect(building, isolation_level=None)
        marks = ", ".join("?" for _ in range(9))
        connection.execute("begin")
        connection.executemany(
            f"insert into batch ({_COLUMNS}) values ({marks})", [_as_row(batch) for batch in batches]
        )
        connection.execute("commit")
        connection.close()
        sync_file(building)
        building.replace(path)
        sync_folder(path.parent)
        return cls(path)

    def close(self) -> None:
        """Let the file go."""
        self._closing()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open one durable transaction on the file, for what must be written together with a batch's state."""
        with self._write(self._durable) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read several tables of the file as they are at one moment."""
        with self._lock:
            self._durable.execute("begin")
            try:
                yield self._durable
            finally:
                self._durable.execute("rollback")

    def register(self, *, content_hash: str, source: str, raw: str, at: datetime) -> Batch:
        """Give the next `batch_seq`, or the earlier batch of that content."""
        with self._write(self._durable) as connection:
            found = _find(connection, content_hash, earlier=True)
            return found or _insert(connection, content_hash=content_hash, source=source, raw=raw, at=at)

    def batch(self, batch_seq: int) -> Batch | None:
        """Find one batch."""
        with self._lock:
            return _batch(self._durable, batch_seq)

    def batches(self) -> list[Batch]:
        """List all batches by `batch_seq`."""
        with self._lock:
            rows = self._durable.execute(f"select {_COLUMNS} from batch order by batch_seq").fetchall()
        return [_as_batch(row) for row in rows]

    def find(self, content_hash: str) -> Batch | None:
        """Find the batch of that content that is not refused."""
        with self._lock:
            return _find(self._durable, content_hash, earlier=False)

    def mark_appended(self, batch_seq: int, *, accepted: int, duplicates: int, token: int, at: datetime) -> None:
        """Note that the rows are durable in the lake."""
        with self._write(self._durable) as connection:
            (current,) = connection.execute("select token from lease").fetchone()
            if current != token:
                raise _lease_lost(self.path)
            connection.execute(
                "update batch set state = 'appended', accepted = ?, duplicates = ?, appended_at = ?"
                " where batch_seq = ? and state = 'registered'",
                (accepted, duplicates, _text(at), batch_seq),
            )

    def mark_posted(self, batch_seq: int, *, at: datetime) -> None:
        """Note that everything that follows from the batch is posted."""
        with self._write(self._durable) as connection:
            mark_posted(connection, batch_seq, at=at)

    def refuse(self, batch_seq: int, *, reason: str, at: datetime) -> None:
        """Close a registered batch of which nothing is in the lake."""
        with self._write(self._durable) as connection:
            _refuse(connection, batch_seq, reason=reason, at=at)

    def renumber(self, batch_seq: int, *, at: datetime) -> Batch:
        """Close a registered batch that later ones have overtaken and register its content anew."""
        with self._write(self._durable) as connection:
            old = _batch(connection, batch_seq)
            assert old is not None
            assert old.raw is not None
            (last,) = connection.execute("select max(batch_seq) from batch").fetchone()
            reason = f"later batches came into the lake first; it goes on as batch {last + 1}"
            _refuse(connection, batch_seq, reason=reason, at=at)
            return _insert(connection, content_hash=old.content_hash, source=old.source, raw=old.raw, at=at)

    def forget_raw(self, batch_seqs: list[int]) -> list[str]:
        """Note that raw files are no longer kept; give the names that no other batch uses."""
        marks = ", ".join("?" for _ in batch_seqs)
        with self._write(self._durable) as connection:
            rows = connection.execute(
                f"select distinct raw from batch where batch_seq in ({marks}) and raw is not null", batch_seqs
            ).fetchall()
            connection.executemany("update batch set raw = null where raw = ? and state <> 'registered'", rows)
            kept = {name for (name,) in connection.execute("select distinct raw from batch where raw is not null")}
        return [name for (name,) in rows if name not in kept]

    def acquire(self, *, owner: str, now: datetime, expires_at: datetime) -> Lease | None:
        """Take the lease if it is free, expired, or its holder is known dead."""
        with self._write(self._quick) as connection:
            token, holder, until = connection.execute("select token, owner, expires_at from lease").fetchone()
            if holder is not None and until > _text(now) and not is_known_dead(holder):
                return None
            connection.execute(
                "update lease set token = ?, owner = ?, expires_at = ?", (token + 1, owner, _text(expires_at))
            )
        return Lease(token=token + 1, owner=owner, expires_at=expires_at, taken_over=holder is not None)

    def extend(self, lease: Lease, *, expires_at: datetime) -> Lease:
        """Hold the lease longer."""
        with self._write(self._quick) as connection:
            changed = connection.execute(
                "update lease set expires_at = ? where token = ?", (_text(expires_at), lease.token)
            )
            if changed.rowcount != 1:
                raise _lease_lost(self.path)
        return Lease(token=lease.token, owner=lease.owner, expires_at=expires_at, taken_over=lease.taken_over)

    def release(self, lease: Lease) -> None:
        """Give the lease back."""
        with self._write(self._quick) as connection:
            connection.execute("update lease set owner = null, expires_at = null where token = ?", (lease.token,))

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"pragma synchronous = {synchronous}")
            (version,) = connection.execute("pragma user_version").fetchone()
            _refuse_other_version(self.path, version)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                raise _damaged(self.path, str(error)) from error
            raise
        return connection

    @contextmanager
    def _write(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")


def mark_posted(connection: sqlite3.Connection, batch_seq: int, *, at: datetime) -> bool:
    """Note inside a transaction of the caller that a batch is posted; false if it was already.

    Raises Refusal `batch_not_appended` where the batch is not in the lake.
    """
    changed = connection.execute(
        "update batch set state = 'posted', posted_at = ? where batch_seq = ? and state = 'appended'",
        (_text(at), batch_seq),
    )
    if changed.rowcount == 1:
        return True
    found = _batch(connection, batch_seq)
    if found is not None and found.state is State.POSTED:
        return False
    raise Refusal(
        "batch_not_appended",
        f"Batch {batch_seq} cannot be posted: it is {found.state if found else 'not registered'}. Only a batch whose lines are "
        "in the lake is posted; take it in first.",
    )


def _insert(connection: sqlite3.Connection, *, content_hash: str, source: str, raw: str, at: datetime) -> Batch:
    (last,) = connection.execute("select coalesce(max(batch_seq), 0) from batch").fetchone()
    connection.execute(
        "insert into batch (batch_seq, content_hash, source, state, raw, registered_at) values (?, ?, ?, 'registered', ?, ?)",
        (last + 1, content_hash, source, raw, _text(at)),
    )
    return Batch(
        batch_seq=last + 1, content_hash=content_hash, source=source, state=State.REGISTERED, registered_at=at, raw=raw
    )


def _refuse(connection: sqlite3.Connection, batch_seq: int, *, reason: str, at: datetime) -> None:
    changed = connection.execute(
        "update batch set state = 'refused', reason = ?, refused_at = ? where batch_seq = ? and state = 'registered'",
        (reason, _text(at), batch_seq),
    )
    if changed.rowcount != 1:
        raise Refusal(
            "batch_not_open",
            f"Batch {batch_seq} cannot be closed: only a registered batch that is not in the lake yet can. Correct lines that "
            "are in the lake by reversals.",
        )


def _find(connection: sqlite3.Connection, content_hash: str, *, earlier: bool) -> Batch | None:
    row = connection.execute(
        f"select {_COLUMNS} from batch where content_hash = ? and state <> 'refused'", (content_hash,)
    ).fetchone()
    return _as_batch(row, earlier=earlier) if row else None


def _batch(connection: sqlite3.Connection, batch_seq: int) -> Batch | None:
    row = connection.execute(f"select {_COLUMNS} from batch where batch_seq = ?", (batch_seq,)).fetchone()
    return _as_batch(row) if row else None


def _as_batch(
    row: tuple[int, str, str, str, str, str | None, int | None, int | None, str | None], *, earlier: bool = False
) -> Batch:
    seq, content_hash, source, state, registered_at, raw, accepted, duplicates, reason = row
    return Batch(
        batch_seq=seq,
        content_hash=content_hash,
        source=source,
        state=State(state),
        registered_at=datetime.fromisoformat(registered_at),
        raw=raw,
        accepted=accepted,
        duplicates=duplicates,
        reason=reason,
        earlier=earlier,
    )


def _as_row(batch: Batch) -> tuple[int, str, str, str, str, str | None, int | None, int | None, str | None]:
    return (
        batch.batch_seq,
        batch.content_hash,
        batch.source,
        batch.state.value,
        _text(batch.registered_at),
        batch.raw,
        batch.accepted,
        batch.duplicates,
        batch.reason,
    )


def _text(at: datetime) -> str:
    """Write an instant so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _close(*connections: sqlite3.Connection) -> None:
    for connection in connections:
        connection.close()


def _refuse_other_version(path: Path, version: int) -> None:
    if version > VERSION:
        raise Refusal(
            "register_newer",
            f"The register of batches {path} has format {version}; this version of Headrace knows format {VERSION}. Use the "
            "newer version of Headrace.",
        )
    if version < VERSION:
        raise _damaged(path, f"format {version} is none that there ever was")


def _damaged(path: Path, what: str) -> Refusal:
    return Refusal(
        "register_damaged",
        f"The register of batches {path} cannot be read: {what}. Bring it back from the backup of this lake, or move "
        "it away and build it again from the lake with headrace.lake.rebuild_register.",
    )


def _lease_lost(path: Path) -> Refusal:
    return Refusal(
        "lease_lost",
        f"Another process took over the lake {path.parent} while this one was at work. Send the request again: what was already "
        "added is recognised.",
    )
