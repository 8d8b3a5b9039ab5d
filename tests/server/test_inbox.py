"""Watched folders: a file is taken when it is complete, once, whoever is killed; what is no file of ours is told why."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.sales import inbox
from headrace.sales.models import Delivery, TakenFile
from tests.killing import Crasher
from tests.server.channel import FEBRUARY, JANUARY, Team, team, work
from tests.server.conftest import Admins
from tests.server.test_worker_crashes import ROOT, copied, name_database, state_of

type Calm = tuple[dict[str, Any], int]


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


@pytest.fixture
def folder(channel: Team) -> Path:
    """Give a watched folder."""
    inbox.watch(name="acme", profile="canonical", by=channel.loader, at=timezone.now())
    return Path(settings.HEADRACE_INBOX) / "acme"


def look(seconds: int = 60) -> int:
    return inbox.look(at=timezone.now() + timedelta(seconds=seconds))


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir() if not each.is_dir())


def test_a_file_is_taken_when_nobody_writes_to_it_any_more(folder: Path) -> None:
    path = folder / "january.csv"
    path.write_text(JANUARY[:80])
    # As a client does that keeps the time of writing: the file itself says that it changed just now.
    os.utime(path, (0, 0))
    assert look(0) == 0
    path.write_text(JANUARY)
    assert look(20) == 0
    assert look() == 1
    work()
    delivery = Delivery.objects.get()
    assert (delivery.name, delivery.state, delivery.profile) == ("january.csv", "loaded", "canonical")
    assert names(folder) == []
    (kept,) = (folder / "done").iterdir()
    assert kept.read_text() == JANUARY
    assert look() == 0


def test_another_file_of_the_same_name_is_another_file_and_the_same_again_adds_nothing(folder: Path) -> None:
    for text in (JANUARY, FEBRUARY, FEBRUARY):
        (folder / "sales.csv").write_text(text)
        assert look() == 1
        work()
    assert [each.state for each in Delivery.objects.order_by("delivered_at")] == ["loaded", "loaded", "nothing_new"]
    assert len(list((folder / "done").iterdir())) == 3


def test_what_is_not_taken_lies_in_refused_with_the_reason(folder: Path) -> None:
    (folder / "program.exe").write_bytes(b"MZ")
    (folder / "empty.csv").write_bytes(b"")
    assert look() == 2
    assert not Delivery.objects.exists()
    told = sorted(each.read_text() for each in (folder / "refused").iterdir() if each.suffix == ".txt")
    assert [line.partition(":")[0] for line in told] == ["empty.csv", "program.exe"]
    assert "is of no kind that is taken here" in told[1]


def test_links_and_unfinished_names_and_folders_are_left_alone(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(JANUARY)
    (folder / "link.csv").symlink_to(secret)
    (folder / "upload.csv.part").write_text(JANUARY)
    (folder / ".hidden.csv").write_text(JANUARY)
    (folder / "sub").mkdir()
    assert look() == 0
    assert names(folder) == [".hidden.csv", "link.csv", "upload.csv.part"]


def test_only_who_may_load_has_a_folder_watched(channel: Team, folder: Path) -> None:
    for name, by, code in (
        ("acme", channel.analyst, "not_permitted"),
        ("../etc", channel.loader, "source_name"),
        ("done/..", channel.loader, "source_name"),
    ):
        with pytest.raises(Refusal) as refused:
            inbox.watch(name=name, profile="canonical", by=by, at=timezone.now())
        assert refused.value.code == code
    (folder / "january.csv").write_text(JANUARY)
    inbox.end(name="acme", by=channel.loader, at=timezone.now())
    assert look() == 0
    inbox.watch(name="acme", profile="canonical", by=channel.loader, at=timezone.now())
    assert look() == 1
    assert TakenFile.objects.get().delivery == Delivery.objects.get()


@pytest.fixture(scope="module")
def crasher() -> Iterator[Crasher]:
    """Give the program that is killed."""
    crasher = Crasher("tests.server.crashing_inbox")
    yield crasher
    crasher.stop()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installation with three files in a watched folder."""
    folder = tmp_path_factory.mktemp("prepared")
    name_database(folder, template=None)
    program = (
        f"from pathlib import Path; from tests.server import crashing_inbox as w; w.prepare(Path({str(folder)!r}))"
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
    state, _ = calm
    assert (state["waiting"], state["done"], state["refused"]) == ([], 2, [".csv", ".txt"])
    assert state["deliveries"] == [["february.csv", "loaded"], ["january.csv", "loaded"]]
    # A: 1,200 earn 100 + 200 × 20 %; B: 50 × 10 %.
    assert state["earned"] == [["A", "140.00"], ["B", "5.00"]]
    assert (state["failed"], state["audit"]) == ([], [])


@pytest.mark.parametrize("seed", range(25))
def test_a_killed_worker_takes_no_file_twice_and_loses_none(
    crasher: Crasher, prepared: Path, calm: Calm, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    expected, acts = calm
    here = copied(prepared, tmp_path / "here")
    # Half of the moments lie in the first part, in which the folder is looked into.
    code, _ = crasher.run(str(here), "step", str(chance.randint(1, acts if seed % 2 else acts // 3)))
    assert code in {-signal.SIGKILL, 0}
    code, _ = crasher.run(str(here), "calm")
    assert code == 0
    assert state_of(here) == expected


def test_two_that_look_at_once_take_each_file_once(
    crasher: Crasher, prepared: Path, calm: Calm, tmp_path: Path
) -> None:
    here = copied(prepared, tmp_path / "here")
    program = f"from pathlib import Path; from tests.server import crashing_inbox as w; w.hurry(Path({str(here)!r}))"
    both = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    code, _ = crasher.run(str(here), "calm")
    assert code == 0
    assert state_of(here) == calm[0]
