"""Reference tables are kept once under a hash that depends on their content alone."""

import hashlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.engine.findings import Refusal
from headrace.lake import Lake, content_hash

from .channel import files_of


def table(**columns: pa.Array) -> pa.Table:
    return pa.table(columns)


def test_hash_is_the_one_that_its_definition_gives_by_hand() -> None:
    rates = table(
        id=pa.array(["é", None]),
        rate=pa.array([Decimal("0.035"), Decimal("-1")], pa.decimal128(9, 6)),
        since=pa.array([date(2025, 1, 2), None]),
    )
    first = hashlib.sha256("2:é8:0.03500010:2025-01-02".encode()).hexdigest()
    second = hashlib.sha256(b"-9:-1.000000-").hexdigest()
    head = "id\tstring\nrate\tdecimal128(9, 6)\nsince\tdate32[day]\n\n"
    by_hand = hashlib.sha256((head + "".join(f"{row}\n" for row in sorted((first, second)))).encode()).hexdigest()
    assert content_hash(rates) == by_hand


def test_hash_ignores_the_order_of_rows_and_columns_and_the_encoding_of_text() -> None:
    rows = table(a=pa.array(["x", "y", None]), b=pa.array([1, 2, 3]), c=pa.array([True, None, False]))
    other = rows.take([2, 0, 1]).select(["c", "a", "b"])
    encoded = other.set_column(1, "a", other["a"].dictionary_encode())
    assert content_hash(rows) == content_hash(other) == content_hash(encoded)


def test_hash_tells_apart_what_differs() -> None:
    tables = [
        table(a=pa.array(["x", "y"])),
        table(a=pa.array(["x", "x"])),
        table(a=pa.array(["x"])),
        table(b=pa.array(["x", "y"])),
        table(a=pa.array(["x", None])),
        table(a=pa.array(["x", "-"])),
        table(a=pa.array(["x", ""])),
        table(a=pa.array([Decimal("1.0")], pa.decimal128(9, 6))),
        table(a=pa.array([Decimal("1.0")], pa.decimal128(18, 6))),
        table(a=pa.array(["ab"]), b=pa.array(["c"])),
        table(a=pa.array(["a"]), b=pa.array(["bc"])),
        table(a=pa.array([], pa.string())),
    ]
    assert len({content_hash(one) for one in tables}) == len(tables)


def test_snapshot_is_kept_once_and_given_back(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    levels = table(level=pa.array(["gold", "silver"]), partner_id=pa.array(["P1", "P2"]))
    digest = lake.store_snapshot(levels)
    files = files_of(lake)
    assert lake.store_snapshot(levels.take([1, 0])) == digest == content_hash(levels)
    assert files_of(lake) == files
    loaded = Lake(lake.folder).load_snapshot(digest)
    assert loaded.schema == levels.schema
    assert sorted(map(str, loaded.to_pylist())) == sorted(map(str, levels.to_pylist()))


def test_missing_or_altered_snapshot_is_refused(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    digest = lake.store_snapshot(table(a=pa.array(["x"])))
    path = lake.folder / "snapshots" / f"{digest}.parquet"
    with pytest.raises(Refusal) as missing:
        lake.load_snapshot("0" * 64)
    assert missing.value.code == "snapshot_missing"
    pq.write_table(table(a=pa.array(["y"])), path)
    with pytest.raises(Refusal) as altered:
        lake.load_snapshot(digest)
    assert altered.value.code == "snapshot_damaged"
    path.write_bytes(b"torn")
    with pytest.raises(Refusal) as torn:
        lake.load_snapshot(digest)
    assert torn.value.code == "snapshot_damaged"


def test_floats_are_refused() -> None:
    with pytest.raises(Refusal, match="column rate has the type double"):
        content_hash(table(rate=pa.array([0.1])))
