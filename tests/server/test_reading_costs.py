"""What a page asks of the database does not grow with what it shows."""

from dataclasses import replace

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from headrace.programs.balances import SHOWN_MAX
from headrace.programs.live_totals import DatabaseTotals
from headrace.sales.register import DatabaseRegister
from tests.live.test_totals import followed, standing
from tests.server.channel import Team, team
from tests.server.conftest import Admins
from tests.server.test_routes import with_second_factor

QUERIES_MAX = 20
"""Session, person, second factor, roles and organisations for the page and for its menu, and two for the balances."""


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


@pytest.mark.parametrize("size", [1, 300])
def test_balances_take_the_same_number_of_queries_for_few_and_many(
    channel: Team, size: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    register = DatabaseRegister()
    lease = register.acquire(owner="here|1|1|1", now=timezone.now(), expires_at=timezone.now())
    assert lease is not None
    register.register(content_hash="h", source="s", raw="r", at=timezone.now())
    register.mark_appended(1, accepted=1, duplicates=0, token=lease.token, at=timezone.now())
    store = DatabaseTotals()
    with store.load([followed()], expected=[]):
        pass
    one = standing("A", "1")
    with store.batch(1, at=timezone.now()) as work:
        work.put([replace(one, key=one.key._replace(payee_id=f"P{number}")) for number in range(size)])
        work.put([one])
    for person, shown in ((channel.controller, size + 1), (channel.partner_a, 1)):
        client: Client = with_second_factor(person)
        with django_assert_max_num_queries(QUERIES_MAX):
            page = client.get("/balances/", secure=True)
        assert page.content.decode().count("/balances/of?") == min(shown, SHOWN_MAX)
