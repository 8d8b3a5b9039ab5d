"""Differences that mean something, each told once and judged for the partner; and nothing else."""

import pytest
from hypothesis import given, settings

from headrace.engine.terms import Terms, diff
from tests.engine.terms.any_terms import any_terms
from tests.engine.terms.made_up_terms import HEAD, one

BASE = (
    f"{HEAD}schedule:\n  tiers:\n    - {{ from: 0, rate: 0 }}\n    - {{ from: 100, rate: 0.02, name: Silver }}\n"
    "    - { from: 200, rate: 0.03, name: Gold }\n"
)
SILVER = "{ from: 100, rate: 0.02, name: Silver }"


def changes(old: str, new: str) -> list[tuple[str, str, str]]:
    return [(each.path, each.kind, each.direction) for each in diff(one(old), one(new))]


@pytest.mark.parametrize(
    ("written", "instead", "expected"),
    [
        (SILVER, "{ from: 100, rate: 0.01, name: Silver }", ("schedule.tiers[2].rate", "changed", "worse")),
        (SILVER, "{ from: 100, rate: 0.025, name: Silver }", ("schedule.tiers[2].rate", "changed", "better")),
        (SILVER, "{ from: 120, rate: 0.02, name: Silver }", ("schedule.tiers[2].from", "changed", "worse")),
        (SILVER, "{ from: 80, rate: 0.02, name: Silver }", ("schedule.tiers[2].from", "changed", "better")),
        (SILVER, "{ from: 100, rate: 0.02, name: Bronze }", ("schedule.tiers[2].name", "changed", "neutral")),
        (SILVER, "{ from: 100, rate: 0.02, name: Silver, bonus: 5 }", ("schedule.tiers[2].bonus", "added", "better")),
        (f"    - {SILVER}\n", "", ("schedule.tiers[2]", "removed", "worse")),
        (
            f"    - {SILVER}\n",
            f"    - {SILVER}\n    - {{ from: 150, rate: 0.025 }}\n",
            ("schedule.tiers[3]", "added", "better"),
        ),
        (
            f"    - {SILVER}\n",
            f"    - {SILVER}\n    - {{ from: 150, rate: 0 }}\n",
            ("schedule.tiers[3]", "added", "worse"),
        ),
    ],
)
def test_a_tier_is_judged_beside_the_others(written: str, instead: str, expected: tuple[str, str, str]) -> None:
    assert changes(BASE, BASE.replace(written, instead)) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "limits: { payout: { per_scope: 5 } }", ("limits.payout.per_scope", "added", "worse")),
        ("limits: {payout: {program: 5}}", "limits: {payout: {program: 6}}", ("limits.payout.program", "changed", "better")),
        ("", "limits: { minimum: { amount: 5 } }", ("limits.minimum", "added", "worse")),
        ("", "limits: { guarantee: { amount: 5 } }", ("limits.guarantee", "added", "better")),
        ("valid: { until: 2026-07-01 }", "valid: { until: 2026-06-01 }", ("valid.until", "changed", "worse")),
        ("valid: { until: 2026-07-01 }", "", ("valid.until", "removed", "better")),
        ("", "valid: { from: 2026-07-01 }", ("valid.from", "added", "worse")),
        ("", "partners: \"partner.level = 'x'\"", ("partners", "added", "worse")),
        ("lines: \"product.family = 'x'\"", "lines: \"product.family = 'y'\"", ("lines", "changed", "unknown")),
        ("", "gate: \"partner.level = 'x'\"", ("gate[1]", "added", "worse")),
        ("", "settle: { late: forfeit }", ("settle.late", "changed", "worse")),
        ("", "settle: { hold_days: 3 }", ("settle.hold_days", "changed", "worse")),
        ("", "enrolled: true\ninputs: [ { earner: A, enrolled_from: 2026-01-01 } ]", ("enrolled", "changed", "worse")),
        ("", "accrue: { lump_sum: 5 }", ("accrue.lump_sum", "added", "neutral")),
        ("", "name: B", ("name", "changed", "neutral")),
        ("", "version: 2", ("version", "changed", "neutral")),
        ("", "kinds: [sale, return, referral]", ("kinds", "added", "unknown")),
        ("inputs: [ { earner: A, cap: 5 } ]", "inputs: [ { earner: A, cap: 4 } ]", ("inputs[1].cap", "changed", "worse")),
    ],
)  # fmt: skip
def test_a_change_is_judged_for_the_partner(old: str, new: str, expected: tuple[str, str, str]) -> None:
    assert expected in changes(BASE + old, BASE + new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "version: 1\nkinds: [return, sale]\nmeasure: { every: quarter, per: [earner] }"),
        ("lines: \"product.family='x' AND line.quantity>3\"", "lines: \"product.family = 'x' and line.quantity > 3.0\""),
        ("measure: { per: [earner, deal] }", "measure: { per: [deal, earner] }"),
        ("gate: [\"partner.a = 'x'\", \"partner.b = 'y'\"]", "gate: [\"partner.b='y'\", \"partner.a='x'\"]"),
        ("inputs: [ { earner: A, cap: 5 }, { earner: B, cap: 6 } ]", "inputs: [{ earner: B, cap: 6.0 }, { earner: A, cap: 5 }]"),
    ],
)  # fmt: skip
def test_what_means_the_same_is_no_change(old: str, new: str) -> None:
    assert changes(BASE + old, BASE + new) == []


def test_rows_of_a_table_are_known_by_their_conditions() -> None:
    first, second, third = "{ product: A, rate: 0.1 }", "{ family: F, rate: 0.2 }", "{ product: B, rate: 0.3 }"
    cheaper = "{ product: A, rate: 0.05 }"
    assert changes(table(first, second), table(third, cheaper, second)) == [
        ("schedule.table[1]", "added", "unknown"),
        ("schedule.table[2].rate", "changed", "worse"),
    ]
    assert changes(table(first, second), table(second, first)) == [("schedule.table", "reordered", "unknown")]


def table(*rows: str) -> str:
    return f"{HEAD}schedule: {{ table: [ {', '.join(rows)} ] }}"


def test_a_boost_below_one_takes_away() -> None:
    boost = "  boosts: [ { when: line.quantity > 3, factor: %s } ]\n"
    assert changes(BASE, BASE + boost % "2") == [("schedule.boosts[1]", "added", "better")]
    assert changes(BASE, BASE + boost % "0.5") == [("schedule.boosts[1]", "added", "worse")]


def test_a_change_says_itself() -> None:
    (change,) = diff(one(BASE), one(BASE.replace("0.02", "0.01")))
    assert change.text == "`schedule.tiers[2].rate` changes from 0.02 to 0.01."


@settings(max_examples=60, deadline=None)
@given(any_terms(), any_terms())
def test_any_two_versions_compare_and_equal_ones_have_no_changes(old: Terms, new: Terms) -> None:
    assert diff(old, old) == []
    there, back = diff(old, new), diff(new, old)
    assert bool(there) == bool(back)
    assert all(each.text for each in there)
