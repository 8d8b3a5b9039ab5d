"""Personal fields are apart from the facts, and go without a trace while every fact stays."""

from pathlib import Path

import pyarrow as pa
import pytest

from headrace.engine.findings import Refusal
from headrace.lake import AppendResult, Lake, PersonalColumns

from .channel import content, files_of, lines, query

GROUPS = [PersonalColumns(key="customer_key", columns=("customer_name", "customer_email"))]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def named(ids: list[str], partners: list[str], names: list[str | None]) -> pa.Table:
    rows = lines(ids)
    rows = rows.set_column(rows.schema.get_field_index("partner_id"), "partner_id", pa.array(partners))
    emails = [name and f"{name.lower()}@example.org" for name in names]
    return rows.append_column("customer_name", pa.array(names, pa.string())).append_column(
        "customer_email", pa.array(emails, pa.string())
    )


def take_in(lake: Lake, name: str, rows: pa.Table) -> AppendResult:
    raw = str(rows.to_pylist()).encode()
    return lake.append(lake.register_batch(raw, source=name), rows, personal_columns=GROUPS)


def keys(lake: Lake) -> dict[object, object]:
    return dict(query(lake.lines(), "select line_id, customer_key from lines order by 1"))  # type: ignore[arg-type]


def test_lines_carry_a_key_and_no_personal_value(lake: Lake) -> None:
    take_in(lake, "first", named(["A", "B", "C"], ["P1", "P1", "P1"], ["Rosalind", "Rosalind", None]))
    found = lake.lines()
    assert {"customer_name", "customer_email"}.isdisjoint(found.columns)
    of = keys(lake)
    assert of["A"] == of["B"] is not None
    assert of["C"] is None
    fields = {(row["field"], row["value"]) for row in lake.people([str(of["A"])]).to_pylist()}
    assert fields == {("customer_name", "Rosalind"), ("customer_email", "rosalind@example.org")}


def test_same_person_of_a_partner_keeps_the_key_in_later_batches(lake: Lake) -> None:
    take_in(lake, "first", named(["A"], ["P1"], ["Rosalind"]))
    take_in(lake, "second", named(["B", "C"], ["P1", "P2"], ["Rosalind", "Rosalind"]))
    of = keys(lake)
    assert of["A"] == of["B"] != of["C"]
    assert lake.people().num_rows == 4


def bytes_hold(lake: Lake, text: str) -> bool:
    import pyarrow.parquet as pq

    for path in files_of(lake):
        if text.encode() in path.read_bytes():
            return True
        if path.suffix == ".parquet" and text in str(pq.ParquetFile(path).read().to_pylist()):
            return True
    return False


@pytest.mark.parametrize("by", ["partner", "key"])
def test_erasing_leaves_no_trace_on_the_disk_and_every_fact(lake: Lake, by: str) -> None:
    take_in(lake, "first", named(["A", "B"], ["P1", "P2"], ["Rosalind", "Ada"]))
    take_in(lake, "second", named(["C"], ["P2"], ["Grace"]))
    facts, of = content(lake.lines()), keys(lake)
    assert bytes_hold(lake, "Rosalind")
    erased = lake.erase_person(partner_id="P1") if by == "partner" else lake.erase_person(person_key=str(of["A"]))
    assert (erased.keys, erased.rows, erased.batch_seqs, erased.raw_files) == ((of["A"],), 2, (1,), 1)
    assert not bytes_hold(lake, "Rosalind")
    assert (content(lake.lines()), keys(lake)) == (facts, of)
    assert {row["value"] for row in lake.people().to_pylist() if row["field"] == "customer_name"} == {"Ada", "Grace"}
    first, second = lake.register.batches()
    assert lake.raw_file(first) is None
    assert lake.raw_file(second) is not None
    assert take_in(lake, "first", named(["A", "B"], ["P1", "P2"], ["Rosalind", "Ada"])).earlier


def test_erasing_somebody_unknown_is_refused(lake: Lake) -> None:
    with pytest.raises(Refusal) as refused:
        lake.erase_person(partner_id="P9")
    assert refused.value.code == "person_unknown"


def test_profile_that_names_absent_personal_columns_is_refused(lake: Lake) -> None:
    batch = lake.register_batch(b"x", source="x")
    with pytest.raises(Refusal) as refused:
        lake.append(batch, lines(["A"]), personal_columns=GROUPS)
    assert refused.value.code == "personal_column"
    assert lake.last_batch_seq() == 0
