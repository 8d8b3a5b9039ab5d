"""Runs the engine on rows in memory and gives its result in the shape of the reference's."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine.results import STATEMENTS
from headrace.engine.run import Request, calculate
from headrace.engine.schema import SUM
from headrace.engine.terms.model import Terms
from tests.reference.cases import Row, tables_of
from tests.reference.run import Outcome

_IDENTITY = ("program", "payee_kind", "payee_id", "scope", "from", "until")
FIXED = pa.schema([*(STATEMENTS.field(name) for name in _IDENTITY), pa.field("amount", SUM)])


def run_engine(
    programs: Sequence[Terms],
    lines: Sequence[Row],
    references: Mapping[str, Sequence[Row]],
    folder: Path,
    *,
    as_of: date | None = None,
    files: int = 1,
    fixed: Sequence[Row] = (),
) -> Outcome:
    """Calculate with the engine, by way of Parquet files in a folder."""
    tables = tables_of(lines, references, folder, files)
    settled = pa.Table.from_pylist([dict(row) for row in fixed], FIXED) if fixed else None
    request = Request(programs=tuple(programs), tables=tables, as_of=as_of, fixed=settled)
    awards = folder / "awards.parquet"
    result = calculate(request, awards=awards)
    outcome = Outcome()
    outcome.statements = result.statements.to_pylist()
    outcome.awards = pq.read_table(awards).to_pylist()
    outcome.reasons = {program: dict(counts) for program, counts in result.reasons.items()}
    outcome.findings = {finding.code for finding in result.findings}
    return outcome
