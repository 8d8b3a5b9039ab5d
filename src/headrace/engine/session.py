"""One DuckDB database in memory for one calculation: runs the statements of the plan and keeps a record of them.

Knows nothing of incentives. Statements are recorded so that a test can read every one of them, and `explain` can say them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from headrace.engine.findings import Refusal


class Session:
    """Tables made one after another from SQL; closed with everything in it."""

    def __init__(self, *, memory_bytes_max: int | None, threads: int | None, temp_dir: Path | None) -> None:
        self._con = duckdb.connect()
        self.statements: list[str] = []
        self._con.execute("SET preserve_insertion_order = false")
        self._con.execute("SET enable_progress_bar = false")
        if memory_bytes_max is not None:
            self._con.execute(f"SET memory_limit = '{memory_bytes_max // 1024} KiB'")
        if threads is not None:
            self._con.execute(f"SET threads = {threads}")
        if temp_dir is not None:
            self._con.execute(f"SET temp_directory = {text(str(temp_dir))}")

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Let go of everything in it."""
        self._con.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    def table(self, name: str, select: str) -> None:
        """Make a table from a query; one of that name gives way."""
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")

    def ordered_table(self, name: str, select: str) -> None:
        """Make a table whose rows stand in the order that the query gives them."""
        with self._in_order():
            self.table(name, select)

    def ordered_rows(self, select: str) -> list[tuple[object, ...]]:
        """Run a query that reads tables in the order in which their rows stand."""
        with self._in_order():
            return self.rows(select)

    @contextmanager
    def _in_order(self) -> Iterator[None]:
        self._con.execute("SET preserve_insertion_order = true")
        try:
            yield
        finally:
            self._con.execute("SET preserve_insertion_order = false")

    def view(self, name: str, select: str, *, reread: bool = False) -> None:
        """Name a query; it runs wherever the name is used. reread: it costs much and is read by several statements.

        Here nothing follows from `reread`: the planner of DuckDB takes from a view only what a statement asks of it.
        """
        self._run(f"CREATE OR REPLACE TEMP VIEW {name} AS {select}")

    def put(self, name: str, rows: pa.Table) -> None:
        """Make a table from Arrow."""
        self._con.register("arrow_rows", rows)
        try:
            self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM arrow_rows")
        finally:
            self._con.unregister("arrow_rows")

    def fetch(self, select: str) -> pa.Table:
        """Run a query and give all of its rows."""
        self.statements.append(select)
        with _faults_named():
            return self._con.sql(select).to_arrow_table()

    def rows(self, select: str) -> list[tuple[object, ...]]:
        """Run a query and give all of its rows as tuples."""
        self.statements.append(select)
        with _faults_named():
            return self._con.execute(select).fetchall()

    def execute(self, statement: str) -> None:
        """Run a statement that gives nothing back."""
        self._run(statement)

    def drop(self, *names: str) -> None:
        """Free tables that are no longer needed."""
        for name in names:
            self._con.execute(f"DROP TABLE IF EXISTS {name}")

    def _run(self, statement: str) -> None:
        self.statements.append(statement)
        with _faults_named():
            self._con.execute(statement)


def text(value: str) -> str:
    """Write a text literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def name(column: str) -> str:
    """Write a column's name, whatever it holds."""
    return '"' + column.replace('"', '""') + '"'


@contextmanager
def _faults_named() -> Iterator[None]:
    """Turn what data can do to the database into refusals; everything else is a defect and passes."""
    try:
        yield
    except (duckdb.OutOfRangeException, duckdb.ConversionException) as error:
        message = f"A number left the range of its type: {str(error).splitlines()[0]} Check the largest quantities and amounts."
        raise Refusal("out_of_range", message) from error
    except duckdb.OutOfMemoryException as error:
        message = "The memory limit is too low for these lines; raise it, or give a folder for temporary files with more room."
        raise Refusal("out_of_memory", message) from error
    except duckdb.IOException as error:
        raise Refusal("unreadable", f"A file could not be read or written: {str(error).splitlines()[0]}") from error
