"""The store of live balances: a batch is worked once, exactly, with its postings, or not at all."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from headrace.engine.findings import Refusal
from headrace.engine.totals import ScopeKey, Sums
from headrace.lake import State
from headrace.lake.register_sqlite import SqliteRegister
from headrace.live import Among, Followed, SqliteTotals, Standing, StatementKey

NOW = datetime(2025, 6, 1, tzinfo=UTC)
Q1, Q2 = date(2025, 1, 1), date(2025, 4, 1)


@pytest.fixture
def register(tmp_path: Path) -> Iterator[SqliteRegister]:
    """Give a register with three batches in the lake and a fourth that is not."""
    made = SqliteRegister.create(tmp_path / "register.sqlite3")
    lease = made.acquire(owner="here|1|1|1", now=NOW, expires_at=NOW)
    assert lease is not None
    for number in range(1, 5):
        made.register(content_hash=f"h{number}", source=f"b{number}", raw="r", at=NOW)
    for number in range(1, 4):
        made.mark_appended(number, accepted=1, duplicates=0, token=lease.token, at=NOW)
    yield made
    made.close()


@pytest.fixture
def store(register: SqliteRegister) -> SqliteTotals:
    """Give a store that follows the program volume from before the first batch."""
    made = SqliteTotals(register)
    with made.load([followed()], expected=[]):
        pass
    return made


def followed(program: str = "volume", as_of: int = 0, basis: str = "b1") -> Followed:
    return Followed(program=program, basis=basis, loaded_as_of=as_of)


def scope(payee: str, program: str = "volume") -> ScopeKey:
    return ScopeKey(program, f'{{"earner":"{payee}"}}', Q1, Q2)


def standing(payee: str, earned: str, currency: str = "USD", program: str = "volume") -> Standing:
    key = StatementKey(program, "partner", payee, f'{{"earner":"{payee}"}}', Q1, Q2)
    return Standing(
        key=key, version=1, measure=Decimal("100.000001"), base=Decimal(100), tier=1, earned=Decimal(earned),
        unverified=Decimal(0), currency=currency, lines=2, next_from=Decimal(1000), next_distance=Decimal("899.999999"),
        carried=None, carried_in=None, payable_on=date(2025, 5, 1),
    )  # fmt: skip


def add_up(store: SqliteTotals, batch_seq: int, payee: str, measure: int, earned: str) -> Sums | None:
    """Work a batch of one line; gives the totals after it."""
    with store.batch(batch_seq, at=NOW) as work:
        if work.done:
            return None
        after = work.add({scope(payee): {"1.0.11..": Sums(measure, measure, 1, 0, 1)}})
        work.put([standing(payee, earned)])
    return after[scope(payee)]["1.0.11.."]


def posted(store: SqliteTotals) -> list[tuple[str, str, str]]:
    return [(each.key.payee_id, f"{each.amount:f}", each.cause) for each in store.postings()]


def test_totals_grow_by_batches_and_differences_are_posted(store: SqliteTotals, register: SqliteRegister) -> None:
    assert add_up(store, 1, "A", 10**30, "10") == Sums(10**30, 10**30, 1, 0, 1)
    assert add_up(store, 2, "A", 1, "12.50") == Sums(10**30 + 1, 10**30 + 1, 2, 0, 2)
    assert posted(store) == [("A", "10", "batch:1"), ("A", "2.50", "batch:2")]
    assert store.standings() == [standing("A", "12.50")]
    assert [batch.state for batch in register.batches()][:3] == [State.POSTED, State.POSTED, State.APPENDED]


def test_a_batch_that_was_posted_changes_nothing(store: SqliteTotals) -> None:
    add_up(store, 1, "A", 5, "10")
    assert add_up(store, 1, "A", 5, "20") is None
    assert posted(store) == [("A", "10", "batch:1")]


def test_an_error_undoes_everything(store: SqliteTotals, register: SqliteRegister) -> None:
    with pytest.raises(sqlite3.IntegrityError), store.batch(1, at=NOW) as work:  # noqa: PT012 (what came before is undone)
        work.add({scope("A"): {"1.0.11..": Sums(1, 1, 1, 0, 1)}})
        work.put([standing("A", "10")])
        work.put([standing("A", "11")])
    assert (store.standings(), store.postings()) == ([], [])
    assert register.batches()[0].state is State.APPENDED
    assert add_up(store, 1, "A", 5, "10") == Sums(5, 5, 1, 0, 1)


def test_a_batch_that_is_not_in_the_lake_cannot_be_posted(store: SqliteTotals) -> None:
    with pytest.raises(Refusal) as refused, store.batch(4, at=NOW):
        pass
    assert refused.value.code == "batch_not_appended"


def test_batches_in_the_load_are_not_added_again(store: SqliteTotals) -> None:
    with store.load([followed(as_of=2, basis="b2")], expected=[followed()]) as work:
        assert work.add({scope("A"): {"1.0.11..": Sums(7, 7, 1, 0, 1)}}) == {
            scope("A"): {"1.0.11..": Sums(7, 7, 1, 0, 1)}
        }
        work.put([standing("A", "7")])
    with store.batch(2, at=NOW) as batch:
        assert batch.followed() == []
    with store.batch(3, at=NOW) as batch:
        assert [each.program for each in batch.followed()] == ["volume"]


def test_a_load_that_others_overtook_is_refused(store: SqliteTotals) -> None:
    add_up(store, 1, "A", 5, "10")
    for expected, as_of in (([followed()], 0), ([], 1), ([followed(basis="b9")], 1)):
        with pytest.raises(Refusal) as refused, store.load([followed(as_of=as_of, basis="b2")], expected=expected):
            pass
        assert refused.value.code == "totals_moved"
    assert store.standings() == [standing("A", "10")]


def test_a_load_begins_totals_anew_and_posts_only_differences(store: SqliteTotals) -> None:
    add_up(store, 1, "A", 5, "10")
    with store.load([followed(as_of=1, basis="b2")], expected=[followed()]) as work:
        work.add({scope("B"): {"1.0.11..": Sums(7, 7, 1, 0, 1)}})
        work.put([standing("B", "3")])
        assert work.withdraw("volume", [standing("B", "3").key], among=None) == 1
    assert [(payee, amount) for payee, amount, _ in posted(store)] == [("A", "10"), ("B", "3"), ("A", "-10")]
    assert store.standings() == [standing("B", "3")]


def test_only_statements_of_the_named_parties_are_withdrawn(store: SqliteTotals) -> None:
    with store.batch(1, at=NOW) as work:
        work.put([standing("A", "1"), standing("B", "2"), standing("C", "3")])
    with store.batch(2, at=NOW) as work:
        assert work.withdraw("volume", [standing("B", "2").key], among=Among("earner", ["A", "B"])) == 1
    assert [each.key.payee_id for each in store.standings()] == ["B", "C"]


def test_statements_of_earlier_periods_stay(store: SqliteTotals) -> None:
    later = replace(standing("A", "5"), key=standing("A", "5").key._replace(from_=Q2, until=date(2025, 7, 1)))
    unbounded = replace(standing("A", "7"), key=standing("A", "7").key._replace(from_=None, until=None))
    with store.batch(1, at=NOW) as work:
        work.put([standing("A", "1"), later, unbounded])
    with store.batch(2, at=NOW) as work:
        assert work.withdraw("volume", [], among=Among("earner", ["A"], Q2)) == 1
    assert [each.key.from_ for each in store.standings()] == [None, Q1]


def test_a_statement_in_another_currency_is_taken_back_in_the_old_one(store: SqliteTotals) -> None:
    with store.batch(1, at=NOW) as work:
        work.put([standing("A", "10")])
    with store.batch(2, at=NOW) as work:
        assert work.put([standing("A", "9", "EUR")]) == 2
    assert [(f"{each.amount:f}", each.currency) for each in store.postings()][1:] == [("9", "EUR"), ("-10", "USD")]


def test_a_sale_that_a_return_waits_for_is_noticed_once(store: SqliteTotals) -> None:
    with store.batch(1, at=NOW) as work:
        assert not work.awaited(["S1"])
        work.await_sales(["S1", "S2"])
    with store.batch(2, at=NOW) as work:
        assert work.awaited(["S1", "X"])
        assert not work.awaited(["S1"])


def test_stale_programs_take_part_in_no_batch(store: SqliteTotals) -> None:
    with store.batch(1, at=NOW) as work:
        work.turn_stale("volume", "late sale")
    assert store.followed()[0].stale == "late sale"
    with store.batch(2, at=NOW) as work:
        assert work.followed() == []


def test_currencies_that_a_program_met_are_remembered(store: SqliteTotals) -> None:
    with store.batch(1, at=NOW) as work:
        assert work.met("volume", ["USD"]) == {"USD"}
    with store.batch(2, at=NOW) as work:
        assert work.met("volume", ["EUR"]) == {"USD", "EUR"}


def test_a_forgotten_program_is_taken_back(store: SqliteTotals) -> None:
    add_up(store, 1, "A", 5, "10")
    store.forget("volume")
    assert (store.followed(), store.standings()) == ([], [])
    assert sum(each.amount for each in store.postings()) == 0


def test_the_store_of_a_newer_version_is_refused(store: SqliteTotals, register: SqliteRegister) -> None:
    with register.transaction() as connection:
        connection.execute("update live_format set version = 99")
    with pytest.raises(Refusal) as refused:
        SqliteTotals(register)
    assert refused.value.code == "totals_newer"


def test_standings_are_found_by_program_and_payee(store: SqliteTotals) -> None:
    with store.batch(1, at=NOW) as work:
        work.put([standing("A", "1"), standing("B", "2"), standing("A", "4", program="other")])
    assert [each.earned for each in store.standings(payee="A")] == [Decimal(4), Decimal(1)]
    assert [each.earned for each in store.standings(program="volume", payee="A")] == [Decimal(1)]
