"""Two processes that write master data at once, and one that is killed: nothing is lost, nothing is there by half."""

import json
import signal
import subprocess
import sys

import pytest

from tests.server import installed
from tests.server.installed import Installation

START = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'headrace.server.settings'; django.setup()\n"
PEOPLE = """
from django.utils import timezone
from headrace.foundation import access, people
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.roles import Role
now = timezone.now()
with acting_as(Actor(None, "test", None)):
    ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=now)
    member = people.invite(email="op@example.com", name="Op", organisation="vendor", by=ada, at=now)
    asked = access.request_role(membership=member.pk, role=Role.CHANNEL_OPERATIONS, by=ada, from_on=now.date(), at=now)
    access.approve_role(grant=asked.pk, by=ben, at=now)
"""
WRITE = """
from datetime import date, timedelta
from django.utils import timezone
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.models import Person
from headrace.masterdata import editing
from headrace.masterdata.editing import Edit
op = Person.objects.get(email="op@example.com")
with acting_as(Actor(op.pk, "test", None)):
    for n in range(15):
        # Both say something of the same partner, each of days and a field of its own, and open one of their own.
        day = date(2026, 1, 1) + timedelta(days=n)
        values = {"name": "S", WHO: f"v{n}"}
        until = day + timedelta(days=1)
        edit = Edit(kind="partner", code="SHARED", values=values, from_on=day, until_on=until, opens=True)
        editing.say(edit, by=op, at=timezone.now())
        own = Edit(kind="partner", code=f"{WHO}-{n}", values={"name": "x"}, from_on=None, opens=True)
        editing.say(own, by=op, at=timezone.now())
"""
LOOK = """
import json
from headrace.foundation import audit
from headrace.masterdata import store
from headrace.masterdata.models import Revision
held = store.history("partner")
print("LOOK" + json.dumps({
    "partners": len(held),
    "region": [span.value for span in held.get("SHARED", {}).get("region", ())],
    "territory": [span.value for span in held.get("SHARED", {}).get("territory", ())],
    "gapless": [row.seq for row in Revision.objects.order_by("seq")] == list(range(1, store.last_revision() + 1)),
    "rising": [r.at for r in Revision.objects.order_by("seq")] == sorted(r.at for r in Revision.objects.all()),
    "chain": len(audit.verify().findings),
}))
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give an installation with one person who may repair and load data."""
    made = installed.make(tmp_path_factory.mktemp("installed"))
    made.run("migrate")
    made.python(PEOPLE)
    return made


def started(installation: Installation, program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START + program],
        env=installation.environment,
        cwd=installation.home,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def look(installation: Installation) -> dict[str, object]:
    shown: dict[str, object] = json.loads(installation.python(LOOK).partition("LOOK")[2])
    return shown


def test_two_writers_at_once_lose_nothing(installation: Installation) -> None:
    both = [started(installation, f"WHO = {field!r}\n" + WRITE) for field in ("region", "territory")]
    ends = [(process.communicate(timeout=300)[0], process.returncode) for process in both]
    assert [code for _, code in ends] == [0, 0], ends
    values = [f"v{n}" for n in range(15)]
    seen = look(installation)
    assert (seen["partners"], seen["region"], seen["territory"]) == (31, values, values)
    assert (seen["gapless"], seen["rising"], seen["chain"]) == (True, True, 0)


KILL = """
import json, os, signal
from django.db import connection, connections, transaction
from django.utils import timezone
from headrace.foundation import audit
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.models import Person
from headrace.masterdata import importing, store
from headrace.masterdata.importing import Upload
from headrace.masterdata.models import Fact, ImportFinding, ImportRun
op = Person.objects.get(email="op@example.com")
rows = "".join(f"C{n},Customer {n},ES\\n" for n in range(50))
content = ("customer_id,name,country\\n" + rows + "C50,Faulty,Spain\\n").encode()
with acting_as(Actor(op.pk, "test", None)):
    upload = Upload(what="customer", source="erp", name="c.csv", content=content, from_on=timezone.now().date())
    run = importing.request_import(upload, by=op, at=timezone.now())

def bring_in(deadly, undo=False):
    count = 0
    def counted(execute, *told):
        nonlocal count
        count += 1
        if count == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*told)
    with acting_as(Actor(None, "test", None)), connection.execute_wrapper(counted), transaction.atomic():
        importing.run_import(run=run, at=timezone.now())
        transaction.set_rollback(undo)
    return count

def seen():
    facts = Fact.objects.filter(entry__kind="customer").count()
    runs = list(ImportRun.objects.values_list("state", "loaded"))
    return [len(store.history("customer")), facts, ImportFinding.objects.count(), runs, len(audit.verify().findings)]

def in_a_child(deadly, undo=False):
    connections.close_all()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # should the child of a forked process ever hang, it ends and the test says so
        os.write(write_end, str(bring_in(deadly, undo)).encode())
        os._exit(0)
    os.close(write_end)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, int(os.read(read_end, 20) or 0)

_, statements = in_a_child(0, undo=True)
points = [1, *(statements * part // 8 for part in range(1, 8)), statements]
told = {"statements": statements, "killed": [[in_a_child(point)[0], seen()] for point in points]}
bring_in(0), bring_in(0)
print("LOOK" + json.dumps({**told, "after": seen()}))
"""


def test_a_killed_import_leaves_nothing_by_half(installation: Installation) -> None:
    told = json.loads(installation.python(KILL).partition("LOOK")[2].splitlines()[0])
    assert told["statements"] > 20
    assert told["killed"] == [[-signal.SIGKILL, [0, 0, 0, [["queued", 0]], 0]]] * 9
    # 50 customers of 3 facts: that they exist, name, country; one row was faulty. Twice is once.
    assert told["after"] == [50, 150, 1, [["loaded", 50]], 0]
