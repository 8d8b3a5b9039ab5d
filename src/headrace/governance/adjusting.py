"""Manual adjustments: asked for with a reason and evidence, approved by Finance, posted to accounts of their own, shown apart.

An adjustment stands beside what the engine calculates and never inside it: its accounts carry its id as their fund, so neither a
batch nor a finalisation trues it, and it never counts to a tier. Where it stands for lines that are missing, each line's share is
taken back when the line arrives.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

import duckdb

from headrace.engine.findings import Refusal
from headrace.engine.numeric import plain
from headrace.engine.terms import Terms
from headrace.foundation import access, acts, companies, files
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance import assigning, side_deals
from headrace.governance.models import Adjustment
from headrace.ledger import flows
from headrace.ledger.journal import Cause, Event
from headrace.programs import entering, versions
from headrace.programs.placing import Claim, Owed, placed
from headrace.sales.lake import opened
from headrace.workflow import requests

KIND = "adjustment"
REASONS = ("missing_lines", "data_error", "goodwill", "dispute", "other")
LINES_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for. from_, until: the program period. lines: id → share of the amount; empty where it stands for none."""

    program: str
    version: int
    partner: str
    from_: date | None
    until: date | None
    amount: Decimal
    currency: str
    reason_code: str
    note: str
    lines: Mapping[str, Decimal]


def ask(*, wanted: Wanted, evidence: uuid.UUID, by: Person, at: datetime) -> Adjustment:
    """Ask for an adjustment. evidence: a stored file that the person may see.

    Refused as `side_deal`, and recorded, where no version in force explains it; as `adjustment_faulty` where it is none.
    """
    access.require(by, VENDOR, Permission.ADJUST_EARNED, at.date())
    _refuse_faulty(wanted)
    files.open_stored(file=evidence, viewer=by, at=at)
    try:
        _refuse_unexplained(wanted)
    except Refusal as refusal:
        side_deals.record(what="adjustment", program=wanted.program, said=refusal.message, by=by, at=at)
        raise
    with acts.act("ask_adjustment", at=at):
        made = Adjustment(
            program=wanted.program, number=wanted.version, payee=wanted.partner, period_from=wanted.from_,
            period_until=wanted.until, amount=wanted.amount, currency=wanted.currency, reason_code=wanted.reason_code,
            note=wanted.note.strip(), evidence=evidence, asked_by=by, asked_at=at,
            lines={line: plain(share) for line, share in sorted(wanted.lines.items())},
        )  # fmt: skip
        made.save()
        _items(made, wanted.amount, at)
        facts = {
            "program": wanted.program,
            "version": wanted.version,
            "payee": wanted.partner,
            "from": str(wanted.from_ or ""),
            "until": str(wanted.until or ""),
            "amount": {wanted.currency: plain(wanted.amount)},
            "reason": wanted.reason_code,
            "note": wanted.note.strip(),
            "evidence": str(evidence),
            "stands_for_lines": [f"{line}: {share}" for line, share in made.lines.items()],
        }
        requests.ask(kind=KIND, subject=str(made.pk), facts=facts, by=by, at=at)
    return made


def _refuse_faulty(wanted: Wanted) -> None:
    fault = None
    if not wanted.amount:
        fault = "An adjustment of nothing adjusts nothing."
    elif wanted.reason_code not in REASONS:
        fault = f"The reason is one of {', '.join(REASONS)}."
    elif not wanted.note.strip():
        fault = "Say what happened; whoever approves and the partner's statement need it."
    elif not wanted.partner.strip():
        fault = "Name the partner."
    elif len(wanted.lines) > LINES_MAX:
        fault = f"It can stand for at most {LINES_MAX} lines."
    elif wanted.lines and sum(wanted.lines.values(), Decimal(0)) != wanted.amount:
        fault = f"The shares of its lines add up to {plain(sum(wanted.lines.values(), Decimal(0)))}, not to the amount."
    elif wanted.lines and (arrived := _in_lake(wanted.lines)):
        fault = f"These lines arrived already, so nothing stands for them: {', '.join(sorted(arrived)[:5])}."
    if fault is not None:
        raise Refusal("adjustment_faulty", fault)


def _refuse_unexplained(wanted: Wanted) -> None:
    """Refuse what no version in force explains: another program, version, currency, period or partner."""
    terms = versions.in_force(wanted.program, wanted.version)
    label = f"{wanted.program}/{wanted.version}"
    why = None
    if terms is None:
        why = f"no version {label} was ever approved and in force"
    elif terms.currency != wanted.currency:
        why = f"{label} pays in {terms.currency}, not in {wanted.currency}"
    elif not _meets(terms, wanted.from_, wanted.until):
        why = f"{label} prices no day of that period"
    elif terms.enrolled and wanted.partner not in _enrolled(terms):
        why = f"{wanted.partner} never took part in {label}"
    if why is not None:
        raise Refusal(
            "side_deal",
            f"{plain(wanted.amount)} {wanted.currency} for {wanted.partner} is owed by no approved version: {why}. It was not "
            "taken, and the attempt is recorded. Have terms approved that say it.",
        )


def _meets(terms: Terms, from_: date | None, until: date | None) -> bool:
    first, after = terms.valid.from_, terms.valid.until
    begins = after is None or from_ is None or from_ < after
    ends = first is None or until is None or first < until
    return begins and ends and (from_ is None or until is None or from_ < until)


