"""Simulations on small histories worked by hand."""

import importlib.util
import itertools
import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from headrace.engine.findings import Refusal
from headrace.engine.period import Period
from headrace.engine.schema import Tables
from headrace.engine.terms import Terms
from headrace.runs.simulate import Simulated, Simulation, simulate
from headrace.runs.simulation_shape import public_simulation, write_simulation
from headrace.runs.tallies import Change, distribution
from tests.reference.cases import tables_of

WHOLE_ENGINE = pytest.mark.skipif(
    importlib.util.find_spec("headrace.engine.combine") is None, reason="the engine has no combinations yet"
)
HALF_YEAR = Period(date(2025, 1, 1), date(2025, 7, 1))
# partner, day, amount; the last two lines cancel out
SALES = [
    ("P1", "2025-01-10", 150),
    ("P2", "2025-02-10", 80),
    ("P4", "2025-03-31", 400),
    ("P1", "2025-04-01", 50),
    ("P2", "2025-05-01", 200),
    ("P3", "2025-06-01", 40),
    ("P3", "2025-06-30", -40),
]


def history(folder: Path, sales: Sequence[tuple[Any, ...]] = SALES, **references: list[dict[str, object]]) -> Tables:
    rows: list[dict[str, object]] = [
        {
            "line_id": f"L{number}",
            "kind": "return" if amount < 0 else "sale",
            "occurred_on": date.fromisoformat(day),
            "partner_id": partner,
            "quantity": Decimal(more[0] if more else 1),
            "amount": Decimal(amount),
        }
        for number, (partner, day, amount, *more) in enumerate(sales)
    ]
    return tables_of(rows, references, folder)


def terms(**keys: Any) -> Terms:
    return Terms.model_validate({"program": "volume", "currency": "USD", "schedule": FLAT} | keys)


FLAT = {"tiers": [{"from": 0, "rate": "0.02"}]}
STEEP = {"tiers": [{"from": 0, "rate": "0.01"}, {"from": 100, "rate": "0.03"}]}
NEXT_YEAR = {"from": "2026-01-01", "until": "2027-01-01"}


def only(simulation: Simulation) -> Simulated:
    (program,) = simulation.programs
    return program


def codes(simulation: Simulation) -> list[str]:
    return [finding.code for finding in simulation.findings]


def test_a_program_of_the_future_is_priced_on_the_past(tmp_path: Path) -> None:
    simulation = simulate([terms(schedule=STEEP, valid=NEXT_YEAR)], history(tmp_path), span=HALF_YEAR)
    found = only(simulation).figures
    # P1 1 + 50 × 3 % = 2.50 and 0.50; P2 0.80 and 1 + 3 = 4.00; P4 1 + 9 = 10.00; P3 nothing
    assert found.totals.earned == Decimal("17.8")
    assert found.totals.base == 880
    assert (found.totals.lines, found.totals.statements) == (7, 6)
    assert (found.totals.payees, found.totals.earning) == (4, 3)
    assert found.totals.rate == Decimal("0.020227")
    assert {payee[1]: tally.earned for payee, tally in found.payees.items()} == {
        "P1": Decimal("3"), "P2": Decimal("4.8"), "P3": 0, "P4": 10,
    }  # fmt: skip
    assert [tally.earned for tally in found.periods.values()] == [Decimal("13.3"), Decimal("4.5")]
    assert [tally.payees for tally in found.periods.values()] == [3, 3]
    assert [tally.earning for tally in found.periods.values()] == [3, 2]
    assert found.payees["partner", "P2"].tier == 2
    assert codes(simulation) == ["dates_moved"]


def test_payees_and_periods_add_up_to_the_total(tmp_path: Path) -> None:
    found = only(simulate([terms(schedule=STEEP)], history(tmp_path))).figures
    for tallies in (found.payees.values(), found.periods.values()):
        assert sum(tally.earned for tally in tallies) == found.totals.earned
        assert sum(tally.base for tally in tallies) == found.totals.base
    assert sum(each.payees for each in found.distribution) == found.totals.payees
    assert sum(each.earned for each in found.distribution) == found.totals.earned


def test_winners_and_losers_are_told_to_the_cent(tmp_path: Path) -> None:
    simulation = simulate(
        [terms(schedule=STEEP, version=2)], history(tmp_path), against=[terms(schedule=FLAT)], span=HALF_YEAR
    )
    against = only(simulation).against
    assert against is not None
    comparison = against.comparison
    assert comparison.totals == Change(now=Decimal("17.6"), then=Decimal("17.8"))
    assert [payee[1] for payee in comparison.losers] == ["P1", "P2"]
    assert [payee[1] for payee in comparison.winners] == ["P4"]
    assert {payee[1]: change.difference for payee, change in comparison.payees.items()} == {
        "P1": -1, "P2": Decimal("-0.8"), "P3": 0, "P4": 2,
    }  # fmt: skip
    assert [change.difference for change in comparison.periods.values()] == [Decimal("0.7"), Decimal("-0.5")]


