"""Figures that the trade publishes, and small cases that can be checked by eye."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.engine.channel import earned, line, run

TWO_BANDS = [{"from": 0, "rate": "0.10"}, {"from": 1000, "rate": "0.25"}]
THREE_BANDS = [{"from": 0, "rate": "0.10"}, {"from": 100, "rate": "0.20"}, {"from": 300, "rate": "0.30"}]
FLAT: list[dict[str, Any]] = [
    {"from": 0, "per_unit": 10, "bonus": 2},
    {"above": 10, "per_unit": 5, "bonus": 3},
    {"above": 20, "per_unit": 5, "bonus": 3},
]


def program(tiers: Sequence[Mapping[str, Any]], mode: str = "incremental", **keys: Any) -> dict[str, Any]:
    """Give a yearly program with these tiers."""
    return {
        "program": "p",
        "currency": "USD",
        "measure": {"every": "year"},
        "schedule": {"mode": mode, "tiers": tiers},
        **keys,
    }


@pytest.mark.parametrize(
    ("mode", "expected"), [("incremental", "350"), ("retroactive", "500"), ("rolling", "600"), ("total", "700")]
)
def test_each_mode_pays_2000_over_two_bands(tmp_path: Path, mode: str, expected: str) -> None:
    result, awards = run(tmp_path, program(TWO_BANDS, mode), [line("A", "700"), line("B", "800"), line("C", "500")])
    assert earned(result) == [Decimal(expected)]
    assert sum(row["award"] for row in awards) == Decimal(expected)


@pytest.mark.parametrize(("mode", "expected"), [("incremental", "1100"), ("retroactive", "1140")])
def test_pays_each_band_only_on_the_part_inside_it(tmp_path: Path, mode: str, expected: str) -> None:
    result, awards = run(tmp_path, program(THREE_BANDS, mode), [line("A", "3800")])
    assert earned(result) == [Decimal(expected)]
    assert awards[0]["rate"] == (None if mode == "incremental" else Decimal("0.3"))


@pytest.mark.parametrize(("units", "expected"), [(1, "12"), (10, "102"), (11, "110"), (21, "163")])
def test_per_unit_and_a_flat_part_on_reaching_a_tier(tmp_path: Path, units: int, expected: str) -> None:
    terms = program(FLAT, measure={"of": "quantity", "every": "year"})
    result, awards = run(tmp_path, terms, [line(f"L{unit:02}", "50") for unit in range(units)])
    assert earned(result) == [Decimal(expected)]
    assert sum(row["award"] for row in awards) == Decimal(expected)


def test_quantity_decides_and_value_is_paid(tmp_path: Path) -> None:
    tiers: list[dict[str, Any]] = [
        {"from": 0, "rate": 0},
        {"above": 500, "rate": "0.05"},
        {"above": 1000, "rate": "0.10"},
    ]
    terms = program(tiers, "retroactive", measure={"of": "quantity", "every": "year"}, pays_on="amount")
    result, _ = run(tmp_path, terms, [line("A", "12000", quantity="1200")])
    assert earned(result) == [Decimal(1200)]


def test_a_line_across_an_edge_is_split_in_proportion_to_the_measure(tmp_path: Path) -> None:
    # 12 units worth 100: 10 of them at 10 %, 2 at 20 %: 83.333333 × 0.1 + 16.666667 × 0.2 = 11.6666667.
    tiers = [{"from": 0, "rate": "0.10"}, {"from": 10, "rate": "0.20"}]
    terms = program(tiers, measure={"of": "quantity", "every": "year"}, pays_on="amount")
    result, awards = run(tmp_path, terms, [line("A", "100", quantity="12")])
    assert earned(result) == [Decimal("11.67")]
    assert (awards[0]["tier"], awards[0]["rate"]) == (2, None)


@pytest.mark.parametrize(
    ("first", "amount", "tier"),
    [("from", "999.99", 1), ("from", "1000", 2), ("above", "1000", 1), ("above", "1000.01", 2)],
)
def test_both_sides_of_an_edge(tmp_path: Path, first: str, amount: str, tier: int) -> None:
    terms = program([{"from": 0, "rate": "0.01"}, {first: 1000, "rate": "0.02"}], "retroactive")
    result, _ = run(tmp_path, terms, [line("A", amount)])
    assert result.statements.column("tier").to_pylist() == [tier]
    assert earned(result) == [(Decimal(amount) * tier / 100).quantize(Decimal("0.01")).normalize()]


def test_the_next_edge_and_the_distance_to_it(tmp_path: Path) -> None:
    result, _ = run(tmp_path, program(TWO_BANDS), [line("A", "400")])
    row = result.statements.to_pylist()[0]
    assert (row["next_from"], row["next_distance"]) == (Decimal(1000), Decimal(600))


def test_a_return_takes_its_sales_place_and_later_lines_are_tiered_anew(tmp_path: Path) -> None:
    # Lots of 10 and 7 units at 1 each; above 14 units 20 %. The earlier 10 come back: 7 units in the first tier are left.
    tiers = [{"from": 0, "rate": "0.10"}, {"above": 14, "rate": "0.20"}]
    terms = program(tiers, measure={"of": "quantity", "every": "year"}, pays_on="amount")
    sold = [line("A", "1000", date(2026, 1, 5), quantity="10"), line("B", "700", date(2026, 2, 5), quantity="7")]
    before, _ = run(tmp_path / "before", terms, sold)
    back = line("Z", "-1000", date(2026, 6, 1), quantity="-10", original_line_id="A")
    after, awards = run(tmp_path / "after", terms, [*sold, back])
    assert earned(before) == [Decimal(1000 + 400 + 600) / 10]
    assert earned(after) == [Decimal(70)]
    assert {row["line_id"]: row["award"] for row in awards} == {"A": 100, "Z": -100, "B": 70}


def test_a_return_with_its_own_date_counts_in_its_own_period(tmp_path: Path) -> None:
    terms = program(TWO_BANDS, returns="own_date", measure={"every": "quarter"}, limits={"negative": "pay"})
    rows = [line("A", "500", date(2026, 1, 5)), line("B", "-500", date(2026, 5, 5), original_line_id="A")]
    result, _ = run(tmp_path, terms, rows)
    assert earned(result) == [Decimal(50), Decimal(-50)]


def test_a_return_of_an_unknown_sale_is_a_warning(tmp_path: Path) -> None:
    result, _ = run(tmp_path, program(TWO_BANDS), [line("A", "500"), line("B", "-100", original_line_id="nowhere")])
    assert earned(result) == [Decimal(40)]
    assert [(finding.code, finding.severity) for finding in result.findings] == [("original_unknown", "warning")]


PARTNERS = pa.table(
    {
        "partner_id": ["P1", "P1", "P2", "P3"], "region": ["EMEA", "APAC", "EMEA", None],
        "valid_from": pa.array([None, date(2026, 3, 1), None, None], pa.date32()),
        "valid_until": pa.array([date(2026, 3, 1), None, None, None], pa.date32()),
    }
)  # fmt: skip
PRODUCTS = pa.table({"product_id": ["K1", "K2", "K3"], "family": ["bike", "part", None]})


def test_every_line_that_does_not_count_has_its_reason(tmp_path: Path) -> None:
    terms = program(
        TWO_BANDS, partners="partner.region = 'EMEA'", lines="product.family = 'bike' and line.color = 'red'",
        valid={"from": "2026-01-01", "until": "2027-01-01"},
    )  # fmt: skip
    red: dict[str, Any] = {"color": "red"}
    rows = [
        line("01", "100", **red),
        line("02", "100", date(2025, 12, 31), **red),
        line("03", "100", kind="purchase", **red),
        line("04", "100", stage="sell_in", **red),
        line("05", "100", internal=True, **red),
        line("06", "100", partner_id=None, **red),
        line("07", "100", partner_id="P9", **red),
        line("08", "100", date(2026, 3, 1), **red),
        line("09", "100", partner_id="P3", **red),
        line("10", "100", product_id="K2", **red),
        line("11", "100", product_id="K3", **red),
        line("12", "100", product_id="K9", **red),
        line("13", "100", color="blue"),
        line("14", "100", color=None),
        line("15", "100", product_id="K3", color="blue"),
        line("16", "100", date(2026, 2, 28), **red),
    ]
    result, awards = run(tmp_path, terms, rows, partners=PARTNERS, products=PRODUCTS)
    assert result.reasons["p"] == {
        "outside_validity": 1, "kind": 1, "stage": 1, "internal": 1, "earner_missing": 1, "earner_unknown": 1,
        "partners_rule": 1, "partners_unknown": 1, "lines_rule": 3, "lines_unknown": 3,
    }  # fmt: skip
    assert [row["line_id"] for row in awards] == ["01", "16"]
    assert earned(result) == [Decimal(20)]


def test_a_product_rule_alone_counts_what_is_unknown(tmp_path: Path) -> None:
    terms = program(TWO_BANDS, lines="product.family = 'bike'")
    rows = [
        line("1", "100"),
        line("2", "100", product_id="K2"),
        line("3", "100", product_id="K3"),
        line("4", "100", product_id=None),
    ]
    result, _ = run(tmp_path, terms, rows, products=PRODUCTS)
    assert result.reasons["p"] == {"lines_rule": 1, "lines_unknown": 2}


def test_each_version_prices_its_lines_and_the_measure_runs_on(tmp_path: Path) -> None:
    # 800 at 10 % under version 1; under version 2 (12 % and 30 %) 200 more below the edge and 500 above it.
    first = program(TWO_BANDS, valid={"from": "2026-01-01", "until": "2026-07-01"})
    second = program(
        [{"from": 0, "rate": "0.12"}, {"from": 1000, "rate": "0.30"}],
        version=2,
        valid={"from": "2026-07-01", "until": "2027-01-01"},
    )
    rows = [line("A", "800", date(2026, 6, 30)), line("B", "700", date(2026, 7, 1))]
    result, awards = run(tmp_path, [first, second], rows)
    assert [row["award"] for row in awards] == [Decimal(80), Decimal(24 + 150)]
    assert earned(result) == [Decimal(254)]
    assert result.statements.column("version").to_pylist() == [2]


def test_a_retroactive_version_pays_its_own_lines_at_the_rate_of_the_whole_measure(tmp_path: Path) -> None:
    first = program(TWO_BANDS, "retroactive", valid={"from": "2026-01-01", "until": "2026-07-01"})
    second = program(
        [{"from": 0, "rate": "0.12"}, {"from": 1000, "rate": "0.30"}],
        "retroactive",
        version=2,
        valid={"from": "2026-07-01"},
    )
    result, awards = run(
        tmp_path, [first, second], [line("A", "800", date(2026, 6, 30)), line("B", "700", date(2026, 7, 1))]
    )
    assert [row["award"] for row in awards] == [Decimal(200), Decimal(210)]
    assert earned(result) == [Decimal(410)]


def test_several_programs_meet_on_the_same_lines(tmp_path: Path) -> None:
    first = program(TWO_BANDS)
    second = {
        **program([{"from": 0, "rate": "0.05"}], measure={"every": "month", "per": ["earner", "product"]}),
        "program": "q",
    }
    rows = [line("A", "100"), line("B", "200", product_id="K2"), line("C", "400", partner_id="P2", product_id=None)]
    result, awards = run(tmp_path, [first, second], rows)
    assert [(row["program"], row["scope"], row["earned"]) for row in result.statements.to_pylist()] == [
        ("p", '{"earner":"P1"}', 30), ("p", '{"earner":"P2"}', 40),
        ("q", '{"earner":"P1","product":"K1"}', 5), ("q", '{"earner":"P1","product":"K2"}', 10),
    ]  # fmt: skip
    assert result.reasons == {"p": {}, "q": {"scope_missing": 1}}
    assert len(awards) == 5


def test_cents_add_up_to_what_was_rounded_once(tmp_path: Path) -> None:
    # Three thirds of a cent at 1 %: running shares 0.004, 0.008, 0.012 round to 0.00, 0.01, 0.01.
    result, awards = run(tmp_path, program([{"from": 0, "rate": "0.01"}]), [line(each, "0.4") for each in "ABC"])
    assert [row["award"] for row in awards] == [Decimal(0), Decimal("0.01"), Decimal(0)]
    assert earned(result) == [Decimal("0.01")]


def test_a_scope_below_zero_owes_nothing_unless_the_terms_say_so(tmp_path: Path) -> None:
    rows = [line("A", "100"), line("B", "-300")]
    zero, awards = run(tmp_path / "zero", program(TWO_BANDS), rows)
    pay, paid = run(tmp_path / "pay", program(TWO_BANDS, limits={"negative": "pay"}), rows)
    assert earned(zero) == [Decimal(0)]
    assert sum(row["award"] for row in awards) == 0
    assert earned(pay) == [Decimal(-20)]
    assert [row["award"] for row in paid] == [Decimal(10), Decimal(-30)]
