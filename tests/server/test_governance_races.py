"""Two processes that decide the same at once, and one that is killed on the way: money and promises are there once."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server import installed
from tests.server.installed import Installation

START = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'headrace.server.settings'; django.setup()\n"
HEAD = """
import json, os, signal, sys
from datetime import date
from decimal import Decimal as D
from io import BytesIO
from django.db import connection, connections, transaction
from django.utils import timezone
from headrace.engine.findings import Refusal
from headrace.foundation import audit, companies, files, people
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.models import Person
from headrace.governance import adjusting, assigning, budgets
from headrace.governance.adjusting import Wanted
from headrace.governance.assigning import Whom
from headrace.governance.budgets import Wanted as Budget
from headrace.governance.models import Adjustment, Assignment
from headrace.ledger import proof, reading
from headrace.ledger.kinds import Kind
from headrace.programs import versions
from headrace.programs.models import Version
from headrace.workflow import requests
from headrace.workflow.models import Request
from tests.server import channel
from tests.server.channel import HEADER, JANUARY, TERMS

def who(name):
    return Person.objects.get(email=f"{name}@example.com")

def stand():
    rows = reading.balances(companies.find("US"), kinds=(Kind.ACCRUED, Kind.EARNED))
    return sorted([r.account.kind.value, r.account.key.payee, str(-r.amount)] for r in rows if r.account.key.fund and r.amount)
"""
SET_UP = """
LATER = TERMS.replace("name:", "version: 2\\nname:").replace("2026-01-01", "2026-04-01")
CAPPED = TERMS.replace("volume", "capped").replace(
    "schedule:", "enrolled: true\\nlimits: { payout: { per_scope: 100 } }\\nschedule:"
)
at = timezone.now()
with acting_as(Actor(None, "test", None)):
    admins = people.found(emails=("ada@example.com", "ben@example.com"), at=at)
    team = channel.team(admins)
    channel.activated(team)
    channel.activated(team, CAPPED)
    channel.delivered(team, JANUARY)
    budgets.ask(
        program="capped", wanted=Budget(amount=D(800), expected=D(0), currency="USD"), reason="plan", by=team.author, at=at
    )
    (asked,) = channel.waiting(team)
    requests.approve(request=asked.request, by=team.analyst, at=at)
    assigning.assign(program="capped", whom=Whom(partners=("A",)), from_on=date(2026, 1, 1), by=team.author, at=at)
    for number, day in ((2, "2026-04-01"), (3, "2026-07-01")):
        text = LATER.replace("version: 2", f"version: {number}").replace("2026-04-01", day)
        made = versions.draft(text=text, by=team.author, at=at)
        versions.step(version=made.pk, event="submit", by=team.author, at=at)
        channel.work()
        (asked,) = channel.waiting(team)
        requests.approve(request=asked.request, by=team.approver, at=at)
    kept = files.store(name="mail.csv", content=BytesIO(b"agreed,25\\n"), organisation="vendor", by=team.author, at=at)
    wanted = Wanted(
        program="volume", version=1, partner="A", from_=date(2026, 1, 1), until=date(2026, 4, 1), amount=D(25),
        currency="USD", reason_code="missing_lines", note="March", lines={"m1": D(15), "m2": D(10)},
    )
    adjusting.ask(wanted=wanted, evidence=kept.pk, by=team.author, at=at)
"""
RACE = """
me = who(NAME)
def tried(act):
    try:
        act()
    except Refusal as refusal:
        return refusal.code
    return "done"

print("READY", flush=True)
sys.stdin.readline()
at = timezone.now()
with acting_as(Actor(me.pk, "test", None)):
    waiting = Request.objects.get(kind="adjustment")
    third = Version.objects.get(program__code="volume", number=VERSION)
    told = [
        tried(lambda: requests.approve(request=waiting.pk, by=me, at=at)),
        tried(lambda: assigning.assign(
            program="capped", whom=Whom(partners=(NAME,)), from_on=date(2026, 1, 1), by=who("author"), at=at
        )),
        tried(lambda: versions.step(version=third.pk, event="activate", by=who("author"), at=at)),
    ]
