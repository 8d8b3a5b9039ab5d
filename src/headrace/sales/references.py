"""Reference tables in force: content hashes of snapshots in the lake. A newer one takes over from the moment that it is known."""

from datetime import datetime

from django.db.models import Max

from headrace.foundation import acts
from headrace.sales.models import LakeLease, ReferenceTable


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
