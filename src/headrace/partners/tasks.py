"""The jobs of partners."""

from datetime import timedelta

from django.tasks import task
from django.utils import timezone

from headrace.foundation.jobs import scheduled
from headrace.partners import levels


@task
def review_levels() -> str:
    """Propose, drop and apply changes of level."""
    done = levels.review(at=timezone.now())
    return f"{done.proposed} proposed, {done.applied} applied, {done.lapsed} lapsed"


scheduled(review_levels, every=timedelta(days=1))
