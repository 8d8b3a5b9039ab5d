"""Month-end revaluation of open foreign-currency balances at the closing rate."""

import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from headrace.engine.findings import Refusal
from headrace.engine.numeric import plain
from headrace.foundation.companies import Company
from headrace.ledger import periods, reading
from headrace.ledger.amounts import converted
from headrace.ledger.desk import AccountKey, Desk
from headrace.ledger.journal import Cause, Event, Posted, post
from headrace.ledger.kinds import REVALUED, Kind, Purpose
from headrace.ledger.models import Entry, Posting


def revalue(*, company: Company, period: uuid.UUID, rates: Mapping[str, Decimal], at: datetime, run: int = 1) -> Posted:
    """Bring what is accrued, payable and overpaid in foreign currency to the closing rates of a soft-closed period.

    rates: functional currency for one unit, for every currency that is open. The difference goes to the account beside each,
    against the unrealised exchange difference of the same payee and program, as of the period's last day. run: another
    number revalues again, after closing entries that came later.
    """
    one = periods.standing(company, period)
    if one.state != periods.State.SOFT_CLOSED:
        raise Refusal("period_state", f"The period from {one.from_on} is {one.state}. Soft-close it, then revalue.")
    if Posting.objects.filter(entry__company=company, purpose=Purpose.REVALUE, booked_on__gte=one.until_on).exists():
        raise Refusal(
            "later_revalued", "A later period was revalued already. What changed is revalued with the next one."
        )
    last = one.until_on - timedelta(days=1)
    functional = company.functional_currency
    open_ = [row for row in reading.balances(company, kinds=tuple(REVALUED), as_of=last) if row.net]
    foreign = [row for row in open_ if row.account.key.currency != functional]
    missing = sorted({row.account.key.currency for row in foreign} - rates.keys())
    if missing:
        raise Refusal(
            "rate_missing", f"There is no closing rate of {', '.join(missing)} in {functional}. Load it first."
        )
    # Also those that are settled by now and still carry a revaluation.
    carried = {row.account: -row.net for row in reading.balances(company, kinds=tuple(REVALUED.values()), as_of=last)}
    target = {
        _beside(row.account, functional): (
            converted(-row.net, row.account.key.currency, rates[row.account.key.currency], functional)
            + row.functional_net
        )
        for row in foreign
    }
    changes = {account: target.get(account, 0) - carried.get(account, 0) for account in {*target, *carried}}
    changes = {account: change for account, change in sorted(changes.items(), key=_by_fields) if change}

    def plan(desk: Desk) -> None:
        for account, loss in changes.items():
            result = AccountKey(account.key, Kind.EXCHANGE_UNREALISED, account.of_currency)
            debit, credit = (result, account) if loss > 0 else (account, result)
            desk.move(Purpose.REVALUE, debit=debit, credit=credit, amount=abs(loss), functional=abs(loss))

    hold = [
        other
        for account in changes
        for other in (account, AccountKey(account.key, Kind.EXCHANGE_UNREALISED, account.of_currency))
    ]
    event = Event(
        company=company, cause=Cause("revaluation", f"{company.code}:{one.from_on}:{run}"), on=last, at=at, closing=True
    )
    asked = ["revalue", {currency: plain(rate) for currency, rate in rates.items()}]
    return post(event, request=asked, hold=hold, plan=plan)


def revalued(company: Company, from_on: date) -> bool:
    """Tell whether the period that begins on the day was revalued."""
    cause = f"{company.code}:{from_on}:"
    return Entry.objects.filter(company=company, cause_kind="revaluation", cause__startswith=cause).exists()


def _beside(account: AccountKey, functional: str) -> AccountKey:
    return account.key.beside(REVALUED[account.kind], functional)


def _by_fields(change: tuple[AccountKey, int]) -> tuple[str, ...]:
    return change[0].fields()
