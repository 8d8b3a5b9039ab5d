"""Reference tables in force: content hashes of snapshots in the lake. A newer one takes over from the moment that it is known."""

from collections.abc import Callable, Sequence
from datetime import datetime

import pyarrow as pa
from django.db.models import Max

from headrace.engine.findings import Finding
from headrace.engine.schema import Tables
from headrace.foundation import acts
from headrace.lake import Lake
from headrace.sales.models import LakeLease, ReferenceTable

type Check = Callable[[Tables], Sequence[Finding]]

_CHECKS: list[Check] = []


def checked_by(check: Check) -> None:
    """Have a check of an upper app asked before a table takes over: what it finds of severity error keeps the table out."""
    if check not in _CHECKS:
        _CHECKS.append(check)


def faults_with(lake: Lake, *, kind: str, table: pa.Table) -> list[Finding]:
    """List what would go wrong if the table took over."""
    there = tables(lake)
    after = Tables(there.lines, {**there.references, kind: table})
    return [finding for check in _CHECKS for finding in check(after)]


def tables(lake: Lake) -> Tables:
    """Give the lake's lines with the reference tables in force."""
    return Tables(lake.lines(), {kind: lake.load_snapshot(content) for kind, content in in_force().items()})


def in_force() -> dict[str, str]:
    """Give the content hash of each kind of reference table that is in force."""
    last = ReferenceTable.objects.values("kind").annotate(last=Max("sequence")).values("last")
    return dict(ReferenceTable.objects.filter(sequence__in=last).values_list("kind", "content_hash"))


def put_in_force(*, kind: str, content_hash: str, source: str, rows: int, at: datetime) -> bool:
    """Put a reference table in force from now on; false where this very content is in force already."""
    with acts.act("replace_reference_table", at=at):
        LakeLease.objects.select_for_update().get()
        if in_force().get(kind) == content_hash:
            return False
        last = ReferenceTable.objects.aggregate(last=Max("sequence"))["last"] or 0
        ReferenceTable(
            sequence=last + 1, kind=kind, content_hash=content_hash, source=source, rows=rows, since_at=at
        ).save()
    return True
