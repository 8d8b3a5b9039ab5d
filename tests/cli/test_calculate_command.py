"""The contract of `calculate`, and how every command ends: exit code, message, no traceback."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run

TERMS = """
program: volume
currency: USD
valid: { from: 2026-01-01, until: 2027-01-01 }
partners: "partner.level = 'gold'"
schedule:
  mode: incremental
  tiers: [ { from: 0, rate: 0.1 }, { from: 1000, rate: 25 % } ]
"""
HEAD = "line_id,kind,occurred_on,partner_id,product_id,quantity,amount,currency\n"
LINES = (
    HEAD
    + "a,sale,2026-01-05,P1,K,1,600,USD\n"
    + "b,sale,2026-01-06,P1,K,1,1400.50,USD\n"
    + "c,sale,2026-01-06,P2,K,1,100,USD\n"
)
PARTNERS = "partner_id,level\nP1,gold\nP2,silver\n"


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "terms.yaml").write_text(TERMS)
    (tmp_path / "lines.csv").write_text(LINES)
    (tmp_path / "partners.csv").write_text(PARTNERS)


def test_prints_one_object_with_every_key_of_the_contract(run: Run) -> None:
    ended = run("calculate", "terms.yaml", "--lines", "lines.csv", "--partners", "partners.csv", "--json")
    assert ended.code == 0, ended.err
    # 1,000 at 10 % and 1,000.50 at 25 %: 100 + 250.125 = 350.125, rounded half away from zero.
    assert ended.json["statements"] == [
        {
            "program": "volume",
            "version": 1,
            "payee": {"kind": "partner", "id": "P1"},
            "scope": {"earner": "P1"},
            "period": {"from": "2026-01-01", "until": "2026-04-01"},
            "measure": "2000.5",
            "base": "2000.5",
            "tier": 2,
            "earned": "350.13",
            "unverified": "0.00",
            "posted": "0.00",
            "to_post": "350.13",
            "accrued": "350.13",
            "forecast": None,
            "currency": "USD",
            "lines": 2,
            "next_tier": None,
            "carried": None,
            "carried_in": None,
            "payable_on": "2026-05-01",
        }
    ]
    assert ended.json["reasons"] == {"volume": {"partners_rule": 1}}
    assert ended.json["findings"] == []


def test_as_of_a_day_counts_what_was_there_by_then(run: Run) -> None:
    ended = run(
        "calculate",
        "terms.yaml",
        "--lines",
        "lines.csv",
        "--partners",
        "partners.csv",
        "--as-of",
        "2026-01-05",
        "--json",
    )
    (statement,) = ended.json["statements"]
    assert statement["measure"] == "600"
    assert statement["next_tier"] == {"from": "1000", "distance": "400"}


def test_a_written_run_verifies_until_a_file_or_a_figure_changes(run: Run, tmp_path: Path) -> None:
    ended = run("calculate", "terms.yaml", "--lines", "lines.csv", "--partners", "partners.csv", "--out", "out")
    assert ended.code == 0, ended.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "awards.parquet",
        "run.json",
        "statements.parquet",
        "statements.xlsx",
    }
    assert run("verify", "out").code == 0
    assert run("verify", "out/statements.parquet", "--json").json["equal"] is True
    (tmp_path / "partners.csv").write_text(PARTNERS.replace("silver", "gold"))
    changed = run("verify", "out")
    assert changed.code == 2
    assert "cited_file_changed" in changed.err


def test_a_bad_row_is_a_finding_and_the_good_ones_are_calculated(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text(LINES + "d,sale,2026-02-30,P1,K,1,5,USD\n")
    ended = run("calculate", "terms.yaml", "--lines", "lines.csv", "--partners", "partners.csv", "--json")
    assert ended.code == 1
    assert ended.json["statements"][0]["earned"] == "350.13"
    (finding,) = ended.json["findings"]
    assert finding["row"] == 5
    assert finding["column"] == "occurred_on"
    assert finding["severity"] == "error"


def test_a_faulty_document_calculates_nothing_and_names_the_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "terms.yaml").write_text(TERMS.replace("rate: 0.1", "rate: 35"))
    ended = run("calculate", "terms.yaml", "--lines", "lines.csv", "--partners", "partners.csv", "--json")
    assert ended.code == 1
    assert ended.json["statements"] == []
    assert ended.json["findings"][0]["row"] == 8


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("calculate", "terms.yaml"), "no_lines"),
        (("calculate", "absent.yaml", "--lines", "lines.csv"), "file_not_found"),
        (("calculate", "terms.yaml", "--lines", "absent.csv"), "file_not_found"),
        (("calculate", "terms.yaml", "--lake", "absent"), "not_a_lake"),
        (("calculate", "terms.yaml", "--lines", "lines.csv", "--out", "terms.yaml/x"), "out_unwritable"),
        (("verify", "terms.yaml"), "not_a_statement"),
        (("intake", "lines.csv", "--profile", "absent"), "profile_not_found"),
        (("intake", "lines.csv", "--profile", "canonical", "--lake", "terms.yaml/x"), "file_system"),
        (("bench", "--rows", "absent"), "bench_row_unknown"),
    ],
)
def test_wrong_use_ends_with_two_and_says_the_way_out(run: Run, words: tuple[str, ...], code: str) -> None:
    ended = run(*words)
    assert ended.code == 2
    assert code in ended.err
    assert "Traceback" not in ended.err + ended.out


def test_a_defect_shows_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("made up")

    monkeypatch.setattr("headrace.cli.inputs.documents", broken)
    ended = run("check", "terms.yaml")
    assert ended.code == 70
    assert "made up" in ended.err
    assert "Traceback" not in ended.err
