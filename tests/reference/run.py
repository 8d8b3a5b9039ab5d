"""Calculate programs over lines, row by row: the order of effects of docs/semantics.md from its first step to its last."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from operator import attrgetter

from headrace.engine.terms.model import Combine, Terms
from tests.reference.accrual import accrual_of
from tests.reference.against import Against, input_value
from tests.reference.facts import Row, World
from tests.reference.fifo import costs_of
from tests.reference.judge import Judged, Scope, enrolment_of, judge
from tests.reference.limits import Statement, finish, guarantee_statements, limit_program, prorate_and_cap
from tests.reference.measure import Entry, add_distinct, bands_of, entry_of, run_measure
from tests.reference.needs import target_currency
from tests.reference.numbers import number, total
from tests.reference.periods import Period, Program, share_in_force
from tests.reference.price import price_scope
from tests.reference.protection import entry_of_lot, judge_lots, price_change
from tests.reference.statements import award_rows, settled_before, statement_row
from tests.reference.unworked import statements_without_lines

type Scopes = dict[tuple[Scope, Period], list[Entry]]


@dataclass
class Outcome:
    """What one run gives: rows in the shape of the engine's result, reasons, and the codes of findings."""

    statements: list[dict[str, object]] = field(default_factory=list)
    awards: list[dict[str, object]] = field(default_factory=list)
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    reason_of: dict[tuple[str, str], str] = field(default_factory=dict)  # (program, line) → reason
    findings: set[str] = field(default_factory=set)


@dataclass
class Work:
    """One program of the run, from its judged lines to its statements."""

    program: Program
    judged: list[Judged]
    against: dict[str, Fraction | None] = field(default_factory=dict)  # by line
    scopes: Scopes = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    findings: set[str] = field(default_factory=set)

    @property
    def combine(self) -> Combine | None:
        """How the program meets others: by its first version."""
        return self.program.versions[0].combine


def calculate(
    programs: Sequence[Terms],
    lines: Sequence[Row],
    references: Mapping[str, Sequence[Row]],
    *,
    as_of: date | None = None,
    fixed: Sequence[Row] = (),
) -> Outcome:
    """Work out every program's statements and awards over the lines."""
    days = [line.get(name) for line in lines for name in ("occurred_on", "received_on")]
    last_day = as_of or max((given for given in days if isinstance(given, date)), default=date.min)
    world = World(lines, references, last_day)
    outcome = Outcome()
    works = [_judged(world, program, outcome) for program in _programs(programs, references)]
    for work in sorted(works, key=_order):
        _take_exclusively(work, works)
        _count_reasons(work, outcome)
    for group in _groups(works):
        _price_group(world, group, fixed, outcome)
    for work in works:
        _show(world, work, outcome)
    outcome.statements.sort(
        key=lambda row: (
            str(row["program"]).encode(),
            row["payee_kind"],
            str(row["payee_id"]).encode(),
            str(row["scope"]).encode(),
            row["from"] or date.min,
        )
    )
    return outcome


def _programs(terms: Sequence[Terms], references: Mapping[str, Sequence[Row]]) -> Iterable[Program]:
    for identity in dict.fromkeys(version.program for version in terms):
        versions = sorted((each for each in terms if each.program == identity), key=attrgetter("version"))
        yield Program(identity, tuple(versions), tuple(references.get("calendar", ())))


def _order(work: Work) -> tuple[int, str]:
    return (work.combine.order if work.combine else 0, work.program.id)


def _judged(world: World, program: Program, outcome: Outcome) -> Work:
    """Judge every line, also against baselines and targets."""
    change = price_change(program)
    if change is None:
        judged = [judge(world, program, line, outcome.findings) for line in world.lines.values()]
    else:
        judged = judge_lots(world, program, change, outcome.findings)
    work = Work(program, judged, findings=outcome.findings)
    if _mixed(judged):
        outcome.findings.add("mixed_currencies")
        work.judged = []
        return work
    against = Against(world, program)
    for each in judged:
        if "scope_missing" in each.faults or each.earner is None:
            continue
        value, reason = against.find(each)
        work.against[str(each.line["line_id"])] = value
        if reason is not None:
            each.faults.append(reason)
    outcome.findings |= {code for each in judged for code in each.faults[:1] if code in VALUE_FINDINGS}
    return work


VALUE_FINDINGS = frozenset({"value_missing", "no_exchange_rate"})


def _mixed(judged: Sequence[Judged]) -> bool:
    """Tell whether a program without a money currency meets lines of several."""
    currencies = {
        str(each.line["currency"])
        for each in judged
        if each.terms is not None and target_currency(each.terms) is None and (each.earns or each.measures)
    }
    return len(currencies) > 1


def _take_exclusively(work: Work, works: Sequence[Work]) -> None:
    combine = work.combine
    if combine is None or combine.rule != "exclusive":
        return
    for each in work.judged:
        for other in sorted(works, key=_order):
            if other is work:
                break
            if other.combine is not None and other.combine.group == combine.group and _qualifies(other, each.line):
                each.faults.append(f"taken_by_{other.program.id}")
                break


def _qualifies(work: Work, line: Row) -> bool:
    return any(each.line is line and each.earns for each in work.judged)


def _count_reasons(work: Work, outcome: Outcome) -> None:
    counts: dict[str, int] = {}
    for each in work.judged:
        if each.faults:
            counts[each.faults[0]] = counts.get(each.faults[0], 0) + 1
            outcome.reason_of[work.program.id, str(each.line["line_id"])] = each.faults[0]
    outcome.reasons[work.program.id] = counts


