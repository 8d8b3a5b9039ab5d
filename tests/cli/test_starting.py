"""What a command brings with it: the libraries it needs and no other; and the help that lists it says what it says itself."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_group

from headrace.cli.app import app
from headrace.cli.commands import COMMANDS
from tests.cli.conftest import Run
from tests.cli.test_calculate_command import LINES, TERMS

HEAVY = ("deltalake", "duckdb", "pyarrow", "sqlglot", "xlsxwriter")


def brought(*words: str, folder: Path) -> set[str]:
    """Run a command in a process of its own; give which of the heavy libraries it imported."""
    script = f"""
import sys
from headrace.cli import main
sys.argv = {["headrace", *words]}
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def test_each_command_is_listed_once_and_says_the_same_in_its_own_help() -> None:
    for listed in COMMANDS.values():
        import_module(f"headrace.cli.{listed.module}")
    registered = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    registered += [group.name for group in app.registered_groups if group.name]
    assert sorted(registered) == sorted(COMMANDS)
    for name, command in get_group(app).commands.items():
        assert command.help is not None
        assert " ".join(command.help.split("\n\n")[0].split()) == COMMANDS[name].says


def test_every_module_with_commands_is_known_to_the_list() -> None:
    folder = Path(sys.modules["headrace.cli"].__path__[0])
    adding = {path.stem for path in folder.glob("*.py") if "@app.command" in path.read_text("utf-8")}
    assert adding <= {listed.module for listed in COMMANDS.values()}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--help"], set()),
        (["check", "terms.yaml"], {"pyarrow"}),
        (["profiles"], {"pyarrow", "duckdb"}),
        (["calculate", "terms.yaml", "--lines", "lines.csv"], {"pyarrow", "duckdb", "deltalake"}),
    ],
)
def test_a_command_brings_only_the_libraries_that_it_needs(words: list[str], wanted: set[str], tmp_path: Path) -> None:
    (tmp_path / "terms.yaml").write_text(TERMS.replace("partners: \"partner.level = 'gold'\"\n", ""))
    (tmp_path / "lines.csv").write_text(LINES)
    assert brought(*words, folder=tmp_path) <= wanted


def test_a_misspelt_command_is_answered_with_the_nearest_of_all(run: Run) -> None:
    ended = run("calculat")
    assert ended.code == 2
    assert "Did you mean 'calculate'?" in ended.err
