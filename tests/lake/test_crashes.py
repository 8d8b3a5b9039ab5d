"""Whatever moment an intake is killed at: after recovery and another try the lake is as if nothing had happened."""

import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from headrace.lake import Lake, State
from headrace.lake.datafiles import uncommitted
from tests.killing import Crasher
from tests.lake.channel import content, query
from tests.lake.crashing_intake import BATCHES, run_year, snapshot


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a try after a crash write as many files as the killed one did."""
    monkeypatch.setattr("headrace.lake.rows.CHUNK_ROWS", 20)
    monkeypatch.setattr("headrace.lake.maintenance._GROUP_FILES_MIN", 2)


@pytest.fixture(scope="module")
def crasher() -> Iterator[Crasher]:
    crasher = Crasher("tests.lake.crashing_intake")
    yield crasher
    crasher.stop()


@pytest.fixture(scope="module")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "lake"
    Lake.create(folder)
    return folder


@pytest.fixture(scope="module")
def calm(crasher: Crasher, empty_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], int]:
    """Give the state after an undisturbed year, and the number of acts that it took."""
    folder = tmp_path_factory.mktemp("calm") / "lake"
    shutil.copytree(empty_lake, folder)
    code, acts = crasher.run(str(folder), "calm")
    assert code == 0
    return state(Lake(folder)), acts


def state(lake: Lake) -> dict[str, object]:
    """Give everything that must not depend on crashes: keys of persons are random, so their values stand for them."""
    names = {row["person_key"]: row["value"] for row in lake.people().to_pylist()}
    keyed = query(lake.lines(), "select line_id, customer_key from lines where customer_key is not null order by 1")
    with duckdb.connect() as database:
        awards = database.execute(
            "select line_id, award, run, batch_seq from read_parquet(?) order by 1",
            [[str(path) for path in lake.awards()]],
        ).fetchall()
    return {
        "lines": content(lake.lines()),
        "names": [(line_id, names[str(key)]) for line_id, key in keyed],
        "people": sorted(names.values()),
        "awards": awards,
        "batches": [
            (batch.batch_seq, batch.source, batch.state, batch.accepted, batch.duplicates)
            for batch in lake.register.batches()
        ],
        "snapshot": lake.load_snapshot(lake.store_snapshot(snapshot())).to_pylist(),
    }


def crash_and_recover(crasher: Crasher, folder: Path, calm: tuple[dict[str, object], int], seed: int) -> None:
    chance = random.Random(seed)
    expected, acts = calm
    for _ in range(chance.choice((1, 1, 2))):
        if chance.random() < 0.7:
            code, _ = crasher.run(str(folder), "step", str(chance.randint(1, acts)))
            assert code in {-signal.SIGKILL, 0}
        else:
            code, _ = crasher.run(str(folder), "after", str(chance.randint(1_000, 700_000)))
            assert code in {-signal.SIGALRM, 0}
    lake = Lake(folder)
    whole = content(lake.lines())
    assert whole == [line for line in expected["lines"] if line[-1] <= lake.last_batch_seq()]  # type: ignore[attr-defined]
    lake.recover()
    for batch in lake.register.batches():
        assert (batch.state is State.APPENDED) == (batch.batch_seq <= lake.last_batch_seq())
    assert not any(uncommitted(folder / name, from_version=10**9) for name in ("lines", "awards", "personal"))
    run_year(folder)
    again = Lake(folder)
    assert state(again) == expected
    run_year(folder)
    assert state(Lake(folder)) == expected


@pytest.mark.parametrize("seed", range(25))
def test_killed_intake_ends_like_an_undisturbed_one(
    seed: int, crasher: Crasher, empty_lake: Path, calm: tuple[dict[str, object], int], tmp_path: Path
) -> None:
    shutil.copytree(empty_lake, tmp_path / "lake")
    crash_and_recover(crasher, tmp_path / "lake", calm, seed)


@pytest.mark.soak
def test_killed_intake_ends_like_an_undisturbed_one_a_thousand_times(
    crasher: Crasher, empty_lake: Path, calm: tuple[dict[str, object], int], tmp_path: Path
) -> None:
    for seed in range(1000, 2000):
        folder = tmp_path / f"lake-{seed}"
        shutil.copytree(empty_lake, folder)
        crash_and_recover(crasher, folder, calm, seed)
        shutil.rmtree(folder)


def test_undisturbed_year_is_what_its_batches_add_up_to(calm: tuple[dict[str, object], int]) -> None:
    # january 0–29; february 25–54 of which 25–29 are known and 40 comes twice; march 100–124; april 120–159, five known; may.
    assert calm[0]["batches"] == [
        (1, "january", "appended", 30, 0),
        (2, "february", "appended", 25, 6),
        (3, "february again", "appended", 0, 30),
        (4, "march", "appended", 25, 0),
        (5, "april", "appended", 35, 5),
        (6, "may", "appended", 5, 0),
    ]
    assert len(calm[0]["lines"]) == 120  # type: ignore[arg-type]
    assert len(BATCHES) == 6
