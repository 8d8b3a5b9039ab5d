"""Amendments: their effect is worked out by a job and frozen in the request.

Where less would be earned than was already, Finance and the partners who lose are asked too.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from headrace.engine.findings import Refusal
from headrace.engine.terms import describe
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance import effects, guardrails, stack
from headrace.governance.models import Acceptance, Review
from headrace.programs import versions
from headrace.programs.governed import Subject
from headrace.workflow.policies import Stage, policies

LOWERING = "lowering_earned"
"""The policy whose stages are added where an amendment lowers what is earned already."""
LOWERED = "lowers_what_is_earned"
_PARTNER = "partner"
_ROW = ("program", "payee kind", "payee", "from", "until", "currency")


def begin(of: Subject, by: Person, at: datetime) -> None:
    """Have the effect of a version that was submitted worked out, in the act of its submission."""
    review = Review(
        version=of.version,
        program=of.program,
        number=of.terms.version,
        terms_hash=of.terms_hash,
        asked_by=by,
        asked_at=at,
    )
    review.save()
    from headrace.governance.tasks import review_version

    review_version.enqueue(str(review.pk))


def carry_out(*, review: uuid.UUID, at: datetime) -> str:
    """Work out the effect and open the request with it, and give the review's state. A second time changes nothing."""
    asked = Review.objects.get(pk=review)
    if asked.state != Review.State.WORKING:
        return str(asked.state)
    of = versions.subject(asked.version)
    try:
        facts: dict[str, Any] = {"tried_on_history": refuse_stacked(of, at)}
        if of.before:
            facts |= effects.worked_out(of)
        _refuse_persons(facts.get(LOWERED, ()))
    except Refusal as refusal:
        with acts.act("refuse_review", at=at):
            asked = Review.locked(review)
            if asked.state == Review.State.WORKING:
                asked.state, asked.reason = Review.State.REFUSED, refusal.message
                asked.save()
                versions.return_to_draft(version=asked.version, at=at)
        return str(asked.state)
    with acts.act("work_out_review", at=at):
        asked = Review.locked(review)
        if asked.state == Review.State.WORKING:
            asked.state, asked.effect = Review.State.ASKED, facts
            asked.save()
            versions.open_review(
                version=asked.version, facts=facts, further=_further(facts), by=asked.asked_by, at=at
            )  # fmt: skip
    return str(asked.state)


def _further(facts: Mapping[str, Any]) -> Sequence[Stage]:
    return policies()[LOWERING].stages if facts.get(LOWERED) else ()


def refuse_stacked(of: Subject, at: datetime) -> list[str]:
    """Try the guardrails that need history, and say what came of it. Refused as `guardrail` where one is not kept."""
    told: list[str] = []
    for each in stack.tried(of, guardrails.stacks(of, at)):
        said = guardrails.words(each.guardrail)
        if each.over:
            raise Refusal(
                "guardrail",
                f"{said}: {each.over} of {each.lines} lines of history would not keep it, such as {'; '.join(each.worst)}. Lower "
                "the terms, or ask for an exception.",
            )
        told.append(
            f"{said}: kept on {each.lines - each.not_judged} lines of history, {each.not_judged} could not be judged"
        )
    return told


def _refuse_persons(rows: Sequence[Mapping[str, str]]) -> None:
    """Persons cannot be asked here, so nothing that they earned is lowered."""
    persons = sorted({row["payee"] for row in rows if row["payee kind"] != _PARTNER})
    if persons:
        raise Refusal(
            "lowers_persons",
            f"It would lower what {len(persons)} person(s) earned already, and they cannot be asked here: "
            f"{', '.join(persons[:5])}. Let the version begin on a later day.",
        )


def approved(of: Subject, facts: Mapping[str, Any], at: datetime) -> None:
    """Ask each partner who loses, in the act of the approval."""
    review = _latest(of.version)
    rows = facts.get(LOWERED, ())
    if review is None:
        return
    for partner in sorted({row["payee"] for row in rows}):
        Acceptance(
            review=review,
            partner=partner,
            lowered=[row for row in rows if row["payee"] == partner],
            says=list(describe(of.terms)),
        ).save()


def refuse_greater_effect(of: Subject) -> None:
    """Refuse an amendment that by now lowers more of what is earned than was approved."""
    if not of.before:
        return
    review = _latest(of.version)
    agreed = {_key(row): Decimal(row["less"]) for row in (review.effect.get(LOWERED, ()) if review else ())}
    for row in effects.lowered(of):
        if Decimal(row["less"]) > agreed.get(_key(row), Decimal(0)):
            raise Refusal(
                "effect_grown",
                f"Since it was approved, lines arrived: it would now lower {row['payee']} by {row['less']} {row['currency']} in "
                f"{row['program']}, where {agreed.get(_key(row), Decimal(0)):f} was agreed to. Reopen it and submit it again.",
            )


