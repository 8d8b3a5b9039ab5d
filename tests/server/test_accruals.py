"""Provisions follow the accrual rate of the terms, and stock in the channel stands apart; figures worked by hand."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import companies
from headrace.ledger import flows, proof, reading
from headrace.ledger.kinds import Kind
from headrace.programs import accruing, balances, entering
from tests.server.books import Books, items
from tests.server.channel import HEADER, JANUARY, TERMS, Team, activated, delivered, team, work
from tests.server.conftest import Admins
from tests.server.test_closing import finalise, found, prove

pytestmark = pytest.mark.django_db
GOLD = TERMS.replace("rate: 0.2 }", "rate: 0.2, name: gold }") + "accrue: { at: gold }\n"
PER_UNIT = """\
program: volume
name: Per unit
currency: USD
valid: { from: 2026-01-01, until: 2027-01-01 }
accrue: { basis: sell_in }
schedule: { tiers: [ { from: 0, per_unit: 5 } ] }
"""
STOCK = "partner_id,product_id,on,quantity,unit_cost\nA,K1,2026-01-01,20,8\n"
BOUGHT_AND_SOLD = HEADER + (
    "b1,purchase,sell_in,2026-01-05,A,K1,30,240,USD\na1,sale,sell_through,2026-01-10,A,K1,10,1000,USD\n"
)


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people, and the open books of one company."""
    made = team(admins)
    work()
    return made


def stand() -> dict[tuple[str, str], Decimal]:
    """Give credits − debits of what is accrued and earned, by kind and payee."""
    kinds = (Kind.ACCRUED, Kind.ACCRUED_STOCK, Kind.EARNED)
    rows = reading.balances(companies.find("US"), kinds=kinds)
    return {(row.account.kind.value, row.account.key.payee): -row.amount for row in rows if row.amount}


def test_a_named_tier_is_provided_for_until_what_was_earned_is_final(channel: Team) -> None:
    activated(channel, GOLD)
    delivered(channel, JANUARY)
    # A: 600 × 20 % = 120, B: 50 × 20 % = 10; earned are 60 and 5.
    assert stand() == {("accrued", "A"): 120, ("accrued", "B"): 10}
    entries = len(reading.postings(companies.find("US")))
    accruing.provide(at=timezone.now())
    balances.provide_missing()
    assert len(reading.postings(companies.find("US"))) == entries
    prove()
    assert "not_provided" not in found(channel, 1)
    finalise(channel)
    assert stand() == {("accrued", "A"): 60, ("accrued", "B"): 5, ("earned", "A"): 60, ("earned", "B"): 5}
    accruing.provide(at=timezone.now())
    assert stand() == {("accrued", "A"): 60, ("accrued", "B"): 5, ("earned", "A"): 60, ("earned", "B"): 5}
    # More of a final period is provided for as it is earned: A reaches 1,200 and 140.
    delivered(channel, HEADER + "a2,sale,sell_through,2026-02-05,A,K1,1,600,USD\n", name="february.csv")
    assert stand()["accrued", "A"] == 140
    assert proof.prove().findings == ()


def test_what_comes_back_is_provided_for_no_longer(channel: Team) -> None:
    activated(channel, GOLD)
    delivered(channel, JANUARY)
    delivered(channel, HEADER + "a3,return,sell_through,2026-01-20,A,K1,-1,-600,USD\n", name="back.csv")
    assert stand() == {("accrued", "B"): 10}


def test_stock_in_the_channel_stands_apart_from_what_was_sold(channel: Team) -> None:
    delivered(channel, STOCK, name="stock.csv", kind="stock", profile="")
    activated(channel, PER_UNIT)
    delivered(channel, BOUGHT_AND_SOLD)
    # 10 sold × 5; 20 + 30 − 10 = 40 on hand × 5.
    assert stand() == {("accrued", "A"): 50, ("accrued_stock", "A"): 200}
    company = companies.find("US")
    (row,) = reading.roll_forward(company, from_on=date(2026, 1, 1), until_on=date(2026, 5, 1))
    assert (row.opening, row.closing) == (Decimal(0), Decimal(250))
    finalise(channel)
    assert stand() == {("accrued", "A"): 50, ("earned", "A"): 50}
    assert proof.prove().findings == ()


def test_as_achieved_no_job_is_queued(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    assert entering.accruing() == frozenset()
    assert accruing.provide(at=timezone.now()) == 0
    assert stand() == {("accrued", "A"): 60, ("accrued", "B"): 5}


def test_a_balance_below_zero_makes_no_entry_a_day(channel: Team) -> None:
    activated(channel, TERMS.replace("schedule:", "limits: { negative: pay }\nschedule:"))
    delivered(channel, HEADER + "r1,return,sell_through,2026-01-20,A,K1,-1,-600,USD\n", name="back.csv")
    (standing,) = balances.seen(channel.controller, at=timezone.now()).standings
    assert standing.earned == -60
    before = _entries()
    balances.provide_missing()
    balances.provide_missing()
    assert (_entries(), stand()) == (before, {})
    prove()
    assert found(channel, 1) == {}


def _entries() -> datetime | None:
    from headrace.ledger.models import Entry

    last: datetime | None = Entry.objects.order_by("-at").values_list("at", flat=True).first()
    return last


def test_an_estimate_is_never_below_zero(books: Books) -> None:
    flows.estimate(books.event(), items("40"), of=Kind.ACCRUED_STOCK)
    flows.estimate(books.event(), items("15"), of=Kind.ACCRUED_STOCK)
    assert books.stand() == {"accrued_stock": 15, "stock_charge": -15}
    with pytest.raises(Refusal, match="is no estimate"):
        flows.estimate(books.event(), items("-1"), of=Kind.ACCRUED_STOCK)
