"""A lake small enough to work by hand: two partners, one quarterly program of 10 % up to 1,000 and 20 % beyond."""

from datetime import date
from decimal import Decimal

import pyarrow as pa

from headrace.engine.schema import LINES
from headrace.engine.terms import Terms
from headrace.lake import Lake
from headrace.runs.book import Book

Q1 = date(2026, 1, 1)
Q2 = date(2026, 4, 1)

type Sale = tuple[str, str, str, str]  # line id, partner, day, amount


def program(version: int = 1, *, rate: str = "0.2", **further: object) -> Terms:
    """Give the program; `rate` is that of the second tier."""
    return Terms.model_validate(
        {
            "program": "volume",
            "version": version,
            "currency": "USD",
            "valid": {"from": "2026-01-01", "until": "2027-01-01"},
            "schedule": {"tiers": [{"from": "0", "rate": "0.1"}, {"from": "1000", "rate": rate}]},
            **further,
        }
    )


def sales(*rows: Sale) -> pa.Table:
    """Give sales as lines; a negative amount is a return."""
    given = {
        "line_id": [row[0] for row in rows],
        "kind": ["return" if row[3].startswith("-") else "sale" for row in rows],
        "stage": ["sell_through"] * len(rows),
        "occurred_on": [date.fromisoformat(row[2]) for row in rows],
        "partner_id": [row[1] for row in rows],
        "product_id": ["K1"] * len(rows),
        "quantity": [Decimal(-1 if row[3].startswith("-") else 1) for row in rows],
        "amount": [Decimal(row[3]) for row in rows],
        "currency": ["USD"] * len(rows),
    }
    return pa.table({name: pa.array(values, LINES[name].type) for name, values in given.items()})


def add(lake: Lake, *rows: Sale) -> int:
    """Add sales to the lake as one batch."""
    lines = sales(*rows)
    batch = lake.register_batch(repr(rows).encode(), source="test")
    return lake.append(batch, lines).batch.batch_seq


def set_partners(lake: Lake, book: Book, **levels: str) -> None:
    """Put a table of partners in force."""
    table = pa.table({"partner_id": list(levels), "level": list(levels.values())})
    book.set_reference("partners", lake.store_snapshot(table), source="test")
