"""Awards: appended as differences that carry the run they come from; a run is there wholly or not at all."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa

from headrace.engine.findings import Refusal
from headrace.engine.results import AWARDS
from headrace.lake.datafiles import FileWriter
from headrace.lake.delta import Commit, DeltaFolder
from headrace.lake.rows import chunks, schema_of
from headrace.lake.writing import Held

_RUN, _BATCH_SEQ = "run", "batch_seq"


def schema() -> pa.Schema:
    """Give the columns of the awards table: those of the engine, the run, and up to which batch the run read."""
    return pa.schema(
        [*AWARDS, pa.field(_RUN, pa.string(), nullable=False), pa.field(_BATCH_SEQ, pa.int64(), nullable=False)]
    )


def append(table: DeltaFolder, run: str, rows: pa.Table | Path, *, batch_seq: int, held: Held, at: datetime) -> int:
    """Add the awards of a run that is not there yet, under the lease; give how many rows it has.

    The log notes the count of each run under the run's name, and the lease makes sure that nobody else adds between looking
    and adding. Raises Refusal `awards_columns` where columns or types are not the engine's.
    """
    name = f"headrace.run.{run}"
    there = table.mark(name)
    if there is not None:
        return there
    _refuse_other_columns(schema_of(rows))
    writer = FileWriter(table.path, version=table.version + 1, described=[_RUN, _BATCH_SEQ])
    try:
        for chunk in chunks(rows):
            writer.write([({}, _carrying(chunk, run, batch_seq))])
            held.keep()
        count = sum(file.rows for file in writer.written)
        table.commit(Commit(operation="WRITE", added=writer.written, marks={name: count}, info={"run": run}), at=at)
    except BaseException:
        if not table.was_committed(writer.version, writer.written):
            writer.discard()
        raise
    return count


def _carrying(rows: pa.Table, run: str, batch_seq: int) -> pa.Table:
    own = [pa.repeat(pa.scalar(run), rows.num_rows), pa.repeat(pa.scalar(batch_seq, pa.int64()), rows.num_rows)]
    return pa.table([*(rows[column.name].cast(column.type) for column in AWARDS), *own], schema=schema())


def _refuse_other_columns(coming: pa.Schema) -> None:
    wrong = [
        column.name
        for column in AWARDS
        if column.name not in coming.names or coming.field(column.name).type != column.type
    ]
    if wrong or len(coming) != len(AWARDS):
        raise Refusal(
            "awards_columns",
            f"The awards do not have the engine's columns and types (see {', '.join(wrong) or 'columns beyond them'}). Append "
            "the awards as the engine gives them.",
        )