def test_a_payee_whom_only_one_side_pays_is_compared_with_nothing(tmp_path: Path) -> None:
    simulation = simulate(
        [terms(partners="partner.partner_id <> 'P4'")],
        history(tmp_path, partners=[{"partner_id": f"P{number}", "region": "EU"} for number in range(1, 5)]),
        against=[terms()],
        span=HALF_YEAR,
    )
    against = only(simulation).against
    assert against is not None
    assert against.comparison.payees["partner", "P4"] == Change(now=Decimal(8), then=Decimal(0))
    assert only(simulation).reasons == {"partners_rule": 1}


@WHOLE_ENGINE
def test_programs_of_the_two_sides_do_not_meet(tmp_path: Path) -> None:
    def exclusive(program: str, order: int, rate: str) -> Terms:
        combine = {"group": "one", "rule": "exclusive", "order": order}
        return terms(program=program, combine=combine, schedule={"tiers": [{"from": 0, "rate": rate}]})

    side = [exclusive("a", 1, "0.01"), exclusive("b", 2, "0.02")]
    turned = [exclusive("a", 2, "0.01"), exclusive("b", 1, "0.02")]
    simulation = simulate(side, history(tmp_path), against=turned, span=HALF_YEAR)
    changes = [each.against.comparison.totals for each in simulation.programs if each.against]
    # Only the first of each side takes the lines: a then, b now.
    assert changes == [Change(now=Decimal(0), then=Decimal("8.8")), Change(now=Decimal("17.6"), then=Decimal(0))]
    assert [each.reasons for each in simulation.programs] == [{}, {"taken_by_a": 7}]


@WHOLE_ENGINE
def test_each_side_has_its_own_targets(tmp_path: Path) -> None:
    target: dict[str, object] = {
        "program": "old", "earner": "P4", "from": date(2025, 1, 1), "until": date(2025, 4, 1), "value": Decimal(400),
    }  # fmt: skip
    paid = {"measure": {"target": {}}, "schedule": {"mode": "retroactive", "tiers": [{"from": 1, "rate": "0.01"}]}}
    tables = history(tmp_path, targets=[target])
    against = only(
        simulate([terms(program="new")], tables, against=[terms(program="old", **paid)], span=HALF_YEAR)
    ).against
    assert against is not None
    # P4 alone has a target, and reached it: 400 × 1 %
    assert against.comparison.totals == Change(now=Decimal(4), then=Decimal("17.6"))


def test_one_against_one_is_a_match_whatever_the_ids(tmp_path: Path) -> None:
    simulation = simulate([terms(program="new")], history(tmp_path), against=[terms(program="old")], span=HALF_YEAR)
    against = only(simulation).against
    assert against is not None
    assert (only(simulation).program, against.versions[0].program) == ("new", "old")
    assert against.comparison.totals.difference == 0


def test_programs_without_a_counterpart_are_named_and_not_compared(tmp_path: Path) -> None:
    simulation = simulate(
        [terms(program="a"), terms(program="b")], history(tmp_path), against=[terms(program="b"), terms(program="c")],
        span=HALF_YEAR,
    )  # fmt: skip
    assert [each.against is None for each in simulation.programs] == [True, False]
    told = [finding.message.split()[0] for finding in simulation.findings if finding.code == "not_compared"]
    assert told == ["a", "c"]


def test_programs_in_different_currencies_are_not_compared(tmp_path: Path) -> None:
    simulation = simulate([terms(currency="POINTS")], history(tmp_path), against=[terms()], span=HALF_YEAR)
    assert only(simulation).against is None
    assert "currencies_differ" in codes(simulation)


def test_points_on_money_have_no_rate(tmp_path: Path) -> None:
    simulation = simulate([terms(currency="POINTS", money="USD")], history(tmp_path), span=HALF_YEAR)
    shape: Any = public_simulation(simulation)["programs"]
    # 2 % of 880, each quarter of a partner rounded to whole points: 3 + 2 + 8 + 1 + 4
    assert shape[0]["totals"]["earned"] == "18"
    assert shape[0]["totals"]["rate"] is None


