"""Summarised journals for a general ledger: what a locked period moved, by its accounts, currency, cost centre and program."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from headrace.engine.findings import Finding, Refusal
from headrace.foundation import access, acts
from headrace.foundation.companies import Company
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger import periods
from headrace.ledger.amounts import from_minor
from headrace.ledger.kinds import MEMORANDA, Kind
from headrace.ledger.models import Posting, PostingProfile, ProgramProfile
from headrace.ledger.reading import named_accounts

JOURNAL = "general ledger journal"


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line: debit and credit of the currency, and in the company's; the totals of either side are equal."""

    account: str
    currency: str
    cost_centre: str
    program: str
    debit: Decimal
    credit: Decimal
    functional_debit: Decimal
    functional_credit: Decimal


def journal(company: Company, period: uuid.UUID) -> tuple[JournalLine, ...]:
    """Summarise a locked period. Refused while it is not locked, and with a finding for each account without a profile."""
    one = periods.standing(company, period)
    if one.state != periods.State.LOCKED:
        raise Refusal(
            "period_state", f"The period from {one.from_on} is {one.state}. Its journal is made once it is locked."
        )
    profiles = {(row.program_type, row.kind): row.account for row in PostingProfile.objects.filter(company=company)}
    programs = {row.program: row for row in ProgramProfile.objects.all()}
    lines: dict[tuple[str, str, str, str], list[int]] = {}
    missing: set[tuple[str, str]] = set()
    for place, side in enumerate(("debit", "credit")):
        rows = Posting.objects.filter(period_id=period).order_by().values_list(f"{side}_id")
        sums = {account: sums for account, *sums in rows.annotate(Sum("amount"), Sum("functional"))}
        for number, account in named_accounts(sums).items():
            if account.kind in MEMORANDA:
                continue
            program = programs.get(account.key.program)
            type_, centre = (program.type, program.cost_centre) if program else ("", "")
            target = profiles.get((type_, account.kind)) or profiles.get(("", account.kind))
            if target is None:
                missing.add((type_, account.kind))
                continue
            line = lines.setdefault((target, account.key.currency, centre, account.key.program), [0, 0, 0, 0])
            line[place] += int(sums[number][0])
            line[place + 2] += int(sums[number][1])
    if missing:
        findings = [
            Finding(
                code="profile_missing", message=f"“{Kind(kind).label}” of programs of type {type_!r} has no account."
            )
            for type_, kind in sorted(missing)
        ]
        raise Refusal("profile_missing", "Set the posting profile of each first.", findings=findings)
    own = company.functional_currency
    return tuple(
        JournalLine(
            *key, from_minor(line[0], key[1]), from_minor(line[1], key[1]), from_minor(line[2], own),
            from_minor(line[3], own),
        )
        for key, line in sorted(lines.items())
    )  # fmt: skip


def hand_over(*, period: uuid.UUID, by: Person, at: datetime) -> tuple[Company, tuple[JournalLine, ...]]:
    """Give the journal of a locked period to be posted elsewhere; from then on the period is never opened again.

    Refused as `journal` is, and then the period has not left.
    """
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    with acts.act("hand_over_journal", at=at):
        # The period first, so that it is not opened again meanwhile.
        company = periods.company_of(period)
        periods.left(period=period, what=JOURNAL, at=at)
        return company, journal(company, period)
