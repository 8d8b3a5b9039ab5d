"""Live balances equal the calculation in full, whatever arrives in whatever order, and every change is posted."""

import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from headrace.engine.findings import Refusal
from headrace.engine.reach import reaches
from headrace.engine.terms import Terms
from headrace.engine.terms.canonical import terms_hash
from headrace.lake import Lake
from headrace.runs.book import Book
from headrace.runs.live import Live
from headrace.runs.record import document
from tests.reference.cases import Row, tables_of
from tests.reference.made_lines import Facts, facts
from tests.reference.made_programs import programs
from tests.runs.small_lake import add, program, set_partners
from tests.test_engine_against_reference import COMPARE, told


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Lake, Book]]:
    lake = Lake.create(folder)
    with Book(folder) as book:
        yield lake, book
    lake.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[Lake, Book]]:
    """Give an empty lake and its book."""
    with opened(tmp_path / "lake") as made:
        yield made


def follow(book: Book, *versions: Terms) -> None:
    for each in versions:
        book.set_program(each.program, each.version, content_hash=terms_hash(each), document=document(each))


def earned(live: Live) -> dict[tuple[str, str, date | None], Decimal]:
    return {(each.key.program, each.key.payee_id, each.key.from_): each.earned for each in live.standings()}


def assert_posted(live: Live) -> None:
    """Everything that was posted on a statement adds up to what it stands at."""
    sums: dict[object, Decimal] = {}
    for each in live.postings():
        sums[each.key, each.currency] = sums.get((each.key, each.currency), Decimal(0)) + each.amount
    standing = {(each.key, each.currency): each.earned for each in live.standings() if each.earned}
    assert {key: amount for key, amount in sums.items() if amount} == standing


Q1, Q2 = date(2026, 1, 1), date(2026, 4, 1)
ORDERED: dict[str, Any] = {
    "schedule": {"tiers": [{"from": "0", "rate": "0.1"}, {"from": "1000", "rate": "0.2"}], "fixed": "1"}
}
WHOLE: dict[str, Any] = {"program": "whole", "measure": {"per": ["product"]}}


def three_ways() -> list[Terms]:
    """Give the program of the small lake three times: additive, by parties, and as a whole."""
    return [program(), program(program="ordered", **ORDERED), program(**WHOLE)]


def test_the_three_programs_are_worked_in_three_ways() -> None:
    assert [each.way for each in reaches(three_ways())] == ["totals", "parties", "whole"]


def test_batches_change_balances_as_worked_by_hand(shop: tuple[Lake, Book]) -> None:
    lake, book = shop
    follow(book, *three_ways())
    add(lake, ("a1", "A", "2026-01-05", "600"), ("b1", "B", "2026-03-31", "50"))
    with Live(lake, book) as live:
        live.catch_up()
        # A: 60, B: 5; with 1 a line: 61 and 6; all partners together on one product: 650 earn 65, shared 60 and 5.
        assert earned(live) == {
            ("volume", "A", Q1): 60, ("volume", "B", Q1): 5, ("ordered", "A", Q1): 61, ("ordered", "B", Q1): 6,
            ("whole", "A", Q1): 60, ("whole", "B", Q1): 5,
        }  # fmt: skip
        add(lake, ("a2", "A", "2026-02-05", "600"), ("a3", "A", "2026-04-01", "10"))
        done = live.catch_up()
        assert done.posted == (2,)
        # A: 100 + 200 × 0.2 = 140. All: 1,250; in the order of days 600 + 400 at 10 %, then 200 at 20 % for A, 50 at 20 % for B.
        assert earned(live) == {
            ("volume", "A", Q1): 140, ("volume", "B", Q1): 5, ("volume", "A", Q2): 1,
            ("ordered", "A", Q1): 142, ("ordered", "B", Q1): 6, ("ordered", "A", Q2): 2,
            ("whole", "A", Q1): 140, ("whole", "B", Q1): 10, ("whole", "A", Q2): 1,
        }  # fmt: skip
        assert live.prove() == []
        assert_posted(live)
        assert live.catch_up().posted == ()