def test_the_payback_is_rounded_up_to_the_minor_unit(tmp_path: Path) -> None:
    tables = history(tmp_path)
    exact = only(simulate([terms()], tables, span=HALF_YEAR, margin=Decimal("0.25"))).payback
    rounded = only(simulate([terms()], tables, span=HALF_YEAR, margin=Decimal("0.3"))).payback
    assert exact is not None
    assert rounded is not None
    assert exact.base == Decimal("70.40")  # 17.60 ÷ 0.25
    assert rounded.base == Decimal("58.67")  # 17.60 ÷ 0.3 = 58.666…
    assert rounded.share == Decimal("0.066670")  # 58.67 ÷ 880 = 0.0666704…


@pytest.mark.parametrize("margin", ["0", "-0.1", "1.01"])
def test_a_margin_that_is_no_share_is_refused(tmp_path: Path, margin: str) -> None:
    with pytest.raises(Refusal) as refused:
        simulate([terms()], history(tmp_path), margin=Decimal(margin))
    assert refused.value.code == "margin_range"


def test_the_window_is_the_range_of_the_lines_unless_given(tmp_path: Path) -> None:
    tables = history(tmp_path)
    whole = simulate([terms()], tables)
    assert whole.window == Period(date(2025, 1, 10), date(2025, 7, 1))
    assert not whole.window_given
    assert only(whole).partial == (Period(date(2025, 1, 1), date(2025, 4, 1)),)
    assert "partial_periods" in codes(whole)
    second = simulate([terms()], tables, span=Period(date(2025, 4, 1), None))
    assert second.window == Period(date(2025, 4, 1), date(2025, 7, 1))
    assert only(second).figures.totals.base == 250
    assert only(second).reasons == {"outside_validity": 3}


def test_the_as_of_day_bounds_the_lines_and_the_window(tmp_path: Path) -> None:
    simulation = simulate([terms()], history(tmp_path), as_of=date(2025, 3, 31))
    assert simulation.window == Period(date(2025, 1, 10), date(2025, 4, 1))
    assert simulation.as_of == date(2025, 3, 31)
    assert only(simulation).figures.totals.base == 630


def test_no_lines_and_an_empty_window_are_refused(tmp_path: Path) -> None:
    tables = history(tmp_path)
    for span, as_of, code in (
        (Period(date(2025, 7, 1), date(2025, 7, 1)), None, "empty_window"),
        (Period(), date(2024, 1, 1), "no_history"),
    ):
        with pytest.raises(Refusal) as refused:
            simulate([terms()], tables, span=span, as_of=as_of)
        assert refused.value.code == code


def test_figures_are_there_before_the_curves(tmp_path: Path) -> None:
    seen: list[Any] = []
    simulation = simulate([terms()], history(tmp_path), on_first=seen.append)
    assert only(seen[0]).figures == only(simulation).figures
    assert not only(seen[0]).curves
    assert only(simulation).curves


def test_names_come_from_the_latest_row_of_the_partners(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"partner_id": "P1", "name": "New & Co", "valid_from": date(2025, 3, 1)},
        {"partner_id": "P1", "name": "Old & Co", "valid_until": date(2025, 3, 1)},
        {"partner_id": "P2", "name": None},
        {"partner_id": "P9", "name": "Nobody's"},
    ]
    simulation = simulate([terms()], history(tmp_path, partners=rows))
    assert simulation.names == {("partner", "P1"): "New & Co"}


def test_a_written_simulation_holds_the_same_object(tmp_path: Path) -> None:
    simulation = simulate([terms(schedule=STEEP)], history(tmp_path), against=[terms()])
    record, workbook = write_simulation(tmp_path / "out", simulation)
    assert json.loads(record.read_text()) == public_simulation(simulation)
    assert workbook.read_bytes()[:2] == b"PK"


def test_an_out_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    simulation = simulate([terms()], history(tmp_path))
    with pytest.raises(Refusal) as refused:
        write_simulation(tmp_path / "file", simulation)
    assert refused.value.code == "out_unwritable"


def test_the_histogram_leaves_no_payee_out_and_no_gap() -> None:
    amounts = [Decimal(text) for text in ("-3", "0", "0.01", "4.99", "5", "9.99", "10", "700")]
    bins = distribution(amounts, Decimal("0.01"))
    assert [(each.from_, each.until, each.payees) for each in bins if each.payees] == [
        (None, 0, 1), (0, Decimal("0.01"), 1), (Decimal("0.01"), Decimal("0.1"), 1), (2, 5, 1), (5, 10, 2), (10, 20, 1),
        (500, 1000, 1),
    ]  # fmt: skip
    assert all(left.until == right.from_ for left, right in itertools.pairwise(bins))
    assert sum(each.payees for each in bins) == len(amounts)
    assert distribution([], Decimal("0.01")) == ()
