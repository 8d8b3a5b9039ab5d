"""Lines of the lake that have a value in each of some columns, kept from one file to the next.

An intake of many small files asks the same of the lake for each of them; kept lines make that cost what the new files of the lake
cost. Nothing is kept between processes, and nothing is believed over the lake: where one of its files is gone, all are read anew.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from headrace.engine.schema import Lines
from headrace.intake.staging import literal, quote

# Beyond this many lines the lake is read for each file: keeping them would take more memory than it saves time.
LINES_MAX = 500_000


class Remembered:
    """The lines with values in the columns, of the files that were asked about before. Used by one thread at a time."""

    def __init__(self, con: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> None:
        """Keep lines in a temporary table of a connection of one's own."""
        self._con = con
        self._columns = tuple(columns)
        self._paths: set[Path] = set()
        self._too_many = False

    def equal_to(self, keys: pa.Table, lines: Lines) -> pa.Table | None:
        """Give line_id and the columns of every line that equals a row of keys; null where there are too many to keep."""
        if self._too_many or not self._bring_up(lines):
            return None
        bound = "" if lines.batch_seq_max is None else f"WHERE batch_seq <= {lines.batch_seq_max}"
        named = ", ".join(map(quote, self._columns))
        self._con.register("wanted", keys)
        try:
            query = f"SELECT line_id, {named} FROM kept SEMI JOIN wanted USING ({named}) {bound}"
            return self._con.sql(query).to_arrow_table()
        finally:
            self._con.unregister("wanted")

    def _bring_up(self, lines: Lines) -> bool:
        """Read the files that were not read yet; false where there are too many lines to keep."""
        if not self._paths.issubset(lines.paths):
            self._paths = set()
        new = [path for path in lines.paths if path not in self._paths]
        if not new:
            return True
        make = "INSERT INTO kept" if self._paths else "CREATE OR REPLACE TEMP TABLE kept AS"
        self._con.execute(f"{make} {self._reading(new, lines)} LIMIT {LINES_MAX + 1}")
        self._paths.update(new)
        if self._con.execute("SELECT count(*) FROM kept").fetchall()[0][0] > LINES_MAX:
            self._con.execute("DROP TABLE kept")
            self._too_many = True
        return not self._too_many

    def _reading(self, paths: Sequence[Path], lines: Lines) -> str:
        files = ", ".join(literal(str(path)) for path in paths)
        numbered = () if lines.batch_seq_max is None else ("batch_seq",)
        columns = ", ".join(map(quote, ("line_id", *numbered, *self._columns)))
        complete = " AND ".join(f"{quote(name)} IS NOT NULL" for name in self._columns)
        there = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        return f"SELECT {columns} FROM {there} WHERE {complete}"
