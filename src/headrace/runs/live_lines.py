"""The lines that live balances look at: those of one batch with the sales that its returns name, and those of some parties."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from headrace.engine.schema import Lines
from headrace.lake import Lake

_RETURNS = "kind IN ('return', 'purchase_return')"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLines:
    """Lines of one batch, and the sales that its returns name.

    counted: the ids of the batch's own lines. unknown: sales that its returns name and that the lake does not have. parties: by
    role, whom the lines name. first_day: the first day of any of them.
    """

    lines: Lines
    counted: frozenset[str]
    unknown: frozenset[str]
    parties: dict[str, frozenset[str]]
    first_day: date


def batch_lines(
    con: duckdb.DuckDBPyConnection, lake: Lake, batch_seq: int, into: Path, *, roles: Collection[str]
) -> BatchLines | None:
    """Take the lines of a batch, as a Parquet file in `into`; null where it added none. roles: whose parties are asked for."""
    found = lake.lines(batch_seq, batch=batch_seq)
    if not found.paths:
        return None
    con.execute(f"CREATE OR REPLACE TEMP TABLE of_batch AS FROM {_read(found)} WHERE batch_seq = {batch_seq}")
    ids = _ids(con, "SELECT line_id FROM of_batch")
    if not ids:
        return None
    named = _ids(con, f"SELECT original_line_id FROM of_batch WHERE {_RETURNS} AND original_line_id IS NOT NULL")
    missing = named - ids
    if missing:
        everything = lake.lines()
        con.register("named_ids", pa.table({"line_id": pa.array(sorted(missing), pa.string())}))
        con.execute(
            "INSERT INTO of_batch BY NAME "
            f"FROM {_read(everything)} SEMI JOIN named_ids USING (line_id) WHERE {_bound(everything)}"
        )
        con.unregister("named_ids")
        missing -= _ids(con, "SELECT line_id FROM of_batch")
    parties = {role: _ids(con, f"SELECT DISTINCT {role} FROM of_batch WHERE {role} IS NOT NULL") for role in roles}
    first_day = date.fromisoformat(str(con.execute("SELECT min(occurred_on) FROM of_batch").fetchall()[0][0]))
    path = into / f"batch-{batch_seq}.parquet"
    con.execute(f"COPY of_batch TO {_text(path)} (FORMAT parquet)")
    lines = Lines(paths=(path,), columns=found.columns)
    return BatchLines(lines=lines, counted=ids, unknown=missing, parties=parties, first_day=first_day)


def lines_of(
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    columns: Sequence[str],
    parties: Collection[str],
    into: Path,
    *,
    since: date | None = None,
) -> Lines:
    """Take every line that names one of the parties in one of the columns, as a Parquet file in `into`.

    since: no earlier lines, but for returns that name a later sale, and sales that are named by what was taken.
    """
    only_sellers = tuple(columns) == ("partner_id",)
    found = lake.lines(partners=parties) if only_sellers else lake.lines()
    if not found.paths:
        return found
    con.register("wanted", pa.table({"id": pa.array(sorted(parties), pa.string())}))
    named = " OR ".join(f"{column} IN (SELECT id FROM wanted)" for column in columns)
    theirs = f"FROM {_read(found)} WHERE ({named}) AND {_bound(found)}"
    path = into / "parties.parquet"
    later = "" if since is None else f" AND occurred_on >= DATE '{since}'"
    con.execute(f"COPY ({theirs}{later}) TO {_text(path)} (FORMAT parquet)")
    paths = [path]
    if since is not None and "original_line_id" in found.columns:
        earlier = f"{theirs} AND occurred_on < DATE '{since}'"
        tied = _tied(con, theirs, path, since)
        if tied:
            con.register("tied", pa.table({"line_id": pa.array(sorted(tied), pa.string())}))
            paths.append(into / "earlier.parquet")
            con.execute(
                f"COPY ({earlier} AND line_id IN (SELECT line_id FROM tied)) TO {_text(paths[1])} (FORMAT parquet)"
            )
            con.unregister("tied")
    con.unregister("wanted")
    return Lines(paths=tuple(paths), columns=found.columns)


def _tied(con: duckdb.DuckDBPyConnection, theirs: str, taken: Path, since: date) -> frozenset[str]:
    """List earlier lines that are tied to what was taken: returns of its sales, and lines that may be sales of its returns."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE ties AS "
        f"SELECT line_id, original_line_id, occurred_on < DATE '{since}' AS earlier {theirs} AND original_line_id IS NOT NULL"
    )
    known = f"(SELECT line_id FROM read_parquet({_text(taken)}))"
    returns = _ids(con, f"SELECT line_id FROM ties WHERE earlier AND original_line_id IN {known}")
    sales = _ids(con, f"SELECT original_line_id FROM ties WHERE NOT earlier AND original_line_id NOT IN {known}")
    con.execute("DROP TABLE ties")
    return returns | sales


def unknown_sales(con: duckdb.DuckDBPyConnection, lines: Lines) -> frozenset[str]:
    """List the sales that returns among the lines name and that are not among them."""
    if not lines.paths or "original_line_id" not in lines.columns:
        return frozenset()
    return _ids(
        con,
        f"SELECT DISTINCT original_line_id FROM {_read(lines)} WHERE {_RETURNS} AND original_line_id IS NOT NULL AND "
        f"{_bound(lines)} AND original_line_id NOT IN (SELECT line_id FROM {_read(lines)} WHERE {_bound(lines)})",
    )


def _ids(con: duckdb.DuckDBPyConnection, query: str) -> frozenset[str]:
    return frozenset(str(row[0]) for row in con.execute(query).fetchall())


def _read(lines: Lines) -> str:
    listed = ", ".join(_text(path) for path in lines.paths)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def _bound(lines: Lines) -> str:
    return "TRUE" if lines.batch_seq_max is None else f"batch_seq <= {lines.batch_seq_max}"


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
