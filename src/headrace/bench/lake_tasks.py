"""What is measured on a lake, for a child process: making one, adding small batches in a running process, loading a file."""

import gc
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from headrace.bench import lines, programs
from headrace.bench.lines import DAYS, Size
from headrace.bench.measure import Stopwatch
from headrace.engine.terms import Terms
from headrace.engine.terms.canonical import terms_hash
from headrace.intake.load import Request, intake
from headrace.intake.profile import load_profile
from headrace.intake.store import LakeStore
from headrace.lake import Lake
from headrace.runs.book import Book
from headrace.runs.live import Live
from headrace.runs.record import document

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

    late: the lines of one partner, spread over the two years; otherwise lines of all partners in order, on the last day.
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


def post_batches(
    watch: Stopwatch, *, size: dict[str, int], lake: str, count: int, late: bool, ordered: bool
) -> dict[str, Any]:
    """Add batches as `append_batches` does, each also posted to the balances of twenty programs before the next one starts.

    ordered: the programs pay a fixed part by line, so that their touched parties are calculated anew. Gives how many statements
    a batch changed on average.
    """
    store, made_up = Lake(Path(lake)), Size(**size)
    before, rest = store.last_batch_seq(), Stopwatch()
    with Book(store.folder) as book, Live(store, book) as live:
        for kind, table in (("partners", lines.partners(made_up)), ("products", lines.products(made_up))):
            book.set_reference(kind, store.store_snapshot(table), source="bench")
        followed = [ordered_program(each) if ordered else each for each in programs.twenty(made_up)]
        wanted = {each.program for each in followed}
        for gone in {str(each["program"]) for each in book.programs()} - wanted:
            book.remove_program(gone)
        for terms in followed:
            book.set_program(terms.program, terms.version, content_hash=terms_hash(terms), document=document(terms))
        with rest:
            live.catch_up()
        gc.freeze()  # as a server does once it has started: what stays is not looked through again and again
        posted: list[int] = []
        for number, rows in enumerate(batches(made_up, count + _WARM_UP, first=before, late=late)):
            raw = f"{before} {number} {late}".encode()
            with watch if number >= _WARM_UP else rest:
                result = store.append(store.register_batch(raw, source="bench"), rows)
                done = live.catch_up()
            assert result.accepted == BATCH_LINES, result.accepted
            posted += done.posted
        causes = {f"batch:{number}" for number in posted}
        changed = sum(each.cause in causes for each in live.postings())
        apart = len(live.prove())
    return {"changed": changed / len(posted), "loaded_seconds": rest.laps[0], "differences": apart}


def ordered_program(terms: Terms) -> Terms:
    """Give the program with a fixed part by line, under a name of its own."""
    changed: dict[str, Any] = document(terms)
    changed["program"] = f"{terms.program}-ordered"
    changed["schedule"]["fixed"] = "0.01"
    return Terms.model_validate(changed)


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
            # In order is on the last day that the programs hold, so that every line counts.
            days = {"days_from": 0, "days": DAYS} if late else {"days_from": DAYS - 1, "days": 1}
            query = lines.lines_query(size, start, start + BATCH_LINES, **days)
            if late:
                query = f"SELECT * REPLACE ('P00000' AS partner_id) FROM ({query})"
            yield connection.sql(query).to_arrow_table()
