"""What programs earn is provided in the books with every batch and trued by finalising; figures worked by hand."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from headrace.engine.findings import Refusal
from headrace.foundation import companies
from headrace.ledger import periods, proof, reading
from headrace.ledger.kinds import Kind
from headrace.programs import balances, entering, finalising
from headrace.programs.live_totals import DatabaseTotals, alone
from headrace.programs.models import Finalisation, FinalRun
from headrace.programs.placing import Claim
from headrace.sales.register import DatabaseRegister
from headrace.workflow import requests
from tests.live.test_totals import followed, standing
from tests.server.books import Books
from tests.server.channel import FEBRUARY, HEADER, JANUARY, TERMS, Team, activated, delivered, team, work
from tests.server.conftest import Admins
from tests.server.master import load
from tests.server.test_routes import with_second_factor

pytestmark = pytest.mark.django_db
STATEMENTS_MAX = 37
"""Those of live balances, and those of one entry with its link in the audit trail."""
RETURNED = HEADER + "a3,return,sell_through,2026-03-05,A,K1,-1,-600,USD\n"


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people, and the open books of one company."""
    made = team(admins)
    work()  # the daily jobs, while there is nothing to find
    return made


def stand(company: str = "US") -> dict[tuple[str, str], int]:
    """Give credits − debits of every liability and memorandum that is not zero, in whole dollars, by kind and payee."""
    kinds = (Kind.ACCRUED, Kind.PAYABLE, Kind.OVERPAID, Kind.EARNED)
    rows = reading.balances(companies.find(company), kinds=kinds)
    return {(row.account.kind.value, row.account.key.payee): _whole(-row.amount) for row in rows if row.amount}


def _whole(amount: Decimal) -> int:
    assert amount == int(amount)
    return int(amount)


def causes(company: str = "US") -> list[tuple[str, str, str, str]]:
    """Give each posting's kind of cause, purpose, payee and amount, the oldest first."""
    rows = reversed(reading.postings(companies.find(company)))
    return [(row.cause[0], row.purpose.value, row.of.payee, str(row.amount)) for row in rows]


def finalise(channel: Team, between: str = "") -> Finalisation:
    """Ask for the first quarter, let a file come in between, approve, and let the worker post it."""
    now = timezone.now()
    finalising.ask(program="volume", period_from=date(2026, 1, 1), by=channel.analyst, at=now)
    work()
    if between:
        delivered(channel, between, name="between.csv")
    for waiting in [each for each in requests.listed(channel.controller, at=now) if each.state == "open"]:
        requests.approve(request=waiting.request, by=channel.controller, at=now)
    work()
    return Finalisation.objects.latest("asked_at")


