"""Lists by time that are read page by page: each page begins behind the last record of the one before."""

import uuid
from datetime import datetime

from django.db.models import Model, Q, QuerySet

type Place = tuple[datetime, uuid.UUID]


def latest_first[M: Model](rows: QuerySet[M], field: str, before: Place | None) -> QuerySet[M]:
    """Order rows by an instant, the latest first, then by id. before: only those behind this place."""
    if before is not None:
        at, id_ = before
        rows = rows.filter(Q(**{f"{field}__lt": at}) | Q(**{field: at, "pk__gt": id_}))
    return rows.order_by(f"-{field}", "pk")
