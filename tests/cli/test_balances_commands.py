"""Follow programs, load files, see where everybody stands."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_calculate_command import LINES, PARTNERS, TERMS


@pytest.fixture(autouse=True)
def lake(run: Run, tmp_path: Path) -> None:
    (tmp_path / "terms.yaml").write_text(TERMS)
    (tmp_path / "lines.csv").write_text(LINES)
    (tmp_path / "partners.csv").write_text(PARTNERS)
    assert run("intake", "partners.csv", "--profile", "partners", "--lake", "lake").code == 0
    assert run("intake", "lines.csv", "--profile", "canonical", "--lake", "lake").code == 0


def amounts(run: Run) -> list[str]:
    shown = run("balances", "--lake", "lake", "--json")
    assert shown.code == 0, shown.err
    return [each["earned"] for each in shown.json["balances"]]


def test_balances_follow_every_file(run: Run, tmp_path: Path) -> None:
    listed = run("programs", "terms.yaml", "--lake", "lake", "--json")
    assert listed.code == 0, listed.err
    assert [each["loaded_as_of"] for each in listed.json["programs"]] == [1]
    calculated = run("calculate", "terms.yaml", "--lake", "lake", "--json").json["statements"][0]
    shown = run("balances", "--lake", "lake", "--json").json["balances"][0]
    assert {name: shown[name] for name in shown} == {name: calculated[name] for name in shown}
    assert shown["earned"] == "350.13"
    (tmp_path / "back.csv").write_text(back_of(LINES))
    assert run("intake", "back.csv", "--profile", "canonical", "--lake", "lake").code == 0
    assert amounts(run) == ["0.00"]
    proven = run("balances", "--lake", "lake", "--prove", "--json")
    assert (proven.code, proven.json) == (0, {"balances": 1, "differences": []})


def back_of(lines: str) -> str:
    """Give the return of every line, under an id of its own."""
    head, *rows = lines.strip().splitlines()
    names = head.split(",")
    made = [head]
    for row in rows:
        cells = dict(zip(names, row.split(","), strict=True))
        cells |= {"line_id": f"{cells['line_id']}-back", "kind": "return"}
        cells |= {name: f"-{cells[name]}" for name in ("quantity", "amount")}
        made.append(",".join(cells[name] for name in names))
    return "\n".join(made) + "\n"


def test_a_new_partner_table_changes_balances_at_once(run: Run, tmp_path: Path) -> None:
    run("programs", "terms.yaml", "--lake", "lake")
    assert amounts(run) == ["350.13"]
    (tmp_path / "partners.csv").write_text(PARTNERS.replace("gold", "silver"))
    assert run("intake", "partners.csv", "--profile", "partners", "--lake", "lake").code == 0
    assert amounts(run) == []


def test_what_is_not_followed_is_refused_with_the_way_out(run: Run) -> None:
    nothing = run("balances", "--lake", "lake")
    assert nothing.code == 2
    assert "headrace programs" in nothing.err
    run("programs", "terms.yaml", "--lake", "lake")
    assert run("balances", "--lake", "lake", "--program", "other").code == 2
    assert run("programs", "--lake", "lake", "--stop", "other").code == 2


def test_a_program_that_is_stopped_has_no_balances(run: Run) -> None:
    program = run("programs", "terms.yaml", "--lake", "lake", "--json").json["programs"][0]["program"]
    stopped = run("programs", "--lake", "lake", "--stop", program, "--json")
    assert (stopped.code, stopped.json) == (0, {"programs": []})
    assert run("balances", "--lake", "lake").code == 2


def test_tables_name_partner_and_next_tier(run: Run) -> None:
    run("programs", "terms.yaml", "--lake", "lake")
    shown = run("balances", "--lake", "lake")
    assert "350.13" in shown.out
    assert "USD" in shown.out
