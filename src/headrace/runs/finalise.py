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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine import Request, calculate
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


def finalise(
    program: Sequence[Terms], *, lake: Lake, book: Decided, period_from: date | None, as_of: date | None = None
) -> Finalised:
    """Finalise the period of one program that starts on `period_from` (null: the program's whole life), and post it.

    program: all versions of the one program. The lines, the reference tables in force and what was posted before are those of
    the lake at this moment. Raises Refusal `no_such_period`, `findings_block` (faults of severity error in data or terms:
    nothing is posted), `finalised_meanwhile`, and those of the lake.
    """
    roll_forward(lake, book)
    (program_id,) = {terms.program for terms in program}
    # The runs before the postings: a run that becomes final between the two takes this one's place, and this one is refused.
    runs = book.runs(program_id)
    with tempfile.TemporaryDirectory(prefix="headrace-finalise-") as scratch:
        source = from_lake(lake, book, into=Path(scratch))
        assert source.tables is not None
        full = Path(scratch) / "awards.parquet"
        request = Request(programs=tuple(program), tables=source.tables, as_of=as_of, fixed=source.fixed)
        result = calculate(request, awards=full)
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
        postings = _postings(statements)
        changes = Path(scratch) / "changes.parquet"
        before = [run.run for run in runs]
        changed = write_changes(full, source.awards, program_id, statements, changes, runs=before)
        if not postings and not changed and any(run.from_ == period_from for run in runs):
            return Finalised(run=None, statements=statements, posted=(), findings=findings, folder=None)
        finalised = {
            "program": program_id,
            "starts": [start.isoformat() if start else None for start in starts],
            "runs_before": before,
        }
        citation = {**cite(program, source, result, "duckdb"), "finalised": finalised}
        row = RunRow(
            run=_name(citation, period_from, len(runs) + 1),
            program=program_id,
            from_=period_from,
            until=_until(statements, period_from),
            batch_seq=_batch_seq(source),
            sequence=len(runs) + 1,
            state="pending",
        )
        folder = _keep(lake, row, statements, changes, citation, result.reasons, findings)
    book.begin(row)
    _bring_to_end(lake, book, row)
    return Finalised(run=row.run, statements=statements, posted=tuple(postings), findings=findings, folder=folder)


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
