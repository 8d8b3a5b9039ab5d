"""How money, numbers, days and periods read on a page."""

from datetime import date
from decimal import Decimal
from typing import Any

from django import template

from headrace.engine.numeric import MINOR_UNITS, plain

register = template.Library()


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    """Write an amount with the decimals of its currency (more only where it has more) and its currency.

    >>> money(Decimal("1234.5"), "EUR"), money(Decimal("-0.125"), "USD"), money(Decimal("7"), "POINTS")
    ('1,234.50 EUR', '-0.125 USD', '7 POINTS')
    """
    if amount is None:
        return ""
    kept = len(plain(amount).partition(".")[2])
    return f"{amount:,.{max(kept, MINOR_UNITS.get(currency, 0))}f} {currency}"


@register.filter
def number(value: Decimal | str | None) -> str:
    """Write a number plainly.

    >>> number(Decimal("1000.500000")), number(None)
    ('1,000.5', '')
    """
    if value is None or value == "":
        return ""
    exact = Decimal(value)
    return f"{exact:,.{len(plain(exact).partition('.')[2])}f}"


@register.filter
def until(first: date | None, after: date | None) -> str:
    """Write a half-open period.

    >>> until(date(2026, 1, 1), date(2026, 4, 1)), until(None, None)
    ('2026-01-01 until 2026-04-01', 'all the time')
    """
    if first is None and after is None:
        return "all the time"
    return " ".join(text for text in (str(first or ""), f"until {after}" if after else "on") if text)


_ORDER = (
    "key", "change", "for the partner", "program", "payee kind", "payee", "partner", "name", "from", "until", "cause", "rows",
    "earned", "now", "old", "shadow", "then", "less", "difference", "currency",
)  # fmt: skip


@register.filter
def in_order(row: dict[str, Any]) -> list[tuple[str, Any]]:
    """Give the cells of a row that was kept as JSON, which a database may put in any order.

    >>> in_order({"less": "5", "payee": "A"})
    [('payee', 'A'), ('less', '5')]
    """
    return sorted(row.items(), key=lambda cell: _ORDER.index(cell[0]) if cell[0] in _ORDER else len(_ORDER))


@register.filter
def words(value: Any) -> str:
    """Write a fact of a request: amounts by currency as a list, a name of ours in words, anything else as it is.

    >>> words({"EUR": "10.5"}), words("in_review"), words(3)
    ('10.50 EUR', 'in review', '3')
    """
    if isinstance(value, dict):
        return ", ".join(money(Decimal(amount), currency) for currency, amount in value.items()) or "nothing"
    text = str(value)
    return text.replace("_", " ") if text.islower() and text.replace("_", "").isalpha() else text
