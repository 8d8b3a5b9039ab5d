"""What runs in processes of their own: writers at once, and writers that are killed. Prints what the tests read."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import connection

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts, audit, companies, people
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.roles import VENDOR, Role
from headrace.ledger import flows, funds, periods, proof, reading
from headrace.ledger.desk import Key
from headrace.ledger.flows import Item
from headrace.ledger.journal import Cause, Event
from headrace.ledger.kinds import Kind
from headrace.ledger.models import Entry, Posting

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ME = Actor(None, "test")
PAYEES = 20
D = Decimal


def found() -> None:
    """Found the installation, with one controller."""
    with acting_as(ME):
        ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=NOW)
        member = people.invite(email="cleo@example.com", name="Cleo", organisation=VENDOR, by=ada, at=NOW)
        asked = access.request_role(membership=member.pk, role=Role.CONTROLLER, by=ada, from_on=NOW.date(), at=NOW)
        access.approve_role(grant=asked.pk, by=ben, at=NOW)


def company(code: str) -> companies.Company:
    """Give a company with open books, made if need be."""
    with acting_as(ME):
        known = [one for one in companies.listed() if one.code == code]
        if known:
            return known[0]
        ada, _, cleo = sorted(people.Person.objects.all(), key=lambda person: person.email)
        one = companies.open_company(code=code, name=code, functional_currency="EUR", by=ada, at=NOW)
        periods.open_books(company=one, first_on=date(2026, 1, 1), by=cleo, at=NOW)
        return one


def key(payee: int, fund: str = "") -> Key:
    return Key(
        currency="EUR",
        payee_kind="partner",
        payee=f"P{payee}",
        program="vol",
        period="2026-01-01/2026-04-01",
        fund=fund,
    )


def event(of: companies.Company, name: str) -> Event:
    cleo = people.with_email("cleo@example.com")
    return Event(company=of, cause=Cause("test", f"{of.code}-{name}"), on=date(2026, 1, 15), at=NOW, by=cleo)


def items(amount: Callable[[int], int], payees: range = range(PAYEES)) -> list[Item]:
    return [Item(key=key(payee), amount=D(amount(payee)), version="vol/1") for payee in payees]


# --- writers at once -------------------------------------------------------------------------------------------------------


def at_once() -> None:
    """Let four threads post the same twenty batches and race for the same money; print what came of it."""
    found()
    one = company("DE")
    with acting_as(ME):
        flows.provide(event(one, "first"), items(lambda _: 1_000))
        funds.grant(event(one, "grant"), funds.Step(key=key(1, "F"), amount=D(100), version="mdf/1"))
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def write(number: int) -> None:
        start.wait()
        order = random.Random(number)
        for batch in range(20):
            # Everybody posts the same batch.
            _note(outcomes, "batch", partial(flows.approve, event(one, f"b{batch}"), items(lambda _: 10)))
            # Everybody reserves from one fund of 100, ten at a time, under a cause of their own.
            step = funds.Step(key=key(1, "F"), amount=D(10), version="mdf/1")
            _note(outcomes, "fund", partial(funds.reserve, event(one, f"f{number}-{batch}"), step))
            # And accounts that overlap in other orders, so that locks taken carelessly would wait in a circle.
            some = items(lambda _: 1)
            order.shuffle(some)
            _note(outcomes, "own", partial(flows.approve, event(one, f"o{number}-{batch}"), some))
            # New accounts, made by everybody at the same time.
            new = items(lambda _: 5, range(1_000 + batch * 5, 1_005 + batch * 5))
            order.shuffle(new)
            _note(outcomes, "new", partial(flows.provide, event(one, f"n{number}-{batch}"), new))
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found_ = {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}
    print(json.dumps({"outcomes": found_, **_state(one)}))


def closing() -> None:
    """Close January while three threads post into it; print how many were in it at that moment, and in the end."""
    found()
    one = company("DE")
    cleo = next(person for person in people.Person.objects.all() if person.email.startswith("cleo"))
    january = periods.standings(one)[-1]
    outcomes: list[str] = []
    inside: list[int] = []
    start, closed = threading.Barrier(4), threading.Event()

    def write(number: int) -> None:
        start.wait()
        for batch in range(40):
            if batch == 38:
                closed.wait(60)  # the last ones come after it, however the others met it
            _note(
                outcomes,
                "own",
                partial(flows.provide, event(one, f"c{number}-{batch}"), items(partial(_estimate, batch))),
            )
        connection.close()

    def close() -> None:
        start.wait()
        while not Posting.objects.exists():
            pass
        with acting_as(ME), acts.act("close_and_count", at=NOW):
            periods.soft_close(period=january.id, by=cleo, at=datetime(2026, 3, 5, tzinfo=UTC))
            inside.append(Posting.objects.filter(period_id=january.id).count())
        closed.set()
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)] + [threading.Thread(target=close)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = [Posting.objects.filter(period_id=period.id).count() for period in reversed(periods.standings(one))]
    print(json.dumps({"inside": inside[0], "now": now, "outcomes": sorted(set(outcomes)), **_state(one)}))


def _note(outcomes: list[str], what: str, act: Callable[[], Any]) -> None:
    with acting_as(ME):
        try:
            posted = act()
        except Refusal as refusal:
            outcomes.append(f"{what} {refusal.code}")
        except Exception as error:  # whatever it is, the test shows it
            outcomes.append(f"{what} {type(error).__name__}")
        else:
            outcomes.append(f"{what} {'repeated' if posted.repeated else 'posted'}")


def _state(one: companies.Company) -> dict[str, Any]:
    stand = {
        kind.value: str(-sum((row.amount for row in reading.balances(one, kinds=[kind])), D(0)))
        for kind in (Kind.ACCRUED, Kind.PAYABLE, Kind.FUND_AVAILABLE, Kind.FUND_RESERVED)
    }
    faults = [finding.message for finding in (*proof.prove().findings, *audit.verify().findings)]
    return {"stand": stand, "faults": faults}


# --- writers that are killed ---------------------------------------------------------------------------------------------


def _batches(one: companies.Company) -> None:
    """Post eight batches of all payees; twice is once."""
    with acting_as(ME):
        for batch in range(1, 7):
            flows.provide(event(one, f"provide {batch}"), items(partial(_estimate, batch)))
        flows.finalise(event(one, "finalise"), items(lambda payee: 65 + payee + 1))
        flows.approve(event(one, "approve"), items(lambda _: 5))


def _estimate(batch: int, payee: int) -> int:
    return batch * 10 + payee + 1


def killed(first: int, last: int) -> None:
    """Kill a writer at a seeded moment, once for each seed, look at what it left, and let another finish; print the faults."""
    faults: list[str] = []
    deaths = 0
    statements, seconds = _undisturbed(f"U{first}")
    for seed in range(first, last):
        code = f"K{seed}"
        _in_child(partial(company, code))
        died = _in_child(partial(_dying, seed, code, statements, seconds))
        deaths += died != 0
        wrong = [one for one in (_left_whole, _finished) if _in_child(partial(one, code))]
        faults += [f"seed {seed}: {check.__name__}" for check in wrong]
    print(json.dumps({"deaths": deaths, "faults": faults}))


def _undisturbed(code: str) -> tuple[int, float]:
    """Give how many statements and seconds a writer needs that nobody kills."""
    _in_child(partial(company, code))
    reading_end, writing_end = os.pipe()

    def measure() -> None:
        one = company(code)
        statements = 0

        def count(execute: Any, *arguments: Any) -> Any:
            nonlocal statements
            statements += 1
            return execute(*arguments)

        begun = time.perf_counter()
        with connection.execute_wrapper(count):
            _batches(one)
        os.write(writing_end, json.dumps([statements, time.perf_counter() - begun]).encode())

    assert _in_child(measure) == 0
    os.close(writing_end)
    with os.fdopen(reading_end) as pipe:
        statements, seconds = json.load(pipe)
    return statements, seconds


def _dying(seed: int, code: str, statements: int, seconds: float) -> None:
    """Die before or after a statement of the database, or at a moment in between."""
    chance = random.Random(seed)
    one = company(code)
    if seed % 2:
        # Its signal ends the process at once.
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(seconds / 100, seconds))
        _batches(one)
        return
    left = chance.randint(1, statements)
    after = chance.random() < 0.5

    def count(execute: Any, *arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = execute(*arguments)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    with connection.execute_wrapper(count):
        _batches(one)


def _left_whole(code: str) -> None:
    """What the dead one left: whole entries only, in their order, and books that hold."""
    one = company(code)
    names = list(Entry.objects.filter(company=one).order_by("at").values_list("cause", flat=True))
    wanted = [f"{code}-provide {batch}" for batch in range(1, 7)] + [f"{code}-finalise", f"{code}-approve"]
    assert set(names) == set(wanted[: len(names)]), names
    for entry in Entry.objects.filter(company=one):
        # Finalising states what was earned and trues the provision: two postings for each payee.
        expected = PAYEES * (2 if entry.cause.endswith("finalise") else 1)
        assert Posting.objects.filter(entry=entry).count() == expected, entry.cause
    assert proof.prove().findings == ()
    assert audit.verify().findings == ()


def _finished(code: str) -> None:
    """Another worker posts everything again: the books are as if nobody had died."""
    one = company(code)
    _batches(one)
    for payee in range(PAYEES):
        rows = reading.balances(one, payee=("partner", f"P{payee}"))
        stand = {row.account.kind.value: -row.amount for row in rows if row.net}
        # Finalised at 66 + payee, of which 5 are approved.
        assert stand == {
            "contra_revenue": D(-66 - payee), "accrued": D(61 + payee), "payable": D(5), "earned": D(66 + payee),
            "earned_control": D(-66 - payee),
        }, stand  # fmt: skip
    _left_whole(code)


def _in_child(act: Callable[[], Any]) -> int:
    """Run it in a process of its own, which opens its own connection; give how it ended."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
