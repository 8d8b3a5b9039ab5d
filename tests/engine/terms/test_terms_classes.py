"""A program is additive only where its totals tell what it earned; every other one is ordered, with the reason."""

import pytest

from headrace.engine.terms import classify, loads
from headrace.engine.terms.english import SENTENCES
from tests.engine.terms.made_up_terms import HEAD, TIERS

TWO = "tiers: [ { from: 0, rate: 0.01 }, { from: 100, rate: 0.02 } ]"
UNITS = "tiers: [ { from: 0, per_unit: 1 }, { from: 100, per_unit: 2 } ]"


def reasons(schedule: str, more: str = "") -> set[str]:
    terms, findings = loads(f"{HEAD}schedule: {{ {schedule} }}\n{more}", "a.yaml")
    assert terms, findings
    classed = classify(terms)["a"]
    codes = {each.code for each in classed.reasons}
    assert classed.texts
    assert codes <= set(SENTENCES)
    assert (classed.kind == "ordered") == any(code.startswith("ordered") for code in codes)
    return {code.removeprefix("ordered_") for code in codes if code.startswith("ordered")}


@pytest.mark.parametrize(
    ("schedule", "more"),
    [
        (TWO, ""),
        (TWO, "limits: { measure: { max: 500 }, payout: { per_scope: 5 }, negative: pay }"),
        (TWO, "limits: { minimum: { amount: 50, below: forfeit }, prorate: both }"),
        (UNITS, "measure: { of: quantity }"),
        (f"{TWO}, mode: retroactive", "measure: { of: quantity, lines: \"product.family = 'x'\", minus: [] }"),
        (f"{TWO}, mode: total", "pays_on: margin"),
        (f"{TWO}, mode: rolling", "pays_on: margin"),
        ("tiers: [ { from: 100, bonus: 5 }, { from: 200, bonus: 9 } ]", ""),
        ("package: { of: 10, pays: 1 }", ""),
        ("table: [ { product: A, rate: 0.1 }, { per_unit: 2 } ]", ""),
        (f"{TWO}, mode: retroactive, boosts: [ {{ when: line.quantity > 1, factor: 1.25 }} ]", ""),
        (TWO, "measure: { growth: { baseline: entered } }"),
        (TWO, "measure: { target: { value: 5 } }"),
        (f"{TWO}, mode: retroactive, changes: [ {{ on: 2026-05-01, {TWO} }} ]", ""),
        (TWO, "combine: { group: g }"),
        (TWO, "returns: own_date"),
    ],
)  # fmt: skip
def test_programs_whose_totals_tell_everything_are_additive(schedule: str, more: str) -> None:
    assert reasons(schedule, more) == set()


@pytest.mark.parametrize(
    ("schedule", "more", "reason"),
    [
        (TWO, "measure: { of: quantity }", "base_apart"),
        (TWO, "pays_on: margin", "base_apart"),
        (TWO, "measure: { minus: cost }", "base_apart"),
        (TWO, "measure: { lines: \"product.family = 'x'\" }", "base_apart"),
        (TWO, "enrolled: true\ninputs: [ { earner: A, enrolled_from: 2026-01-01 } ]", "base_apart"),
        (UNITS, "", "base_apart"),
        (TWO, "measure: { per: product }", "payees"),
        (TWO, "paid_to: distributor", "payees"),
        (f"{TWO}, mode: retroactive, fixed: 2", "", "fixed"),
        (f"{TWO}, mode: retroactive", "measure: { per: customer }", "payees"),
        (TWO, "measure: { per: [earner, authorization] }", "authorization"),
        (TWO, "limits: { minimum: { amount: 50 } }", "carried"),
        (TWO, "limits: { negative: carry }", "carried"),
        ("table: [ { product: A, rate: 0.1 } ]", "limits: { line: { cap: 5 } }", "line_limits"),
        (TWO, "limits: { guarantee: { amount: 5 } }", "guarantee"),
        (TWO, "measure: { growth: { frozen_on: 2026-01-31 } }", "baseline"),
        (f"{TWO}, changes: [ {{ on: 2026-05-01, {TWO} }} ]", "", "cards"),
        (f"{TWO}, boosts: [ {{ when: line.quantity > 1, factor: 2 }} ]", "", "boosts"),
        (f"{TWO}, mode: rolling, boosts: [ {{ when: line.quantity > 1, factor: 2 }} ]", "", "boosts"),
        (f"{TWO}, mode: retroactive, boosts: [ {{ when: line.quantity > 1, factor: 1.12345 }} ]", "", "boosts_rounded"),
        (f"{TWO}, free: {{ lines: 3 }}", "", "free"),
        (TWO, "limits: { line: { cap: 5 } }", "line_limits"),
        (f"{TWO}, mode: retroactive", "limits: { line: { floor: 5 } }", "line_limits"),
        (f"{TWO}, mode: retroactive", "measure: { of: quantity }\nlimits: { measure: { max: 500 } }", "measure_max"),
        (TWO, "limits: { payout: { program: 5 } }", "payout_program"),
        (TWO, "limits: { guarantee: { amount: 5, cumulative: true } }", "guarantee"),
        (TWO, "limits: { guarantee: { amount: 5, every: year } }", "guarantee"),
        (TWO, "rounding: { remainder: carry_forward }", "remainder"),
        (TWO, "measure: { of: distinct product.family }\npays_on: amount", "distinct"),
        (TWO, "measure: { growth: {} }", "baseline"),
        (TWO, "convert: { on: period_end }", "convert"),
        (TWO, "verify: line.proof = true", "verify"),
        (TWO, "combine: { group: g, rule: exclusive }", "combine"),
        (TWO, "combine: { group: g, rule: best }", "combine"),
        (TWO, "combine: { group: g, rule: cascade }", "combine"),
        ("table: [ { product: A, rate: 0.1, quantity_max: 5 } ]", "", "quantity_max"),
        ("tiers: [ { from: 0, down_to: 5 } ]", "", "special_price"),
        ("price_change: { effective: 2026-05-01, drop: 5 }", "", "stock"),
    ],
)  # fmt: skip
def test_programs_whose_lines_have_an_order_are_ordered(schedule: str, more: str, reason: str) -> None:
    assert reason in reasons(schedule, more)


def test_two_versions_of_incremental_tiers_are_ordered_and_of_retroactive_ones_additive() -> None:
    for mode, kind in (("incremental", "ordered"), ("retroactive", "additive")):
        text = f"{HEAD}schedule: {{ mode: {mode}, {TWO} }}"
        terms, findings = loads(f"{text}\n---\n{text}\nversion: 2\nvalid: {{ from: 2026-05-01 }}")
        assert findings == []
        assert classify(terms)["a"].kind == kind


def test_every_program_is_classed() -> None:
    terms, _ = loads(f"{HEAD}{TIERS}\n---\nprogram: b\ncurrency: USD\n{TIERS}\n")
    kind, why = classify(terms)["b"]
    assert (kind, len(why)) == ("additive", 1)
    assert set(classify(terms)) == {"a", "b"}
