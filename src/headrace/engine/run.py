"""One calculation from beginning to end: the order of effects, stated once.

    number the programs → class partners and products → pair lines with editions, say why not → baselines and targets →
    exclusive programs → run the measure (cut at its limit) → free allowance → schedule → line limits → best of a group →
    shared amounts → proration → cap of the scope → guarantee → limit of the program → negatives → rounding → minimum →
    statements and awards; then the next wave of programs that earlier awards reduce; at last the provision

The measure is cut before anything is priced, since what lies past it neither counts nor earns; line limits come before programs
are compared, so that the better of two is what a partner would really get; proration comes before the cap, which is a promise in
money; the program's limit comes last of the cuts, since it is shared by all; rounding is once, and the minimum looks at cents.
Each step is one table or view of the session; its module says what is in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa

from headrace.engine import accounts, accrual, combine, limits, schedule, statements
from headrace.engine.accounts import Desk
from headrace.engine.book import make_book
from headrace.engine.findings import Finding, Refusal
from headrace.engine.gates import hold_back
from headrace.engine.judge import Judgement, judge_lines
from headrace.engine.ladders import put_schedules
from headrace.engine.marching import march
from headrace.engine.measure import add_distinct, count_lines, run_measure
from headrace.engine.pairs import Plan
from headrace.engine.prepare import prepare
from headrace.engine.results import AWARDS, STATEMENTS
from headrace.engine.schema import Tables
from headrace.engine.session import Session
from headrace.engine.straight import settle_straight
from headrace.engine.terms.model import Terms
from headrace.engine.words import decode_scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to calculate.

    as_of: null is the last day in the lines. memory_bytes_max, threads, temp_dir: limits of the database that runs the plan.
    fixed: finalised statements, whose amounts are settled: program, payee_kind, payee_id, scope, from, until, amount.
    """

    programs: tuple[Terms, ...]
    tables: Tables
    as_of: date | None = None
    backend: Literal["duckdb", "spark"] = "duckdb"
    memory_bytes_max: int | None = None
    threads: int | None = None
    temp_dir: Path | None = None
    fixed: pa.Table | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it. statements: STATEMENTS; awards: Parquet of AWARDS, when asked for; reasons: program → reason → lines."""

    statements: pa.Table
    awards: Path | None
    reasons: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]
    as_of: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One wave of programs as it was just calculated, with the tables of the session still holding what led to it.

    programs: those of the wave that could be calculated. source: the relation of judged pairs.
    """

    desk: Desk
    plan: Plan
    judged: Judgement
    programs: tuple[int, ...]
    source: str


type Watch = Callable[[Wave], None]


def calculate(request: Request, *, awards: Path | None = None, watch: Watch | None = None) -> Result:
    """Calculate every program of the request over its lines; write the awards to a file where one is named.

    The awards of a statement add up to its `earned`. watch is called after each wave of programs, to read how the figures came
    about before its tables give way; no program takes the short way then. Raises Refusal where the request cannot be done.
    """
    if not request.programs:
        raise Refusal("no_programs", "No program was given; name at least one program document.")
    with open_session(request) as session:
        return _calculate(session, request, awards, watch)


def open_session(request: Request) -> Session:
    """Open the session that a request asks for."""
    kind: type[Session] = Session
    if request.backend == "spark":
        # Only here: it brings sqlglot, which takes longer to import than most calculations take.
        from headrace.engine.spark_session import OnSpark

        kind = OnSpark
    return kind(memory_bytes_max=request.memory_bytes_max, threads=request.threads, temp_dir=request.temp_dir)


def _calculate(session: Session, request: Request, awards: Path | None, watch: Watch | None) -> Result:
    book = make_book(request.programs, request.tables.references.get("calendar"))
    groups = combine.make_groups(book)
    # The short way is written for the engine that runs in this process; it changes no result.
    short = watch is None and request.backend == "duckdb"
    plan = prepare(session, book, request.tables, request.as_of, short=short)
    if plan is None:
        return _nothing(request, awards, book.findings)
    put_schedules(session, book)
    statements.put_labels(session, book, plan.calendar)
    statements.put_program_labels(session, book)
    desk = Desk(
        session=session, book=book, calendar=plan.calendar, scopes=plan.scopes, ids=plan.known.ids, as_of=plan.source.as_of,
        fixed=request.fixed,
    )  # fmt: skip
    judged = judge_lines(desk, plan, request.tables, groups, by_line=awards is not None)
    findings = [*plan.findings, *judged.findings]
    posted = request.tables.references.get("posted")
    queries: list[str] = []
    straight = [edition for feed in plan.feeds if feed.straight for edition in feed.editions]
    if straight:
        findings += settle_straight(desk, plan, straight, posted)
        if judged.run is not None:
            queries.append(march(desk, straight, judged.run))
    if judged.relation is not None:
        by_line = awards is not None or watch is not None
        queries.append(price_waves(desk, plan, judged, posted, findings, by_line=by_line, watch=watch))
    findings += hold_back(desk, plan)
    if awards is not None:
        statements.write_awards(session, queries, awards)
    accrual.provide(desk, plan, request.tables.references.get("forecasts"))
    result = statements.read_statements(session)
    return Result(
        statements=result, awards=awards, reasons=judged.reasons, findings=tuple(findings), as_of=plan.source.as_of
    )  # fmt: skip


