"""Changes by hand: an entry opened, values said for some days, an entry ended. The same way as a file with one row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from headrace.engine.findings import Refusal
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR
from headrace.masterdata import store
from headrace.masterdata.fields import fields_of
from headrace.masterdata.kinds import EXISTS, HAND, Kind, Line, kind
from headrace.masterdata.planning import plan
from headrace.masterdata.reading import read_value
from headrace.masterdata.store import Statement
from headrace.masterdata.timeline import Span, on


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Values (text as a file would have it, empty for none) of an entry for some days.

    opens: the entry is new, or there again on these days.
    """

    kind: str
    code: str
    values: Mapping[str, str]
    from_on: date | None
    until_on: date | None = None
    opens: bool = False


def say(edit: Edit, *, by: Person, at: datetime, act: str = "edit_entry") -> int:
    """Say values of an entry for some days, and give how many were new.

    Refused, with nothing changed, if a value cannot be read, names what does not exist, belongs to another system of record, or
    does not go together with what is known.
    """
    of = kind(edit.kind)
    access.require(by, VENDOR, of.permission, at.date())
    if edit.from_on is not None and edit.until_on is not None and edit.until_on <= edit.from_on:
        raise Refusal("days", f"It must end after it begins, {edit.from_on}. Give a later day, or none.")
    line = Line(1, _code(of, edit.code), _read(of, edit.values), edit.from_on, edit.until_on, edit.opens)
    with store.revising(act, source=HAND, at=at) as writing:
        return take(of, line, writing)


def take(of: Kind, line: Line, writing: store.Writing) -> int:
    """Take one line or refuse it with the first thing that was found; gives how many facts were new."""
    if not line.opens and line.code not in store.known_codes(of.name, {line.code}):
        raise Refusal("entry_unknown", f"There is no {of.name} {of.shown(line.code)}. Open it first.")
    planned = plan(of, [line], source=HAND)
    if planned.findings:
        first = planned.findings[0]
        raise Refusal(first.code, first.message, findings=planned.findings)
    return sum(writing.write(each, statements) for each, statements in planned.statements)


def end(*, kind_name: str, code: str, on_day: date, by: Person, at: datetime) -> None:
    """End an entry: from the day on it is not there any more. What is known of it stays."""
    of = kind(kind_name)
    access.require(by, VENDOR, of.permission, at.date())
    with store.revising("end_entry", source=HAND, at=at) as writing:
        held = store.history(kind_name, codes={code}, fields={EXISTS}).get(code, {}).get(EXISTS, ())
        if on(held, on_day) is None:
            raise Refusal("entry_unknown", f"{of.shown(code)} is not there on {on_day}, so it cannot end on it.")
        writing.write(kind_name, [Statement(code, EXISTS, Span(on_day, None, None))])


def _code(of: Kind, code: str) -> str:
    parts = tuple(part.strip() for part in of.parts(code))
    if not all(parts):
        raise Refusal("code_missing", f"{of.label} are known by {', '.join(part.name for part in of.key)}. Fill it in.")
    if (fault := of.code_fault(of.code(parts))) is not None:
        raise Refusal("bad_value", fault)
    return of.code(parts)


def _read(of: Kind, values: Mapping[str, str]) -> dict[str, str | None]:
    fields = fields_of(of.name)
    read: dict[str, str | None] = {}
    for name, text in values.items():
        if name not in fields:
            raise Refusal("field_unknown", f"{of.label} have no field {name}.")
        value, fault = read_value(fields[name], text)
        if fault is not None:
            raise Refusal("bad_value", f"{name}: {fault}")
        read[name] = value
    return read
