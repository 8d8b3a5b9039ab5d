"""Writing the journal: one entry with its postings, in one transaction, once.

Locks are taken in one order by everybody: accounting period, entry, accounts, balances, head of the audit chain.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import batched
from typing import Any

from headrace.engine.findings import Refusal
from headrace.foundation import acts
from headrace.foundation.acts import canonical
from headrace.foundation.companies import Company
from headrace.ledger import periods
from headrace.ledger.desk import AccountKey, Desk, Draft, Totals
from headrace.ledger.models import Account, AccountingPeriod, Balance, Entry, Posting

RECORD = "ledger.entry"
"""How an entry is named in the audit trail."""

_TOTALS = ("debits", "credits", "functional_debits", "functional_credits")
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Cause:
    """What a posting comes from: a batch, a finalisation, an approval. part: where one cause is posted in several entries."""

    kind: str
    id: str
    part: str = ""

    def __str__(self) -> str:
        """Give the entry's key."""
        return f"{self.kind}:{self.id}" + (f"#{self.part}" if self.part else "")


@dataclass(frozen=True, slots=True)
class Posted:
    """What posting came to. repeated: the same was posted before, so nothing was done now."""

    entry: uuid.UUID
    postings: int
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is posted: of which company, from what cause, on which day, known since when.

    closing: an entry of the month's end, which a soft-closed period still takes.
    """

    company: Company
    cause: Cause
    on: date
    at: datetime
    closing: bool = False


def post(
    event: Event,
    *,
    request: object,
    hold: Iterable[AccountKey],
    plan: Callable[[Desk], None],
    look: Sequence[AccountKey] = (),
) -> Posted:
    """Post one entry: hold the balances of `hold`, let `plan` draft postings over them, write all or nothing.

    request: what was asked for, as data; the same cause with the same request again changes nothing, with another one it is
    refused (`key_reused`). look: accounts whose balances `plan` reads, if they exist, and does not post to; they may only
    change together with an account of `hold`.
    """
    cause, company = event.cause, event.company
    asked = _digest([str(company.pk), event.on, event.closing, request])
    with acts.act(f"post_{cause.kind}", at=event.at) as act:
        period, booked_on = periods.place(company, event.on, closing=event.closing, at=event.at)
        entry, is_new = _entered(event, asked)
        if not is_new:
            return Posted(entry.pk, 0, repeated=True)
        accounts = _accounts(company, tuple(dict.fromkeys(hold)))
        totals = _held(accounts)
        totals |= {key: one for key, one in _looked_at(company, look).items() if key not in totals}
        desk = Desk(company.functional_currency, totals)
        plan(desk)
        rows = _postings(event, entry, desk.drafts, accounts, (period, booked_on))
        touched = {key for draft in desk.drafts for key in (draft.debit, draft.credit)}
        _keep(accounts, totals, touched)
        after = {"cause": str(cause), "number": len(rows), "digest": digest_of(rows, accounts_by_id(rows, accounts))}
        act.note(RECORD, str(entry.pk), {}, after)
    return Posted(entry.pk, len(rows), repeated=False)


def _entered(event: Event, request: str) -> tuple[Entry, bool]:
    """Write the entry, or give the one that has its key; a writer of the same cause is waited for."""
    key = str(event.cause)
    mine = Entry(
        key=key, request=request, company=event.company, cause_kind=event.cause.kind, cause=event.cause.id, at=event.at
    )
    entry = Entry.objects.filter(key=key).first()
    if entry is None:
        Entry.objects.bulk_create([mine], ignore_conflicts=True)
        entry = Entry.objects.get(key=key)
    if entry.pk == mine.pk:
        return entry, True
    if entry.request != request:
        raise Refusal(
            "key_reused",
            f"{key} was posted before, of other content. The same event is posted once; another one needs another cause.",
        )
    return entry, False


def _accounts(company: Company, keys: Sequence[AccountKey]) -> dict[AccountKey, int]:
    """Give the ids of the accounts, made where they are missing, in the order of their digests."""
    by_digest = {key.digest(str(company.pk)): key for key in keys}
    found = _ids(by_digest)
    missing = sorted(by_digest.keys() - found.keys())
    if missing:
        rows = [_account(company, digest, by_digest[digest]) for digest in missing]
        Account.objects.bulk_create(rows, ignore_conflicts=True, batch_size=_AT_ONCE)
        made = _ids(missing)
        kinds = {digest: by_digest[digest].kind.side for digest in missing}
        balances = [Balance(account_id=made[digest], side=kinds[digest]) for digest in missing]
        Balance.objects.bulk_create(balances, ignore_conflicts=True, batch_size=_AT_ONCE)
        found |= made
    return {key: found[digest] for digest, key in by_digest.items()}


def _ids(digests: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in batched(digests, _AT_ONCE, strict=False):
        found |= dict(Account.objects.filter(digest__in=some).values_list("digest", "pk"))
    return found


def _account(company: Company, digest: str, account: AccountKey) -> Account:
    key = account.key
    return Account(
        digest=digest, company=company, payee_kind=key.payee_kind, payee=key.payee, program=key.program,
        period=key.period, fund=key.fund, currency=key.currency, of_currency=account.of_currency, kind=account.kind,
    )  # fmt: skip


def _held(accounts: Mapping[AccountKey, int]) -> dict[AccountKey, Totals]:
    """Lock the balances, in the order of their accounts."""
    by_id = {number: key for key, number in accounts.items()}
    rows: dict[int, Totals] = {}
    for some in batched(sorted(by_id), _AT_ONCE, strict=False):
        held = Balance.objects.select_for_update().filter(account_id__in=some).order_by("account_id")
        rows |= {number: Totals(*totals) for number, *totals in held.values_list("account_id", *_TOTALS)}
    return {key: rows[number] for number, key in by_id.items()}


def _looked_at(company: Company, keys: Sequence[AccountKey]) -> dict[AccountKey, Totals]:
    by_digest = {key.digest(str(company.pk)): key for key in keys}
    seen = {key: Totals() for key in keys}
    for some in batched(by_digest, _AT_ONCE, strict=False):
        rows = Balance.objects.filter(account__digest__in=some).values_list("account__digest", *_TOTALS)
        seen |= {by_digest[digest]: Totals(*totals) for digest, *totals in rows}
    return seen


def _postings(
    event: Event,
    entry: Entry,
    drafts: Sequence[Draft],
    accounts: Mapping[AccountKey, int],
    place: tuple[AccountingPeriod, date],
) -> list[Posting]:
    period, booked_on = place
    company = str(event.company.pk)
    rows = [
        Posting(
            entry=entry, position=position, key=_posting_key(event.cause, company, draft),
            debit_id=accounts[draft.debit], credit_id=accounts[draft.credit], amount=draft.amount,
            functional=draft.functional, currency=draft.debit.key.currency, purpose=draft.purpose,
            version=draft.version, on=event.on, booked_on=booked_on, period=period,
        )
        for position, draft in enumerate(drafts)
    ]  # fmt: skip
    taken = len(rows) - len({row.key for row in rows})
    for some in batched((row.key for row in rows), _AT_ONCE, strict=False):
        taken += Posting.objects.filter(key__in=some).count()
    if taken:
        raise Refusal(
            "key_reused",
            f"{event.cause} posts the same movement twice, or did so in another part. Post what is new under a cause of its own.",
        )
    Posting.objects.bulk_create(rows, batch_size=_AT_ONCE)
    return rows


def _posting_key(cause: Cause, company: str, draft: Draft) -> str:
    return _digest(
        [cause.kind, cause.id, company, draft.purpose, draft.version, draft.debit.fields(), draft.credit.fields()]
    )


def _keep(
    accounts: Mapping[AccountKey, int], totals: Mapping[AccountKey, Totals], touched: Iterable[AccountKey]
) -> None:
    rows = [
        Balance(
            account_id=accounts[key], side=key.kind.side, debits=one.debits, credits=one.credits,
            functional_debits=one.functional_debits, functional_credits=one.functional_credits,
        )
        for key in sorted(touched, key=accounts.__getitem__)
        for one in (totals[key],)
    ]  # fmt: skip
    Balance.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["account"], update_fields=list(_TOTALS), batch_size=_AT_ONCE
    )


def accounts_by_id(rows: Iterable[Posting], accounts: Mapping[AccountKey, int]) -> dict[int, tuple[str, ...]]:
    """Give the key's parts of every account that the postings name."""
    named = {number for row in rows for number in (row.debit_id, row.credit_id)}
    return {number: key.fields() for key, number in accounts.items() if number in named}


def digest_of(rows: Iterable[Posting], accounts: Mapping[int, tuple[str, ...]]) -> str:
    """Give the digest over an entry's postings, in their order, with the accounts written out."""
    parts: list[Any] = [
        [
            row.position, row.key, accounts[row.debit_id], accounts[row.credit_id], row.amount, row.functional,
            row.currency, row.purpose, row.version, row.on, row.booked_on,
        ]
        for row in rows
    ]  # fmt: skip
    return _digest(parts)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def in_parts[T](items: Sequence[T], size: int) -> Iterator[tuple[str, tuple[T, ...]]]:
    """Cut what one cause posts into parts of at most `size`, each with the name of its part; one part has no name."""
    for number, some in enumerate(batched(items, size, strict=False), start=1):
        yield ("" if len(items) <= size else str(number)), some
