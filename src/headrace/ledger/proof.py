"""Proving the books: balances equal the sums, and every entry is as its link of the audit chain says."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched

from headrace.engine.findings import Finding
from headrace.foundation import audit
from headrace.ledger.journal import RECORD, digest_of
from headrace.ledger.models import Balance, Entry, Posting
from headrace.ledger.reading import named_accounts, sums_of_all

_NOTHING = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Proven:
    """What was checked. findings: `ledger_balance` for a balance, `ledger_entry` for an entry that is not as it was posted."""

    balances: int
    entries: int
    postings: int
    findings: tuple[Finding, ...]


def prove() -> Proven:
    """Prove all balances and all entries. The chain itself is proven by `audit.verify`."""
    faults = [*_balances()]
    entries, postings, wrong = _entries()
    return Proven(Balance.objects.count(), entries, postings, (*faults, *wrong))


def _balances() -> Iterator[Finding]:
    sums = sums_of_all()
    rows = Balance.objects.values_list("account_id", "debits", "credits", "functional_debits", "functional_credits")
    kept = {account: tuple(totals) for account, *totals in rows}
    wrong = [one for one in sorted({*sums, *kept}) if sums.get(one, _NOTHING) != kept.get(one, _NOTHING)]
    for account, key in named_accounts(wrong).items():
        yield Finding(
            code="ledger_balance",
            row=account,
            message=f"The balance of “{key.kind.label}” of {key.key} says {kept.get(account)}, its postings {sums.get(account)}.",
        )


def _entries() -> tuple[int, int, list[Finding]]:
    """Compute each entry's digest anew and hold it against the one in the audit trail."""
    noted = dict(audit.noted(RECORD, "digest"))
    faults: list[Finding] = []
    postings = 0
    ids = list(Entry.objects.order_by("at", "pk").values_list("pk", flat=True))
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
    faults += [Finding(code="ledger_entry", message=f"Entry {entry} was posted and is gone.") for entry in noted]
    return len(ids), postings, faults
