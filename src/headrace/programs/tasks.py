"""The jobs of programs."""

import uuid
from datetime import timedelta

from django.tasks import task
from django.utils import timezone

from headrace.foundation import events
from headrace.foundation.jobs import scheduled
from headrace.programs import accruing, balances, entering, finalising
from headrace.sales import deliveries


@task
def bring_up_balances() -> list[int]:
    """Bring live balances to the present; gives the batches that were posted."""
    return list(balances.bring_up())


@task
def provide_missing() -> None:
    """Provide in the books what was left out; what still has no place is a failed job that names it."""
    balances.provide_missing()


@task
def provide_accruals() -> int:
    """Bring provisions to what terms accrue, where that is not what is achieved; gives for how many claims that was asked."""
    return accruing.provide(at=timezone.now())


@task
def work_out_finalisation(finalisation: str) -> None:
    """Work out what a finalisation would post."""
    finalising.work_out(finalisation=uuid.UUID(finalisation), at=timezone.now())


@task
def carry_out_finalisation(finalisation: str) -> str:
    """Post an approved finalisation."""
    return finalising.carry_out(finalisation=uuid.UUID(finalisation), at=timezone.now())


events.listen(deliveries.LOADED, bring_up_balances)
events.listen(entering.ACCRUALS_DUE, provide_accruals)
scheduled(bring_up_balances, every=timedelta(minutes=5))
scheduled(provide_missing, every=timedelta(days=1))
scheduled(provide_accruals, every=timedelta(days=1))
