"""Finalising posts once what is entitled, and later only what changed; a written run can be proven at any time."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from headrace.engine.findings import Refusal
from headrace.lake import Lake
from headrace.runs.book import Book, Posting
from headrace.runs.finalise import Finalised, finalise, roll_forward, run_folder
from headrace.runs.record import carry_out, verify
from headrace.runs.sources import Source, from_cited_lake, from_lake
from tests.runs.small_lake import Q1, Q2, add, program, sales, set_partners

type Place = tuple[Lake, Book]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    lake = Lake.create(tmp_path / "lake")
    with Book(lake.folder) as book:
        yield lake, book
    lake.close()


def close_period(place: Place, start: date = Q1, partners: str | None = None) -> Finalised:
    lake, book = place
    return finalise([program(partners=partners)], lake=lake, book=book, period_from=start)


def amounts(postings: tuple[Posting, ...] | list[Posting]) -> dict[tuple[str, object], Decimal]:
    return {(each.payee_id, each.from_): each.amount for each in postings}


def awards(lake: Lake) -> dict[str, Decimal]:
    files = ", ".join(f"'{path}'" for path in lake.awards())
    with duckdb.connect() as con:
        rows = con.execute(f"SELECT line_id, sum(award) FROM read_parquet([{files}]) GROUP BY ALL").fetchall()
    return {line: amount for line, amount in rows if amount != 0}


def prove(path: Path, lake: Lake) -> list[object]:
    @contextmanager
    def opened(cited: Mapping[str, object], _into: Path) -> Iterator[Source]:
        found = cited["lake"]
        assert isinstance(found, Mapping)
        yield from_cited_lake(lake, found)

    return list(verify(path, opened).differences)


def test_a_period_is_posted_whole_and_each_line_keeps_its_award(place: Place) -> None:
    # A: 600 + 600: 10 % of 1,000 and 20 % of 200 = 140. B: 10 % of 50 = 5.
    add(place[0], ("a1", "A", "2026-01-05", "600"), ("a2", "A", "2026-02-05", "600"), ("b1", "B", "2026-03-31", "50"))
    done = close_period(place)
    assert amounts(done.posted) == {("A", Q1): Decimal(140), ("B", Q1): Decimal(5)}
    assert awards(place[0]) == {"a1": Decimal(60), "a2": Decimal(80), "b1": Decimal(5)}


def test_finalising_twice_changes_nothing(place: Place) -> None:
    add(place[0], ("a1", "A", "2026-01-05", "600"))
    close_period(place)
    again = close_period(place)
    assert again.run is None
    assert again.posted == ()
    assert amounts(place[1].postings()) == {("A", Q1): Decimal(60)}
    assert len(place[1].runs()) == 1


def test_other_periods_are_not_posted_before_their_time(place: Place) -> None:
    add(place[0], ("a1", "A", "2026-01-05", "600"), ("a2", "A", "2026-04-01", "500"))
    assert amounts(close_period(place).posted) == {("A", Q1): Decimal(60)}
    assert amounts(close_period(place, Q2).posted) == {("A", Q2): Decimal(50)}


def test_late_lines_come_out_as_differences_with_the_next_period(place: Place) -> None:
    add(place[0], ("a2", "A", "2026-02-05", "800"))
    close_period(place)
    # In Q1 the late line comes first: a1 takes 0–500, a2 500–1,300: 50 + (50 + 60) = 160, of which 80 is posted.
    add(place[0], ("a1", "A", "2026-01-05", "500"), ("a3", "A", "2026-04-02", "100"))
    done = close_period(place, Q2)
    assert amounts(done.posted) == {("A", Q1): Decimal(80), ("A", Q2): Decimal(10)}
    assert awards(place[0]) == {"a1": Decimal(50), "a2": Decimal(110), "a3": Decimal(10)}


def test_a_return_after_finalising_takes_back_what_its_sale_earned(place: Place) -> None:
    add(place[0], ("a1", "A", "2026-01-05", "600"))
    close_period(place)
    add(place[0], ("a1r", "A", "2026-03-30", "-600"))
    assert amounts(close_period(place).posted) == {("A", Q1): Decimal(-60)}
    assert amounts(place[1].postings()) == {("A", Q1): Decimal(0)}


def test_a_partner_who_no_longer_takes_part_gives_back_what_was_posted(place: Place) -> None:
    lake, book = place
    set_partners(lake, book, A="gold", B="gold")
    add(lake, ("a1", "A", "2026-01-05", "600"), ("b1", "B", "2026-01-05", "100"))
    close_period(place, partners="partner.level = 'gold'")
    set_partners(lake, book, A="silver", B="gold")
    done = close_period(place, partners="partner.level = 'gold'")
    assert amounts(done.posted) == {("A", Q1): Decimal(-60)}
    assert awards(lake) == {"b1": Decimal(10)}
    assert done.folder is not None
    assert prove(done.folder, lake) == []


def test_errors_in_the_data_block_and_nothing_is_posted(place: Place) -> None:
    lake, book = place
    euros = sales(("a1", "A", "2026-01-05", "600")).set_column(8, "currency", pa.array(["EUR"]))
    lake.append(lake.register_batch(b"euros", source="test"), euros)
    with pytest.raises(Refusal) as refused:
        close_period(place)
    assert refused.value.code == "findings_block"
    assert refused.value.findings
    assert book.runs() == []
    assert lake.awards() == ()


def test_a_period_that_the_program_does_not_have_is_refused(place: Place) -> None:
    add(place[0], ("a1", "A", "2026-01-05", "600"))
    with pytest.raises(Refusal, match="no statement whose period starts on 2026-04-01"):
        close_period(place, Q2)


def test_a_run_that_was_cut_off_is_brought_to_its_end_once(place: Place) -> None:
    lake, book = place
    add(lake, ("a1", "A", "2026-01-05", "600"))
    run = close_period(place).run
    assert run is not None
    book._con.execute("DELETE FROM posting")
    book._con.execute("UPDATE run SET state = 'pending'")
    assert roll_forward(lake, book) == [run]
    assert roll_forward(lake, book) == []
    assert amounts(book.postings()) == {("A", Q1): Decimal(60)}
    assert awards(lake) == {"a1": Decimal(60)}


def test_every_run_is_proven_after_all_that_it_stood_on_was_changed(place: Place) -> None:
    lake, book = place
    set_partners(lake, book, A="gold")
    add(lake, ("a1", "A", "2026-01-05", "600"), ("a2", "A", "2026-02-05", "600"))
    first = close_period(place, partners="partner.level = 'gold'")
    set_partners(lake, book, A="silver", C="gold")
    add(lake, ("a3", "A", "2026-01-06", "1000"))
    second = close_period(place, partners="partner.level = 'gold'")
    lake.maintain(retention_hours=0)
    for done in (first, second):
        assert done.folder is not None
        assert prove(done.folder, lake) == []


def test_a_changed_statement_is_found_out_to_the_cent(place: Place, tmp_path: Path) -> None:
    lake, book = place
    add(lake, ("a1", "A", "2026-01-05", "600"))
    with tempfile.TemporaryDirectory() as scratch:
        source = from_lake(lake, book, into=Path(scratch))
        run = carry_out([program()], source, out=tmp_path / "out")
    assert run.result is not None
    assert prove(tmp_path / "out", lake) == []
    path = tmp_path / "out" / "awards.parquet"
    forged = tmp_path / "forged.parquet"
    duckdb.sql(f"COPY (SELECT * REPLACE ((award + 0.01)::DECIMAL(28, 6) AS award) FROM '{path}') TO '{forged}'")
    shutil.move(forged, path)
    (difference,) = prove(tmp_path / "out", lake)
    assert "60.01" in repr(difference)


def test_the_runs_folder_holds_what_was_posted(place: Place) -> None:
    lake, _ = place
    add(lake, ("a1", "A", "2026-01-05", "600"))
    done = close_period(place)
    assert done.run is not None
    assert done.folder == run_folder(lake, done.run)
    assert {path.name for path in done.folder.iterdir()} == {
        "statements.parquet", "statements.xlsx", "awards.parquet", "run.json",
    }  # fmt: skip