print("LOOK" + json.dumps(told))
"""
AFTER = """
print("LOOK" + json.dumps({
    "stand": stand(),
    "adjustment": Adjustment.objects.get().state,
    "assigned": Assignment.objects.count(),
    "active": sorted(Version.objects.filter(program__code="volume", state="active").values_list("number", flat=True)),
    "proof": len(proof.prove().findings),
    "chain": len(audit.verify().findings),
}))
"""
KILL = """
with acting_as(Actor(None, "test", None)):
    waiting = Request.objects.get(kind="adjustment")
    requests.approve(request=waiting.pk, by=who("analyst"), at=timezone.now())
    channel.work()
    from headrace.sales import deliveries
    arrived = HEADER + "m1,sale,sell_through,2026-03-05,A,K1,1,150,USD\\n"
    made = deliveries.deliver(
        name="march.csv", content=BytesIO(arrived.encode()), kind="lines", profile="canonical", by=who("loader"),
        at=timezone.now(),
    )
    deliveries.load(delivery=made.pk, at=timezone.now())
"""
TAKE_BACK = """
count = 0
def counted(execute, *told):
    global count
    count += 1
    if count == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(*told)
with acting_as(Actor(None, "test", None)), connection.execute_wrapper(counted):
    if UNDO:
        with transaction.atomic():
            adjusting.take_back(at=timezone.now())
            transaction.set_rollback(True)
    else:
        adjusting.take_back(at=timezone.now())
print("LOOK" + json.dumps(count))
"""
SEEN = """
row = Adjustment.objects.get()
print("LOOK" + json.dumps([row.state, row.arrived, stand(), len(audit.verify().findings), len(proof.prove().findings)]))
"""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """An installation with an adjustment to decide, two approved amendments, and a budget for one partner more."""
    made = installed.make(tmp_path)
    made.run("migrate")
    made.python(HEAD + SET_UP)
    return made


def look(installation: Installation, program: str) -> Any:
    return json.loads(installation.python(HEAD + program).partition("LOOK")[2].splitlines()[0])


def test_two_deciders_at_once_do_each_thing_once(installation: Installation) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", f"{START}{HEAD}NAME, VERSION = {name!r}, {version}\n{RACE}"],
            env=installation.environment, cwd=installation.home, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        for name, version in (("analyst", 2), ("controller", 3))
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert any("READY" in line for line in process.stdout), process.wait()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [(process.communicate(timeout=300)[0], process.returncode) for process in started]
    assert [code for _, code in ends] == [0, 0], ends
    told = [json.loads(text.partition("LOOK")[2].splitlines()[0]) for text, _ in ends]
    # 100 × 4 quarters a partner: the budget of 800 holds A and one more.
    assert sorted(each[0] for each in told) == ["already_decided", "done"]
    assert sorted(each[1] for each in told) == ["budget_exceeded", "done"]
    assert sorted(each[2] for each in told) == ["amendment_overtaken", "done"]
    after = look(installation, AFTER)
    assert after["active"] in ([1, 2], [1, 3])
    assert (after["adjustment"], after["assigned"]) == ("posted", 2)
    assert after["stand"] == [["accrued", "A", "25.00"], ["earned", "A", "25.00"]]
    assert (after["proof"], after["chain"]) == (0, 0)


def test_a_killed_taking_back_takes_back_once(installation: Installation) -> None:
    installation.python(HEAD + KILL)
    statements = look(installation, f"DEADLY, UNDO = 0, True\n{TAKE_BACK}")
    assert statements > 10
    untouched = ["posted", [], [["accrued", "A", "25.00"], ["earned", "A", "25.00"]], 0, 0]
    for point in (1, statements // 4, statements // 2, statements * 3 // 4, statements - 2):
        program = f"{START}{HEAD}DEADLY, UNDO = {point}, False\n{TAKE_BACK}"
        ended = subprocess.run(
            [sys.executable, "-c", program], env=installation.environment, cwd=installation.home, check=False
        )
        assert (ended.returncode, look(installation, SEEN)) == (-signal.SIGKILL, untouched), point
    for _ in range(2):
        look(installation, f"DEADLY, UNDO = 0, False\n{TAKE_BACK}")
        # The share of m1 is 15; twice is once.
        assert look(installation, SEEN) == [
            "posted",
            ["m1"],
            [["accrued", "A", "10.00"], ["earned", "A", "10.00"]],
            0,
            0,
        ]
