"""A write under its key: answered again and not done again, whatever comes between; raced and killed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from django.utils import timezone

from headrace.api.models import AnsweredCall
from headrace.api.tasks import KEPT, forget_answers
from headrace.foundation.models import AuditLink
from headrace.sales.models import Delivery, SavedProfile
from headrace.workflow.models import Request
from tests.server.api_client import Caller
from tests.server.channel import JANUARY, TERMS, Team, team
from tests.server.conftest import Admins
from tests.server.test_api import file
from tests.server.test_worker_crashes import name_database

ROOT = Path(__file__).parents[2]


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


def test_the_same_write_again_is_answered_again_and_not_done_again(channel: Team) -> None:
    loader = Caller.of(channel.loader)
    given = {"file": file(JANUARY), "rows": "3"}
    first = loader.post("/deliveries", given, 201, key="one")
    acts = AuditLink.objects.count()
    assert loader.post("/deliveries", {"file": file(JANUARY), "rows": "3"}, 201, key="one") == first
    assert loader.headers["Idempotency-Replayed"] == "true"
    assert (Delivery.objects.count(), AuditLink.objects.count()) == (1, acts)
    assert loader.post("/deliveries", {"file": file(JANUARY), "rows": "3"}, 201, key="two") != first


@pytest.mark.parametrize(
    ("path", "given", "status"),
    [
        ("/deliveries", lambda: {"file": file(JANUARY), "rows": "4"}, 409),
        ("/deliveries", lambda: {"file": file(JANUARY + "\n"), "rows": "3"}, 409),
        ("/deliveries", lambda: {"file": file(JANUARY, "other.csv"), "rows": "3"}, 409),
        ("/profiles", lambda: {"text": "profile: x"}, 409),
    ],
)
def test_a_key_belongs_to_one_write(path: str, given: Any, status: int, channel: Team) -> None:
    loader = Caller.of(channel.loader)
    loader.post("/deliveries", {"file": file(JANUARY), "rows": "3"}, 201, key="one")
    assert loader.post(path, given(), status, key="one")["code"] == "idempotency_key_reused"
    assert (Delivery.objects.count(), SavedProfile.objects.count()) == (1, 0)


def test_keys_of_one_token_are_not_those_of_another(channel: Team) -> None:
    one, other = Caller.of(channel.loader), Caller.of(channel.loader)
    first = one.post("/deliveries", {"file": file(JANUARY)}, 201, key="one")
    assert other.post("/deliveries", {"file": file(JANUARY)}, 201, key="one")["delivery"] != first["delivery"]


def test_a_refusal_leaves_the_key_free(channel: Team) -> None:
    author, approver = Caller.of(channel.author), Caller.of(channel.approver)
    version = author.post("/versions", {"text": TERMS}, 201)["version"]
    steps = f"/versions/{version}/steps"
    refused = author.post(steps, {"event": "activate"}, 409, key="activate")
    assert not AnsweredCall.objects.filter(key="activate").exists()
    author.post(steps, {"event": "submit"})
    approver.post(f"/requests/{Request.objects.get().pk}/approve")
    assert author.post(steps, {"event": "activate"}, key="activate")["state"] == "active"
    assert refused["code"] != "idempotency_key_reused"


@pytest.mark.parametrize("key", ["a" * 201, "a\x7f", "ä"])
def test_a_write_without_a_proper_key_is_refused(key: str, channel: Team) -> None:
    told = Caller.of(channel.loader).post("/deliveries", {"file": file(JANUARY)}, 422, key=key)
    assert told["code"] == "idempotency_key_missing"
    assert not Delivery.objects.exists()


def test_answers_are_forgotten_in_time(channel: Team) -> None:
    loader = Caller.of(channel.loader)
    for key in ("old", "new"):
        loader.post("/deliveries", {"file": file(JANUARY)}, 201, key=key)
    AnsweredCall.objects.filter(key="old").update(at=timezone.now() - KEPT)
    assert forget_answers.call() == 1
    assert [each.key for each in AnsweredCall.objects.all()] == ["new"]


def in_process(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.server.api_processes", str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def told(process: subprocess.Popen[str], code: int = 0) -> Any:
    out, err = process.communicate()
    assert process.returncode == code, out + err
    return json.loads(out) if code == 0 else None


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """Give an installation in a folder: two tokens, and a request that waits."""
    name_database(tmp_path, template=None)
    told(in_process(tmp_path, "prepare"))
    return tmp_path


def test_the_same_write_raced_is_done_once(installation: Path) -> None:
    racing = [in_process(installation, "race") for _ in range(3)]
    answers = [answer for process in racing for answer in told(process)]
    # Four threads in each of three processes sent the same approval and the same terms, under one key each.
    assert len(answers) == 24
    for path in ("approve", "versions"):
        of_path = {(status, body) for name, status, body in answers if name == path}
        assert len(of_path) == 1, of_path
        assert {status for status, _ in of_path} <= {200, 201}
    state = told(in_process(installation, "state"))
    assert state == {
        "acts": {"approve_request": 1, "draft_terms": 2},
        "answers": 2,
        "decisions": 1,
        "versions": 2,
        "faults": [],
    }


def test_a_killed_write_is_done_once_when_it_is_sent_again(installation: Path) -> None:
    # Every kill is checked in the process that kills: both the version and the answer are there, or neither is.
    assert told(in_process(installation, "kills", "12", "20261122")) == {"killed": 12, "done_before": ANY, "faults": []}


@pytest.mark.soak
def test_a_write_killed_anywhere_is_done_once(installation: Path) -> None:
    seed = os.environ.get("SEED", "1")
    found = told(in_process(installation, "kills", "300", seed))
    assert (found["killed"], found["faults"]) == (300, [])
    assert 0 < found["done_before"] < 300
