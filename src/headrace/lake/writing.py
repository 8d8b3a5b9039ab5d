"""The right to write: one lease per lake, and what its holder puts in order before anything else.

A lease that its holder did not give back is taken over when it has expired or the holder is known dead. The new holder first
commits an empty version to every table. A process that lost its lease while it was paused has written its files for exactly
that version, so its commit fails: it cannot add anything, whatever it believes. Only then are its files removed.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.engine.findings import Refusal
from headrace.lake.datafiles import uncommitted
from headrace.lake.delta import Commit, DeltaFolder
from headrace.lake.durable import remove_files
from headrace.lake.owner import owner_name
from headrace.lake.register import Lease, Register, State
from headrace.lake.rows import BATCH_SEQ

# Application id in the Delta log whose number is the highest batch_seq with lines in the table.
BATCHES = "headrace.batches"
LEASE_SECONDS = 120.0
_POLL_SECONDS = 0.02
_FENCE_TRIES_MAX = 5

type Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was put in order. appended: batches found in the lake that the register did not know to be there yet. removed: files
    of unfinished work. torn: log files that a power failure left half written, set aside."""

    appended: tuple[int, ...] = ()
    removed: int = 0
    torn: tuple[str, ...] = ()


class Writing:
    """Gives the lease of one lake to this process, one thread at a time."""

    def __init__(self, *, folder: Path, register: Register, tables: Mapping[str, DeltaFolder], clock: Clock) -> None:
        self._folder = folder
        self._register = register
        self._tables = tables
        self._clock = clock
        self._thread = threading.Lock()

    @contextmanager
    def lease(self, *, wait_seconds_max: float) -> Iterator["Held"]:
        """Hold the lease inside the block, the lines read anew and in order; who uses another table refreshes that one.

        Raises Refusal `lake_busy` if another writer holds it for longer than the wait.
        """
        until = time.monotonic() + wait_seconds_max
        if not self._thread.acquire(timeout=wait_seconds_max):
            raise _busy(self._folder, wait_seconds_max)
        try:
            held = Held(self._register, self._acquire(until, wait_seconds_max), self._clock)
            try:
                self._tables["lines"].refresh()
                if held.lease.taken_over:
                    self._fence()
                    self.sweep(fenced=True)
                settle(self._register, self._tables["lines"], held.lease, self._clock())
                yield held
            finally:
                self._register.release(held.lease)
        finally:
            self._thread.release()

    def sweep(self, *, fenced: bool = False) -> int:
        """Remove the files of commits that did not come and can come no more; give their number. Needs the lease.

        fenced: the version last read is the empty one that this holder has just committed.
        """
        removed = 0
        for table in self._tables.values():
            table.refresh()
            first = table.version if fenced else table.version + 1
            removed += remove_files(uncommitted(table.path, from_version=first))
        return removed

    def _acquire(self, until: float, wait_seconds_max: float) -> Lease:
        owner = owner_name()
        while True:
            now = self._clock()
            lease = self._register.acquire(owner=owner, now=now, expires_at=now + timedelta(seconds=LEASE_SECONDS))
            if lease is not None:
                return lease
            if time.monotonic() >= until:
                raise _busy(self._folder, wait_seconds_max)
            time.sleep(_POLL_SECONDS)

    def _fence(self) -> None:
        for table in self._tables.values():
            table.refresh()
            for tries_left in reversed(range(_FENCE_TRIES_MAX)):
                try:
                    table.commit(Commit(operation="FENCE"), at=self._clock())
                    break
                except Refusal:
                    # The holder before was quicker once more: its commit counts, and is read before the next try.
                    table.refresh()
                    if tries_left == 0:
                        raise


class Held:
    """A lease that is held, and extended while long work goes on."""

    def __init__(self, register: Register, lease: Lease, clock: Clock) -> None:
        self.lease = lease
        self._register = register
        self._clock = clock

    def keep(self) -> None:
        """Extend the lease once half of it is over. Raises Refusal `lease_lost` if another has it."""
        now = self._clock()
        if self.lease.expires_at - now < timedelta(seconds=LEASE_SECONDS / 2):
            self.lease = self._register.extend(self.lease, expires_at=now + timedelta(seconds=LEASE_SECONDS))


def settle(register: Register, lines: DeltaFolder, lease: Lease, now: datetime) -> int | None:
    """Finish a batch whose rows are in the lake while the register does not say so; give its number if there is one.

    Batches come into the lake in rising order under one lease, so it can only be the last one.
    """
    last = lines.mark(BATCHES)
    if last is None:
        return None
    batch = register.batch(last)
    if batch is None or batch.state is not State.REGISTERED:
        return None
    accepted = count_of_batch(lines, last)
    duplicates = duplicate_count(lines.path.parent, last)
    register.mark_appended(last, accepted=accepted, duplicates=duplicates, token=lease.token, at=now)
    return last


def count_of_batch(lines: DeltaFolder, batch_seq: int) -> int:
    """Count the rows of a batch in the lake."""
    files = lines.files()
    may_hold = pc.and_(
        pc.less_equal(files[f"min.{BATCH_SEQ}"], batch_seq), pc.greater_equal(files[f"max.{BATCH_SEQ}"], batch_seq)
    )
    paths = [str(lines.path / name) for name in files.filter(may_hold)["path"].to_pylist()]
    if not paths:
        return 0
    with duckdb.connect() as database:
        found = database.execute(
            f"select count(*) from read_parquet(?, hive_partitioning = false) where {BATCH_SEQ} = ?", [paths, batch_seq]
        ).fetchall()
    return int(found[0][0])


def duplicate_path(folder: Path, batch_seq: int) -> Path:
    """Name the file that keeps a batch's rejected duplicates."""
    return folder / "duplicates" / f"{batch_seq:012d}.parquet"


def duplicate_count(folder: Path, batch_seq: int) -> int:
    """Count the duplicates kept of a batch."""
    path = duplicate_path(folder, batch_seq)
    return int(pq.read_metadata(path).num_rows) if path.is_file() else 0


def _busy(folder: Path, seconds: float) -> Refusal:
    return Refusal(
        "lake_busy",
        f"Another intake is writing to the lake {folder} and did not finish within {seconds:g} seconds. Nothing of this request "
        "was added. Send it again when the other has finished.",
    )
