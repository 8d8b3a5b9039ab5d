"""Finalising a program period: computed in full, with every line's award and the snapshot that it cites, posted once.

What was posted before is a sum of postings in the book; what is entitled now comes from the engine; the difference is posted.
So the first run of a period posts it whole, a later run posts only what later lines, returns and corrections changed (also in
periods that were finalised earlier), and a run that changes nothing posts nothing.

Order of the steps, each durable before the next, so that a process killed anywhere leaves either nothing or a run that the next
call brings to its end:

1. the run's folder in the lake (`runs/<run>`): statements, award differences, citation;
2. the book notes the run as pending, at the next place of the program's sequence (two at once: one is refused);
3. the award differences are appended to the lake under the run's name (a second time adds nothing);
4. postings and the state `final` are written in one transaction.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine import Request, Result, calculate
from headrace.engine.findings import Finding, Refusal, has_errors
from headrace.engine.terms import Terms
from headrace.lake import Lake
from headrace.lake.durable import make_folder, publish_folder
from headrace.runs.book import Posting, RunRow
from headrace.runs.changes import covered, write_changes
from headrace.runs.port import Decided
from headrace.runs.record import cite
from headrace.runs.sources import Source, from_lake
from headrace.runs.written import write_run

_KEY = 'program, payee_kind, payee_id, scope, "from", "until", line_id'


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalised:
    """What a run of finalising did.

    run: null where nothing changed since the period was finalised. statements: rows of engine.results.STATEMENTS that the run
    covers, adjustments of earlier periods among them. posted: what was posted, one for each statement that changed.
    """

    run: str | None
    statements: pa.Table
    posted: tuple[Posting, ...]
    findings: tuple[Finding, ...]
    folder: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """A period worked out in full, nothing of it posted yet.

    statements: as in `Finalised`. postings: what is not posted yet. sequence: the place of the run that would post it.
    """

    statements: pa.Table
    postings: tuple[Posting, ...]
    findings: tuple[Finding, ...]
    sequence: int
    batch_seq: int


def preview(
    program: Sequence[Terms],
    *,
    lake: Lake,
    book: Decided,
    period_from: date | None,
    as_of: date | None = None,
    batch_seq: int | None = None,
) -> Worked:
    """Work out what `finalise` would post, and post nothing. The same arguments, and the same refusals."""
    roll_forward(lake, book)
    with tempfile.TemporaryDirectory(prefix="headrace-finalise-") as scratch:
        return _work_out(program, lake, book, period_from, as_of, batch_seq, Path(scratch)).worked


def finalise(
    program: Sequence[Terms],
    *,
    lake: Lake,
    book: Decided,
    period_from: date | None,
    as_of: date | None = None,
    batch_seq: int | None = None,
    agreed: Callable[[Worked], None] | None = None,
) -> Finalised:
    """Finalise the period of one program that starts on `period_from` (null: the program's whole life), and post it.

    program: all versions of the one program. The lines are those of the lake as of `batch_seq` (default: the last); the
    reference tables in force and what was posted before are those of this moment. agreed: looks at what was worked out before
    anything is written, and raises Refusal where it is not what was agreed. Raises Refusal `no_such_period`, `findings_block`
    (faults of severity error in data or terms: nothing is posted), `finalised_meanwhile`, and those of the lake.
    """
    roll_forward(lake, book)
    with tempfile.TemporaryDirectory(prefix="headrace-finalise-") as scratch:
        full = _work_out(program, lake, book, period_from, as_of, batch_seq, Path(scratch))
        worked, runs = full.worked, full.runs
        if agreed is not None:
            agreed(worked)
        changes = Path(scratch) / "changes.parquet"
        before = [run.run for run in runs]
        program_id = program[0].program
        changed = write_changes(full.awards, full.source.awards, program_id, worked.statements, changes, runs=before)
        if not worked.postings and not changed and any(run.from_ == period_from for run in runs):
            return Finalised(run=None, statements=worked.statements, posted=(), findings=worked.findings, folder=None)
        finalised = {
            "program": program_id,
            "starts": [start.isoformat() if start else None for start in full.starts],
            "runs_before": before,
        }
        citation = {**cite(program, full.source, full.result, "duckdb"), "finalised": finalised}
        row = RunRow(
            run=_name(citation, period_from, worked.sequence),
            program=program_id,
            from_=period_from,
            until=_until(worked.statements, period_from),
            batch_seq=worked.batch_seq,
            sequence=worked.sequence,
            state="pending",
        )
        folder = _keep(lake, row, worked.statements, changes, citation, full.result.reasons, worked.findings)
    book.begin(row)
    _bring_to_end(lake, book, row)
    return Finalised(
        run=row.run, statements=worked.statements, posted=worked.postings, findings=worked.findings, folder=folder
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Full:
    """What was worked out, with everything that a run writes beside it."""

    worked: Worked
    source: Source
    result: Result
    awards: Path
    runs: Sequence[RunRow]
    starts: Sequence[date | None]


def _work_out(
    program: Sequence[Terms],
    lake: Lake,
    book: Decided,
    period_from: date | None,
    as_of: date | None,
    batch_seq: int | None,
    scratch: Path,
) -> _Full:
    (program_id,) = {terms.program for terms in program}
    # The runs before the postings: a run that becomes final between the two takes this one's place, and this one is refused.
    runs = book.runs(program_id)
    source = from_lake(lake, book, batch_seq=batch_seq, into=scratch)
    assert source.tables is not None
    awards = scratch / "awards.parquet"
    request = Request(programs=tuple(program), tables=source.tables, as_of=as_of, fixed=source.fixed)
    result = calculate(request, awards=awards)
    findings = (*source.findings, *result.findings)
    if has_errors(findings):
        raise Refusal(
            "findings_block",
            f"{program_id} cannot be finalised while its data or terms have errors; nothing was posted. Mend them first.",
            findings=findings,
        )
    starts = sorted({period_from, *(run.from_ for run in runs)}, key=str)
    statements = covered(result.statements, starts, program=program, fixed=source.fixed)
    _refuse_unknown_period(statements, program_id, period_from, runs)
    worked = Worked(
        statements=statements,
        postings=tuple(_postings(statements)),
        findings=findings,
        sequence=len(runs) + 1,
        batch_seq=_batch_seq(source),
    )
    return _Full(worked=worked, source=source, result=result, awards=awards, runs=runs, starts=starts)


def roll_forward(lake: Lake, book: Decided) -> list[str]:
    """Bring runs that were cut off to their end; give their names. Safe to call at any time, also twice at once."""
    pending = [run for run in book.runs() if run.state == "pending"]
    for run in pending:
        _bring_to_end(lake, book, run)
    return [run.run for run in pending]


def run_folder(lake: Lake, run: str) -> Path:
    """Give the folder in which a run's files are kept."""
    return lake.folder / "runs" / run


def _bring_to_end(lake: Lake, book: Decided, row: RunRow) -> None:
    folder = run_folder(lake, row.run)
    lake.append_awards(row.run, folder / "awards.parquet", batch_seq=row.batch_seq)
    book.finish(row.run, _postings(pq.read_table(folder / "statements.parquet")))


def _refuse_unknown_period(
    statements: pa.Table, program_id: str, period_from: date | None, runs: Sequence[RunRow]
) -> None:
    starts = set(statements["from"].to_pylist()) | {run.from_ for run in runs}
    if period_from not in starts:
        raise Refusal(
            "no_such_period",
            f"{program_id} has no statement whose period starts on {period_from}. "
            "See `headrace calculate` for its periods, and give the first day of one.",
        )


def _postings(statements: pa.Table) -> list[Posting]:
    return [
        Posting(
            program=row["program"], payee_kind=row["payee_kind"], payee_id=row["payee_id"], scope=row["scope"],
            from_=row["from"], until=row["until"], amount=row["to_post"], currency=row["currency"],
        )
        for row in statements.to_pylist()
        if row["to_post"] != Decimal(0)
    ]  # fmt: skip


def _keep(
    lake: Lake,
    row: RunRow,
    statements: pa.Table,
    changes: Path,
    citation: Mapping[str, object],
    reasons: Mapping[str, Mapping[str, int]],
    findings: Sequence[Finding],
) -> Path:
    folder = run_folder(lake, row.run)
    if folder.is_dir():
        return folder
    make_folder(folder.parent)
    building = Path(tempfile.mkdtemp(prefix=".", suffix=".tmp", dir=folder.parent))
    try:
        shutil.copyfile(changes, building / "awards.parquet")
        write_run(building, statements=statements, reasons=reasons, findings=findings, citation=citation)
        publish_folder(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _name(citation: Mapping[str, object], period_from: date | None, sequence: int) -> str:
    text = json.dumps([citation, str(period_from), sequence], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _until(statements: pa.Table, period_from: date | None) -> date | None:
    for row in statements.select(["from", "until"]).to_pylist():
        if row["from"] == period_from:
            until = row["until"]
            assert until is None or isinstance(until, date)
            return until
    return None


def _batch_seq(source: Source) -> int:
    cited = source.citation["lake"]
    assert isinstance(cited, Mapping)
    return int(cited["batch_seq"])
