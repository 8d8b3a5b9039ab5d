"""Erasing the personal values of an entry for good: from its facts and from the trail, which still verifies."""

from datetime import datetime

from django.db import transaction

from headrace.engine.findings import Refusal
from headrace.foundation import access, audit
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import store
from headrace.masterdata.fields import fields_of
from headrace.masterdata.models import Entry, Fact


def erase(*, kind_name: str, code: str, by: Person, at: datetime) -> int:
    """Erase an entry's personal values, and give how many facts had one. That it was there, and when, stays."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    personal = frozenset(field.name for field in fields_of(kind_name).values() if field.personal)
    with transaction.atomic():
        with store.revising("erase_entry", source="hand", at=at) as writing:
            entry = Entry.objects.filter(kind=kind_name, code=code).first()
            if entry is None:
                raise Refusal("entry_unknown", f"There is no {kind_name} {code!r}.")
            writing.note(f"masterdata.{kind_name}", str(entry.pk), {}, {"erased": sorted(personal)})
            facts = Fact.objects.filter(entry=entry, field__in=sorted(personal), value__isnull=False)
            erased: int = facts.update(value=None)
        # After the act is sealed, since its own link could hold values.
        audit.erase_values(f"masterdata.{kind_name}", str(entry.pk), personal)
    return erased
