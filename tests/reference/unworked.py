"""Scopes that a guarantee lifts, or for which a lump sum accrues, though they have no lines (semantics, 7.6 and 9)."""

from collections.abc import Iterator, Sequence
from datetime import date

from headrace.engine.terms.model import Input, Terms
from tests.reference.facts import World, text
from tests.reference.judge import fact_date
from tests.reference.limits import Statement
from tests.reference.periods import Period, Program


def statements_without_lines(world: World, program: Program, worked: Sequence[Statement]) -> list[Statement]:
    """Give an empty statement for every payee with an inputs row, in each period begun so far that has none."""
    terms = program.versions[-1]
    if terms.limits.guarantee is None and terms.accrue.lump_sum is None:
        return []
    there = {(statement.scope, statement.period) for statement in worked}
    made = []
    for row in {row.earner: row for row in reversed(terms.inputs)}.values():
        words = {"earner": row.earner, **row.scope}
        if not set(terms.measure.per) <= set(words):
            continue
        scope = tuple((word, words[word]) for word in terms.measure.per)
        for period in _periods(world, program, terms, row, worked):
            if (scope, period) not in there:
                payee = _payee(world, terms, row, period)
                made.append(Statement(program, terms, payee, scope, period, [], [], earner=row.earner))
    return made


def _periods(world: World, program: Program, terms: Terms, row: Input, worked: Sequence[Statement]) -> Iterator[Period]:
    """Give the periods from the program's start (or the enrolment) to the as-of day."""
    force = program.in_force()
    first = force.from_ or min((statement.start for statement in worked), default=None)
    if first is None or first == date.min:
        return
    if row.enrolled_from is not None:
        first = max(first, row.enrolled_from)
    last = min(day for day in (force.until, row.enrolled_until, date.max) if day is not None)
    period = program.period_of(first, terms)
    while period is not None and (period.from_ or date.min) <= world.as_of and (period.from_ or date.min) < last:
        if row.from_ in {None, period.from_} and row.until in {None, period.until}:
            yield period
        if period.until is None:
            return
        period = program.period_of(period.until, terms)


def _payee(world: World, terms: Terms, row: Input, period: Period) -> tuple[str, str]:
    kind = "person" if terms.earner == "rep" else "partner"
    if terms.paid_to == "earner" or terms.earner == "group":
        return kind, row.earner
    on = fact_date(terms, period.from_ or world.as_of, period, row)
    partner = world.row_on("partners", row.earner, on)
    payee = text(partner, "group_id" if terms.paid_to == "group_head" else "parent_id")
    return (kind, row.earner) if payee is None else ("partner", payee)
