"""How far back a line reaches, worked by hand; that nothing is missed is proven with random programs in tests/runs."""

from datetime import date
from typing import Any

import pytest

from headrace.engine.reach import Reach, reaches
from tests.runs.small_lake import program

FIXED: dict[str, Any] = {"schedule": {"tiers": [{"from": "0", "rate": "0.1"}], "fixed": "1"}}
CASCADE = {"group": "together", "rule": "cascade"}


def reach_of(**further: Any) -> Reach:
    (made,) = reaches([program(**{**FIXED, **further})])
    assert made.way == "parties"
    return made


@pytest.mark.parametrize(
    ("every", "first"),
    [
        ("month", date(2026, 8, 1)),
        ("quarter", date(2026, 7, 1)),
        ("half", date(2026, 7, 1)),
        ("year", date(2026, 1, 1)),
    ],
)
def test_a_line_reaches_back_to_the_start_of_its_period(every: str, first: date) -> None:
    assert reach_of(measure={"every": every}).begins(date(2026, 8, 19), None) == first


def test_a_line_reaches_back_to_where_no_program_that_meets_it_has_a_period_running() -> None:
    # 19 August 2026 is in the week from Monday 17 August and in August. On 1 August, a Saturday, the week from 27 July runs; then
    # July runs, from the first; that is a Wednesday in the week from 29 June; then June, whose first is a Monday.
    terms = [
        program(program=every, **FIXED, measure={"every": every}, combine={**CASCADE, "order": order})
        for order, every in enumerate(("week", "month"))
    ]
    (made,) = reaches(terms)
    assert made.begins(date(2026, 8, 19), None) == date(2026, 6, 1)


@pytest.mark.parametrize(
    "further",
    [
        {"limits": {"negative": "carry"}},
        {"limits": {"minimum": {"amount": "50", "below": "carry_forward"}}},
        {"rounding": {"remainder": "carry_forward"}},
        {"measure": {"growth": {"baseline": "previous_period"}, "every": "quarter"}},
        {"measure": {"per": ["earner", "authorization"], "every": "quarter"}},
        {"schedule": {"tiers": [{"from": "0", "rate": "0.1"}], "free": {"lines": 3}}},
        {"schedule": {"table": [{"product": "K1", "per_unit": "1", "quantity_max": "10"}]}},
    ],
    ids=str,
)
def test_where_something_passes_between_periods_a_line_reaches_everything(further: dict[str, Any]) -> None:
    assert reach_of(**further).begins(date(2026, 8, 19), None) is None


def test_programs_with_and_without_separate_periods_are_not_worked_together() -> None:
    carried = program(program="carried", **FIXED, limits={"negative": "carry"})
    assert [(each.programs, each.apart) for each in reaches([program(**FIXED), carried])] == [
        (("volume",), True),
        (("carried",), False),
    ]


def test_a_yearly_program_does_not_take_a_monthly_one_back_with_it() -> None:
    monthly, yearly = (program(program=every, **FIXED, measure={"every": every}) for every in ("month", "year"))
    begins = {each.programs: each.begins(date(2026, 8, 19), None) for each in reaches([monthly, yearly])}
    assert begins == {("month",): date(2026, 8, 1), ("year",): date(2026, 1, 1)}
