"""What of the sales data is not through yet: files that are not loaded, rows that did not load, batches that are not posted."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from headrace.lake.register import State
from headrace.sales.deliveries import LINES
from headrace.sales.models import Batch, Delivery, DeskRow


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDelivery:
    """A delivery with how many of its rows wait; null where its file waits as a whole."""

    delivery: uuid.UUID
    name: str
    state: str
    rejected: int | None
    held: int | None


def not_loaded() -> tuple[OfDelivery, ...]:
    """List the files of sales lines that the worker has not loaded yet."""
    rows = Delivery.objects.filter(kind=LINES, state=Delivery.State.QUEUED).order_by("delivered_at")
    return tuple(OfDelivery(delivery=row.pk, name=row.name, state=row.state, rejected=None, held=None) for row in rows)


def rows_waiting(*, since: datetime) -> tuple[OfDelivery, ...]:
    """List the deliveries of sales lines since an instant of which rows wait, or that were refused whole.

    Rows that were repaired, or ignored with a reason, wait no more; those of a repair wait with the delivery they came from.
    """
    rows = Delivery.objects.filter(kind=LINES, delivered_at__gte=since, repairs__isnull=True)
    rows = rows.exclude(state=Delivery.State.QUEUED)
    waiting = Count("rows", filter=~Q(rows__state__in=(DeskRow.State.REPAIRED, DeskRow.State.IGNORED)))
    at_desk: dict[tuple[uuid.UUID, str], int] = {
        (delivery, outcome): number
        for delivery, outcome, number in rows.filter(rows__isnull=False)
        .values("pk", "rows__outcome")
        .annotate(number=waiting)
        .values_list("pk", "rows__outcome", "number")
    }
    found = (
        OfDelivery(
            delivery=row.pk,
            name=row.name,
            state=row.state,
            rejected=_rows(row, "rejected", at_desk),
            held=_rows(row, "held", at_desk),
        )
        for row in rows.order_by("delivered_at")
    )
    return tuple(each for each in found if each.rejected or each.held or each.state == Delivery.State.REFUSED)


def batches_not_posted() -> tuple[tuple[int, str, str], ...]:
    """List the batches that are registered or in the lake, and not in the balances: number, source and state."""
    rows = Batch.objects.filter(state__in=(State.REGISTERED, State.APPENDED)).order_by("batch_seq")
    return tuple(rows.values_list("batch_seq", "source", "state"))


def _rows(row: Delivery, outcome: str, at_desk: Mapping[tuple[uuid.UUID, str], int]) -> int:
    if row.columns:
        return at_desk.get((row.pk, outcome), 0)
    return int(row.report.get(outcome, {}).get("rows", 0))
