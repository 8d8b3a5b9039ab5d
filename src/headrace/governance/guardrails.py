"""Guardrails: set by two people, checked on every version, passed by nobody but by an exception that another person grants."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from headrace.engine.findings import Finding, Refusal
from headrace.engine.numeric import MINOR_UNITS, plain
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission, Role
from headrace.governance import budgets, checking
from headrace.governance.models import Guardrail, Waiver
from headrace.programs import versions
from headrace.programs.governed import Subject
from headrace.workflow import requests
from headrace.workflow.policies import Stage

KIND = "guardrail"
WAIVER = "guardrail_waiver"
_SHARES = (Guardrail.Kind.HIGHEST_RATE, Guardrail.Kind.STACK_SHARE)
_AMOUNTS = (Guardrail.Kind.PAYOUT, Guardrail.Kind.BUDGET)
STACKS = (Guardrail.Kind.STACK_SHARE, Guardrail.Kind.STACK_COST)
"""Kinds that are tried on history, by a job."""
_HOLDS = (Guardrail.State.IN_FORCE, Guardrail.State.ENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a guardrail says. program_type, region, role: empty is all. value: a share or an amount; text: see `Guardrail`."""

    kind: str
    program_type: str = ""
    region: str = ""
    role: str = ""
    value: Decimal | None = None
    currency: str = ""
    text: str = ""


def propose(*, limit: Limit, reason: str, by: Person, at: datetime) -> Guardrail:
    """Propose a guardrail; a second person puts it in force. Refused (`guardrail_faulty`) where it says nothing to hold."""
    access.require(by, VENDOR, Permission.SET_GUARDRAILS, at.date())
    _refuse_faulty(limit, reason)
    with acts.act("propose_guardrail", at=at):
        made = Guardrail(
            kind=limit.kind, program_type=limit.program_type, region=limit.region, role=limit.role, value=limit.value,
            currency=limit.currency, text=limit.text, reason=reason.strip(), set_by=by, set_at=at,
        )  # fmt: skip
        made.save()
        requests.ask(kind=KIND, subject=str(made.pk), facts=_facts(made, "sets", reason), by=by, at=at)
    return made


def propose_end(*, guardrail: uuid.UUID, reason: str, by: Person, at: datetime) -> None:
    """Ask that a guardrail holds no more; until a second person agrees, it holds."""
    access.require(by, VENDOR, Permission.SET_GUARDRAILS, at.date())
    if not reason.strip():
        raise Refusal("reason_missing", "Say why the guardrail should end.")
    with acts.act("propose_end_of_guardrail", at=at):
        row = _locked(guardrail)
        if row.state != Guardrail.State.IN_FORCE:
            raise Refusal("guardrail_state", f"This guardrail is {row.state.replace('_', ' ')}. Load the page again.")
        row.state = Guardrail.State.ENDING
        row.save()
        requests.ask(kind=KIND, subject=str(row.pk), facts=_facts(row, "ends", reason), by=by, at=at)


def _locked(guardrail: uuid.UUID) -> Guardrail:
    if not Guardrail.objects.filter(pk=guardrail).exists():
        raise Refusal("guardrail_unknown", "There is no such guardrail. Load the page of guardrails again.")
    return Guardrail.locked(guardrail)


def _refuse_faulty(limit: Limit, reason: str) -> None:
    kind, value = limit.kind, limit.value
    fault = None
    if kind not in Guardrail.Kind.values:
        fault = f"{kind!r} is no kind of guardrail."
    elif kind in _SHARES and (value is None or not 0 < value <= 1):
        fault = "Give a share above 0 and at most 1 (0.3 is 30 %)."
    elif kind in _AMOUNTS and (value is None or value <= 0 or limit.currency not in MINOR_UNITS):
        fault = "Give an amount above 0 and its currency."
    elif kind not in (*_SHARES, *_AMOUNTS) and value is not None:
        fault = "This kind takes no number."
    elif kind not in (Guardrail.Kind.HIGHEST_RATE, *_AMOUNTS) and not limit.text:
        fault = "Name the product family, the column of prices, or the permission of who reviews."
    elif kind == Guardrail.Kind.REVIEWER and limit.text not in list(Permission):
        fault = f"{limit.text!r} is no permission. Name one, such as approve_budget."
    elif limit.role and limit.role not in list(Role):
        fault = f"{limit.role!r} is no role."
    elif not reason.strip():
        fault = "Say why it is set."
    if fault is not None:
        raise Refusal("guardrail_faulty", fault)


