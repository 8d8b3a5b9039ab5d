"""The jobs of the foundation itself."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.tasks import task
from django.utils import timezone

from headrace.foundation.jobs import scheduled


@task
def clear_ended_sessions() -> int:
    """Remove sessions that ended by time, and give how many."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


scheduled(clear_ended_sessions, every=timedelta(days=1))
