"""Runs one request on DuckDB and on Spark and compares everything that comes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from headrace.engine.run import Request, Result, calculate
from tests.reference.cases import Case, tables_of
from tests.reference.engine import FIXED


@contextmanager
def small_spark() -> Iterator[Any]:
    """Start Spark for little data: no code is generated, Java compiles only once, and every stage is one task."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1536m",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.buffer.pageSize": "1m",
        "spark.default.parallelism": "1",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()


def request_of(case: Case, folder: Path) -> Request:
    """Give a hand-worked case as a request over files in a folder."""
    fixed = pa.Table.from_pylist([dict(row) for row in case.fixed], FIXED) if case.fixed else None
    tables = tables_of(case.lines, case.references, folder, 1)
    return Request(programs=tuple(case.programs), tables=tables, as_of=case.as_of, fixed=fixed)


def difference(request: Request, folder: Path) -> str:
    """Say what differs between the engines; nothing where all is equal."""
    paths = {engine: folder / f"{engine}.parquet" for engine in ("duckdb", "spark")}
    duck = calculate(request, awards=paths["duckdb"])
    spark = calculate(replace(request, backend="spark"), awards=paths["spark"])
    said = [
        f"{what}:\n  duckdb {left}\n  spark  {right}"
        for what, left, right in zip(
            ("statements", "reasons", "findings", "as_of"), _told(duck), _told(spark), strict=True
        )
        if left != right
    ]
    apart = awards_apart(paths["duckdb"], paths["spark"])
    return "\n".join(said + ([f"awards: {apart} only in one"] if any(apart) else []))


def _told(result: Result) -> tuple[object, ...]:
    findings = sorted(str(finding) for finding in result.findings)
    return result.statements.to_pylist(), result.reasons, findings, result.as_of


def awards_apart(left: Path, right: Path) -> tuple[int, int]:
    """Count the awards of either file that the other lacks, as often as they occur."""
    with duckdb.connect() as connection:
        one, other = (f"FROM read_parquet('{path}')" for path in (left, right))
        counts = [
            connection.execute(f"SELECT count(*) FROM ({a} EXCEPT ALL {b})").fetchall()[0][0]
            for a, b in ((one, other), (other, one))
        ]
    return counts[0], counts[1]
