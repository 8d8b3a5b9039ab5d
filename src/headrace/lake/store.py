"""The lake in a folder: what it is made of, and every act on it that the rest of Headrace may call.

    lake.json            says that the folder is a lake, and of which format
    register.sqlite3     batches and the lease
    lines/ awards/ personal/     Delta tables
    snapshots/ raw/ duplicates/  files named by content or batch
    index/               hashes of line ids; can be deleted, and is built again

Reading needs neither the register nor a lock and works on a read-only folder. Writing is done by one holder of the lease at a
time. A call that returns has its effect on the disk; a call that was cut off is put right by the next writer.
"""

import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.findings import Refusal
from headrace.engine.schema import Lines
from headrace.lake import appending, awards, maintenance, personal, snapshots
from headrace.lake.appending import AppendResult
from headrace.lake.delta import DeltaFolder
from headrace.lake.duplicates import DuplicateIndex
from headrace.lake.durable import disk_faults_refused, make_folder, publish, sync_file, sync_folder
from headrace.lake.maintenance import Maintained
from headrace.lake.personal import Erased, PersonalColumns
from headrace.lake.raw import keep_raw, raw_path
from headrace.lake.register import Batch, Register, State
from headrace.lake.register_sqlite import FILE_NAME, SqliteRegister
from headrace.lake.rows import MONTH, empty_schema, public_columns
from headrace.lake.writing import BATCHES, Clock, Held, Recovered, Writing, settle

FORMAT = 1
WAIT_SECONDS_MAX = 30.0
_MARKER = "lake.json"


def _now() -> datetime:
    return datetime.now(UTC)


