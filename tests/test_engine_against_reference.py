"""The engine against the slow reference: random programs over random lines give the same statements, awards and reasons."""

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings

from headrace.engine.terms import Terms
from tests.reference.engine import run_engine
from tests.reference.made_lines import AS_OF, Facts, facts, stocked_facts
from tests.reference.made_programs import programs, stock_programs
from tests.reference.run import Outcome, calculate

COMPARE = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
KEY = ("program", "payee_kind", "payee_id", "scope", "from", "line_id")


def keyed(rows: Iterable[Mapping[str, object]]) -> dict[tuple[str, ...], Mapping[str, object]]:
    """Rows by what identifies them."""
    return {tuple(str(row.get(name)) for name in KEY): row for row in rows}


def unlike(what: str, ours: Sequence[Mapping[str, object]], theirs: Sequence[Mapping[str, object]]) -> list[str]:
    """Say in words where two lists of rows differ."""
    expected, got = keyed(ours), keyed(theirs)
    found = [f"{what} {key}: only the reference has it: {expected[key]}" for key in expected.keys() - got.keys()]
    found += [f"{what} {key}: only the engine has it: {got[key]}" for key in got.keys() - expected.keys()]
    for key in expected.keys() & got.keys():
        pairs = ((name, expected[key][name], got[key][name]) for name in expected[key])
        wrong = [f"{name} should be {want}, is {have}" for name, want, have in pairs if want != have]
        if wrong:
            found.append(f"{what} {key}: {'; '.join(wrong)}")
    return found


def disagreements(reference: Outcome, engine: Outcome) -> list[str]:
    """Everything in which two runs differ."""
    found = unlike("statement", reference.statements, engine.statements)
    found += unlike("award", reference.awards, engine.awards)
    for program in reference.reasons.keys() | engine.reasons.keys():
        ours = {reason: n for reason, n in reference.reasons.get(program, {}).items() if n}
        theirs = {reason: n for reason, n in engine.reasons.get(program, {}).items() if n}
        if ours != theirs:
            found.append(f"reasons of {program} should be {ours}, are {theirs}")
    return found


def told(terms: Sequence[Terms], channel: Facts) -> str:
    """Write programs and lines so that a counterexample can become a case."""
    documents = [each.model_dump(mode="json", by_alias=True, exclude_unset=True) for each in terms]
    lines = [{name: str(value) for name, value in line.items() if value is not None} for line in channel.lines]
    return "\n".join(json.dumps(each) for each in (*documents, *lines))


def compare(made: Sequence[Sequence[Terms]], channel: Facts) -> None:
    """Run both and fail with every difference."""
    terms = [version for versions in made for version in versions]
    ours = calculate(terms, channel.lines, channel.references, as_of=AS_OF)
    event(f"statements with money: {sum(bool(row['earned']) for row in ours.statements) // 10 * 10} and more")
    with tempfile.TemporaryDirectory() as folder:
        theirs = run_engine(terms, channel.lines, channel.references, Path(folder), as_of=AS_OF)
    found = disagreements(ours, theirs)
    if found:
        pytest.fail("\n".join([*found, told(terms, channel)]), pytrace=False)


@given(made=programs(10), channel=facts())
@COMPARE
def test_the_engine_gives_what_the_reference_gives(made: list[list[Terms]], channel: Facts) -> None:
    compare(made, channel)


@given(made=stock_programs(), channel=stocked_facts())
@settings(COMPARE, max_examples=10)
def test_the_engine_reads_stock_as_the_reference_does(made: list[list[Terms]], channel: Facts) -> None:
    compare(made, channel)


@pytest.mark.soak
@given(made=programs(12), channel=facts())
@settings(COMPARE, max_examples=500)
def test_the_engine_gives_what_the_reference_gives_at_length(made: list[list[Terms]], channel: Facts) -> None:
    compare(made, channel)


@pytest.mark.soak
@given(made=stock_programs(), channel=stocked_facts())
@settings(COMPARE, max_examples=300)
def test_the_engine_reads_stock_as_the_reference_does_at_length(made: list[list[Terms]], channel: Facts) -> None:
    compare(made, channel)


@given(made=programs(3), channel=facts())
@settings(COMPARE, max_examples=30)
def test_the_reference_attributes_every_amount(made: list[list[Terms]], channel: Facts) -> None:
    """Awards add up to what was earned, on every statement of every program."""
    terms = [version for versions in made for version in versions]
    got = calculate(terms, channel.lines, channel.references, as_of=AS_OF)
    for row in got.statements:
        head = ("program", "payee_kind", "payee_id", "scope", "from")
        awards = [each for each in got.awards if all(each[name] == row[name] for name in head)]
        assert sum(each["award"] for each in awards) == row["earned"], row  # type: ignore[misc]
