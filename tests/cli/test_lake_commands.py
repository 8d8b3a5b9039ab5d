"""From a sales file to a proven, finalised statement, in commands."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_calculate_command import LINES, PARTNERS, TERMS


@pytest.fixture(autouse=True)
def lake(run: Run, tmp_path: Path) -> None:
    (tmp_path / "terms.yaml").write_text(TERMS)
    (tmp_path / "lines.csv").write_text(LINES)
    (tmp_path / "partners.csv").write_text(PARTNERS)
    loaded = run("intake", "partners.csv", "--profile", "partners", "--lake", "lake")
    assert loaded.code == 0, loaded.err
    loaded = run(
        "intake", "lines.csv", "--profile", "canonical", "--lake", "lake", "--received-on", "2026-01-31", "--json"
    )
    assert loaded.code == 0, loaded.err
    assert loaded.json["files"][0]["loaded"]["rows"] == 3


def test_the_same_file_again_adds_nothing(run: Run) -> None:
    again = run("intake", "lines.csv", "--profile", "canonical", "--lake", "lake", "--json")
    assert again.json["files"][0]["loaded"]["rows"] == 0


def test_calculates_over_the_lake_and_verifies_after_all_was_changed(run: Run, tmp_path: Path) -> None:
    ended = run("calculate", "terms.yaml", "--lake", "lake", "--out", "out", "--json")
    assert ended.code == 0, ended.err
    assert [each["earned"] for each in ended.json["statements"]] == ["350.13"]
    (tmp_path / "partners.csv").write_text(PARTNERS.replace("gold", "silver"))
    assert run("intake", "partners.csv", "--profile", "partners", "--lake", "lake").code == 0
    assert run("calculate", "terms.yaml", "--lake", "lake", "--json").json["statements"] == []
    assert run("lake", "maintain", "--lake", "lake").code == 0
    verified = run("verify", "out")
    assert verified.code == 0, verified.out + verified.err


def test_finalises_once_and_the_run_can_be_proven(run: Run) -> None:
    first = run("finalise", "terms.yaml", "--lake", "lake", "--period", "2026-01-01", "--json")
    assert first.code == 0, first.err
    assert [each["amount"] for each in first.json["posted"]] == ["350.130000"]
    again = run("finalise", "terms.yaml", "--lake", "lake", "--period", "2026-01-01", "--json")
    assert again.json["run"] is None
    assert again.json["posted"] == []
    assert run("verify", f"lake/runs/{first.json['run']}").code == 0
    calculated = run("calculate", "terms.yaml", "--lake", "lake", "--json").json["statements"][0]
    assert (calculated["posted"], calculated["to_post"]) == ("350.13", "0.00")


def test_a_dry_run_loads_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(LINES.replace("\na,", "\nx,").replace("\nb,", "\ny,").replace("\nc,", "\nz,"))
    dry = run("intake", "more.csv", "--profile", "canonical", "--lake", "lake", "--dry-run", "--json")
    assert dry.json["files"][0]["status"] == "checked"
    assert run("calculate", "terms.yaml", "--lake", "lake", "--json").json["statements"][0]["lines"] == 2


def test_control_totals_that_do_not_agree_load_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(LINES.replace("\na,", "\nx,").replace("\nb,", "\ny,").replace("\nc,", "\nz,"))
    ended = run("intake", "more.csv", "--profile", "canonical", "--lake", "lake", "--rows", "4", "--json")
    assert ended.code == 1
    assert ended.json["files"][0]["loaded"]["rows"] == 0


def test_lists_what_the_lake_holds(run: Run) -> None:
    status = run("lake", "status", "--lake", "lake", "--json").json
    assert [(batch["batch_seq"], batch["accepted"]) for batch in status["batches"]] == [(1, 3)]
    assert list(status["references"]) == ["partners"]


def test_a_suspected_duplicate_loads_when_it_is_marked_and_released(run: Run, tmp_path: Path) -> None:
    profile = run("profiles", "show", "canonical").out + "\nsuspects: [occurred_on, partner_id, product_id, amount]\n"
    (tmp_path / "careful.yaml").write_text(profile)
    (tmp_path / "more.csv").write_text(LINES.splitlines()[0] + "\nd,sale,2026-01-05,P1,K,1,600,USD\n")
    into = ("--profile", "careful.yaml", "--lake", "lake", "--json")
    held = run("intake", "more.csv", *into).json["files"][0]
    assert (held["held"]["rows"], held["rejects"]) == (1, "rejects/more.csv.rejects.csv")
    rejects = tmp_path / held["rejects"]
    rejects.write_text(rejects.read_text().replace(",d,,d,", ",d,yes,d,"))
    released = run("intake", held["rejects"], *into, "--release").json["files"][0]
    assert (released["held"]["rows"], released["loaded"]["amounts"]) == (0, {"USD": "600.000000"})