class Lake:
    """A lake of facts. One object may be shared by threads; every process opens its own."""

    def __init__(self, folder: Path, *, register: Register | None = None, clock: Clock = _now) -> None:
        """Open a lake. register: the store behind the port, where it is not the lake's own SQLite file.

        Raises Refusal `not_a_lake`, `lake_newer` or `lake_damaged`.
        """
        _refuse_unless_lake(folder)
        self.folder = folder
        self._clock = clock
        self._given_register = register
        self._tables = {name: DeltaFolder(folder / name) for name in ("lines", "awards", "personal")}

    @classmethod
    def create(cls, folder: Path, *, register: Register | None = None, clock: Clock = _now) -> "Lake":
        """Make an empty lake in a folder that does not exist or is empty. Raises Refusal `folder_not_empty`.

        register: the store behind the port, where it is not the lake's own SQLite file; the lake then has none, and opens only
        with that register.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise Refusal(
                "folder_not_empty",
                f"{folder} is there already and is not empty, so no lake is made in it. Name a new folder for the lake.",
            )
        with disk_faults_refused(folder, above=Path(folder.anchor)):
            make_folder(folder.parent)
            building = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
            try:
                _build(building, at=clock(), own_register=register is None)
                building.replace(folder)
            finally:
                shutil.rmtree(building, ignore_errors=True)
            sync_folder(folder.parent)
        return cls(folder, register=register, clock=clock)

    @cached_property
    def register(self) -> Register:
        """Give the register of batches. Raises Refusal `register_missing`, `register_newer` or `register_damaged`."""
        if self._given_register is not None:
            return self._given_register
        if _marked(self.folder).get("register") == "elsewhere":
            raise Refusal(
                "register_elsewhere",
                f"The lake {self.folder} belongs to an installation of the application, whose database holds its register. Load "
                "and finalise there; the command line can read its lines.",
            )
        with disk_faults_refused(self.folder):
            return SqliteRegister(self.folder / FILE_NAME)

    def close(self) -> None:
        """Let the register's file go; for whoever moves or replaces the lake's files afterwards."""
        register = self.__dict__.pop("register", None)
        self.__dict__.pop("_writing_right", None)
        if isinstance(register, SqliteRegister) and register is not self._given_register:
            register.close()

    # Batches of lines

    def register_batch(self, raw: Path | bytes, *, source: str, profile: str = "") -> Batch:
        """Register a batch before anything else happens to it: keep its raw file and give it its `batch_seq`.

        raw: the file as it came. source: its name as people know it. profile: what decides how it is read, for example the
        hash of the profile; the same file read otherwise is another batch. A batch that is there already comes back with
        `earlier` true: if its state is `registered`, work on it was cut off and may go on; otherwise it adds nothing.
        """
        with disk_faults_refused(self.folder):
            name = keep_raw(self.folder / "raw", raw)
            content_hash = sha256(f"{name}\n{profile}".encode()).hexdigest()
            return self.register.register(content_hash=content_hash, source=source, raw=name, at=self._clock())

    def append(
        self,
        batch: Batch,
        rows: pa.Table | Path,
        *,
        personal_columns: Sequence[PersonalColumns] = (),
        wait_seconds_max: float = WAIT_SECONDS_MAX,
    ) -> AppendResult:
        """Add the lines of a registered batch that are not in the lake yet; durable when this returns.

        rows: a table, or a Parquet file of any size; one row per line, columns of `engine.schema.LINES` and further ones.
        personal_columns: columns that are kept apart and replaced by a key. A batch that is in the lake already adds nothing
        and gives the result of the first time. If later batches came in first, the batch goes on under a new `batch_seq`,
        so that "as of n" never changes afterwards.

        Raises Refusal `batch_unknown`, `lake_busy`, `lease_lost`, `lake_full`, `lake_read_only`, and those of the rows'
        contract (`column_missing`, `column_null`, `column_type`, `column_reserved`); nothing is added then.
        """
        with self._writing(wait_seconds_max) as held:
            work = appending.Work(
                folder=self.folder,
                lines=self._tables["lines"],
                personal=self._tables["personal"],
                register=self.register,
                index=self._index,
                held=held,
                clock=self._clock,
            )
            result = appending.append(work, batch, rows, personal_columns)
            if result.earlier:
                return result
            warning = maintenance.maintain_if_due(self._tables["lines"], self._index, held, clock=self._clock)
        return result.with_findings(warning)

    def refuse_batch(self, batch_seq: int, *, reason: str) -> None:
        """Close a registered batch of which nothing is in the lake. Raises Refusal `batch_not_open`."""
        with self._writing(WAIT_SECONDS_MAX):
            self.register.refuse(batch_seq, reason=reason, at=self._clock())

    def raw_file(self, batch: Batch) -> Path | None:
        """Give where a batch's raw file is kept, null where it was erased with somebody's personal fields."""
        return raw_path(self.folder / "raw", batch.raw) if batch.raw else None

    # Reading

    def last_batch_seq(self) -> int:
        """Give the highest `batch_seq` in the lake, 0 for an empty one. What is there up to it never changes."""
        return self._fresh("lines").mark(BATCHES) or 0

    def lines(
        self,
        as_of: int | None = None,
        *,
        months: Iterable[str] | None = None,
        partners: Iterable[str] | None = None,
        batch: int | None = None,
    ) -> Lines:
        """Give the lines with `batch_seq <= as_of` (default, and at most: all that are there now) as Parquet files.

        months (YYYY-MM), partners and batch leave out files that hold none of them; the files that are left may hold others
        too, so the reader still filters. The files stay readable for the retention of the lake, whatever is compacted meanwhile.
        """
        table = self._fresh("lines")
        # In this order, so that another thread's append in between adds only rows beyond the bound.
        newest = table.mark(BATCHES) or 0
        columns = public_columns(table.schema)
        files = table.files()
        if months is not None:
            files = files.filter(pc.is_in(files[f"partition.{MONTH}"], value_set=pa.array(list(months), pa.string())))
        if partners is not None:
            files = _holding_partners(files, sorted(set(partners)))
        if batch is not None:
            held = pc.and_(
                pc.less_equal(files["min.batch_seq"], batch), pc.greater_equal(files["max.batch_seq"], batch)
            )
            files = files.filter(pc.fill_null(held, True))
        return Lines(
            paths=tuple(table.path / name for name in files["path"].to_pylist()),
            columns=columns,
            batch_seq_max=newest if as_of is None else min(as_of, newest),
        )

    # Awards and snapshots

    def append_awards(
        self, run: str, rows: pa.Table | Path, *, batch_seq: int, wait_seconds_max: float = WAIT_SECONDS_MAX
    ) -> int:
        """Add the award differences of one run (columns of `engine.results.AWARDS`); give how many are there for the run.

        batch_seq: up to which the run read the lake. The same run a second time adds nothing.
        """
        with self._writing(wait_seconds_max) as held:
            return awards.append(self._fresh("awards"), run, rows, batch_seq=batch_seq, held=held, at=self._clock())

    def awards(self) -> tuple[Path, ...]:
        """Give the awards as Parquet files: columns of `engine.results.AWARDS`, then `run` and `batch_seq`."""
        table = self._fresh("awards")
        return tuple(table.path / name for name in table.files()["path"].to_pylist())

    def store_snapshot(self, table: pa.Table) -> str:
        """Keep a reference table that a calculation used; give the hash of its content, by which a statement cites it."""
        with disk_faults_refused(self.folder):
            return snapshots.store(self.folder / "snapshots", table)

    def load_snapshot(self, content_hash: str) -> pa.Table:
        """Give the reference table of that hash. Raises Refusal `snapshot_missing` or `snapshot_damaged`."""
        return snapshots.load(self.folder / "snapshots", content_hash)

    # Personal fields

    def people(self, keys: Iterable[str] | None = None) -> pa.Table:
        """Give personal fields: one row per key and field (person_key, partner_id, role, field, value)."""
        return personal.read(self._fresh("personal"), keys)

    def erase_person(self, *, partner_id: str | None = None, person_key: str | None = None) -> Erased:
        """Remove the personal fields of one person, or of everybody on one partner's lines, from the disk.

        Lines, awards and statements stay as they are. Raw files of the batches that brought these fields are removed too.
        """
        with self._writing(WAIT_SECONDS_MAX) as held:
            erased = personal.erase(
                self._fresh("personal"), partner_id=partner_id, person_key=person_key, held=held, at=self._clock()
            )
            names = self.register.forget_raw(list(erased.batch_seqs))
            return erased.with_raw_removed(self.folder / "raw", names)

    # Upkeep

    def recover(self) -> Recovered:
        """Finish what a crash left between states, and remove what is left of unfinished work."""
        torn: list[str] = []
        with disk_faults_refused(self.folder):
            for table in self._tables.values():
                torn += table.repair()
        before = {batch.batch_seq for batch in self.register.batches() if batch.state is State.REGISTERED}
        with self._writing(WAIT_SECONDS_MAX) as held:
            removed = self._writing_right.sweep()
            settle(self.register, self._tables["lines"], held.lease, self._clock())
        after = {batch.batch_seq for batch in self.register.batches() if batch.state is State.APPENDED}
        return Recovered(appended=tuple(sorted(before & after)), removed=removed, torn=tuple(torn))

    def maintain(self, *, retention_hours: int = maintenance.RETENTION_HOURS) -> Maintained:
        """Compact small files, sum the log up, and remove files that left the tables longer ago than the retention."""
        with self._writing(WAIT_SECONDS_MAX) as held:
            return maintenance.maintain(
                self._tables, self._index, held, clock=self._clock, retention_hours=retention_hours
            )

    @cached_property
    def _index(self) -> DuplicateIndex:
        return DuplicateIndex(self.folder / "index", self._tables["lines"])

    @cached_property
    def _writing_right(self) -> Writing:
        return Writing(folder=self.folder, register=self.register, tables=self._tables, clock=self._clock)

    @contextmanager
    def _writing(self, wait_seconds_max: float) -> Iterator[Held]:
        with disk_faults_refused(self.folder), self._writing_right.lease(wait_seconds_max=wait_seconds_max) as held:
            yield held

    def _fresh(self, name: str) -> DeltaFolder:
        table = self._tables[name]
        table.refresh()
        return table


def _marked(folder: Path) -> dict[str, object]:
    try:
        found = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        return {"format": found["format"], "register": found.get("register")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(
            "not_a_lake",
            f"{folder} is not a lake: it has no readable {_MARKER}. Name the folder of a lake, or make a new one.",
        ) from error


def _refuse_unless_lake(folder: Path) -> None:
    found = _marked(folder)["format"]
    if found != FORMAT:
        raise Refusal(
            "lake_newer",
            f"The lake {folder} has format {found}; this version of Headrace knows format {FORMAT}. Use the newer version.",
        )


def _build(folder: Path, *, at: datetime, own_register: bool) -> None:
    make_folder(folder)
    for name in ("snapshots", "raw", "duplicates"):
        make_folder(folder / name)
    DeltaFolder.create(
        folder / "lines", empty_schema(), partition_by=[MONTH], described=["line_id", "partner_id", "batch_seq"]
    )
    DeltaFolder.create(folder / "awards", awards.schema(), described=["run", "batch_seq"])
    DeltaFolder.create(folder / "personal", personal.SCHEMA, described=["batch_seq"])
    marker = {"format": FORMAT, "created_at": at.isoformat(), "register": "own" if own_register else "elsewhere"}
    if own_register:
        SqliteRegister.create(folder / FILE_NAME).close()
        sync_file(folder / FILE_NAME)
    publish(folder / _MARKER, lambda path: path.write_text(json.dumps(marker) + "\n", encoding="utf-8"))


def _holding_partners(files: pa.Table, partners: Sequence[str]) -> pa.Table:
    """Leave out files whose partners all lie before, between or after the wanted ones."""
    lowest, highest = files["min.partner_id"], files["max.partner_id"]
    wanted = pa.array(partners, pa.string())
    if not partners:
        return files.slice(0, 0)
    place = pc.search_sorted(wanted, lowest)
    reached = pc.less(place, len(partners))
    first = wanted.take(pc.min_element_wise(place, pa.scalar(len(partners) - 1, place.type)))
    return files.filter(pc.fill_null(pc.and_(reached, pc.less_equal(first, highest)), False))