def refuse_unaccepted(of: Subject) -> None:
    """Refuse an amendment that a partner who loses has not accepted."""
    review = _latest(of.version)
    rows = list(Acceptance.objects.filter(review=review).exclude(state="accepted")) if review else []
    missing = sorted(row.partner for row in rows)
    declined = sorted(row.partner for row in rows if row.state == Acceptance.State.DECLINED)
    if declined:
        raise Refusal(
            "acceptance_declined",
            f"{', '.join(declined)} declined to earn less than was earned already. Reopen the version and change its terms.",
        )
    if missing:
        raise Refusal(
            "acceptance_missing",
            f"It lowers what is earned already, and these have not accepted that yet: {', '.join(missing)}.",
        )


def _key(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in _ROW)


def _latest(version: uuid.UUID) -> Review | None:
    found: Review | None = Review.objects.filter(version=version, state="asked").order_by("-asked_at", "-pk").first()
    return found


def decide(*, acceptance: uuid.UUID, accept: bool, reason: str = "", by: Person, at: datetime) -> Acceptance:
    """Accept or decline for a partner. Refused as `acceptance_unknown` to anybody else's people; a decline says why."""
    if not accept and not reason.strip():
        raise Refusal("reason_missing", "Say why it is declined; the vendor reads it.")
    known = Acceptance.objects.filter(pk=acceptance).first()
    if known is None or known.partner not in access.organisations_of(by, at.date()):
        if not _of_partner(by, at):
            access.require(by, VENDOR, Permission.READ_ALL, at.date())
        raise Refusal("acceptance_unknown", "There is nothing of yours to accept here.")
    access.require(by, known.partner, Permission.ACCEPT_TERMS, at.date())
    with acts.act("accept_terms" if accept else "decline_terms", at=at):
        row = Acceptance.locked(acceptance)
        latest = _latest(row.review.version)
        if row.state != Acceptance.State.WAITING or latest is None or latest.pk != row.review_id:
            raise Refusal("already_decided", "This was decided already, or the vendor changed the terms since.")
        row.state = Acceptance.State.ACCEPTED if accept else Acceptance.State.DECLINED
        row.decided_by, row.decided_at, row.reason = by, at, reason.strip()
        row.save()
    return row


def _of_partner(by: Person, at: datetime) -> bool:
    organisations = access.organisations_of(by, at.date()) - {VENDOR}
    return any(Permission.READ_OWN in access.permitted(by, each, at.date()) for each in organisations)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAccept:
    """One acceptance, as pages show it."""

    acceptance: uuid.UUID
    program: str
    number: int
    partner: str
    lowered: tuple[Mapping[str, str], ...]
    says: tuple[str, ...]
    state: str
    reason: str
    may_decide: bool


def to_accept(viewer: Person, *, at: datetime) -> tuple[ToAccept, ...]:
    """List what partners are asked to accept, the latest first: all to whoever reads all, else one's own."""
    rows = Acceptance.objects.select_related("review").order_by("-review__asked_at", "partner")
    day = at.date()
    if Permission.READ_ALL not in access.permitted(viewer, VENDOR, day):
        if not _of_partner(viewer, at):
            raise Refusal(
                "not_permitted", "You have no role that sees what partners accept. Ask an administrator for one."
            )
        own = access.organisations_of(viewer, day) - {VENDOR}
        rows = rows.filter(
            partner__in=[each for each in own if Permission.READ_OWN in access.permitted(viewer, each, day)]
        )
    return tuple(
        ToAccept(
            acceptance=row.pk,
            program=row.review.program,
            number=row.review.number,
            partner=row.partner,
            lowered=tuple(row.lowered),
            says=tuple(row.says),
            state=row.state,
            reason=row.reason,
            may_decide=row.state == Acceptance.State.WAITING
            and Permission.ACCEPT_TERMS in access.permitted(viewer, row.partner, day),
        )
        for row in rows[:200]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """The working out of a submitted version, as pages show it."""

    number: int
    state: str
    reason: str
    asked_at: datetime


def reviews(program: str, viewer: Person, *, at: datetime) -> tuple[Reviewed, ...]:
    """List the reviews of a program that are being worked out or went back, the latest first."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = Review.objects.filter(program=program).exclude(state="asked").order_by("-asked_at")[:10]
    return tuple(Reviewed(number=row.number, state=row.state, reason=row.reason, asked_at=row.asked_at) for row in rows)
