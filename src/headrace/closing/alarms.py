"""Alarms: what is wrong until it is cleared, one open alarm a kind, told through the outbox when it is raised or changes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headrace.closing.models import Alarm
from headrace.foundation import access, acts, outbox
from headrace.foundation.acts import canonical
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission

SHOWN_MAX = 1_000
"""So many faults are kept by name; `found` counts them all."""


def sound(*, kind: str, message: str, faults: Sequence[str], at: datetime) -> None:
    """Raise an alarm, or renew the open one of its kind with what is found now. The same faults again tell nobody twice."""
    with acts.act("raise_alarm", at=at):
        alarm = Alarm.objects.select_for_update().filter(kind=kind, cleared_at__isnull=True).first()
        if alarm is None:
            alarm = Alarm(kind=kind, severity=Alarm.Severity.CRITICAL, raised_at=at)
        alarm.message, alarm.last_at = message, at
        alarm.found, alarm.faults = len(faults), list(faults[:SHOWN_MAX])
        alarm.save()
        digest = hashlib.sha256(canonical(sorted(faults)).encode()).hexdigest()[:16]
        payload = {"alarm": str(alarm.pk), "kind": kind, "message": message, "found": alarm.found}
        outbox.write(kind="alarm", key=f"alarm:{alarm.pk}:{digest}", payload=payload, at=at)


def clear(*, kind: str, because: str, at: datetime) -> None:
    """Clear the open alarm of a kind, if there is one."""
    with acts.act("clear_alarm", at=at):
        alarm = Alarm.objects.select_for_update().filter(kind=kind, cleared_at__isnull=True).first()
        if alarm is not None:
            alarm.cleared_at, alarm.cleared_because = at, because
            alarm.save()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One open alarm."""

    kind: str
    severity: str
    message: str
    found: int
    faults: tuple[str, ...]
    raised_at: datetime
    last_at: datetime


def sounding() -> tuple[Shown, ...]:
    """List the open alarms, the oldest first; for the operator of the machine."""
    rows = Alarm.objects.filter(cleared_at__isnull=True).order_by("raised_at")
    return tuple(
        Shown(
            kind=row.kind, severity=row.severity, message=row.message, found=row.found, faults=tuple(row.faults),
            raised_at=row.raised_at, last_at=row.last_at,
        )
        for row in rows
    )  # fmt: skip


def seen(viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List the open alarms for people of the vendor who may read all; there are none for anybody else."""
    may = Permission.READ_ALL in access.permitted(viewer, VENDOR, at.date())
    return sounding() if may else ()
