"""Assignment: partners take part in a program by hand, by segment or all of them; they join late and leave as its terms say.

An assignment is a row of the terms' `inputs` that carries the days of enrolment (`programs.governed.enrolled`). So the engine
decides what joining late and leaving mean (`facts_as_of`, `counts_from`, `on_exit`, `limits.prorate`), balances follow with the
next work, and a statement cites the rows that it was calculated with.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from headrace.engine.findings import Refusal
from headrace.engine.terms import Terms, describe, terms_hash
from headrace.engine.terms.model import Input
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance.models import Assignment
from headrace.partners import facts, segments
from headrace.programs import versions
from headrace.programs.tasks import bring_up_balances
from headrace.sales import references
from headrace.sales.lake import opened

_PARTNERS = ("seller", "buyer", "reporter")
_TAKES_PART = (Assignment.State.OFFERED, Assignment.State.ENROLLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Who is assigned: these partners, those of a segment, or (neither given) everybody."""

    partners: tuple[str, ...] = ()
    segment: str = ""


@dataclass(frozen=True, slots=True)
class Assigned:
    """How many were assigned now, and who was already."""

    made: int
    already: tuple[str, ...]


def assign(*, program: str, whom: Whom, from_on: date, by: Person, at: datetime) -> Assigned:
    """Assign partners from a day on; who takes part already stays as they are. The members of a segment are those of that day."""
    access.require(by, VENDOR, Permission.ASSIGN_PROGRAM, at.date())
    terms = _open_to_assignment(program)
    partners, source = _named(whom, from_on)
    own = {row.earner for row in terms.inputs if row.enrolled_from is not None}
    with acts.act("assign_program", at=at):
        versions.hold(program)
        there = set(Assignment.objects.filter(program=program, state__in=_TAKES_PART).values_list("partner", flat=True))
        new = sorted(partners - there - own)
        for partner in new:
            Assignment(
                program=program, partner=partner, from_on=from_on, terms_hash=terms_hash(terms),
                says=list(describe(terms)), source=source, assigned_by=by, assigned_at=at,
                state=Assignment.State.OFFERED if terms.accepted else Assignment.State.ENROLLED,
            ).save()  # fmt: skip
        if new and not terms.accepted:
            bring_up_balances.enqueue()
    return Assigned(len(new), tuple(sorted(partners & (there | own))))


def _open_to_assignment(program: str) -> Terms:
    terms = versions.latest_agreed(program)
    if not terms.enrolled or terms.earner not in _PARTNERS:
        raise Refusal(
            "not_by_assignment",
            f"{program} is open to everybody that its rules let in. Where partners are to be assigned, its terms say "
            "`enrolled: true`, and who earns is a seller, buyer or reporter.",
        )
    return terms


def _named(whom: Whom, day: date) -> tuple[set[str], str]:
    if whom.segment:
        return set(segments.members(whom.segment, day)), f"segment {whom.segment}"
    known = set(facts.records(day)) | _delivered()
    if not whom.partners:
        if not known:
            raise Refusal("no_partners", "No partner is known on that day. Import partners first, or name them.")
        return known, "all partners"
    named = set(whom.partners)
    unknown = sorted(named - known) if known else []
    if unknown:
        raise Refusal(
            "partner_unknown",
            f"There is no partner {', '.join(unknown[:5])} on {day}. Look for it in the list of partners.",
        )
    return named, "by hand"


def _delivered() -> set[str]:
    """Give the partners of a reference table that was delivered as a file."""
    content = references.in_force().get("partners")
    if content is None:
        return set()
    with opened() as lake:
        return {str(each) for each in lake.load_snapshot(content)["partner_id"].to_pylist()}


