"""The demo ends by itself, with every good line loaded, every program calculated and statements written."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from headrace.cli import demo  # adds its commands
from headrace.cli.app import app


@pytest.mark.soak
def test_the_demo_goes_from_files_to_statements_and_can_be_run_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    for _ in range(2):
        ended = CliRunner().invoke(app, ["demo", str(folder), "--lines", "2000"])
        assert ended.exit_code == 0, ended.output
        assert all(f"headrace {word}" in ended.output for word in ("verify", "check", "calculate"))
    statements = pq.read_table(folder / "statements" / "statements.parquet")
    assert {"emea-volume", "ship-and-debit", "gateway-spiff"} <= set(statements["program"].to_pylist())
    assert set(demo.LAYOUTS) == {path.name for path in (folder / "sales").iterdir()}


def test_one_file_of_lines_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["sample", "--lines", "2000", "--one-file", str(tmp_path / "lines.csv")])
    assert ended.exit_code == 0, ended.output
    assert len((tmp_path / "lines.csv").read_text(encoding="utf-8").splitlines()) == 2_001
