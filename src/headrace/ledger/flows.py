"""The flows of an incentive through the books: provided, finalised, approved, settled; voided, released, recovered, netted.

Each posts one entry for one cause, once. What is provided, estimated and finalised follows from batches and runs; every other
flow names who is responsible (`Event.by`) and is refused without their authority. The app that calls checks limits, and that a
second person agreed. Amounts are refused where they are finer than the currency.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from headrace.engine.findings import Refusal
from headrace.engine.numeric import plain
from headrace.foundation import access
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger.amounts import converted, to_minor
from headrace.ledger.desk import AccountKey, Desk, Key
from headrace.ledger.journal import Cause, Event, Posted, post
from headrace.ledger.kinds import ESTIMATES, Kind, Purpose
from headrace.ledger.models import Account, Posting

ITEMS_MAX = 10_000
"""So many items go into one entry; a larger event is posted in parts (`journal.in_parts`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An amount of one payee, program and period, under an approved version of the program.

    amount: for `provide` and `finalise` the whole entitlement so far, of any sign; else what moves, above zero. rate:
    functional currency for one unit of the currency, where they differ and the flow says it wants one.
    """

    key: Key
    amount: Decimal
    version: str
    rate: Decimal = Decimal(1)

    def minor(self) -> int:
        """Give the amount in minor units."""
        return to_minor(self.amount, self.key.currency)


def provide(event: Event, items: Sequence[Item], *, charge: Kind = Kind.CONTRA_REVENUE) -> Posted:
    """Bring the provision to the estimated entitlement: Dr charge, Cr accrued, at each item's rate; or back.

    What was approved already is not taken back by an estimate: that is for finalising.
    """

    def plan(desk: Desk, item: Item) -> None:
        change = item.minor() - _charged(desk, item.key, charge)
        if change > 0:
            _raise(desk, item, charge, change, Purpose.PROVIDE)
        else:
            _lower(desk, item, charge, Kind.ACCRUED, -change, Purpose.PROVIDE)

    kinds = (charge, Kind.ACCRUED)
    return _post(event, items, _Flow(plan, ["provide"], kinds, look=(Kind.OPENING,), signed=True))


def estimate(event: Event, items: Sequence[Item], *, of: Kind) -> Posted:
    """Bring a provision that stands apart (`ESTIMATES`) to an estimate that is not below zero: Dr its charge, Cr it; or back."""
    charge = ESTIMATES[of]

    def plan(desk: Desk, item: Item) -> None:
        change = item.minor() - desk.owing(item.key.account(of))
        if change > 0:
            value = converted(change, item.key.currency, item.rate, desk.functional)
            _move(desk, item, item.key.account(charge), item.key.account(of), change, Purpose.PROVIDE, value)
        else:
            _lower(desk, item, charge, of, -change, Purpose.PROVIDE)

    for item in items:
        if item.amount < 0:
            raise Refusal("amount", f"{item.key}: {item.amount} is no estimate. Give an amount of zero or more.")
    return _post(event, items, _Flow(plan, ["estimate"], (charge, of), signed=True))


def finalise(event: Event, items: Sequence[Item], *, charge: Kind = Kind.CONTRA_REVENUE) -> Posted:
    """State what was earned, and true the provision up or down to it.

    More than before heals what is overpaid, then raises the provision. Less lowers provision, then payable; what is beyond
    them was paid already and becomes overpaid.
    """

    def plan(desk: Desk, item: Item) -> None:
        key, target = item.key, item.minor()
        _earn(desk, item, target - desk.owing(key.account(Kind.EARNED)))
        change = target - _charged(desk, key, charge)
        if change > 0:
            overpaid = key.account(Kind.OVERPAID)
            healed = min(change, -desk.owing(overpaid))
            if healed:
                _move(
                    desk, item, key.account(charge), overpaid, healed, Purpose.OVERPAY, desk.carried(overpaid, healed)
                )
            _raise(desk, item, charge, change - healed, Purpose.TRUE_UP)
            return
        left = -change
        for kind in (Kind.ACCRUED, Kind.PAYABLE):
            left -= _lower(desk, item, charge, kind, left, Purpose.TRUE_UP)
        if left:
            value = converted(left, key.currency, item.rate, desk.functional)
            _move(desk, item, key.account(Kind.OVERPAID), key.account(charge), left, Purpose.OVERPAY, value)

    kinds = (charge, Kind.ACCRUED, Kind.PAYABLE, Kind.OVERPAID, Kind.EARNED, Kind.EARNED_CONTROL)
    return _post(event, items, _Flow(plan, ["finalise"], kinds, look=(Kind.OPENING,), signed=True))


def approve(event: Event, items: Sequence[Item]) -> Posted:
    """Make accrued amounts payable: Dr accrued, Cr payable. Refused beyond what is accrued (`balance_short`)."""
    _authorised(event, Permission.APPROVE_PAYOUT)
    return _carry(event, items, Kind.ACCRUED, Kind.PAYABLE, Purpose.APPROVE)


def settle(event: Event, items: Sequence[Item], *, by: Kind) -> Posted:
    """Settle payables by credit memo (`Kind.RECEIVABLE`) or payment (`Kind.CASH`): Dr payable, Cr that.

    The difference between the carrying amount and the amount at the item's rate is the realised exchange difference.
    """
    assert by in (Kind.RECEIVABLE, Kind.CASH), by
    _authorised(event, Permission.RELEASE_PAYMENT)

    def plan(desk: Desk, item: Item) -> None:
        key, amount = item.key, item.minor()
        carried = desk.carried(key.account(Kind.PAYABLE), amount)
        _move(desk, item, key.account(Kind.PAYABLE), key.account(by), amount, Purpose.SETTLE, carried)
        if key.currency != desk.functional:
            _realise(desk, item, by, converted(amount, key.currency, item.rate, desk.functional) - carried)

    return _post(event, items, _Flow(plan, ["settle"], (Kind.PAYABLE, by), beside=(by, Kind.EXCHANGE_REALISED)))


def void(event: Event, *, settlement: Cause) -> Posted:
    """Take a settlement back as it was posted: payable is restored. The cause must be of kind `void`, so this happens once."""
    _authorised(event, Permission.RELEASE_PAYMENT)
    if (event.cause.kind, event.cause.id) != ("void", str(settlement)):
        raise Refusal(
            "void_cause", f"The cause of voiding {settlement} must be void:{settlement}, so that it is done once."
        )
    rows = Posting.objects.filter(entry__key=str(settlement), entry__company=event.company).order_by("position")
    made = tuple(rows.select_related("debit", "credit"))
    if not any(row.purpose == Purpose.SETTLE for row in made):
        raise Refusal("settlement_unknown", f"{settlement} settled nothing in {event.company.code}.")

    def plan(desk: Desk) -> None:
        for row in made:
            desk.move(
                Purpose.VOID if row.purpose == Purpose.SETTLE else Purpose(row.purpose),
                debit=key_of(row.credit), credit=key_of(row.debit), amount=row.amount, functional=row.functional,
                version=row.version,
            )  # fmt: skip

    hold = [key_of(account) for row in made for account in (row.debit, row.credit)]
    return post(event, request=["void", str(settlement)], hold=hold, plan=plan)


def release(event: Event, items: Sequence[Item], *, of: Kind = Kind.ACCRUED) -> Posted:
    """Release what nobody claimed, or no longer owed, into the result: Dr accrued (or payable), Cr released."""
    assert of in (Kind.ACCRUED, Kind.PAYABLE), of
    _authorised(event, Permission.APPROVE_PAYOUT)
    return _carry(event, items, of, Kind.RELEASED, Purpose.RELEASE)


def recover(event: Event, items: Sequence[Item], *, by: Kind = Kind.RECEIVABLE) -> Posted:
    """Claim overpaid amounts back by debit memo: Dr receivable (or cash that came in), Cr overpaid."""
    assert by in (Kind.RECEIVABLE, Kind.CASH), by
    _authorised(event, Permission.APPROVE_PAYOUT)
    return _carry(event, items, by, Kind.OVERPAID, Purpose.RECOVER, carrying=Kind.OVERPAID)


def write_off(event: Event, items: Sequence[Item]) -> Posted:
    """Give up overpaid amounts: Dr written off, Cr overpaid."""
    _authorised(event, Permission.APPROVE_PAYOUT)
    return _carry(event, items, Kind.WRITTEN_OFF, Kind.OVERPAID, Purpose.WRITE_OFF, carrying=Kind.OVERPAID)


def net(event: Event, *, payee_kind: str, payee: str, currency: str) -> Posted:
    """Net what a payee was overpaid against what is payable to them, both from the oldest program period on.

    Dr payable, Cr offset where it is payable; Dr offset, Cr overpaid where it was overpaid.
    """
    _authorised(event, Permission.APPROVE_PAYOUT)
    kinds = (Kind.PAYABLE, Kind.OVERPAID)
    rows = Account.objects.filter(
        company=event.company, payee_kind=payee_kind, payee=payee, currency=currency, kind__in=kinds
    )
    accounts = [key_of(row) for row in rows.order_by("period", "program", "fund", "kind")]
    hold = [other for one in accounts for other in (one, one.key.account(Kind.OFFSET))]
    functional = event.company.functional_currency
    if currency != functional:
        beside = (Kind.OFFSET, Kind.EXCHANGE_REALISED)
        hold += [one.key.beside(kind, functional) for one in accounts for kind in beside]

    def plan(desk: Desk) -> None:
        moved = dict.fromkeys(accounts, 0)
        for overpaid in (one for one in accounts if one.kind is Kind.OVERPAID):
            for payable in (one for one in accounts if one.kind is Kind.PAYABLE):
                amount = min(-desk.owing(overpaid) - moved[overpaid], desk.owing(payable) - moved[payable])
                moved[overpaid] += amount
                moved[payable] += amount
        _net(desk, {account: amount for account, amount in moved.items() if amount})

    return post(event, request=["net", payee_kind, payee, currency], hold=hold, plan=plan)


def _net(desk: Desk, moved: Mapping[AccountKey, int]) -> None:
    """Post one movement per account; what the carrying amounts of both sides differ by is realised."""
    gain = 0
    for account, amount in moved.items():
        offset, value = account.key.account(Kind.OFFSET), desk.carried(account, amount)
        if account.kind is Kind.PAYABLE:
            desk.move(Purpose.NET, debit=account, credit=offset, amount=amount, functional=value)
            gain += value
        else:
            desk.move(Purpose.NET, debit=offset, credit=account, amount=amount, functional=value)
            gain -= value
    if gain:
        _realised(desk, next(iter(moved)).key, Kind.OFFSET, -gain, "")


def _authorised(event: Event, permission: Permission) -> None:
    if event.by is None:
        raise Refusal("not_permitted", f"{event.cause} names nobody who is responsible. Name who approved it.")
    access.require(event.by, VENDOR, permission, event.at.date())


@dataclass(frozen=True, slots=True)
class _Flow:
    """How one flow treats each item. said: what tells it from others. kinds: of the accounts it posts to, beside: in the
    functional currency; look: of those it only reads."""

    plan: Callable[[Desk, Item], None]
    said: Sequence[str]
    kinds: Sequence[Kind]
    look: Sequence[Kind] = ()
    beside: Sequence[Kind] = ()
    signed: bool = False


def _post(event: Event, items: Sequence[Item], flow: _Flow) -> Posted:
    """Check the items, hold the accounts of these kinds for each, and plan one item after the other."""
    _checked(event, items, signed=flow.signed)
    functional = event.company.functional_currency
    hold = [item.key.account(kind) for kind in flow.kinds for item in items]
    hold += [
        item.key.beside(kind, functional) for kind in flow.beside for item in items if item.key.currency != functional
    ]
    asked = [
        [*item.key.account(Kind.EARNED).fields(), plain(item.amount), item.version, plain(item.rate)] for item in items
    ]

    def all_of_them(desk: Desk) -> None:
        for item in items:
            flow.plan(desk, item)

    seen = [item.key.account(kind) for kind in flow.look for item in items]
    return post(event, request=[*flow.said, *flow.kinds, asked], hold=hold, plan=all_of_them, look=seen)


def _checked(event: Event, items: Sequence[Item], *, signed: bool) -> None:
    if not items or len(items) > ITEMS_MAX:
        raise Refusal("items", f"{event.cause} has {len(items)} items; post 1 to {ITEMS_MAX} in one entry.")
    seen: set[Key] = set()
    for item in items:
        if not item.version:
            raise Refusal(
                "no_version", f"{item.key}: an amount is owed under an approved version of a program. Name it."
            )
        if item.key in seen:
            raise Refusal("item_twice", f"{event.cause} names {item.key} twice. Add the amounts up first.")
        amount = item.minor()
        if not signed and amount <= 0:
            raise Refusal("amount", f"{item.key}: {item.amount} cannot move. Give an amount above zero.")
        converted(0, item.key.currency, item.rate, event.company.functional_currency)
        seen.add(item.key)


def _carry(
    event: Event, items: Sequence[Item], debit: Kind, credit: Kind, purpose: Purpose, *, carrying: Kind | None = None
) -> Posted:
    """Move each item from one kind to the other at the carrying amount of the one that it leaves."""

    def plan(desk: Desk, item: Item) -> None:
        value = desk.carried(item.key.account(carrying or debit), item.minor())
        _move(desk, item, item.key.account(debit), item.key.account(credit), item.minor(), purpose, value)

    return _post(event, items, _Flow(plan, [purpose], (debit, credit)))


def _charged(desk: Desk, key: Key, charge: Kind) -> int:
    """Give the entitlement that the books account for: what was charged here, or carried over from before."""
    return -desk.owing(key.account(charge)) - desk.owing(key.account(Kind.OPENING))


def _raise(desk: Desk, item: Item, charge: Kind, amount: int, purpose: Purpose) -> None:
    if amount:
        value = converted(amount, item.key.currency, item.rate, desk.functional)
        _move(desk, item, item.key.account(charge), item.key.account(Kind.ACCRUED), amount, purpose, value)


def _lower(desk: Desk, item: Item, charge: Kind, of: Kind, amount: int, purpose: Purpose) -> int:
    """Lower a liability by at most what it is, and give by how much."""
    account = item.key.account(of)
    amount = min(amount, desk.owing(account))
    if amount:
        _move(desk, item, account, item.key.account(charge), amount, purpose, desk.carried(account, amount))
    return amount


def _earn(desk: Desk, item: Item, change: int) -> None:
    earned, control = item.key.account(Kind.EARNED), item.key.account(Kind.EARNED_CONTROL)
    if change:
        value = converted(abs(change), item.key.currency, item.rate, desk.functional)
        debit, credit = (control, earned) if change > 0 else (earned, control)
        _move(desk, item, debit, credit, abs(change), Purpose.EARN, value)


def _realise(desk: Desk, item: Item, by: Kind, loss: int) -> None:
    """Post the realised exchange difference: a loss where settling costs more than was carried."""
    _realised(desk, item.key, by, loss, item.version)


def _realised(desk: Desk, key: Key, by: Kind, loss: int, version: str) -> None:
    if loss:
        result, other = key.beside(Kind.EXCHANGE_REALISED, desk.functional), key.beside(by, desk.functional)
        debit, credit = (result, other) if loss > 0 else (other, result)
        value = abs(loss)
        desk.move(Purpose.REALISE, debit=debit, credit=credit, amount=value, functional=value, version=version)


def _move(
    desk: Desk, item: Item, debit: AccountKey, credit: AccountKey, amount: int, purpose: Purpose, functional: int
) -> None:
    desk.move(purpose, debit=debit, credit=credit, amount=amount, functional=functional, version=item.version)


def key_of(row: Account) -> AccountKey:
    """Give the key of a stored account."""
    key = Key(
        currency=row.currency, payee_kind=row.payee_kind, payee=row.payee, program=row.program, period=row.period,
        fund=row.fund,
    )  # fmt: skip
    return AccountKey(key, Kind(row.kind), row.of_currency)
