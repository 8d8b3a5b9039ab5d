"""Minor units of currencies, from ISO 4217 list one (current) and list three (historic).

Source: ISO 4217:2015 and its amendments up to 2025, published by the maintenance agency SIX; historic codes as the standard
had them when they were withdrawn. Codes for which it says "N.A." (metals, bond units, special drawing rights, testing) are
not here: an amount in them is a quantity, like points.
"""

from collections.abc import Mapping

_BY_DECIMALS: Mapping[int, str] = {
    0: """
        BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
        ADP BEF BYB BYR ESP GRD ITL LUF MGF PTE ROL TPE TRL
    """,
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP
        COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
        JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN
        NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
        THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
        AFA ANG ATS AYM AZM BGL BGN CSD CUC CYP DEM EEK FIM FRF GHC GWP HRK IEP LTL LVL MRO MTL MZM NLG RUR SDD SIT SKK SLL
        SRG STD TMM USS VEB VEF YUM ZMK ZWD ZWL ZWN ZWR
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

MINOR_UNITS: Mapping[str, int] = {code: decimals for decimals, codes in _BY_DECIMALS.items() for code in codes.split()}


def is_money(currency: str) -> bool:
    """Tell whether the code is a currency of ISO 4217 that has a minor unit; points and goods are not.

    >>> is_money("USD"), is_money("POINTS"), is_money("XAU")
    (True, False, False)
    """
    return currency in MINOR_UNITS


def minor_unit(currency: str) -> int:
    """Give the number of decimals in which amounts of this currency are paid; points and goods are whole: 0.

    >>> minor_unit("USD"), minor_unit("JPY"), minor_unit("KWD"), minor_unit("POINTS")
    (2, 0, 3, 0)
    """
    assert len(currency) >= 3, currency
    assert currency.isascii(), currency
    assert currency.isupper(), currency
    return MINOR_UNITS.get(currency, 0)
