"""Who sees which partner: whoever reads all sees all; a member sees the own organisation; any other does not exist for them."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from headrace.engine.findings import Refusal
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import looking, store
from headrace.masterdata.aliases import aliases_of
from headrace.masterdata.fields import fields_of, systems_of_record
from headrace.masterdata.looking import Found
from headrace.masterdata.store import Said
from headrace.masterdata.timeline import Span, Spans
from headrace.partners import structure
from headrace.partners.kinds import ACCOUNT, CONTACT, PARTNER

PAGE = 50


def reads_all(viewer: Person, day: date) -> bool:
    """Tell whether the viewer sees every partner, and what is internal of them."""
    return Permission.READ_ALL in access.permitted(viewer, VENDOR, day)


def visible(viewer: Person, day: date) -> frozenset[str] | None:
    """Give the partners that the viewer sees; None: all. Refused to whoever sees none at all."""
    if reads_all(viewer, day):
        return None
    own = frozenset(
        organisation
        for organisation in access.organisations_of(viewer, day) - {VENDOR}
        if Permission.READ_OWN in access.permitted(viewer, organisation, day)
    )
    if not own:
        access.require(viewer, VENDOR, Permission.READ_ALL, day)
    return own


@dataclass(frozen=True, slots=True)
class Listed:
    """A partner in a list, as of the day."""

    id: uuid.UUID
    code: str
    name: str
    type: str
    level: str
    region: str
    there: bool


def partners(*, viewer: Person, at: datetime, text: str = "", after: str = "", size: int = PAGE) -> tuple[Listed, ...]:
    """List the partners that the viewer sees, `size` at a time, by code."""
    day = at.date()
    found = looking.find(PARTNER.name, day=day, text=text, codes=visible(viewer, day), after=after, size=size)
    return tuple(_listed(each, day) for each in found)


def opened(code: str, *, at: datetime) -> Listed:
    """Give a partner that was just opened."""
    (found,) = looking.find(PARTNER.name, day=at.date(), codes={code})
    return _listed(found, at.date())


def _listed(found: Found, day: date) -> Listed:
    return Listed(
        found.id,
        found.code,
        found.value("name", day) or "",
        found.value("type", day) or "",
        found.value("level", day) or "",
        found.value("region", day) or "",
        found.there,
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A field as the viewer may see it: what holds when, and its system of record, empty if there is none."""

    name: str
    now: str
    spans: Spans
    owner: str


@dataclass(frozen=True, slots=True)
class Detail:
    """A partner as the viewer may see it. above: parents, the nearest first; below: its children; same_group: beside it.

    accounts, contacts: with their fields. said: every fact as it was said, for those who read all.
    """

    id: uuid.UUID
    code: str
    name: str
    there: bool
    known: tuple[Known, ...]
    above: tuple[str, ...]
    below: tuple[str, ...]
    same_group: tuple[str, ...]
    accounts: tuple[Found, ...]
    contacts: tuple[Found, ...]
    aliases: tuple[tuple[str, str], ...]
    said: tuple[Said, ...]
    internal: bool


def code_of(partner: uuid.UUID, *, viewer: Person, at: datetime) -> str:
    """Give a partner's code; refused (`partner_unknown`) if the viewer does not see it."""
    return _seen(partner, viewer, at).code


def _seen(partner: uuid.UUID, viewer: Person, at: datetime) -> Found:
    found = looking.entry(PARTNER.name, partner, day=at.date())
    seen = visible(viewer, at.date())
    if found is None or (seen is not None and found.code not in seen):
        raise Refusal("partner_unknown", "There is no such partner. Look for it in the list.")
    return found


def partner(*, partner: uuid.UUID, viewer: Person, at: datetime) -> Detail:
    """Give a partner; refused (`partner_unknown`) if there is none, or none for the viewer."""
    found, day = _seen(partner, viewer, at), at.date()
    everything = reads_all(viewer, day)
    owners = systems_of_record(PARTNER.name)
    fields = [field for field in fields_of(PARTNER.name).values() if everything or not field.internal]
    accounts = _around(ACCOUNT.name, found.code, day)
    hidden = {field.name for field in fields_of(ACCOUNT.name).values() if field.internal and not everything}
    group = found.value("group_id", day)
    beside = structure.members(group, day) - {found.code} if group and everything else frozenset()
    return Detail(
        id=found.id,
        code=found.code,
        name=found.value("name", day) or found.code,
        there=found.there,
        known=tuple(
            Known(field.name, found.value(field.name, day) or "", _shown(found, field.name), owners.get(field.name, ""))
            for field in fields
        ),
        above=structure.above(found.code, day),
        below=tuple(sorted(structure.children(found.code, day))) if everything else (),
        same_group=tuple(sorted(beside)),
        accounts=tuple(_without(each, hidden) for each in accounts),
        contacts=_around(CONTACT.name, found.code, day),
        aliases=aliases_of(PARTNER.name, found.code, at) if everything else (),
        said=store.said_of(found.id) if everything else (),
        internal=everything,
    )


def _shown(found: Found, field: str) -> tuple[Span, ...]:
    return found.fields.get(field, ())


def _around(kind: str, partner: str, day: date) -> tuple[Found, ...]:
    """Give the accounts or contacts of a partner on a day."""
    codes = structure.accounts_of(partner) if kind == ACCOUNT.name else store.codes_where(kind, "partner_id", partner)
    found = looking.find(kind, day=day, codes=codes, size=500)
    return tuple(
        each for each in found if each.there and (kind == ACCOUNT.name or each.value("partner_id", day) == partner)
    )


def _without(found: Found, hidden: set[str]) -> Found:
    shown = {name: spans for name, spans in found.fields.items() if name not in hidden}
    return Found(found.id, found.code, found.shown, found.there, shown)
