"""The jobs of governance."""

import uuid

from django.tasks import task
from django.utils import timezone

from headrace.governance import reviewing


@task
def review_version(review: str) -> str:
    """Work out what a submitted version would change, and open its request."""
    return reviewing.carry_out(review=uuid.UUID(review), at=timezone.now())
