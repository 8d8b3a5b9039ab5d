"""Levels and the rules that promote and demote: proposed by a job with notice, applied by the job unless refused before.

A level has a rank, a rule to reach it, and a rule to keep it (the same where none is given). A partner is promoted to the highest
level above its own whose `reach` is true; it is demoted only if the `keep` of its level is false: not knowing demotes nobody.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from headrace.engine.findings import Refusal
from headrace.engine.rules import Rule
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import editing, store
from headrace.masterdata.fields import systems_of_record
from headrace.masterdata.kinds import EXISTS
from headrace.masterdata.store import Statement
from headrace.masterdata.timeline import Span, on
from headrace.partners import facts
from headrace.partners.kinds import LEVEL, PARTNER
from headrace.partners.models import LevelProposal

SOURCE = "level_rules"
REFUSED_FOR = timedelta(days=90)
"""How long a refused change is not proposed again."""


@dataclass(frozen=True, slots=True)
class Level:
    """A level on a day. keep: when its holder stays. notice: from proposing a change to it until it counts."""

    name: str
    rank: Decimal
    reach: Rule
    keep: Rule
    notice: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A level as it is written. reach, keep: rules over partner facts; an empty keep is the same as reach."""

    level: str
    rank: int
    reach: str
    keep: str = ""
    notice_days: int = 0


def set_level(definition: Definition, *, from_on: date, by: Person, at: datetime) -> None:
    """Define a level from a day on. Refused if a rule is none, or two levels would have one rank."""
    if not 0 <= definition.notice_days <= 366:
        raise Refusal("notice_days", "The notice is from 0 to 366 days.")
    values = {
        "rank": str(definition.rank),
        "reach": facts.read_rule(definition.reach).text,
        "keep": facts.read_rule(definition.keep).text if definition.keep.strip() else "",
        "notice_days": str(definition.notice_days),
    }
    edit = editing.Edit(kind=LEVEL.name, code=definition.level, values=values, from_on=from_on, opens=True)
    with acts.act("set_level", at=at):
        editing.say(edit, by=by, at=at, act="set_level")
        ranks = [each.rank for each in ladder(from_on)]
        if len(set(ranks)) < len(ranks):
            raise Refusal("level_rank", f"Another level has the rank {definition.rank} already. Give each its own.")


def ladder(day: date) -> tuple[Level, ...]:
    """Give the levels of a day, the highest first."""
    levels = []
    for name, held in store.history(LEVEL.name).items():
        said = {field: on(spans, day) for field, spans in held.items()}
        if said.get(EXISTS) is None:
            continue
        reach = facts.read_rule(said["reach"] or "")
        keep = facts.read_rule(kept) if (kept := said.get("keep")) else reach
        notice = timedelta(days=int(said.get("notice_days") or 0))
        levels.append(Level(name, Decimal(said["rank"] or 0), reach, keep, notice))
    return tuple(sorted(levels, key=lambda level: -level.rank))


