"""Stock in the channel: units on hand, what sold units cost first in first out, price protection. Figures are worked by hand."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.engine.schema import LINE
from tests.engine.channel import line, run

SHIP = {
    "program": "ship", "currency": "USD", "measure": {"of": "quantity", "every": "program"},
    "schedule": {"cost_basis": "fifo", "tiers": [{"from": 0, "down_to": 5}]},
}  # fmt: skip


def on(day: int, month: int = 1) -> date:
    return date(2026, month, day)


def buys(line_id: str, units: str, paid: str, day: date, **more: Any) -> dict[str, Any]:
    """P1 buys K1."""
    return line(line_id, paid, day, kind="purchase", stage="sell_in", quantity=units) | more


def sells(line_id: str, units: str, day: date, **more: Any) -> dict[str, Any]:
    """P1 sells K1, or takes it back where units are negative."""
    kind = "return" if units.startswith("-") else "sale"
    return line(line_id, "0", day, kind=kind, quantity=units) | more


def stock(*rows: tuple[str, str, date, str, str | None]) -> pa.Table:
    """Write rows of the stock table: partner, product, day, units, unit cost."""
    return pa.table(
        {
            "partner_id": pa.array([row[0] for row in rows], pa.string()),
            "product_id": pa.array([row[1] for row in rows], pa.string()),
            "on": pa.array([row[2] for row in rows], pa.date32()),
            "quantity": pa.array([Decimal(row[3]) for row in rows], LINE),
            "unit_cost": pa.array([None if row[4] is None else Decimal(row[4]) for row in rows], LINE),
        }
    )


def awards_of(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["line_id"]: f"{row['award'].normalize():f}" for row in rows}


def test_sold_units_cost_what_the_oldest_lots_cost(tmp_path: Path) -> None:
    # Lots: 10 at 8, 10 at 9. L1 takes 6 × 8 = 48, less 6 × 5: 18. L2 takes 4 × 8 + 4 × 9 = 68, less 40: 28. L3: 3 × 9 − 15 = 12.
    rows = [
        buys("B1", "10", "80", on(1)), buys("B2", "10", "90", on(3)),
        sells("L1", "6", on(2)), sells("L2", "8", on(4)), sells("L3", "3", on(5)),
    ]  # fmt: skip
    result, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "18", "L2": "28", "L3": "12"}
    assert not result.findings


def test_a_full_return_of_a_named_sale_restores_the_lots(tmp_path: Path) -> None:
    # As if L1 had never been: L2 takes 8 × 8 − 40 = 24, L3 2 × 8 + 1 × 9 − 15 = 10. The return takes back exactly what L1 earned.
    rows = [
        buys("B1", "10", "80", on(1)), buys("B2", "10", "90", on(3)), sells("L1", "6", on(2)), sells("L2", "8", on(4)),
        sells("L3", "3", on(5)), sells("R1", "-6", on(20), original_line_id="L1"),
    ]  # fmt: skip
    _, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "18", "R1": "-18", "L2": "24", "L3": "10"}


def test_part_of_a_sale_goes_back_to_its_own_lots(tmp_path: Path) -> None:
    # L1 takes 8 × 8 and 4 × 9 = 100 for 12 units; 6 come back: 4 × 9 + 2 × 8 = 52. Then L2 begins at the seventh unit: 2 × 8 +
    # 1 × 9.
    rows = [
        buys("B1", "8", "64", on(1)), buys("B2", "10", "90", on(1)), sells("L1", "12", on(2)), sells("L2", "3", on(4)),
        sells("R1", "-6", on(20), original_line_id="L1"),
    ]  # fmt: skip
    _, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "40", "R1": "-22", "L2": "10"}


def test_a_return_without_its_sale_brings_the_latest_units_back(tmp_path: Path) -> None:
    # After L1 (8 × 8) and L2 (2 × 8 + 2 × 9 = 34), R1 gives back 3 units: 2 × 9 + 1 × 8 = 26; L3 takes them again.
    rows = [
        buys("B1", "10", "80", on(1)), buys("B2", "10", "90", on(1)), sells("L1", "8", on(2)), sells("L2", "4", on(3)),
        sells("R1", "-3", on(4)), sells("L3", "3", on(5)),
    ]  # fmt: skip
    _, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "24", "L2": "14", "R1": "-11", "L3": "11"}


def test_each_product_of_units_and_cost_is_rounded_to_six_decimals(tmp_path: Path) -> None:
    # Three units for 10 and three for 11: a third of a lot is 3.333333, the rest of it 6.666667, a third of the next 3.666667.
    program = SHIP | {
        "schedule": {"cost_basis": "fifo", "tiers": [{"from": 0, "down_to": 0}]},
        "rounding": {"decimals": 6},
    }
    rows = [
        buys("B1", "3", "10", on(1)),
        buys("B2", "3", "11", on(1)),
        sells("L1", "1", on(2)),
        sells("L2", "3", on(3)),
    ]
    _, awards = run(tmp_path, program, rows)
    assert awards_of(awards) == {"L1": "3.333333", "L2": "10.333334"}


def test_units_that_no_purchase_covers_cost_what_the_last_lot_did(tmp_path: Path) -> None:
    rows = [buys("B1", "5", "40", on(1)), sells("L1", "7", on(2)), sells("L2", "1", on(3))]
    result, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "21", "L2": "3"}
    assert [(each.code, each.severity) for each in result.findings] == [("fifo_short", "warning")]
    assert "2 lines of P1 sell 3 units of K1" in result.findings[0].message


def test_a_sale_of_what_was_never_bought_does_not_count(tmp_path: Path) -> None:
    rows = [buys("B1", "5", "40", on(1)), sells("L1", "1", on(2)), sells("L2", "2", on(3), product_id="K2")]
    result, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "3"}
    assert result.reasons["ship"] == {"kind": 1, "value_missing": 1}


def test_the_opening_stock_is_consumed_first(tmp_path: Path) -> None:
    # The row opens with 4 at 7; the purchase before it is gone. L1: 4 × 7 + 1 × 9 = 37 − 25.
    rows = [buys("B0", "9", "900", on(1)), buys("B1", "10", "90", on(10)), sells("L1", "5", on(11))]
    _, awards = run(tmp_path, SHIP, rows, stock=stock(("P1", "K1", on(5), "4", "7")))
    assert awards_of(awards) == {"L1": "12"}


def test_a_count_without_a_cost_says_how_many_of_the_newest_units_are_left(tmp_path: Path) -> None:
    # 10 at 8, 10 at 9; 2 sold; a count of 9 on the 5th: the nine newest are left, all of them at 9. L2: 3 × 9 − 15.
    rows = [
        buys("B1", "10", "80", on(1)), buys("B2", "10", "90", on(2)), sells("L1", "2", on(3)),
        sells("C1", "9", on(5), kind="stock_count"), sells("L2", "3", on(5)),
    ]  # fmt: skip
    _, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "6", "L2": "12"}


def test_a_return_after_a_count_undoes_its_sale_and_is_in_stock_again(tmp_path: Path) -> None:
    # L1 costs 2 × 8, back at the same. The count leaves the 4 units at 9; the two come back before them, at 8: L2 2 × 8 + 1 × 9.
    rows = [
        buys("B1", "10", "80", on(1)), buys("B2", "4", "36", on(2)), sells("L1", "2", on(3)),
        sells("C1", "4", on(5), kind="stock_count"), sells("R1", "-2", on(6), original_line_id="L1"), sells("L2", "3", on(7)),
    ]  # fmt: skip
    _, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "6", "R1": "-6", "L2": "10"}


def test_a_purchase_that_goes_back_by_name_shrinks_its_own_lot(tmp_path: Path) -> None:
    # B1 keeps 2 of 10 at 8: L1 takes 2 × 8 + 1 × 9 = 25 − 15.
    rows = [
        buys("B1", "10", "80", on(1)), buys("B2", "10", "90", on(2)), sells("L1", "3", on(3)),
        buys("R1", "-8", "-64", on(9), kind="purchase_return", original_line_id="B1"),
    ]  # fmt: skip
    _, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "10"}


def test_what_a_distributor_sold_is_the_lot_of_its_buyer(tmp_path: Path) -> None:
    # D sells 10 to P1 for 80; P1's cost is that amount, not D's own cost of 50.
    rows = [
        line("A1", "80", on(1), partner_id="D", buyer_id="P1", quantity="10", cost="50", stage="sell_in"),
        sells("L1", "3", on(2), cost="1"),
    ]  # fmt: skip
    _, awards = run(tmp_path, SHIP, rows)
    assert awards_of(awards) == {"L1": "9"}


def test_lots_are_converted_at_the_day_of_their_purchase(tmp_path: Path) -> None:
    # 10 units for 80 EUR at 1.10 are 88 USD: 2 × 8.8 − 10 = 7.60, whatever the rate on the day of the sale.
    rates = pa.table(
        {
            "date": pa.array([on(1), on(8)], pa.date32()), "from_currency": ["EUR", "EUR"], "to_currency": ["USD", "USD"],
            "rate": ["1.10", "2"],
        }
    )  # fmt: skip
    rows = [buys("B1", "10", "80", on(1), currency="EUR"), sells("L1", "2", on(9))]
    _, awards = run(tmp_path, SHIP, rows, rates=rates)
    assert awards_of(awards) == {"L1": "7.6"}
    result, awards = run(tmp_path / "none", SHIP, rows)
    assert not awards
    assert result.reasons["ship"] == {"kind": 1, "no_exchange_rate": 1}
