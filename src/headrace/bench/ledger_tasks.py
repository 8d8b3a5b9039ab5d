"""Measures the ledger: provisions posted batch by batch, each batch one durable entry with its link in the audit chain.

On SQLite in a folder of its own, or in a database of its own, made for the measurement and dropped after it, on the
PostgreSQL server that is named.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from headrace.bench.measure import NotInstalled, Stopwatch

_NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
_PERIOD = "2026-01-01/2026-04-01"


def post_ledger(watch: Stopwatch, *, folder: str, url: str, batches: int, size: int) -> dict[str, Any]:
    """Post `batches` batches of `size` provisions onto accounts that exist; also say how fast the batch was that made them."""
    for package in ("django", *(("psycopg",) if url else ())):
        if find_spec(package) is None:
            raise NotInstalled(f"{package} is not installed")
    with _database(folder, url) as address:
        os.environ |= {
            "HEADRACE_LOCAL": "1",
            "HEADRACE_HOME": folder,
            "HEADRACE_DATABASE_URL": address,
            "DJANGO_SETTINGS_MODULE": "headrace.server.settings",
        }
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", interactive=False, verbosity=0)
        try:
            return _measured(watch, batches, size)
        finally:
            connections.close_all()


def _measured(watch: Stopwatch, batches: int, size: int) -> dict[str, Any]:
    from headrace.foundation.acts import Actor, acting_as
    from headrace.ledger import flows, proof
    from headrace.ledger.desk import Key
    from headrace.ledger.flows import Item
    from headrace.ledger.journal import Cause, Event

    keys = [
        Key(currency="EUR", payee_kind="partner", payee=f"P{number // 5}", program=f"v{number % 5}", period=_PERIOD)
        for number in range(size)
    ]
    first, posted = Stopwatch(), 0
    with acting_as(Actor(None, "bench")):
        company = _company()
        for batch in range(batches + 1):
            items = [
                Item(key=key, amount=Decimal(100 + batch) + place, version="v/1") for place, key in enumerate(keys)
            ]
            event = Event(company=company, cause=Cause("batch", str(batch)), on=date(2026, 1, 15), at=_NOW)
            with first if batch == 0 else watch:
                posted += flows.provide(event, items).postings
        faults = len(proof.prove().findings)
    assert posted == size * (batches + 1), posted
    return {"postings": size * batches, "with_new_accounts": size / first.wall, "faults": faults}


def _company() -> Any:
    from headrace.foundation import access, companies, people
    from headrace.foundation.roles import VENDOR, Role
    from headrace.ledger import periods

    ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=_NOW)
    member = people.invite(email="cleo@example.com", name="Cleo", organisation=VENDOR, by=ada, at=_NOW)
    asked = access.request_role(membership=member.pk, role=Role.CONTROLLER, by=ada, from_on=_NOW.date(), at=_NOW)
    access.approve_role(grant=asked.pk, by=ben, at=_NOW)
    company = companies.open_company(code="DE", name="Bench", functional_currency="EUR", by=ada, at=_NOW)
    periods.open_books(company=company, first_on=date(2026, 1, 1), by=member.person, at=_NOW)
    return company


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
