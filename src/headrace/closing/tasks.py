"""The jobs of closing."""

import uuid
from datetime import timedelta

from django.tasks import task
from django.utils import timezone

from headrace.closing import pack, proofs
from headrace.foundation.jobs import scheduled


@task
def prove_balances() -> int:
    """Prove live balances against a calculation in full; gives how many figures differ, for each of which there is an alarm."""
    return proofs.prove(proofs.Kind.BALANCES, at=timezone.now())


@task
def prove_books() -> int:
    """Prove the books; gives how many faults were found."""
    return proofs.prove(proofs.Kind.BOOKS, at=timezone.now())


@task
def prove_audit_trail() -> int:
    """Prove the audit chain; gives how many faults were found."""
    return proofs.prove(proofs.Kind.AUDIT_TRAIL, at=timezone.now())


@task
def make_audit_pack(which: str) -> str:
    """Make an audit pack; gives its hash."""
    return pack.make(pack=uuid.UUID(which), at=timezone.now())


for _task in (prove_balances, prove_books, prove_audit_trail):
    scheduled(_task, every=timedelta(days=1))
