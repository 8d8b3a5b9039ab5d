"""An installation whose worker is killed while it takes files from a watched folder; run by test_inbox.py."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.server import crashing_worker as home

# isort: split
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from headrace.foundation import audit, jobs, people
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.models import JobSchedule
from headrace.programs.live_totals import DatabaseTotals
from headrace.sales import inbox
from headrace.sales.models import Batch, Delivery, TakenFile
from tests.killing import serve
from tests.server.channel import FEBRUARY, JANUARY, activated, team


def at_home_in(folder: Path) -> None:
    """Work on the installation in a folder, whose inbox lies there too."""
    home.at_home_in(folder)
    settings.HEADRACE_INBOX = folder / "inbox"


def prepare(folder: Path) -> None:
    """Put three files into a watched folder; one is none that is taken."""
    at_home_in(folder)
    call_command("migrate", verbosity=0)
    with acting_as(Actor(None, "test")):
        ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=timezone.now())
        channel = team((ada, ben))
        for name in jobs._SCHEDULES:
            JobSchedule.objects.create(name=name, due_at=timezone.now() + timedelta(days=1000))
        activated(channel)
        inbox.watch(name="acme", profile="canonical", by=channel.loader, at=timezone.now())
        for name, text in (("january.csv", JANUARY), ("february.csv", FEBRUARY), ("picture.csv", "\x00\x01")):
            (folder / "inbox" / "acme" / name).write_text(text)
    connections.close_all()


def carry_on(folder: Path) -> None:
    """Look and load, as workers do that do not know how far it came; write what stands."""
    at_home_in(folder)
    with acting_as(Actor(None, "test")):
        inbox.look(at=timezone.now() + timedelta(minutes=1))
        home.run_jobs()
    (folder / "state.json").write_text(json.dumps(state(folder / "inbox" / "acme"), indent=1))
    connections.close_all()


def hurry(folder: Path) -> None:
    """Look, as another process does at the same moment."""
    at_home_in(folder)
    with acting_as(Actor(None, "test")):
        inbox.look(at=timezone.now() + timedelta(minutes=1))
    connections.close_all()


def state(folder: Path) -> dict[str, Any]:
    """Say everything that must be as if nothing had happened."""
    return {
        "failed": [f"{each.name}: {each.fault}" for each in jobs.failed()],
        "waiting": sorted(each.name for each in folder.iterdir() if each.is_file()),
        "done": len(list((folder / "done").iterdir())),
        "refused": sorted(each.suffix for each in (folder / "refused").iterdir()),
        "taken": [[each.name, each.refused] for each in TakenFile.objects.order_by("name")],
        "deliveries": [[each.name, each.state] for each in Delivery.objects.order_by("name")],
        "batches": sorted(Batch.objects.exclude(state="refused").values_list("source", "accepted")),
        "earned": [[each.key.payee_id, f"{each.earned:.2f}"] for each in DatabaseTotals().standings()],
        "audit": [each.message for each in audit.verify().findings],
    }


if __name__ == "__main__":
    serve(carry_on, watch=home.watch_database)