def test_a_batch_provides_and_a_finalisation_states_what_was_earned(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    # A: 600 × 10 %; B: 50 × 10 %.
    assert stand() == {("accrued", "A"): 60, ("accrued", "B"): 5}
    delivered(channel, FEBRUARY, name="february.csv")
    # A: 1,000 × 10 % + 200 × 20 %.
    assert stand() == {("accrued", "A"): 140, ("accrued", "B"): 5}
    run = finalise(channel).run
    assert stand() == {("accrued", "A"): 140, ("accrued", "B"): 5, ("earned", "A"): 140, ("earned", "B"): 5}
    assert causes() == [
        ("batch", "provide", "A", "60.00"),
        ("batch", "provide", "B", "5.00"),
        ("batch", "provide", "A", "80.00"),
        ("finalisation", "earn", "A", "140.00"),
        ("finalisation", "earn", "B", "5.00"),
    ]
    line = reading.postings(companies.find("US"))[0]
    # The period ended on 31 March, whose accounting period is open.
    assert (line.cause, line.version) == (("finalisation", run), "volume/1")
    assert (line.of.period, line.on, line.booked_on) == ("2026-01-01/2026-04-01", date(2026, 3, 31), date(2026, 3, 31))
    assert proof.prove().findings == ()


def test_what_came_after_the_approved_batch_stays_provided(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    assert finalise(channel, between=FEBRUARY).state == "done"
    # 60 was finalised; the 80 that came meanwhile are taken out by truing and provided again.
    assert stand() == {("accrued", "A"): 140, ("accrued", "B"): 5, ("earned", "A"): 60, ("earned", "B"): 5}
    assert ("finalisation", "true_up", "A", "80.00") in causes()
    assert finalise(channel).state == "done"
    assert stand() == {("accrued", "A"): 140, ("accrued", "B"): 5, ("earned", "A"): 140, ("earned", "B"): 5}
    assert proof.prove().findings == ()


def test_a_return_takes_its_provision_back(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    delivered(channel, RETURNED, name="returned.csv")
    assert stand() == {("accrued", "B"): 5}


def test_a_closed_month_takes_nothing_more(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    us = Books(companies.find("US"), channel.controller, channel.analyst)
    us.close(1, 2, 3, lock=False)
    delivered(channel, FEBRUARY, name="february.csv")
    line = reading.postings(us.company)[0]
    assert (line.on, line.booked_on) == (date(2026, 3, 31), date(2026, 4, 1))


def test_the_final_run_again_posts_nothing(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    finalise(channel)
    before = causes()
    # The same cause has the same content.
    with alone():
        entering.finalised(FinalRun.objects.get(), at=timezone.now())
    assert causes() == before


def second_company(admins: Admins, channel: Team) -> None:
    company = companies.open_company(
        code="DE", name="Headrace", functional_currency="EUR", by=admins[0], at=timezone.now()
    )
    periods.open_books(company=company, first_on=date(2026, 1, 1), by=channel.controller, at=timezone.now())


def partners(channel: Team, accounts: str) -> None:
    """Load partners, and the accounts that they have from 2026 on."""
    at = timezone.now()
    load("partner", "partner_id,name,valid_from\nA,Ann's,2026-01-01\nB,Bob's,2026-01-01\n", channel.loader, at=at)
    _, findings = load("account", "partner_id,company,currency,valid_from\n" + accounts, channel.loader, at=at)
    assert findings == ()
    work()


def test_the_account_says_which_company_pays(admins: Admins, channel: Team) -> None:
    second_company(admins, channel)
    partners(channel, "A,US,USD,2026-01-01\nB,US,USD,2026-01-01\nB,DE,EUR,2026-01-01\n")
    activated(channel)
    delivered(channel, JANUARY)
    # B has two accounts, so its 5 have no place: they are not provided, and nobody is asked to approve them.
    assert (stand("US"), stand("DE")) == ({("accrued", "A"): 60}, {})
    asked = finalise(channel)
    assert (asked.state, stand("US")) == ("refused", {("accrued", "A"): 60})
    assert "B, volume, 2026-01-01/2026-04-01, USD: it has accounts with DE, US. Name the company" in asked.reason
    with pytest.raises(Refusal, match=r"1 amount\(s\) have no place"):
        balances.provide_missing()


def test_the_terms_may_name_the_company(admins: Admins, channel: Team) -> None:
    second_company(admins, channel)
    activated(channel, TERMS + "settle: { company: US }\n")
    delivered(channel, JANUARY)
    assert (stand("US"), stand("DE")) == ({("accrued", "A"): 60, ("accrued", "B"): 5}, {})


def test_a_company_that_there_is_not_is_not_replaced_by_another(channel: Team) -> None:
    activated(channel, TERMS + "settle: { company: FR }\n")
    delivered(channel, JANUARY)
    asked = finalise(channel)
    assert (asked.state, stand()) == ("refused", {})
    assert "volume/1 names the company FR, which there is not" in asked.reason


def test_what_had_no_place_is_provided_when_it_has_one(admins: Admins, channel: Team) -> None:
    second_company(admins, channel)
    activated(channel)
    delivered(channel, JANUARY)
    assert stand() == {}
    partners(channel, "A,US,USD,2026-01-01\nB,US,USD,2026-01-01\n")
    balances.provide_missing()
    balances.provide_missing()
    assert stand() == {("accrued", "A"): 60, ("accrued", "B"): 5}
    assert [row[0] for row in causes()] == ["catch_up", "catch_up"]


def test_a_foreign_amount_needs_a_rate(admins: Admins, channel: Team) -> None:
    second_company(admins, channel)
    activated(channel, TERMS + "settle: { company: DE }\n")
    delivered(channel, JANUARY)
    assert (asked := finalise(channel)).state == "refused"
    assert "there is no rate of USD in EUR for 2026-03-31" in asked.reason
    rates = "date,from_currency,to_currency,rate\n2026-03-30,EUR,USD,1.25\n"
    delivered(channel, rates, name="rates.csv", kind="rates")
    assert finalise(channel).state == "done"
    (line,) = [
        each for each in reading.postings(companies.find("DE")) if (each.purpose, each.of.payee) == ("earn", "A")
    ]
    # 60 USD ÷ 1.25.
    assert (line.amount, line.functional) == (Decimal(60), Decimal(48))


def test_without_a_company_nothing_is_finalised() -> None:
    claim = Claim("volume", "partner", "A", date(2026, 1, 1), date(2026, 4, 1), "USD")
    with pytest.raises(Refusal, match="There is no company"):
        entering.refuse_unplaced([(claim, Decimal(60))], date(2026, 5, 1))


def test_statement_and_posting_open_to_each_other(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    run = finalise(channel).run
    controller, ann = with_second_factor(channel.controller), with_second_factor(channel.partner_a)
    address = f"/statements/{run}/?payee=A"

    def page(client: Client, address: str) -> str:
        answer = client.get(address, secure=True)
        assert answer.status_code == 200
        return str(answer.content.decode())

    shown = page(controller, address)
    links = re.findall(r'href="(/ledger/postings/US/\d+)"', shown)
    assert len(links) == 1
    assert f'<a href="{address}">Statement of A, run' in page(controller, links[0])
    assert "In the books" not in page(ann, address)
    batch = next(each for each in reading.postings(companies.find("US"), payee="A") if each.cause[0] == "batch")
    assert '<a href="/balances/of?program=volume&amp;payee=A">Batch 1</a>' in page(
        controller, f"/ledger/postings/US/{batch.id}"
    )


@pytest.mark.parametrize("size", [1, 850])
def test_a_batch_costs_the_same_number_of_statements_whatever_it_changes(
    channel: Team, size: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    activated(channel)
    register, now = DatabaseRegister(), timezone.now()
    lease = register.acquire(owner="here|1|1|1", now=now, expires_at=now)
    assert lease is not None
    register.register(content_hash="h", source="s", raw="r", at=now)
    register.mark_appended(1, accepted=1, duplicates=0, token=lease.token, at=now)
    store = DatabaseTotals()
    with store.load([followed()], expected=[]):
        pass
    one = standing("A", "10")
    with django_assert_max_num_queries(STATEMENTS_MAX), store.batch(1, at=now) as batch:
        batch.put([replace(one, key=one.key._replace(payee_id=f"P{number}")) for number in range(size)])
    assert len(stand()) == size
    assert sum(stand().values()) == 10 * size
