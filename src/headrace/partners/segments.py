"""Segments: partners that meet a rule over their facts, dated like everything else, previewed as a list."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from headrace.engine.findings import Refusal
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import editing, looking, store
from headrace.masterdata.kinds import EXISTS
from headrace.masterdata.timeline import on
from headrace.partners import facts
from headrace.partners.kinds import SEGMENT


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment on a day; words: its rule in plain English."""

    id: uuid.UUID
    code: str
    name: str
    rule: str
    words: str


@dataclass(frozen=True, slots=True)
class Preview:
    """Who meets a rule on a day: code and name. unknown: those of whom a value is missing that decides; they do not meet it."""

    rule: str
    words: str
    members: tuple[tuple[str, str], ...]
    unknown: tuple[tuple[str, str], ...]
    others: int


def preview(*, rule: str, viewer: Person, at: datetime, day: date | None = None) -> Preview:
    """Try a rule. Refused (`rule`) with every fault and its place if it is none."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    read = facts.read_rule(rule)
    records = facts.records(day or at.date())
    verdicts = {code: read.evaluate(record) for code, record in records.items()}

    def named(verdict: bool | None) -> tuple[tuple[str, str], ...]:
        met = (code for code, given in verdicts.items() if given is verdict)
        return tuple((code, str(records[code]["partner.name"] or "")) for code in met)

    return Preview(read.text, read.describe(), named(True), named(None), len(named(False)))


def define(*, segment: str, name: str, rule: str, from_on: date, by: Person, at: datetime) -> None:
    """Define a segment from a day on. Refused if the rule is none."""
    text = facts.read_rule(rule).text
    values = {"name": name, "rule": text}
    edit = editing.Edit(kind=SEGMENT.name, code=segment, values=values, from_on=from_on, opens=True)
    editing.say(edit, by=by, at=at, act="define_segment")


def members(segment: str, day: date, *, revision: int | None = None) -> frozenset[str]:
    """Give who is in a segment on a day, as known at a revision; refused if there is no such segment on it."""
    held = store.history(SEGMENT.name, codes={segment}, revision=revision).get(segment, {})
    rule = on(held.get("rule", ()), day)
    if rule is None or on(held.get(EXISTS, ()), day) is None:
        raise Refusal("segment_unknown", f"There is no segment {segment!r} on {day}.")
    read = facts.read_rule(rule)
    return frozenset(
        code for code, record in facts.records(day, revision=revision).items() if read.evaluate(record) is True
    )


def segments(*, viewer: Person, at: datetime) -> tuple[Segment, ...]:
    """List the segments of today."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    day = at.date()
    listed = []
    for found in looking.find(SEGMENT.name, day=day, size=500):
        rule = found.value("rule", day)
        if found.there and rule is not None:
            name = found.value("name", day) or found.code
            listed.append(Segment(found.id, found.code, name, rule, facts.read_rule(rule).describe()))
    return tuple(listed)