def _groups(works: Sequence[Work]) -> Iterable[list[Work]]:
    """Give the programs that must be priced together: those of one group; the others alone."""
    named: dict[str, list[Work]] = {}
    for work in works:
        if work.combine is None or work.combine.rule == "independent":
            yield [work]
        else:
            named.setdefault(work.combine.group, []).append(work)
    for members in named.values():
        yield sorted(members, key=_order)


def _price_group(world: World, group: Sequence[Work], fixed: Sequence[Row], outcome: Outcome) -> None:
    rule = group[0].combine.rule if group[0].combine else "independent"
    if rule == "best":
        for work in group:
            _price(world, work, {})
        _keep_best(group)
        for work in group:
            _limit(world, work, fixed)
        return
    taken: dict[str, Fraction] = {}
    for work in group:
        combine = work.combine
        cascades = combine is not None and combine.rule == "cascade"
        _price(world, work, taken if cascades and combine is not None and combine.reduced_by_others else {})
        _limit(world, work, fixed)
        if cascades and combine is not None and combine.reduces_others:
            for entry in _entries(work):
                taken[entry.line_id] = taken.get(entry.line_id, Fraction(0)) + entry.award


def _entries(work: Work) -> Iterable[Entry]:
    return (entry for entries in work.scopes.values() for entry in entries)


def _price(world: World, work: Work, taken: Mapping[str, Fraction]) -> None:
    """Steps 1 and 2 of the limits: measure, cap, schedule, line limits, for every scope."""
    lots = price_change(work.program) is not None
    for judged in work.judged:
        if judged.earns or judged.measures:
            assert judged.period is not None
            entry = entry_of_lot(judged) if lots else entry_of(world, judged)
            if entry.terms.schedule.cost_basis == "fifo" and costs_of(world).of(entry.terms, judged.line).short:
                work.findings.add("fifo_short")
            work.scopes.setdefault((judged.scope, judged.period), []).append(entry)
    for entries in work.scopes.values():
        entries.sort(key=lambda entry: entry.judged.place)
        add_distinct(entries)
        for entry in entries:
            if entry.earns:
                entry.base -= taken.get(entry.line_id, Fraction(0))
        run_measure(entries, lambda entry: _cap(world, entry))
        for entry in entries:
            against = work.against.get(entry.line_id)
            entry.against = against or Fraction(0)
            entry.bands = bands_of(entry, against, _in_force(work.program, entry))
        price_scope(entries, lambda entry: input_value(entry.terms, entry.judged, "rate"))


def _cap(world: World, entry: Entry) -> Fraction | None:
    """The measure's cap: the authorised quantity of the scope's authorization, else `limits.measure.max`."""
    authorization = dict(entry.judged.scope).get("authorization")
    if authorization is not None:
        quantity = world.row_on("deals", authorization, entry.judged.placed_on).get("quantity")
        if quantity is not None:
            return number(quantity)
    most = entry.terms.limits.measure.max
    return None if most is None else number(most)


def _in_force(program: Program, entry: Entry) -> Fraction:
    judged = entry.judged
    assert judged.period is not None
    enrolment = enrolment_of(entry.terms, judged.earner)
    enrolled = Period(None, None) if enrolment is None else Period(enrolment.enrolled_from, enrolment.enrolled_until)
    return share_in_force(judged.period, program.in_force(), enrolled)


def _keep_best(group: Sequence[Work]) -> None:
    """Step 3: on each line the program with the greatest absolute own share keeps it."""
    meetings: dict[str, list[tuple[Work, Entry]]] = {}
    for work in group:
        for entry in _entries(work):
            if entry.earns:
                meetings.setdefault(entry.line_id, []).append((work, entry))
    for met in meetings.values():
        winner, _ = max(met, key=lambda pair: abs(pair[1].own))
        for work, entry in met:
            if work is not winner:
                entry.own = Fraction(0)
                entry.lost_to = winner.program.id


def _limit(world: World, work: Work, fixed: Sequence[Row]) -> None:
    """Steps 4 to 10, for every statement of a program."""
    for (scope, period), entries in work.scopes.items():
        for payee in {entry.judged.payee for entry in entries}:
            theirs = [entry for entry in entries if entry.judged.payee == payee]
            terms = entries[-1].terms
            work.statements.append(Statement(work.program, terms, payee, scope, period, theirs, entries))
    work.statements += statements_without_lines(world, work.program, work.statements)
    work.statements.sort(key=attrgetter("start"))
    for statement in work.statements:
        prorate_and_cap(statement)
    chains: dict[tuple[object, Scope], list[Statement]] = {}
    for statement in work.statements:
        chains.setdefault((statement.payee, statement.scope), []).append(statement)
    for chain in chains.values():
        guarantee_statements(chain)
    open_ones = [each for each in work.statements if settled_before(each, fixed) is None]
    taken_off = [number(row["amount"]) for row in fixed if row["program"] == work.program.id]
    limit_program(work.program.latest(world.as_of), open_ones, total(taken_off))
    for chain in chains.values():
        earlier = None
        for statement in chain:
            finish(statement, earlier)
            earlier = statement


def _show(world: World, work: Work, outcome: Outcome) -> None:
    first: dict[object, tuple[str, str]] = {}
    for statement in sorted(work.statements, key=lambda each: (each.payee[0], each.payee[1].encode())):
        first.setdefault((statement.scope, statement.period), statement.payee)
    for statement in work.statements:
        accrued, forecast = accrual_of(world, statement, lambda entry: _cap(world, entry))
        leads = first[statement.scope, statement.period] == statement.payee
        outcome.statements.append(statement_row(world, statement, accrued, forecast, outcome.findings, first=leads))
        outcome.awards += award_rows(statement)
