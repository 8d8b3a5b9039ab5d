"""Single lines that programs send: kept at once, gathered into one batch, each call known by its key."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation.models import Person
from headrace.programs import balances
from headrace.sales import gathering
from headrace.sales.models import Batch, Delivery, GatheredPost
from tests.server.channel import Team, activated, team, work
from tests.server.conftest import Admins
from tests.server.shop import loader_too


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people, and a program in force."""
    made = team(admins)
    activated(made)
    return made


@pytest.fixture
def second(channel: Team, admins: Admins) -> Person:
    """Give another person who loads."""
    return loader_too(channel, admins)


def line(line_id: str, **other: str) -> dict[str, str]:
    return {
        "line_id": line_id, "kind": "sale", "stage": "sell_through", "occurred_on": "2026-01-05", "partner_id": "A",
        "product_id": "K1", "quantity": "1", "amount": "100", "currency": "USD", **other,
    }  # fmt: skip


def test_small_calls_become_one_batch_and_each_hears_of_its_own_lines(channel: Team) -> None:
    at, by = timezone.now() - timedelta(seconds=1), channel.loader
    first = gathering.gather(lines=[line("g1")], idempotency_key="one", by=by, at=at)
    wrong = gathering.gather(lines=[line("g2"), line("g3", amount="lots")], idempotency_key="two", by=by, at=at)
    assert gathering.post_of(post=first, viewer=by, at=at).state == "waiting"
    assert gathering.gather(lines=[line("g1")], idempotency_key="one", by=by, at=at) == first
    work()
    assert Batch.objects.count() == Delivery.objects.count() == 1
    (standing,) = balances.seen(channel.controller, at=at).standings
    assert standing.earned == Decimal(20)  # 200 × 10 %
    told = gathering.post_of(post=wrong, viewer=by, at=at)
    assert (told.state, told.lines) == ("loaded", 2)
    assert [(each.row, each.column, each.code) for each in told.findings] == [(2, "amount", "bad_number")]
    assert gathering.post_of(post=first, viewer=by, at=at).findings == ()
    # After it was loaded the key is still known, and nothing is loaded again.
    assert gathering.gather(lines=[line("g1")], idempotency_key="one", by=by, at=at) == first
    work()
    assert Batch.objects.count() == 1


def test_calls_of_two_people_are_two_deliveries_and_keys_are_each_ones_own(channel: Team, second: Person) -> None:
    at = timezone.now() - timedelta(seconds=1)
    mine = gathering.gather(lines=[line("g1")], idempotency_key="one", by=channel.loader, at=at)
    theirs = gathering.gather(lines=[line("g2")], idempotency_key="one", by=second, at=at)
    assert mine != theirs
    work()
    assert sorted(each.delivered_by.email for each in Delivery.objects.all()) == [
        "loader@example.com",
        "second@example.com",
    ]
    with pytest.raises(Refusal) as refused:
        gathering.post_of(post=theirs, viewer=channel.loader, at=at)
    assert refused.value.code == "post_unknown"


def test_closing_twice_delivers_once(channel: Team) -> None:
    at = timezone.now()
    gathering.gather(lines=[line("g1")], idempotency_key="one", by=channel.loader, at=at)
    assert [gathering.close(at=at), gathering.close(at=at)] == [1, 0]
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(
    ("lines", "key", "code"),
    [
        ([], "k", "post_size"),
        ([{"line_id": f"g{n}"} for n in range(1_001)], "k", "post_size"),
        ([{"line_id": ""}], "k", "missing_key"),
        ([{"line_id": "g", "colour": "red"}], "k", "column_unknown"),
        ([{"line_id": "g", "partner_id": "x" * 1_001}], "k", "bad_value"),
        ([{"line_id": "g", "partner_id": "a\0b"}], "k", "bad_value"),
        ([{"line_id": "g"}], " ", "key_missing"),
    ],
)
def test_what_is_no_call_is_refused_and_not_kept(
    channel: Team, lines: list[dict[str, str]], key: str, code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        gathering.gather(lines=lines, idempotency_key=key, by=channel.loader, at=timezone.now())
    assert refused.value.code == code
    assert not GatheredPost.objects.exists()


def test_a_key_names_one_call_and_only_who_may_load_calls(channel: Team) -> None:
    at = timezone.now()
    gathering.gather(lines=[line("g1")], idempotency_key="one", by=channel.loader, at=at)
    with pytest.raises(Refusal) as refused:
        gathering.gather(lines=[line("g2")], idempotency_key="one", by=channel.loader, at=at)
    assert refused.value.code == "key_reused"
    with pytest.raises(Refusal) as refused:
        gathering.gather(lines=[line("g1")], idempotency_key="one", by=channel.analyst, at=at)
    assert refused.value.code == "not_permitted"
