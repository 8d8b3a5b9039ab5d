"""Funds: an amount is available, then reserved by an approval, then spent by a claim; the rest is given back. Never below zero.

Kept beside the books, since a fund is a budget and no liability. `key.fund` names the fund.
"""

from dataclasses import dataclass
from decimal import Decimal

from headrace.engine.findings import Refusal
from headrace.engine.numeric import plain
from headrace.ledger.amounts import converted, to_minor
from headrace.ledger.desk import Desk, Key
from headrace.ledger.journal import Event, Posted, post
from headrace.ledger.kinds import Kind, Purpose

AVAILABLE, RESERVED, SPENT, GRANTED = Kind.FUND_AVAILABLE, Kind.FUND_RESERVED, Kind.FUND_SPENT, Kind.FUND_GRANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One movement of a fund. rate: functional for one unit of the fund's currency, where they differ."""

    key: Key
    amount: Decimal
    version: str
    rate: Decimal = Decimal(1)


def grant(event: Event, step: Step) -> Posted:
    """Put an amount into a fund."""
    return _move(event, step, Purpose.GRANT, debit=AVAILABLE, credit=GRANTED)


def reserve(event: Event, step: Step) -> Posted:
    """Reserve what an approval promises. Refused beyond what is available (`balance_short`)."""
    return _move(event, step, Purpose.RESERVE, debit=RESERVED, credit=AVAILABLE)


def spend(event: Event, step: Step) -> Posted:
    """Spend what was reserved. Refused beyond it."""
    return _move(event, step, Purpose.SPEND, debit=SPENT, credit=RESERVED)


def give_back(event: Event, step: Step) -> Posted:
    """Make what was reserved, and is not needed, available again."""
    return _move(event, step, Purpose.GIVE_BACK, debit=AVAILABLE, credit=RESERVED)


def end(event: Event, step: Step) -> Posted:
    """Take what is available out of the fund, when it expires or is cut."""
    return _move(event, step, Purpose.END, debit=GRANTED, credit=AVAILABLE)


def _move(event: Event, step: Step, purpose: Purpose, *, debit: Kind, credit: Kind) -> Posted:
    key = step.key
    amount = to_minor(step.amount, key.currency)
    if amount <= 0 or not key.fund or not step.version:
        raise Refusal(
            "fund_step", f"{key}: {step.amount} cannot move. Name fund and version, and an amount above zero."
        )
    left, right = key.account(debit), key.account(credit)
    value = converted(amount, key.currency, step.rate, event.company.functional_currency)

    def plan(desk: Desk) -> None:
        functional = value if purpose is Purpose.GRANT else desk.carried(right, amount)
        desk.move(purpose, debit=left, credit=right, amount=amount, functional=functional, version=step.version)

    asked = [purpose, *right.fields(), plain(step.amount), step.version, plain(step.rate)]
    return post(event, request=asked, hold=(left, right), plan=plan)