def wanted(levels: Sequence[Level], record: Mapping[str, object]) -> Level | None:
    """Give the level that the rules ask for: None is none at all."""
    held = record["partner.level"]
    own = next((level for level in levels if level.name == held), None)
    above = [level for level in levels if own is None or level.rank > own.rank]
    reached = next((level for level in above if level.reach.evaluate(record) is True), None)
    if reached is not None:
        return reached
    if own is None or own.keep.evaluate(record) is not False:
        return own
    below = [level for level in levels if level.rank < own.rank]
    return next((level for level in below if level.keep.evaluate(record) is True), None)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a review did."""

    proposed: int
    applied: int
    lapsed: int


def review(*, at: datetime) -> Reviewed:
    """Propose the changes that the rules ask for, drop those that they ask for no more, and apply those whose day has come.

    The same day twice changes nothing more. A level that no rule knows is left alone, and so is every level while another
    system keeps the field.
    """
    day = at.date()
    if systems_of_record(PARTNER.name).get("level", SOURCE) != SOURCE:
        return Reviewed(0, 0, 0)
    with store.revising("review_levels", source=SOURCE, at=at) as writing:
        levels = ladder(day)
        records = facts.records(day) if levels else {}
        ask = {code: (str(one["partner.level"] or ""), wanted(levels, one)) for code, one in records.items()}
        names = {level.name for level in levels}
        due = {
            code: (held, to)
            for code, (held, to) in ask.items()
            if (to.name if to else "") != held and (not held or held in names)
        }
        lapsed = _drop(due)
        proposed = _propose(due, levels, day)
        return Reviewed(proposed, _apply(writing, day), lapsed)


type Due = Mapping[str, tuple[str, Level | None]]


def _drop(due: Due) -> int:
    dropped = 0
    for row in LevelProposal.objects.filter(state=LevelProposal.State.PROPOSED).order_by("partner"):
        held, to = due.get(row.partner, ("", None))
        if row.partner not in due or (row.from_level, row.to_level) != (held, to.name if to else ""):
            row.state = LevelProposal.State.LAPSED
            row.save()
            dropped += 1
    return dropped


def _propose(due: Due, levels: Sequence[Level], day: date) -> int:
    ranks = {level.name: level for level in levels}
    open_ones = set(LevelProposal.objects.filter(state=LevelProposal.State.PROPOSED).values_list("partner", flat=True))
    refused = set(
        LevelProposal.objects.filter(state=LevelProposal.State.REFUSED, refused_until__gt=day).values_list(
            "partner", "from_level", "to_level"
        )
    )
    made = 0
    for code, (held, to) in sorted(due.items()):
        name = to.name if to else ""
        if code in open_ones or (code, held, name) in refused:
            continue
        up = to is not None and (held not in ranks or to.rank > ranks[held].rank)
        if up:
            assert to is not None
            why, notice = f"reaches {name}: {to.reach.text}", to.notice
        else:
            why, notice = f"no longer keeps {held}: {ranks[held].keep.text}", ranks[held].notice
        LevelProposal(
            partner=code, from_level=held, to_level=name, why=why, proposed_on=day, effective_on=day + notice
        ).save()
        made += 1
    return made


def _apply(writing: store.Writing, day: date) -> int:
    rows = LevelProposal.objects.filter(state=LevelProposal.State.PROPOSED, effective_on__lte=day)
    ready = list(rows.order_by("partner"))
    statements = [Statement(row.partner, "level", Span(row.effective_on, None, row.to_level or None)) for row in ready]
    writing.write(PARTNER.name, statements)
    for row in ready:
        row.state = LevelProposal.State.APPLIED
        row.save()
    return len(ready)


def refuse(*, proposal: uuid.UUID, reason: str, by: Person, at: datetime) -> None:
    """Refuse a proposed change, with the reason; it is not proposed again for `REFUSED_FOR`."""
    access.require(by, VENDOR, Permission.ASSIGN_PROGRAM, at.date())
    if not reason.strip():
        raise Refusal("reason_missing", "Say why the level stays; the next review shows it.")
    with acts.act("refuse_level", at=at):
        if not LevelProposal.objects.filter(pk=proposal).exists():
            raise Refusal("proposal_unknown", "There is no such proposal. Load the page of levels again.")
        row = LevelProposal.locked(proposal)
        if row.state != LevelProposal.State.PROPOSED:
            raise Refusal("already_decided", f"This change was {row.state} already.")
        row.state, row.reason, row.decided_by = LevelProposal.State.REFUSED, reason.strip(), by
        row.refused_until = at.date() + REFUSED_FOR
        row.save()


def proposals(*, viewer: Person, at: datetime, size: int = 200) -> tuple[LevelProposal, ...]:
    """List proposed changes of level, those that wait first, then the latest."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    waiting = LevelProposal.objects.filter(state=LevelProposal.State.PROPOSED).order_by("effective_on", "partner")
    others = LevelProposal.objects.exclude(state=LevelProposal.State.PROPOSED).select_related("decided_by")
    return (*waiting[:size], *others.order_by("-proposed_on", "partner")[:size])
