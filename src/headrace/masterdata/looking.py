"""Finding entries: by page, by a text in code or name, by id. Who may see them is the callers' business."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.db.models import Q

from headrace.masterdata import store
from headrace.masterdata.kinds import EXISTS, Kind, kind
from headrace.masterdata.models import Entry, Fact
from headrace.masterdata.timeline import Spans, on


@dataclass(frozen=True, slots=True)
class Found:
    """An entry with what holds when, by field. there: it is there on the day that was asked for."""

    id: uuid.UUID
    code: str
    shown: str
    there: bool
    fields: dict[str, Spans]

    def value(self, field: str, day: date) -> str | None:
        """Give a field's value on a day."""
        return on(self.fields.get(field, ()), day)


def find(
    kind_name: str,
    *,
    day: date,
    text: str = "",
    codes: Collection[str] | None = None,
    after: str = "",
    size: int = 50,
    revision: int | None = None,
) -> tuple[Found, ...]:
    """List entries by code. text: in the code or any name it ever had. codes: only these. after: only codes behind this one."""
    entries = Entry.objects.filter(kind=kind_name, code__gt=after)
    if codes is not None:
        entries = entries.filter(code__in=sorted(codes))
    if text.strip():
        named = Fact.objects.filter(entry__kind=kind_name, field="name", value__icontains=text.strip())
        entries = entries.filter(Q(code__icontains=text.strip()) | Q(pk__in=named.values("entry")))
    return _found(kind(kind_name), list(entries.order_by("code")[:size]), day, revision)


def entry(kind_name: str, entry_id: uuid.UUID, *, day: date, revision: int | None = None) -> Found | None:
    """Give an entry by its id."""
    found = _found(kind(kind_name), list(Entry.objects.filter(kind=kind_name, pk=entry_id)), day, revision)
    return found[0] if found else None


def _found(of: Kind, entries: list[Entry], day: date, revision: int | None) -> tuple[Found, ...]:
    held = store.history(of.name, codes={row.code for row in entries}, revision=revision)
    return tuple(
        Found(
            row.pk,
            row.code,
            of.shown(row.code),
            on(held.get(row.code, {}).get(EXISTS, ()), day) is not None,
            {name: spans for name, spans in held.get(row.code, {}).items() if name != EXISTS},
        )
        for row in entries
    )
