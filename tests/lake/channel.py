"""Made-up activity lines for the tests of the lake: small, seeded, with amounts that can be added up in the head."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from headrace.engine.schema import LINES, Lines
from headrace.lake import AppendResult, Lake

_NEEDED = ("line_id", "kind", "stage", "occurred_on", "partner_id", "product_id", "quantity", "amount", "currency")


def lines(ids: Sequence[str], *, seed: int = 1, first_day: date = date(2025, 1, 1), days: int = 90) -> pa.Table:
    """Make one line per id, over some months and partners, amount = quantity × 10."""
    chance = random.Random(seed)
    rows = []
    for line_id in ids:
        quantity = Decimal(chance.randint(1, 9))
        rows.append(
            {
                "line_id": line_id,
                "kind": "sale",
                "stage": "sell_through",
                "occurred_on": first_day + timedelta(days=chance.randrange(days)),
                "partner_id": f"P{chance.randint(1, 5)}",
                "product_id": f"SKU{chance.randint(1, 20)}",
                "quantity": quantity,
                "amount": quantity * 10,
                "currency": "USD",
            }
        )
    schema = pa.schema([pa.field(name, LINES[name].type) for name in _NEEDED])
    return pa.Table.from_pylist(rows, schema=schema)


def numbered(first: int, count: int) -> list[str]:
    return [f"L{number:06d}" for number in range(first, first + count)]


def take_in(lake: Lake, name: str, rows: pa.Table) -> AppendResult:
    """Register a batch of that name and append its rows."""
    return lake.append(lake.register_batch(name.encode(), source=f"{name}.csv"), rows)


def query(found: Lines, sql: str) -> list[tuple[object, ...]]:
    """Ask DuckDB about `lines`: the files that the lake gave, bounded by its batch_seq."""
    if not found.paths:
        return []
    with duckdb.connect() as database:
        paths = [str(path) for path in found.paths]
        bound = found.batch_seq_max if found.batch_seq_max is not None else 2**62
        return database.execute(
            "with lines as (select * from read_parquet($paths, union_by_name = true, hive_partitioning = false)"
            f" where batch_seq <= $bound) {sql}",
            {"paths": paths, "bound": bound},
        ).fetchall()


def content(found: Lines) -> list[tuple[object, ...]]:
    """Give every line with its batch, in the order of ids."""
    columns = "line_id, occurred_on, partner_id, product_id, quantity, amount, batch_seq"
    return query(found, f"select {columns} from lines order by line_id")


def files_of(lake: Lake) -> set[Path]:
    return {path for path in lake.folder.rglob("*") if path.is_file()}
