"""The provision beside what is earned. Figures are worked by hand; more stand in tests/cases/accrual.yaml."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.engine import Result
from tests.engine.channel import line, run
from tests.engine.test_stock import on, stock

TIERS = [{"from": 0, "rate": "0.01"}, {"from": 2000, "rate": "0.05"}]
FORESEEN = {
    "program": "p", "currency": "USD", "accrue": {"at": "forecast"}, "schedule": {"tiers": TIERS},
}  # fmt: skip


def provision(result: Result) -> list[tuple[Any, ...]]:
    """Give payee, earned, accrued and forecast of every statement, amounts as plain text."""
    rows = result.statements.to_pylist()
    return [(row["payee_id"], *(_text(row[name]) for name in ("earned", "accrued", "forecast"))) for row in rows]


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def entered(*values: tuple[str, str]) -> pa.Table:
    """Write forecasts of program p for the first quarter."""
    return pa.table(
        {
            "program": pa.array(["p"] * len(values)), "earner": pa.array([each[0] for each in values]),
            "from": pa.array([on(1)] * len(values), pa.date32()),
            "until": pa.array([date(2026, 4, 1)] * len(values), pa.date32()),
            "value": pa.array([Decimal(each[1]) for each in values], pa.decimal128(18, 6)),
        }
    )  # fmt: skip


def test_a_forecast_leaves_what_is_earned_and_awarded_alone(tmp_path: Path) -> None:
    # 30 of 90 days: 1,500 become 4,500: 20 + 125 = 145, a third of it is 48.33. The awards stay those of the 1,500.
    rows = [line("L1", "1000", on(2)), line("L2", "500", on(3))]
    result, awards = run(tmp_path, FORESEEN, rows, as_of=on(30))
    assert provision(result) == [("P1", "15", "48.33", "145")]
    assert [row["award"] for row in awards] == [10, 5]
    assert result.statements.column("measure").to_pylist() == [1500]


def test_a_period_without_an_end_has_no_forecast(tmp_path: Path) -> None:
    program = FORESEEN | {"measure": {"every": "program"}}
    result, _ = run(tmp_path, program, [line("L1", "1000", on(2))], as_of=on(30))
    assert provision(result) == [("P1", "10", "10", None)]


def test_sales_that_came_back_are_foreseen_to_stay_at_nought(tmp_path: Path) -> None:
    program = FORESEEN | {"accrue": {"at": "forecast", "forecast": "entered"}}
    rows = [line("L1", "1000", on(2)), line("L2", "-1000", on(3))]
    result, _ = run(tmp_path, program, rows, forecasts=entered(("P1", "4000")))
    assert provision(result) == [("P1", "0", "0", "0")]


def test_an_entered_forecast_holds_for_its_own_scope(tmp_path: Path) -> None:
    # P1: 4,000 foreseen: 20 + 100 = 120, a quarter of it. Nobody foresaw P2: what is earned accrues.
    program = FORESEEN | {"accrue": {"at": "forecast", "forecast": "entered"}}
    rows = [line("L1", "1000", on(2)), line("L2", "1000", on(3), partner_id="P2")]
    result, _ = run(tmp_path, program, rows, forecasts=entered(("P1", "4000")))
    assert provision(result) == [("P1", "10", "30", "120"), ("P2", "10", "10", None)]


def test_programs_that_others_reduce_are_foreseen_on_what_is_left(tmp_path: Path) -> None:
    # a takes 10 % of 1,000. b pays 10 % of 900: 90. Foreseen three times as much: a 300, b 270; a third of it accrues.
    first = {
        "program": "a", "currency": "USD", "accrue": {"at": "forecast"}, "schedule": {"tiers": [{"from": 0, "rate": "0.1"}]},
        "combine": {"group": "g", "rule": "cascade", "order": 1},
    }  # fmt: skip
    second = first | {"program": "b", "combine": {"group": "g", "rule": "cascade", "order": 2}}
    result, awards = run(tmp_path, [first, second], [line("L1", "1000", on(2))], as_of=on(30))
    assert provision(result) == [("P1", "100", "100", "300"), ("P1", "90", "90", "270")]
    assert [(row["program"], row["award"]) for row in awards] == [("a", 100), ("b", 90)]


def test_a_named_tier_prices_special_prices_and_shares_its_bonus_by_base(tmp_path: Path) -> None:
    # The group's 1,000 reach no tier. In gold P1 gets 5 % of 700 and 70 of the bonus of 100, P2 5 % of 300 and 30.
    partners = pa.table({"partner_id": ["P1", "P2"], "group_id": ["G", "G"]})
    program = {
        "program": "p", "currency": "USD", "measure": {"per": ["group"]}, "accrue": {"at": "gold"},
        "schedule": {"tiers": [{"from": 5000, "rate": "0.05", "bonus": 100, "name": "gold"}]},
    }  # fmt: skip
    rows = [line("L1", "700", on(2)), line("L2", "300", on(3), partner_id="P2")]
    result, _ = run(tmp_path, program, rows, partners=partners)
    assert provision(result) == [("P1", "0", "105", None), ("P2", "0", "45", None)]


def test_a_named_tier_credits_the_difference_to_its_special_price(tmp_path: Path) -> None:
    program = {
        "program": "p", "currency": "USD", "measure": {"of": "quantity"}, "accrue": {"at": "deep"},
        "schedule": {"tiers": [{"from": 0, "down_to": 9}, {"from": 50, "down_to": 7, "name": "deep"}]},
    }  # fmt: skip
    result, _ = run(tmp_path, program, [line("L1", "0", on(2), quantity="4", cost="40")])
    assert provision(result) == [("P1", "4", "12", None)]


def test_less_than_nothing_in_stock_accrues_nothing(tmp_path: Path) -> None:
    program = {
        "program": "p", "currency": "USD", "accrue": {"basis": "sell_in"}, "schedule": {"tiers": [{"from": 0, "per_unit": 1}]},
    }  # fmt: skip
    rows = [line("L1", "0", on(2), quantity="5"), line("L2", "0", on(3), quantity="4", product_id="K2")]
    result, _ = run(
        tmp_path, program, rows, stock=stock(("P1", "K1", on(1), "3", None), ("P1", "K2", on(1), "2", None))
    )
    assert provision(result) == [("P1", "9", "9", None)]
    # 20 − 5 of K1 and −4 of K2 are on hand: 11 × 9 ÷ 9.
    result, _ = run(tmp_path / "more", program, rows, stock=stock(("P1", "K1", on(1), "20", None)))
    assert provision(result) == [("P1", "9", "20", None)]


def test_a_lump_sum_accrues_for_payees_without_lines(tmp_path: Path) -> None:
    program = {
        "program": "p", "currency": "USD", "valid": {"from": "2026-01-01"}, "accrue": {"lump_sum": 90, "spread": "daily"},
        "inputs": [{"earner": "P5"}], "schedule": {"tiers": TIERS},
    }  # fmt: skip
    result, awards = run(tmp_path, program, [line("L1", "1000", on(2))], as_of=on(30))
    assert provision(result) == [("P1", "10", "10", None), ("P5", "0", "30", None)]
    assert [row["line_id"] for row in awards] == ["L1"]
