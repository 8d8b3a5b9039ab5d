"""Totals added up batch by batch, in any order, give the statements that the lines themselves give."""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from headrace.engine import Request, calculate
from headrace.engine.schema import Tables
from headrace.engine.terms import Terms, classify
from headrace.engine.totals import ScopeKey, Sums, Totals, work
from tests.reference.cases import Case, Row, cases_of, tables_of
from tests.reference.made_lines import AS_OF, Facts, facts
from tests.reference.made_programs import programs
from tests.test_engine_against_reference import COMPARE, told

ROOT = Path(__file__).parents[1]
FILES = [*sorted((ROOT / "cases").glob("*.yaml")), *sorted((ROOT.parent / "docs" / "calculation").glob("*.md"))]
# What the totals do not keep: what is due and provided, and what was posted elsewhere.
KEY = ("program", "payee_kind", "payee_id", "scope", "from", "until")
SHOWN = (
    *KEY, "version", "measure", "base", "tier", "earned", "currency", "lines", "next_from", "next_distance", "carried",
    "payable_on",
)  # fmt: skip


def additive_cases() -> Iterator[Case]:
    """Give the worked cases of which every program is additive and whose lines are all to be counted."""
    for path in FILES:
        for case in cases_of(path):
            if case.lines and all(each.kind == "additive" for each in classify(case.programs).values()):
                yield case


CASES = [pytest.param(case, id=case.name) for case in additive_cases()]


class Kept:
    """Totals in memory."""

    def __init__(self) -> None:
        self.totals: dict[ScopeKey, dict[str, Sums]] = {}

    def fold(self, shares: Totals) -> Totals:
        """Add shares; give all parts of the touched scopes."""
        for key, parts in shares.items():
            kept = self.totals.setdefault(key, {})
            for part, sums in parts.items():
                kept[part] = kept[part].plus(sums) if part in kept else sums
        return {key: self.totals[key] for key in shares}


def shown(statements: pa.Table) -> dict[tuple[object, ...], Mapping[str, object]]:
    """Give what both ways tell, by statement."""
    return {tuple(row[name] for name in KEY): row for row in statements.select(list(SHOWN)).to_pylist()}


def made(lines: Sequence[Row], references: Mapping[str, Sequence[Row]], folder: Path, name: str) -> Tables:
    """Write lines and references as tables."""
    (folder / name).mkdir()
    return tables_of(lines, references, folder / name, 1)


def test_there_are_additive_cases_of_every_kind() -> None:
    said = {
        reason.code for case in additive_cases() for each in classify(case.programs).values() for reason in each.reasons
    }
    assert said == {"additive_incremental", "additive_tiers", "additive_table", "additive_shared"}


def in_batches(
    programs: Sequence[Terms],
    lines: Sequence[Row],
    references: Mapping[str, Sequence[Row]],
    as_of: date | None,
    chance: random.Random,
    folder: Path,
) -> dict[tuple[object, ...], Mapping[str, object]]:
    """Add the lines in three batches of any lines in any order; a batch brings along the sales that its returns name."""
    kept = Kept()
    got: dict[tuple[object, ...], Mapping[str, object]] = {}
    moneys: dict[str, frozenset[str]] = {}
    batches = {str(line["line_id"]): chance.randrange(3) for line in lines}
    for number in chance.sample(range(3), 3):
        counted = {line_id for line_id, batch in batches.items() if batch == number}
        named = {str(line.get("original_line_id")) for line in lines if str(line["line_id"]) in counted}
        taken = [line for line in lines if str(line["line_id"]) in counted | named]
        if not taken:
            continue
        tables = made(taken, references, folder, str(number))
        done = work(Request(programs=tuple(programs), tables=tables, as_of=as_of), kept.fold, counted=counted)
        got.update(shown(done.statements))
        moneys |= {program: moneys.get(program, frozenset()) | met for program, met in done.moneys.items()}
    refused = {program for program, met in moneys.items() if len(met) > 1}
    return {key: row for key, row in got.items() if key[0] not in refused}


@pytest.mark.parametrize("case", CASES)
def test_batches_in_any_order_give_what_all_lines_give(case: Case, tmp_path: Path) -> None:
    whole = made(case.lines, case.references, tmp_path, "whole")
    expected = calculate(Request(programs=case.programs, tables=whole, as_of=case.as_of))
    got = in_batches(case.programs, case.lines, case.references, case.as_of, random.Random(case.name), tmp_path)
    assert got == shown(expected.statements)


def compare(drawn: Sequence[Sequence[Terms]], channel: Facts, chance: random.Random) -> None:
    """Compare the additive ones of some programs with their calculation in full."""
    additive = [versions for versions in drawn if classify(versions)[versions[0].program].kind == "additive"]
    terms = tuple(version for versions in additive for version in versions)
    event(f"additive programs: {len(additive)}")
    if not terms or not channel.lines:
        return
    with tempfile.TemporaryDirectory() as folder:
        whole = made(channel.lines, channel.references, Path(folder), "whole")
        expected = calculate(Request(programs=terms, tables=whole, as_of=AS_OF))
        got = in_batches(terms, channel.lines, channel.references, AS_OF, chance, Path(folder))
    assert got == shown(expected.statements), told(terms, channel)


@given(drawn=programs(12), channel=facts(), chance=st.randoms(use_true_random=False))
@settings(COMPARE, max_examples=15)
def test_random_programs_give_the_same_in_batches(
    drawn: list[list[Terms]], channel: Facts, chance: random.Random
) -> None:
    compare(drawn, channel, chance)


@pytest.mark.soak
@given(drawn=programs(30), channel=facts(), chance=st.randoms(use_true_random=False))
@settings(COMPARE, max_examples=500)
def test_random_programs_give_the_same_in_batches_at_length(
    drawn: list[list[Terms]], channel: Facts, chance: random.Random
) -> None:
    compare(drawn, channel, chance)
