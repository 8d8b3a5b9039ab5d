"""What was received until an instant, for whoever proves it: deliveries with their tallies, batches, reference tables."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from headrace.sales.deliveries import LINES
from headrace.sales.models import Batch, Delivery, ReferenceTable

PARTS = ("received", "loaded", "rejected", "held", "unchanged")


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows, and money by currency."""

    rows: int
    amounts: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One delivery of sales lines. tallies: by `PARTS`. reversed_lines: written beside the loaded ones to cancel others."""

    delivery: uuid.UUID
    state: str
    batch_seq: int | None
    done_at: datetime | None
    tallies: Mapping[str, Tally]
    reversed_lines: int
    report_lost: bool


def deliveries_until(at: datetime) -> tuple[Received, ...]:
    """List the deliveries of sales lines that were done until an instant."""
    rows = Delivery.objects.filter(kind=LINES, done_at__lte=at).order_by("done_at", "pk")
    lost = set(rows.filter(findings__code="report_lost").values_list("pk", flat=True))
    return tuple(
        Received(
            delivery=row.pk, state=row.state, batch_seq=row.batch_seq, done_at=row.done_at,
            tallies={name: _tally(row.report.get(name)) for name in PARTS},
            reversed_lines=int(row.report.get("reversed_lines", 0)), report_lost=row.pk in lost,
        )
        for row in rows
    )  # fmt: skip


def _tally(told: Mapping[str, Any] | None) -> Tally:
    if told is None:
        return Tally(0, {})
    return Tally(int(told["rows"]), {name: Decimal(text) for name, text in told.get("amounts", {}).items()})


@dataclass(frozen=True, slots=True)
class Posted:
    """One batch that was posted. accepted: how many rows the register says that it has."""

    batch_seq: int
    content_hash: str
    accepted: int


def batches_until(at: datetime) -> tuple[Posted, ...]:
    """List the batches that were posted until an instant."""
    rows = Batch.objects.filter(state="posted", posted_at__lte=at).order_by("batch_seq")
    return tuple(Posted(row.batch_seq, row.content_hash, row.accepted or 0) for row in rows)


def tables_changed(since: datetime, until: datetime) -> tuple[tuple[str, str, str, int, datetime], ...]:
    """List the reference tables that took over in a time: kind, content hash, source, rows, when."""
    rows = ReferenceTable.objects.filter(since_at__gte=since, since_at__lte=until).order_by("sequence")
    return tuple(rows.values_list("kind", "content_hash", "source", "rows", "since_at"))
