"""The guide "Your first program": its files give the figures that it prints, and those are worked by hand in it."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.engine import Request, Result, calculate
from headrace.engine.terms import loads
from headrace.intake.tables import read_tables
from tests.examples.real_data import EXAMPLES

FOLDER = EXAMPLES / "first_program"
GUIDE = EXAMPLES.parent / "docs" / "first-program.md"
DOCUMENT = (FOLDER / "emea-q3.yaml").read_text(encoding="utf-8")


def run(document: str, scratch: Path) -> Result:
    programs, faults = loads(document)
    assert faults == []
    files = {name: FOLDER / f"{name}.csv" for name in ("lines", "partners")}
    tables, findings = read_tables(files, into=scratch)
    assert tables is not None
    assert findings == []
    return calculate(
        Request(programs=programs, tables=tables, as_of=date(2026, 9, 30)), awards=scratch / "awards.parquet"
    )


def test_the_statements_are_those_of_the_guide(tmp_path: Path) -> None:
    result = run(DOCUMENT, tmp_path)
    shown = [
        (row["payee_id"], row["measure"], row["tier"], row["earned"], row["next_from"], row["next_distance"])
        for row in result.statements.to_pylist()
    ]
    assert shown == [
        ("R-1", Decimal(27000), 3, Decimal("370.00"), None, None),
        ("R-2", Decimal(9500), 1, Decimal("0.00"), Decimal(10000), Decimal(500)),
    ]
    assert dict(result.reasons["emea-q3"]) == {"lines_rule": 1, "partners_rule": 1}


def test_each_line_earns_what_the_table_by_hand_says(tmp_path: Path) -> None:
    result = run(DOCUMENT, tmp_path)
    assert result.awards is not None
    awards: pa.Table = pq.read_table(result.awards)
    of_r1 = {row["line_id"]: row["award"] for row in awards.to_pylist() if row["payee_id"] == "R-1"}
    assert of_r1 == {"L1": Decimal(0), "L2": Decimal("80.00"), "L4": Decimal("-20.00"), "L3": Decimal("310.00")}


def test_retroactive_pays_the_reached_rate_on_everything(tmp_path: Path) -> None:
    result = run(DOCUMENT.replace("mode: incremental", "mode: retroactive"), tmp_path)
    # 27,000 × 3.5 %
    assert [row["earned"] for row in result.statements.to_pylist()] == [Decimal("945.00"), Decimal("0.00")]


def test_the_guide_shows_the_document_as_it_is() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    block = text.split("```yaml\n")[1].split("```")[0]
    shown, faults = loads(block)
    written, _ = loads(DOCUMENT)
    assert faults == []
    assert shown == written


@pytest.mark.parametrize("page", [GUIDE, EXAMPLES.parent / "README.md", *sorted(EXAMPLES.glob("*/README.md"))])
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [part.split(")")[0] for part in text.split("](")[1:]]
    missing = [target for target in targets if not target.startswith("http") and not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_shows_a_program_without_fault() -> None:
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    programs, faults = loads(text.split("```yaml\n")[1].split("```")[0])
    assert faults == []
    assert json.loads(programs[0].model_dump_json())["program"] == "emea-volume"
