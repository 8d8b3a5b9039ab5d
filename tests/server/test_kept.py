"""What a worker keeps open sees what others change, is let go of after a fault, and is nobody else's."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.kept import keeping, kept
from headrace.programs import balances
from headrace.sales.lake import opened
from tests.server.channel import FEBRUARY, HEADER, JANUARY, TERMS, Team, activated, delivered, team
from tests.server.conftest import Admins
from tests.server.test_slice import earned

MARCH = HEADER + "a3,sale,sell_through,2026-03-05,A,K1,1,100,USD\n"
GOLD = TERMS.replace("program: volume", "program: gold").replace(
    "schedule:", "partners: \"partner.level = 'gold'\"\nschedule:"
)


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


def by_another_worker(channel: Team, text: str, name: str, **further: object) -> None:
    """Deliver and load a file as a worker does that shares nothing with this one but database and disk."""

    def load() -> None:
        with acting_as(Actor(None, "another")):
            delivered(channel, text, name=name, **further)

    Context().run(load)


def of_gold(channel: Team) -> dict[str, Decimal]:
    found = balances.seen(channel.controller, program="gold", at=timezone.now())
    return {each.key.payee_id: each.earned for each in found.standings if each.earned}


def test_batches_programs_and_tables_of_other_workers_are_seen(channel: Team) -> None:
    activated(channel)
    with keeping():
        delivered(channel, JANUARY)
        with opened() as lake:
            first = lake
        by_another_worker(channel, FEBRUARY, "february.csv")
        delivered(channel, MARCH, name="march.csv")
        with opened() as lake:
            assert lake is first
        # A: 600 + 600 + 100 = 1,300, of which 1,000 at 10 % and 300 at 20 %. B: 50 at 10 %.
        assert earned(channel) == {"A": 160, "B": 5}
        by_another_worker(channel, "partner_id,level\nA,gold\nB,silver\n", "partners.csv", kind="partners")
        activated(channel, GOLD)
        balances.bring_up()
        assert of_gold(channel) == {"A": 160}
        by_another_worker(channel, "partner_id,level\nA,silver\nB,gold\n", "partners.csv", kind="partners")
        balances.bring_up()
        assert of_gold(channel) == {"B": 5}
        # B's further 100 of the same quarter: 150 at 10 %.
        delivered(channel, MARCH.replace("a3", "b4").replace("03-05,A", "03-06,B"), name="late.csv")
        assert of_gold(channel) == {"B": 15}
        # A and B in volume, B in gold.
        assert balances.prove() == 3


def test_a_fault_lets_go_and_the_next_job_opens_anew(channel: Team) -> None:
    with keeping():
        with opened() as lake:
            first = lake
        with pytest.raises(ZeroDivisionError), opened():
            raise ZeroDivisionError
        with opened() as lake:
            assert lake is not first
        activated(channel)
        delivered(channel, JANUARY)
        assert earned(channel) == {"A": 60, "B": 5}


def test_a_lake_in_the_place_of_another_is_another(channel: Team, tmp_path: Path) -> None:
    with keeping():
        with opened() as lake:
            first = lake
        shutil.copytree(settings.HEADRACE_LAKE, tmp_path / "restored")
        shutil.rmtree(settings.HEADRACE_LAKE)
        (tmp_path / "restored").rename(settings.HEADRACE_LAKE)
        with opened() as lake:
            assert lake is not first


@contextmanager
def thing() -> Iterator[object]:
    """Open something that is nothing but itself."""
    yield object()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_opens_its_own() -> None:
    with keeping():
        with kept("thing", thing) as first:
            pass
        child = os.fork()
        if child == 0:
            with kept("thing", thing) as its_own:
                os._exit(1 if its_own is first else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with kept("thing", thing) as again:
            assert again is first


def test_nothing_is_kept_outside(channel: Team) -> None:
    with keeping(), opened() as lake:
        first = lake
    with opened() as lake:
        assert lake is not first
