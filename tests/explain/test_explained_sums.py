"""What is shown adds up: balances of hand-worked cases and of random programs, and the reason of every line as it was counted."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from headrace.engine.explain import Balance, LineOpened, Met, as_json, prove
from headrace.engine.explain_balance import open_balance, with_gates
from headrace.engine.explain_line import meet
from headrace.engine.explain_words import balance_words, line_opened_words
from headrace.engine.run import Request, Wave, calculate
from headrace.engine.terms import Terms
from tests.reference.cases import Case, Row, cases_of, tables_of
from tests.reference.engine import FIXED
from tests.reference.made_lines import AS_OF, Facts, facts
from tests.reference.made_programs import programs
from tests.test_cases import FILES

QUICK = {"calibration", "limits", "returns"}
CASES = [
    pytest.param(case, id=f"{path.stem}: {case.name}", marks=() if path.stem in QUICK else (pytest.mark.soak,))
    for path in FILES
    for case in cases_of(path)
]


def open_everything(request: Request, lines: Sequence[Row]) -> None:
    """Open every balance and every known line in one calculation, and compare them with its result."""
    balances: list[Balance] = []
    met: list[Met] = []

    def watch(wave: Wave) -> None:
        ids = ", ".join(f"'{wave.plan.book.programs[number].id}'" for number in wave.programs) or "NULL"
        rows = wave.desk.session.fetch(f"SELECT * FROM statement_rows WHERE program IN ({ids})").to_pylist()
        balances.extend(open_balance(wave, row) for row in rows)
        known = {str(row[0]) for row in wave.desk.session.rows("SELECT line_id FROM base")}
        met.extend(each for line in lines if line["line_id"] in known for each in meet(wave, str(line["line_id"])))

    result = calculate(request, watch=watch)
    assert len(balances) == result.statements.num_rows
    gates = [each.message for each in result.findings if each.code == "gate_failed"]
    for balance in balances:
        final = with_gates(balance, result.statements.to_pylist(), gates)
        prove(final)
        assert as_json(final)
        assert all(balance_words(final))
    counted: dict[str, Counter[str]] = {program: Counter() for program in result.reasons}
    for each in met:
        assert all(line_opened_words(LineOpened(line_id="L", values={}, programs=(each,))))
        if each.reason not in {None, "not_held"}:
            counted[each.program][str(each.reason)] += 1
    # Price protection counts lots, of which those without a purchase are no lines.
    lots = {terms.program for terms in request.programs if terms.schedule.price_change is not None}
    assert plain(counted, lots) == plain(result.reasons, lots)


def plain(counts: Mapping[str, Mapping[str, int]], without: Collection[str]) -> dict[str, dict[str, int]]:
    return {program: dict(each) for program, each in counts.items() if program not in without}


@pytest.mark.parametrize("case", CASES)
def test_every_balance_of_a_hand_worked_case_adds_up(case: Case, tmp_path: Path) -> None:
    fixed = pa.Table.from_pylist([dict(row) for row in case.fixed], FIXED) if case.fixed else None
    tables = tables_of(case.lines, case.references, tmp_path)
    request = Request(programs=case.programs, tables=tables, as_of=case.as_of, fixed=fixed, threads=1)
    open_everything(request, case.lines)


def open_made(made: list[list[Terms]], channel: Facts) -> None:
    with TemporaryDirectory() as folder:
        tables = tables_of(channel.lines, channel.references, Path(folder))
        terms = tuple(version for versions in made for version in versions)
        open_everything(Request(programs=terms, tables=tables, as_of=AS_OF, threads=1), channel.lines)


QUIETLY = settings(
    deadline=None,
    max_examples=3,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@given(made=programs(3), channel=facts(8))
@QUIETLY
def test_every_balance_of_random_programs_adds_up(made: list[list[Terms]], channel: Facts) -> None:
    open_made(made, channel)


@pytest.mark.soak
@given(made=programs(10), channel=facts())
@settings(QUIETLY, max_examples=200)
def test_every_balance_of_random_programs_adds_up_at_length(made: list[list[Terms]], channel: Facts) -> None:
    open_made(made, channel)
