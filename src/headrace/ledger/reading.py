"""Reading the books: balances as of a day and as known at an instant, trial balance, roll-forward, postings with their cause.

Amounts come out as `Decimal` in `Figure`s where people read them, and as minor units in `Standing`, for other services.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import batched

from django.db.models import Max, QuerySet, Sum

from headrace.engine.findings import Refusal
from headrace.foundation.companies import Company
from headrace.ledger.amounts import from_minor
from headrace.ledger.causes import Opened, resolved
from headrace.ledger.desk import AccountKey, Key
from headrace.ledger.flows import key_of
from headrace.ledger.kinds import COLUMN_OF, LIABILITIES, REVALUED, Column, Kind, Purpose
from headrace.ledger.models import Account, Balance, Posting

_ROLLED = frozenset((*LIABILITIES, *(REVALUED[kind] for kind in LIABILITIES if kind in REVALUED)))


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on one account, in minor units."""

    account: AccountKey
    debits: int
    credits: int
    functional_debits: int
    functional_credits: int

    @property
    def net(self) -> int:
        """Give debits − credits."""
        return self.debits - self.credits

    @property
    def functional_net(self) -> int:
        """Give debits − credits in the functional currency."""
        return self.functional_debits - self.functional_credits

    @property
    def amount(self) -> Decimal:
        """Give debits − credits with the currency's decimals."""
        return from_minor(self.net, self.account.key.currency)


def balances(
    company: Company,
    *,
    kinds: Iterable[Kind] = (),
    payee: tuple[str, str] | None = None,
    program: str | None = None,
    as_of: date | None = None,
    known_at: datetime | None = None,
) -> tuple[Standing, ...]:
    """Give the accounts that were ever posted to, by key.

    payee: kind and id. as_of: what is booked until that day, included. known_at: what was posted until that instant. Without
    both it is the present balance, which costs no sums.
    """
    accounts = Account.objects.filter(company=company).order_by(
        "payee_kind", "payee", "program", "period", "kind", "pk"
    )
    if kinds:
        accounts = accounts.filter(kind__in=tuple(kinds))
    if payee is not None:
        accounts = accounts.filter(payee_kind=payee[0], payee=payee[1])
    if program is not None:
        accounts = accounts.filter(program=program)
    if as_of is None and known_at is None:
        present = accounts.select_related("balance")
        rows = ((row, _of(row.balance)) for row in present)
    else:
        totals = _summed(_until(accounts, as_of, known_at))
        rows = ((row, totals.get(row.pk, (0, 0, 0, 0))) for row in accounts)
    return tuple(Standing(key_of(row), *totals) for row, totals in rows if any(totals))


def _of(balance: Balance) -> tuple[int, int, int, int]:
    return balance.debits, balance.credits, balance.functional_debits, balance.functional_credits


def _until(accounts: QuerySet[Account], as_of: date | None, known_at: datetime | None) -> dict[str, QuerySet[Posting]]:
    postings = Posting.objects.all()
    if as_of is not None:
        postings = postings.filter(booked_on__lte=as_of)
    if known_at is not None:
        postings = postings.filter(entry__at__lte=known_at)
    named = accounts.order_by().values("pk")
    return {side: postings.filter(**{f"{side}__in": named}) for side in ("debit", "credit")}


def _summed(postings: Mapping[str, QuerySet[Posting]]) -> dict[int, tuple[int, int, int, int]]:
    """Give debits, credits and both in the functional currency, by account."""
    found: dict[int, list[int]] = {}
    for place, side in enumerate(("debit", "credit")):
        rows = postings[side].order_by().values_list(f"{side}_id").annotate(Sum("amount"), Sum("functional"))
        for account, amount, functional in rows:
            one = found.setdefault(account, [0, 0, 0, 0])
            one[place], one[place + 2] = int(amount), int(functional)
    return {account: (one[0], one[1], one[2], one[3]) for account, one in found.items()}


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of a trial balance. currency: of debit and credit; the functional ones are in the company's."""

    kind: Kind
    currency: str
    debit: Decimal
    credit: Decimal
    functional_debit: Decimal
    functional_credit: Decimal


