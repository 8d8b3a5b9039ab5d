"""What comes into the lake, what is turned away, and what a reader then gets."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.engine.findings import Refusal
from headrace.engine.schema import LINES
from headrace.lake import Lake, State
from headrace.lake.register_sqlite import SqliteRegister

from .channel import content, lines, numbered, query, take_in


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def test_gives_back_every_line_that_was_added_with_its_batch(lake: Lake) -> None:
    rows = lines(numbered(0, 50))
    result = take_in(lake, "first", rows)
    assert (result.accepted, result.duplicates.num_rows, result.earlier) == (50, 0, False)
    expected = sorted(
        (row["line_id"], row["occurred_on"], row["partner_id"], row["product_id"], row["quantity"], row["amount"], 1)
        for row in rows.to_pylist()
    )
    assert content(lake.lines()) == expected


def test_batches_count_up_from_one_without_gaps(lake: Lake) -> None:
    results = [take_in(lake, f"b{number}", lines([f"L{number}"])) for number in range(1, 6)]
    assert [result.batch.batch_seq for result in results] == [1, 2, 3, 4, 5]
    assert [batch.state for batch in lake.register.batches()] == [State.APPENDED] * 5


def test_same_batch_twice_adds_nothing_and_names_the_earlier_one(lake: Lake) -> None:
    take_in(lake, "first", lines(numbered(0, 3)))
    before = content(lake.lines())
    batch = lake.register_batch(b"first", source="renamed.csv")
    assert (batch.earlier, batch.batch_seq, batch.state, batch.source) == (True, 1, State.APPENDED, "first.csv")
    again = lake.append(batch, lines(numbered(0, 3)))
    assert (again.earlier, again.accepted) == (True, 3)
    assert content(lake.lines()) == before


def test_same_file_read_by_another_profile_is_another_batch(lake: Lake) -> None:
    assert lake.register_batch(b"file", source="f", profile="a").batch_seq == 1
    assert lake.register_batch(b"file", source="f", profile="b").batch_seq == 2


def test_line_already_in_the_lake_comes_back_with_the_batch_that_holds_it(lake: Lake) -> None:
    take_in(lake, "first", lines(["A", "B"]))
    take_in(lake, "second", lines(["C"]))
    result = take_in(lake, "third", lines(["D", "B", "E", "C"]))
    assert result.accepted == 2
    assert result.duplicates.to_pylist() == [
        {"row": 1, "line_id": "B", "held_by": 1},
        {"row": 3, "line_id": "C", "held_by": 2},
    ]
    assert query(lake.lines(), "select line_id from lines where batch_seq = 3 order by 1") == [("D",), ("E",)]


def test_line_already_in_the_lake_is_found_in_another_month_too(lake: Lake) -> None:
    take_in(lake, "first", lines(["A"], first_day=date(2025, 1, 15), days=1))
    result = take_in(lake, "second", lines(["A"], first_day=date(2025, 8, 15), days=1))
    assert result.duplicates.to_pylist() == [{"row": 0, "line_id": "A", "held_by": 1}]


def test_id_repeated_inside_a_batch_keeps_its_first_row(lake: Lake) -> None:
    rows = lines(["A", "B", "A", "A"])
    result = take_in(lake, "first", rows)
    assert result.duplicates.to_pylist() == [
        {"row": 2, "line_id": "A", "held_by": 1},
        {"row": 3, "line_id": "A", "held_by": 1},
    ]
    assert query(lake.lines(), "select amount from lines where line_id = 'A'") == [(rows["amount"][0].as_py(),)]


def test_batch_of_only_known_lines_is_appended_with_none(lake: Lake) -> None:
    take_in(lake, "first", lines(["A"]))
    result = take_in(lake, "second", lines(["A"]))
    assert (result.accepted, result.batch.state, lake.last_batch_seq()) == (0, State.APPENDED, 2)


def test_rejected_lines_are_told_again_when_the_batch_is_sent_again(lake: Lake) -> None:
    take_in(lake, "first", lines(["A"]))
    first_time = take_in(lake, "second", lines(["A", "B"]))
    again = take_in(Lake(lake.folder), "second", lines(["A", "B"]))
    assert again.earlier
    assert again.duplicates.to_pylist() == first_time.duplicates.to_pylist()


def test_another_process_that_opens_the_lake_knows_its_lines(lake: Lake) -> None:
    take_in(lake, "first", lines(numbered(0, 20)))
    result = take_in(Lake(lake.folder), "second", lines(numbered(10, 20)))
    assert (result.accepted, result.duplicates.num_rows) == (10, 10)
    third = take_in(lake, "third", lines(numbered(25, 10)))
    assert (third.accepted, third.duplicates.num_rows) == (5, 5)


def test_lines_come_from_a_parquet_file_as_well(lake: Lake, tmp_path: Path) -> None:
    rows = lines(numbered(0, 30))
    pq.write_table(rows, tmp_path / "rows.parquet")
    batch = lake.register_batch(tmp_path / "rows.parquet", source="rows.parquet")
    assert lake.append(batch, tmp_path / "rows.parquet").accepted == 30
    kept = lake.raw_file(batch)
    assert kept is not None
    assert kept.read_bytes() == (tmp_path / "rows.parquet").read_bytes()


def test_large_batch_is_checked_and_written_in_parts(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.lake.rows.CHUNK_ROWS", 10)
    rows = lines([*numbered(0, 35), "L000003"])
    result = take_in(lake, "first", rows)
    assert result.accepted == 35
    assert result.duplicates.to_pylist() == [{"row": 35, "line_id": "L000003", "held_by": 1}]
    assert query(lake.lines(), "select count(*), sum(amount) from lines") == [
        (35, sum((row["amount"] for row in rows.to_pylist()[:35]), Decimal(0)))
    ]


def test_reversal_lines_are_added_like_any_other(lake: Lake) -> None:
    rows = lines(["A"])
    take_in(lake, "first", rows)
    line = rows.to_pylist()[0]
    reversal = {
        **line,
        "line_id": "A~1",
        "kind": "return",
        "quantity": -line["quantity"],
        "amount": -line["amount"],
        "original_line_id": "A",
    }
    schema = rows.schema.append(pa.field("original_line_id", pa.string()))
    take_in(lake, "second", pa.Table.from_pylist([reversal], schema=schema))
    assert query(lake.lines(), "select sum(quantity), sum(amount) from lines") == [(Decimal(0), Decimal(0))]


def test_as_of_shows_what_was_there_then(lake: Lake) -> None:
    for number in range(1, 4):
        take_in(lake, f"b{number}", lines([f"L{number}"]))
    assert query(lake.lines(as_of=2), "select line_id from lines order by 1") == [("L1",), ("L2",)]
    assert lake.lines().batch_seq_max == 3
    assert query(lake.lines(as_of=0), "select line_id from lines") == []


def test_batch_overtaken_by_a_later_one_goes_on_under_a_new_number(lake: Lake) -> None:
    slow = lake.register_batch(b"slow", source="slow.csv")
    take_in(lake, "quick", lines(["Q"]))
    seen = content(lake.lines(as_of=2))
    result = lake.append(slow, lines(["S"]))
    assert result.batch.batch_seq == 3
    assert content(lake.lines(as_of=2)) == seen
    assert [(batch.batch_seq, batch.state) for batch in lake.register.batches()] == [
        (1, State.REFUSED),
        (2, State.APPENDED),
        (3, State.APPENDED),
    ]
    assert lake.append(slow, lines(["S"])).earlier


def test_refused_batch_may_come_again(lake: Lake) -> None:
    first = lake.register_batch(b"file", source="f")
    lake.refuse_batch(first.batch_seq, reason="wrong profile")
    with pytest.raises(Refusal) as refused:
        lake.append(first, lines(["A"]))
    assert refused.value.code == "batch_unknown"
    second = lake.register_batch(b"file", source="f")
    assert (second.batch_seq, second.earlier) == (2, False)
    assert lake.append(second, lines(["A"])).accepted == 1
    with pytest.raises(Refusal, match="reversals"):
        lake.refuse_batch(2, reason="too late")


def test_further_columns_may_appear_later_and_read_as_null_before(lake: Lake) -> None:
    take_in(lake, "first", lines(["A"]))
    coloured = lines(["B"]).append_column("colour", pa.array(["red"]).dictionary_encode())
    take_in(lake, "second", coloured)
    take_in(lake, "third", lines(["C"]))
    found = lake.lines()
    assert found.columns["colour"] == pa.string()
    assert query(found, "select line_id, colour from lines order by 1") == [("A", None), ("B", "red"), ("C", None)]


def test_reader_gets_every_named_column_with_its_type(lake: Lake) -> None:
    take_in(lake, "first", lines(["A"]))
    found = lake.lines()
    assert {name: found.columns[name] for name in LINES} == {name: column.type for name, column in LINES.items()}
    assert set(found.columns) - set(LINES) == {"batch_seq"}
    stored = pq.read_schema(found.paths[0])
    assert {column.name: column.type for column in stored} == dict(found.columns)


@pytest.mark.parametrize(
    ("code", "column", "values"),
    [
        ("column_type", "amount", pa.array([1.5])),
        ("column_type", "weight", pa.array([1.5])),
        ("column_reserved", "batch_seq", pa.array([1])),
        ("column_reserved", "month", pa.array(["2025-01"])),
        ("column_null", "currency", pa.array([None], pa.string())),
    ],
)
def test_batch_that_breaks_the_contract_is_refused_and_nothing_changes(
    lake: Lake, code: str, column: str, values: pa.Array
) -> None:
    take_in(lake, "first", lines(["A"]))
    before = content(lake.lines())
    rows = lines(["B"])
    place = rows.schema.get_field_index(column)
    wrong = rows.append_column(column, values) if place < 0 else rows.set_column(place, column, values)
    with pytest.raises(Refusal) as refused:
        take_in(lake, "second", wrong)
    assert refused.value.code == code
    assert column in refused.value.message
    assert content(lake.lines()) == before
    assert take_in(lake, "second", rows).accepted == 1


def test_batch_without_a_needed_column_is_refused(lake: Lake) -> None:
    with pytest.raises(Refusal, match="lack currency"):
        take_in(lake, "first", lines(["A"]).drop_columns(["currency"]))


def test_column_keeps_the_type_it_first_had(lake: Lake) -> None:
    take_in(lake, "first", lines(["A"]).append_column("size", pa.array(["10"])))
    with pytest.raises(Refusal, match="size is text in the lake and date"):
        take_in(lake, "second", lines(["B"]).append_column("size", pa.array([date(2025, 1, 1)])))


def test_months_and_partners_leave_out_files_but_no_wanted_line(lake: Lake) -> None:
    for number in range(6):
        take_in(lake, f"b{number}", lines(numbered(number * 10, 10), seed=number))
    everything = lake.lines()
    wanted = "where partner_id = 'P3' and occurred_on between '2025-02-01' and '2025-02-28'"
    sql = f"select line_id from lines {wanted} order by 1"
    pruned = lake.lines(months=["2025-02"], partners=["P3"])
    assert query(pruned, sql) == query(everything, sql)
    assert len(query(everything, sql)) > 0
    assert len(pruned.paths) < len(everything.paths)
    assert lake.lines(partners=["P0", "P9"]).paths == ()
    assert lake.lines(months=[]).paths == ()


def test_lines_lie_by_month_and_inside_a_file_by_partner_and_day(lake: Lake) -> None:
    take_in(lake, "first", lines(numbered(0, 200)))
    found = lake.lines()
    assert len(found.paths) == 3
    for path in found.paths:
        rows = pq.read_table(path, columns=["partner_id", "occurred_on"], partitioning=None).to_pylist()
        order = [(row["partner_id"], row["occurred_on"]) for row in rows]
        assert order == sorted(order)
        assert {f"month={day:%Y-%m}" for _, day in order} == {path.parent.name}


def test_line_without_partner_is_kept(lake: Lake) -> None:
    rows = lines(["A", "B"])
    rows = rows.set_column(rows.schema.get_field_index("partner_id"), "partner_id", pa.array([None, "P1"]))
    take_in(lake, "first", rows)
    assert query(lake.lines(), "select line_id, partner_id from lines order by 1") == [("A", None), ("B", "P1")]


def test_posting_marks_once_and_only_what_is_in_the_lake(lake: Lake) -> None:
    batch = lake.register_batch(b"first", source="f")
    register = lake.register
    assert isinstance(register, SqliteRegister)
    with pytest.raises(Refusal, match="take it in first"):
        register.mark_posted(1, at=batch.registered_at)
    lake.append(batch, lines(["A"]))
    register.mark_posted(1, at=batch.registered_at)
    register.mark_posted(1, at=batch.registered_at)
    found = register.batch(1)
    assert found is not None
    assert found.state is State.POSTED
