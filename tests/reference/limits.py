"""Limits after the line: proration, caps, guarantee, program limit, negatives, rounding, minimum (semantics, 7.4 to 7.10)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from headrace.engine.terms.model import Guarantee, Terms
from tests.reference.against import input_value
from tests.reference.judge import Scope, enrolment_of
from tests.reference.measure import Entry
from tests.reference.numbers import ZERO, minor_unit, number, round_to, total
from tests.reference.periods import Period, Program, period_of, share_in_force
from tests.reference.price import spread


@dataclass
class Statement:
    """One payee's account of one scope and period, while it is worked out."""

    program: Program
    terms: Terms  # of the last line of the scope
    payee: tuple[str, str]
    scope: Scope
    period: Period
    entries: list[Entry]  # this payee's lines, in order of place
    scope_entries: list[Entry]  # everybody's
    shares: list[Fraction] = field(default_factory=list)
    lifted: Fraction = ZERO  # a guarantee that no line explains
    earned: Fraction = ZERO
    carried: Fraction | None = None
    carried_in: Fraction | None = None
    remainder: Fraction = ZERO
    earner: str = ""  # for a scope without lines

    @property
    def exact(self) -> Fraction:
        """The running exact share after the last line."""
        return total(self.shares) + self.lifted

    @property
    def start(self) -> date:
        """The period's first day, for ordering."""
        return self.period.from_ or date.min

    @property
    def decimals(self) -> int:
        """How finely the statement is rounded."""
        kept = self.terms.rounding.decimals
        return minor_unit(self.terms.currency) if kept is None else kept


def remap(shares: Sequence[Fraction], change: Callable[[Fraction], Fraction]) -> list[Fraction]:
    """Change the running sum, and give the differences."""
    running = before = ZERO
    changed = []
    for share in shares:
        running += share
        after = change(running)
        changed.append(after - before)
        before = after
    return changed


def prorate_and_cap(statement: Statement) -> None:
    """Steps 4 and 5: days in force, early leavers, the cap of the scope."""
    statement.shares = [entry.own + entry.shared for entry in statement.entries]
    if not statement.entries:
        return
    terms, judged = statement.terms, statement.entries[-1].judged
    enrolment = enrolment_of(terms, judged.earner)
    enrolled = (
        Period(enrolment.enrolled_from, enrolment.enrolled_until) if enrolment is not None else Period(None, None)
    )
    ratio = share_in_force(statement.period, statement.program.in_force(), enrolled)
    left = _left_inside(statement.period, enrolled)
    if terms.limits.prorate in {"payout", "both"} or (left and terms.on_exit == "prorate"):
        statement.shares = remap(statement.shares, lambda running: round_to(running * ratio, 12))
    if left and terms.on_exit == "forfeit":
        statement.shares = [ZERO for _ in statement.shares]
    cap = input_value(terms, judged, "cap")
    if cap is None and terms.limits.payout.per_scope is not None:
        cap = number(terms.limits.payout.per_scope)
    if cap is not None:
        most = cap
        statement.shares = remap(statement.shares, lambda running: min(running, most))


def _left_inside(period: Period, enrolled: Period) -> bool:
    end = enrolled.until
    if end is None or (period.from_ is not None and end <= period.from_):
        return False
    return period.until is None or end < period.until


def guarantee_statements(statements: Sequence[Statement]) -> None:
    """Step 6, for all statements of one payee and scope in order of period."""
    for at, statement in enumerate(statements):
        promise = statement.terms.limits.guarantee
        if promise is None:
            continue
        owed, counted = _promised(promise, statement, statements[: at + 1])
        lift = owed - total(each.exact for each in counted)
        if owed > 0 and lift > 0:
            _lift(statement, lift)


def _lift(statement: Statement, lift: Fraction) -> None:
    earning = [entry for entry in statement.entries if entry.earns]
    if not earning:
        statement.lifted = lift
        return
    for entry in statement.entries:
        entry.shared = ZERO
    spread(lift, earning, {id(entry): entry.base for entry in earning})
    statement.shares = [share + entry.shared for share, entry in zip(statement.shares, statement.entries, strict=True)]


