"""Invariants of the books under random flows, under writers at once, and under writers that are killed."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.engine.findings import Refusal
from headrace.foundation import audit
from headrace.ledger import exchange, flows, funds, proof, reading
from headrace.ledger.flows import Item
from headrace.ledger.journal import Cause, Event
from headrace.ledger.kinds import Kind, Side
from headrace.ledger.models import Entry, Posting
from tests.server import installed
from tests.server.books import Q1, Q2, Books, D, key

LATER = datetime(2026, 12, 1, tzinfo=UTC)
KEYS = [
    key(payee, period=period, currency=currency)
    for payee in ("P1", "P2")
    for period in (Q1, Q2)
    for currency in ("EUR", "USD")
]
ITEM = st.builds(
    Item,
    key=st.sampled_from(KEYS),
    amount=st.integers(1, 50_000).map(lambda cents: Decimal(cents) / 100),
    version=st.just("vol/1"),
    rate=st.decimals("0.50", "1.50", places=4),
)
SIGNED = st.builds(
    Item,
    key=st.sampled_from(KEYS),
    amount=st.integers(-10_000, 50_000).map(lambda cents: Decimal(cents) / 100),
    version=st.just("vol/1"),
    rate=st.decimals("0.50", "1.50", places=4),
)
STEP = st.builds(
    funds.Step,
    key=st.sampled_from([key(fund="F1"), key(fund="F2", currency="USD")]),
    amount=st.integers(1, 50_000).map(lambda cents: Decimal(cents) / 100),
    version=st.just("mdf/1"),
    rate=st.decimals("0.50", "1.50", places=4),
)
type Flow = Callable[[Event], Any]


def of_items(item: Any, *acts: Callable[..., Any]) -> Any:
    made = st.tuples(st.sampled_from(acts), st.lists(item, min_size=1, max_size=3, unique_by=lambda one: one.key))
    return made.map(lambda chosen: lambda event: chosen[0](event, chosen[1]))


def settled(event: Event, items: list[Item]) -> Any:
    return flows.settle(event, items, by=Kind.CASH)


def netted(chosen: tuple[str, str]) -> Flow:
    return lambda event: flows.net(event, payee_kind="partner", payee=chosen[0], currency=chosen[1])


FLOW = st.one_of(
    of_items(SIGNED, flows.provide, flows.finalise),
    of_items(ITEM, flows.approve, settled, flows.release, flows.recover, flows.write_off),
    st.tuples(st.sampled_from(["P1", "P2"]), st.sampled_from(["EUR", "USD"])).map(netted),
    st.tuples(st.sampled_from([funds.grant, funds.reserve, funds.spend, funds.give_back, funds.end]), STEP).map(
        lambda chosen: lambda event: chosen[0](event, chosen[1])
    ),
)
WHAT = st.one_of(
    st.tuples(st.just("flow"), FLOW, st.integers(0, 85)),
    st.tuples(st.just("again"), st.integers(0, 30), st.none()),
    st.tuples(st.just("void"), st.integers(0, 30), st.integers(0, 85)),
    st.tuples(st.just("month end"), st.decimals("0.50", "1.50", places=4), st.none()),
)


def carry_out(books: Books, plan: list[Any]) -> None:
    """Carry out what was drawn; a refusal leaves everything as it was, a retry too."""
    done: list[tuple[Event, Flow]] = []
    month = 1
    for what, chosen, day in plan:
        before = (Entry.objects.count(), Posting.objects.count())
        try:
            if what == "flow":
                event = books.event(date(2026, 1, 1) + timedelta(days=day))
                chosen(event)
                done.append((event, chosen))
            elif what == "again" and done:
                event, flow = done[chosen % len(done)]
                assert flow(event).repeated
                assert (Entry.objects.count(), Posting.objects.count()) == before
            elif what == "void" and done:
                memo = done[chosen % len(done)][0].cause
                on = date(2026, 1, 1) + timedelta(days=day)
                flows.void(books.event(on, Cause("void", str(memo))), settlement=memo)
            elif what == "month end" and month <= 3:
                books.provide("0", date(2026, month, 1), key("P9"))
                books.close(month, lock=False)
                rates = {"USD": chosen}
                exchange.revalue(company=books.company, period=books.month(month).id, rates=rates, at=LATER)
                books.close(month)
                month += 1
        except Refusal as refusal:
            if refusal.code not in {"balance_short", "settlement_unknown"}:
                raise
            assert (Entry.objects.count(), Posting.objects.count()) == before


def books_hold(books: Books) -> None:
    """Assert what is always so."""
    assert proof.prove().findings == ()
    assert audit.verify().findings == ()
    for of in ({}, {"as_of": date(2026, 2, 15)}, {"known_at": books.now - timedelta(hours=5)}):
        figures = reading.trial_balance(books.company, **of)
        for currency in {one.currency for one in figures}:
            own = [one for one in figures if one.currency == currency]
            assert sum(one.debit for one in own) == sum(one.credit for one in own)
        assert sum(one.functional_debit for one in figures) == sum(one.functional_credit for one in figures)
    for row in reading.balances(books.company):
        side = row.account.kind.side
        signed = row.net if side is Side.DEBIT else -row.net
        value = row.functional_net if side is Side.DEBIT else -row.functional_net
        if side is not Side.EITHER:
            assert signed >= 0
            assert value >= 0
            assert signed or not value, "what is at zero carries zero"
        if row.account.key.currency == "EUR":
            assert row.net == row.functional_net
    rolls(books)


def rolls(books: Books) -> None:
    """Opening and columns give the closing, and that is the next opening; the last closing is what stands now."""
    company = books.company
    liable = (Kind.ACCRUED, Kind.PAYABLE)
    revalued = (Kind.ACCRUED_REVALUED, Kind.PAYABLE_REVALUED)
    for functional in (True, False):
        last = D(0)
        for start, end in ((1, 2), (2, 3), (3, 4), (4, 13)):
            until = date(2027, 1, 1) if end == 13 else date(2026, end, 1)
            rows = reading.roll_forward(company, from_on=date(2026, start, 1), until_on=until, functional=functional)
            for row in rows:
                assert row.opening + sum(row.columns.values(), D(0)) == row.closing
            assert sum((row.opening for row in rows), D(0)) == last
            last = sum((row.closing for row in rows), D(0))
        now = reading.balances(company, kinds=(*liable, *revalued) if functional else liable)
        assert last == -sum((D(row.functional_net if functional else row.net) for row in now), D(0)) / 100


def play(books: Books, plan: list[Any]) -> None:
    with transaction.atomic():
        carry_out(books, plan)
        books_hold(books)
        transaction.set_rollback(True)


RELAXED = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=20, deadline=None, suppress_health_check=RELAXED)
@given(plan=st.lists(WHAT, min_size=4, max_size=25))
def test_random_flows_keep_every_invariant(books: Books, plan: list[Any]) -> None:
    play(books, plan)


@pytest.mark.soak
@settings(max_examples=1_000, deadline=None, suppress_health_check=RELAXED)
@given(plan=st.lists(WHAT, min_size=4, max_size=60))
def test_many_random_flows_keep_every_invariant(books: Books, plan: list[Any]) -> None:
    play(books, plan)


@settings(max_examples=20, deadline=None, suppress_health_check=RELAXED)
@given(
    targets=st.lists(st.integers(-20_000, 50_000), min_size=1, max_size=6),
    parts=st.lists(st.integers(1, 100), max_size=6),
)
def test_whatever_was_paid_the_books_account_for_what_was_earned(
    books: Books, targets: list[int], parts: list[int]
) -> None:
    """Accrued + payable + settled − overpaid is the entitlement after every finalising."""
    moves: tuple[Callable[[str], object], ...] = (books.approve, books.settle)
    with transaction.atomic():
        for number, cents in enumerate(targets):
            books.finalise(str(D(cents) / 100))
            one = books.stand(Kind.ACCRUED, Kind.PAYABLE, Kind.RECEIVABLE, Kind.OVERPAID)
            assert sum(one.values(), D(0)) == D(cents) / 100
            assert not (one.get("accrued") and one.get("overpaid"))
            for share, move, kind in zip(parts[number:], moves, (Kind.ACCRUED, Kind.PAYABLE), strict=False):
                amount = (books.of(kind) * share / 100).quantize(D("0.01"), rounding="ROUND_DOWN")
                if amount:
                    move(str(amount))
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> installed.Installation:
    made = installed.make(tmp_path_factory.mktemp("ledger"))
    made.run("migrate")
    return made


def test_writers_at_once_post_everything_once(tmp_path: Path) -> None:
    made = installed.make(tmp_path)
    made.run("migrate")
    told = json.loads(made.python("from tests.server import ledger_processes as it; it.at_once()").splitlines()[-1])
    # 4 writers × 20 batches: each batch once. The fund of 100 gives ten times 10. Everybody's own batch is posted; the
    # new accounts get 5 from whoever is first, and the other three find the provision there.
    assert told["outcomes"] == {
        "batch posted": 20, "batch repeated": 60, "fund balance_short": 70, "fund posted": 10, "new posted": 80,
        "own posted": 80,
    }  # fmt: skip
    # 20 payees: 1,000 − 20 × 10 − 80 × 1 accrued; and 100 new payees with 5.
    assert told["stand"] == {
        "accrued": str(D("20.00") * 720 + 500), "payable": str(D("20.00") * 280), "fund_available": "0.00",
        "fund_reserved": "-100.00",
    }  # fmt: skip
    assert told["faults"] == []


def test_nothing_gets_into_a_period_once_it_is_closed(tmp_path: Path) -> None:
    made = installed.make(tmp_path)
    made.run("migrate")
    told = json.loads(made.python("from tests.server import ledger_processes as it; it.closing()").splitlines()[-1])
    january, february = told["now"]
    assert (told["outcomes"], told["faults"]) == (["own posted"], [])
    assert 0 < january == told["inside"]
    assert february > 0


def kill(installation: installed.Installation, first: int, last: int) -> dict[str, Any]:
    program = f"from tests.server import ledger_processes as it; it.killed({first}, {last})"
    lines = installation.python(program).splitlines()
    told: dict[str, Any] = json.loads(lines[-1])
    assert told["faults"] == [], lines
    return told


def test_a_killed_writer_leaves_all_or_nothing_and_another_finishes(installation: installed.Installation) -> None:
    installation.python("from tests.server import ledger_processes as it; it.found()")
    # So that a test that never kills cannot pass: every even seed counts statements, and dies at one that comes.
    assert kill(installation, 0, 25)["deaths"] >= 13


@pytest.mark.soak
def test_a_thousand_killed_writers(tmp_path: Path) -> None:
    for first in range(1_000, 2_000, 50):
        # Everything that is there is proven after each death, so a new installation now and then keeps that short.
        home = tmp_path / str(first)
        home.mkdir()
        made = installed.make(home)
        made.run("migrate")
        made.python("from tests.server import ledger_processes as it; it.found()")
        kill(made, first, first + 50)
