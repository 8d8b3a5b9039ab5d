"""Whatever moment the worker is killed at: after another try everything is as if nothing had happened.

Files, batches, balances, requests, statements, the books, the audit trail: all of it is compared with what undisturbed work
leaves.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.killing import Crasher

ROOT = Path(__file__).parents[2]
URL = os.environ.get("HEADRACE_DATABASE_URL", "")

type Calm = tuple[dict[str, Any], int]


@pytest.fixture(scope="module")
def crasher() -> Iterator[Crasher]:
    """Give the program that is killed."""
    crasher = Crasher("tests.server.crashing_worker")
    yield crasher
    crasher.stop()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installation with two files that wait."""
    folder = tmp_path_factory.mktemp("prepared")
    name_database(folder, template=None)
    program = (
        f"from pathlib import Path; from tests.server import crashing_worker as w; w.prepare(Path({str(folder)!r}))"
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


def name_database(folder: Path, *, template: str | None) -> None:
    """Give a folder's installation a database: a file in it, or one of the server that the tests run on."""
    if not URL.startswith("postgresql"):
        (folder / "database").write_text(str(folder / "headrace.sqlite3"))
        return
    name = f"crashing_{uuid.uuid4().hex}"
    with psycopg.connect(URL, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}{f' TEMPLATE {template}' if template else ''}".encode())
    (folder / "database").write_text(name)


def copied(prepared: Path, folder: Path) -> Path:
    shutil.copytree(prepared, folder)
    name_database(folder, template=(prepared / "database").read_text())
    return folder


def state_of(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    return state


def test_undisturbed_work_comes_out_as_worked_by_hand(calm: Calm) -> None:
    state, acts = calm
    assert acts > 500
    # A: 1,200 earn 100 + 200 × 20 %; B: 50 × 10 %.
    assert state["final"] == [["A", "140.000000"], ["B", "5.000000"]]
    # In cents: what was earned was provided by the batches, and finalising had nothing to true.
    assert state["accounts"] == [
        ["accrued", "A", 0, 14_000],
        ["accrued", "B", 0, 500],
        ["contra_revenue", "A", 14_000, 0],
        ["contra_revenue", "B", 500, 0],
        ["earned", "A", 0, 14_000],
        ["earned", "B", 0, 500],
        ["earned_control", "A", 14_000, 0],
        ["earned_control", "B", 500, 0],
    ]
    assert (state["finalised"], state["proof"]) == (1, [])
    assert (state["failed"], state["audit"], state["runs"]) == ([], [], [[1, "final"]])
    assert [row[:2] for row in state["deliveries"]] == [["january.csv", "loaded"], ["february.csv", "loaded"]]
    assert state["batches"] == [["february.csv", "posted", 1, 0], ["january.csv", "posted", 2, 0]]
    assert state["requests"] == [["program_version", "approved"], ["finalisation", "approved"]]


def kill_and_try_again(crasher: Crasher, prepared: Path, calm: Calm, folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    expected, acts = calm
    here = copied(prepared, folder)
    for _ in range(chance.choice((1, 1, 2))):
        code, _ = crasher.run(str(here), "step", str(chance.randint(1, acts)))
        assert code in {-signal.SIGKILL, 0}
    code, _ = crasher.run(str(here), "calm")
    assert code == 0
    assert state_of(here) == expected


@pytest.mark.parametrize("seed", range(25))
def test_a_killed_worker_leaves_nothing_half_done_and_nothing_twice(
    crasher: Crasher, prepared: Path, calm: Calm, tmp_path: Path, seed: int
) -> None:
    kill_and_try_again(crasher, prepared, calm, tmp_path / "here", seed)


@pytest.mark.parametrize("attempt", range(3))
def test_two_at_the_same_work_at_once_do_it_once(
    crasher: Crasher, prepared: Path, calm: Calm, tmp_path: Path, attempt: int
) -> None:
    here = copied(prepared, tmp_path / "here")
    program = f"from pathlib import Path; from tests.server import crashing_worker as w; w.hurry(Path({str(here)!r}))"
    both = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    code, _ = crasher.run(str(here), "calm")
    assert code == 0
    assert state_of(here) == calm[0]


@pytest.mark.soak
def test_a_thousand_killed_workers_leave_nothing_half_done_and_nothing_twice(
    crasher: Crasher, prepared: Path, calm: Calm, tmp_path: Path
) -> None:
    for seed in range(1_000, 2_000):
        kill_and_try_again(crasher, prepared, calm, tmp_path / "here", seed)
        shutil.rmtree(tmp_path / "here")