def test_lines_of_a_period_change_that_period_alone_wherever_sales_and_returns_lie(shop: tuple[Lake, Book]) -> None:
    lake, book = shop
    follow(book, program(program="ordered", **ORDERED))
    add_named(
        lake, ("s1", "A", "2026-01-05", "600", None), ("s2", "A", "2026-04-10", "800", None),
        ("r1", "A", "2026-04-20", "-100", "s1"), ("r2", "A", "2026-03-30", "-300", "s2"),
    )  # fmt: skip
    with Live(lake, book) as live:
        live.catch_up()
        # Q1: 600 less 100 that comes back in April: 500 × 10 %, and 1 for the sale less 1 for its return. Q2: 800 less 300.
        assert earned(live) == {("ordered", "A", Q1): 50, ("ordered", "A", Q2): 50}
        add_named(lake, ("s3", "A", "2026-04-11", "700", None))
        live.catch_up()
        # Q2: 1,200: 100 + 200 × 20 %, and 1 more. Q1 is as it was.
        assert earned(live) == {("ordered", "A", Q1): 50, ("ordered", "A", Q2): 141}
        add_named(lake, ("r3", "A", "2026-04-12", "-100", "s1"))
        live.catch_up()
        # A return in April of a sale in January: Q1 is 400, less 1 for it.
        assert earned(live) == {("ordered", "A", Q1): 39, ("ordered", "A", Q2): 141}
        add_named(lake, ("r4", "A", "2026-01-20", "-50", "s4"))
        live.catch_up()
        # Its sale is not there yet, so it stands on its own day: 350 in Q1, less 1 for it.
        assert earned(live) == {("ordered", "A", Q1): 33, ("ordered", "A", Q2): 141}
        add_named(lake, ("s4", "A", "2026-04-13", "50", None))
        live.catch_up()
        # The sale that r4 named: r4 leaves January for its sale's place in April, and undoes it there.
        assert earned(live) == {("ordered", "A", Q1): 39, ("ordered", "A", Q2): 141}
        assert live.prove() == []
        assert_posted(live)


def test_a_return_finds_its_sale_in_an_earlier_batch(shop: tuple[Lake, Book]) -> None:
    lake, book = shop
    follow(book, *three_ways())
    with Live(lake, book) as live:
        add_named(lake, ("a1", "A", "2026-01-05", "600", None), ("a2", "A", "2026-04-05", "70", None))
        live.catch_up()
        add_named(lake, ("r1", "A", "2026-05-05", "-600", "a1"))
        live.catch_up()
        # The return stands in the quarter of its sale.
        assert earned(live)["volume", "A", Q1] == 0
        assert earned(live)["volume", "A", Q2] == 7
        assert live.prove() == []
        assert_posted(live)


def test_a_sale_that_arrives_after_its_return_takes_it_along(shop: tuple[Lake, Book]) -> None:
    lake, book = shop
    follow(book, *three_ways())
    with Live(lake, book) as live:
        add_named(lake, ("a2", "A", "2026-04-05", "700", None), ("r1", "A", "2026-05-05", "-600", "a1"))
        live.catch_up()
        assert earned(live)["volume", "A", Q2] == 10
        add_named(lake, ("a1", "A", "2026-01-05", "600", None))
        live.catch_up()
        assert earned(live)["volume", "A", Q1] == 0
        assert earned(live)["volume", "A", Q2] == 70
        assert live.prove() == []
        assert_posted(live)


def test_new_reference_data_and_new_versions_work_balances_out_anew(shop: tuple[Lake, Book]) -> None:
    lake, book = shop
    follow(book, program(partners="partner.level = 'gold'"))
    set_partners(lake, book, A="gold", B="silver")
    add(lake, ("a1", "A", "2026-01-05", "600"), ("b1", "B", "2026-03-31", "50"))
    with Live(lake, book) as live:
        live.catch_up()
        assert earned(live) == {("volume", "A", Q1): 60}
        set_partners(lake, book, A="silver", B="gold")
        assert live.catch_up().loaded == ("volume",)
        assert earned(live) == {("volume", "B", Q1): 5}
        follow(book, program(2, rate="0.3", valid={"from": "2026-02-01"}))
        add(lake, ("b2", "B", "2026-03-31", "1000"))
        live.catch_up()
        assert live.prove() == []
        book.remove_program("volume")
        live.catch_up()
        assert live.standings() == []
        assert_posted(live)


