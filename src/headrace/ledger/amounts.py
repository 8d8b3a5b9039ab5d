"""Between `Decimal` at the edge and the ledger's integers, which count the currency's minor unit."""

from decimal import Decimal

from headrace.engine.findings import Refusal
from headrace.engine.numeric import minor_unit

AMOUNT_MAX = 2**62
"""Far below what 64 bits hold, so that sums of two still fit."""


def to_minor(amount: Decimal, currency: str) -> int:
    """Give the amount as a whole number of minor units. Refused if it is finer, no number, or too large.

    >>> to_minor(Decimal("12.30"), "EUR"), to_minor(Decimal("-5"), "JPY")
    (1230, -5)
    """
    if not (len(currency) >= 3 and currency.isascii() and currency.isupper()):
        raise Refusal("currency", f"{currency!r} is not a currency. Write it like EUR or POINTS.")
    if not amount.is_finite():
        raise Refusal("amount", f"{amount} is not an amount. Give a number.")
    sign, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int)
    power = exponent + minor_unit(currency)
    if power + len(digits) > 30:
        raise Refusal("amount_too_large", f"{amount} {currency} is more than the ledger holds.")
    number = int("".join(map(str, digits)))
    if power >= 0:
        whole = number * int(10**power)
    else:
        whole, rest = divmod(number, int(10 ** min(-power, len(digits) + 1)))
        if rest:
            raise Refusal(
                "finer_than_currency",
                f"{amount} is finer than {currency} is paid in ({minor_unit(currency)} decimals). Round it first.",
            )
    if whole > AMOUNT_MAX:
        raise Refusal("amount_too_large", f"{amount} {currency} is more than the ledger holds.")
    return -whole if sign else whole


def from_minor(amount: int, currency: str) -> Decimal:
    """Give the amount with the currency's decimals.

    >>> from_minor(1230, "EUR"), from_minor(-5, "JPY")
    (Decimal('12.30'), Decimal('-5'))
    """
    digits = tuple(int(digit) for digit in str(abs(amount)))
    return Decimal((int(amount < 0), digits, -minor_unit(currency)))


def converted(amount: int, currency: str, rate: Decimal, functional: str) -> int:
    """Give amount × rate in minor units of the functional currency, rounded once, half away from zero.

    rate: functional units for one unit of the currency. Refused if it is not more than zero.

    >>> converted(10_000, "USD", Decimal("0.925"), "EUR"), converted(100, "EUR", Decimal("161.505"), "JPY")
    (9250, 162)
    """
    if currency == functional:
        return amount
    if not (rate.is_finite() and rate > 0):
        raise Refusal("rate", f"{rate} is not a rate of {currency} in {functional}. Give a number above zero.")
    _, digits, exponent = rate.as_tuple()
    assert isinstance(exponent, int)
    power = exponent + minor_unit(functional) - minor_unit(currency)
    number = abs(amount) * int("".join(map(str, digits)))
    if power >= 0:
        whole = number * int(10**power)
    else:
        unit = int(10**-power)
        whole = (2 * number + unit) // (2 * unit)
    return -whole if amount < 0 else whole


def part(whole: int, share: int, of: int) -> int:
    """Give whole × share ÷ of, rounded half away from zero; all of it where share = of. Not negative, share ≤ of, of > 0.

    >>> part(13_750, 3_000, 15_000), part(10, 1, 3), part(7, 1, 2)
    (2750, 3, 4)
    """
    assert whole >= 0, whole
    assert 0 <= share <= of, (share, of)
    assert of > 0, of
    return (2 * whole * share + of) // (2 * of)
