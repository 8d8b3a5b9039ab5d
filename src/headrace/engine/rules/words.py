"""Says a rule in plain English words, for the sentences that partners read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from headrace.engine.rules.build import like_parts, type_of
from headrace.engine.rules.columns import ColumnType
from headrace.engine.rules.tree import (
    Always,
    And,
    Arithmetic,
    Between,
    Boolean,
    Column,
    Comparison,
    Condition,
    Date,
    Holds,
    In,
    IsNull,
    IsTruth,
    Like,
    Not,
    Number,
    Or,
    Text,
    Value,
)

_COMPARED = {
    "=": "is",
    "<>": "is not",
    "<": "is less than",
    "<=": "is at most",
    ">": "is more than",
    ">=": "is at least",
}
_COMPARED_DATES = {**_COMPARED, "<": "is before", "<=": "is on or before", ">": "is after", ">=": "is on or after"}
_COMPARED_TEXTS = {
    **_COMPARED,
    "<": "sorts before",
    "<=": "is or sorts before",
    ">": "sorts after",
    ">=": "is or sorts after",
}
_COMPARED_BY_TYPE: dict[ColumnType | None, dict[str, str]] = {
    ColumnType.DATE: _COMPARED_DATES,
    ColumnType.TEXT: _COMPARED_TEXTS,
}
_SIGNS = {"+": "+", "-": "−", "*": "×"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class WordWriter:
    """Writes conditions in words; `names` gives the words for columns that are not to be called by their own names."""

    names: Mapping[str, str]

    def condition(self, node: Condition) -> str:  # noqa: PLR0911 (one arm a kind of node)
        """Say a condition; what is joined the other way round stands in parentheses."""
        match node:
            case And(conditions):
                return " and ".join(self._grouped(each, isinstance(each, Or)) for each in conditions)
            case Or(conditions):
                return " or ".join(self._grouped(each, isinstance(each, And)) for each in conditions)
            case Not(Holds(column)):
                return self._flag(column, "not ")
            case Not(condition):
                return f"it is not so that {self._grouped(condition, isinstance(condition, (And, Or)))}"
            case Comparison(comparator, left, right):
                words = _COMPARED_BY_TYPE.get(type_of(left), _COMPARED)
                return f"{self.value(left)} {words[comparator]} {self.value(right)}"
            case In(column, options, negated):
                return f"{self.value(column)} is {_not(negated)}{_listed([self.value(each) for each in options])}"
            case Between(value, low, high, negated):
                return f"{self.value(value)} is {_not(negated)}from {self.value(low)} to {self.value(high)}"
            case Like():
                return self._like(node)
            case IsNull(column, negated):
                return f"{self.value(column)} is {_not(negated)}empty"
            case IsTruth(column, truth, negated):
                return f"{self.value(column)} is {_not(negated)}{_truth(truth)}"
            case Holds(column):
                return self._flag(column, "")
            case Always(truth):
                return "always" if truth else "never"

    def value(self, value: Value) -> str:
        """Say a value."""
        match value:
            case Column(name):
                return self.names.get(name) or " ".join(name.replace(".", " ").replace("_", " ").split())
            case Text(text):
                plain = text and not any(each in f" {text} " for each in (" and ", " or ", ",", "“", "”", "  "))
                return text if plain and text == text.strip() else f"“{text}”"
            case Number(number):
                return f"{number:,f}".replace("-", "−")
            case Date(day):
                return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
            case Boolean(truth):
                return _truth(truth)
            case Arithmetic(sign, left, right):
                return f"{self._operand(left)} {_SIGNS[sign]} {self._operand(right)}"
            case _:
                raise AssertionError(f"{value!r} is no part of a rule")

    def _operand(self, value: Value) -> str:
        return f"({self.value(value)})" if isinstance(value, Arithmetic) else self.value(value)

    def _grouped(self, node: Condition, needed: bool) -> str:
        return f"({self.condition(node)})" if needed else self.condition(node)

    def _flag(self, column: Column, negation: str) -> str:
        """Say a true/false column: `line.internal` is "line is internal"."""
        owner, _, name = column.name.partition(".")
        if column.name in self.names:
            return f"{self.names[column.name]} is {negation}true"
        words = " ".join(name.replace("_", " ").split()).removeprefix("is ")
        return f"{owner} is {negation}{words}"

    def _like(self, node: Like) -> str:
        parts = like_parts(node.pattern, node.escape)
        say: dict[tuple[bool, ...], Callable[[str], str]] = {
            (False, True): lambda text: f"{_does(node, 'start')} with {text}",
            (True, False): lambda text: f"{_does(node, 'end')} with {text}",
            (True, False, True): lambda text: f"{_does(node, 'contain')} {text}",
            (False,): lambda text: f"is {_not(node.negated)}{text}",
        }
        texts = [part for part in parts or [] if isinstance(part, str)]
        shape = tuple(part is None for part in parts or [])
        if shape in say and len(texts) == 1:
            said = say[shape](self.value(Text(texts[0])))
        else:
            said = f"{_does(node, 'fit')} the pattern “{node.pattern}”"
        return f"{self.value(node.column)} {said}"


def _does(node: Like, verb: str) -> str:
    return f"does not {verb}" if node.negated else f"{verb}s"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _not(negated: bool) -> str:
    return "not " if negated else ""


def _truth(truth: bool) -> str:
    return "true" if truth else "false"
