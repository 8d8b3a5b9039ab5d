"""Budgets: agreed to by Finance, one in force a program; a new request asks for more."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from headrace.engine.findings import Refusal
from headrace.engine.numeric import MINOR_UNITS, plain
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance.models import Budget
from headrace.programs import versions
from headrace.workflow import requests

KIND = "budget"


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
