"""Balances and lines opened on small channels; every figure is worked by hand in the test."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from headrace.engine import Request
from headrace.engine.explain import Balance, Met
from headrace.engine.explain_balance import Question, explain_balance
from headrace.engine.explain_line import explain_line
from headrace.engine.explain_words import balance_words, line_words, met_words
from headrace.engine.findings import Refusal
from headrace.engine.schema import Tables
from headrace.engine.terms import Terms
from tests.engine.channel import line, write_lines

D = Decimal
STEPS = {"tiers": [{"from": 0, "rate": "0.02"}, {"from": 1000, "rate": "0.035"}]}
THREE = [line("S1-1", "400"), line("S1-2", "300"), line("S1-3", "600")]


def document(program: str = "p", **keys: Any) -> dict[str, Any]:
    """A quarterly program on net value; two tiers unless said otherwise."""
    return {"program": program, "currency": "USD", "measure": {"every": "quarter"}, "schedule": STEPS} | keys


def asked(
    folder: Path, documents: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], **references: pa.Table
) -> Request:
    terms = tuple(Terms.model_validate(each) for each in documents)
    return Request(programs=terms, tables=Tables(lines=write_lines(folder, rows), references=references), threads=1)


def opened(folder: Path, keys: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Balance:
    return explain_balance(asked(folder, [document(**keys)], rows), Question(program="p", payee_id="P1"))


def shown(balance: Balance) -> list[tuple[str, list[tuple[int | None, Decimal, Decimal]], Decimal]]:
    """Each line with its parts as (tier, base, share) and its award."""
    return [
        (each.line_id, [(part.position, part.base, part.share) for part in each.parts], each.award)
        for each in balance.lines
    ]


def test_a_line_over_an_edge_is_split_where_it_crosses(tmp_path: Path) -> None:
    balance = opened(tmp_path, {}, THREE)
    # 400 × 2 % = 8; 300 × 2 % = 6; of 600 after 700, 300 × 2 % = 6 and 300 × 3.5 % = 10.50.
    assert shown(balance) == [
        ("S1-1", [(1, D(400), D(8))], D(8)),
        ("S1-2", [(1, D(300), D(6))], D(6)),
        ("S1-3", [(1, D(300), D(6)), (2, D(300), D("10.5"))], D("16.5")),
    ]
    assert line_words(balance.lines[2], balance.unit, "USD", 2) == (
        "Line S1-3 (sale of 2026-01-15): 600.00 USD moved the measure from 700 to 1,300. 300.00 in tier 1 at 2 % = 6.00, "
        "300.00 in tier 2 at 3.5 % = 10.50. Running share 14.00 → 30.50: this line earns 16.50 USD."
    )
    assert (balance.exact, balance.earned, balance.to_post) == (D("30.5"), D("30.5"), D("30.5"))


def test_retroactive_tiers_price_every_line_at_the_tier_of_the_end(tmp_path: Path) -> None:
    balance = opened(tmp_path, {"schedule": {"mode": "retroactive", **STEPS}}, THREE)
    # The measure ends at 1,300: 3.5 % of 400, 300 and 600.
    assert [(part, award) for _, (part,), award in shown(balance)] == [
        ((2, D(400), D(14)), D(14)),
        ((2, D(300), D("10.5")), D("10.5")),
        ((2, D(600), D(21)), D(21)),
    ]


def test_a_cap_shows_the_amount_before_and_after_it(tmp_path: Path) -> None:
    balance = opened(tmp_path, {"limits": {"payout": {"per_scope": 10}}}, THREE)
    assert [(step.code, step.before, step.after) for step in balance.steps] == [("scope_cap", D("30.5"), D(10))]
    assert [each.award for each in balance.lines] == [D(8), D(2), D(0)]
    assert "  The cap of 10: 30.50 → 10.00." in balance_words(balance)


def test_a_boost_and_the_rounding_are_steps_of_their_own(tmp_path: Path) -> None:
    boosted = STEPS | {"boosts": [{"when": "line.line_id = 'S1-2'", "factor": "1.5"}]}
    balance = opened(tmp_path, {"schedule": boosted}, [line("S1-1", "400"), line("S1-2", "300.15")])
    # 300.15 × 2 % = 6.003; × 1.5 = 9.0045; with 8.00 before: 17.0045, rounded 17.00.
    (step,) = balance.lines[1].steps
    assert (step.code, step.before, step.after) == ("boost", D("6.003"), D("9.0045"))
    assert [(each.code, each.before, each.after) for each in balance.steps] == [("rounded", D("17.0045"), D(17))]
    assert [each.award for each in balance.lines] == [D(8), D(9)]


def test_a_row_of_a_table_is_named_and_a_line_without_one_has_no_part(tmp_path: Path) -> None:
    table = {"table": [{"product": "K2", "per_unit": 5}, {"product": "K1", "rate": "0.1"}]}
    rows = [line("A", "50"), line("B", "50", product_id="K2", quantity="3"), line("C", "50", product_id="K3")]
    balance = opened(tmp_path, {"schedule": table}, rows)
    # A: 10 % of 50; B: 3 units at 5; C: no row.
    assert shown(balance) == [("A", [(2, D(50), D(5))], D(5)), ("B", [(1, D(50), D(15))], D(15)), ("C", [], D(0))]


def test_a_return_stands_right_after_its_sale(tmp_path: Path) -> None:
    late = line("R", "-300", date(2026, 3, 1), original_line_id="S1-2")
    balance = opened(tmp_path, {}, [*THREE, late])
    assert [each.line_id for each in balance.lines] == ["S1-1", "S1-2", "R", "S1-3"]
    back = balance.lines[2]
    assert (back.placed_on, back.measure_before, back.measure_after, back.award) == (
        date(2026, 1, 15),
        D(700),
        D(400),
        D(-6),
    )
    # S1-3 then runs from 400 to 1,000 and stays in the first tier: 600 × 2 %.
    assert balance.lines[3].award == D(12)
    assert "placed on 2026-01-15 with its sale S1-2" in line_words(back, "USD", "USD", 2)


def partners(*rows: tuple[str, str | None]) -> pa.Table:
    return pa.table({"partner_id": [row[0] for row in rows], "level": pa.array([row[1] for row in rows], pa.string())})


def met(folder: Path, documents: Sequence[Mapping[str, Any]], line_id: str, **references: pa.Table) -> list[Met]:
    rows = [line("A", "50"), line("B", "70", partner_id="P2"), line("C", "90", stage="sell_out")]
    return list(explain_line(asked(folder, documents, rows, **references), line_id).programs)


def test_the_condition_that_failed_is_named_with_what_it_read(tmp_path: Path) -> None:
    terms = document(partners="partner.level = 'gold'", lines="line.amount > 10 and line.amount < 40")
    (one,) = met(tmp_path, [terms], "A", partners=partners(("P1", "gold"), ("P2", "silver")))
    assert one.reason == "lines_rule"
    assert one.failure is not None
    assert (one.failure.condition, one.failure.outcome) == ("line.amount < 40", False)
    assert one.failure.values == {"line.amount": D(50)}
    assert met_words(one) == (
        "earns nothing: of the rule lines, the condition line.amount < 40 does not hold: line.amount is 50. (lines_rule)"
    )
    (two,) = met(tmp_path, [terms], "B", partners=partners(("P1", "gold"), ("P2", "silver")))
    assert two.reason == "partners_rule"
    assert two.failure is not None
    assert two.failure.values == {"partner.level": "silver"}


def test_a_missing_value_leaves_a_condition_open(tmp_path: Path) -> None:
    terms = document(partners="partner.level = 'gold'")
    (one,) = met(tmp_path, [terms], "A", partners=partners(("P1", None)))
    assert (one.reason, one.failure and one.failure.outcome) == ("partners_unknown", None)
    assert "cannot be decided: partner.level is empty" in met_words(one)


def test_a_line_says_which_program_took_it_and_which_stage_counts(tmp_path: Path) -> None:
    first = document("a", combine={"group": "g", "rule": "exclusive", "order": 1})
    second = document("b", combine={"group": "g", "rule": "exclusive", "order": 2})
    one, two = met(tmp_path, [first, second], "A")
    assert (one.reason, two.reason) == (None, "taken_by_a")
    assert one.line is not None
    assert one.line.award == D(1)
    assert "a comes first in their group" in met_words(two)
    three, _ = met(tmp_path, [first, second], "C")
    assert met_words(three) == "earns nothing: its stage is sell_out, and only sell_through count. (stage)"


@pytest.mark.parametrize(
    ("question", "code", "names"),
    [
        (Question(program="q", payee_id="P1"), "unknown_program", "There is p"),
        (Question(program="p", payee_id="P7"), "unknown_payee", "P1"),
        (Question(program="p", payee_id="P1", on=date(2027, 1, 1)), "unknown_period", "2026-01-01 until 2026-04-01"),
        (Question(program="p", payee_id="P1", scope={"earner": "P9"}), "unknown_scope", '{"earner":"P1"}'),
        (Question(program="p", payee_id="P1"), "several_balances", "2026-04-01 until 2026-07-01"),
    ],
)  # fmt: skip
def test_a_question_that_fits_nothing_or_several_names_what_there_is(
    tmp_path: Path, question: Question, code: str, names: str
) -> None:
    rows = [line("A", "50")] if code != "several_balances" else [line("A", "50"), line("B", "50", date(2026, 5, 1))]
    with pytest.raises(Refusal, match=names) as refused:
        explain_balance(asked(tmp_path, [document()], rows), question)
    assert refused.value.code == code


def test_an_unknown_line_is_refused_with_the_nearest_ids(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="S1-1") as refused:
        explain_line(asked(tmp_path, [document()], THREE), "S1-11")
    assert refused.value.code == "unknown_line"