def price_waves(
    desk: Desk,
    plan: Plan,
    judged: Judgement,
    posted: pa.Table | None,
    findings: list[Finding],
    *,
    by_line: bool,
    watch: Watch | None = None,
) -> str:
    """Calculate wave after wave into `statement_rows`; gives the query of all awards. by_line: somebody will read them."""
    session, groups = desk.session, combine.make_groups(plan.book)
    waves = groups.waves(len(plan.book.programs))
    by_line = by_line or plan.needs.verify or len(waves) > 1
    combine.put_reductions(session, groups)
    assert judged.relation is not None
    source = add_distinct(session, plan.needs, judged.relation)
    short = {edition.program for feed in plan.feeds if feed.straight for edition in feed.editions}
    decimals = {plan.book.decimals(edition.number) for edition in plan.book.editions}
    for wave, members in enumerate(waves):
        programs = [number for number in members if number not in judged.refused | short]
        taken = "taken" if wave else None
        count_lines(session, plan.needs, source, f"p.program IN ({accounts.listed(programs)})", taken)
        run_measure(session, plan.needs, capped=_capped(plan))
        schedule.price(session, plan.needs)
        combine.keep_best(session, groups)
        schedule.share_amounts(session, plan.needs)
        limits.total_payees(session)
        decode_scopes(session, plan.scopes, plan.book.shapes, "payees", "scope_names")
        accounts.put_payee_limits(desk)
        limits.entitle(session)
        accounts.put_lifts(desk, programs)
        _place_lifts(desk, plan)
        limited = accounts.put_program_limits(desk, programs)
        if by_line or limited:
            limits.run_exact(session)
        limits.limit_programs(session, limited)
        accounts.put_outcomes(desk, programs)
        limits.settle(session, decimals)
        if by_line:
            limits.award(session, decimals, limited=limited)
        findings += accounts.put_posted(desk, posted)
        statements.note_statements(desk, first=wave == 0 and not short, verify=plan.needs.verify)
        accrual.note_wave(desk, plan, wave)
        query = statements.award_rows(desk, verify=plan.needs.verify)
        if watch is not None:
            watch(Wave(desk=desk, plan=plan, judged=judged, programs=tuple(programs), source=source))
        if len(waves) > 1:
            query = _keep_awards(session, query, wave)
    return query


def _keep_awards(session: Session, query: str, wave: int) -> str:
    """Keep the awards of a wave for the next ones and for the file."""
    columns = f"{wave} AS wave, program_no, program_no AS program, n, award"
    if wave == 0:
        session.table("award_rows", query)
        session.table("wave_awards", f"SELECT {columns} FROM award_rows WHERE n IS NOT NULL")
    else:
        session.table("award_rows_now", query)
        session.execute("INSERT INTO award_rows BY NAME SELECT * FROM award_rows_now")
        session.execute(f"INSERT INTO wave_awards BY NAME SELECT {columns} FROM award_rows_now WHERE n IS NOT NULL")
    combine.note_reductions(session, wave)
    return "SELECT * FROM award_rows"


def _place_lifts(desk: Desk, plan: Plan) -> None:
    """Give lifts that no line explains their place: the end of their period, before the lines of that day."""
    first, last = plan.days
    span = plan.source.order.span * plan.step
    day = f"greatest({first}, least({last + 1}, day)) - ({first})"
    desk.session.table(
        "lifted_alone",
        f"SELECT s, payee_no, program, lift, CAST({day} AS {plan.place_type}) * {span} AS k FROM lifted_alone",
    )


def _capped(plan: Plan) -> bool:
    return plan.needs.authorised or any(edition.terms.limits.measure.max is not None for edition in plan.book.editions)


def _nothing(request: Request, awards: Path | None, findings: tuple[Finding, ...]) -> Result:
    """Give the empty result of no lines."""
    message = "There are no lines to calculate; check the files and the as-of day."
    finding = Finding(code="no_lines", severity="warning", message=message)
    if awards is not None:
        with Session(memory_bytes_max=None, threads=1, temp_dir=None) as session:
            session.put("nothing", AWARDS.empty_table())
            statements.write_awards(session, ["SELECT * FROM nothing"], awards)
    return Result(
        statements=STATEMENTS.empty_table(), awards=awards, reasons={terms.program: {} for terms in request.programs},
        findings=(*findings, finding), as_of=request.as_of or date.min,
    )  # fmt: skip
