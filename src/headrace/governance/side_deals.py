"""Side deals: whoever tries to owe what no approved version explains is refused, and the attempt is kept."""

from dataclasses import dataclass
from datetime import datetime

from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance.models import SideDeal


def record(*, what: str, program: str, said: str, by: Person, at: datetime) -> None:
    """Keep an attempt, in an act of its own, after what was tried was refused and undone."""
    with acts.act("record_side_deal", at=at):
        SideDeal(what=what, program=program[:100], said=said, by=by, at=at).save()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One attempt, as the override report shows it."""

    what: str
    program: str
    said: str
    by: str
    at: datetime


def listed(viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List attempts, the latest first. For people of the vendor who may read all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = SideDeal.objects.select_related("by").order_by("-at")[:500]
    return tuple(
        Shown(what=row.what, program=row.program, said=row.said, by=str(row.by), at=row.at) for row in rows
    )  # fmt: skip
