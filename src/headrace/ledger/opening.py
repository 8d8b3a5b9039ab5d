"""Cut-over: balances of an older system, proposed by one person, approved by another, posted as one opening journal."""

import csv
import io
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from headrace.engine.findings import Finding, Refusal
from headrace.foundation import access, acts
from headrace.foundation.companies import Company
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger.amounts import to_minor
from headrace.ledger.desk import AccountKey, Desk, Key
from headrace.ledger.journal import Cause, Event, Posted, post
from headrace.ledger.kinds import Kind, Purpose
from headrace.ledger.models import Account, OpeningJournal, Posting

COLUMNS = ("payee_kind", "payee", "program", "period", "currency", "balance", "amount", "functional", "version")
BALANCES = {
    "accrued": Kind.ACCRUED,
    "payable": Kind.PAYABLE,
    "settled": Kind.OFFSET,
    "overpaid": Kind.OVERPAID,
    "earned": Kind.EARNED,
}
"""What a row may carry over.

Settled amounts are carried so that they are never payable again; what was overpaid stands among them as well."""


@dataclass(frozen=True, slots=True)
class _Row:
    account: AccountKey
    amount: int
    functional: int
    version: str


ROWS_MAX = 100_000


def read_file(data: bytes) -> list[dict[str, str]]:
    """Read a CSV file of opening balances: the header names every one of `COLUMNS`. Refused where it is none."""
    try:
        text = data.decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text), strict=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        rows = [{name: row[name] or "" for name in COLUMNS} for row in reader] if not missing else []
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refusal("opening_file", f"This is no CSV file in UTF-8: {error}. Save it again as one.") from None
    if missing:
        raise Refusal(
            "opening_file", f"The columns {', '.join(missing)} are missing. The header names {', '.join(COLUMNS)}."
        )
    if len(rows) > ROWS_MAX:
        raise Refusal("opening_file", f"{len(rows)} rows are more than {ROWS_MAX}. Add up what stands on one account.")
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An opening journal as it is shown. totals: (balance, currency, rows, amount), to hold against the old books."""

    journal: uuid.UUID
    on: date
    proposed_by: str
    mine: bool
    approved_by: str | None
    approved_at: datetime | None
    totals: tuple[tuple[str, str, int, Decimal], ...]


def listed(company: Company, viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List the opening journals of a company, an approved one first. For people who read the books."""
    access.require(viewer, VENDOR, Permission.READ_LEDGER, at.date())
    rows = OpeningJournal.objects.filter(company=company).select_related("proposed_by", "approved_by")
    shown = [
        Shown(
            journal=row.pk, on=row.on, proposed_by=str(row.proposed_by), mine=row.proposed_by_id == viewer.pk,
            approved_by=str(row.approved_by) if row.approved_by else None, approved_at=row.approved_at,
            totals=_totals(row.rows),
        )
        for row in rows
    ]  # fmt: skip
    return tuple(sorted(shown, key=lambda each: (each.approved_at is None, each.on)))


def _totals(rows: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str, int, Decimal], ...]:
    sums: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for row in rows:
        key = (row["balance"].strip(), row["currency"].strip())
        count, amount = sums.get(key, (0, Decimal(0)))
        sums[key] = count + 1, amount + _decimal(row["amount"].strip())
    return tuple((*key, *sums[key]) for key in sorted(sums))


def propose(
    *, company: Company, on: date, rows: Sequence[Mapping[str, str]], by: Person, at: datetime
) -> OpeningJournal:
    """Propose an opening journal. rows: texts by `COLUMNS`; functional may be empty in the company's own currency.

    Every row that cannot be is a finding (numbered as in a file with one header row), and then nothing is kept.
    """
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    _read(company, rows)
    with acts.act("propose_opening", at=at):
        journal = OpeningJournal(company=company, on=on, rows=[dict(row) for row in rows], proposed_by=by)
        journal.save()
    return journal


