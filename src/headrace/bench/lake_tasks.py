"""What is measured on a lake, for a child process: making one, adding small batches in a running process, loading a file."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from headrace.bench import lines
from headrace.bench.lines import DAYS, Size
from headrace.bench.measure import Stopwatch
from headrace.intake.load import Request, intake
from headrace.intake.profile import load_profile
from headrace.intake.store import LakeStore
from headrace.lake import Lake

BATCH_LINES = 1_000
_WARM_UP = 3  # the first batches open files and fill the index; a running process has done so


def make_lake(watch: Stopwatch, *, size: dict[str, int], folder: str, lake: str) -> dict[str, Any]:
    """Load the made-up channel into a new lake, as one batch."""
    path = Path(lake)
    if (path / "lake.json").exists() and Lake(path).last_batch_seq() > 0:
        return {"made": False}
    store = Lake.create(path)
    with watch:
        batch = store.register_batch(json.dumps(size).encode(), source="bench")
        result = store.append(batch, Path(folder) / "lines.parquet")
    assert result.accepted == size["lines"], result.accepted
    return {"made": True, "lines": result.accepted}


def append_batches(watch: Stopwatch, *, size: dict[str, int], lake: str, count: int, late: bool) -> dict[str, Any]:
    """Add `count` batches of 1,000 lines, each durable before the next: registered, checked for duplicates, appended.

    late: the lines of one partner, spread over the two years; otherwise lines of all partners in order, on the days after.
    """
    store = Lake(Path(lake))
    before = store.last_batch_seq()
    rest = Stopwatch()
    for number, rows in enumerate(batches(Size(**size), count + _WARM_UP, first=before, late=late)):
        raw = f"{before} {number} {late}".encode()
        with watch if number >= _WARM_UP else rest:
            result = store.append(store.register_batch(raw, source="bench"), rows)
        assert result.accepted == BATCH_LINES, result.accepted
    return {"files": len(store.lines().paths)}


def load_file(watch: Stopwatch, *, size: dict[str, int], folder: str, lake: str, count: int) -> dict[str, Any]:
    """Load a clean CSV file of `count` new lines: mapped, checked against partners and products, de-duplicated, durable."""
    store = Lake(Path(lake))
    path = Path(folder) / "delivery.csv"
    made_up = Size(**size)
    start = made_up.lines + store.last_batch_seq() * 1_000 * BATCH_LINES
    with duckdb.connect() as connection:
        query = lines.lines_query(made_up, start, start + count, days_from=DAYS, days=30)
        connection.execute(f"COPY ({query}) TO '{path}' (HEADER)")
    references = {"partners": lines.partners(made_up), "products": lines.products(made_up)}
    request = Request(received_on=lines.FIRST_DAY + timedelta(days=DAYS + 31), references=references)
    profile = load_profile("canonical")
    with watch:
        report = intake([path], profile, LakeStore(store), request=request, out=Path(folder) / "rejects")
    accepted = store.register.batches()[-1].accepted
    assert accepted == count, (accepted, [finding.message for finding in report.findings[:3]])
    return {"lines": count, "bytes": path.stat().st_size}


def batches(size: Size, count: int, *, first: int, late: bool) -> Iterator[pa.Table]:
    """Make up batches that no earlier call with another `first` has given."""
    with duckdb.connect() as connection:
        for number in range(count):
            start = size.lines + (first * 1_000 + number) * BATCH_LINES
            days = {"days_from": 0, "days": DAYS} if late else {"days_from": DAYS + number, "days": 1}
            query = lines.lines_query(size, start, start + BATCH_LINES, **days)
            if late:
                query = f"SELECT * REPLACE ('P00000' AS partner_id) FROM ({query})"
            yield connection.sql(query).to_arrow_table()
