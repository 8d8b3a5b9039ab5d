"""What of the sales data is not through yet: files that are not loaded, rows that did not load, batches that are not posted."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from headrace.lake.register import State
from headrace.sales.deliveries import LINES
from headrace.sales.models import Batch, Delivery


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
    """List the deliveries of sales lines since an instant of which rows were rejected or held, or that were refused whole."""
    rows = Delivery.objects.filter(kind=LINES, delivered_at__gte=since).exclude(state=Delivery.State.QUEUED)
    found = (
        OfDelivery(
            delivery=row.pk, name=row.name, state=row.state, rejected=_rows(row, "rejected"), held=_rows(row, "held")
        )
        for row in rows.order_by("delivered_at")
    )
    return tuple(each for each in found if each.rejected or each.held or each.state == Delivery.State.REFUSED)


def batches_not_posted() -> tuple[tuple[int, str, str], ...]:
    """List the batches that are registered or in the lake, and not in the balances: number, source and state."""
    rows = Batch.objects.filter(state__in=(State.REGISTERED, State.APPENDED)).order_by("batch_seq")
    return tuple(rows.values_list("batch_seq", "source", "state"))


def _rows(row: Delivery, name: str) -> int:
    return int(row.report.get(name, {}).get("rows", 0))
