"""The jobs of the foundation itself."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.tasks import task
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import audit
from headrace.foundation.jobs import scheduled


@task
def prove_audit_trail() -> str:
    """Prove the audit chain; a chain that does not verify is a failed job that names its faults."""
    verified = audit.verify()
    if verified.findings:
        raise Refusal("audit_chain", "; ".join(finding.message for finding in verified.findings[:10]))
    return str(verified.head)


@task
def clear_ended_sessions() -> int:
    """Remove sessions that ended by time, and give how many."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


scheduled(prove_audit_trail, every=timedelta(days=1))
scheduled(clear_ended_sessions, every=timedelta(days=1))
