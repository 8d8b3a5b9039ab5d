"""In which unit a number of a document stands: money, points, units or a plain count."""

from decimal import Decimal

from headrace.engine.currencies import is_money
from headrace.engine.terms.checking import is_money_word
from headrace.engine.terms.model import Terms
from headrace.engine.terms.sentences import Parameter, Quantity


def money_of(terms: Terms) -> str | None:
    """Give the currency in which amounts of lines are read; null where the document names none."""
    return terms.money or (terms.currency if is_money(terms.currency) else None)


def in_unit_of(terms: Terms, word: str, value: Decimal) -> Parameter:
    """Give a number in the unit of a word of measure or base."""
    if is_money_word(word) or word == "growth":
        money = money_of(terms)
        return Quantity(value, money) if money else value
    if word in {"quantity", "on_hand"}:
        return Quantity(value, "units")
    return Quantity(value, "different" if word.startswith("distinct") else "lines")


def measured(terms: Terms, value: Decimal) -> Parameter:
    """Give a number in the unit of the measure."""
    return in_unit_of(terms, terms.measure.of, value)


def paid(terms: Terms, value: Decimal) -> Quantity:
    """Give a number in what the program pays."""
    return Quantity(value, terms.currency)
