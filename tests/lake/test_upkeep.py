"""Compaction, checkpoints and removal change no line, and disturb no reader."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from headrace.lake import Lake

from .channel import content, lines, numbered, query, take_in


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.create(tmp_path / "lake")
    for number in range(1, 9):
        take_in(made, f"b{number}", lines(numbered(number * 10, 10), seed=number))
    return made


def test_compaction_changes_no_line_at_any_as_of(lake: Lake) -> None:
    before = [content(lake.lines(as_of=number)) for number in range(9)]
    done = lake.maintain()
    assert (done.merged, done.made) == (24, 3)
    assert len(lake.lines().paths) == 3
    assert [content(lake.lines(as_of=number)) for number in range(9)] == before
    assert [content(Lake(lake.folder).lines(as_of=number)) for number in range(9)] == before


def test_reader_with_an_older_list_of_files_reads_on_after_compaction(lake: Lake) -> None:
    held = lake.lines()
    before = content(held)
    lake.maintain()
    take_in(lake, "later", lines(["X"]))
    assert content(held) == before


def test_files_leave_the_disk_after_the_retention_only(lake: Lake) -> None:
    old = lake.lines().paths
    assert lake.maintain().removed == 0
    assert all(path.is_file() for path in old)
    whole = content(lake.lines())
    assert lake.maintain(retention_hours=0).removed == len(old)
    assert not any(path.exists() for path in old)
    assert content(Lake(lake.folder).lines()) == whole


def test_duplicates_are_still_known_after_compaction_and_without_the_index(lake: Lake) -> None:
    lake.maintain(retention_hours=0)
    known = take_in(lake, "again", lines([*numbered(10, 80), "N"]))
    assert (known.accepted, known.duplicates.num_rows) == (1, 80)
    assert known.duplicates["held_by"].to_pylist() == [1 + row // 10 for row in range(80)]
    for path in (lake.folder / "index").iterdir():
        path.unlink()
    (lake.folder / "index").rmdir()
    fresh = Lake(lake.folder)
    assert take_in(fresh, "without index", lines([*numbered(10, 80), "M"])).accepted == 1


@pytest.mark.parametrize("damage", [b"", b"\x00" * 8 * 80, b"short"])
def test_damaged_index_is_built_again_from_the_lake(lake: Lake, damage: bytes) -> None:
    lake.maintain()
    for path in (lake.folder / "index").glob("*.u64"):
        path.write_bytes(damage)
    result = take_in(Lake(lake.folder), "again", lines([*numbered(10, 80), "N"]))
    assert (result.accepted, result.duplicates.num_rows) == (1, 80)


def test_index_that_is_behind_is_brought_forward(lake: Lake) -> None:
    lake.maintain()
    take_in(lake, "later", lines(["X", "Y"]))
    result = take_in(Lake(lake.folder), "again", lines(["X", "Z"]))
    assert (result.accepted, result.duplicates.num_rows) == (1, 1)


def test_upkeep_comes_by_itself_as_commits_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.lake.maintenance.COMPACT_COMMITS", 10)
    now = datetime(2025, 6, 1, tzinfo=UTC)
    lake = Lake.create(tmp_path / "lake", clock=lambda: now + timedelta(minutes=1))
    for number in range(25):
        take_in(lake, f"b{number}", lines([f"L{number:02d}"], days=1))
    assert len(lake.lines().paths) < 10
    assert list((lake.folder / "lines" / "_delta_log").glob("*.checkpoint.parquet"))
    assert query(lake.lines(), "select line_id, batch_seq from lines order by 1") == [
        (f"L{number:02d}", number + 1) for number in range(25)
    ]


def test_files_that_lack_a_later_column_are_merged_with_those_that_have_it(lake: Lake) -> None:
    take_in(lake, "coloured", lines(["X"]).append_column("colour", pa.array(["red"])))
    lake.maintain()
    sql = "select count(*), count(colour) from lines"
    assert query(lake.lines(), sql) == [(81, 1)]


def test_any_reader_of_delta_tables_reads_the_same_lines(lake: Lake) -> None:
    take_in(lake, "coloured", lines(["X"]).append_column("colour", pa.array(["red"])))
    for _ in range(2):
        table = DeltaTable(str(lake.folder / "lines"))
        found = pa.table(table.scan(columns=["line_id", "amount", "batch_seq"])).to_pylist()
        ours = query(lake.lines(), "select line_id, amount, batch_seq from lines order by line_id")
        assert sorted(tuple(row.values()) for row in found) == ours
        assert table.count() == 81
        lake.maintain(retention_hours=0)


def test_threads_that_read_while_another_appends_see_whole_batches(lake: Lake) -> None:
    def read(_: int) -> bool:
        found = lake.lines()
        counts = query(found, "select batch_seq, count(*) from lines group by all order by 1")
        return counts == [(number, 10) for number in range(1, (found.batch_seq_max or 0) + 1)]

    with ThreadPoolExecutor(3) as pool:
        reads = pool.map(read, range(40))
        for number in range(9, 19):
            take_in(lake, f"b{number}", lines(numbered(number * 10, 10), seed=number))
        assert all(reads)


def test_reader_sees_what_came_after_a_log_that_other_software_shortened(lake: Lake) -> None:
    reader = Lake(lake.folder)
    before = reader.last_batch_seq()
    take_in(lake, "later", lines(["X"]))
    lake.maintain()
    log = lake.folder / "lines" / "_delta_log"
    for entry in sorted(log.glob("*.json"))[:-1]:
        entry.unlink()
    assert reader.last_batch_seq() == before + 1
    assert content(reader.lines()) == content(Lake(lake.folder).lines())
