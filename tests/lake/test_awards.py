"""Awards come in by runs, each wholly and once."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from headrace.engine.findings import Refusal
from headrace.lake import Lake

from .crashing_intake import awards


def test_run_is_added_once(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    assert lake.append_awards("run-1", awards(), batch_seq=7) == 5
    assert lake.append_awards("run-1", awards(), batch_seq=7) == 5
    assert Lake(lake.folder).append_awards("run-2", awards().slice(0, 2), batch_seq=8) == 2
    with duckdb.connect() as database:
        found = database.execute(
            "select run, batch_seq, count(*), sum(award)::varchar from read_parquet(?) group by all order by 1",
            [[str(path) for path in lake.awards()]],
        ).fetchall()
    assert found == [("run-1", 7, 5, "6.250000"), ("run-2", 8, 2, "2.500000")]


def test_awards_with_other_columns_are_refused(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    with pytest.raises(Refusal, match="see award"):
        lake.append_awards("run-1", awards().drop_columns(["award"]), batch_seq=1)
    with pytest.raises(Refusal, match="beyond"):
        lake.append_awards("run-1", awards().append_column("x", pa.array(["x"] * 5)), batch_seq=1)
    assert lake.awards() == ()
