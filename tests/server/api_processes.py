"""Processes that call the API of an installation in a folder, at once or until they are killed; run by test_api_once.py."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.server.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, connections  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from headrace.api.models import AnsweredCall  # noqa: E402
from headrace.foundation import audit, people  # noqa: E402
from headrace.foundation.acts import Actor, acting_as  # noqa: E402
from headrace.foundation.models import AuditLink  # noqa: E402
from headrace.programs import versions  # noqa: E402
from headrace.programs.models import Version  # noqa: E402
from headrace.workflow.models import Decision, Request  # noqa: E402
from tests.server.api_client import ROOT, token_of  # noqa: E402
from tests.server.channel import FEBRUARY, JANUARY, TERMS, activated, delivered, team  # noqa: E402
from tests.server.crashing_worker import at_home_in  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = re.findall(r"<!-- run as: (\w+) -->\n```\n(.*?)```", DOCS.read_text(), re.DOTALL)


def prepare(folder: Path) -> list[Any]:
    """Set an installation up: people with tokens, and terms that wait for their approval."""
    call_command("migrate", verbosity=0)
    with acting_as(Actor(None, "test")):
        ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=timezone.now())
        channel = team((ada, ben))
        version = versions.draft(text=TERMS, by=channel.author, at=timezone.now())
        versions.step(version=version.pk, event="submit", by=channel.author, at=timezone.now())
        made = {name: token_of(getattr(channel, name)) for name in ("author", "approver")}
    (folder / "tokens").write_text(json.dumps(made))
    return []


def send(folder: Path, by: str, path: str, given: Any, key: str) -> tuple[int, str]:
    """Send a write, and give status and body."""
    secret = json.loads((folder / "tokens").read_text())[by]
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
    client = Client(headers=headers, SERVER_NAME="rebates.example.com")
    answer = client.post(f"{ROOT}{path}", json.dumps(given), content_type="application/json", secure=True)
    return answer.status_code, answer.content.decode()


def terms(number: str) -> dict[str, str]:
    return {"text": TERMS.replace("volume", f"volume-{number}")}


def race(folder: Path) -> list[Any]:
    """Send the same two writes from four threads at once."""
    answers: list[Any] = []
    start = threading.Barrier(4)
    waiting = Request.objects.get().pk

    def call() -> None:
        start.wait()
        answers.append(["approve", *send(folder, "approver", f"/requests/{waiting}/approve", None, "approve")])
        answers.append(["versions", *send(folder, "author", "/versions", terms("raced"), "versions")])
        connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def kills(folder: Path, times: str, seed: str) -> dict[str, Any]:
    """Kill writes at seeded moments, and send each again; say how many had been done before they died."""
    chance, before = random.Random(int(seed)), 0
    moments = _in_child(partial(_write, folder, "counted", 0))
    assert moments > 20, moments
    for number in range(int(times)):
        key, at = f"kill-{number}", chance.randint(1, moments)
        versions_, answers = Version.objects.count(), AnsweredCall.objects.count()
        assert _in_child(partial(_write, folder, key, at)) == -signal.SIGKILL, at
        done = Version.objects.count() - versions_
        assert AnsweredCall.objects.count() - answers == done, at
        before += done
        assert _in_child(partial(_write, folder, key, 0)) > 0
        assert (Version.objects.count() - versions_, AnsweredCall.objects.count() - answers) == (1, 1), at
    return {"killed": int(times), "done_before": before, "faults": state(folder)["faults"]}


def _in_child(act: Callable[[], int]) -> int:
    """Run it in a process of its own with a connection of its own; give what it gave, or how it was killed."""
    connections.close_all()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write_end, str(act()).encode())
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    os.close(write_end)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    told = os.read(read_end, 100).decode()
    os.close(read_end)
    return ended if ended else int(told)


def _write(folder: Path, key: str, deadly: int) -> int:
    """Write terms under a key, and be killed at the moment of this number, around a statement or a commit; 0: never.

    Gives the number of moments.
    """
    seen = 0

    def moment() -> None:
        nonlocal seen
        seen += 1
        if seen == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(execute: Any, *arguments: Any) -> Any:
        moment()
        result = execute(*arguments)
        moment()
        return result

    kind: Any = type(connections["default"])
    commit = kind._commit
    kind._commit = lambda self: counted(commit, self)
    with connection.execute_wrapper(counted):
        status, body = send(folder, "author", "/versions", terms(key), key)
    assert status == 201, body
    return seen


def state(_: Path) -> dict[str, Any]:
    """Say what stands."""
    acts = Counter(AuditLink.objects.filter(act__in=("approve_request", "draft_terms")).values_list("act", flat=True))
    return {
        "acts": dict(sorted(acts.items())),
        "answers": AnsweredCall.objects.count(),
        "decisions": Decision.objects.count(),
        "versions": Version.objects.count(),
        "faults": [each.message for each in audit.verify().findings],
    }


def documented(folder: Path) -> list[Any]:
    """Run the examples of docs/api.md against a server over HTTP; give what each printed."""
    settings.SECURE_SSL_REDIRECT, settings.ALLOWED_HOSTS = False, ["127.0.0.1"]
    call_command("migrate", verbosity=0)
    with acting_as(Actor(None, "test")):
        channel = team(people.found(emails=("ada@example.com", "ben@example.com"), at=timezone.now()))  # type: ignore[arg-type]
        activated(channel)
        delivered(channel, JANUARY)
        made = {each.name: token_of(getattr(channel, each.name)) for each in fields(channel)}
    (folder / "january.csv").write_text(FEBRUARY)
    connections.close_all()
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told = []
        for who, example in EXAMPLES:
            known = {**os.environ, "HEADRACE": f"http://127.0.0.1:{server.server_port}", "TOKEN": made[who]}
            done = subprocess.run(
                ["bash", "-euc", example], env=known, cwd=folder, capture_output=True, text=True, check=True
            )
            told.append(json.loads(done.stdout))
        server.shutdown()
    return told


class Quiet(WSGIRequestHandler):
    """A server that prints nothing."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    home, what, *words = sys.argv[1:]
    at_home_in(Path(home))
    print(json.dumps(globals()[what](Path(home), *words)))
    connections.close_all()
