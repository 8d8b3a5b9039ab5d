"""An installation whose worker is killed while repaired rows are loaded; run by test_repairs_crash.py."""

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.server import crashing_worker as home

# isort: split
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import audit, jobs, people
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.models import JobSchedule, Person
from headrace.programs import balances
from headrace.programs.live_totals import DatabaseTotals
from headrace.sales import deliveries, desk, repairing
from headrace.sales.models import Batch, Delivery, DeskRow
from tests.killing import serve
from tests.server.channel import team
from tests.server.shop import HEAD, opened, row_of, shop_file


def prepare(folder: Path) -> None:
    """Load the faulty file, repair its rows, and send them: two repairs wait, and one row of them was brought meanwhile."""
    home.at_home_in(folder)
    call_command("migrate", verbosity=0)
    with acting_as(Actor(None, "test")):
        ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=timezone.now())
        channel = team((ada, ben))
        for name in jobs._SCHEDULES:
            JobSchedule.objects.create(name=name, due_at=timezone.now() + timedelta(days=1000))
        opened(channel)
        faulty, at, by = shop_file(channel), timezone.now(), channel.loader
        repairing.correct(row=row_of(faulty, 5), values={"day": "2026-02-28"}, by=by, at=at)
        repairing.release(row=row_of(faulty, 6), reason="Two were sold", by=by, at=at)
        repairing.correct(row=row_of(faulty, 9), values={"qty": "1"}, by=by, at=at)
        shop_file(channel, HEAD + "R8,1,2026-01-10,B,K1,1,90\n", "sent anew.csv")
        repairing.map_name(kind="partner", source="shop", name="Acme Incorp.", code="A", by=by, at=at)
        repairing.send_again(delivery=faulty.pk, by=by, at=at)
    connections.close_all()


def carry_on(folder: Path) -> None:
    """Load what waits, as workers do that do not know how far it came; write what stands."""
    home.at_home_in(folder)
    with acting_as(Actor(None, "test")):
        home.run_jobs()
    (folder / "state.json").write_text(json.dumps(state(), indent=1))
    connections.close_all()


def hurry(folder: Path) -> None:
    """Load both repairs and press the button again, as another process does at the same moment."""
    home.at_home_in(folder)
    with acting_as(Actor(None, "test")):
        by = Person.objects.get(email="loader@example.com")
        faulty = Delivery.objects.get(name="shop.csv")
        for delivery in Delivery.objects.filter(repairs__isnull=False).order_by("name"):
            with suppress(Refusal):
                repairing.send_again(delivery=faulty.pk, by=by, at=timezone.now())
            deliveries.load(delivery=delivery.pk, at=timezone.now())
        balances.bring_up()
    connections.close_all()


def state() -> dict[str, Any]:
    """Say everything that must be as if nothing had happened.

    Left out: the warning that a row was released, which a second try has no reason for, since its own line is there.
    """
    viewer = Person.objects.get(email="loader@example.com")
    faulty = Delivery.objects.get(name="shop.csv")
    account = desk.account(faulty.pk, viewer, at=timezone.now())
    batches = Batch.objects.exclude(state="refused").order_by("source")
    return {
        "failed": [f"{each.name}: {each.fault}" for each in jobs.failed()],
        "batches": [list(row) for row in batches.values_list("source", "state", "accepted", "duplicates")],
        "deliveries": [[row.name, row.state, counts(row)] for row in Delivery.objects.order_by("name")],
        "rows": [
            [row.row, row.state, row.outcome, row.round, row.repair.name if row.repair else None]
            for row in DeskRow.objects.order_by("row")
        ],
        "account": [account.adds_up, *([name, part.rows] for name, part in account.parts.items())],
        "earned": [[each.key.payee_id, f"{each.earned:.2f}"] for each in DatabaseTotals().standings()],
        "audit": [each.message for each in audit.verify().findings],
    }


def counts(delivery: Delivery) -> dict[str, Any]:
    """Give the report of a delivery without the numbers of findings."""
    return {name: told for name, told in delivery.report.items() if name != "finding_counts"}


if __name__ == "__main__":
    serve(carry_on, watch=home.watch_database)