def leave(*, program: str, partner: str, until_on: date, by: Person, at: datetime) -> Assignment:
    """End a partner's part: `until_on` is the first day without it. Refused before today, since what was earned stays earned."""
    access.require(by, VENDOR, Permission.ASSIGN_PROGRAM, at.date())
    with acts.act("leave_program", at=at):
        row = _locked(program, partner)
        if until_on < max(at.date(), row.from_on):
            raise Refusal(
                "leaves_too_early",
                f"{partner} takes part until today at least: ending earlier would take away what was earned. Name a later day.",
            )
        if row.until_on is not None and row.until_on < at.date():
            raise Refusal("left_already", f"{partner} left {program} on {row.until_on}.")
        row.until_on = until_on
        row.save()
        bring_up_balances.enqueue()
    return row


def _locked(program: str, partner: str) -> Assignment:
    found = Assignment.objects.filter(program=program, partner=partner, state__in=_TAKES_PART).first()
    if found is None:
        raise Refusal("assignment_unknown", f"{partner} is not assigned to {program}.")
    return Assignment.locked(found.pk)


def decide(*, assignment: uuid.UUID, accept: bool, reason: str = "", by: Person, at: datetime) -> Assignment:
    """Accept or decline the terms for a partner. Refused as `assignment_unknown` to anybody else's people."""
    day = at.date()
    known = Assignment.objects.filter(pk=assignment).first()
    if known is None or known.partner not in access.organisations_of(by, day):
        own = access.organisations_of(by, day) - {VENDOR}
        if not any(Permission.READ_OWN in access.permitted(by, each, day) for each in own):
            access.require(by, VENDOR, Permission.READ_ALL, day)
        raise Refusal("assignment_unknown", "There is nothing of yours to accept here.")
    access.require(by, known.partner, Permission.ACCEPT_TERMS, day)
    with acts.act("accept_assignment" if accept else "decline_assignment", at=at):
        row = Assignment.locked(assignment)
        if row.state != Assignment.State.OFFERED:
            raise Refusal("already_decided", f"These terms were {row.state} already.")
        if accept and terms_hash(versions.latest_agreed(row.program)) != row.terms_hash:
            raise Refusal(
                "terms_moved_on", "The terms changed since they were offered. Ask the vendor to offer them again."
            )
        row.state = Assignment.State.ENROLLED if accept else Assignment.State.DECLINED
        row.decided_by, row.decided_at, row.reason = by, at, reason.strip()
        row.save()
        if accept:
            bring_up_balances.enqueue()
    return row


def inputs(programs: Collection[str]) -> Mapping[str, tuple[Input, ...]]:
    """Give the enrolments of programs as rows of `inputs`, by partner."""
    found: dict[str, list[Input]] = {}
    rows = Assignment.objects.filter(program__in=programs, state="enrolled").order_by("program", "partner")
    for row in rows:
        if row.until_on != row.from_on:
            made = Input(earner=row.partner, enrolled_from=row.from_on, enrolled_until=row.until_on)
            found.setdefault(row.program, []).append(made)
    return {program: tuple(each) for program, each in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One assignment, as pages show it."""

    assignment: uuid.UUID
    program: str
    partner: str
    from_on: date
    until_on: date | None
    state: str
    source: str
    says: tuple[str, ...]
    may_decide: bool


def listed(viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List assignments by program and partner: all to whoever reads all, else one's own."""
    day = at.date()
    rows = Assignment.objects.order_by("program", "partner", "-assigned_at")
    if Permission.READ_ALL not in access.permitted(viewer, VENDOR, day):
        organisations = access.organisations_of(viewer, day) - {VENDOR}
        own = [each for each in organisations if Permission.READ_OWN in access.permitted(viewer, each, day)]
        if not own:
            raise Refusal("not_permitted", "You have no role that sees assignments. Ask an administrator for one.")
        rows = rows.filter(partner__in=own)
    return tuple(
        Shown(
            assignment=row.pk, program=row.program, partner=row.partner, from_on=row.from_on, until_on=row.until_on,
            state=row.state, source=row.source, says=tuple(row.says),
            may_decide=row.state == Assignment.State.OFFERED
            and Permission.ACCEPT_TERMS in access.permitted(viewer, row.partner, day),
        )
        for row in rows[:1000]
    )  # fmt: skip
