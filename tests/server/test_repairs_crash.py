"""Whatever moment the worker is killed at while repaired rows are loaded: each of them is in the lake once, and said to be."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.killing import Crasher
from tests.server.test_worker_crashes import ROOT, copied, name_database, state_of

type Calm = tuple[dict[str, Any], int]


@pytest.fixture(scope="module")
def crasher() -> Iterator[Crasher]:
    """Give the program that is killed."""
    crasher = Crasher("tests.server.crashing_repairs")
    yield crasher
    crasher.stop()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installation with two repairs that wait."""
    folder = tmp_path_factory.mktemp("prepared")
    name_database(folder, template=None)
    program = (
        f"from pathlib import Path; from tests.server import crashing_repairs as w; w.prepare(Path({str(folder)!r}))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def calm(crasher: Crasher, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Give what stands after undisturbed work, and the number of acts that it took."""
    folder = copied(prepared, tmp_path_factory.mktemp("calm") / "home")
    code, acts = crasher.run(str(folder), "calm")
    assert code == 0
    return state_of(folder), acts


def test_undisturbed_work_comes_out_as_worked_by_hand(calm: Calm) -> None:
    state, acts = calm
    assert acts > 200
    assert [[row, kept, by] for row, kept, _, _, by in state["rows"]] == [
        [3, "repaired", "shop.csv repaired 1.csv"],
        [4, "repaired", "shop.csv repaired 1.csv"],
        [5, "repaired", "shop.csv repaired 2.csv"],
        [6, "repaired", "shop.csv repaired 2.csv"],
        [7, "waiting", None],
        [8, "waiting", None],
        [9, "waiting", None],
    ]
    # A: 600 + 100 + 50 + 600 = 1,350 earn 100 + 350 × 20 %; B: 70 + 90 earn 10 %.
    assert state["earned"] == [["A", "170.00"], ["B", "16.00"]]
    assert [row[:3] for row in state["batches"]] == [
        ["sent anew.csv", "posted", 1],
        ["shop.csv", "posted", 1],
        ["shop.csv repaired 1.csv", "posted", 2],
        ["shop.csv repaired 2.csv", "posted", 2],
    ]
    assert (state["failed"], state["audit"]) == ([], [])
    assert state["account"] == [
        True, ["loaded", 1], ["unchanged", 0], ["rejected", 3], ["held", 0], ["ignored", 0], ["repaired", 4],
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(25))
def test_a_killed_worker_leaves_nothing_half_done_and_nothing_twice(
    crasher: Crasher, prepared: Path, calm: Calm, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    expected, acts = calm
    here = copied(prepared, tmp_path / "here")
    for _ in range(chance.choice((1, 1, 2))):
        code, _ = crasher.run(str(here), "step", str(chance.randint(1, acts)))
        assert code in {-signal.SIGKILL, 0}
    code, _ = crasher.run(str(here), "calm")
    assert code == 0
    assert state_of(here) == expected


@pytest.mark.parametrize("attempt", range(2))
def test_two_at_the_same_work_at_once_do_it_once(
    crasher: Crasher, prepared: Path, calm: Calm, tmp_path: Path, attempt: int
) -> None:
    here = copied(prepared, tmp_path / "here")
    program = f"from pathlib import Path; from tests.server import crashing_repairs as w; w.hurry(Path({str(here)!r}))"
    both = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    code, _ = crasher.run(str(here), "calm")
    assert code == 0
    assert state_of(here) == calm[0]
