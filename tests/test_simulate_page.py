"""Carries out the worked example of docs/simulate.md, and holds the page against the program."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from headrace.cli.app import app
from headrace.runs.made_up import WHY_NOT

PAGE = (Path(__file__).parent.parent / "docs" / "simulate.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w+ (\w+)(?:=(\S+))?\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def carried_out(folder: Path) -> Any:
    for kind, name, text in BLOCKS:
        if kind == "file":
            (folder / name).write_text(text, encoding="utf-8")
    command = next(text for kind, _, text in BLOCKS if kind == "command")
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def test_the_worked_example_comes_out_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    got = carried_out(tmp_path)
    expected = [(path, json.loads(text)) for kind, path, text in BLOCKS if kind == "path"]
    assert len(expected) >= 6
    for path, value in expected:
        found = got
        for key in path.split("."):
            found = found[int(key)] if key.isdigit() else found[key]
        assert found == value, path


def test_the_page_names_every_key_of_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listing = PAGE[PAGE.index("## The object of") :]

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*(keys(each) for each in value.values()))
        return set().union(*(keys(each) for each in value)) if isinstance(value, list) else set()

    missing = {key for key in keys(carried_out(tmp_path)) if not re.search(rf"\b{key}\b", listing)}
    assert not missing


def test_the_page_lists_every_reason_for_having_no_curve() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE))
    assert listed == WHY_NOT
