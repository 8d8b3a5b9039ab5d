"""Measures the ledger: provisions posted batch by batch, each batch one durable entry with its link in the audit chain."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from headrace.bench.application import found_people, installation
from headrace.bench.measure import Stopwatch

_NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
_PERIOD = "2026-01-01/2026-04-01"


def post_ledger(watch: Stopwatch, *, folder: str, url: str, batches: int, size: int) -> dict[str, Any]:
    """Post `batches` batches of `size` provisions onto accounts that exist; also say how fast the batch was that made them."""
    with installation(folder, url):
        return _measured(watch, batches, size)


def _measured(watch: Stopwatch, batches: int, size: int) -> dict[str, Any]:
    from headrace.foundation import companies
    from headrace.ledger import flows, proof
    from headrace.ledger.desk import Key
    from headrace.ledger.flows import Item
    from headrace.ledger.journal import Cause, Event

    keys = [
        Key(currency="EUR", payee_kind="partner", payee=f"P{number // 5}", program=f"v{number % 5}", period=_PERIOD)
        for number in range(size)
    ]
    first, posted = Stopwatch(), 0
    found_people()
    (company,) = companies.listed()
    for batch in range(batches + 1):
        items = [Item(key=key, amount=Decimal(100 + batch) + place, version="v/1") for place, key in enumerate(keys)]
        event = Event(company=company, cause=Cause("batch", str(batch)), on=date(2026, 1, 15), at=_NOW)
        with first if batch == 0 else watch:
            posted += flows.provide(event, items).postings
    faults = len(proof.prove().findings)
    assert posted == size * (batches + 1), posted
    return {"postings": size * batches, "with_new_accounts": size / first.wall, "faults": faults}
