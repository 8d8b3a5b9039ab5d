"""`headrace bench`: what may be asked, and what is printed."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from headrace.cli.bench import bench
from headrace.engine.findings import Refusal


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(bench)
    return CliRunner().invoke(app, list(arguments))


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, Refusal)
    return result.exception.code


def test_measures_the_rows_that_are_asked_and_prints_them_as_json(tmp_path: Path) -> None:
    result = run(
        "--rows", "append, balances", "--lines", "20k", "--partners", "20", "--folder", str(tmp_path), "--json"
    )
    assert result.exit_code == 0, result.output
    given = json.loads(result.stdout)
    assert given["size"] == {"lines": 20_000, "partners": 20, "products": 400, "seed": 1}
    assert [row["name"] for row in given["rows"]] == ["append", "balances"]
    assert (tmp_path / "lines20000-partners20-products400-seed1" / "lines.parquet").exists()


def test_prints_a_table_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    result = run("--rows", "balances", "--lines", "1000")
    assert result.exit_code == 0, result.output
    assert "balances" in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows", ["finalize", "balances,finalize", ",", "all,balances"])
def test_a_row_that_is_not_there_is_refused(rows: str) -> None:
    assert refused("--rows", rows) == "bench_row_unknown"


@pytest.mark.parametrize("lines", ["", "0", "99", "401m", "ten", "-1m", "1e6", "1.5m"])
def test_a_number_of_lines_that_is_none_is_refused(lines: str) -> None:
    assert refused("--rows", "balances", f"--lines={lines}") == "bench_lines_invalid"
