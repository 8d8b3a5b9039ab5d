"""The jobs of master data."""

import uuid

from django.tasks import task
from django.utils import timezone

from headrace.masterdata import importing


@task
def run_queued_import(run: str) -> None:
    """Bring in the file of a run."""
    importing.run_import(run=uuid.UUID(run), at=timezone.now())
