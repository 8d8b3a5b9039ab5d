"""Plain sentences as codes with typed parameters, and their English.

What is said is decided elsewhere; here it is only put into words. Another language is another pair of tables and formats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from headrace.engine.rules import RuleError
from headrace.engine.terms.check_rules import parse_trusting
from headrace.engine.terms.checking import plain
from headrace.engine.terms.english import SENTENCES, WORDS


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit: a currency, or a word of the table `units`."""

    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Percent:
    """A fraction that is shown as a percentage."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Term:
    """A fixed word of a document, from the table of its key."""

    table: str
    word: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule, said in words."""

    rule: str


type Parameter = str | int | date | Decimal | Quantity | Percent | Term | Condition | Sentence | Sequence[Parameter]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, or a part of one: its code and what it is about."""

    code: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The English of it."""
        return SENTENCES[self.code].format(**{name: _english(value) for name, value in self.parameters.items()})


def english(sentence: Sentence) -> str:
    """Write a whole sentence in English: with a capital and a full stop."""
    text = sentence.text
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _english(value: Parameter) -> str:
    match value:
        case Sentence():
            text = value.text
        case Quantity(number, unit):
            one = "one " if number == 1 else ""
            text = f"{grouped(number)} {WORDS['units'].get(one + unit, WORDS['units'].get(unit, unit))}"
        case Percent(fraction):
            text = f"{plain(fraction * 100)} %"
        case Term(table, word):
            text = _word(table, word)
        case Condition(rule):
            text = _condition(rule)
        case Decimal():
            text = grouped(value)
        case date():
            text = f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
        case str() | int():
            text = str(value)
        case _:
            text = listed([_english(each) for each in value])
    return text


def _condition(text: str) -> str:
    try:
        rule = parse_trusting(text)
    except RuleError:
        return text
    names = {name: WORDS["columns"].get(name, _column(name)) for name in rule.columns_used}
    return rule.describe(names)


def _column(name: str) -> str:
    """Call a column by its own words: partner.sales_region is the partner's sales region."""
    owner, _, column = name.partition(".")
    return f"the {owner}’s {column.replace('_', ' ')}"


def _word(table: str, word: str) -> str:
    """Look a word up; a word with a column, like price_list.list_price, is said by its first part with the column."""
    words = WORDS[table]
    if word in words:
        return words[word]
    for mark in (".", " "):
        head, found, column = word.partition(mark)
        if found and f"{head}{mark}" in words:
            return words[f"{head}{mark}"].format(column=column.replace(".", " ").replace("_", " "))
    return word


def listed(words: Sequence[str]) -> str:
    """Join words as English does.

    >>> listed(["gold", "silver", "bronze"])
    'gold, silver and bronze'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def grouped(number: Decimal) -> str:
    """Write a number with groups of thousands and without needless zeros.

    >>> grouped(Decimal("1234567.50"))
    '1,234,567.5'
    """
    whole, point, rest = plain(number).partition(".")
    return f"{int(whole):,}" + point + rest if not whole.startswith("-0") else whole + point + rest


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