def _promised(
    promise: Guarantee, statement: Statement, so_far: Sequence[Statement]
) -> tuple[Fraction, Sequence[Statement]]:
    """Give the amount promised at this statement, and the statements that it is tested over."""
    amount, measure = number(promise.amount), statement.terms.measure
    if promise.cumulative:
        return amount * _periods_since_start(statement), so_far
    every = promise.every or measure.every
    if every == measure.every or statement.period.from_ is None or statement.period.until is None:
        return amount, so_far[-1:]
    program = statement.program
    longer_or_shorter = measure.model_copy(update={"every": every})
    around = period_of(statement.period.from_, longer_or_shorter, program.span, program.calendar)
    if around is None:
        return ZERO, so_far[-1:]
    last = statement.period.last_day
    assert last is not None
    if around.until is not None and around.until < statement.period.until:
        return amount * _starts_inside(statement, longer_or_shorter, around), so_far[-1:]
    inside = [each for each in so_far if around.holds(each.start)]
    ends_here = around.until is not None and around.until <= statement.period.until
    return (amount if ends_here else ZERO), inside


def _starts_inside(statement: Statement, measure: object, first: Period) -> int:
    count, at = 0, first
    assert statement.period.until is not None
    while at.from_ is not None and at.from_ < statement.period.until:
        count += statement.period.holds(at.from_)
        assert at.until is not None
        program = statement.program
        following = period_of(at.until, measure, program.span, program.calendar)  # type: ignore[arg-type]
        if following is None:
            break
        at = following
    return count


def _periods_since_start(statement: Statement) -> int:
    """Count the periods from the start of the program (or of the enrolment) to this one."""
    program, terms = statement.program, statement.terms
    start = program.in_force().from_
    if statement.entries:
        enrolment = enrolment_of(terms, statement.entries[-1].judged.earner)
    else:
        enrolment = enrolment_of(terms, statement.earner)
    if enrolment is not None and enrolment.enrolled_from is not None:
        start = max(start or date.min, enrolment.enrolled_from)
    if start is None or statement.period.from_ is None:
        return 1
    count, at = 1, program.period_of(start, terms)
    while at is not None and at.until is not None and at.until <= statement.period.from_:
        count, at = count + 1, program.period_of(at.until, terms)
    return count


def limit_program(terms: Terms, statements: Sequence[Statement], settled: Fraction) -> None:
    """Step 7: the program's limit over all statements, in order of place, then payee. terms: the version that says it."""
    if terms.limits.payout.program is None:
        return
    most = number(terms.limits.payout.program) - settled
    cells = [
        ((*entry.judged.place, statement.payee[1].encode()), statement, at)
        for statement in statements
        for at, entry in enumerate(statement.entries)
    ]
    cells += [
        ((statement.period.until or date.max, b"", 0, date.min, b"", statement.payee[1].encode()), statement, -1)
        for statement in statements
        if statement.lifted
    ]
    cells.sort(key=lambda cell: cell[0])
    shares = [statement.lifted if at < 0 else statement.shares[at] for _, statement, at in cells]
    for (_, statement, at), share in zip(cells, remap(shares, lambda running: min(running, most)), strict=True):
        if at < 0:
            statement.lifted = share
        else:
            statement.shares[at] = share


def finish(statement: Statement, earlier: Statement | None) -> None:
    """Steps 8 to 10: negatives, rounding to the minor unit, the minimum; and what is carried on."""
    limits = statement.terms.limits
    statement.carried_in = None if earlier is None else earlier.carried
    if limits.negative == "zero" and statement.exact < 0:
        statement.shares = [ZERO for _ in statement.shares]
        statement.lifted = ZERO
    carry_cents = statement.terms.rounding.remainder == "carry_forward"
    running = earlier.remainder if carry_cents and earlier is not None else ZERO
    given = ZERO
    for entry, share in zip(statement.entries, statement.shares, strict=True):
        running += share
        entry.award = round_to(running, statement.decimals) - given
        given += entry.award
    running += statement.lifted
    statement.lifted = round_to(running, statement.decimals) - given
    statement.earned = given + statement.lifted
    statement.remainder = running - statement.earned if carry_cents else ZERO
    if limits.negative == "carry" and statement.earned < 0:
        statement.carried = statement.earned
    _apply_minimum(statement)


def _apply_minimum(statement: Statement) -> None:
    minimum = statement.terms.limits.minimum
    so_far = statement.earned + (statement.carried_in or ZERO)
    if minimum is None or abs(so_far) >= number(minimum.amount):
        return
    if minimum.below == "carry_forward":
        statement.carried = so_far or None
        return
    for entry in statement.entries:
        entry.award = ZERO
    statement.earned = statement.lifted = ZERO
