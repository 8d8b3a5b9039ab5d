"""The only arithmetic on money: exact, and rounded half away from zero at stated places.

Two halves say the same thing: functions over Python's `Decimal`, and fragments of SQL in DuckDB's dialect whose every
type is written out. `spark_numeric.to_spark` turns a statement made of such fragments into Spark's dialect with the same
results. No fragment ever divides by `/`, which is floating point in DuckDB. A value that does not fit its type stops the
statement; it is never wrapped, cut or made null.

Types: SUM decimal(28,6), LINE decimal(18,6), RATE decimal(9,6), FX decimal(19,12), SHARE decimal(38,12), the last for
products of two six-decimal numbers before they are rounded.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal

from headrace.engine.currencies import MINOR_UNITS, is_money, minor_unit

__all__ = [
    "FX",
    "LINE",
    "MINOR_UNITS",
    "RATE",
    "SHARE",
    "SUM",
    "dec",
    "is_money",
    "minor_unit",
    "money",
    "plain",
    "product_fx",
    "product_line",
    "product_rate",
    "round6",
    "round_half_away",
    "rounded",
    "rounded_by",
    "scaled",
    "share",
    "share_fits",
    "share_scaled",
    "unscaled",
]

SUM = "DECIMAL(28, 6)"
LINE = "DECIMAL(18, 6)"
RATE = "DECIMAL(9, 6)"
FX = "DECIMAL(19, 12)"
SHARE = "DECIMAL(38, 12)"

_HUGEINT_MAX = 2**127 - 1
# Wide enough for any product of two of the types above, whatever context the calling thread has set.
_WIDE = Context(prec=200, rounding=ROUND_HALF_UP)


def round_half_away(value: Decimal, decimals: int) -> Decimal:
    """Round to `decimals` places; a tie goes away from zero. Zero never carries a minus sign.

    >>> round_half_away(Decimal("2.345"), 2), round_half_away(Decimal("-2.345"), 2), round_half_away(Decimal("-0.4"), 0)
    (Decimal('2.35'), Decimal('-2.35'), Decimal('0'))
    """
    assert value.is_finite(), value
    result = value.quantize(Decimal((0, (1,), -decimals)), context=_WIDE)
    return result if result else result.copy_abs()


def money(value: Decimal, currency: str) -> Decimal:
    """Round to the minor unit of the currency, half away from zero.

    >>> money(Decimal("10.005"), "EUR"), money(Decimal("10.5"), "JPY"), money(Decimal("7.4999"), "POINTS")
    (Decimal('10.01'), Decimal('11'), Decimal('7'))
    """
    return round_half_away(value, minor_unit(currency))


def plain(value: Decimal) -> str:
    """Write a decimal without exponent and without zeros that say nothing.

    >>> plain(Decimal("1200.500000")), plain(Decimal("-0.000000")), plain(Decimal("1E+3"))
    ('1200.5', '0', '1000')
    """
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def dec(value: Decimal | int, precision: int, scale: int) -> str:
    """Write a decimal literal of SQL with its type; the only way in which a number enters a statement.

    >>> dec(Decimal("0.035"), 9, 6)
    "CAST('0.035000' AS DECIMAL(9, 6))"

    Raises ValueError where the value does not fit the type exactly.
    """
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{number} is not a number that SQL can hold")
    # copy_abs, because abs() would round to the calling thread's context.
    inside = number.copy_abs() < Decimal((0, (1,), precision - scale))
    written = number.quantize(Decimal((0, (1,), -scale)), context=_WIDE) if inside else number
    if written != number or not inside:
        raise ValueError(f"{number} does not fit decimal({precision},{scale})")
    return f"CAST('{written:f}' AS DECIMAL({precision}, {scale}))"


def product_rate(value: str, rate: str) -> str:
    """SUM × RATE, exact: decimal(38,12)."""
    return f"CAST(CAST({value} AS {SUM}) * CAST({rate} AS {RATE}) AS {SHARE})"


def product_line(left: str, right: str) -> str:
    """LINE × LINE, exact: decimal(38,12)."""
    # One side a digit wider: DuckDB caps a product of two 64-bit decimals at 18 digits.
    return f"CAST(CAST({left} AS DECIMAL(19, 6)) * CAST({right} AS {LINE}) AS {SHARE})"


def product_fx(value: str, rate: str) -> str:
    """LINE × FX, rounded once to six decimals: SUM. The exact product has eighteen decimals."""
    return f"CAST(ROUND(CAST({value} AS {LINE}) * CAST({rate} AS {FX}), 6) AS {SUM})"


def rounded(value: str, decimals: int) -> str:
    """Round a decimal of up to 38 digits to `decimals` ≤ 6 places, half away from zero: SUM."""
    assert 0 <= decimals <= 6, decimals
    return f"CAST(ROUND({value}, {decimals}) AS {SUM})"


def round6(value: str) -> str:
    """Round a decimal of up to 38 digits to six places, half away from zero: SUM."""
    return rounded(value, 6)


def rounded_by(value: str, decimals: str, among: Iterable[int] = range(7)) -> str:
    """Round to as many places as the integer column `decimals` says (one of `among`), half away from zero: SUM.

    DuckDB rounds decimals exactly only to a constant number of places, hence one branch for each.
    """
    branches = " ".join(f"WHEN {places} THEN {rounded(value, places)}" for places in sorted(set(among)))
    return f"CASE {decimals} {branches} END"


def scaled(value: str, scale: int = 6) -> str:
    """Give value × 10^scale (6 or 12) as HUGEINT; exact for a value of at most `scale` decimals, |value| < 10^22 or 10^18."""
    assert scale in (6, 12), scale
    million = dec(1_000_000, 7, 0)
    if scale == 6:
        return f"CAST(CAST({value} AS {SUM}) * {million} AS HUGEINT)"
    # In two steps, so that Spark keeps every digit: it cuts the scale of a product that is wider than 38.
    return f"CAST(CAST(CAST({value} AS DECIMAL(30, 12)) * {million} AS DECIMAL(30, 6)) * {million} AS HUGEINT)"


def unscaled(value: str, scale: int = 6) -> str:
    """Give an integer ÷ 10^scale as a decimal: SUM for scale 6, SHARE for 12."""
    assert scale in (6, 12), scale
    millionth = dec(Decimal("0.000001"), 6, 6)
    step = f"CAST({value} AS DECIMAL(31, 0)) * {millionth}"
    return f"CAST({step} AS {SUM})" if scale == 6 else f"CAST(CAST({step} AS DECIMAL(31, 6)) * {millionth} AS {SHARE})"


def share_scaled(total: str, part: str, whole: str) -> str:
    """Give total × part ÷ whole over integers, rounded half away from zero: HUGEINT. Null where whole is 0.

    Any signs. |total × part| + |whole| must stay below 2^127; past that the statement stops.
    """
    return whole_share(*(f"CAST({value} AS HUGEINT)" for value in (total, part, whole)))


def share(total: str, part: str, whole: str, scale: int = 6) -> str:
    """Give total × part ÷ whole, rounded once to `scale` (6 or 12) decimals, half away from zero: SUM or SHARE.

    total has at most `scale` decimals, part and whole at most six. Null where whole is 0: the caller says what that means.
    """
    return unscaled(whole_share(scaled(total, scale), scaled(part), scaled(whole)), scale)


def share_fits(total: str, part: str, whole: str) -> str:
    """A condition: `share` of these SUMs stays in range. Exact, so that a faulty row can be told before it stops the run."""
    room = f"(CAST({_HUGEINT_MAX} AS HUGEINT) - ABS({scaled(whole)}))"
    return f"(ABS({scaled(part)}) <= 1 OR ABS({scaled(total)}) <= {room} // ABS({scaled(part)}))"


def whole_share(total: str, part: str, whole: str) -> str:
    """Write the division of `share_scaled` over arguments that are HUGEINT already."""
    product = f"({total} * {part})"
    divisor = f"NULLIF({whole}, 0)"
    half = f"({divisor} // 2)"  # a tie is reached only where the divisor is even, so the floor is enough
    nudge = f"CASE WHEN ({product} < 0) = ({divisor} < 0) THEN {half} ELSE -{half} END"
    return f"(({product} + {nudge}) // {divisor})"
