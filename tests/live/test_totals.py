"""Running totals: added once a batch, exact at any size, posted in the same transaction as the batch."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from headrace.engine.findings import Refusal
from headrace.lake import State
from headrace.lake.register_sqlite import SqliteRegister
from headrace.live import Followed, Posting, SqliteTotals, StatementKey, Sums, TotalKey

NOW = datetime(2025, 6, 1, tzinfo=UTC)
VOLUME = Followed(program="volume", terms_hash="t1", loaded_as_of=0)


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


def statement(payee: str, program: str = "volume") -> StatementKey:
    return StatementKey(
        program=program,
        payee_kind="partner",
        payee_id=payee,
        scope=f'{{"earner":"{payee}"}}',
        period_from=date(2025, 1, 1),
        period_until=date(2025, 4, 1),
    )


def total(payee: str, card: str = "1") -> TotalKey:
    return TotalKey(statement=statement(payee), rate_card=card)


def posting(payee: str, amount: str, cause: str) -> Posting:
    return Posting(statement=statement(payee), version=1, amount=Decimal(amount), currency="USD", cause=cause)


def follow(store: SqliteTotals) -> None:
    store.load(VOLUME, totals=[], postings=[], expected=None)


def work(store: SqliteTotals, batch_seq: int, payee: str, measure: str, amount: str) -> dict[TotalKey, Sums]:
    with store.batch(batch_seq, at=NOW) as batch:
        if batch.done:
            return {}
        after = batch.add([(total(payee), Sums(measure=Decimal(measure), base=Decimal(measure), lines=1))])
        batch.post([posting(payee, amount, f"batch:{batch_seq}")])
        return after


def test_batches_add_up_and_mark_themselves_posted(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    follow(store)
    work(store, 1, "P1", "100.25", "2.01")
    after = work(store, 2, "P1", "-0.250001", "-0.01")
    assert after == {total("P1"): Sums(measure=Decimal("99.999999"), base=Decimal("99.999999"), lines=2)}
    (balance,) = store.balances()
    assert (balance.posted, balance.currency, balance.totals) == (Decimal("2"), "USD", {"1": after[total("P1")]})
    states = [batch.state for batch in register.batches()]
    assert states == [State.POSTED, State.POSTED, State.APPENDED, State.REGISTERED]


def test_batch_worked_twice_changes_nothing(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    follow(store)
    work(store, 1, "P1", "100", "2")
    before = store.balances()
    assert work(store, 1, "P1", "100", "2") == {}
    assert store.balances() == before


def test_batch_whose_work_fails_leaves_no_trace(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    follow(store)

    def fail() -> None:
        with store.batch(1, at=NOW) as batch:
            batch.add([(total("P1"), Sums(measure=Decimal(1)))])
            raise RuntimeError("pricing failed")

    with pytest.raises(RuntimeError):
        fail()
    assert store.balances() == []
    found = register.batch(1)
    assert found is not None
    assert found.state is State.APPENDED
    assert work(store, 1, "P1", "100", "2") != {}


def test_batch_that_is_not_in_the_lake_is_refused(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    with pytest.raises(Refusal) as refused, store.batch(4, at=NOW):
        pass
    assert refused.value.code == "batch_not_appended"


def test_sums_beyond_sixty_four_bits_stay_exact(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    follow(store)
    large = "9999999999999999999999.999999"
    work(store, 1, "P1", large, "0.01")
    work(store, 2, "P1", large, "0.01")
    work(store, 3, "P1", "0.000002", "0.01")
    (balance,) = store.balances()
    assert balance.totals["1"].measure == Decimal("20000000000000000000000")
    assert balance.posted == Decimal("0.03")


def test_touched_statement_comes_back_with_all_its_rate_cards(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    follow(store)
    with store.batch(1, at=NOW) as batch:
        batch.add([(total("P1", "1"), Sums(measure=Decimal(1))), (total("P2", "1"), Sums(measure=Decimal(5)))])
    with store.batch(2, at=NOW) as batch:
        after = batch.add([(total("P1", "2"), Sums(measure=Decimal(2))), (total("P1", "2"), Sums(measure=Decimal(3)))])
    assert after == {total("P1", "1"): Sums(measure=Decimal(1)), total("P1", "2"): Sums(measure=Decimal(5))}


def test_posting_of_one_cause_counts_once(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    follow(store)
    with store.batch(1, at=NOW) as batch:
        assert batch.post([posting("P1", "5", "final:2025-01"), posting("P1", "5", "final:2025-01")]) == 1
        assert batch.posted([statement("P1"), statement("P2")]) == {
            statement("P1"): Decimal(5),
            statement("P2"): Decimal(0),
        }


def test_load_holds_the_batches_up_to_it_and_later_ones_are_added(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    loaded = Followed(program="volume", terms_hash="t1", loaded_as_of=2)
    store.load(
        loaded, totals=[(total("P1"), Sums(measure=Decimal(7)))], postings=[posting("P1", "1", "load")], expected=None
    )
    with store.batch(2, at=NOW) as batch:
        assert batch.programs() == []
    with store.batch(3, at=NOW) as batch:
        assert batch.programs() == [loaded]
        assert batch.add([(total("P1"), Sums(measure=Decimal(1)))]) == {total("P1"): Sums(measure=Decimal(8))}


def test_load_computed_before_a_later_batch_is_refused(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    follow(store)
    work(store, 1, "P1", "100", "2")
    before = store.balances()
    with pytest.raises(Refusal) as refused:
        store.load(VOLUME, totals=[], postings=[], expected=VOLUME)
    assert refused.value.code == "totals_moved"
    anew = Followed(program="volume", terms_hash="t2", loaded_as_of=1)
    with pytest.raises(Refusal, match="compute them again"):
        store.load(anew, totals=[], postings=[], expected=None)
    assert store.balances() == before
    store.load(anew, totals=[(total("P1"), Sums(measure=Decimal(3)))], postings=[], expected=VOLUME)
    (balance,) = store.balances()
    assert (balance.totals["1"].measure, balance.posted) == (Decimal(3), Decimal(2))


def test_balances_are_found_by_program_and_payee_and_survive_reopening(register: SqliteRegister) -> None:
    store = SqliteTotals(register)
    follow(store)
    work(store, 1, "P1", "1", "1")
    work(store, 2, "P2", "2", "2")
    again = SqliteTotals(SqliteRegister(register.path))
    assert [balance.statement.payee_id for balance in again.balances()] == ["P1", "P2"]
    assert [balance.posted for balance in again.balances(payee=("partner", "P2"))] == [Decimal(2)]
    assert again.balances(program="other") == []
    again.forget("volume")
    assert [(balance.totals, balance.posted) for balance in again.balances(program="volume")] == [
        ({}, Decimal(1)),
        ({}, Decimal(2)),
    ]
    assert again.followed() == []
