"""What is kept of partners and products decides what is earned: a change takes over by a job, or is kept out with the reason."""

from decimal import Decimal

import pytest
from django.utils import timezone

from headrace.engine.findings import Finding
from headrace.engine.schema import Tables
from headrace.foundation import jobs
from headrace.programs import balances
from headrace.sales import own_tables, references
from headrace.sales.lake import opened
from tests.server.channel import FEBRUARY, JANUARY, TERMS, Team, activated, delivered, team, work
from tests.server.conftest import Admins
from tests.server.master import load

GOLD = TERMS.replace("schedule:", "partners: \"partner.level = 'gold'\"\nschedule:")
PARTNERS = "partner_id,name,level\nA,Ann's,gold\nB,Bob's,silver\n"


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


def earned(channel: Team) -> dict[str, Decimal]:
    found = balances.seen(channel.controller, at=timezone.now())
    return {each.key.payee_id: each.earned for each in found.standings if each.earned}


def test_partners_that_are_kept_here_are_those_that_programs_read(channel: Team) -> None:
    load("partner", PARTNERS, channel.loader, at=timezone.now())
    work()
    assert set(references.in_force()) == {"partners"}
    activated(channel, GOLD)
    delivered(channel, JANUARY)
    delivered(channel, FEBRUARY, name="july.csv")
    # A is gold: 600 + 600 = 1,200 at 10 % up to 1,000 and 20 % beyond: 100 + 40. B is silver and earns nothing.
    assert earned(channel) == {"A": Decimal(140)}
    promoted = "partner_id,level,valid_from\nB,gold,2026-02-01\n"
    load("partner", promoted, channel.loader, at=timezone.now())
    work()
    # B sold 50 on 28 February, as gold since the 1st.
    assert earned(channel) == {"A": Decimal(140), "B": Decimal(5)}


def test_price_lists_are_columns_and_nothing_new_changes_nothing(channel: Team) -> None:
    for what, content in (
        ("partner", PARTNERS),
        ("product", "product_id,name\nK1,Kit\n"),
        ("price_list", "price_list,currency\nlist_price,USD\n"),
        ("price", "price_list,product_id,price\nlist_price,K1,7.50\n"),
    ):
        load(what, content, channel.loader, at=timezone.now())
    work()
    before = references.in_force()
    assert set(before) == {"partners", "products"}
    with opened() as lake:
        assert lake.load_snapshot(before["products"]).column("list_price").to_pylist() == [Decimal("7.5")]
    assert own_tables.renew(at=timezone.now()) == []
    assert references.in_force() == before


def test_an_upload_of_a_kind_that_is_not_kept_here_stays(channel: Team) -> None:
    delivered(channel, "product_id,family\nK1,Kits\n", name="products.csv", kind="products")
    before = references.in_force()["products"]
    load("partner", PARTNERS, channel.loader, at=timezone.now())
    work()
    assert references.in_force()["products"] == before


def test_a_table_that_lacks_what_a_program_reads_does_not_take_over(channel: Team) -> None:
    delivered(channel, "partner_id,tier_name\nA,gold\nB,silver\n", name="partners.csv", kind="partners")
    activated(channel, GOLD.replace("partner.level", "partner.tier_name"))
    before = references.in_force()
    load("partner", PARTNERS, channel.loader, at=timezone.now())
    worker = jobs.Worker("test")
    while worker.step():
        pass
    (failed,) = jobs.failed()
    assert "stays in force" in failed.fault
    assert "tier_name" in failed.fault
    assert references.in_force() == before


def test_a_job_that_was_overtaken_puts_nothing_old_in_force(channel: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    load("partner", PARTNERS, channel.loader, at=timezone.now())
    overtaken: list[str] = []

    def overtake(_: Tables) -> list[Finding]:
        """Bring in another file while the tables of the first are looked at."""
        if not overtaken:
            overtaken.append("once")
            load("partner", "partner_id,level\nA,silver\n", channel.loader, at=timezone.now())
        return []

    monkeypatch.setattr(references, "_CHECKS", [overtake])
    assert own_tables.renew(at=timezone.now()) == []
    assert references.in_force() == {}
    work()
    with opened() as lake:
        table = lake.load_snapshot(references.in_force()["partners"])
    assert "silver" in [row["level"] for row in table.to_pylist() if row["partner_id"] == "A"]