def trial_balance(
    company: Company, *, as_of: date | None = None, known_at: datetime | None = None
) -> tuple[Figure, ...]:
    """Give the totals by kind and currency; per currency, and in the functional one, debits equal credits."""
    totals: dict[tuple[Kind, str], list[int]] = {}
    for row in balances(company, as_of=as_of, known_at=known_at):
        one = totals.setdefault((row.account.kind, row.account.key.currency), [0, 0, 0, 0])
        for place, value in enumerate((row.debits, row.credits, row.functional_debits, row.functional_credits)):
            one[place] += value
    order = {kind: place for place, kind in enumerate(Kind)}
    own = company.functional_currency
    return tuple(
        Figure(
            kind, currency, from_minor(one[0], currency), from_minor(one[1], currency), from_minor(one[2], own),
            from_minor(one[3], own),
        )
        for (kind, currency), one in sorted(totals.items(), key=lambda item: (order[item[0][0]], item[0][1]))
    )  # fmt: skip


def last_entry_at(company: Company, *, until: date) -> datetime | None:
    """Give when the last entry was written that is booked before a day, null where there is none."""
    last: datetime | None = Posting.objects.filter(entry__company=company, booked_on__lt=until).aggregate(
        last=Max("entry__at")
    )["last"]
    return last


AGES = ((0, "not over"), (30, "1–30 days"), (90, "31–90 days"), (180, "91–180 days"), (365, "181–365 days"))


def age(period: str, day: date) -> str:
    """Give the age of a program period on a day, counted from its last day.

    >>> age("2026-01-01/2026-04-01", date(2026, 3, 31)), age("2026-01-01/2026-04-01", date(2026, 4, 30))
    ('not over', '1–30 days')
    """
    until = period.rpartition("/")[2]
    if not until:
        return "no period"
    days = (day - date.fromisoformat(until)).days + 1
    return next((name for most, name in AGES if days <= most), "over 365 days")


@dataclass(frozen=True, slots=True)
class Rolled:
    """One row of a roll-forward: opening + the columns = closing, in `currency`. Liabilities are positive."""

    program: str
    age: str
    currency: str
    opening: Decimal
    columns: Mapping[Column, Decimal]
    closing: Decimal


def roll_forward(
    company: Company, *, from_on: date, until_on: date, functional: bool = True, known_at: datetime | None = None
) -> tuple[Rolled, ...]:
    """Roll what is accrued and payable from one day until before another, by program and age at the end.

    functional: in the company's currency, with exchange differences; otherwise each currency by itself. The closing is summed
    by itself from the balances, never from the columns.
    """
    if until_on <= from_on:
        raise Refusal("days", f"The roll-forward must end after it begins, {from_on}. Give a later day.")
    last = until_on.fromordinal(until_on.toordinal() - 1)
    rows: dict[tuple[str, str, str], dict[str, int]] = {}

    def add(account: AccountKey, name: str, amount: int) -> None:
        currency = company.functional_currency if functional else account.key.currency
        if functional or account.kind in LIABILITIES:
            row = rows.setdefault((account.key.program, age(account.key.period, last), currency), {})
            row[name] = row.get(name, 0) + amount

    for name, day in (("opening", from_on.fromordinal(from_on.toordinal() - 1)), ("closing", last)):
        for one in balances(company, kinds=_ROLLED, as_of=day, known_at=known_at):
            add(one.account, name, -(one.functional_net if functional else one.net))
    for account, purpose, amount, value in _changes(company, from_on, until_on, known_at):
        column = COLUMN_OF.get(purpose)
        if column is not None:
            add(account, column, value if functional else amount)
        else:
            add(account, "inside", value if functional else amount)
    assert all(row.get("inside", 0) == 0 for row in rows.values()), "what has no column moves inside the liability"
    return tuple(
        Rolled(
            program, aged, currency, from_minor(row.get("opening", 0), currency),
            {column: from_minor(row.get(column, 0), currency) for column in Column},
            from_minor(row.get("closing", 0), currency),
        )
        for (program, aged, currency), row in sorted(rows.items())
        if any(row.values())
    )  # fmt: skip


