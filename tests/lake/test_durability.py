"""What is on the disk before the caller hears of it, in which order, and who may write at a time."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.engine.findings import Refusal
from headrace.lake import Lake, State
from headrace.lake.owner import is_known_dead, owner_name

from .channel import content, files_of, lines, numbered, query, take_in

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


class Witness:
    """Notes what reaches the disk: fsync of a path, and names that files get."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, str]] = []
        fsync, replace, link = os.fsync, os.replace, os.link

        def noted_fsync(descriptor: int) -> None:
            fsync(descriptor)
            self.seen.append(("sync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))

        def noted_replace(old: Any, new: Any, **named: Any) -> None:
            replace(old, new, **named)
            self.seen.append(("name", str(new)))

        def noted_link(old: Any, new: Any, **named: Any) -> None:
            link(old, new, **named)
            self.seen.append(("name", str(new)))

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(os, "replace", noted_replace)
        monkeypatch.setattr(os, "link", noted_link)

    def folder_syncs(self, folder: Path) -> list[int]:
        return [place for place, entry in enumerate(self.seen) if entry == ("sync", str(folder))]

    def places(self, kind: str, part: str) -> list[int]:
        return [place for place, (what, path) in enumerate(self.seen) if what == kind and part in path]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files are read from /proc")
def test_data_then_log_then_folders_are_on_the_disk_before_the_acknowledgement(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = lake.register_batch(b"x", source="x")
    witness = Witness(monkeypatch)
    lake.append(batch, lines(numbered(0, 5), days=1))
    data_sync, data_name = witness.places("sync", ".parquet"), witness.places("name", ".parquet")
    log_sync, log_name = witness.places("sync", ".json"), witness.places("name", ".json")
    assert [len(found) for found in (data_sync, data_name, log_sync, log_name)] == [1, 1, 1, 1]
    folder_syncs = [
        place for place, entry in enumerate(witness.seen) if entry == ("sync", str(lake.folder / "lines/month=2025-01"))
    ]
    log_folder_syncs = [
        place for place, entry in enumerate(witness.seen) if entry == ("sync", str(lake.folder / "lines/_delta_log"))
    ]
    assert data_sync < data_name < folder_syncs[-1:] < log_sync < log_name < log_folder_syncs
    assert witness.seen.index(("sync", str(lake.folder / "lines"))) < log_name[0]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files are read from /proc")
def test_raw_file_and_snapshot_are_on_the_disk_before_their_names_are_given(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness(monkeypatch)
    batch = lake.register_batch(b"content", source="x")
    digest = lake.store_snapshot(lines(["A"]))
    for name in (str(batch.raw), digest):
        synced, named = witness.places("sync", f".{name}"), witness.places("name", f"/{name}")
        assert synced < named
        assert any(what == "sync" and path in witness.seen[named[0]][1] for what, path in witness.seen[named[0] + 1 :])


def test_append_that_fails_midway_leaves_no_file_behind(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    take_in(lake, "first", lines(["A"]))
    before, files = content(lake.lines()), files_of(lake)
    batch = lake.register_batch(b"second", source="second")
    monkeypatch.setattr("headrace.lake.rows.CHUNK_ROWS", 10)
    rows = lines(numbered(0, 40))
    rows = rows.set_column(rows.schema.get_field_index("currency"), "currency", [["USD"] * 35 + [None] * 5])
    with pytest.raises(Refusal, match="currency is empty"):
        lake.append(batch, rows)
    assert content(lake.lines()) == before
    assert {path for path in files_of(lake) - files if path.is_relative_to(lake.folder / "lines")} == set()


def test_holder_of_a_lease_that_was_taken_over_cannot_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2025, 6, 1, tzinfo=UTC)
    slow = Lake.create(tmp_path / "lake", clock=lambda: now)
    quick = Lake(tmp_path / "lake", clock=lambda: now + timedelta(hours=1))
    take_in(slow, "first", lines(["A"]))
    batch = slow.register_batch(b"slow", source="slow")

    def meanwhile(*_: object) -> None:
        monkeypatch.undo()
        assert take_in(quick, "quick", lines(["B"])).accepted == 1

    monkeypatch.setattr("headrace.lake.appending._keep_duplicates", meanwhile)
    with pytest.raises(Refusal) as refused:
        slow.append(batch, lines(["B", "C"]))
    assert refused.value.code == "lease_lost"
    assert query(slow.lines(), "select line_id from lines order by 1") == [("A",), ("B",)]
    result = slow.append(batch, lines(["B", "C"]))
    assert (result.accepted, result.batch.batch_seq) == (1, 4)
    assert query(slow.lines(), "select line_id, batch_seq from lines order by 1") == [("A", 1), ("B", 3), ("C", 4)]


def test_second_intake_is_refused_after_waiting_while_the_first_is_at_work(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Lake(lake.folder)
    batch = lake.register_batch(b"first", source="first")
    late = other.register_batch(b"second", source="second")
    codes = []

    def meanwhile(*_: object) -> None:
        with pytest.raises(Refusal) as refused:
            other.append(late, lines(["B"]), wait_seconds_max=0.05)
        codes.append(refused.value.code)

    monkeypatch.setattr("headrace.lake.appending._keep_duplicates", meanwhile)
    assert lake.append(batch, lines(["A"])).accepted == 1
    monkeypatch.undo()
    assert codes == ["lake_busy"]
    assert other.append(late, lines(["B"])).accepted == 1


_INTAKE = """
import sys
from pathlib import Path
from headrace.lake import Lake
from tests.lake.channel import lines, numbered, take_in
lake = Lake(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(8):
    result = take_in(lake, f"{sys.argv[2]}-{number}", lines(numbered(number * 10, 15), seed=number))
    print(result.accepted, result.duplicates.num_rows, flush=True)
"""


@pytest.fixture
def two_intakes(lake: Lake) -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _INTAKE, str(lake.folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        for name in ("one", "two")
    ]
    yield started
    for process in started:
        process.communicate()


def test_two_processes_at_once_add_every_line_once(lake: Lake, two_intakes: list[subprocess.Popen[str]]) -> None:
    for process in two_intakes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in two_intakes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate()[0].split() for process in two_intakes]
    assert [process.returncode for process in two_intakes] == [0, 0]
    # Ids 0–84 in all: each process sends 8 × 15 with overlaps of 5.
    assert sum(int(count) for output in outputs for count in output[::2]) == 85
    assert sum(int(count) for output in outputs for count in output[1::2]) == 2 * 120 - 85
    assert query(lake.lines(), "select line_id from lines order by 1") == [(line_id,) for line_id in numbered(0, 85)]
    batches = lake.register.batches()
    assert [batch.batch_seq for batch in batches] == list(range(1, len(batches) + 1))
    assert sum(batch.state is State.APPENDED for batch in batches) == 16


def test_owner_is_known_dead_only_when_its_process_ended() -> None:
    own = owner_name()
    assert not is_known_dead(own)
    host, number, _, chance = own.split("|")
    assert is_known_dead("|".join((host, number, "1", chance)))
    assert not is_known_dead("|".join(("elsewhere.example", "1", "1", chance)))
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert is_known_dead("|".join((host, str(process.pid), "1", chance)))
