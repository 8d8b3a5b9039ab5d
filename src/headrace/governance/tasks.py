"""The jobs of governance."""

import uuid
from datetime import timedelta

from django.tasks import task
from django.utils import timezone

from headrace.foundation import events
from headrace.foundation.jobs import scheduled
from headrace.governance import adjusting, reviewing, shadow
from headrace.sales import deliveries


@task
def review_version(review: str) -> str:
    """Work out what a submitted version would change, and open its request."""
    return reviewing.carry_out(review=uuid.UUID(review), at=timezone.now())


@task
def take_back_arrived() -> int:
    """Take back what adjustments owe for lines that arrived; gives of how many."""
    return adjusting.take_back(at=timezone.now())


@task
def work_out_shadow(asked: str) -> str:
    """Hold a version against old results."""
    return shadow.work_out(shadow=uuid.UUID(asked), at=timezone.now())


events.listen(deliveries.LOADED, take_back_arrived)
scheduled(take_back_arrived, every=timedelta(days=1))
