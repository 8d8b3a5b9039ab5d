"""Which coming lines are already in the lake: asked of an index in memory, answered from the files.

The index holds one 64-bit hash of `line_id` per line of the lake, in sorted runs that are looked up by binary search, so a
small batch costs the same on a lake of any size. A hash that is found is only a suspicion; the ids themselves are then read
from the lake's files, and only an equal id is a duplicate.

The index is never trusted over the lake: it says up to which table version it goes, is brought forward from the log, counted
against the table, and built again from the files where anything does not match.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.lake.delta import DeltaFolder
from headrace.lake.durable import make_folder, publish, remove_files, sync_folder
from headrace.lake.rows import BATCH_SEQ, MONTH

_FORMAT = 1
_MANIFEST = "manifest.json"
# Runs in memory go to the disk from this many hashes on; runs on the disk are merged until they reach the second figure.
_MEMORY_MAX = 256_000
_RUN_MAX = 4_000_000
_SMALL_RUNS_MAX = 4

# One row per rejected line: its position in the batch (from 0), its id, and the batch that holds the line.
DUPLICATES = pa.schema([("row", pa.int64()), ("line_id", pa.string()), ("held_by", pa.int64())])


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of some rows found. hashes: of the accepted rows, sorted, to be added once they are committed."""

    accepted: pa.Table
    duplicates: pa.Table
    hashes: pa.Array


