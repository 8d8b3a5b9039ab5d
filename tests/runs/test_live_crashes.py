"""Whatever moment a batch is killed at: after another try balances and postings are as if nothing had happened."""

import random
import shutil
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from headrace.lake import Lake, State
from headrace.live import Standing
from headrace.runs.book import Book
from headrace.runs.live import Live
from tests.killing import Crasher
from tests.runs.crashing_live import keep_balances

type Calm = tuple[list[Standing], int]


@pytest.fixture(scope="module")
def crasher() -> Iterator[Crasher]:
    crasher = Crasher("tests.runs.crashing_live")
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
    """Give the balances after undisturbed work, and the number of acts that it took."""
    folder = tmp_path_factory.mktemp("calm") / "lake"
    shutil.copytree(empty_lake, folder)
    code, acts = crasher.run(str(folder), "calm")
    assert code == 0
    return balances(folder), acts


def balances(folder: Path) -> list[Standing]:
    """Give the balances; every posting is counted once, and nothing is left unposted."""
    lake = Lake(folder)
    with Book(folder) as book, Live(lake, book) as live:
        standings = live.standings()
        posted: dict[object, Decimal] = {}
        for each in live.postings():
            posted[each.key] = posted.get(each.key, Decimal(0)) + each.amount
        assert posted == {each.key: each.earned for each in standings if each.key in posted}
        assert all(not each.earned for each in standings if each.key not in posted)
        assert {each.state for each in lake.register.batches()} == {State.POSTED}
    lake.close()
    return standings


def kill_and_try_again(crasher: Crasher, folder: Path, calm: Calm, seed: int) -> None:
    chance = random.Random(seed)
    expected, acts = calm
    for _ in range(chance.choice((1, 1, 2))):
        code, _ = crasher.run(str(folder), "step", str(chance.randint(1, acts)))
        assert code in {-signal.SIGKILL, 0}
    keep_balances(folder)
    assert balances(folder) == expected


@pytest.mark.parametrize("seed", range(25))
def test_a_killed_batch_is_in_the_balances_exactly_once(
    crasher: Crasher, empty_lake: Path, calm: Calm, tmp_path: Path, seed: int
) -> None:
    folder = tmp_path / "lake"
    shutil.copytree(empty_lake, folder)
    kill_and_try_again(crasher, folder, calm, seed)


@pytest.mark.soak
def test_a_thousand_killed_batches_are_in_the_balances_exactly_once(
    crasher: Crasher, empty_lake: Path, calm: Calm, tmp_path: Path
) -> None:
    for seed in range(1_000, 2_000):
        folder = tmp_path / "lake"
        shutil.copytree(empty_lake, folder)
        kill_and_try_again(crasher, folder, calm, seed)
        shutil.rmtree(folder)


def test_undisturbed_balances_are_those_of_the_calculation_in_full(empty_lake: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    shutil.copytree(empty_lake, folder)
    keep_balances(folder)
    lake = Lake(folder)
    with Book(folder) as book, Live(lake, book) as live:
        assert live.prove() == []
    lake.close()


def test_undisturbed_balances_are_as_worked_by_hand(calm: Calm) -> None:
    # volume: A, Q1: 100 + 200 × 0.2 = 140; A, Q2: 70.01 × 0.1 = 7.00 (7.001); B: 50 − 50 = 0. ordered: and 1 for every sale.
    assert [(each.key.program, each.key.payee_id, f"{each.earned.normalize():f}") for each in calm[0]] == [
        ("ordered", "A", "142"), ("ordered", "A", "9"), ("ordered", "B", "0"),
        ("volume", "A", "140"), ("volume", "A", "7"), ("volume", "B", "0"),
    ]  # fmt: skip
