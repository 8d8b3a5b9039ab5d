"""The jobs of the ledger."""

from datetime import timedelta

from django.tasks import task

from headrace.engine.findings import Refusal
from headrace.foundation.jobs import scheduled
from headrace.ledger import proof


@task
def prove_ledger() -> str:
    """Prove the books; what does not hold is a failed job that names its faults."""
    proven = proof.prove()
    if proven.findings:
        raise Refusal("ledger", "; ".join(finding.message for finding in proven.findings[:10]))
    return f"{proven.balances} balances, {proven.entries} entries, {proven.postings} postings"


scheduled(prove_ledger, every=timedelta(days=1))
