"""Measures the application as its users meet it: a file until its lines are in the balances, pages, finalising into the books."""

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import duckdb

from headrace.bench import application, lines, programs
from headrace.bench.application import NOW
from headrace.bench.lines import DAYS, FIRST_DAY, Size
from headrace.bench.measure import Stopwatch

FILE_LINES = 1_000
_WARM_UP = 2
_WAIT_SECONDS_MAX = 120
_LOOK_SECONDS = 0.01
_THINK_SECONDS = 1.0


def upload_files(
    watch: Stopwatch, *, size: dict[str, int], folder: str, url: str, channel: str, count: int
) -> dict[str, Any]:
    """Deliver files of 1,000 lines of all partners one after the other; each counts until its lines are in the balances.

    The worker is a process of its own, as it is in use. Twenty additive programs are in force.
    """
    made_up = Size(**size)
    with tempfile.TemporaryDirectory(dir=folder) as home, application.installation(home, url):
        from headrace.sales import deliveries
        from headrace.sales.register import DatabaseRegister

        everybody = application.found_people()
        application.fill(everybody, Path(channel), programs.twenty(made_up))
        rest, laps = Stopwatch(), []
        with _process("worker"):
            for number in range(count + _WARM_UP):
                path = _file(made_up, number, Path(home))
                with watch if number >= _WARM_UP else rest, path.open("rb") as content:
                    begun = time.perf_counter()
                    delivery = deliveries.deliver(
                        name=path.name, content=content, kind="lines", profile="canonical", by=everybody.loader, at=NOW
                    )
                    state = _until_done(partial(_state, delivery.pk, everybody.loader))
                    loaded = time.perf_counter() - begun
                    _until_done(lambda: "queued" if DatabaseRegister().unposted() else "posted")
                laps.append(loaded)
                assert state == "loaded", state
        return {"loaded_seconds": laps[_WARM_UP:]}


