"""An installation of its own to measure on: its database, people who each hold their role, and programs in force over a channel.

On SQLite in a folder of its own, or in a database of its own, made for the measurement and dropped after it, on the
PostgreSQL server that is named. Its lake is filled as a first batch.
"""

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from headrace.bench.measure import NotInstalled
from headrace.engine.terms import Terms, dump

FOUNDED = datetime(2025, 1, 1, 12, tzinfo=UTC)
NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
"""After the made-up lines: a file that is delivered holds no days to come, and every period has ended."""
PARTNERS_SEEN = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who does what. partners: one person of each of the first partners."""

    loader: Any
    author: Any
    approver: Any
    analyst: Any
    controller: Any
    partners: tuple[Any, ...]


@contextmanager
def installation(folder: str, url: str) -> Iterator[None]:
    """Give an installation with an empty, migrated database; its home is the folder. Raises NotInstalled without Django."""
    for package in ("django", *(("psycopg",) if url else ())):
        if find_spec(package) is None:
            raise NotInstalled(f"{package} is not installed")
    with _database(folder, url) as address:
        os.environ |= {
            "HEADRACE_LOCAL": "1",
            "HEADRACE_HOME": folder,
            "HEADRACE_SECRET_KEY": uuid.uuid4().hex + uuid.uuid4().hex,
            "HEADRACE_DATABASE_URL": address,
            "DJANGO_SETTINGS_MODULE": "headrace.server.settings",
        }
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", interactive=False, verbosity=0)
        from headrace.foundation.acts import Actor, acting_as

        try:
            with acting_as(Actor(None, "bench")):
                yield
        finally:
            connections.close_all()


def found_people() -> People:
    """Invite everybody, and open the books of the one company, in dollars."""
    from headrace.foundation import access, companies, people
    from headrace.foundation.roles import VENDOR, Role
    from headrace.ledger import periods

    ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=FOUNDED)

    def make(name: str, role: Role, organisation: str = VENDOR) -> Any:
        member = people.invite(email=f"{name}@example.com", name=name, organisation=organisation, by=ada, at=FOUNDED)
        asked = access.request_role(membership=member.pk, role=role, by=ada, from_on=FOUNDED.date(), at=FOUNDED)
        access.approve_role(grant=asked.pk, by=ben, at=FOUNDED)
        return member.person

    everybody = People(
        loader=make("loader", Role.CHANNEL_OPERATIONS),
        author=make("author", Role.PROGRAM_MANAGER),
        approver=make("approver", Role.PROGRAM_MANAGER),
        analyst=make("analyst", Role.FINANCE_ANALYST),
        controller=make("controller", Role.CONTROLLER),
        partners=tuple(make(f"user{number}", Role.PARTNER_USER, f"P{number:05}") for number in range(PARTNERS_SEEN)),
    )
    company = companies.open_company(code="US", name="Bench", functional_currency="USD", by=ada, at=FOUNDED)
    periods.open_books(company=company, first_on=date(2025, 1, 1), by=everybody.controller, at=FOUNDED)
    return everybody


def fill(everybody: People, channel: Path, terms: Iterable[Terms]) -> None:
    """Put the channel into the lake, bring the programs into force, and work out their balances."""
    from headrace.programs import versions
    from headrace.sales import references
    from headrace.sales.lake import opened
    from headrace.workflow import requests

    with opened() as lake:
        result = lake.append(lake.register_batch(b"history", source="history"), channel / "lines.parquet")
        assert result.accepted, "the history is in the lake"
        for kind in ("partners", "products"):
            table = pq.read_table(channel / f"{kind}.parquet")
            references.put_in_force(
                kind=kind, content_hash=lake.store_snapshot(table), source="history", rows=table.num_rows, at=FOUNDED
            )
    for each in terms:
        version = versions.draft(text=dump(each), by=everybody.author, at=FOUNDED)
        versions.step(version=version.pk, event="submit", by=everybody.author, at=FOUNDED)
        (asked,) = [one for one in requests.listed(everybody.approver, at=FOUNDED) if one.state == "open"]
        requests.approve(request=asked.request, by=everybody.approver, at=FOUNDED)
        versions.step(version=version.pk, event="activate", by=everybody.author, at=FOUNDED)
    work()


def work() -> None:
    """Run the jobs until none is due; one that failed for good fails the measurement."""
    from headrace.foundation import jobs

    worker = jobs.Worker("bench")
    while worker.step():
        pass
    assert not jobs.failed(), jobs.failed()


@contextmanager
def _database(folder: str, url: str) -> Iterator[str]:
    name = f"headrace_bench_{uuid.uuid4().hex}"
    if not url:
        yield f"sqlite:///{folder}/{name}.sqlite3"
        return
    import psycopg

    before, _, after = url.partition("?")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield f"{before.rpartition('/')[0]}/{name}" + (f"?{after}" if after else "")
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
