import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from headrace.engine.findings import Refusal
from headrace.runs.book import Book, Posting, RunRow

RUN = RunRow(
    run="r1", program="p", from_=date(2026, 1, 1), until=date(2026, 4, 1), batch_seq=3, sequence=1, state="pending"
)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with Book(tmp_path) as opened:
        yield opened


def posting(amount: str) -> Posting:
    return Posting(
        program="p",
        payee_kind="partner",
        payee_id="A",
        scope='{"earner":"A"}',
        from_=date(2026, 1, 1),
        until=date(2026, 4, 1),
        amount=Decimal(amount),
        currency="USD",
    )


def test_a_run_that_was_not_finished_has_posted_nothing(book: Book) -> None:
    book.begin(RUN)
    assert book.postings() == []
    assert [run.state for run in book.runs()] == ["pending"]


def test_finishing_twice_posts_once(book: Book) -> None:
    book.begin(RUN)
    book.finish("r1", [posting("10.50")])
    book.finish("r1", [posting("10.50")])
    assert [each.amount for each in book.postings()] == [Decimal("10.50")]
    assert book.runs("p")[0].state == "final"


def test_postings_of_several_runs_add_up_for_each_statement(book: Book) -> None:
    for sequence, (run, amount) in enumerate((("r1", "10.50"), ("r2", "-0.75")), start=1):
        book.begin(replace(RUN, run=run, sequence=sequence))
        book.finish(run, [posting(amount)])
    assert [each.amount for each in book.postings("p")] == [Decimal("9.75")]
    assert book.postings("other") == []


def test_the_newest_reference_table_is_in_force_and_the_same_one_changes_nothing(book: Book) -> None:
    assert book.set_reference("partners", "h1", source="a.csv")
    assert not book.set_reference("partners", "h1", source="a.csv")
    assert book.set_reference("partners", "h2", source="b.csv")
    assert book.set_reference("partners", "h1", source="a.csv")
    assert book.references() == {"partners": "h1"}


def test_a_version_never_changes_once_it_is_active(book: Book) -> None:
    assert book.set_program("p", 1, content_hash="h1", document={"program": "p"})
    assert not book.set_program("p", 1, content_hash="h1", document={"program": "p"})
    with pytest.raises(Refusal, match="higher version number"):
        book.set_program("p", 1, content_hash="h2", document={"program": "p", "name": "x"})
    assert book.programs() == [{"program": "p"}]


def test_what_was_finished_is_there_for_the_next_process(tmp_path: Path) -> None:
    with Book(tmp_path) as first:
        first.begin(RUN)
        first.finish("r1", [posting("1")])
    with Book(tmp_path) as second:
        assert [each.amount for each in second.postings()] == [Decimal(1)]


def test_a_book_of_a_newer_headrace_is_refused(tmp_path: Path) -> None:
    with Book(tmp_path) as book:
        book._con.execute("PRAGMA user_version = 99")
    with pytest.raises(Refusal) as refused:
        Book(tmp_path)
    assert refused.value.code == "book_newer"


def test_two_runs_cannot_take_the_same_place(book: Book) -> None:
    book.begin(RUN)
    with pytest.raises(Refusal) as refused:
        book.begin(replace(RUN, run="r2"))
    assert refused.value.code == "finalised_meanwhile"
    assert [run.run for run in book.runs()] == ["r1"]


def test_a_book_that_is_not_there_is_read_as_an_empty_one_and_not_made(tmp_path: Path) -> None:
    with Book(tmp_path, to_read=True) as book:
        assert (book.references(), book.runs(), book.postings(), book.programs()) == ({}, [], [], [])
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_what_a_writer_that_is_still_there_has_written(tmp_path: Path) -> None:
    with Book(tmp_path) as writer:
        writer.set_reference("partners", "h1", source="partners.csv")
        with Book(tmp_path, to_read=True) as reader:
            assert reader.references() == {"partners": "h1"}
            writer.set_reference("partners", "h2", source="partners.csv")
            assert reader.references() == {"partners": "h2"}
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader.set_reference("partners", "h3", source="x")


def test_a_reader_refuses_a_book_of_a_newer_headrace(tmp_path: Path) -> None:
    with Book(tmp_path) as book:
        book._con.execute("PRAGMA user_version = 99")
    with pytest.raises(Refusal) as refused:
        Book(tmp_path, to_read=True)
    assert refused.value.code == "book_newer"