def _enrolled(terms: Terms) -> set[str]:
    further = assigning.inputs({terms.program}).get(terms.program, ())
    return {row.earner for row in (*terms.inputs, *further) if row.enrolled_from is not None}


# Posting


def _items(row: Adjustment, amount: Decimal, at: datetime) -> list[tuple[str, date, flows.Item]]:
    """Give company, day and item of what an adjustment owes in all. Refused (`no_place`) where the books cannot take it."""
    claim = Claim(row.program, "partner", row.payee, row.period_from, row.period_until, row.currency)
    places = placed({claim: Owed(amount, row.number)}, at.date())
    if places.faults:
        raise entering.told(places.faults)
    fund = f"{KIND}:{row.pk.hex}"
    return [
        (company, on, replace(item, key=item.key._replace(fund=fund)))
        for (company, on), items in places.items.items()
        for item in items
    ]


def _post(row: Adjustment, amount: Decimal, at: datetime) -> None:
    """Bring what the adjustment owes to the amount; its cause is its id and how many lines arrived, so each is posted once."""
    cause = Cause(KIND, f"{row.pk}/{len(row.arrived)}" if row.arrived else str(row.pk))
    known = {each.code: each for each in companies.listed()}
    for company, on, item in _items(row, amount, at):
        event = Event(company=known[company], cause=cause, on=on, at=at)
        flows.finalise(event, [item])


def _approved(subject: str, by: Person, at: datetime) -> None:
    row = Adjustment.locked(uuid.UUID(subject))
    row.state, row.decided_by, row.decided_at = Adjustment.State.POSTED, by, at
    row.save()
    _post(row, row.amount, at)
    from headrace.governance.tasks import take_back_arrived

    take_back_arrived.enqueue()


def _rejected(subject: str, by: Person, reason: str, at: datetime) -> None:
    row = Adjustment.locked(uuid.UUID(subject))
    row.state, row.decided_by, row.decided_at = Adjustment.State.REJECTED, by, at
    row.save()


requests.ends(KIND, requests.Ending(approved=_approved, rejected=_rejected))


def take_back(*, at: datetime) -> int:
    """Take back the shares of lines that arrived, and give of how many adjustments. A second time changes nothing."""
    waiting = Adjustment.objects.filter(state="posted").exclude(lines={})
    awaited = {line for row in waiting for line in row.lines if line not in row.arrived}
    there = _in_lake(awaited) if awaited else set()
    changed = 0
    for known in waiting:
        if not there & (set(known.lines) - set(known.arrived)):
            continue
        with acts.act("take_back_adjustment", at=at):
            row = Adjustment.locked(known.pk)
            arrived = sorted({*row.arrived, *(there & set(row.lines))})
            if row.state != Adjustment.State.POSTED or arrived == row.arrived:
                continue
            row.arrived = arrived
            if len(arrived) == len(row.lines):
                row.state = Adjustment.State.REVERSED
            row.save()
            _post(row, remaining(row), at)
            changed += 1
    return changed


def remaining(row: Adjustment) -> Decimal:
    """Give what an adjustment still owes: its amount less the shares of lines that arrived."""
    amount: Decimal = row.amount
    return amount - sum((Decimal(row.lines[line]) for line in row.arrived), Decimal(0))


def _in_lake(lines: Collection[str]) -> set[str]:
    with opened() as lake, duckdb.connect() as con:
        there = lake.lines()
        if not there.paths:
            return set()
        found = con.execute(
            "SELECT DISTINCT line_id FROM read_parquet(?, union_by_name = true) "
            "WHERE list_contains(?, line_id) AND batch_seq <= ?",
            [[str(path) for path in there.paths], sorted(lines), lake.last_batch_seq()],
        ).fetchall()
    return {str(line) for (line,) in found}


# Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One adjustment, as pages and the override report show it. remaining: what it owes still."""

    adjustment: uuid.UUID
    program: str
    number: int
    payee: str
    from_: date | None
    until: date | None
    amount: Decimal
    remaining: Decimal
    currency: str
    reason_code: str
    note: str
    evidence: uuid.UUID
    lines: int
    arrived: int
    state: str
    asked_by: str
    asked_at: datetime
    decided_by: str


def listed(viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List adjustments, the latest first: all to whoever reads all; to a partner what was posted for it."""
    day = at.date()
    rows = Adjustment.objects.select_related("asked_by", "decided_by").order_by("-asked_at", "pk")
    if Permission.READ_ALL not in access.permitted(viewer, VENDOR, day):
        organisations = access.organisations_of(viewer, day) - {VENDOR}
        own = [each for each in organisations if Permission.READ_OWN in access.permitted(viewer, each, day)]
        if not own:
            raise Refusal("not_permitted", "You have no role that sees adjustments. Ask an administrator for one.")
        rows = rows.filter(payee__in=own, state__in=("posted", "reversed"))
    return tuple(
        Shown(
            adjustment=row.pk, program=row.program, number=row.number, payee=row.payee, from_=row.period_from,
            until=row.period_until, amount=row.amount, remaining=remaining(row), currency=row.currency,
            reason_code=row.reason_code, note=row.note, evidence=row.evidence, lines=len(row.lines),
            arrived=len(row.arrived), state=row.state, asked_by=str(row.asked_by), asked_at=row.asked_at,
            decided_by=str(row.decided_by or ""),
        )
        for row in rows[:1000]
    )  # fmt: skip
