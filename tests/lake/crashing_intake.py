"""A program that takes a fixed year of batches into a lake and is killed on the way; run by test_crashes.py."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.engine.results import AWARDS
from headrace.lake import Lake, PersonalColumns, maintenance, rows
from tests.killing import serve
from tests.lake.channel import lines, numbered

PERSONAL = [PersonalColumns(key="customer_key", columns=("customer_name",))]
# Name, ids, personal fields there: ids repeat over batches and inside one.
BATCHES = [
    ("january", numbered(0, 30), False),
    ("february", [*numbered(25, 30), "L000040"], True),
    ("february again", numbered(25, 30), False),
    ("march", numbered(100, 25), True),
    ("april", numbered(120, 40), False),
    ("may", numbered(200, 5), False),
]


def batch_rows(number: int) -> pa.Table:
    """Make the rows of one batch, the same every time."""
    _, ids, with_names = BATCHES[number]
    made = lines(ids, seed=number)
    if with_names:
        names = [f"Customer {line_id[-1]}" for line_id in ids]
        made = made.append_column("customer_name", pa.array(names))
    return made


def awards() -> pa.Table:
    """Make the awards of one run: five lines, 1.25 each."""
    row: dict[str, Any] = {column.name: None for column in AWARDS}
    row |= {"program": "p", "version": 1, "payee_kind": "partner", "payee_id": "P1", "scope": "{}", "verified": True}
    row |= {"from": date(2025, 1, 1), "until": date(2025, 4, 1), "award": Decimal("1.250000")}
    return pa.Table.from_pylist([{**row, "line_id": f"L{n:06d}"} for n in range(5)], schema=AWARDS)


def snapshot() -> pa.Table:
    return pa.table({"partner_id": ["P1", "P2"], "level": ["gold", "silver"]})


def run_year(folder: Path) -> None:
    """Take everything in, as a caller does that does not know how far it came the last time."""
    lake = Lake(folder)
    for number, (name, _, with_names) in enumerate(BATCHES):
        batch = lake.register_batch(name.encode(), source=name)
        lake.append(batch, batch_rows(number), personal_columns=PERSONAL if with_names else ())
        if name == "march":
            lake.append_awards("run-1", awards(), batch_seq=batch.batch_seq)
            lake.maintain()
    lake.store_snapshot(snapshot())


if __name__ == "__main__":
    rows.CHUNK_ROWS = 20
    maintenance._GROUP_FILES_MIN = 2
    serve(run_year)
