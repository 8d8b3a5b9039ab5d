"""The jobs of sales data."""

import uuid
from datetime import timedelta

from django.tasks import task
from django.utils import timezone

from headrace.foundation import events
from headrace.foundation.jobs import scheduled
from headrace.masterdata import store
from headrace.sales import correcting, deliveries, gathering, inbox, own_tables, reporting
from headrace.sales.lake import opened


@task
def load_delivery(delivery: str) -> str:
    """Load a delivered file."""
    return deliveries.load(delivery=uuid.UUID(delivery), at=timezone.now())


@task
def make_correction(correction: str) -> str:
    """Write the lines of an approved correction."""
    return correcting.carry_out(correction=uuid.UUID(correction), at=timezone.now())


@task
def close_gathering() -> int:
    """Make a delivery of the lines that programs sent; gives how many posts that are."""
    return gathering.close(at=timezone.now())


@task
def look_into_inbox() -> int:
    """Take the complete files of all watched folders; gives how many."""
    return inbox.look(at=timezone.now())


@task
def maintain_lake() -> int:
    """Put the lake in order and compact it; gives how many files of unfinished work were removed."""
    with opened() as lake:
        removed = lake.recover().removed
        lake.maintain()
    return removed


@task
def renew_reference_tables() -> list[str]:
    """Put in force what the application knows of partners, products and rates; gives the kinds that changed."""
    return own_tables.renew(at=timezone.now())


@task
def remind_reporters() -> int:
    """Write notices of reports that are due soon or missing; gives how many reports that are."""
    return reporting.remind(at=timezone.now())


events.listen(store.CHANGED, renew_reference_tables)
scheduled(maintain_lake, every=timedelta(days=1))
scheduled(look_into_inbox, every=timedelta(minutes=1))
scheduled(close_gathering, every=timedelta(minutes=1))
scheduled(remind_reporters, every=timedelta(days=1))
