"""Payout curves against figures worked by hand, on both sides of every edge."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from headrace.runs.curve import Curve, Drawing
from headrace.runs.made_up import Averages, cards_of
from headrace.runs.simulate import simulate
from tests.test_simulate import HALF_YEAR, SALES, WHOLE_ENGINE, history, only, terms

UNITS = [("P1", "2025-01-10", 100, 10), ("P1", "2025-02-10", 300, 10)]  # 20 a unit on average


def curves(folder: Path, sales: Any = SALES, **keys: Any) -> tuple[Curve, ...]:
    return only(simulate([terms(**keys)], history(folder, sales), span=HALF_YEAR)).curves


def drawn(folder: Path, sales: Any = SALES, **keys: Any) -> list[tuple[str, ...]]:
    (curve,) = curves(folder, sales, **keys)
    assert curve.reason is None
    return [
        tuple(
            "-" if value is None else f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
            for value in (point.measure, point.earned, point.marginal_rate, point.tier, point.edge)
        )
        for point in curve.points
    ]


def test_incremental_tiers_bend_at_their_edges(tmp_path: Path) -> None:
    tiers = [{"from": 0, "rate": "0"}, {"from": 100, "rate": "0.02"}, {"from": 250, "rate": "0.035"}]
    assert drawn(tmp_path, schedule={"tiers": tiers}) == [
        ("0", "0", "0", "1", "-"),
        ("99.99", "0", "0", "1", "before"),
        ("100", "0", "0.02", "2", "at"),
        ("249.99", "3", "0.02", "2", "before"),  # 149.99 × 2 % = 2.9998
        ("250", "3", "0.035", "3", "at"),
        ("400", "8.25", "0.035", "3", "-"),  # 3 + 150 × 3.5 %; as far as the history went
    ]


def test_retroactive_tiers_jump_at_their_edges(tmp_path: Path) -> None:
    tiers = [{"from": 0, "rate": "0.01"}, {"from": 300, "rate": "0.02"}]
    assert drawn(tmp_path, schedule={"mode": "retroactive", "tiers": tiers}) == [
        ("0", "0", "0.01", "1", "-"),
        ("299.99", "3", "0.01", "1", "before"),
        ("300", "6", "0.02", "2", "at"),
        ("450", "9", "0.02", "2", "-"),  # half as far again as the last edge
    ]


def test_an_edge_that_is_reached_past_it_has_a_point_after(tmp_path: Path) -> None:
    points = drawn(
        tmp_path, UNITS, measure={"of": "quantity"}, pays_on="amount",
        schedule={"mode": "retroactive", "tiers": [{"above": 14, "rate": "0.1"}]},
    )  # fmt: skip
    assert points == [
        ("0", "0", "0", "-", "-"),
        ("13", "0", "0", "-", "before"),
        ("14", "0", "-", "-", "at"),
        ("15", "30", "2", "1", "after"),  # 15 units × 20 × 10 %
        ("21", "42", "2", "1", "-"),
    ]


def test_units_stand_in_for_money_by_their_average(tmp_path: Path) -> None:
    (curve,) = curves(
        tmp_path, UNITS, schedule={"tiers": [{"from": 0, "per_unit": "0.5"}, {"from": 400, "per_unit": "1"}]}
    )
    assert curve.averages.values == {"quantity": Decimal("0.05")}
    # 400 of amount is 20 units at 0.50; 200 more are 10 units at 1
    assert [str(point.measure) for point in curve.points] == ["0", "399.99", "400", "600.00"]
    assert [point.earned for point in curve.points] == [0, 10, 10, 20]


def test_a_bonus_is_a_jump(tmp_path: Path) -> None:
    tiers = [{"from": 100, "bonus": "5"}, {"from": 200, "bonus": "50"}]
    assert drawn(tmp_path, schedule={"tiers": tiers}) == [
        ("0", "0", "0", "-", "-"),
        ("99.99", "0", "0", "-", "before"),
        ("100", "5", "0", "1", "at"),
        ("199.99", "5", "0", "1", "before"),
        ("200", "55", "0", "2", "at"),  # of every tier reached
        ("400", "55", "0", "2", "-"),
    ]


def test_a_cap_is_found_where_it_bends_the_curve(tmp_path: Path) -> None:
    points = drawn(
        tmp_path,
        schedule={"tiers": [{"from": 0, "rate": "0.01"}, {"from": 100, "rate": "0.03"}]},
        limits={"payout": {"per_scope": "3"}},
    )
    # 1 + (M − 100) × 3 % = 3 at M = 166.666…
    assert points == [
        ("0", "0", "0.01", "1", "-"),
        ("99.99", "1", "0.01", "1", "before"),
        ("100", "1", "0.03", "2", "at"),
        ("166.66", "3", "0.03", "2", "before"),
        ("166.67", "3", "0", "2", "at"),
        ("400", "3", "0", "2", "-"),
    ]


def test_two_programs_break_even_where_their_curves_meet(tmp_path: Path) -> None:
    steep = terms(schedule={"tiers": [{"from": 0, "rate": "0.01"}, {"from": 100, "rate": "0.03"}]})
    late = terms(
        schedule={"mode": "retroactive", "tiers": [{"from": 0, "rate": "0.015"}, {"from": 300, "rate": "0.03"}]}
    )
    simulation = simulate([steep], history(tmp_path), against=[late], span=HALF_YEAR)
    against = only(simulation).against
    assert against is not None
    assert against.crossings is not None
    # 1 + (M − 100) × 3 % = M × 1.5 % at M = 133.333…; from 300 on 3 % of everything is more again
    assert [(each.from_, each.until, each.then_pays) for each in against.crossings] == [
        (0, Decimal("0.01"), "equal"),
        (Decimal("0.01"), Decimal("133.34"), "less"),
        (Decimal("133.34"), 300, "more"),
        (300, 450, "less"),
    ]


def test_what_counts_differently_has_no_break_even(tmp_path: Path) -> None:
    monthly = terms(measure={"every": "month"})
    against = only(simulate([monthly], history(tmp_path), against=[terms()], span=HALF_YEAR)).against
    assert against is not None
    assert against.crossings is None


def test_each_version_and_each_rate_change_has_its_curve(tmp_path: Path) -> None:
    first = terms(valid={"from": "2025-01-01"})
    changed = {
        "tiers": [{"from": 0, "rate": "0.03"}],
        "changes": [{"on": "2025-06-01", "tiers": [{"from": 0, "rate": "0.04"}]}],
    }
    second = terms(version=2, valid={"from": "2025-04-01"}, schedule=changed)
    found = only(simulate([first, second], history(tmp_path), span=HALF_YEAR)).curves
    assert [(each.terms.version, str(each.card_from), each.points[-1].marginal_rate) for each in found] == [
        (1, "None", Decimal("0.02")), (2, "None", Decimal("0.03")), (2, "2025-06-01", Decimal("0.04")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "keys"),
    [
        ("table", {"schedule": {"table": [{"product": "A", "rate": "0.1"}]}}),
        ("special_price", {"schedule": {"tiers": [{"from": 0, "down_to": "8"}]}}),
        ("distinct", {"measure": {"of": "distinct line.customer_id"}}),
        ("on_hand", {"measure": {"of": "on_hand"}}),
        ("price_change", {"schedule": {"price_change": {"effective": "2025-03-01", "drop": "1"}}}),
        (
            "price_list_units",
            {"measure": {"of": "price_list.list"}, "schedule": {"tiers": [{"from": 0, "per_unit": "1"}]}},
        ),
        ("mixed_measure", {"measure": {"of": "amount", "minus": ["margin"]}}),
        ("count_base", {"pays_on": "count"}),
        ("returns_only", {"kinds": ["return"]}),
    ],
)
def test_a_curve_without_a_meaning_says_why(code: str, keys: dict[str, Any]) -> None:
    (card,) = cards_of(terms(**keys))
    (curve,) = Drawing([card], [Averages()]).curves()
    assert curve.reason == code
    assert not curve.points


def test_a_program_for_which_no_line_counts_has_no_average_to_go_by(tmp_path: Path) -> None:
    (curve,) = curves(tmp_path, measure={"of": "quantity"}, pays_on="amount", lines="line.product_id = 'Z'")
    assert curve.reason == "no_history"


def test_what_a_curve_cannot_know_of_is_named(tmp_path: Path) -> None:
    (curve,) = curves(
        tmp_path,
        schedule={"tiers": [{"from": 0, "rate": "0.01"}], "boosts": [{"when": "line.product_id = 'Z'", "factor": "2"}]},
        limits={"payout": {"program": "1000000"}},
    )
    assert curve.left_out == ("schedule.boosts", "limits.payout.program")


@WHOLE_ENGINE
def test_growth_is_drawn_for_the_median_baseline(tmp_path: Path) -> None:
    # In the second quarter P1 is held against 150 and P2 against 80: the median is 115, and 1.1 × 115 = 126.50.
    tiers = [{"from": "1.1", "rate": "0.02"}]
    keys = {"measure": {"growth": {"baseline": "previous_period"}}, "schedule": {"mode": "retroactive", "tiers": tiers}}
    (curve,) = curves(tmp_path, **keys)
    assert curve.averages.against == 115
    assert drawn(tmp_path, **keys) == [
        ("0", "0", "0", "-", "-"),
        ("126.49", "0", "0", "-", "before"),
        ("126.5", "2.53", "0.02", "1", "at"),
        ("200", "4", "0.02", "1", "-"),
    ]


@WHOLE_ENGINE
def test_a_target_is_read_as_the_engine_reads_it(tmp_path: Path) -> None:
    measure = {"target": {"value": "200", "as": "percent"}}
    tiers = [{"from": 90, "rate": "0.01"}, {"from": 100, "rate": "0.02"}]
    assert drawn(tmp_path, measure=measure, schedule={"mode": "retroactive", "tiers": tiers}) == [
        ("0", "0", "0", "-", "-"),
        ("179.99", "0", "0", "-", "before"),
        ("180", "1.8", "0.01", "1", "at"),
        ("199.99", "2", "0.01", "1", "before"),
        ("200", "4", "0.02", "2", "at"),
        ("400", "8", "0.02", "2", "-"),
    ]


@WHOLE_ENGINE
def test_programs_without_a_baseline_or_target_in_history_have_no_curve(tmp_path: Path) -> None:
    assert curves(tmp_path, measure={"growth": {}})[0].reason == "no_baseline"
    assert curves(tmp_path, measure={"target": {}})[0].reason == "no_target"


@WHOLE_ENGINE
def test_a_minimum_forfeits_up_to_where_the_rounded_amount_reaches_it(tmp_path: Path) -> None:
    limits = {"minimum": {"amount": "1.5", "below": "forfeit"}}
    assert drawn(tmp_path, schedule={"tiers": [{"from": 0, "rate": "0.01"}]}, limits=limits) == [
        ("0", "0", "0", "1", "-"),
        ("149.49", "0", "0", "1", "before"),  # 1.4949 is 1.49
        ("149.5", "1.5", "0.01", "1", "at"),  # 1.495 is 1.50
        ("400", "4", "0.01", "1", "-"),
    ]


@WHOLE_ENGINE
def test_a_guarantee_lifts_the_start_of_the_curve(tmp_path: Path) -> None:
    points = drawn(tmp_path, schedule={"tiers": [{"from": 0, "rate": "0.01"}]}, limits={"guarantee": {"amount": "2"}})
    assert [(points[0][1], points[0][2]), (points[-1][1], points[-1][2])] == [("2", "0"), ("4", "0.01")]
    assert ("200", "2", "0", "1", "before") in points


@WHOLE_ENGINE
def test_the_measure_stops_at_its_cap(tmp_path: Path) -> None:
    limits = {"measure": {"max": "300"}}
    points = drawn(tmp_path, schedule={"tiers": [{"from": 0, "rate": "0.01"}]}, limits=limits)
    assert [point[:3] for point in points] == [
        ("0", "0", "0.01"), ("300", "3", "0.01"), ("300.01", "3", "0"), ("450", "3", "0"),
    ]  # fmt: skip


@WHOLE_ENGINE
def test_packages_show_their_first_steps(tmp_path: Path) -> None:
    (full,) = curves(tmp_path, schedule={"package": {"of": 100, "pays": 5}})
    assert full.goes_on
    shown = [(str(point.measure), str(point.earned.normalize()), point.edge) for point in full.points]
    assert shown[:4] == [("0", "0", None), ("99.99", "0", "before"), ("100", "5", "at"), ("100.01", "5", "after")]
    assert shown[-2:] == [("1000", "5E+1", "at"), ("1000.01", "5E+1", "after")]
    (started,) = curves(tmp_path, schedule={"package": {"of": 100, "pays": 5, "count": "started"}})
    shown = [(str(point.measure), str(point.earned.normalize()), point.edge) for point in started.points]
    assert shown[:5] == [
        ("0", "0", "at"), ("0.01", "5", "after"), ("99.99", "5", "before"), ("100", "5", "at"), ("100.01", "1E+1", "after"),
    ]  # fmt: skip


@WHOLE_ENGINE
def test_fixed_parts_are_drawn_on_lines_of_the_average_size(tmp_path: Path) -> None:
    sales = [("P1", "2025-01-10", 100), ("P1", "2025-02-10", 300)]  # 200 a line
    points = drawn(tmp_path, sales, schedule={"tiers": [{"from": 0, "rate": "0.01"}], "fixed": "0.5"})
    assert [point[:2] for point in points] == [("200", "2.5"), ("400", "5")]  # one line, two lines


def test_counted_lines_start_at_one(tmp_path: Path) -> None:
    points = drawn(tmp_path, measure={"of": "count"}, schedule={"tiers": [{"above": 2, "bonus": "7"}]})
    assert points == [("1", "0", "-", "-", "before"), ("2", "0", "-", "-", "at"), ("3", "7", "-", "1", "after")]
