"""Makes the pairs of the run and judges them to the end: baselines and targets, exclusive programs, mixed currencies.

Counts, for every program, why lines do not qualify: no line is skipped silently.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from headrace.engine import combine
from headrace.engine.accounts import Desk, fetch_places, listed
from headrace.engine.against import AGAINST, OWN_LADDERS, Rows, editions_against, measure_against
from headrace.engine.baseline import measure_baselines
from headrace.engine.fifo import report_short
from headrace.engine.findings import Finding, Severity
from headrace.engine.ladders import LADDERS, RUNGS
from headrace.engine.marching import Run, run_lines
from headrace.engine.pairs import PairsOf, Plan
from headrace.engine.qualify import REASONS, TAKEN, Feed, classify_feed, count_early, is_wide, list_cards
from headrace.engine.schema import Tables
from headrace.engine.session import Session
from headrace.engine.straight import sum_scopes
from headrace.engine.values import editions_on_fifo
from headrace.engine.words import decode_scopes

_NOTED: Mapping[str, tuple[Severity, str]] = {
    "value_missing": (
        "warning",
        "lack a value that the program needs (gross amount, cost, a list price); they do not count",
    ),
    "no_exchange_rate": (
        "error",
        "have no exchange rate that is recent enough; add quotes to the rates or allow older ones",
    ),
    "no_period": ("warning", "fall outside every period of the fiscal calendar; add the missing periods"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """relation: the judged pairs of programs that take the long way, if any. refused: programs that cannot be calculated."""

    relation: str | None
    reasons: Mapping[str, Mapping[str, int]]
    refused: frozenset[int]
    findings: tuple[Finding, ...]
    run: Run | None


def judge_lines(desk: Desk, plan: Plan, tables: Tables, groups: combine.Groups, *, by_line: bool) -> Judgement:
    """Make and judge every pair of line and edition. by_line: the awards of lines are asked for."""
    session = desk.session
    early: dict[int, dict[str, int]] = {}
    for feed in plan.feeds:
        for program, counts in count_early(session, feed, plan.source).items():
            known = early.setdefault(program, {})
            for reason, lines in counts.items():
                known[reason] = known.get(reason, 0) + lines
    straight = [feed for feed in plan.feeds if feed.straight]
    run: Run | None = None
    counted: list[tuple[int, int | None, int, int]] = []
    if straight and by_line:
        run, counted = run_lines(desk, plan, straight)
    elif straight:
        counted = sum_scopes(session, plan, straight)
    relation: str | None = None
    refused: set[int] = set()
    findings: list[Finding] = []
    if make_pairs(desk.session, plan, [feed for feed in plan.feeds if not feed.straight]):
        relation = combine.take_exclusively(session, groups, read_against(desk, plan, tables))
        refused, findings = _mixed_currencies(desk, plan, relation)
        rows = session.rows(f"SELECT edition, reason, gate, count(*) FROM {relation} GROUP BY ALL")
        counted += [(int(str(a)), None if b is None else int(str(b)), int(str(c)), int(str(d))) for a, b, c, d in rows]
    reasons = _reasons(plan, counted, early, refused)
    findings += _notes(desk, plan, relation, reasons)
    return Judgement(relation=relation, reasons=reasons, refused=frozenset(refused), findings=tuple(findings), run=run)


def make_pairs(session: Session, plan: Plan, feeds: Sequence[Feed]) -> bool:
    """Make `pairs` of some feeds; tells whether there are any."""
    selects: list[str] = []
    for feed in feeds:
        pairs = PairsOf(plan, feed)
        selects.append(pairs.select())
        list_cards(session, feed, pairs.attributes)
    if selects:
        session.table("pairs", " UNION ALL ".join(selects))
    return bool(selects)


def read_against(desk: Desk, plan: Plan, tables: Tables) -> str:
    """Find baselines, targets and own rates of the scopes that need them; gives the relation of pairs that have them."""
    if not plan.needs.against:
        return "pairs"
    session = desk.session
    baselines = measure_baselines(
        session, plan, lambda feed: classify_feed(session, feed, plan.rules, plan.known, plan.ground.days)
    )
    editions = editions_against(plan.book)
    session.view(
        "asking",
        f"SELECT DISTINCT s, edition, earner_no FROM pairs WHERE s IS NOT NULL AND edition IN ({listed(editions)})",
    )
    decode_scopes(session, plan.scopes, plan.book.shapes, "asking", "scope_names")
    targets = Rows(tables.references.get("targets"), "value")
    found = measure_against(plan.book, fetch_places(desk, "asking", editions), targets, baselines)
    desk.put("against", found.against, AGAINST)
    desk.put("own_ladders", found.ladders, OWN_LADDERS)
    session.put("more_ladders", pa.Table.from_pylist(found.steps, schema=LADDERS))
    session.execute("INSERT INTO ladders SELECT * FROM more_ladders")
    session.put("more_rungs", pa.Table.from_pylist(found.rungs, schema=RUNGS))
    session.execute("INSERT INTO rungs SELECT * FROM more_rungs")
    session.view(
        "compared",
        "SELECT p.* REPLACE (coalesce(p.reason, g.reason) AS reason, p.measures AND g.reason IS NULL AS measures), g.own_rate "
        "FROM pairs p LEFT JOIN against g ON g.s = p.s AND g.edition = p.edition AND g.earner_no = p.earner_no",
    )
    return "compared"


def _mixed_currencies(desk: Desk, plan: Plan, relation: str) -> tuple[set[int], list[Finding]]:
    """Find programs that name no money and meet lines of several currencies: nothing is guessed, they are refused."""
    if not plan.needs.currency:
        return set(), []
    open_ones = listed(number for number, money in plan.money.items() if money is None)
    rows = desk.session.rows(
        f"SELECT program, string_agg(DISTINCT currency, ', ' ORDER BY currency) FROM {relation} "
        f"WHERE edition IN ({open_ones}) AND (measures OR reason IS NULL) GROUP BY program HAVING count(DISTINCT currency) > 1"
    )
    findings = [mixed_currencies(plan.book.programs[int(str(program))].id, str(met)) for program, met in rows]
    return {int(str(program)) for program, _ in rows}, findings


def mixed_currencies(program: str, currencies: str) -> Finding:
    """Say that a program without a money of its own met several."""
    message = (
        f"{program} counts in no currency of its own and meets lines in {currencies}; say which money it means (the key money). "
        "It was not calculated."
    )
    return Finding(code="mixed_currencies", message=message)


def _reasons(
    plan: Plan,
    counted: Sequence[tuple[int, int | None, int, int]],
    early: Mapping[int, dict[str, int]],
    refused: set[int],
) -> dict[str, dict[str, int]]:
    """Put together what the classes and the pairs tell; what got past the classes and made no pair failed `lines`."""
    reasons = {program.id: dict(early.get(program.number, {})) for program in plan.book.programs}
    for number, code, gate, lines in counted:
        edition = plan.book.editions[number]
        counts = reasons[edition.terms.program]
        wide = is_wide(edition, plan.rules[edition.number])
        if gate and not wide:
            continue
        if not wide:
            counts[""] -= lines
        if code is not None:
            label = REASONS[code] if code < TAKEN else f"taken_by_{plan.book.programs[code - TAKEN].id}"
            counts[label] = counts.get(label, 0) + lines
    for counts in reasons.values():
        counts["lines_rule"] = counts.get("lines_rule", 0) + counts.pop("", 0)
    for number in refused:
        reasons[plan.book.programs[number].id] = {}
    return {
        program: {label: counts[label] for label in sorted(counts) if counts[label]}
        for program, counts in reasons.items()
    }


def _notes(desk: Desk, plan: Plan, relation: str | None, reasons: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """Report the reasons that somebody should look into."""
    findings = [
        Finding(code=label, severity=severity, message=f"{counts[label]} lines of {program} {said}.")
        for program, counts in reasons.items()
        for label, (severity, said) in _NOTED.items()
        if counts.get(label)
    ]
    for edition in plan.book.editions:
        counted = reasons[edition.terms.program].get("late")
        if counted and edition.terms.settle.late == "ask":
            message = (
                f"{counted} lines of {edition.terms.program} came after the days of grace; decide whether they count."
            )
            findings.append(Finding(code="late", severity="warning", message=message))
    if plan.needs.payee and relation is not None:
        redirected = listed(each.number for each in plan.book.editions if each.terms.paid_to != "earner")
        rows = desk.session.rows(
            f"SELECT program, count(*), min(line_id) FROM {relation} WHERE payee_missing AND (measures OR reason IS NULL) "
            f"AND edition IN ({redirected}) GROUP BY program"
        )
        findings += [
            Finding(
                code="payee_missing",
                severity="warning",
                message=f"{lines} lines of {plan.book.programs[int(str(program))].id} have nobody to be paid but the earner (the "
                f"first is {first}); complete the partners' parents and groups.",
            )
            for program, lines, first in rows
        ]
    consumed = [each.number for each in editions_on_fifo(plan.book)]
    if consumed and relation is not None:
        findings += report_short(desk.session, relation, listed(consumed))
    return list(dict.fromkeys(findings))
