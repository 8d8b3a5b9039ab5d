"""The application's demo holds, to the cent, what the command line calculates over the same files; a second start reuses it."""

import json
import sqlite3
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from headrace.foundation.roles import Role
from headrace.server.demo import PROGRAMS
from tests.server import installed

pytestmark = pytest.mark.soak  # it loads the sample's 172 files twice

type Key = tuple[str, ...]


def in_application(folder: Path) -> dict[Key, Decimal]:
    """Read what each statement earned from the database of the demo."""
    database = sqlite3.connect(folder / "home" / "headrace.sqlite3")
    columns = "program, payee_kind, payee_id, scope, period_from, currency, earned"
    rows = database.execute(f"SELECT {columns} FROM programs_livestatement").fetchall()
    database.close()
    return {tuple(map(str, row[:-1])): Decimal(str(row[-1])) for row in rows}


def calculated(here: installed.Installation, folder: Path) -> dict[Key, Decimal]:
    """Load the same files on the command line, and calculate the same programs with `headrace calculate`."""
    here.run("demo", str(folder), "--lines", "2000")
    programs = [str(folder / "programs" / f"{name}.yaml") for name in PROGRAMS]
    here.run("calculate", *programs, "--lake", str(folder / "lake"), "--out", str(folder / "out"))
    rows = pq.read_table(folder / "out" / "statements.parquet").to_pylist()
    names = ("program", "payee_kind", "payee_id", "scope", "from", "currency")
    return {tuple(str(row[name]) for name in names): row["earned"] for row in rows}


def test_the_application_owes_what_the_command_line_calculates(tmp_path: Path) -> None:
    here = installed.make(tmp_path)
    folder = tmp_path / "demo"
    first = here.run("demo-app", str(folder), "--lines", "2000", "--no-serve")
    kept = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    assert {each["role"] for each in kept["sign_ins"]} == {role.label for role in Role}
    assert all(each["email"] in first for each in kept["sign_ins"])
    assert (folder / "demo.json").stat().st_mode & 0o077 == 0
    shown = in_application(folder)
    assert {key[0] for key in shown} == set(PROGRAMS)
    assert shown == calculated(here, tmp_path / "files")
    again = here.run("demo-app", str(folder), "--no-serve")
    assert "Setting up" in first
    assert "Setting up" not in again
    assert all(each["password"] in again for each in kept["sign_ins"])
    assert in_application(folder) == shown
