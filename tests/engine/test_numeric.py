"""Exact arithmetic: Python's Decimal, DuckDB and (marked) Spark must say the same to the last digit."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.engine import numeric
from headrace.engine.numeric import dec, minor_unit, money, round_half_away
from headrace.engine.spark_numeric import to_spark
from headrace.engine.spark_start import PINNED

D = Decimal
CONNECTION = duckdb.connect()


def run(expression: str) -> tuple[Any, str]:
    """Run one expression over no table: its value and the type that DuckDB gives it."""
    row = CONNECTION.execute(f"SELECT x, typeof(x) FROM (SELECT {expression} AS x)").fetchone()
    assert row is not None
    return row[0], row[1]


def places(units: int, decimals: int) -> Decimal:
    """Give units ÷ 10^decimals with every digit (Decimal.scaleb would round to the context)."""
    return D((units < 0, tuple(map(int, str(abs(units)))), -decimals))


def share_of(literals: Sequence[str]) -> str:
    total, part, whole = literals
    return numeric.share(total, part, whole)


def exactly(value: Fraction, decimals: int) -> Decimal:
    """Round a fraction half away from zero by whole numbers alone: an arithmetic apart from the one under test."""
    units = abs(value) * 10**decimals
    whole = (2 * units.numerator + units.denominator) // (2 * units.denominator)
    return places(whole if value >= 0 else -whole, decimals)


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        ("2.345", 2, "2.35"),
        ("-2.345", 2, "-2.35"),
        ("2.344999", 2, "2.34"),
        ("-0.004", 2, "0.00"),
        ("0.5", 0, "1"),
        ("-0.5", 0, "-1"),
        ("12345678901234567890123456789012.5", 0, "12345678901234567890123456789013"),
    ],
)
def test_rounds_a_tie_away_from_zero(value: str, decimals: int, expected: str) -> None:
    result = round_half_away(D(value), decimals)
    assert str(result) == expected


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [
        ("USD", 2),
        ("EUR", 2),
        ("JPY", 0),
        ("KRW", 0),
        ("KWD", 3),
        ("TND", 3),
        ("CLF", 4),
        ("UYW", 4),
        ("MRU", 2),
        ("HRK", 2),
        ("POINTS", 0),
    ],
)
def test_knows_the_minor_unit_of_a_currency(currency: str, decimals: int) -> None:
    assert minor_unit(currency) == decimals


def test_no_currency_stands_under_two_minor_units() -> None:
    from headrace.engine import currencies

    written = [code for codes in currencies._BY_DECIMALS.values() for code in codes.split()]
    assert len(written) == len(set(written))
    assert all(len(code) == 3 and code.isupper() for code in written)


def test_pays_in_the_minor_unit_of_the_currency() -> None:
    assert money(D("1.0005"), "KWD") == D("1.001")
    assert money(D("-1.5"), "JPY") == D(-2)
    assert money(D("99.995"), "USD") == D("100.00")


def test_a_literal_carries_its_type_and_every_digit() -> None:
    assert run(dec(D("0.035"), 9, 6)) == (D("0.035000"), "DECIMAL(9,6)")
    assert run(dec(D("-9999999999999999999999.999999"), 28, 6)) == (
        D("-9999999999999999999999.999999"),
        "DECIMAL(28,6)",
    )
    assert run(dec(7, 38, 0)) == (7, "DECIMAL(38,0)")


@pytest.mark.parametrize("value", ["0.0000001", "1000", "-1000.5", "1e400", "NaN", "Infinity", "1e-400"])
def test_a_literal_that_does_not_fit_is_an_error(value: str) -> None:
    with pytest.raises(ValueError, match=r"does not fit decimal|not a number"):
        dec(D(value), 9, 6)


@pytest.mark.parametrize(
    ("value", "rate", "expected"),
    [
        ("0.000001", "0.000001", "0.000000000001"),
        # (10^22 − 10^-6) × (10^3 − 10^-6) = 10^25 − 10^16 − 10^-3 + 10^-12 in the last two
        ("1234567.89", "0.035", "43209.876150000000"),
        ("9999999999999999999999.999999", "999.999999", "9999999989999999999999999.999000000001"),
        ("-9999999999999999999999.999999", "999.999999", "-9999999989999999999999999.999000000001"),
    ],
)
def test_a_product_with_a_rate_is_exact(value: str, rate: str, expected: str) -> None:
    result = run(numeric.product_rate(dec(D(value), 28, 6), dec(D(rate), 9, 6)))
    assert result == (D(expected), "DECIMAL(38,12)")


def test_a_product_of_two_line_values_keeps_all_digits_past_eighteen() -> None:
    left, right = dec(D("999999999999.999999"), 18, 6), dec(D("-999999999999.999999"), 18, 6)
    # (10^12 − 10^-6)² = 10^24 − 2 × 10^6 + 10^-12
    assert run(numeric.product_line(left, right)) == (D("-999999999999999998000000.000000000001"), "DECIMAL(38,12)")


def test_a_converted_amount_is_rounded_once_to_six_decimals() -> None:
    # 3.000001 × 0.499999833333 = 1.4999999999988333…33, to six places 1.5
    value = run(numeric.product_fx(dec(D("3.000001"), 18, 6), dec(D("0.499999833333"), 19, 12)))
    assert value == (D("1.500000"), "DECIMAL(28,6)")
    # 0.000001 × 0.5 is a tie at the seventh place
    assert run(numeric.product_fx(dec(D("-0.000001"), 18, 6), dec(D("0.5"), 19, 12)))[0] == D("-0.000001")
    assert run(numeric.product_fx(dec(D("-0.000001"), 18, 6), dec(D("0.499999999999"), 19, 12)))[0] == 0


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        ("0.000000500000", 6, "0.000001"),
        ("0.000000499999", 6, "0"),
        ("-0.000000500000", 6, "-0.000001"),
        ("2.500000000000", 0, "3"),
        ("-2.500000000000", 0, "-3"),
        ("1.004999999999", 2, "1.00"),
        ("1.005000000000", 2, "1.01"),
        ("-1.005000000000", 2, "-1.01"),
        ("9999999999999999999999.994999999999", 2, "9999999999999999999999.99"),
    ],
)
def test_sql_rounds_a_tie_away_from_zero(value: str, decimals: int, expected: str) -> None:
    literal = dec(D(value), 38, 12)
    assert run(numeric.rounded(literal, decimals)) == (D(expected), "DECIMAL(28,6)")
    assert run(numeric.rounded_by(literal, str(decimals))) == (D(expected), "DECIMAL(28,6)")


@given(units=st.integers(-(10**34) + 10**12, 10**34 - 10**12), decimals=st.integers(0, 6))
def test_sql_and_decimal_round_alike(units: int, decimals: int) -> None:
    value = places(units, 12)
    expected = exactly(Fraction(units, 10**12), decimals)
    assert round_half_away(value, decimals) == expected
    assert run(numeric.rounded(dec(value, 38, 12), decimals))[0] == expected


def test_a_rounded_value_that_does_not_fit_stops_the_statement() -> None:
    with pytest.raises(duckdb.ConversionException):
        run(numeric.round6(dec(D("9999999999999999999999.9999995"), 38, 12)))


def test_decimals_that_were_not_announced_give_null_and_not_a_guess() -> None:
    assert run(numeric.rounded_by(dec(D("1.5"), 38, 12), "3", among=(0, 2)))[0] is None


SHARES = [
    # total, part, whole, six decimals
    ("100", "1", "3", "33.333333"),
    ("200", "1", "3", "66.666667"),
    ("-200", "1", "3", "-66.666667"),
    ("0.000001", "1", "2", "0.000001"),
    ("-0.000001", "1", "2", "-0.000001"),
    ("0.000001", "-1", "2", "-0.000001"),
    ("0.000001", "1", "-2", "-0.000001"),
    ("-0.000001", "-1", "2", "0.000001"),
    ("-0.000001", "-1", "-2", "-0.000001"),
    ("0.000001", "0.499999", "1", "0"),
    ("10", "0", "7", "0"),
    ("10", "7", "7", "10"),
    ("1000000000000", "33333333333.333333", "100000000000", "333333333333.33333"),
]


@pytest.mark.parametrize(("total", "part", "whole", "expected"), SHARES)
def test_a_share_is_rounded_once_half_away_whatever_the_signs(total: str, part: str, whole: str, expected: str) -> None:
    literals = [dec(D(value), 28, 6) for value in (total, part, whole)]
    assert run(share_of(literals)) == (D(expected), "DECIMAL(28,6)")
    assert run(numeric.share_fits(*literals))[0] is True


@given(
    total=st.integers(-(10**18), 10**18),
    part=st.integers(-(10**19), 10**19),
    whole=st.integers(-(10**19), 10**19).filter(bool),
)
def test_shares_agree_with_fractions(total: int, part: int, whole: int) -> None:
    expected = exactly(Fraction(total * part, whole * 10**6), 6)
    values = [dec(places(units, 6), 28, 6) for units in (total, part, whole)]
    if abs(expected) < 10**22:
        assert run(share_of(values))[0] == expected


def test_a_share_of_nothing_is_null() -> None:
    zero, one = dec(0, 28, 6), dec(1, 28, 6)
    assert run(numeric.share(one, one, zero))[0] is None
    assert run(numeric.share(zero, zero, zero))[0] is None


def test_a_share_to_twelve_decimals() -> None:
    total, days, period = dec(D("100.000000000001"), 38, 12), dec(9, 28, 6), dec(30, 28, 6)
    assert run(numeric.share(total, days, period, scale=12)) == (D("30.000000000000"), "DECIMAL(38,12)")
    # 0.000000000005 × 9 ÷ 30 = 0.0000000000015: a tie
    assert run(numeric.share(dec(D("-0.000000000005"), 38, 12), days, period, scale=12))[0] == D("-0.000000000002")


def test_says_exactly_when_a_share_would_leave_the_range() -> None:
    # 2^127 − 1 = 170141183460469231731687303715884105727, and a whole of 0.000001 leaves 1 less for the product.
    limit = 2**127 - 2
    part = dec(places(10**16, 6), 28, 6)
    whole = dec(D("0.000001"), 28, 6)
    most = dec(places(limit // 10**16, 6), 28, 6)
    more = dec(places(limit // 10**16 + 1, 6), 28, 6)
    assert run(numeric.share_fits(most, part, whole))[0] is True
    assert run(numeric.share_fits(more, part, whole))[0] is False
    with pytest.raises(duckdb.OutOfRangeException):
        run(numeric.share(more, part, whole))


@given(units=st.integers(-(10**30) + 1, 10**30 - 1), scale=st.sampled_from([6, 12]))
def test_scaling_there_and_back_loses_nothing(units: int, scale: int) -> None:
    units = units % 10**28 if scale == 6 else units
    value = dec(places(units, scale), 28 if scale == 6 else 30, scale)
    assert run(numeric.scaled(value, scale)) == (units, "HUGEINT")
    assert run(numeric.unscaled(numeric.scaled(value, scale), scale))[0] == places(units, scale)


@pytest.mark.parametrize("hole", [numeric.round6, numeric.scaled, numeric.unscaled])
def test_null_stays_null(hole: Callable[[str], str]) -> None:
    assert run(hole("CAST(NULL AS DECIMAL(28, 6))"))[0] is None


@pytest.mark.spark
def test_spark_gives_the_same_digits_and_refuses_what_does_not_fit(spark: Any) -> None:
    literal = [[dec(D(value), 28, 6) for value in case[:3]] for case in SHARES]
    wanted = [D(case[3]) for case in SHARES]
    fragments = [share_of(values) for values in literal]
    fragments += [
        numeric.rounded(dec(D("-1.005"), 38, 12), 2),
        numeric.product_rate(dec(D("9999999999999999999999.999999"), 28, 6), dec(D("999.999999"), 9, 6)),
        numeric.product_line(dec(D("999999999999.999999"), 18, 6), dec(D("-999999999999.999999"), 18, 6)),
        numeric.product_fx(dec(D("-0.000001"), 18, 6), dec(D("0.5"), 19, 12)),
        numeric.share(dec(D("-0.000000000005"), 38, 12), dec(9, 28, 6), dec(30, 28, 6), scale=12),
        numeric.unscaled(numeric.scaled(dec(D("999999999999999999.999999999999"), 38, 12), 12), 12),
    ]
    wanted += [D("-1.01"), D("9999999989999999999999999.999000000001"), D("-999999999999999998000000.000000000001")]
    wanted += [D("-0.000001"), D("-0.000000000002"), D("999999999999999999.999999999999")]
    session = spark.newSession()
    for key, value in PINNED.items():
        session.conf.set(key, value)
    statement = "SELECT " + ", ".join(f"{fragment} AS c{place}" for place, fragment in enumerate(fragments))
    row = session.sql(to_spark(statement)).collect()[0]
    assert list(row) == wanted
    with pytest.raises(Exception, match=r"NUMERIC_VALUE_OUT_OF_RANGE|ARITHMETIC_OVERFLOW"):
        session.sql(to_spark(f"SELECT {share_of([dec(10**21, 28, 6)] * 3)} AS x")).collect()
