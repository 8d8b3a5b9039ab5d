"""The jobs of the API."""

from datetime import timedelta

from django.tasks import task
from django.utils import timezone

from headrace.api.models import AnsweredCall
from headrace.foundation.jobs import scheduled

KEPT = timedelta(days=30)
"""How long a write can be sent again under its key without being done again."""


@task
def forget_answers() -> int:
    """Remove answers that are older than `KEPT`, and give how many."""
    return AnsweredCall.objects.filter(at__lt=timezone.now() - KEPT).delete()[0]


scheduled(forget_answers, every=timedelta(days=1))