def test_a_program_without_money_that_meets_two_currencies_is_refused_live_as_in_full(shop: tuple[Lake, Book]) -> None:
    lake, book = shop
    follow(book, program(currency="POINTS"))
    with Live(lake, book) as live:
        add(lake, ("a1", "A", "2026-01-05", "600"))
        live.catch_up()
        assert earned(live) == {("volume", "A", Q1): 60}
        add_named(lake, ("e1", "A", "2026-01-06", "10", None), currency="EUR")
        done = live.catch_up()
        assert live.standings() == []
        assert {each.code for each in done.findings} == {"mixed_currencies"}
        assert live.prove() == []
        assert_posted(live)


def test_balances_that_are_behind_cannot_be_proven(shop: tuple[Lake, Book]) -> None:
    lake, book = shop
    follow(book, program())
    add(lake, ("a1", "A", "2026-01-05", "600"))
    with Live(lake, book) as live:
        with pytest.raises(Refusal) as refused:
            live.prove()
        assert refused.value.code == "not_caught_up"


def test_a_balance_that_was_tampered_with_is_found(shop: tuple[Lake, Book]) -> None:
    lake, book = shop
    follow(book, program())
    add(lake, ("a1", "A", "2026-01-05", "600"))
    with Live(lake, book) as live:
        live.catch_up()
        with lake.register.transaction() as connection:  # type: ignore[attr-defined]
            connection.execute("update live_statement set earned = '61'")
        found = live.prove()
    assert [(each.column, each.written, each.computed) for each in found] == [("earned", "61", "60")]


def add_named(lake: Lake, *rows: tuple[str, str, str, str, str | None], currency: str = "USD") -> None:
    """Add lines of which returns name their sales."""
    lines: list[Row] = [
        {
            "line_id": line_id, "kind": "return" if amount.startswith("-") else "sale", "stage": "sell_through",
            "occurred_on": date.fromisoformat(day), "partner_id": partner, "product_id": "K1",
            "quantity": Decimal(-1 if amount.startswith("-") else 1), "amount": Decimal(amount), "currency": currency,
            **({"original_line_id": original} if original else {}),
        }
        for line_id, partner, day, amount, original in rows
    ]  # fmt: skip
    append(lake, lines, repr(rows))


def append(lake: Lake, lines: Sequence[Row], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (path,) = tables_of(lines, {}, Path(folder), 1).lines.paths
        lake.append(lake.register_batch(name.encode(), source="test"), path)


def live_through(drawn: Iterable[Sequence[Terms]], channel: Facts, chance: random.Random, folder: Path) -> None:
    """Let the lines of a channel arrive in four batches, in any order, while programs are followed; prove after each."""
    terms = [version for versions in drawn for version in versions]
    with opened(folder) as (lake, book):
        tables = tables_of(channel.lines, channel.references, folder.parent, 1)
        lines = pq.read_table(tables.lines.paths[0])
        for kind, table in tables.references.items():
            book.set_reference(kind, lake.store_snapshot(table), source="test")
        follow(book, *terms)
        batch_of = pa.array([chance.randrange(4) for _ in channel.lines], pa.int64())
        with Live(lake, book) as live:
            for number in range(4):
                lake.append(
                    lake.register_batch(f"b{number}".encode(), source="test"), lines.filter(pc.equal(batch_of, number))
                )
                live.catch_up()
                assert live.prove() == [], told(terms, channel)
            assert_posted(live)


def calculable(drawn: Sequence[Sequence[Terms]]) -> list[Sequence[Terms]]:
    event(f"ways: {sorted({each.way for each in reaches(version for versions in drawn for version in versions)})}")
    return list(drawn)


@given(drawn=programs(6), channel=facts(), chance=st.randoms(use_true_random=False))
@settings(COMPARE, max_examples=4)
def test_random_programs_stand_as_calculated_after_each_batch(
    drawn: list[list[Terms]], channel: Facts, chance: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live_through(calculable(drawn), channel, chance, Path(folder) / "lake")


@pytest.mark.soak
@given(drawn=programs(6), channel=facts(), chance=st.randoms(use_true_random=False))
@settings(COMPARE, max_examples=200)
def test_random_programs_stand_as_calculated_at_length(
    drawn: list[list[Terms]], channel: Facts, chance: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live_through(calculable(drawn), channel, chance, Path(folder) / "lake")
        shutil.rmtree(folder, ignore_errors=True)