def read_pages(
    watch: Stopwatch, *, size: dict[str, int], folder: str, url: str, channel: str, users: int, pages: int
) -> dict[str, Any]:
    """Have so many people read pages at once, each looking at one for a second before the next; a lap is one page.

    Half of them are partners and half work for the vendor. The web processes are their own.
    """
    made_up = Size(**size)
    with tempfile.TemporaryDirectory(dir=folder) as home, application.installation(home, url):
        everybody = application.found_people()
        terms = programs.twenty(made_up)
        application.fill(everybody, Path(channel), terms)
        _finalise_first_period(everybody, terms[0].program)
        people = [
            everybody.partners[number // 2 % len(everybody.partners)] if number % 2 else everybody.loader
            for number in range(users)
        ]
        cookies = [_signed_in(person) for person in people]
        port = 18_000 + os.getpid() % 10_000
        addresses = ("/balances/", "/statements/", f"/balances/?program={terms[0].program}")
        with _process("serve", "--address", f"127.0.0.1:{port}", "--workers", "2"):
            _answering(port)

            def read(number: int) -> list[tuple[str, int, float]]:
                time.sleep(_THINK_SECONDS * number / users)
                return list(_visit(port, cookies[number], addresses, pages))

            with ThreadPoolExecutor(users) as pool:
                visited = [each for one in pool.map(read, range(users)) for each in one]
        watch.laps += [seconds for _, _, seconds in visited]
        watch.wall = sum(watch.laps)
        wrong = sorted({(address, status) for address, status, _ in visited if status != 200})
        assert not wrong, wrong
        return {"pages": len(visited), "slowest": {a: max(s for b, _, s in visited if a == b) for a in addresses}}


def finalise_programs(watch: Stopwatch, *, size: dict[str, int], folder: str, url: str) -> dict[str, Any]:
    """Finalise one period of twenty programs that holds all lines, each asked for, worked out, approved and posted."""
    made_up = Size(**size)
    with tempfile.TemporaryDirectory(dir=folder) as home, application.installation(home, url):
        from headrace.programs import finalising
        from headrace.workflow import requests

        channel = _one_month(made_up, Path(home))
        everybody = application.found_people()
        terms = programs.twenty(made_up)
        application.fill(everybody, channel, terms)
        with watch:
            for each in terms:
                (period,) = finalising.periods(each.program, everybody.analyst, at=NOW)
                finalising.ask(program=each.program, period_from=period.from_, by=everybody.analyst, at=NOW)
            application.work()
            for asked in requests.listed(everybody.controller, at=NOW):
                if asked.state == "open":
                    requests.approve(request=asked.request, by=everybody.controller, at=NOW)
            application.work()
        states = [
            (each.state, each.reason, each.figures.get("postings", 0))
            for one in terms
            for period in finalising.periods(one.program, everybody.analyst, at=NOW)
            for each in period.asked
        ]
        assert {state for state, _, _ in states} == {"done"}, states
        from headrace.ledger import proof

        return {"postings": sum(postings for _, _, postings in states), "faults": len(proof.prove().findings)}


def _one_month(size: Size, home: Path) -> Path:
    channel = home / "channel"
    lines.generate(Size(lines=1, partners=size.partners, products=size.products, seed=size.seed), channel)
    with duckdb.connect() as connection:
        query = lines.lines_query(size, 0, size.lines, days_from=DAYS - 31, days=25)
        connection.execute(f"COPY ({query}) TO '{channel / 'lines.parquet'}' (FORMAT parquet)")
    return channel


def _finalise_first_period(everybody: application.People, program: str) -> None:
    from headrace.programs import finalising
    from headrace.workflow import requests

    *_, first = finalising.periods(program, everybody.analyst, at=NOW)
    finalising.ask(program=program, period_from=first.from_, by=everybody.analyst, at=NOW)
    application.work()
    (asked,) = [each for each in requests.listed(everybody.controller, at=NOW) if each.state == "open"]
    requests.approve(request=asked.request, by=everybody.controller, at=NOW)
    application.work()


def _file(size: Size, number: int, home: Path) -> Path:
    path = home / f"delivery-{number}.csv"
    first = size.lines + number * FILE_LINES
    query = lines.lines_query(size, first, first + FILE_LINES, days_from=DAYS - 1, days=1)
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (HEADER)")
    assert FIRST_DAY + timedelta(days=DAYS) <= NOW.date()
    return path


def _state(delivery: uuid.UUID, viewer: Any) -> str:
    from headrace.sales import deliveries

    return str(deliveries.one(delivery, viewer, at=NOW).state)


def _until_done(state: Any) -> str:
    until = time.perf_counter() + _WAIT_SECONDS_MAX
    while time.perf_counter() < until:
        found = str(state())
        if found != "queued":
            return found
        time.sleep(_LOOK_SECONDS)
    raise TimeoutError(f"still not done after {_WAIT_SECONDS_MAX} seconds")


@contextmanager
def _process(*words: str) -> Iterator[None]:
    running = subprocess.Popen(
        [sys.executable, "-c", "from headrace.cli import main; main()", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
        assert running.poll() is None, f"headrace {words[0]} ended by itself"
    finally:
        running.terminate()
        running.wait(60)


def _signed_in(person: Any) -> str:
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def _answering(port: int) -> None:
    until = time.perf_counter() + _WAIT_SECONDS_MAX
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/account/login/")
            assert connection.getresponse().status == 200
        except OSError:
            if time.perf_counter() > until:
                raise
            time.sleep(_LOOK_SECONDS * 10)
        else:
            return
        finally:
            connection.close()


def _visit(port: int, cookie: str, addresses: Sequence[str], pages: int) -> Iterator[tuple[str, int, float]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for number in range(pages):
        address = addresses[number % len(addresses)]
        begun = time.perf_counter()
        connection.request("GET", address, headers={"Cookie": cookie, "Connection": "keep-alive"})
        answer = connection.getresponse()
        answer.read()
        yield address, answer.status, time.perf_counter() - begun
        time.sleep(_THINK_SECONDS)
    connection.close()
