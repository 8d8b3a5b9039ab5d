"""Budgets: agreed to by Finance, one in force a program; a new request asks for more.

They warn, and stop what would be promised anew (activating, assigning). What published terms owe is owed: nothing here looks at a
line, a batch or a finalisation.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from headrace.engine.book import make_book
from headrace.engine.findings import Refusal
from headrace.engine.numeric import MINOR_UNITS, plain
from headrace.engine.period import periods_between
from headrace.engine.terms import Terms
from headrace.foundation import access, acts, companies
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance.models import Budget
from headrace.ledger import reading
from headrace.ledger.kinds import Kind
from headrace.programs import versions
from headrace.workflow import requests

KIND = "budget"
_CHARGED = (Kind.CONTRA_REVENUE, Kind.EXPENSE)
_SETTLED = (Kind.RECEIVABLE, Kind.CASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A budget that is asked for. warn_at: share of the amount from which on it warns. expected: what it is expected to cost."""

    amount: Decimal
    expected: Decimal
    currency: str
    region: str = ""
    warn_at: Decimal = Decimal("0.8")


def ask(*, program: str, wanted: Wanted, reason: str, by: Person, at: datetime) -> Budget:
    """Ask for a budget, or for another one than is in force. Refused (`budget_faulty`) where it is none."""
    access.require(by, VENDOR, Permission.AUTHOR_TERMS, at.date())
    versions.of_program(program, by, at=at)
    if wanted.currency not in MINOR_UNITS or not 0 <= wanted.expected <= wanted.amount or not 0 < wanted.warn_at <= 1:
        raise Refusal(
            "budget_faulty",
            "Give an amount, what is expected of it (at most the amount), a currency, and a share from 0 to 1 at which to warn.",
        )
    if not reason.strip():
        raise Refusal("reason_missing", "Say what the budget is for; whoever decides reads it.")
    with acts.act("ask_budget", at=at):
        if Budget.objects.filter(program=program, state="asked").exists():
            raise Refusal("asked_already", f"A budget of {program} was asked for already and waits for a decision.")
        made = Budget(
            program=program, region=wanted.region.strip(), amount=wanted.amount, expected=wanted.expected,
            currency=wanted.currency, warn_at=wanted.warn_at, reason=reason.strip(), asked_by=by, asked_at=at,
        )  # fmt: skip
        made.save()
        before = in_force(program)
        facts = {
            "program": program,
            "amount": {wanted.currency: plain(wanted.amount)},
            "expected": {wanted.currency: plain(wanted.expected)},
            "before": {before.currency: plain(before.amount)} if before else "none",
            "region": wanted.region.strip(),
            "reason": reason.strip(),
        }
        requests.ask(kind=KIND, subject=str(made.pk), facts=facts, by=by, at=at)
    return made


def _decided(state: Budget.State, subject: str, at: datetime) -> None:
    row = Budget.locked(uuid.UUID(subject))
    row.state, row.decided_at = state, at
    row.save()


requests.ends(
    KIND,
    requests.Ending(
        approved=lambda subject, by, at: _decided(Budget.State.APPROVED, subject, at),
        rejected=lambda subject, by, reason, at: _decided(Budget.State.REJECTED, subject, at),
    ),
)


def in_force(program: str) -> Budget | None:
    """Give the budget that was approved last."""
    found: Budget | None = Budget.objects.filter(program=program, state="approved").order_by("-decided_at").first()
    return found


def region_of(program: str) -> str:
    """Give the region that was approved with the budget; empty where there is none."""
    budget = in_force(program)
    return "" if budget is None else budget.region


def over(program: str, most: Decimal, currency: str) -> Iterator[tuple[str, str]]:
    """Say why the budget of a program does not keep within an amount."""
    budget = in_force(program)
    if budget is None:
        yield "", f"{program} has no approved budget; ask for one"
    elif budget.currency != currency:
        yield "", f"the budget of {program} is in {budget.currency}; ask for one in {currency}"
    elif budget.amount > most:
        yield "", f"the budget of {program} is {plain(budget.amount)} {currency}"


# What is promised, owed and paid


class Used(NamedTuple):
    """What the books hold of a program in one currency: accrued is all that was ever charged, paid what was settled of it."""

    accrued: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)


type Books = Mapping[tuple[str, str], Used]
"""By program and currency."""


def used() -> Books:
    """Give what the books of all companies hold, by program and currency."""
    found: dict[tuple[str, str], Used] = {}
    for company in companies.listed():
        for row in reading.balances(company, kinds=(*_CHARGED, *_SETTLED)):
            key = (row.account.key.program, row.account.key.currency)
            before = found.get(key, Used())
            if row.account.kind in _CHARGED:
                found[key] = before._replace(accrued=before.accrued + row.amount)
            elif not row.account.of_currency:
                found[key] = before._replace(paid=before.paid - row.amount)
    return found


def promised(terms: Terms, partners: int, expected: Decimal) -> Decimal:
    """Give what terms promise at most with so many enrolled partners, where they bound it; else what is expected of them.

    Bounds are the program's own limit, or the cap of a statement × partners × periods of the version's days.
    """
    payout = terms.limits.payout
    if payout.program is not None:
        return payout.program
    spans = _periods(terms)
    if not terms.enrolled or payout.per_scope is None or spans is None or terms.measure.per != ("earner",):
        return expected
    own = [row.cap for row in terms.inputs if row.cap is not None]
    return max([payout.per_scope, *own]) * spans * partners


def _periods(terms: Terms) -> int | None:
    if terms.measure.every == "program":
        return 1
    from_, until = terms.valid.from_, terms.valid.until
    if from_ is None or until is None or terms.measure.calendar != "gregorian":
        return None
    (edition,) = make_book((terms,), None).editions
    return len(periods_between(edition.periods, from_, until - timedelta(days=1)))


def refuse_beyond(terms: Terms, partners: int) -> None:
    """Refuse what would promise more than the budget in force (`budget_exceeded`). Without a budget there is no such limit."""
    budget = in_force(terms.program)
    if budget is None:
        return
    accrued = used().get((terms.program, budget.currency), Used()).accrued
    wanted = max(promised(terms, partners, budget.expected), accrued)
    if terms.currency != budget.currency or wanted > budget.amount or accrued >= budget.amount:
        told = f"{plain(wanted)} {terms.currency} would be promised and {plain(accrued)} is accrued"
        raise Refusal(
            "budget_exceeded",
            f"The budget of {terms.program} is {plain(budget.amount)} {budget.currency}; with this, {told}. Nothing new is "
            "promised. Ask for a larger budget.",
        )


def status(budget: Budget | None, committed: Decimal) -> str:
    """Say how a budget stands: none, kept, warned or exceeded."""
    if budget is None:
        return "none"
    if committed > budget.amount:
        return "exceeded"
    return "warned" if committed >= budget.amount * budget.warn_at else "kept"
