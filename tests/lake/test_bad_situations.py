"""A lake that cannot be used says why and what to do, and loses nothing."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.engine.findings import Refusal
from headrace.lake import Lake, State, rebuild_register

from .channel import content, lines, numbered, take_in

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.create(tmp_path / "lake")
    take_in(made, "first", lines(numbered(0, 20)))
    return made


def code_of(act: object) -> str:
    assert callable(act)
    with pytest.raises(Refusal) as refused:
        act()
    return refused.value.code


def test_folder_that_is_no_lake_is_refused(tmp_path: Path) -> None:
    assert code_of(lambda: Lake(tmp_path)) == "not_a_lake"
    assert code_of(lambda: Lake(tmp_path / "absent")) == "not_a_lake"


def test_lake_is_not_made_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert code_of(lambda: Lake.create(tmp_path)) == "folder_not_empty"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_lake_of_a_newer_format_is_refused(lake: Lake) -> None:
    (lake.folder / "lake.json").write_text('{"format": 2}')
    assert code_of(lambda: Lake(lake.folder)) == "lake_newer"


def test_register_that_is_missing_newer_or_no_register_is_refused_while_reading_goes_on(lake: Lake) -> None:
    whole = content(lake.lines())
    path = lake.folder / "register.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 2")
    connection.close()
    assert code_of(lambda: Lake(lake.folder).register_batch(b"x", source="x")) == "register_newer"
    lake.close()
    path.write_bytes(b"this is not a database, it is a sentence" * 100)
    assert code_of(lambda: Lake(lake.folder).register_batch(b"x", source="x")) == "register_damaged"
    path.unlink()
    assert code_of(lambda: Lake(lake.folder).register_batch(b"x", source="x")) == "register_missing"
    assert content(Lake(lake.folder).lines()) == whole


def test_lost_register_is_built_again_from_the_lake(lake: Lake) -> None:
    lake.register_batch(b"never appended", source="n")
    take_in(lake, "third", lines(["L000001", "X"]))
    before = lake.register.batches()
    assert code_of(lambda: rebuild_register(lake.folder)) == "register_present"
    lake.close()
    for path in lake.folder.glob("register.sqlite3*"):
        path.unlink()
    rebuild_register(lake.folder)
    again = Lake(lake.folder)
    after = again.register.batches()
    assert [batch.state for batch in after] == [State.APPENDED, State.REFUSED, State.APPENDED]
    assert (after[0], after[2]) == (before[0], before[2])
    assert take_in(again, "third", lines(["X"])).earlier
    assert take_in(again, "fourth", lines(["Y"])).batch.batch_seq == 4


def test_half_written_files_do_not_break_readers_and_recovery_removes_them(lake: Lake) -> None:
    whole = content(lake.lines())
    month = lake.lines().paths[0].parent
    torn = [
        month / f"{999:020d}-abcdef00-00000.parquet",
        month / ".x.parquet.abc.tmp",
        lake.folder / "lines" / "_delta_log" / f".{2:020d}.json.abc.tmp",
    ]
    for path in torn:
        path.write_bytes(b"PAR1 and no more")
    assert content(Lake(lake.folder).lines()) == whole
    assert lake.recover().removed == 3
    assert not any(path.exists() for path in torn)
    assert content(lake.lines()) == whole


def test_torn_last_log_entry_is_read_around_and_set_aside(lake: Lake) -> None:
    whole = content(lake.lines())
    entry = lake.folder / "lines" / "_delta_log" / f"{lake._tables['lines'].version + 1:020d}.json"
    entry.write_text('{"add":{"path":"mon')
    assert content(Lake(lake.folder).lines()) == whole
    assert Lake(lake.folder).recover().torn == (entry.name,)
    assert take_in(Lake(lake.folder), "second", lines(["X"])).accepted == 1


def test_torn_checkpoint_is_set_aside(lake: Lake) -> None:
    whole = content(lake.lines())
    lake.maintain()
    checkpoint = next((lake.folder / "lines" / "_delta_log").glob("*.checkpoint.parquet"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:50])
    assert lake.recover().torn == (checkpoint.name,)
    assert content(Lake(lake.folder).lines()) == whole


def test_torn_entry_in_the_middle_of_the_log_is_refused(lake: Lake) -> None:
    take_in(lake, "second", lines(["X"]))
    (lake.folder / "lines" / "_delta_log" / f"{1:020d}.json").write_text('{"add":')
    assert code_of(lambda: Lake(lake.folder)) == "lake_damaged"


_CHILD = """
import os, resource, sys
from pathlib import Path
from headrace.engine.findings import Refusal
from headrace.lake import Lake
from tests.lake.channel import content, lines, numbered, take_in
lake = Lake(Path(sys.argv[1]))
try:
    if sys.argv[2] == "full":
        batch = lake.register_batch(b"second", source="second")
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
        lake.append(batch, lines(numbered(100, 500)))
    elif sys.argv[2] == "make":
        os.setuid(65534)
        Lake.create(lake.folder / "inner")
    else:
        os.setuid(65534)
        print(len(content(lake.lines())))
        take_in(lake, "second", lines(numbered(100, 500)))
except Refusal as refusal:
    print(refusal.code)
"""


def run_child(lake: Lake, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(lake.folder), *words],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


# Room for the register and no data file; for the first month's file but not for the register's own log.
@pytest.mark.parametrize("room", ["4096", "12000"])
def test_full_disk_is_refused_and_nothing_is_lost_or_half_loaded(lake: Lake, room: str) -> None:
    whole = content(lake.lines())
    assert run_child(lake, "full", room) == ["lake_full"]
    assert content(Lake(lake.folder).lines()) == whole
    again = take_in(Lake(lake.folder), "second", lines(numbered(100, 500)))
    assert (again.accepted, again.earlier) == (500, False)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs the right to become another user")
def test_read_only_lake_can_be_read_and_refuses_to_be_written(lake: Lake, tmp_path: Path) -> None:
    copy = Path("/tmp") / f"headrace-read-only-{os.getpid()}"
    lake.close()
    shutil.copytree(lake.folder, copy)
    try:
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        assert run_child(Lake(copy), "read-only") == ["20", "lake_read_only"]
        assert run_child(Lake(copy), "make") == ["lake_read_only"]
    finally:
        shutil.rmtree(copy)


def test_file_that_cannot_be_read_is_not_taken_for_a_fault_of_the_lake(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lake.register_batch(tmp_path / "absent.csv", source="absent.csv")
    assert len(lake.register.batches()) == 1
