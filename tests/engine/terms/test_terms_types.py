"""Types presume, fix and refuse keys; short forms become the keys that they stand for."""

from datetime import date
from decimal import Decimal

import pytest

from headrace.engine.terms import TEMPLATES, loads, template
from headrace.engine.terms.describing import describe
from tests.engine.terms.made_up_terms import HEAD, TIERS, codes, one, only, said


def test_three_keys_are_a_program() -> None:
    terms = one("program: a\nsales: 10000 USD\nreward: 500 USD")
    assert (terms.type, terms.currency, terms.measure.of, terms.measure.every) == (
        "sales_reward",
        "USD",
        "amount",
        "quarter",
    )
    assert terms.schedule.package is not None
    assert (terms.schedule.package.of, terms.schedule.package.pays) == (Decimal(10000), Decimal(500))
    assert "It pays 500 USD for every full 10,000 USD of net value." in describe(terms)


def test_a_reward_in_percent_pays_on_everything_once_reached() -> None:
    terms = one("program: a\nsales: 10000 USD\nreward: 5 %")
    (tier,) = terms.schedule.tiers
    assert (terms.schedule.mode, tier.from_, tier.rate) == ("retroactive", Decimal(10000), Decimal("0.05"))


def test_a_reward_in_points_names_both_currencies() -> None:
    terms = one("program: a\nsales: 100 USD\nreward: 20 PTS")
    assert (terms.currency, terms.money, terms.settle.as_) == ("PTS", "USD", "points")


def test_a_reward_for_units_counts_units() -> None:
    terms = one("program: a\nsales: 10 units\nreward: 500 EUR\nmeasure: { every: month }")
    assert (terms.currency, terms.measure.of, terms.measure.every) == ("EUR", "quantity", "month")


@pytest.mark.parametrize(
    ("sales", "reward", "more", "expected"),
    [
        ("a lot", "500 USD", "", {"sales_format"}),
        ("10,000 USD", "500 USD", "", {"sales_format"}),
        ("10000 USD", "much", "", {"reward_format"}),
        ("10000 USD", "[1]", "", {"reward_format"}),
        ("10000 USD", "500 EUR", "", {"sales_currency"}),
        ("10000 USD", "500 USD", "currency: EUR", {"reward_currency"}),
        ("10000 USD", "500 USD", TIERS, {"sales_with_schedule"}),
        ("0 USD", "500 USD", "", {"not_positive"}),
        ("10000 USD", "500 USD", "type: spiff", {"key_not_for_type", "key_missing"}),
        ("10000 USD", "35000 %", "", {"rate_past_base"}),
    ],
)
def test_a_reward_that_cannot_be_read(sales: str, reward: str, more: str, expected: set[str]) -> None:
    assert codes(f"program: a\nsales: {sales}\nreward: {reward}\n{more}") == expected


def test_windows_become_dates_and_a_condition_on_the_day_of_purchase() -> None:
    text = (
        "program: a\ntype: promotion\ncurrency: USD\nlines: \"product.family = 'x' or product.family = 'y'\"\n"
        "windows:\n  buy: { from: 2026-05-01, until: 2026-07-01 }\n  resale: { from: 2026-06-01, until: 2026-08-01 }\n"
        "schedule: { table: [ { rate: 0.1 } ] }\n"
    )
    terms = one(text)
    assert (terms.valid.from_, terms.valid.until) == (date(2026, 6, 1), date(2026, 8, 1))
    assert terms.lines == (
        "(product.family = 'x' or product.family = 'y') and line.bought_on >= date '2026-05-01' "
        "and line.bought_on < date '2026-07-01'"
    )
    other = one(text.replace("until: 2026-07-01 }", "until: 2026-07-01, column: invoiced_on }"))
    assert "line.invoiced_on < date '2026-07-01'" in (other.lines or "")


