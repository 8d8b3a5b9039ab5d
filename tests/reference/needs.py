"""Which values a program needs of a line, in which money, and what each value is (semantics, 4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from headrace.engine.terms.model import Schedule, TableRow, Terms, Tier
from tests.reference.facts import RETURNS, Row, World
from tests.reference.numbers import ISO_CURRENCIES, ZERO, number, round6
from tests.reference.periods import Period

MONEY = frozenset({"amount", "gross", "cost", "margin"})
COLUMN = {"gross": "gross_amount", "amount": "amount", "cost": "cost"}


@dataclass(frozen=True)
class Card:
    """What prices a line: the tiers or the table in force on its date."""

    tiers: tuple[Tier, ...]
    table: tuple[TableRow, ...]


def card_of(schedule: Schedule, placed_on: date) -> Card:
    """Take the last change on or before the day, else the schedule itself."""
    begun = [change for change in schedule.changes if change.on <= placed_on]
    if not begun:
        return Card(schedule.tiers, schedule.table)
    last = max(begun, key=lambda change: change.on)
    return Card(last.tiers, last.table)


def base_word(terms: Terms) -> str | None:
    """Name the base; null where the rate multiplies growth, whose base is the measure itself."""
    if terms.pays_on == "growth":
        return None
    if terms.pays_on is not None:
        return terms.pays_on
    of = terms.measure.of
    return of if of in MONEY or of.startswith("price_list.") else "amount"


def needed_words(terms: Terms, placed_on: date) -> set[str]:
    """Collect the words whose values measure, base, units and special prices are made of."""
    if terms.schedule.price_change is not None:
        return set()
    words = {terms.measure.of, *terms.measure.minus}
    base = base_word(terms)
    if base is not None:
        words.add(base)
    for tier in card_of(terms.schedule, placed_on).tiers:
        if tier.down_to is not None or tier.margin_to is not None:
            words.add(terms.schedule.cost_basis)
        if tier.margin_to is not None:
            words.add("amount")
    return words


def missing_values(terms: Terms, records: Mapping[str, Row], placed_on: date) -> bool:
    """Tell whether a value that is needed is null."""
    for word in needed_words(terms, placed_on):
        if word.startswith("price_list."):
            if records["product"].get(word.removeprefix("price_list.")) is None:
                return True
        elif word in MONEY and any(records["line"].get(COLUMN[part]) is None for part in money_parts(word)):
            return True
    return False


def money_parts(word: str) -> tuple[str, ...]:
    """Name the money columns of a word."""
    return ("amount", "cost") if word == "margin" else (word,)


def target_currency(terms: Terms) -> str | None:
    """Name the currency that money is converted to; null where the program has none and lines must share theirs."""
    return terms.money or (terms.currency if terms.currency in ISO_CURRENCIES else None)


def rate_for(world: World, terms: Terms, line: Row, placed_on: date, period: Period | None) -> Fraction | None:
    """Give the rate that brings the line's money into the program's; null where there is no quote."""
    target, own = target_currency(terms), str(line["currency"])
    if target is None or own == target:
        return Fraction(1)
    on = placed_on
    if terms.convert.on == "settlement":
        on = world.as_of
    elif terms.convert.on == "period_end" and period is not None:
        on = min(period.last_day or world.as_of, world.as_of)
    return world.rate(own, target, on, terms.convert.age_days_max)


def unquoted(world: World, terms: Terms, line: Row, placed_on: date, period: Period | None) -> bool:
    """Tell whether money is needed and its rate is missing."""
    if not needed_words(terms, placed_on) & MONEY:
        return False
    return rate_for(world, terms, line, placed_on, period) is None


def value_of(word: str, records: Mapping[str, Row], rate: Fraction) -> Fraction:
    """Give the value of a word on a line (`distinct` is a matter of the running scope, see `reference.measure`)."""
    line = records["line"]
    quantity = number(line["quantity"])
    if word == "quantity":
        return quantity
    if word == "count":
        kind = line["kind"]
        return ZERO if kind == "stock_count" else Fraction(-1 if kind in RETURNS else 1)
    if word.startswith("price_list."):
        return round6(quantity * number(records["product"][word.removeprefix("price_list.")]))
    if word == "margin":
        return value_of("amount", records, rate) - value_of("cost", records, rate)
    return converted(number(line[COLUMN[word]]), rate)


def converted(amount: Fraction, rate: Fraction) -> Fraction:
    """Bring money into the program's currency."""
    return amount if rate == 1 else round6(amount * rate)
