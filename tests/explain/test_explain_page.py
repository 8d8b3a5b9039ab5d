"""Carries out the worked example of docs/explain.md, and holds what the command prints against the page."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w+ (\w+)(?:=(\S+))?\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def commands(folder: Path) -> list[tuple[list[str], str]]:
    """Write the page's files; gives each command with what the page says that it prints."""
    for kind, name, text in BLOCKS:
        if kind == "file":
            (folder / name).write_text(text, encoding="utf-8")
    told = [(kind, text) for kind, _, text in BLOCKS if kind in {"command", "printed"}]
    return [(shlex.split(told[at][1])[1:], told[at + 1][1]) for at in range(0, len(told), 2)]


@pytest.mark.parametrize("example", [0, 1], ids=["balance", "line"])
def test_the_page_shows_what_the_command_prints(example: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command, printed = commands(tmp_path)[example]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, (result.output, result.exception)
    assert result.stdout.endswith(printed)


def test_the_same_is_given_as_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command, _ = commands(tmp_path)[0]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    told = json.loads(result.stdout)
    assert (told["earned"], told["exact"], told["own"], told["measure"]) == ("20", "20", "27", "1200")
    assert [each["award"] for each in told["lines"]] == ["8", "6", "-2", "8"]
    assert told["steps"] == [{"code": "scope_cap", "before": "27", "after": "20", "parameters": {"cap": "20"}}]
