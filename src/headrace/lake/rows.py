"""Activity lines on their way into the lake: the contract they must keep, the schema they may widen, the order they lie in.

Contract and types are those of `headrace.engine.schema.LINES`; further columns are text, decimal (LINE), date or boolean. A
column once in the lake keeps its type. Nothing here judges what a line says: that is intake's job.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.engine.findings import Refusal
from headrace.engine.schema import LINE, LINES

BATCH_SEQ = "batch_seq"
MONTH = "month"
# Rows that are checked, sorted and written at a time: bounds the memory of an intake of any size.
CHUNK_ROWS = 1_000_000

_OWN = {BATCH_SEQ, MONTH}
_FURTHER = {"string": "text", f"{LINE}": "decimal", "date32[day]": "date", "bool": "boolean"}
# As Arrow values, because Arrow looks for an optional library each time that it meets a Python number.
_NOUGHT, _ONE, _TWELVE, _THIRTY_TWO = (pa.scalar(number, pa.int64()) for number in (0, 1, 12, 32))


def empty_schema() -> pa.Schema:
    """Give the schema of a lake without further columns: LINES, `batch_seq`, and the partition `month` (YYYY-MM)."""
    named = [pa.field(name, column.type, nullable=column.nullable) for name, column in LINES.items()]
    own = [pa.field(BATCH_SEQ, pa.int64(), nullable=False), pa.field(MONTH, pa.string(), nullable=False)]
    return pa.schema([*named, *own])


def chunks(rows: pa.Table | Path) -> Iterator[pa.Table]:
    """Give the rows of a table or of a Parquet file in their order, a bounded number at a time."""
    if isinstance(rows, pa.Table):
        for start in range(0, rows.num_rows, CHUNK_ROWS):
            yield rows.slice(start, CHUNK_ROWS)
        return
    with pq.ParquetFile(rows) as file:
        for batch in file.iter_batches(batch_size=CHUNK_ROWS):
            yield pa.Table.from_batches([batch])


def schema_of(rows: pa.Table | Path) -> pa.Schema:
    """Give the schema of a table or of a Parquet file."""
    return rows.schema if isinstance(rows, pa.Table) else pq.read_schema(rows)


def widened(lake: pa.Schema, coming: pa.Schema) -> pa.Schema:
    """Give the lake's schema with the further columns of a batch added at its end.

    Raises Refusal `column_reserved` for a column that the lake itself writes, `column_type` where a type is none of the four
    or differs from what the lake has, and `column_missing` where LINES needs a column that is not there.
    """
    _refuse_missing(coming)
    further = []
    for column in coming:
        kind = _plain_type(column.type)
        if column.name in _OWN:
            raise Refusal(
                "column_reserved",
                f"A batch may not bring a column {column.name}: the lake writes it. Rename the column in the profile.",
            )
        standing = lake.field(column.name).type if column.name in lake.names else None
        if pa.types.is_null(kind) or kind == standing:
            continue
        if standing is not None:
            raise Refusal(
                "column_type",
                f"Column {column.name} is {_name(standing)} in the lake and {_name(kind)} in this batch. A column keeps its "
                "type: let the profile read it so, or rename it.",
            )
        if str(kind) not in _FURTHER:
            raise Refusal(
                "column_type",
                f"Column {column.name} has the type {kind}; a further column is text, decimal(18,6), date or boolean. Let the "
                "profile convert it or leave it out.",
            )
        further.append(pa.field(column.name, kind))
    return pa.schema([*lake, *further])


def conformed(rows: pa.Table, schema: pa.Schema, *, batch_seq: int, carried: Sequence[str] = ()) -> pa.Table:
    """Give rows with exactly the columns of the lake but `month`, in its order and types, and their `batch_seq`.

    carried: further columns that stay as they are for now, behind the others.

    Raises Refusal `column_null` where a column that LINES needs holds a null.
    """
    columns: dict[str, pa.ChunkedArray | pa.Array] = {}
    for column in schema:
        if column.name == MONTH:
            continue
        if column.name == BATCH_SEQ:
            columns[BATCH_SEQ] = pa.repeat(pa.scalar(batch_seq, pa.int64()), rows.num_rows)
            continue
        if column.name not in rows.schema.names:
            columns[column.name] = pa.nulls(rows.num_rows, column.type)
            continue
        values = rows[column.name].cast(column.type)
        if not column.nullable and values.null_count:
            raise Refusal(
                "column_null",
                f"Column {column.name} is empty in {values.null_count} of {rows.num_rows} lines; every line needs it. Let the "
                "profile fill it, or reject these rows before they come to the lake.",
            )
        columns[column.name] = values
    fields = [column for column in schema if column.name != MONTH]
    lines = pa.table(list(columns.values()), schema=pa.schema(fields))
    for name in carried:
        lines = lines.append_column(rows.field(name), rows[name])
    return lines


def by_month(rows: pa.Table) -> list[tuple[str, pa.Table]]:
    """Split rows by the month of `occurred_on`, each part sorted by partner and day, rows equal in both in their order.

    Partners are ordered by bytes, lines without one first.
    """
    days = rows["occurred_on"].combine_chunks()
    months = pc.add(pc.multiply(pc.year(days), _TWELVE), pc.subtract(pc.month(days), _ONE))
    partners, partner_count = _ranks(rows["partner_id"].combine_chunks())
    # One integer that sorts like (month, partner, day): sorting it is much quicker than sorting by three columns.
    count = pa.scalar(partner_count, pa.int64())
    key = pc.add(pc.multiply(pc.add(pc.multiply(months, count), partners), _THIRTY_TWO), pc.day(days))
    order = pc.array_sort_indices(key)
    in_order = rows.take(order)
    runs = pc.run_end_encode(months.take(order))
    parts, start = [], 0
    for number, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        parts.append((f"{number // 12:04d}-{number % 12 + 1:02d}", in_order.slice(start, end - start)))
        start = end
    return parts


def public_columns(schema: pa.Schema) -> Mapping[str, pa.DataType]:
    """Give every column that a reader sees with its type: all but the partition."""
    return {column.name: column.type for column in schema if column.name != MONTH}


def _ranks(partners: pa.Array) -> tuple[pa.Array, int]:
    encoded = partners.dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary)
    rank_of_code = pc.array_sort_indices(order).cast(pa.int64())
    ranks = pc.add(rank_of_code.take(encoded.indices), _ONE)
    return pc.fill_null(ranks, _NOUGHT), len(encoded.dictionary) + 1


def _refuse_missing(coming: pa.Schema) -> None:
    missing = [name for name, column in LINES.items() if not column.nullable and name not in coming.names]
    if missing:
        raise Refusal(
            "column_missing",
            f"The lines lack {', '.join(missing)}, which every line needs. Add them to the file, or give them as constants in "
            "the profile.",
        )


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind


def _name(kind: pa.DataType) -> str:
    return _FURTHER.get(str(kind), str(kind))
