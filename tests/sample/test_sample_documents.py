"""The sample's programs have no fault, and its profiles load exactly the good lines of its files."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from headrace.engine.terms import TEMPLATES, load_terms
from headrace.intake.load import Request, intake
from headrace.intake.profile import load_profile
from headrace.intake.store import LakeStore
from headrace.intake.tables import read_table
from headrace.lake import Lake
from headrace.sample import Sample, make_sample

LINES = 2_000


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return make_sample(tmp_path_factory.mktemp("sample") / "demo", lines=LINES)


def test_every_program_reads_without_any_finding(sample: Sample) -> None:
    programs, findings = load_terms(sample.programs)
    assert findings == []
    assert len(programs) >= 10
    assert {terms.type for terms in programs} >= {
        "volume_rebate", "growth_rebate", "product_mix", "target_rebate", "promotion", "deal_registration", "special_price",
        "spiff", "points", "coop_accrual", "price_protection",
    }  # fmt: skip
    assert {terms.type for terms in programs} <= set(TEMPLATES)


def test_every_program_says_what_it_is_in_a_comment_at_its_head(sample: Sample) -> None:
    for path in sample.programs:
        assert path.read_text(encoding="utf-8").startswith("# "), path.name


def test_reference_files_read_without_any_finding(sample: Sample, tmp_path: Path) -> None:
    for kind in ("partners", "products", "rates", "stock", "targets", "forecasts", "deals", "calendar"):
        read = read_table(kind, sample.reference / f"{kind}.csv", into=tmp_path)
        assert (read.findings, read.received) == ((), read.loaded), kind


@pytest.mark.parametrize("layout", ["semicolon", "workbook"])
def test_a_layout_loads_exactly_its_good_lines(sample: Sample, tmp_path: Path, layout: str) -> None:
    tables = {}
    for kind in ("partners", "products"):
        read = read_table(kind, sample.reference / f"{kind}.csv", into=tmp_path)
        assert read.table is not None
        tables[kind] = read.table
    lake = Lake.create(tmp_path / "lake")
    request = Request(received_on=date(2026, 6, 30), references=tables)
    profile, paths = load_profile(sample.profile(layout)), sample.sales(layout)
    reports = intake(paths, profile, LakeStore(lake), request=request, out=tmp_path / "out").files
    lake.close()
    stated = [file for file in sample.sales_files if file.layout == layout]
    assert sum(file.loaded.rows for file in reports) == sum(file.lines for file in stated)
    assert sum((file.loaded.quantity for file in reports), Decimal(0)) == sum(file.quantity for file in stated)
    not_loaded = sum(file.twice + file.sent_again + file.dirty for file in stated)
    assert sum(file.rejected.rows for file in reports) == not_loaded
