"""What is in the lake and wrong is undone or corrected by lines, once, by two people, and balances follow."""

from datetime import date
from decimal import Decimal

import duckdb
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from headrace.engine.findings import Refusal
from headrace.foundation import audit
from headrace.foundation.models import Person
from headrace.programs import balances, finalising
from headrace.programs.models import Finalisation, FinalPosting
from headrace.sales import correcting, deliveries
from headrace.sales.lake import opened as lake_opened
from headrace.sales.models import Batch, Correction
from headrace.workflow import requests
from tests.server.channel import FEBRUARY, HEADER, JANUARY, Team, activated, delivered, team, work
from tests.server.conftest import Admins
from tests.server.shop import loader_too
from tests.server.test_routes import with_second_factor

CHANGES = """\
profile: changing
name: A source that sends changes
source: ch
dates: {order: ymd}
line_key: {columns: [doc]}
mode: changes
fields:
  occurred_on: day
  partner_id: dealer
  quantity: qty
  amount: amount
  currency: {constant: USD}
"""


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people, and a program in force: 10 % up to 1,000, 20 % beyond."""
    made = team(admins)
    activated(made)
    return made


@pytest.fixture
def second(channel: Team, admins: Admins) -> Person:
    """Give a second person who repairs."""
    return loader_too(channel, admins)


def earned(channel: Team) -> dict[str, Decimal]:
    found = balances.seen(channel.controller, at=timezone.now())
    return {each.key.payee_id: each.earned for each in found.standings}


def decided(second: Person) -> None:
    """Approve what waits, and let the worker do it."""
    for each in requests.listed(second, at=timezone.now()):
        if each.state == "open":
            requests.approve(request=each.request, by=second, at=timezone.now())
    work()


def lines() -> list[tuple[object, ...]]:
    with lake_opened() as lake, duckdb.connect() as con:
        files = [str(path) for path in lake.lines().paths]
        return con.execute(
            "SELECT line_id, kind, occurred_on::VARCHAR, quantity, amount, original_line_id FROM read_parquet(?) ORDER BY 1",
            [files],
        ).fetchall()


def code_of(refused: pytest.ExceptionInfo[Refusal]) -> str:
    return refused.value.code


def test_a_batch_is_undone_by_lines_that_cancel_it(channel: Team, second: Person) -> None:
    delivered(channel, JANUARY)
    delivered(channel, FEBRUARY, name="february.csv")
    assert earned(channel) == {"A": 140, "B": 5}
    asked = correcting.ask_to_reverse(batch=1, reason="The wrong month", by=channel.loader, at=timezone.now())
    assert asked.shown == {
        "batch": 1, "file": "june.csv", "lines_cancelled": 2, "lines_that_stand_again": 0,
        "quantity": "2.000000", "money": {"USD": "650.000000"},
    }  # fmt: skip
    assert earned(channel) == {"A": 140, "B": 5}
    decided(second)
    assert earned(channel) == {"A": 60, "B": 0}
    assert lines() == [
        ("a1", "sale", "2026-01-05", 1, 600, None),
        ("a1~r", "return", "2026-01-05", -1, -600, "a1"),
        ("a2", "sale", "2026-02-05", 1, 600, None),
        ("b1", "sale", "2026-02-28", 1, 50, None),
        ("b1~r", "return", "2026-02-28", -1, -50, "b1"),
    ]
    assert Correction.objects.get().batch_seq == 3
    for reason in ("again", "and again"):
        with pytest.raises(Refusal) as refused:
            correcting.ask_to_reverse(batch=1, reason=reason, by=channel.loader, at=timezone.now())
        assert code_of(refused) == "nothing_stands"
    assert balances.prove() == 2
    assert audit.verify().findings == ()


def test_a_line_is_corrected_by_a_reversal_and_its_next_version(channel: Team, second: Person) -> None:
    delivered(channel, JANUARY)
    by, at = channel.loader, timezone.now()
    asked = correcting.ask_to_correct(
        line_id="a1", values={"amount": "1500", "partner_id": "B"}, reason="Theirs", by=by, at=at
    )
    assert asked.shown == {"line": "a1", "amount": "600.000000 → 1500.000000", "partner_id": "A → B"}
    with pytest.raises(Refusal) as refused:
        correcting.ask_to_correct(line_id="a1", values={"amount": "1"}, reason="Twice", by=by, at=at)
    assert code_of(refused) == "corrected_already"
    decided(second)
    # B: 1,550 earn 100 + 550 × 20 %.
    assert earned(channel) == {"A": 0, "B": 210}
    assert [row[0] for row in lines()] == ["a1", "a1~r", "a1~v2", "b1"]
    with pytest.raises(Refusal) as refused:
        correcting.ask_to_correct(line_id="a1", values={"amount": "1"}, reason="x", by=by, at=at)
    assert code_of(refused) == "line_reversed"
    assert "a1~v2 stands in its place" in refused.value.message
    correcting.ask_to_correct(line_id="a1~v2", values={"amount": "100"}, reason="Not so much", by=by, at=at)
    decided(second)
    assert earned(channel)["B"] == 15
    assert [row[0] for row in lines()] == ["a1", "a1~r", "a1~v2", "a1~v2~r", "a1~v3", "b1"]
    assert balances.prove() == 2


def test_undoing_a_batch_of_changes_gives_back_what_it_had_changed(channel: Team, second: Person) -> None:
    deliveries.save_profile(text=CHANGES, by=channel.loader, at=timezone.now())
    head = "doc,day,dealer,qty,amount\n"
    delivered(channel, head + "1,2026-01-05,A,1,100\n2,2026-01-05,A,1,200\n", profile="changing")
    delivered(channel, head + "1,2026-01-05,A,1,150\n2,2026-01-05,A,1,250\n", name="changes.csv", profile="changing")
    delivered(channel, head + "2,2026-01-05,A,1,300\n", name="more.csv", profile="changing")
    assert earned(channel) == {"A": 45}  # 150 + 300
    asked = correcting.ask_to_reverse(batch=2, reason="A test file", by=channel.loader, at=timezone.now())
    # Of the second document another version stands since, so nothing of it is undone.
    assert (asked.shown["lines_cancelled"], asked.shown["lines_that_stand_again"]) == (1, 1)
    decided(second)
    assert earned(channel) == {"A": 40}  # 100 + 300
    assert [row[0] for row in lines()] == [
        "ch:1", "ch:1~r", "ch:1~v2", "ch:1~v2~r", "ch:1~v3", "ch:2", "ch:2~r", "ch:2~v2", "ch:2~v2~r", "ch:2~v3",
    ]  # fmt: skip


def finalised(channel: Team) -> Finalisation:
    now = timezone.now()
    asked = finalising.ask(program="volume", period_from=date(2026, 1, 1), by=channel.analyst, at=now)
    work()
    for each in requests.listed(channel.controller, at=now):
        if each.state == "open":
            requests.approve(request=each.request, by=channel.controller, at=now)
    work()
    asked.refresh_from_db()
    return asked


def test_a_finalised_period_gets_the_difference_in_its_next_run(channel: Team, second: Person) -> None:
    delivered(channel, JANUARY)
    first = finalised(channel)
    assert first.state == "done"
    correcting.ask_to_correct(
        line_id="a1", values={"amount": "400"}, reason="A discount", by=channel.loader, at=timezone.now()
    )
    decided(second)
    assert finalised(channel).state == "done"
    assert finalised(channel).run is None
    # 600 × 10 % were posted first; 400 × 10 % are owed.
    posted = [each.amount for each in FinalPosting.objects.filter(payee_id="A").order_by("pk")]
    assert posted == [60, -20]


def test_two_jobs_and_a_second_try_write_a_correction_once(channel: Team, second: Person) -> None:
    delivered(channel, JANUARY)
    asked = correcting.ask_to_reverse(batch=1, reason="Wrong", by=channel.loader, at=timezone.now())
    decided(second)
    # As a worker leaves it that is killed after the lines are in the lake and before it says so.
    again = Correction.objects.get(pk=asked.pk)
    again.state, again.batch_seq, again.done_at = "approved", None, None
    again.save()
    assert correcting.carry_out(correction=asked.pk, at=timezone.now()) == "done"
    assert correcting.carry_out(correction=asked.pk, at=timezone.now()) == "done"
    assert Correction.objects.get().batch_seq == 2
    assert Batch.objects.count() == 2
    assert len(lines()) == 4


def test_what_was_overtaken_is_refused_and_told(channel: Team, second: Person) -> None:
    delivered(channel, JANUARY)
    by, at = channel.loader, timezone.now()
    correcting.ask_to_correct(line_id="a1", values={"amount": "1"}, reason="x", by=by, at=at)
    correcting.ask_to_reverse(batch=1, reason="y", by=by, at=at)
    by_kind = {each.kind: each for each in requests.listed(second, at=at) if each.state == "open"}
    requests.approve(request=by_kind["reverse_batch"].request, by=second, at=at)
    work()
    requests.approve(request=by_kind["correct_line"].request, by=second, at=at)
    work()
    line = Correction.objects.get(kind="correct_line")
    assert (line.state, line.batch_seq) == ("refused", None)
    assert "was cancelled" in line.told
    assert len(lines()) == 4
    assert earned(channel) == {"A": 0, "B": 0}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"amount": "1.0000001"}, "bad_value"),
        ({"amount": "lots"}, "bad_value"),
        ({"amount": ""}, "missing_value"),
        ({"occurred_on": "2026-02-30"}, "bad_value"),
        ({"kind": "training"}, "bad_value"),
        ({"kind": "return"}, "return_not_negative"),
        ({"currency": "ABC"}, "bad_currency"),
        ({"line_id": "x"}, "column_unknown"),
        ({"amount": "600"}, "nothing_changed"),
    ],
)
def test_values_that_cannot_be_are_refused(channel: Team, values: dict[str, str], code: str) -> None:
    delivered(channel, JANUARY)
    with pytest.raises(Refusal) as refused:
        correcting.ask_to_correct(line_id="a1", values=values, reason="x", by=channel.loader, at=timezone.now())
    assert code_of(refused) == code
    assert not Correction.objects.exists()


def test_who_may_not_ask_or_decide_does_not(channel: Team, second: Person) -> None:
    delivered(channel, JANUARY)
    at = timezone.now()
    for other in (channel.analyst, channel.partner_a):
        with pytest.raises(Refusal) as refused:
            correcting.ask_to_reverse(batch=1, reason="x", by=other, at=at)
        assert code_of(refused) == "not_permitted"
    with pytest.raises(Refusal) as refused:
        correcting.ask_to_reverse(batch=9, reason="x", by=channel.loader, at=at)
    assert code_of(refused) == "batch_unknown"
    with pytest.raises(Refusal) as refused:
        correcting.ask_to_correct(line_id="zz", values={"amount": "1"}, reason="x", by=channel.loader, at=at)
    assert code_of(refused) == "line_unknown"
    correcting.ask_to_reverse(batch=1, reason="x", by=channel.loader, at=at)
    (asked,) = [each for each in requests.listed(second, at=at) if each.state == "open"]
    with pytest.raises(Refusal) as refused:
        requests.approve(request=asked.request, by=channel.loader, at=at)
    assert code_of(refused) == "second_person"
    requests.reject(request=asked.request, by=second, reason="It is right", at=at)
    assert Correction.objects.get().state == "rejected"
    correcting.ask_to_reverse(batch=1, reason="It is not", by=channel.loader, at=at)


def test_stock_counts_cannot_be_cancelled_by_a_line(channel: Team) -> None:
    delivered(channel, HEADER + "s1,stock_count,sell_through,2026-01-05,A,K1,5,0,USD\n")
    with pytest.raises(Refusal) as refused:
        correcting.ask_to_reverse(batch=1, reason="x", by=channel.loader, at=timezone.now())
    assert code_of(refused) == "cannot_reverse"


def test_the_page_asks_and_tells(channel: Team, second: Person, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = False
    delivered(channel, JANUARY)
    browser: Client = with_second_factor(channel.loader)
    given = {"line_id": "a1", "values": "amount = 500\nproduct_id=K2", "reason": "A discount"}
    assert browser.post("/sales/corrections/line", given).status_code == 302
    assert browser.post("/sales/corrections/line", given).status_code == 422
    assert browser.post("/sales/corrections/batch", {"batch": "7", "reason": "x"}).status_code == 422
    decided(second)
    told = browser.get("/sales/corrections/").content.decode()
    assert "600.000000 → 500.000000" in told
    assert "done" in told
    assert earned(channel)["A"] == 50
