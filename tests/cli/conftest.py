"""Run the command line in this process, as a shell would see it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headrace.cli import main


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: exit code, what it printed, what it complained of."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


type Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `headrace WORD …` in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def command(*words: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["headrace", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return Ended(0 if code is None else int(code), printed.out, printed.err)

    return command
