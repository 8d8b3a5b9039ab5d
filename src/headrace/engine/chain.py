"""What goes from one period of a payee to the next: guarantees, debts, remainders, small amounts.

Works on statements, not on lines, and only on those of programs whose terms look past one period; each function is a step of
semantics §7 over the statements of one payee and scope in the order of their periods.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from headrace.engine.against import program_life
from headrace.engine.book import Book, Edition
from headrace.engine.numeric import round_half_away
from headrace.engine.period import Period, Periods, period_of
from headrace.engine.terms.model import Guarantee, Terms

_ZERO = Decimal(0)


@dataclass(slots=True, kw_only=True)
class Account:
    """One statement while it is worked out. exact: the entitlement so far; lift: what a guarantee added."""

    s: int
    payee_no: int
    edition: Edition
    earner: str
    scope: str
    words: Mapping[str, str] = field(default_factory=dict)
    period: Period
    lines: int
    exact: Decimal
    lift: Decimal = _ZERO
    start: Decimal = _ZERO
    zeroed: bool = False
    earned: Decimal = _ZERO
    carried: Decimal | None = None
    carried_in: Decimal | None = None

    @property
    def terms(self) -> Terms:
        """The document that governs the statement: that of the scope's last line."""
        return self.edition.terms


def looks_past_periods(terms: Terms) -> bool:
    """Tell whether a statement of these terms depends on other periods, or exists without lines."""
    limits = terms.limits
    return (
        limits.guarantee is not None
        or limits.minimum is not None
        or limits.negative == "carry"
        or terms.rounding.remainder == "carry_forward"
    )


def exists_unworked(terms: Terms) -> bool:
    """Tell whether payees of the governed inputs have statements without lines: by a guarantee or a lump sum."""
    return terms.limits.guarantee is not None or terms.accrue.lump_sum is not None


def in_chains(accounts: Sequence[Account]) -> list[list[Account]]:
    """Group accounts by program, payee and scope, in the order of their periods."""
    chains: dict[tuple[str, int, str], list[Account]] = {}
    for account in sorted(accounts, key=lambda each: each.period.from_ or date.min):
        chains.setdefault((account.terms.program, account.payee_no, account.scope), []).append(account)
    return list(chains.values())


def guarantee(book: Book, chain: Sequence[Account]) -> None:
    """Lift each statement to what is promised (step 6)."""
    for at, account in enumerate(chain):
        promise = account.terms.limits.guarantee
        if promise is None:
            continue
        owed, counted = _promised(book, promise, account, chain[: at + 1])
        lift = owed - sum((each.exact + each.lift for each in counted), _ZERO)
        if owed > 0 and lift > 0:
            account.lift = round_half_away(lift, 6)


def _promised(
    book: Book, promise: Guarantee, account: Account, so_far: Sequence[Account]
) -> tuple[Decimal, Sequence[Account]]:
    """Give what is promised at a statement, and the statements that it is tested over."""
    amount, own = promise.amount, account.edition.periods
    if promise.cumulative:
        return amount * _periods_since_start(book, account), so_far
    every = promise.every or own.every
    if every == own.every or account.period.from_ is None or account.period.until is None:
        return amount, so_far[-1:]
    other = replace(own, every=every, fiscal=own.fiscal if every == own.every else None)
    around = period_of(other, account.period.from_)
    if around is None:
        return _ZERO, so_far[-1:]
    if around.until is not None and around.until < account.period.until:
        return amount * _starts_inside(account.period, other, around), so_far[-1:]
    inside = [each for each in so_far if each.period.from_ is not None and each.period.from_ in around]
    ends_here = around.until is not None and around.until <= account.period.until
    return (amount if ends_here else _ZERO), inside