def words(row: Guardrail) -> str:
    """Say a guardrail in words."""
    value = plain(row.value) if row.value is not None else ""
    said = {
        Guardrail.Kind.HIGHEST_RATE: f"No rate above {value}",
        Guardrail.Kind.PAYOUT: f"No statement of a period above {value} {row.currency}",
        Guardrail.Kind.BUDGET: f"No program without an approved budget, nor with one above {value} {row.currency}",
        Guardrail.Kind.BLACKOUT: f"Nothing is earned on the product family {row.text}",
        Guardrail.Kind.REVIEWER: f"Reviewed by somebody with the permission {row.text}",
        Guardrail.Kind.STACK_SHARE: f"All incentives on a line at most {value} of its {row.text}",
        Guardrail.Kind.STACK_COST: f"The price after all incentives at least its {row.text}",
    }[Guardrail.Kind(row.kind)]
    scope = [("type", row.program_type), ("region", row.region), ("authors that are", row.role)]
    told = ", ".join(f"{name} {text}" for name, text in scope if text)
    return f"{said} ({told})" if told else said


def _facts(row: Guardrail, does: str, reason: str) -> dict[str, str]:
    return {"does": f"{does} a guardrail", "guardrail": words(row), "reason": reason.strip()}


def _approved(subject: str, by: Person, at: datetime) -> None:
    row = Guardrail.locked(uuid.UUID(subject))
    row.state = Guardrail.State.ENDED if row.state == Guardrail.State.ENDING else Guardrail.State.IN_FORCE
    row.save()


def _rejected(subject: str, by: Person, reason: str, at: datetime) -> None:
    row = Guardrail.locked(uuid.UUID(subject))
    row.state = Guardrail.State.IN_FORCE if row.state == Guardrail.State.ENDING else Guardrail.State.REJECTED
    row.save()


requests.ends(KIND, requests.Ending(approved=_approved, rejected=_rejected))


# What holds for a version


def of(subject: Subject, at: datetime) -> tuple[Guardrail, ...]:
    """Give the guardrails that a version has to keep and has no exception from.

    A program without an approved budget has no region yet, and then keeps those of every region.
    """
    region = budgets.region_of(subject.program)
    roles = access.roles_of(subject.author, at.date(), VENDOR)
    waived = set(_waived(subject).filter(state="granted").values_list("guardrail_id", flat=True))
    return tuple(
        row
        for row in Guardrail.objects.filter(state__in=_HOLDS).order_by("set_at", "pk")
        if row.program_type in ("", subject.terms.type)
        and (row.region in ("", region) or not region)
        and (not row.role or Role(row.role) in roles)
        and row.pk not in waived
    )


def _waived(subject: Subject) -> QuerySet[Waiver]:
    rows: QuerySet[Waiver] = Waiver.objects.filter(version=subject.version, terms_hash=subject.terms_hash)
    return rows


def findings(subject: Subject, at: datetime) -> tuple[Finding, ...]:
    """Say which guardrails the terms do not keep, but for those that are tried on history."""
    return tuple(
        Finding(code=f"guardrail_{row.kind}", message=f"{words(row)}: {fault}.", column=column or None)
        for row in of(subject, at)
        for column, fault in _faults(row, subject)
    )


def _faults(row: Guardrail, subject: Subject) -> Iterator[tuple[str, str]]:
    """Give the key and what is wrong with it."""
    terms = subject.terms
    if row.kind == Guardrail.Kind.HIGHEST_RATE:
        assert row.value is not None
        found = checking.highest_rate(terms)
        if found > row.value:
            yield "schedule", f"a line of {subject.program} can earn {plain(found)}"
    elif row.kind == Guardrail.Kind.PAYOUT:
        assert row.value is not None
        yield from checking.over_payout(terms, row.value, row.currency)
    elif row.kind == Guardrail.Kind.BUDGET:
        assert row.value is not None
        yield from budgets.over(subject.program, row.value, row.currency)
    elif row.kind == Guardrail.Kind.BLACKOUT and checking.may_earn(terms, row.text):
        yield "lines", f"write into `lines`: and {checking.FAMILY} <> '{row.text}'"


