"""Live balances in the application's database: every test of the port's store and of live balances, over these tables."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from headrace.engine.totals import Sums
from headrace.lake import Lake, State
from headrace.programs.live_totals import DatabaseTotals
from headrace.programs.models import LivePosting, LiveStatement
from headrace.runs.live import Live
from headrace.sales.register import DatabaseRegister
from tests.live import test_totals as port
from tests.runs import test_live as live_port
from tests.runs.small_lake import add, program
from tests.server.in_database import TestBook, opened

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 6, 1, tzinfo=UTC)

# What asks for SQLite itself, or is written anew below; every other test of the ports runs here too.
OTHERWISE = {
    "test_an_error_undoes_everything",
    "test_the_store_of_a_newer_version_is_refused",
    "test_a_balance_that_was_tampered_with_is_found",
    "test_the_three_programs_are_worked_in_three_ways",
    "test_random_programs_stand_as_calculated_after_each_batch",
    "test_random_programs_stand_as_calculated_at_length",
}
for module in (port, live_port):
    globals().update(
        {name: test for name, test in vars(module).items() if name.startswith("test_") and name not in OTHERWISE}
    )


@pytest.fixture
def register() -> DatabaseRegister:
    """Give a register with three batches in the lake and a fourth that is not."""
    made = DatabaseRegister()
    lease = made.acquire(owner="here|1|1|1", now=NOW, expires_at=NOW)
    assert lease is not None
    for number in range(1, 5):
        made.register(content_hash=f"h{number}", source=f"b{number}", raw="r", at=NOW)
    for number in range(1, 4):
        made.mark_appended(number, accepted=1, duplicates=0, token=lease.token, at=NOW)
    return made


@pytest.fixture
def store(register: DatabaseRegister) -> DatabaseTotals:
    """Give a store that follows the program volume from before the first batch."""
    made = DatabaseTotals()
    with made.load([port.followed()], expected=[]):
        pass
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[Lake, TestBook]]:
    """Give an empty lake and its book."""
    with opened(tmp_path / "lake") as made:
        yield made


def test_an_error_undoes_everything(store: DatabaseTotals, register: DatabaseRegister) -> None:
    with pytest.raises(IntegrityError), store.batch(1, at=NOW) as work:  # noqa: PT012 (what came before is undone)
        work.add({port.scope("A"): {"1.0.11..": Sums(1, 1, 1, 0, 1)}})
        work.put([port.standing("A", "10")])
        work.put([port.standing("A", "11")])
    assert (store.standings(), store.postings()) == ([], [])
    assert register.batches()[0].state is State.APPENDED
    with store.batch(1, at=NOW) as work:
        assert work.add({port.scope("A"): {"p": Sums(5, 5, 1, 0, 1)}}) == {port.scope("A"): {"p": Sums(5, 5, 1, 0, 1)}}


def test_what_was_posted_is_never_changed(store: DatabaseTotals) -> None:
    with store.batch(1, at=NOW) as work:
        work.put([port.standing("A", "10")])
    for statement in ("UPDATE programs_liveposting SET amount = '1'", "DELETE FROM programs_liveposting"):
        with pytest.raises(DatabaseError, match="append only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert [row.amount for row in LivePosting.objects.all()] == [10]


def test_a_balance_that_was_tampered_with_is_found(shop: tuple[Lake, TestBook]) -> None:
    lake, book = shop
    terms = program()
    live_port.follow(book, terms)  # type: ignore[arg-type]
    add(lake, ("a1", "A", "2026-01-05", "600"))
    with Live(lake, book) as live:
        live.catch_up()
        LiveStatement.objects.update(earned="61")
        found = live.prove()
    assert [(each.column, each.written, each.computed) for each in found] == [("earned", "61", "60")]


@pytest.mark.parametrize("size", [1, 400])
def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(
    store: DatabaseTotals, size: int, django_assert_max_num_queries: object
) -> None:
    payees = [f"P{number}" for number in range(size)]
    with django_assert_max_num_queries(14), store.batch(1, at=NOW) as work:  # type: ignore[operator]
        work.add({port.scope(payee): {"p": Sums(1, 1, 1, 0, 1)} for payee in payees})
        work.put([port.standing(payee, "10") for payee in payees])
    assert len(store.postings()) == size