def approve(*, journal: uuid.UUID, by: Person, at: datetime) -> Posted:
    """Approve and post it, as the second person. Once per company, and before anything else is posted to these accounts."""
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    with acts.act("approve_opening", at=at):
        known = OpeningJournal.objects.filter(pk=journal).first()
        if known is None:
            raise Refusal("opening_unknown", "There is no such opening journal.")
        company = Company.locked(known.company_id)
        one = OpeningJournal.locked(journal)
        if (
            one.approved_by_id is not None
            or OpeningJournal.objects.filter(company=company, approved_by__isnull=False).exists()
        ):
            raise Refusal("opened_already", f"The opening journal of {company.code} was approved already.")
        if one.proposed_by_id == by.pk:
            raise Refusal("second_person", "An opening journal takes two people: who proposed it does not approve it.")
        rows = _read(company, one.rows)
        posted = _post(company, one, rows, at)
        one.approved_by, one.approved_at = by, at
        one.save()
    return posted


def _post(company: Company, journal: OpeningJournal, rows: Sequence[_Row], at: datetime) -> Posted:
    kinds = (
        Kind.CONTRA_REVENUE, Kind.ACCRUED, Kind.PAYABLE, Kind.OVERPAID, Kind.OFFSET, Kind.OPENING, Kind.EARNED,
        Kind.EARNED_CONTROL,
    )  # fmt: skip
    hold = [row.account.key.account(kind) for row in rows for kind in kinds]
    digests = [key.digest(company.pk) for key in hold]
    used = Account.objects.filter(digest__in=digests, company=company)
    if Posting.objects.filter(debit__in=used).exists():
        raise Refusal("opening_late", "Something was posted to these accounts already. Open before the first posting.")

    def plan(desk: Desk) -> None:
        for row in rows:
            other = row.account.key.account(Kind.EARNED_CONTROL if row.account.kind is Kind.EARNED else Kind.OPENING)
            debit, credit = (row.account, other) if row.account.kind is Kind.OVERPAID else (other, row.account)
            desk.move(
                Purpose.OPEN, debit=debit, credit=credit, amount=row.amount, functional=row.functional,
                version=row.version,
            )  # fmt: skip

    event = Event(company=company, cause=Cause("opening", str(journal.pk)), on=journal.on, at=at)
    return post(event, request=["open", journal.rows], hold=hold, plan=plan)


def _read(company: Company, rows: Sequence[Mapping[str, Any]]) -> list[_Row]:
    findings: list[Finding] = []
    read: list[_Row] = []
    seen: dict[AccountKey, int] = {}
    for number, row in enumerate(rows, start=2):
        try:
            one = _row(company, {name: str(row.get(name, "")).strip() for name in COLUMNS})
        except Refusal as refusal:
            findings.append(Finding(code=refusal.code, row=number, message=f"Row {number}: {refusal.message}"))
            continue
        if one.account in seen:
            message = f"Row {number}: row {seen[one.account]} has the same account. Add them up."
            findings.append(Finding(code="row_twice", row=number, message=message))
        seen[one.account] = number
        read.append(one)
    if findings or not rows:
        raise Refusal("opening_rows", f"{len(findings)} of {len(rows)} row(s) cannot be opened.", findings=findings)
    return read


def _row(company: Company, row: Mapping[str, str]) -> _Row:
    if row["balance"] not in BALANCES:
        raise Refusal("balance", f"{row['balance']!r} is no balance. Write one of {', '.join(BALANCES)}.")
    for name in ("payee_kind", "payee", "program", "version"):
        if not row[name]:
            raise Refusal("missing", f"{name} is empty.")
    start, _, until = row["period"].partition("/")
    try:
        in_order = date.fromisoformat(start) < date.fromisoformat(until)
    except ValueError:
        in_order = False
    if not in_order:
        raise Refusal("period", f"{row['period']!r} is no program period. Write it like 2026-01-01/2026-04-01.")
    own = company.functional_currency
    amount = to_minor(_decimal(row["amount"]), row["currency"])
    same = row["currency"] == own
    functional = amount if same and not row["functional"] else to_minor(_decimal(row["functional"]), own)
    if amount <= 0 or functional < 0 or (same and functional != amount):
        raise Refusal("amount", f"{row['amount']} {row['currency']} ({row['functional']} {own}) cannot be opened with.")
    key = Key(
        currency=row["currency"], payee_kind=row["payee_kind"], payee=row["payee"], program=row["program"],
        period=row["period"],
    )  # fmt: skip
    return _Row(key.account(BALANCES[row["balance"]]), amount, functional, row["version"])


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Refusal("amount", f"{text!r} is not an amount. Write it like 1200.50.") from None
