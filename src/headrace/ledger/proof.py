"""Proving the books: balances equal the sums, and every entry is as its link of the audit chain says."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched

from django.db import connection

from headrace.engine.findings import Finding
from headrace.foundation import audit
from headrace.ledger.journal import RECORD, digest_of
from headrace.ledger.models import Balance, Entry, Posting
from headrace.ledger.reading import named_accounts

_COMPARED = """
WITH moved (account_id, debits, credits, functional_debits, functional_credits) AS (
    SELECT debit_id, amount, 0, functional, 0 FROM ledger_posting
    UNION ALL SELECT credit_id, 0, amount, 0, functional FROM ledger_posting
), sums AS (
    SELECT account_id, sum(debits) AS debits, sum(credits) AS credits, sum(functional_debits) AS functional_debits,
    sum(functional_credits) AS functional_credits FROM moved GROUP BY account_id
)
SELECT coalesce(b.account_id, s.account_id), b.debits, b.credits, b.functional_debits, b.functional_credits,
coalesce(s.debits, 0), coalesce(s.credits, 0), coalesce(s.functional_debits, 0), coalesce(s.functional_credits, 0)
FROM ledger_balance b FULL JOIN sums s ON s.account_id = b.account_id
WHERE b.account_id IS NULL OR b.debits <> coalesce(s.debits, 0) OR b.credits <> coalesce(s.credits, 0)
OR b.functional_debits <> coalesce(s.functional_debits, 0) OR b.functional_credits <> coalesce(s.functional_credits, 0)
ORDER BY 1
"""
"""One statement, hence one state of the database, whoever posts meanwhile."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What was checked. findings: `ledger_balance` for a balance, `ledger_entry` for an entry that is not as it was posted."""

    balances: int
    entries: int
    postings: int
    findings: tuple[Finding, ...]


def prove() -> Proven:
    """Prove all balances and all entries. The chain itself is proven by `audit.verify`. Others may post meanwhile."""
    faults = [*_balances()]
    entries, postings, wrong = _entries()
    return Proven(Balance.objects.count(), entries, postings, (*faults, *wrong))


def _balances() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_COMPARED)
        rows = {int(account): totals for account, *totals in cursor.fetchall()}
    for account, key in named_accounts(rows).items():
        kept, summed = rows[account][:4], [int(total) for total in rows[account][4:]]
        yield Finding(
            code="ledger_balance",
            row=account,
            message=f"The balance of “{key.kind.label}” of {key.key} says {kept}, its postings {summed}.",
        )


def _entries() -> tuple[int, int, list[Finding]]:
    """Compute each entry's digest anew and hold it against the one in the audit trail.

    An entry and its link are committed together, so every entry that is read first is in the trail that is read after.
    """
    faults: list[Finding] = []
    postings = 0
    ids = list(Entry.objects.order_by("at", "pk").values_list("pk", flat=True))
    noted = dict(audit.noted(RECORD, "digest"))
    for some in batched(ids, 500, strict=False):
        by_entry: dict[object, list[Posting]] = {one: [] for one in some}
        for row in Posting.objects.filter(entry__in=some).order_by("entry_id", "position"):
            by_entry[row.entry_id].append(row)
        rows = [row for each in by_entry.values() for row in each]
        postings += len(rows)
        accounts = named_accounts({number for row in rows for number in (row.debit_id, row.credit_id)})
        fields = {number: account.fields() for number, account in accounts.items()}
        for entry, each in by_entry.items():
            if noted.pop(str(entry), None) != digest_of(each, fields):
                message = f"Entry {entry} is not as it was posted: a posting was changed, added or taken away."
                faults.append(Finding(code="ledger_entry", message=message))
    later = {str(entry) for entry in Entry.objects.filter(pk__in=tuple(noted)).values_list("pk", flat=True)}
    gone = [entry for entry in noted if entry not in later]
    faults += [Finding(code="ledger_entry", message=f"Entry {entry} was posted and is gone.") for entry in gone]
    return len(ids), postings, faults