def _starts_inside(period: Period, periods: Periods, first: Period) -> int:
    """Count the periods of another length that start in a period."""
    count = 0
    at: Period | None = first
    while at is not None and at.from_ is not None and period.until is not None and at.from_ < period.until:
        count += at.from_ in period
        at = None if at.until is None else period_of(periods, at.until)
    return count


def _periods_since_start(book: Book, account: Account) -> int:
    """Count the periods from the start of the program, or of the enrolment, to this one."""
    start = program_life(book, account.edition).from_
    entry = next((each for each in account.terms.inputs if each.earner == account.earner and each.enrolled_from), None)
    if entry is not None and entry.enrolled_from is not None:
        start = max(start or date.min, entry.enrolled_from)
    if start is None or account.period.from_ is None:
        return 1
    count, at = 1, period_of(account.edition.periods, start)
    while at is not None and at.until is not None and at.until <= account.period.from_:
        count, at = count + 1, period_of(account.edition.periods, at.until)
    return count


def finish(book: Book, chain: Sequence[Account]) -> None:
    """Negatives, rounding and the minimum (steps 8 to 10), and what moves on to the next statement."""
    remainder = _ZERO
    carried: Decimal | None = None
    for account in chain:
        terms = account.terms
        decimals = book.decimals(account.edition.number)
        keeps_remainder = terms.rounding.remainder == "carry_forward"
        account.carried_in = carried
        account.zeroed = terms.limits.negative == "zero" and account.exact < 0
        account.start = remainder if keeps_remainder else _ZERO
        whole = account.start + (_ZERO if account.zeroed else account.exact)
        account.earned = _ZERO if account.zeroed else round_half_away(whole, decimals)
        remainder = whole - account.earned if keeps_remainder else _ZERO
        if terms.limits.negative == "carry" and account.earned < 0:
            account.carried = account.earned
        _apply_minimum(account)
        carried = account.carried


def _apply_minimum(account: Account) -> None:
    minimum = account.terms.limits.minimum
    so_far = account.earned + (account.carried_in or _ZERO)
    if minimum is None or abs(so_far) >= minimum.amount:
        return
    if minimum.below == "carry_forward":
        account.carried = so_far or None
    else:
        account.zeroed, account.earned = True, _ZERO


def unworked(
    book: Book, edition: Edition, there: set[tuple[str, Period]], as_of: date, first: date | None
) -> list[tuple[str, Mapping[str, str], Period]]:
    """List earner, scope and period of every statement that a guarantee or a lump sum makes without lines.

    For each earner with an `inputs` row, each period from the program's start (or the enrolment) to the as-of day that has
    none. there: scope text and period of the statements with lines; first: the earliest start of those.
    """
    life = program_life(book, edition)
    made: list[tuple[str, Mapping[str, str], Period]] = []
    rows = {entry.earner: entry for entry in reversed(edition.terms.inputs)}
    for entry in rows.values():
        words = {"earner": entry.earner, **entry.scope}
        if not set(edition.terms.measure.per) <= set(words):
            continue
        scope = {word: words[word] for word in edition.terms.measure.per}
        start = life.from_ or first
        if start is None:
            continue
        start = max(start, entry.enrolled_from or start)
        ends = [day for day in (life.until, entry.enrolled_until) if day is not None]
        at = period_of(edition.periods, start)
        while at is not None and (at.from_ or date.min) <= as_of and all((at.from_ or date.min) < day for day in ends):
            bounds = entry.from_ in {None, at.from_} and entry.until in {None, at.until}
            if bounds and (scope_text(scope), at) not in there:
                made.append((entry.earner, scope, at))
            at = None if at.until is None else period_of(edition.periods, at.until)
    return made


def scope_text(words: Mapping[str, str]) -> str:
    """Write a scope as its canonical JSON text."""
    return json.dumps(dict(words), ensure_ascii=False, separators=(",", ":"))


def last_day(period: Period) -> date | None:
    """Give the last day of a period; null where it is unbounded."""
    return None if period.until is None else period.until - timedelta(days=1)
