"""Exchange rates: direct, opposite, crossed; the nearest earlier day; one rounding."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from headrace.engine.exchange import FX_RATES, fx_table
from headrace.engine.schema import RATES

D = Decimal
FRIDAY, SATURDAY, MONDAY = date(2026, 7, 3), date(2026, 7, 4), date(2026, 7, 6)


def quotes(*rows: tuple[date, str, str, str | None]) -> pa.Table:
    schema = pa.schema([(name, column.type) for name, column in RATES.items()])
    return pa.table([list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], []], schema=schema)


def rates(
    table: pa.Table, pair: tuple[str, str], days: Iterable[date] = (FRIDAY,), age: int = 7
) -> list[tuple[date, date, Decimal]]:
    result, findings = fx_table(table, [pair], days, age)
    assert findings == ()
    assert result.schema == FX_RATES
    return [(row["day"], row["quote_day"], row["rate"]) for row in result.to_pylist()]


def test_a_quote_is_taken_as_it_stands_before_the_opposite_one() -> None:
    table = quotes((FRIDAY, "USD", "EUR", "0.9"), (FRIDAY, "EUR", "USD", "1.25"))
    assert rates(table, ("EUR", "USD")) == [(FRIDAY, FRIDAY, D("1.25"))]
    assert rates(table, ("USD", "EUR")) == [(FRIDAY, FRIDAY, D("0.9"))]


def test_the_opposite_quote_is_turned_and_rounded_half_away() -> None:
    table = quotes((FRIDAY, "EUR", "USD", "1.1"))
    assert rates(table, ("USD", "EUR")) == [(FRIDAY, FRIDAY, D("0.909090909091"))]
    # 1 ÷ 2,000,000 000 000 = 0.0000000000005, a tie at the thirteenth place
    assert rates(quotes((FRIDAY, "A", "B", "2000000000000")), ("B", "A")) == [(FRIDAY, FRIDAY, D("0.000000000001"))]


def test_a_cross_is_rounded_once() -> None:
    table = quotes((FRIDAY, "EUR", "USD", "1.1"), (FRIDAY, "EUR", "JPY", "161.53"))
    # 161.53 ÷ 1.1 = 146.845454545454|54…; by way of a rounded 1 ÷ 1.1 it would end in …4692
    assert rates(table, ("USD", "JPY")) == [(FRIDAY, FRIDAY, D("146.845454545455"))]


def test_eur_is_tried_before_usd_and_both_before_any_other() -> None:
    over_chf = [(FRIDAY, "CAD", "CHF", "0.6"), (FRIDAY, "CHF", "NOK", "12")]
    over_bbd = [(FRIDAY, "CAD", "BBD", "2"), (FRIDAY, "BBD", "NOK", "4")]
    over_usd = [(FRIDAY, "CAD", "USD", "0.7"), (FRIDAY, "USD", "NOK", "11")]
    over_eur = [(FRIDAY, "EUR", "CAD", "1.6"), (FRIDAY, "EUR", "NOK", "11.6")]
    found = [rates(quotes(*rows), ("CAD", "NOK"))[0][2] for rows in (over_chf, over_chf + over_bbd)]
    assert found == [D("7.2"), D(8)]
    assert rates(quotes(*over_bbd, *over_usd), ("CAD", "NOK"))[0][2] == D("7.7")
    assert rates(quotes(*over_bbd, *over_usd, *over_eur), ("CAD", "NOK"))[0][2] == D("7.25")


def test_the_nearest_earlier_day_that_is_not_too_old() -> None:
    table = quotes((FRIDAY, "EUR", "USD", "1.1"), (MONDAY, "EUR", "USD", "1.2"))
    days = [date(2026, 7, 2), FRIDAY, SATURDAY, MONDAY, date(2026, 7, 13), date(2026, 7, 14)]
    assert rates(table, ("EUR", "USD"), days, age=7) == [
        (FRIDAY, FRIDAY, D("1.1")),
        (SATURDAY, FRIDAY, D("1.1")),
        (MONDAY, MONDAY, D("1.2")),
        (date(2026, 7, 13), MONDAY, D("1.2")),
    ]
    assert rates(table, ("EUR", "USD"), [SATURDAY], age=0) == []


def test_both_legs_are_of_one_day() -> None:
    table = quotes((FRIDAY, "EUR", "USD", "1.1"), (FRIDAY, "EUR", "JPY", "160"), (MONDAY, "EUR", "USD", "1.2"))
    # Monday has no yen: the cross falls back to Friday whole, not to Friday's yen over Monday's dollar.
    assert rates(table, ("JPY", "USD"), [MONDAY]) == [(MONDAY, FRIDAY, D("0.006875"))]
    split = quotes((FRIDAY, "EUR", "JPY", "160"), (MONDAY, "EUR", "USD", "1.2"))
    assert rates(split, ("JPY", "USD"), [MONDAY]) == []


def test_the_nearest_day_wins_over_the_better_way() -> None:
    table = quotes((FRIDAY, "USD", "JPY", "150"), (MONDAY, "EUR", "USD", "1.25"), (MONDAY, "EUR", "JPY", "160"))
    assert rates(table, ("USD", "JPY"), [MONDAY]) == [(MONDAY, MONDAY, D(128))]


def test_a_currency_is_worth_itself() -> None:
    assert rates(quotes(), ("USD", "USD")) == [(FRIDAY, FRIDAY, D(1))]


def test_no_quote_no_row() -> None:
    assert rates(quotes((FRIDAY, "EUR", "USD", "1.1")), ("USD", "NOK")) == []


@pytest.mark.parametrize("text", ["", None, "abc", "NaN", "Infinity", "0", "-1.1", "1e400", "1,1"])
def test_a_quote_that_is_no_positive_number_is_told_and_not_used(text: str | None) -> None:
    result, findings = fx_table(quotes((FRIDAY, "EUR", "USD", text)), [("EUR", "USD")], [FRIDAY], 7)
    assert result.num_rows == 0
    assert [(finding.code, finding.row, finding.column) for finding in findings] == [("rate_invalid", 2, "rate")]


def test_the_same_quote_twice_is_one_and_two_that_differ_are_none() -> None:
    assert rates(quotes((FRIDAY, "EUR", "USD", "1.1"), (FRIDAY, "EUR", "USD", "1.10")), ("EUR", "USD")) != []
    table = quotes((FRIDAY, "EUR", "USD", "1.1"), (FRIDAY, "EUR", "USD", "1.2"), (FRIDAY, "EUR", "USD", "1.3"))
    result, findings = fx_table(table, [("EUR", "USD")], [FRIDAY], 7)
    assert result.num_rows == 0
    assert [(finding.code, finding.row) for finding in findings] == [("rate_conflict", 3)]


@pytest.mark.parametrize(("text", "pair"), [("10000000", ("A", "B")), ("100000000000000", ("B", "A"))])
def test_a_rate_that_does_not_fit_is_told_once(text: str, pair: tuple[str, str]) -> None:
    result, findings = fx_table(quotes((FRIDAY, "A", "B", text)), [pair], [FRIDAY, SATURDAY], 7)
    assert result.num_rows == 0
    assert [finding.code for finding in findings] == ["rate_out_of_range"]