class DuplicateIndex:
    """The hashes of all line ids of one lines table. Used by one writer at a time, under the lake's lease."""

    def __init__(self, folder: Path, table: DeltaFolder) -> None:
        self.folder = folder
        self._table = table
        self._database = duckdb.connect()
        self._stored: list[tuple[str, int, pa.Array]] = []
        self._memory: list[pa.Array] = []
        self._version = -1
        if not self._load():
            self._forget()

    def catch_up(self, *, between_files: Callable[[], None]) -> None:
        """Bring the index to the version of the table that was last read, from the log or else from all files.

        between_files: called now and then, for it may take long.
        """
        if self._version == self._table.version:
            return
        self._read_forward(between_files)
        if sum(len(run) for run in self._memory) >= _MEMORY_MAX:
            self.save()

    def follow(self) -> None:
        """Note that the versions since only moved rows between files. For the holder of the lease that committed them."""
        self._version = self._table.version

    def __len__(self) -> int:
        """Count the hashes held."""
        return sum(len(run) for run in self._runs())

    def check(
        self,
        rows: pa.Table,
        *,
        first_row: int,
        batch_seq: int,
        pending: Sequence[pa.Array],
        pending_files: Sequence[Path],
    ) -> Checked:
        """Part rows into those that are new and those whose line id is in the lake, or stands earlier in the same batch.

        first_row: position of the first row in its batch. pending: hashes of the batch's rows checked before, which lie in
        pending_files.
        """
        ids = rows["line_id"].combine_chunks()
        hashes = self._hashes(ids)
        order = pc.array_sort_indices(hashes)
        in_order = hashes.take(order)
        suspected = _found_in([*self._runs(), *pending], in_order)
        held = self._held(rows, order.filter(suspected), pending_files)
        repeated = _repeated(ids, order, in_order, except_rows=held["row"])
        again = pa.table(
            [repeated, ids.take(repeated), pa.repeat(pa.scalar(batch_seq, pa.int64()), len(repeated))],
            schema=DUPLICATES,
        )
        duplicates = pa.concat_tables([held, again]).sort_by("row")
        if duplicates.num_rows == 0:
            return Checked(rows, duplicates, in_order)
        numbers = pc.cast(order, pa.int64())
        keep = pc.invert(pc.is_in(numbers, value_set=duplicates["row"]))
        accepted = rows.filter(pc.invert(pc.is_in(pa.arange(0, rows.num_rows, 1), value_set=duplicates["row"])))
        moved = duplicates.set_column(0, "row", pc.add(duplicates["row"], first_row))
        return Checked(accepted, moved, in_order.filter(keep))

    def add(self, hashes: Iterable[pa.Array], *, version: int) -> None:
        """Take in the hashes of rows committed with a version; on the disk when many have gathered."""
        for run in hashes:
            self._add_run(run)
        self._version = version
        if sum(len(run) for run in self._memory) >= _MEMORY_MAX:
            self.save()

    def save(self) -> None:
        """Write what is only in memory, merge small runs, and point the manifest at the result."""
        make_folder(self.folder)
        small = [entry for entry in self._stored if len(entry[2]) < _RUN_MAX]
        keep = list(self._stored)
        gathered = self._memory
        if len(small) >= _SMALL_RUNS_MAX:
            keep = [entry for entry in self._stored if len(entry[2]) >= _RUN_MAX]
            gathered = [*(run for _, _, run in small), *self._memory]
        if gathered:
            keep.append(self._store(_merged(gathered)))
        manifest = {
            "format": _FORMAT,
            "hash": f"duckdb {duckdb.__version__}",
            "version": self._version,
            "runs": [{"file": name, "count": len(run), "crc32": crc} for name, crc, run in keep],
        }
        publish(self.folder / _MANIFEST, lambda path: path.write_text(json.dumps(manifest), encoding="utf-8"))
        kept = {name for name, _, _ in keep}
        remove_files(path for path in self.folder.iterdir() if path.name not in kept and path.name != _MANIFEST)
        self._stored, self._memory = keep, []

    def _read_forward(self, between_files: Callable[[], None]) -> None:
        news = self._table.added_since(self._version) if self._version >= 0 else None
        if news is not None and all(path.is_file() for path in news):
            self._add_files(news, between_files)
            self._version = self._table.version
            if len(self) == self._table.rows():
                return
        self._forget()
        self._add_files(self._paths(self._table.files()), between_files)
        self._version = self._table.version
        assert len(self) == self._table.rows()

    def _runs(self) -> list[pa.Array]:
        return [*(run for _, _, run in self._stored), *self._memory]

    def _add_run(self, run: pa.Array) -> None:
        """Add a sorted run; runs of like size are merged, so that their number grows with the logarithm of the rows."""
        while self._memory and len(self._memory[-1]) <= 2 * len(run) and len(run) < _RUN_MAX:
            run = _merged([self._memory.pop(), run])
        self._memory.append(run)

    def _add_files(self, paths: Sequence[Path], between_files: Callable[[], None]) -> None:
        gathered: list[pa.Array] = []
        for path in paths:
            between_files()
            ids = pq.read_table(path, columns=["line_id"], partitioning=None)["line_id"].combine_chunks()
            gathered.append(self._hashes(ids))
            if sum(len(part) for part in gathered) >= _RUN_MAX:
                self._add_run(_merged(gathered))
                gathered = []
        if gathered:
            self._add_run(_merged(gathered))

    def _hashes(self, ids: pa.Array) -> pa.Array:
        self._database.register("coming", pa.table({"line_id": ids}))
        try:
            result = self._database.sql("select hash(line_id) as h from coming").to_arrow_table()
        finally:
            self._database.unregister("coming")
        return result["h"].combine_chunks()

    def _held(self, rows: pa.Table, suspects: pa.Array, pending_files: Sequence[Path]) -> pa.Table:
        """Read from the files which of the suspected rows are in the lake, and in which batch."""
        if len(suspects) == 0:
            return DUPLICATES.empty_table()
        coming = rows.select(["line_id", "occurred_on"]).take(suspects)
        files = self._table.files()
        months = pc.unique(pc.strftime(coming["occurred_on"], format="%Y-%m"))
        near = pc.is_in(files[f"partition.{MONTH}"], value_set=months)
        holders = self._holders(coming["line_id"], [*self._paths(files.filter(near)), *pending_files])
        # A line that comes again hardly ever changes its month; only then are the other months read.
        rest = coming["line_id"].filter(pc.invert(pc.is_in(coming["line_id"], value_set=holders["line_id"])))
        if len(rest):
            holders = pa.concat_tables([holders, self._holders(rest, self._paths(files.filter(pc.invert(near))))])
        place = pc.index_in(coming["line_id"].combine_chunks(), value_set=holders["line_id"].combine_chunks())
        found = pc.is_valid(place)
        place = place.filter(found)
        return pa.table(
            [suspects.filter(found).cast(pa.int64()), holders["line_id"].take(place), holders["held_by"].take(place)],
            schema=DUPLICATES,
        )

    def _holders(self, ids: pa.ChunkedArray, paths: Sequence[Path]) -> pa.Table:
        empty = DUPLICATES.empty_table().select(["line_id", "held_by"])
        if not paths:
            return empty
        self._database.register("suspects", pa.table({"line_id": pc.unique(ids)}))
        try:
            found = self._database.sql(
                f"select line_id, min({BATCH_SEQ}) as held_by from read_parquet($paths, hive_partitioning = false)"
                " semi join suspects using (line_id) group by line_id",
                params={"paths": [str(path) for path in paths]},
            ).to_arrow_table()
        finally:
            self._database.unregister("suspects")
        return found.cast(empty.schema)

    def _paths(self, files: pa.Table) -> list[Path]:
        return [self._table.path / name for name in files["path"].to_pylist()]

    def _store(self, run: pa.Array) -> tuple[str, int, pa.Array]:
        name = f"{self._version:020d}-{len(run)}.u64"
        content = pa.concat_arrays([run]).buffers()[1].slice(run.offset * 8, len(run) * 8)
        publish(self.folder / name, lambda path: path.write_bytes(memoryview(content)))
        sync_folder(self.folder)
        return name, zlib.crc32(content), _mapped(self.folder / name, len(run))

    def _load(self) -> bool:
        """Map the stored runs; false where there are none that can be used."""
        try:
            manifest = json.loads((self.folder / _MANIFEST).read_text(encoding="utf-8"))
            if manifest["format"] != _FORMAT or manifest["hash"] != f"duckdb {duckdb.__version__}":
                return False
            for entry in manifest["runs"]:
                run = _mapped(self.folder / entry["file"], entry["count"])
                if zlib.crc32(run.buffers()[1]) != entry["crc32"]:
                    return False
                self._stored.append((entry["file"], entry["crc32"], run))
            self._version = manifest["version"]
        except (FileNotFoundError, ValueError, KeyError):
            return False
        return self._version <= self._table.version

    def _forget(self) -> None:
        self._stored, self._memory, self._version = [], [], -1


