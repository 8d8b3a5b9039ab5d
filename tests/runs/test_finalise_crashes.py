"""Whatever moment finalising is killed at: after another try the books are as if nothing had happened."""

import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from headrace.lake import Lake
from headrace.runs.book import Book
from tests.killing import Crasher
from tests.runs.crashing_finalise import run_half_year

type Calm = tuple[dict[str, object], int]


@pytest.fixture(scope="module")
def crasher() -> Iterator[Crasher]:
    crasher = Crasher("tests.runs.crashing_finalise")
    yield crasher
    crasher.stop()


@pytest.fixture(scope="module")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "lake"
    Lake.create(folder).close()
    with Book(folder):
        return folder


@pytest.fixture(scope="module")
def calm(crasher: Crasher, empty_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Give the state after an undisturbed half-year, and the number of acts that it took."""
    folder = tmp_path_factory.mktemp("calm") / "lake"
    shutil.copytree(empty_lake, folder)
    code, acts = crasher.run(str(folder), "calm")
    assert code == 0
    return state(folder), acts


def state(folder: Path) -> dict[str, object]:
    """Give what must not depend on crashes: postings, awards by line, and how many runs were final."""
    lake = Lake(folder)
    with Book(folder) as book, duckdb.connect() as con:
        files = [str(path) for path in lake.awards()]
        query = "SELECT line_id, sum(award), count(*) FROM read_parquet(?) GROUP BY ALL ORDER BY ALL"
        found = {
            "postings": book.postings(),
            "awards": con.execute(query, [files]).fetchall() if files else [],
            "runs": [(run.program, run.from_, run.state) for run in book.runs()],
        }
    lake.close()
    return found


def kill_and_try_again(crasher: Crasher, folder: Path, calm: Calm, seed: int) -> None:
    chance = random.Random(seed)
    expected, acts = calm
    for _ in range(chance.choice((1, 1, 2))):
        code, _ = crasher.run(str(folder), "step", str(chance.randint(1, acts)))
        assert code in {-signal.SIGKILL, 0}
    run_half_year(folder)
    assert state(folder) == expected


@pytest.mark.parametrize("seed", range(25))
def test_a_killed_finalising_posts_exactly_once(
    crasher: Crasher, empty_lake: Path, calm: Calm, tmp_path: Path, seed: int
) -> None:
    folder = tmp_path / "lake"
    shutil.copytree(empty_lake, folder)
    kill_and_try_again(crasher, folder, calm, seed)


@pytest.mark.soak
def test_a_thousand_killed_finalisings_post_exactly_once(
    crasher: Crasher, empty_lake: Path, calm: Calm, tmp_path: Path
) -> None:
    for seed in range(1_000, 2_000):
        folder = tmp_path / "lake"
        shutil.copytree(empty_lake, folder)
        kill_and_try_again(crasher, folder, calm, seed)
        shutil.rmtree(folder)


def test_the_calm_half_year_posts_what_was_worked_by_hand(calm: Calm) -> None:
    # A, Q1: 100 + 600 + 600 = 1,300: 100 + 60 = 160. A, Q2: 70: 7. B: 50 − 50 = 0.
    postings = calm[0]["postings"]
    assert isinstance(postings, list)
    assert [(each.payee_id, f"{each.amount.normalize():f}") for each in postings] == [
        ("A", "160"),
        ("A", "7"),
        ("B", "0"),
    ]
