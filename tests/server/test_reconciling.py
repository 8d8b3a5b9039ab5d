"""Nobody sells more than was there: worked by hand, day by day, with counts, purchases, returns and corrections."""

from datetime import date
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import Settings

from headrace.sales import reconciling
from tests.server.channel import HEADER, Team, delivered, team
from tests.server.conftest import Admins
from tests.server.test_routes import with_second_factor

HEAD = HEADER.replace("currency", "currency,buyer_id")


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


def line(line_id: str, kind: str, day: str, partner: str, quantity: int, buyer: str = "") -> str:
    return f"{line_id},{kind},sell_through,2026-01-{day},{partner},K1,{quantity},{quantity},USD,{buyer}\n"


def found(**days: date) -> list[tuple[object, ...]]:
    return [
        (each.partner, each.day.day, each.sold, each.there, each.excess)
        for each in reversed(reconciling.excesses(**days))
    ]


def test_what_is_sold_beyond_purchases_and_opening_stock_is_told_by_day(channel: Team) -> None:
    delivered(channel, "partner_id,product_id,on,quantity\nA,K1,2026-01-01,10\n", "stock.csv", kind="stock")
    delivered(
        channel,
        HEAD
        + line("s1", "sale", "02", "A", 8)
        + line("p1", "purchase", "03", "A", 3)
        # 10 − 8 + 3 = 5 are there, 7 are sold: 2 too many.
        + line("s2", "sale", "03", "A", 7)
        # One more too many; then 4 come in, of which 3 were sold already, so one is there and 2 are sold.
        + line("s3", "sale", "04", "A", 1)
        + line("d1", "sale", "05", "D", 4, "A")
        + line("s4", "sale", "06", "A", 2)
        # A count says that 5 are there at the start of the day: 5 are sold, and one comes back the next day and is sold again.
        + line("c1", "stock_count", "07", "A", 5)
        + line("s5", "sale", "07", "A", 5)
        + line("r1", "return", "08", "A", -1)
        + line("s6", "sale", "08", "A", 1),
    )
    assert found() == [("A", 3, 7, 5, 2), ("A", 4, 1, -2, 1), ("A", 6, 2, 1, 1)]
    assert found(since=date(2026, 1, 4), until=date(2026, 1, 6)) == [("A", 4, 1, -2, 1)]
    # D sells too, and neither a purchase nor a count of it is known: nothing is said of it.


def test_of_two_counts_on_a_day_the_line_holds(channel: Team) -> None:
    delivered(channel, "partner_id,product_id,on,quantity\nA,K1,2026-01-02,1\n", "stock.csv", kind="stock")
    delivered(channel, HEAD + line("c1", "stock_count", "02", "A", 3) + line("s1", "sale", "02", "A", 4))
    assert found() == [("A", 2, 4, 3, 1)]


def test_an_empty_lake_has_no_excess(channel: Team) -> None:
    assert reconciling.excesses() == ()


def test_the_page_shows_it(channel: Team, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = False
    delivered(channel, HEAD + line("p1", "purchase", "01", "A", 1) + line("s1", "sale", "02", "A", 3))
    (excess,) = reconciling.seen(channel.loader, at=timezone.now())
    assert excess.excess == Decimal(2)
    page = with_second_factor(channel.loader).get("/sales/stock/").content.decode()
    assert "<td>A</td><td>K1</td><td>2026-01-02</td>" in page
