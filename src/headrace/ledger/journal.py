"""Writing the journal: one entry with its postings, in one transaction, once.

Locks are taken in one order by everybody: accounting period, entry, accounts, balances, head of the audit chain.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import batched
from typing import Any, NamedTuple

from headrace.engine.findings import Refusal
from headrace.foundation import acts, bulk
from headrace.foundation.acts import canonical
from headrace.foundation.companies import Company
from headrace.ledger import periods
from headrace.ledger.desk import AccountKey, Desk, Draft, Totals, written_out
from headrace.ledger.models import AccountingPeriod, Entry, Posting

RECORD = "ledger.entry"
"""How an entry is named in the audit trail."""

_TOTALS = ("debits", "credits", "functional_debits", "functional_credits")
_BALANCES = f"SELECT account_id, {', '.join(_TOTALS)} FROM ledger_balance"
_BALANCE = (("account_id", "account"), ("side", "text"), *((name, "number") for name in _TOTALS))
_ACCOUNT = (
    ("digest", "text"), ("company_id", "id"), ("payee_kind", "text"), ("payee", "text"), ("program", "text"),
    ("period", "text"), ("fund", "text"), ("currency", "text"), ("of_currency", "text"), ("kind", "text"),
)  # fmt: skip
"""The columns of an account, its key in the order of `AccountKey.fields`."""


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
        rows = _write(event, entry, desk.drafts, accounts, (period, booked_on))
        touched = {key for draft in desk.drafts for key in (draft.debit, draft.credit)}
        _keep(accounts, totals, touched)
        after = {"cause": str(cause), "number": len(rows), "digest": digest_of(rows, accounts_by_id(rows, accounts))}
        act.note(RECORD, str(entry.pk), {}, after)
    return Posted(entry.pk, len(rows), repeated=False)


def _fits(lengths: Mapping[str, int], texts: Sequence[str]) -> None:
    for (name, most), text in zip(lengths.items(), texts, strict=True):
        if len(text) > most or "\x00" in text:
            raise Refusal(
                "text", f"{name} {text[:40]!r} cannot be kept: it has more than {most} characters, or a null one."
            )


def _entered(event: Event, request: str) -> tuple[Entry, bool]:
    """Write the entry, or give the one that has its key; a writer of the same cause is waited for."""
    key = str(event.cause)
    _fits({"cause kind": 40, "cause": 140, "entry": 200}, (event.cause.kind, event.cause.id, key))
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
    by_digest = {key.digest(company.pk): key for key in keys}
    found = _ids(by_digest)
    missing = sorted(by_digest.keys() - found.keys())
    if missing:
        for digest in missing:
            _fits(_LENGTHS, by_digest[digest].fields())
        rows = [(digest, company.pk, *by_digest[digest].fields()) for digest in missing]
        bulk.insert("ledger_account", _ACCOUNT, rows, unless_there=True)
        made = _ids(missing)
        balances = [(made[digest], by_digest[digest].kind.side.value, 0, 0, 0, 0) for digest in missing]
        bulk.insert("ledger_balance", _BALANCE, balances, unless_there=True)
        found |= made
    return {key: found[digest] for digest, key in by_digest.items()}


def _ids(digests: Iterable[str]) -> dict[str, int]:
    return dict(bulk.matching("SELECT digest, id FROM ledger_account", "digest", "text", digests))


def _held(accounts: Mapping[AccountKey, int]) -> dict[AccountKey, Totals]:
    """Lock the balances, in the order of their accounts."""
    end = "ORDER BY account_id FOR UPDATE"
    rows = {
        number: totals for number, *totals in bulk.matching(_BALANCES, "account_id", "account", accounts.values(), end)
    }
    return {key: Totals(*rows[number]) for key, number in accounts.items()}


def _looked_at(company: Company, keys: Sequence[AccountKey]) -> dict[AccountKey, Totals]:
    by_digest = {key.digest(company.pk): key for key in keys}
    joined = f"SELECT a.digest, {', '.join(_TOTALS)} FROM ledger_account a JOIN ledger_balance b ON b.account_id = a.id"
    rows = bulk.matching(joined, "a.digest", "text", by_digest)
    return {key: Totals() for key in keys} | {by_digest[digest]: Totals(*totals) for digest, *totals in rows}


_LENGTHS = {
    "payee kind": 20, "payee": 64, "program": 100, "period": 21, "fund": 64, "currency": 12, "of currency": 12, "kind": 20,
}  # fmt: skip
"""The parts of an account's key, in the order of `AccountKey.fields`, with how many characters each may have."""


class Row(NamedTuple):
    """One posting as it is written."""

    entry_id: uuid.UUID
    position: int
    key: str
    debit_id: int
    credit_id: int
    amount: int
    functional: int
    currency: str
    purpose: str
    version: str
    on: date
    booked_on: date
    period_id: uuid.UUID


_KINDS_OF_COLUMNS = {int: "number", str: "text", date: "day", uuid.UUID: "id"}
_COLUMNS = [(name, _KINDS_OF_COLUMNS[kind]) for name, kind in Row.__annotations__.items()]


def _write(
    event: Event,
    entry: Entry,
    drafts: Sequence[Draft],
    accounts: Mapping[AccountKey, int],
    place: tuple[AccountingPeriod, date],
) -> list[Row]:
    period, booked_on = place
    cause = written_out(event.cause.kind, event.cause.id, event.company.pk.hex)
    rows = [
        Row(
            entry.pk, position, _posting_key(cause, draft), accounts[draft.debit], accounts[draft.credit], draft.amount,
            draft.functional, draft.debit.key.currency, draft.purpose.value, draft.version, event.on, booked_on, period.pk,
        )
        for position, draft in enumerate(drafts)
    ]  # fmt: skip
    for version in {draft.version for draft in drafts}:
        _fits({"version": 100}, (version,))
    keys = [row.key for row in rows]
    if len(set(keys)) < len(keys) or bulk.matching("SELECT key FROM ledger_posting", "key", "text", keys):
        raise Refusal(
            "key_reused",
            f"{event.cause} posts the same movement twice, or did so in another part. Post what is new under a cause of its own.",
        )
    bulk.insert("ledger_posting", _COLUMNS, rows)
    return rows


def _posting_key(cause: str, draft: Draft) -> str:
    parts = (draft.purpose.value, draft.version, *draft.debit.fields(), *draft.credit.fields())
    return hashlib.sha256((cause + written_out(*parts)).encode()).hexdigest()


def _keep(
    accounts: Mapping[AccountKey, int], totals: Mapping[AccountKey, Totals], touched: Iterable[AccountKey]
) -> None:
    rows = [
        (accounts[key], one.debits, one.credits, one.functional_debits, one.functional_credits)
        for key in touched
        for one in (totals[key],)
    ]
    bulk.update("ledger_balance", "account_id", _TOTALS, rows)


def accounts_by_id(rows: Iterable[Row], accounts: Mapping[AccountKey, int]) -> dict[int, tuple[str, ...]]:
    """Give the key's parts of every account that the postings name."""
    named = {number for row in rows for number in (row.debit_id, row.credit_id)}
    return {number: key.fields() for key, number in accounts.items() if number in named}


def digest_of(rows: Iterable[Row | Posting], accounts: Mapping[int, tuple[str, ...]]) -> str:
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
