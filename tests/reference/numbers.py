"""Exact numbers: the stated roundings, minor units of currencies. Everything is a Fraction until it is shown."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

ZERO = Fraction(0)

# ISO 4217: currencies without a minor unit, and those where it is 1/100.
_NO_MINOR_UNIT = """
BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
"""
_HUNDREDTHS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD YER ZAR ZMW ZWG
"""
NO_MINOR_UNIT = frozenset(_NO_MINOR_UNIT.split())
THOUSANDTHS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
TEN_THOUSANDTHS = frozenset(["CLF", "UYW"])
HUNDREDTHS = frozenset(_HUNDREDTHS.split())
ISO_CURRENCIES = NO_MINOR_UNIT | THOUSANDTHS | TEN_THOUSANDTHS | HUNDREDTHS


def minor_unit(currency: str) -> int:
    """Tell how many decimals a currency has; points and goods are whole."""
    if currency in HUNDREDTHS:
        return 2
    if currency in THOUSANDTHS:
        return 3
    return 4 if currency in TEN_THOUSANDTHS else 0


def round_to(value: Fraction, decimals: int) -> Fraction:
    """Round half away from zero.

    >>> round_to(Fraction("-0.125"), 2), round_to(Fraction("2.5"), 0)
    (Fraction(-13, 100), Fraction(3, 1))
    """
    scaled = abs(value) * 10**decimals
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Fraction(whole if value >= 0 else -whole, 10**decimals)


def round6(value: Fraction) -> Fraction:
    """Round to the six decimals that every stored measure, base and amount has."""
    return round_to(value, 6)


def number(value: object) -> Fraction:
    """Read a cell or a key of the document as an exact number."""
    assert isinstance(value, Decimal | int | Fraction), value
    return Fraction(value)


def shown(value: Fraction | None) -> Decimal | None:
    """Give the decimal of six places that the tables hold; it must be exact."""
    if value is None:
        return None
    scaled = value * 10**6
    assert scaled.denominator == 1, f"{value} has more than six decimals"
    return Decimal(scaled.numerator).scaleb(-6)


def total(values: Iterable[Fraction]) -> Fraction:
    """Add up; nothing is zero."""
    return sum(values, ZERO)