def _found_in(runs: Sequence[pa.Array], wanted: pa.Array) -> pa.Array:
    """Tell for each wanted hash whether any sorted run holds it."""
    found = pa.repeat(pa.scalar(False), len(wanted))
    for run in runs:
        if len(run) == 0:
            continue
        place = pc.search_sorted(run, wanted)
        last = pa.scalar(len(run) - 1, place.type)
        found = pc.or_(found, pc.equal(run.take(pc.min_element_wise(place, last)), wanted))
    return found


def _repeated(ids: pa.Array, order: pa.Array, in_order: pa.Array, *, except_rows: pa.ChunkedArray) -> pa.Array:
    """Give the rows whose id stands in an earlier row, those of except_rows left out."""
    if len(ids) < 2:
        return pa.array([], pa.int64())
    same = pc.equal(in_order.slice(1), in_order.slice(0, len(ids) - 1))
    if not pc.any(same).as_py():
        return pa.array([], pa.int64())
    false = pa.array([False])
    alike = pc.or_(pa.concat_arrays([false, same]), pa.concat_arrays([same, false]))
    rows = order.filter(alike).cast(pa.int64())
    rows = rows.filter(pc.invert(pc.is_in(rows, value_set=except_rows)))
    firsts = pa.table({"id": ids.take(rows), "row": rows}).group_by("id").aggregate([("row", "min")])["row_min"]
    return rows.filter(pc.invert(pc.is_in(rows, value_set=firsts)))


def _merged(runs: Sequence[pa.Array]) -> pa.Array:
    joined = pa.concat_arrays(list(runs))
    return joined.take(pc.array_sort_indices(joined))


def _mapped(path: Path, count: int) -> pa.Array:
    """Map a stored run into memory. Raises ValueError where its size is not that of so many hashes."""
    if path.stat().st_size != count * 8 or count == 0:
        raise ValueError(path.name)
    with pa.memory_map(str(path)) as source:
        buffer = source.read_buffer()
    return pa.Array.from_buffers(pa.uint64(), count, [None, buffer])