def stages(subject: Subject, at: datetime) -> tuple[Stage, ...]:
    """Give the stages of the mandatory reviewers, each permission once."""
    named = dict.fromkeys(row.text for row in of(subject, at) if row.kind == Guardrail.Kind.REVIEWER)
    return tuple(Stage(f"Mandatory review ({text.replace('_', ' ')})", Permission(text)) for text in named)


def stacks(subject: Subject, at: datetime) -> tuple[Guardrail, ...]:
    """Give the guardrails that have to be tried on history."""
    return tuple(row for row in of(subject, at) if row.kind in STACKS)


# Exceptions


def ask_exception(*, guardrail: uuid.UUID, version: uuid.UUID, reason: str, by: Person, at: datetime) -> Waiver:
    """Ask that a version, with its terms as they are, passes a guardrail. None who wrote at the terms decides it."""
    access.require(by, VENDOR, Permission.AUTHOR_TERMS, at.date())
    if not reason.strip():
        raise Refusal("reason_missing", "Say why the guardrail should not hold; whoever decides reads it.")
    subject = versions.subject(version)
    with acts.act("ask_exception", at=at):
        row = _locked(guardrail)
        if row.state not in _HOLDS:
            raise Refusal("guardrail_state", f"This guardrail is {row.state}, so nothing has to pass it.")
        if _waived(subject).filter(guardrail=row, state__in=("asked", "granted")).exists():
            raise Refusal("asked_already", "This exception was asked for already.")
        made = Waiver(
            guardrail=row, version=version, program=subject.program, number=subject.terms.version,
            terms_hash=subject.terms_hash, reason=reason.strip(), asked_by=by, asked_at=at,
        )  # fmt: skip
        made.save()
        facts = {
            "program": subject.program,
            "version": subject.terms.version,
            "terms_hash": subject.terms_hash,
            "guardrail": words(row),
            "reason": reason.strip(),
        }
        requests.ask(kind=WAIVER, subject=str(made.pk), facts=facts, by=by, barred=subject.editors, at=at)
    return made


def _decided(state: Waiver.State, subject: str, by: Person, at: datetime) -> None:
    row = Waiver.locked(uuid.UUID(subject))
    row.state, row.decided_by, row.decided_at = state, by, at
    row.save()


requests.ends(
    WAIVER,
    requests.Ending(
        approved=lambda subject, by, at: _decided(Waiver.State.GRANTED, subject, by, at),
        rejected=lambda subject, by, reason, at: _decided(Waiver.State.REJECTED, subject, by, at),
    ),
)


# Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One guardrail, as pages show it."""

    guardrail: uuid.UUID
    words: str
    reason: str
    state: str
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Excepted:
    """One exception, as pages and the override report show it."""

    program: str
    number: int
    words: str
    reason: str
    state: str
    asked_by: str
    asked_at: datetime
    decided_by: str


def listed(viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List guardrails, those in force first."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = Guardrail.objects.select_related("set_by").order_by("-set_at")
    return tuple(
        Shown(
            guardrail=row.pk, words=words(row), reason=row.reason, state=row.state, set_by=str(row.set_by), set_at=row.set_at
        )
        for row in sorted(rows, key=lambda row: row.state not in _HOLDS)
    )  # fmt: skip


def exceptions(viewer: Person, *, at: datetime) -> tuple[Excepted, ...]:
    """List exceptions, the latest first."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = Waiver.objects.select_related("guardrail", "asked_by", "decided_by").order_by("-asked_at")
    return tuple(
        Excepted(
            program=row.program, number=row.number, words=words(row.guardrail), reason=row.reason, state=row.state,
            asked_by=str(row.asked_by), asked_at=row.asked_at, decided_by=str(row.decided_by or ""),
        )
        for row in rows[:500]
    )  # fmt: skip


def against(version: uuid.UUID, viewer: Person, *, at: datetime) -> tuple[tuple[Shown, Sequence[str]], ...]:
    """Give each guardrail that a version has to keep, with what stands against it; for its page."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    subject = versions.subject(version)
    return tuple(
        (
            Shown(
                guardrail=row.pk, words=words(row), reason=row.reason, state=row.state, set_by=str(row.set_by),
                set_at=row.set_at,
            ),
            [f"{column}: {fault}" if column else fault for column, fault in _faults(row, subject)],
        )
        for row in of(subject, at)
    )  # fmt: skip
