"""The examples on real data: what Headrace earns equals what plain loops over the raw files earn, statement by statement."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from headrace.engine import Request, calculate
from headrace.engine.schema import Tables
from headrace.engine.terms import load_terms
from headrace.intake import load
from headrace.intake.profile import load_profile
from headrace.intake.reshape import load_table_map, reshape
from headrace.intake.store import LakeStore
from headrace.intake.tables import read_table
from headrace.lake import Lake
from tests.examples import adventureworks_by_hand, retail_by_hand
from tests.examples.real_data import EXAMPLES, real_folder

LOADED_ON = date(2013, 1, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    folder: str
    data: str
    sales: str
    profile: str
    # table → (raw file, map)
    maps: Mapping[str, tuple[str, str]]


ADVENTUREWORKS = Example(
    folder="adventureworks",
    data="adventureworks_reseller",
    sales="pos_lines_2010_2012.csv.gz",
    profile="adventureworks-reseller",
    maps={
        "partners": ("resellers.csv.gz", "resellers.yaml"),
        "products": ("products.csv.gz", "products.yaml"),
        "targets": ("sales_quota.csv.gz", "quotas.yaml"),
        "calendar": ("sales_quota.csv.gz", "quota-quarters.yaml"),
    },
)
ONLINE_RETAIL = Example(
    folder="online_retail",
    data="online_retail_2010_12_to_2011_06",
    sales="online_retail_2010-12_2011-06.csv.gz",
    profile="online-retail",
    maps={},
)
IOWA = Example(
    folder="iowa_liquor",
    data="iowa_liquor",
    sales="iowa_2012-01-31_all_stores.csv.gz",
    profile="iowa-liquor-day",
    maps={},
)
EXAMPLES_OF = {example.folder: example for example in (ADVENTUREWORKS, ONLINE_RETAIL, IOWA)}
PROGRAMS = [(path.parents[1].name, path.stem) for path in sorted(EXAMPLES.glob("*/programs/*.yaml"))]


@cache
def by_hand(example: str) -> Mapping[str, Mapping[tuple[str, str], Decimal]]:
    folder = real_folder(EXAMPLES_OF[example].data)
    if example == "adventureworks":
        return adventureworks_by_hand.all_programs(folder)
    return retail_by_hand.online_retail(folder) if example == "online_retail" else retail_by_hand.iowa(folder)


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Any:
    @cache
    def loaded(name: str) -> Tables:
        return load_example(EXAMPLES_OF[name], tmp_path_factory.mktemp(name))

    return loaded


def load_example(example: Example, scratch: Path) -> Tables:
    """Do what the example's README says: reshape the reference files, load the sales lines into a lake."""
    raw = real_folder(example.data)
    references: dict[str, Any] = {}
    for table, (file, map_) in example.maps.items():
        canonical = scratch / f"{table}.csv"
        assert reshape(raw / file, load_table_map(EXAMPLES / example.folder / "maps" / map_), canonical).findings == ()
        read = read_table(table, canonical, into=scratch / "tables")
        assert (read.table is not None, read.findings) == (True, ())
        references[table] = read.table
    lake = Lake.create(scratch / "lake")
    known = {table: read for table, read in references.items() if table in {"partners", "products"}}
    request = load.Request(received_on=LOADED_ON, references=known)
    report = load.intake(
        [raw / example.sales], load_profile(example.profile), LakeStore(lake), request=request, out=scratch / "out"
    )
    assert report.files[0].status == "loaded"
    lines = lake.lines()
    lake.close()
    return Tables(lines, references)


@pytest.mark.parametrize(
    ("example", "document"),
    PROGRAMS,
)
def test_every_statement_is_what_the_raw_files_say(example: str, document: str, tables: Any) -> None:
    programs, findings = load_terms([EXAMPLES / example / "programs" / f"{document}.yaml"])
    assert findings == []
    expected = by_hand(example)[programs[0].program]
    result = calculate(Request(programs=programs, tables=tables(example), as_of=LOADED_ON))
    earned = {
        (scope_of(row, programs[0].measure.per), row["from"].isoformat()): row["earned"]
        for row in result.statements.to_pylist()
    }
    assert earned == expected


def scope_of(row: Mapping[str, Any], per: tuple[str, ...]) -> str:
    """Give what a statement is told apart by: its payee, or what is beside the payee in its scope."""
    scope = re.findall(r'"([^"]*)":\s*"([^"]*)"', row["scope"])
    beside = [value for word, value in scope if word != "earner"]
    return beside[0] if len(per) > 1 else str(row["payee_id"])


@pytest.mark.parametrize("example", EXAMPLES_OF)
def test_the_results_in_the_readme_are_those_of_the_raw_files(example: str) -> None:
    text = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    written = {
        cells[0]: cells[1:]
        for line in text.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 5 and cells[0] in by_hand(example)
    }
    worked = {
        program: [
            f"{len(earned):,}",
            f"{sum(amount > 0 for amount in earned.values()):,}",
            f"{sum(earned.values()):,}",
            f"{max(earned.values()):,}",
        ]
        for program, earned in by_hand(example).items()
    }
    assert written == worked


@pytest.mark.parametrize("example", EXAMPLES_OF)
def test_the_documents_of_an_example_have_no_fault(example: str) -> None:
    programs, findings = load_terms([EXAMPLES / example / "programs"])
    assert programs
    assert findings == []
