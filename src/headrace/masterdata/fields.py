"""Fields of a kind: those that its app declares and those that were declared since; which source alone may change one."""

import re
from datetime import datetime

from headrace.engine.findings import Refusal
from headrace.engine.rules import ColumnType
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata.kinds import EXISTS, Field, kind
from headrace.masterdata.models import DeclaredField, SystemOfRecord

DATES = ("valid_from", "valid_until")
_NAME = re.compile("[a-z][a-z0-9_]{0,59}")
_SOURCE = re.compile("[a-z][a-z0-9_-]{0,59}")


def fields_of(kind_name: str) -> dict[str, Field]:
    """Give the fields of a kind by name, key fields left out."""
    own = {field.name: field for field in kind(kind_name).fields}
    for row in DeclaredField.objects.filter(kind=kind_name).order_by("name"):
        own[row.name] = Field(name=row.name, type=ColumnType(row.type), internal=row.internal)
    return own


def declare_field(
    *,
    kind_name: str,
    name: str,
    column_type: ColumnType,
    internal: bool = True,
    by: Person,
    at: datetime,
) -> None:
    """Declare a further field. Refused if the name is taken or no name, or if the kind takes none."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    of = kind(kind_name)
    if of.fixed:
        raise Refusal("kind_fixed", f"{of.label} take no further fields. Declare it for another kind.")
    if _NAME.fullmatch(name) is None:
        raise Refusal("field_name", f"{name!r} is no name of a field. Write small letters, digits and underscores.")
    with acts.act("declare_field", at=at):
        if name in fields_of(kind_name) or name in {EXISTS, *DATES, *(part.name for part in of.key)}:
            raise Refusal("field_known", f"{of.label} have a field {name} already. Choose another name.")
        DeclaredField(kind=kind_name, name=name, type=column_type, internal=internal).save()


def systems_of_record(kind_name: str) -> dict[str, str]:
    """Give the source that alone changes a field, for the fields that have one."""
    rows = SystemOfRecord.objects.filter(kind=kind_name).exclude(source="")
    return dict(rows.values_list("field", "source"))


def set_system_of_record(*, kind_name: str, field: str, source: str, by: Person, at: datetime) -> None:
    """Let one source alone change a field from now on; an empty source lets every source again."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    if field not in fields_of(kind_name):
        raise Refusal("field_unknown", f"{kind(kind_name).label} have no field {field}.")
    with acts.act("set_system_of_record", at=at):
        row = SystemOfRecord.objects.filter(kind=kind_name, field=field).first()
        row = row or SystemOfRecord(kind=kind_name, field=field)
        row.source = checked_source(source) if source.strip() else ""
        row.save()


def checked_source(source: str) -> str:
    """Give the name of a source; refused if it is none."""
    if _SOURCE.fullmatch(source.strip()) is None:
        raise Refusal("source_name", f"{source!r} is no name of a source. Write it like crm, with small letters.")
    return source.strip()
