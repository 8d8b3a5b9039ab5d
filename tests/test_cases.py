"""Runs every hand-worked case through the reference and through the engine."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from headrace.engine.terms import Terms
from headrace.engine.terms import check as check_terms
from tests.reference.cases import Case, Row, cases_of
from tests.reference.engine import run_engine
from tests.reference.run import calculate

HERE = Path(__file__).parent
FILES = [*sorted((HERE / "cases").glob("*.yaml")), *sorted((HERE.parent / "docs" / "calculation").glob("*.md"))]
CASES = [pytest.param(case, id=f"{path.stem}: {case.name}") for path in FILES for case in cases_of(path)]
# How a case may name a column more shortly.
SHORT = {"payee": "payee_id"}


def matches(expected: object, got: object) -> bool:
    """Compare one cell exactly; a case writes numbers, the rows hold decimals of six places."""
    if isinstance(got, int) and isinstance(expected, Decimal):
        return Decimal(got) == expected
    return expected == got


def cell(row: Mapping[str, object], name: str) -> object:
    """Read a column by the name that a case gives it; `scope.x` is one word of the scope."""
    if name.startswith("scope."):
        return json.loads(str(row["scope"])).get(name.removeprefix("scope."))
    return row[SHORT.get(name, name)]


def differences(what: str, expected: Sequence[Row] | None, got: Sequence[Mapping[str, object]]) -> list[str]:
    """Say in words how two lists of rows differ."""
    if expected is None:
        return []
    names = list(expected[0]) if expected else []
    shown = "\n".join("    " + str({name: str(cell(row, name)) for name in names}) for row in got)
    if len(expected) != len(got):
        return [f"{what}: {len(expected)} rows expected, {len(got)} given:\n{shown or got}"]
    return [
        f"{what} row {at}: {name} should be {wanted}, is {cell(row, name)}"
        for at, (want, row) in enumerate(zip(expected, got, strict=True), start=1)
        for name, wanted in want.items()
        if not matches(wanted, cell(row, name))
    ]


def by_line(row: Mapping[str, object]) -> tuple[str, str, str]:
    """Order awards as cases list them."""
    return str(row["program"]), str(row["from"]), str(row["line_id"] or "~")


def check(
    case: Case,
    statements: Sequence[Mapping[str, object]],
    awards: Sequence[Mapping[str, object]],
    reasons: Mapping[str, Mapping[str, int]],
    findings: set[str],
) -> None:
    """Compare a run with what the case expects."""
    wrong = differences("statement", case.statements, statements)
    wrong += differences("award", case.awards, sorted(awards, key=by_line))
    if case.reasons is not None:
        got = {program: {k: n for k, n in counts.items() if n} for program, counts in reasons.items()}
        if {program: counts for program, counts in got.items() if counts or program in case.reasons} != case.reasons:
            wrong.append(f"reasons should be {case.reasons}, are {got}")
    if case.findings is not None and case.findings != findings:
        wrong.append(f"findings should be {sorted(case.findings)}, are {sorted(findings)}")
    if wrong:
        pytest.fail("\n".join([case.name, *wrong]), pytrace=False)


@pytest.mark.parametrize("case", CASES)
def test_the_reference_gives_what_was_worked_by_hand(case: Case) -> None:
    got = calculate(case.programs, case.lines, case.references, as_of=case.as_of, fixed=case.fixed)
    check(case, got.statements, got.awards, got.reasons, got.findings)


@pytest.mark.parametrize("case", CASES)
def test_the_engine_gives_what_was_worked_by_hand(case: Case, tmp_path: Path) -> None:
    got = run_engine(case.programs, case.lines, case.references, tmp_path, as_of=case.as_of, fixed=case.fixed)
    check(case, got.statements, got.awards, got.reasons, got.findings)


@pytest.mark.parametrize("case", CASES)
def test_the_documents_of_the_cases_are_without_fault(case: Case) -> None:
    assert [each for terms in case.programs for each in check_terms(terms) if each.severity == "error"] == []


# Keys that say how a document reads or is paid out, without a figure that a calculation shows.
WITHOUT_FIGURES = {
    "name",
    "type",
    "schedule.table_file",  # read into `table` when the document is
    "schedule.boosts.name",
    "schedule.free_goods.product",
    "limits.guarantee.paid",
    "accepted",  # who is enrolled is then decided by the application
    "settle.claim",
    "settle.every",
    "settle.tolerance",
    "settle.company",
}


def keys_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Name every key that a document may say, with the keys above it."""
    found = set()
    for name, info in model.model_fields.items():
        key = prefix + (info.alias or name)
        parts = [each for each in (info.annotation, *inner_types(info.annotation)) if isinstance(each, type)]
        below = [part for part in parts if issubclass(part, BaseModel)]
        found |= {inner for part in below for inner in keys_of(part, f"{key}.")} if below else {key}
    return found


def inner_types(annotation: object) -> list[object]:
    """Give every type inside an annotation."""
    return [each for arg in get_args(annotation) for each in (arg, *inner_types(arg))]


def said_keys(value: object, prefix: str = "") -> set[str]:
    """Name every key that a document says."""
    if isinstance(value, BaseModel):
        aliases = {name: info.alias or name for name, info in type(value).model_fields.items()}
        pairs = [(aliases[name], getattr(value, name)) for name in value.model_fields_set]
        return {key for name, inner in pairs for key in ({prefix + name} | said_keys(inner, f"{prefix}{name}."))}
    if isinstance(value, tuple):
        return {key for each in value for key in said_keys(each, prefix)}
    return set()


def test_every_key_of_the_document_is_in_a_case() -> None:
    said = {key for path in FILES for case in cases_of(path) for terms in case.programs for key in said_keys(terms)}
    missing = keys_of(Terms) - said - WITHOUT_FIGURES
    inside = ("schedule.changes.tiers.", "schedule.changes.table.")  # the same tiers and rows again
    assert {key for key in missing if not key.startswith(inside)} == set()
