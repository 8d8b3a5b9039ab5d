"""Price protection: units on hand on the effective day × the fall of the price. Figures are worked by hand."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.engine.channel import earned, line, run
from tests.engine.test_stock import awards_of, buys, on, sells, stock

FALL = {
    "program": "fall", "currency": "USD", "measure": {"of": "on_hand", "every": "program"}, "valid": {"from": "2026-01-01"},
    "schedule": {"price_change": {"effective": "2026-01-10", "from": 12, "to": "9.5"}},
}  # fmt: skip
# P1 holds 3 + 10 − 6 = 7 units of K1 at the start of the 10th: all of B2 but none of the row's.
ROWS = [
    buys("B2", "10", "90", on(3)),
    sells("L1", "6", on(5)),
    sells("L2", "4", on(10)),
    buys("B3", "50", "450", on(10)),
]
OPENING = stock(("P1", "K1", on(1), "3", None))


def columns(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_pays_the_fall_on_the_newest_units_that_are_left(tmp_path: Path) -> None:
    # 7 of the 10 units of B2 are left: 7 × 2.50 = 17.50. What is bought or sold on the day itself is past the change.
    result, awards = run(tmp_path, FALL, ROWS, stock=OPENING)
    assert columns(awards, "line_id", "occurred_on", "measure", "award") == [("B2", on(3), Decimal(7), Decimal("17.5"))]
    row = result.statements.to_pylist()[0]
    assert (row["payee_id"], row["measure"], row["base"], row["tier"], row["lines"]) == ("P1", 7, 7, None, 1)
    assert (row["earned"], row["from"], row["until"], row["next_from"]) == (Decimal("17.5"), on(1), None, None)
    assert result.findings == ()


def test_units_that_no_purchase_covers_are_paid_on_the_opening_row(tmp_path: Path) -> None:
    # 8 + 10 − 6 = 12: the ten of B2 and two of the row's eight.
    result, awards = run(tmp_path, FALL, ROWS, stock=stock(("P1", "K1", on(1), "8", "9")))
    assert awards_of(awards) == {"B2": "25", "stock:P1:K1": "5"}
    assert {row["line_id"]: row["measure_after"] for row in awards} == {"stock:P1:K1": 2, "B2": 12}
    assert columns(awards, "occurred_on")[1] == (on(1),)
    assert earned(result) == [30]


def test_a_drop_is_paid_like_the_difference_of_two_prices(tmp_path: Path) -> None:
    program = FALL | {"schedule": {"price_change": {"effective": "2026-01-10", "drop": "0.333333"}}}
    result, _ = run(tmp_path, program, ROWS, stock=OPENING)
    assert earned(result) == [Decimal("2.33")]  # 7 × 0.333333 = 2.333331


def test_holders_that_only_appear_in_the_stock_table_are_paid(tmp_path: Path) -> None:
    rows = stock(("P1", "K1", on(1), "3", None), ("P9", "K7", on(4), "2", None), ("P9", "K1", on(10), "1", None))
    result, awards = run(
        tmp_path,
        FALL | {"measure": {"of": "on_hand", "every": "quarter", "per": ["earner", "product"]}},
        ROWS,
        stock=rows,
    )
    assert awards_of(awards) == {"B2": "17.5", "stock:P9:K1": "2.5", "stock:P9:K7": "5"}
    assert [row["scope"] for row in result.statements.to_pylist()] == [
        '{"earner":"P1","product":"K1"}', '{"earner":"P9","product":"K1"}', '{"earner":"P9","product":"K7"}',
    ]  # fmt: skip
    assert set(result.statements.column("until").to_pylist()) == {date(2026, 4, 1)}


def test_rules_look_at_the_holder_and_the_product_of_the_lot(tmp_path: Path) -> None:
    partners = pa.table({"partner_id": ["P1", "P2", "D"], "region": ["EMEA", "APAC", "EMEA"]})
    program = FALL | {"partners": "partner.region = 'EMEA'", "lines": "product.product_id = 'K1'"}
    rows = [
        *ROWS, buys("B4", "1", "1", on(2), partner_id="P2"), buys("B5", "1", "1", on(2), product_id="K2"),
        line("A1", "8", on(2), partner_id="D", buyer_id="P2", quantity="1", stage="sell_in"),
    ]  # fmt: skip
    products = pa.table({"product_id": ["K1", "K2"]})
    result, awards = run(tmp_path, program, rows, stock=OPENING, partners=partners, products=products)
    assert awards_of(awards) == {"B2": "17.5"}
    assert result.reasons["fall"] == {"partners_rule": 2, "lines_rule": 1}


def test_limits_cut_in_the_order_of_the_lots(tmp_path: Path) -> None:
    # 12 units at 2.50: the row's two and then B2; 9 units count, and 20 dollars are paid at most.
    program = FALL | {"limits": {"measure": {"max": 9}, "payout": {"per_scope": 20}}}
    _, awards = run(tmp_path, program, ROWS, stock=stock(("P1", "K1", on(1), "8", "9")))
    assert awards_of(awards) == {"stock:P1:K1": "5", "B2": "15"}


def test_nothing_is_held_before_the_effective_day(tmp_path: Path) -> None:
    result, awards = run(tmp_path, FALL, ROWS, stock=OPENING, as_of=on(9))
    assert not awards
    assert result.statements.num_rows == 0


def test_the_day_of_the_change_may_lie_past_the_last_line(tmp_path: Path) -> None:
    program = FALL | {"schedule": {"price_change": {"effective": "2026-03-01", "drop": 1}}}
    result, awards = run(tmp_path, program, ROWS, stock=OPENING, as_of=on(2, 4))
    assert awards_of(awards) == {"B3": "50", "B2": "3"}
    assert earned(result) == [53]


def test_units_that_came_back_are_on_hand_again(tmp_path: Path) -> None:
    # Two of L1's six come back on the 7th: nine of B2 are left. One of those bought goes back to the vendor: eight.
    rows = [
        *ROWS, sells("R1", "-2", on(7), original_line_id="L1"),
        buys("R2", "-1", "-9", on(8), kind="purchase_return", original_line_id="B2"),
    ]  # fmt: skip
    _, awards = run(tmp_path, FALL, rows, stock=OPENING)
    assert awards_of(awards) == {"B2": "20"}


def test_two_changes_and_a_rebate_are_calculated_together(tmp_path: Path) -> None:
    again = FALL | {"program": "again", "schedule": {"price_change": {"effective": "2026-01-12", "drop": 1}}}
    rebate = {"program": "rebate", "currency": "USD", "schedule": {"tiers": [{"from": 0, "per_unit": 1}]}}
    result, awards = run(tmp_path, [FALL, again, rebate], ROWS, stock=OPENING, as_of=on(12))
    # On the 12th 7 − 4 + 50 = 53 are held, 50 of B3 and 3 of B2.
    assert [(row["program"], row["line_id"], int(row["award"] * 2)) for row in awards] == [
        ("again", "B2", 6), ("again", "B3", 100), ("fall", "B2", 35), ("rebate", "L1", 12), ("rebate", "L2", 8),
    ]  # fmt: skip
    assert earned(result) == [53, Decimal("17.5"), 10]