@pytest.mark.parametrize(
    ("windows", "code", "key"),
    [
        ("{ sell: {} }", "key_unknown", "windows.sell"),
        ("{ buy: { form: 2026-01-01 } }", "key_unknown", "windows.buy.form"),
        ("{ buy: { from: 1/2/26 } }", "date_format", "windows.buy.from"),
        ("{ buy: { from: 2026-02-01, until: 2026-02-01 } }", "dates_out_of_order", "windows.buy.until"),
        ("{ buy: { from: 2026-02-01, column: \"a' or 'a' = 'a\" } }", "value_not_word", "windows.buy.column"),
        ("{ buy: soon }", "value_not_mapping", "windows.buy"),
        ("{ resale: soon }", "value_not_mapping", "windows.resale"),
        ("soon", "value_not_mapping", "windows"),
    ],
)
def test_windows_that_cannot_be_read(windows: str, code: str, key: str) -> None:
    text = f"program: a\ntype: promotion\ncurrency: USD\nwindows: {windows}\nschedule: {{ table: [ {{ rate: 0.1 }} ] }}"
    assert (code, 4, key) in said(text)


def test_a_resale_window_and_valid_are_not_written_both() -> None:
    text = "program: a\ntype: promotion\ncurrency: USD\nvalid: {}\nwindows: { resale: { from: 2026-01-01 } }\n"
    assert said(text + "schedule: { table: [ { rate: 0.1 } ] }") == [("window_twice", 5, "windows.resale")]


@pytest.mark.parametrize("type_name", sorted(TEMPLATES))
def test_what_a_type_refuses_is_an_error(type_name: str) -> None:
    values = {
        "windows": "{}",
        "pays_on": "quantity",
        "schedule.cost_basis": "fifo",
        "schedule.price_change": "{ effective: 2026-09-01, drop: 5 }",
        "schedule.free_goods": "{ buy: 10, get: 1 }",
        "schedule.package": "{ of: 10, pays: 1 }",
        "schedule.table": "[ { rate: 0.1 } ]",
        "schedule.tiers": "[ { from: 0, rate: 0.1 } ]",
        "schedule.table_file": "rates.csv",
        "schedule.boosts": "[ { when: line.quantity > 1, factor: 2 } ]",
        "schedule.fixed": "5",
        "measure.growth": "{ baseline: entered }",
        "measure.target": "{ value: 5 }",
    }
    for key in TEMPLATES[type_name].refused:
        *above, last = key.split(".")
        inside = f"{last}: {values[key]}"
        more = f"{above[0]}: {{ {inside} }}" if above else inside
        kept = "" if above == ["schedule"] else TIERS
        findings = said(f"{HEAD}type: {type_name}\n{kept}\n{more}")
        assert ("key_not_for_type", key) in {(code, column) for code, _, column in findings}, key


def test_what_a_type_fixes_cannot_be_written_otherwise() -> None:
    text = f"{HEAD}type: coop_accrual\n{TIERS}\nsettle: {{ as: %s }}"
    one(text % "fund")
    finding = only(text % "payment")
    assert (finding.code, finding.row, finding.column) == ("key_fixed_by_type", 5, "settle.as")
    assert "`settle.as: fund`" in finding.message


def test_what_a_type_needs_is_asked_for() -> None:
    text = f"{HEAD}type: volume_rebate\nschedule: {{ table: [ {{ rate: 0.1 }} ] }}"
    assert said(text) == [("key_needed_by_type", 4, "schedule.tiers")]


def test_an_unknown_type_names_the_nearest() -> None:
    finding = only(f"{HEAD}type: volume_rebat\n{TIERS}")
    assert (finding.code, finding.row) == ("type_unknown", 3)
    assert "did you mean `volume_rebate`" in finding.message


def test_starters_explain_themselves() -> None:
    for name in TEMPLATES:
        text = template(name)
        assert text.startswith("#")
        assert loads(text)[1] == []
    with pytest.raises(KeyError):
        template("nonsense")