def _changes(
    company: Company, from_on: date, until_on: date, known_at: datetime | None
) -> Iterator[tuple[AccountKey, Purpose, int, int]]:
    """Give by liability and purpose how the credit balance changed."""
    postings = Posting.objects.filter(entry__company=company, booked_on__gte=from_on, booked_on__lt=until_on)
    if known_at is not None:
        postings = postings.filter(entry__at__lte=known_at)
    sums: list[tuple[int, str, int, int]] = []
    for side, sign in (("debit", -1), ("credit", 1)):
        rows = postings.filter(**{f"{side}__kind__in": _ROLLED}).order_by().values_list(f"{side}_id", "purpose")
        for account, purpose, amount, value in rows.annotate(Sum("amount"), Sum("functional")):
            sums.append((account, purpose, sign * int(amount), sign * int(value)))
    accounts = named_accounts({row[0] for row in sums})
    for account, purpose, amount, value in sums:
        yield accounts[account], Purpose(purpose), amount, value


def named_accounts(ids: Iterable[int]) -> dict[int, AccountKey]:
    """Give the accounts of these ids."""
    found: dict[int, AccountKey] = {}
    for some in batched(ids, 5_000, strict=False):
        found |= {row.pk: key_of(row) for row in Account.objects.filter(pk__in=some)}
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """One posting as it is shown."""

    id: int
    entry: uuid.UUID
    at: datetime
    on: date
    booked_on: date
    purpose: Purpose
    debit: AccountKey
    credit: AccountKey
    amount: Decimal
    functional: Decimal
    currency: str
    version: str
    cause: tuple[str, str]

    @property
    def of(self) -> Key:
        """Give whom and what it is about."""
        return self.debit.key


def postings(
    company: Company,
    *,
    before: int | None = None,
    payee: str | None = None,
    program: str | None = None,
    cause: tuple[str, str] | None = None,
    size: int = 50,
) -> tuple[Line, ...]:
    """Give postings, the latest first. before: only those of a lower id. payee, program: on either side."""
    rows = Posting.objects.filter(entry__company=company).select_related("entry", "debit", "credit").order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    # Both accounts of a posting are of one payee and program, but for none of them where there is none.
    if payee:
        rows = rows.filter(debit__payee=payee)
    if program:
        rows = rows.filter(debit__program=program)
    if cause is not None:
        rows = rows.filter(entry__cause_kind=cause[0], entry__cause=cause[1])
    return tuple(_line(row, company) for row in rows[:size])


def _line(row: Posting, company: Company) -> Line:
    return Line(
        row.pk, row.entry_id, row.entry.at, row.on, row.booked_on, Purpose(row.purpose), key_of(row.debit),
        key_of(row.credit), from_minor(row.amount, row.currency),
        from_minor(row.functional, company.functional_currency), row.currency, row.version,
        (row.entry.cause_kind, row.entry.cause),
    )  # fmt: skip


def booked(company: Company, period: uuid.UUID) -> Iterator[Line]:
    """Give every posting of an accounting period, in the order in which they were written."""
    rows = Posting.objects.filter(entry__company=company, period=period).select_related("entry", "debit", "credit")
    for row in rows.order_by("pk").iterator(chunk_size=5_000):
        yield _line(row, company)


def opened(company: Company, posting: int) -> tuple[Line, Opened]:
    """Open a posting to what caused it. Refused if there is no such posting in the company."""
    row = Posting.objects.select_related("entry", "debit", "credit").filter(entry__company=company, pk=posting).first()
    if row is None:
        raise Refusal("posting_unknown", f"There is no posting {posting} in the books of {company.code}.")
    line = _line(row, company)
    return line, resolved(*line.cause, line.of)
