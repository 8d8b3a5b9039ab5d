"""An installation whose worker is killed on the way, from a queued file to posted statements; run by test_worker_crashes.py."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.server.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.tasks import TaskResultStatus  # noqa: E402
from django.utils import timezone  # noqa: E402
from django_tasks_db.models import DBTaskResult  # noqa: E402

from headrace.engine.findings import Refusal  # noqa: E402
from headrace.foundation import audit, companies, jobs, people  # noqa: E402
from headrace.foundation.acts import Actor, acting_as  # noqa: E402
from headrace.foundation.models import JobSchedule, Person  # noqa: E402
from headrace.ledger import proof, reading  # noqa: E402
from headrace.programs import balances, finalising  # noqa: E402
from headrace.programs.live_totals import DatabaseTotals  # noqa: E402
from headrace.programs.models import Finalisation, FinalPosting, FinalRun  # noqa: E402
from headrace.sales import deliveries  # noqa: E402
from headrace.sales.models import Batch, Delivery  # noqa: E402
from headrace.workflow import requests  # noqa: E402
from headrace.workflow.models import Request  # noqa: E402
from tests.killing import Acts, serve  # noqa: E402
from tests.server.channel import FEBRUARY, JANUARY, activated, team  # noqa: E402

Q1 = datetime(2026, 1, 1, tzinfo=UTC).date()


def at_home_in(folder: Path) -> None:
    """Work on the installation in a folder; `database` in it names its database."""
    connections.close_all()
    connections["default"].settings_dict["NAME"] = (folder / "database").read_text()
    settings.HEADRACE_LAKE, settings.HEADRACE_FILES = folder / "lake", folder / "files"


def prepare(folder: Path) -> None:
    """Set an installation up: people, a program in force, two files that wait to be loaded."""
    at_home_in(folder)
    call_command("migrate", verbosity=0)
    with acting_as(Actor(None, "test")):
        ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=timezone.now())
        channel = team((ada, ben))
        for name in jobs._SCHEDULES:
            JobSchedule.objects.create(name=name, due_at=timezone.now() + timedelta(days=1000))
        activated(channel)
        for name, text in (("january.csv", JANUARY), ("february.csv", FEBRUARY)):
            deliveries.deliver(
                name=name,
                content=BytesIO(text.encode()),
                kind="lines",
                profile="canonical",
                by=channel.loader,
                at=timezone.now(),
            )
    connections.close_all()


def carry_on(folder: Path) -> None:
    """Load, post, ask, approve and finalise, as people and workers do that do not know how far it came; write what stands."""
    at_home_in(folder)
    with acting_as(Actor(None, "test")):
        run_jobs()
        by = {person.email.partition("@")[0]: person for person in Person.objects.all()}
        if not Finalisation.objects.exists():
            finalising.ask(program="volume", period_from=Q1, by=by["analyst"], at=timezone.now())
        run_jobs()
        for waiting in Request.objects.filter(state="open"):
            requests.approve(request=waiting.pk, by=by["controller"], at=timezone.now())
        run_jobs()
    (folder / "state.json").write_text(json.dumps(state(), indent=1))
    connections.close_all()


def hurry(folder: Path) -> None:
    """Do the very work of all jobs at once, as another process does at the same moment; whoever is second is refused or idle."""
    at_home_in(folder)
    with acting_as(Actor(None, "test")):
        by = {person.email.partition("@")[0]: person for person in Person.objects.all()}
        for delivery in Delivery.objects.order_by("delivered_at"):
            deliveries.load(delivery=delivery.pk, at=timezone.now())
        balances.bring_up()
        with suppress(Refusal):
            finalising.ask(program="volume", period_from=Q1, by=by["analyst"], at=timezone.now())
        for asked in Finalisation.objects.all():
            finalising.work_out(finalisation=asked.pk, at=timezone.now())
            for waiting in Request.objects.filter(state="open"):
                with suppress(Refusal):
                    requests.approve(request=waiting.pk, by=by["controller"], at=timezone.now())
            finalising.carry_out(finalisation=asked.pk, at=timezone.now())
    connections.close_all()


def run_jobs() -> None:
    """Run all jobs to their end, taking over what the dead left: an hour passes between two looks."""
    for hours in range(50):
        worker = jobs.Worker(f"{os.getpid()}:{hours}", partial(_later, hours))
        while worker.step():
            pass
        if not DBTaskResult.objects.filter(status__in=(TaskResultStatus.READY, TaskResultStatus.RUNNING)).exists():
            return
    raise AssertionError("jobs do not come to their end")


def _later(hours: int) -> datetime:
    return timezone.now() + timedelta(hours=hours)


def state() -> dict[str, Any]:
    """Say everything that must be as if nothing had happened.

    Numbers of batches are left out: while a file waits for its second try another may come first. A number that was left behind
    so is refused and holds nothing; every other batch is posted.
    """
    store = DatabaseTotals()
    posted: dict[str, Decimal] = {}
    for each in store.postings():
        posted[str(each.key)] = posted.get(str(each.key), Decimal(0)) + each.amount
    batches = Batch.objects.exclude(state="refused").order_by("source")
    return {
        "failed": [f"{each.name}: {each.fault}" for each in jobs.failed()],
        "batches": [list(row) for row in batches.values_list("source", "state", "accepted", "duplicates")],
        "deliveries": [
            [row.name, row.state, row.report, row.findings.count(), Batch.objects.get(pk=row.batch_seq or 0).source]
            for row in Delivery.objects.order_by("delivered_at")
        ],
        "standings": [str(each) for each in store.standings()],
        "posted": {key: f"{amount:f}" for key, amount in posted.items()},
        "requests": [list(row) for row in Request.objects.order_by("made_at").values_list("kind", "state")],
        "finalisations": [[each.state, each.figures] for each in Finalisation.objects.all()],
        "runs": [[each.sequence, each.state] for each in FinalRun.objects.all()],
        "final": [[each.payee_id, f"{each.amount:f}"] for each in FinalPosting.objects.order_by("payee_id", "pk")],
        **books(),
        "audit": [each.message for each in audit.verify().findings],
    }


def books() -> dict[str, Any]:
    """Say what stands on every account and what came to both its sides, how often a run was posted, and what a proof finds.

    Which batch or load provided what depends on which file came first; the sides of an account do not.
    """
    company = companies.find("US")
    finalised = {each.entry for each in reading.postings(company, size=1_000) if each.cause[0] == "finalisation"}
    return {
        "accounts": sorted(
            [each.account.kind.value, each.account.key.payee, each.debits, each.credits]
            for each in reading.balances(company)
        ),
        "finalised": len(finalised),
        "trial": [[row.kind.value, str(row.debit), str(row.credit)] for row in reading.trial_balance(company)],
        "proof": [each.message for each in proof.prove().findings],
    }


def watch_database(acts: Acts) -> None:
    """Count every statement and every commit as an act."""

    def counted(execute: Callable[..., Any], *args: Any) -> Any:
        acts.act()
        result = execute(*args)
        acts.act()
        return result

    connections["default"].execute_wrappers.append(counted)
    kind: Any = type(connections["default"])
    kind._commit = acts.around(kind._commit)


if __name__ == "__main__":
    serve(carry_on, watch=watch_database)
