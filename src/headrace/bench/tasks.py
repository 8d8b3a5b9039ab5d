"""What is measured, each as one function for a child process. Arguments and answers are JSON."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from headrace import engine
from headrace.bench import application_tasks, lake_tasks, ledger_tasks, lines, plain_loop, programs, yardstick
from headrace.bench.lines import Size
from headrace.bench.measure import NotInstalled, Stopwatch
from headrace.engine.terms import Terms

THREADS = 2

PROGRAMS: Mapping[str, Callable[[Size], tuple[Terms, ...]]] = {
    "one": programs.one,
    "twenty": programs.twenty,
    "five_hundred": programs.five_hundred,
    "ordered": programs.ordered,
}


def generate(watch: Stopwatch, *, size: dict[str, int], folder: str) -> dict[str, Any]:
    """Make up the channel."""
    with watch:
        lines.generate(Size(**size), Path(folder))
    return {"bytes": (Path(folder) / "lines.parquet").stat().st_size}


def plain_sql(
    watch: Stopwatch, *, size: dict[str, int], folder: str, out: str, memory_bytes_max: int
) -> dict[str, Any]:
    """Run the yardstick."""
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{memory_bytes_max}B'")
        connection.execute(f"SET threads = {THREADS}")
        connection.execute(f"SET temp_directory = '{Path(out).parent / 'spill-sql'}'")
        # Neither side promises an order of the awards in the file.
        connection.execute("SET preserve_insertion_order = false")
        with watch:
            yardstick.run(connection, Path(folder), Size(**size), Path(out))
    return {"awards": pq.read_metadata(out).num_rows}


def calculate(
    watch: Stopwatch,
    *,
    size: dict[str, int],
    folder: str,
    which: str,
    out: str,
    memory_bytes_max: int,
    backend: Literal["duckdb", "spark"] = "duckdb",
) -> dict[str, Any]:
    """Run the engine over the whole channel with line-level awards."""
    if backend == "spark" and find_spec("pyspark") is None:
        raise NotInstalled("pyspark; install headrace[spark]")
    request = engine.Request(
        programs=PROGRAMS[which](Size(**size)),
        tables=lines.tables(Path(folder)),
        backend=backend,
        memory_bytes_max=memory_bytes_max,
        threads=THREADS,
        temp_dir=Path(out).parent / "spill-engine",
    )
    with watch:
        result = engine.calculate(request, awards=Path(out))
    if backend == "spark" and "pyspark" not in sys.modules:
        # Equal awards would prove nothing if both came from DuckDB.
        raise NotInstalled("headrace.engine ran the plan without Spark")
    return {
        "awards": _count(out),
        "statements": result.statements.num_rows,
        "findings": [asdict(finding) for finding in result.findings[:5]],
        "reasons": {program: dict(counts) for program, counts in list(result.reasons.items())[:3]},
    }


def differences(watch: Stopwatch, *, left: str, right: str, columns: list[str]) -> dict[str, Any]:
    """Count the rows that one file of awards has and the other lacks, counted as often as they occur."""
    names = ", ".join(f'"{name}"' for name in columns)
    with duckdb.connect() as connection, watch:
        connection.execute("SET memory_limit = '3GB'")
        connection.execute(f"SET threads = {THREADS}")
        connection.execute(f"SET temp_directory = '{Path(left).parent / 'spill-compare'}'")
        counts = [
            connection.execute(
                f"SELECT count(*) FROM (SELECT {names} FROM {_source(a)} EXCEPT ALL SELECT {names} FROM {_source(b)})"
            ).fetchone()
            for a, b in ((left, right), (right, left))
        ]
    return {"left_only": counts[0][0] if counts[0] else None, "right_only": counts[1][0] if counts[1] else None}


def decimal_loop(watch: Stopwatch, *, size: dict[str, int], folder: str, sample: int, out: str) -> dict[str, Any]:
    """Run the plain loop over the first lines of the channel, from file to file as the engine does.

    Gives also how long the loop alone took, without reading lines and writing awards.
    """
    path, alone = Path(folder), Stopwatch()
    partners = {row["partner_id"]: row for row in pq.read_table(path / "partners.parquet").to_pylist()}
    products = {row["product_id"]: row for row in pq.read_table(path / "products.parquet").to_pylist()}
    with watch:
        with duckdb.connect() as connection:
            rows = (
                connection.sql(f"FROM read_parquet('{path / 'lines.parquet'}') LIMIT {sample}")
                .to_arrow_table()
                .to_pylist()
            )
        with alone:
            awards = plain_loop.awards(rows, partners, products, Size(**size))
        ids, amounts = zip(*awards, strict=True)
        pq.write_table(pa.table({"line_id": ids, "award": amounts}), out)
    return {"lines": len(rows), "awards": len(awards), "alone_seconds": alone.laps[0]}


def _source(path: str) -> str:
    pattern = f"{path}/*.parquet" if Path(path).is_dir() else path
    return f"read_parquet('{pattern}')"


def _count(path: str) -> int:
    with duckdb.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM {_source(path)}").fetchone()
    assert row is not None
    return int(row[0])


TASKS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "generate": generate,
    "plain_sql": plain_sql,
    "calculate": calculate,
    "differences": differences,
    "decimal_loop": decimal_loop,
    "make_lake": lake_tasks.make_lake,
    "post_batches": lake_tasks.post_batches,
    "append_batches": lake_tasks.append_batches,
    "load_file": lake_tasks.load_file,
    "post_ledger": ledger_tasks.post_ledger,
    "upload_files": application_tasks.upload_files,
    "read_pages": application_tasks.read_pages,
    "finalise_programs": application_tasks.finalise_programs,
}
