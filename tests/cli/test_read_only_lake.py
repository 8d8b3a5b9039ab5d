"""Commands that only read work on a lake that the user may not write."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_calculate_command import LINES, PARTNERS, TERMS

# The modules are imported before the rights are given up: the user left over may not be able to read them.
_CHILD = """
import json, os, sys
from headrace.cli import calculating, explaining, main, simulating
os.setuid(65534)
sys.argv = ["headrace", *sys.argv[1:]]
main()
"""

pytestmark = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="needs the right to become another user"
)


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Iterator[Path]:
    """Give a folder with a lake of which a period is finalised, and a written run; nobody may write it."""
    (tmp_path / "terms.yaml").write_text(TERMS)
    (tmp_path / "lines.csv").write_text(LINES)
    (tmp_path / "partners.csv").write_text(PARTNERS)
    assert run("intake", "partners.csv", "--profile", "partners", "--lake", "lake").code == 0
    assert run("intake", "lines.csv", "--profile", "canonical", "--lake", "lake").code == 0
    assert run("calculate", "terms.yaml", "--lake", "lake", "--out", "out").code == 0
    assert run("finalise", "terms.yaml", "--lake", "lake", "--period", "2026-01-01").code == 0
    copy = Path("/tmp") / f"headrace-read-only-cli-{os.getpid()}"
    shutil.copytree(tmp_path, copy)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield copy
    shutil.rmtree(copy)


def headrace(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    return done


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["calculate", "terms.yaml", "--lake", "lake", "--json"], '"posted": "350.13"'),
        (["calculate", "terms.yaml", "--lake", "lake", "--partners", "partners.csv", "--json"], '"posted": "350.13"'),
        (["explain", "terms.yaml", "--lake", "lake", "--program", "volume", "--payee", "P1"], "350.13"),
        (["simulate", "terms.yaml", "--lake", "lake", "--json"], '"earned": "350.13"'),
        (["verify", "out", "--lake", "lake"], "Equal: 1 statements and 2 awards"),
    ],
)
def test_reading_commands_work_and_write_nothing(folder: Path, words: list[str], wanted: str) -> None:
    done = headrace(folder, *words)
    assert done.returncode == 0, done.stderr
    assert wanted in done.stdout


def test_a_run_that_must_keep_what_it_cites_in_the_lake_is_refused(folder: Path) -> None:
    out = folder.with_name(f"{folder.name}-out")
    done = headrace(folder, "calculate", "terms.yaml", "--lake", "lake", "--out", str(out))
    assert done.returncode == 2
    assert "(lake_read_only)" in done.stderr
    assert not out.exists()
