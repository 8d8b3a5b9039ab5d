"""The syntax tree of a rule: the one thing that text, condition rows, SQL, evaluation and plain words have in common.

Nodes are immutable and compare by meaning: where they stood in a text (`at`) does not count. Conditions are true, false or
unknown; values are what conditions compare.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from headrace.engine.rules.columns import ColumnType
from headrace.engine.rules.faults import Place

type Sign = Literal["+", "-", "*"]
type Comparator = Literal["=", "<>", "<", "<=", ">", ">="]

# Digits before and after the point of a decimal column and of a number in a rule: the engine's LINE, decimal(18,6).
WHOLE_DIGITS = 12
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Column:
    """A declared column."""

    name: str
    type: ColumnType
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Text:
    """Quoted text."""

    value: str
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """An exact decimal, without trailing zeros."""

    value: Decimal
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Date:
    """A calendar date."""

    value: date
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false as a value to compare with."""

    value: bool
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Sum, difference or product of two decimals; never rounded."""

    sign: Sign
    left: "Value"
    right: "Value"
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands where a fault was found, so that the rest can still be checked; never part of a rule."""

    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values of one type, compared; unknown if either is null."""

    comparator: Comparator
    left: "Value"
    right: "Value"
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class In:
    """A column that is one of some values."""

    column: Column
    options: tuple["Constant", ...]
    negated: bool = False
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Between:
    """A value from low to high, both included."""

    value: "Value"
    low: "Value"
    high: "Value"
    negated: bool = False
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Like:
    """A text column that matches a pattern: % is any text, _ one character, `escape` takes the meaning from the next one."""

    column: Column
    pattern: str
    escape: str | None = None
    negated: bool = False
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IsNull:
    """A column without a value; never unknown."""

    column: Column
    negated: bool = False
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IsTruth:
    """A boolean column that is (or is not) exactly true or false; never unknown."""

    column: Column
    truth: bool
    negated: bool = False
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Holds:
    """A boolean column that stands alone."""

    column: Column
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Always:
    """True or false for every record."""

    truth: bool
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; unknown stays unknown."""

    condition: "Condition"
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """At least two conditions that must all hold; no part is itself an And."""

    conditions: tuple["Condition", ...]
    at: Place = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    """At least two conditions of which one must hold; no part is itself an Or."""

    conditions: tuple["Condition", ...]
    at: Place = field(default=None, compare=False, repr=False)


type Constant = Text | Number | Date | Boolean
type Value = Column | Constant | Arithmetic | Unknown
type Condition = Comparison | In | Between | Like | IsNull | IsTruth | Holds | Always | Not | And | Or
type Node = Value | Condition

VALUES = (Column, Text, Number, Date, Boolean, Arithmetic, Unknown)
CONSTANTS = (Text, Number, Date, Boolean)


def children(node: Node) -> tuple[Node, ...]:  # noqa: PLR0911 (one arm a kind of node)
    """Give the nodes directly below."""
    match node:
        case And(conditions) | Or(conditions):
            return conditions
        case Not(condition):
            return (condition,)
        case Comparison(_, left, right) | Arithmetic(_, left, right):
            return left, right
        case Between(value, low, high):
            return value, low, high
        case In(column, options):
            return column, *options
        case Like(column) | IsNull(column) | IsTruth(column) | Holds(column):
            return (column,)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Give the node and every node below it, in the order of the text."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(children(current)))


def joined(kind: type[And] | type[Or], conditions: list[Condition], at: Place = None) -> Condition:
    """Join conditions by and (or by or), taking in the parts of those that are already joined the same way."""
    parts = [part for each in conditions for part in (each.conditions if isinstance(each, kind) else (each,))]
    return parts[0] if len(parts) == 1 else kind(tuple(parts), at)


def digits(value: Value) -> tuple[int, int]:
    """Bound a decimal value: digits before the point, digits after it."""
    match value:
        case Number(number):
            exponent = number.as_tuple().exponent
            assert isinstance(exponent, int)
            return max(number.adjusted() + 1, 1), -exponent
        case Arithmetic("*", left, right):
            (left_whole, left_decimals), (right_whole, right_decimals) = digits(left), digits(right)
            return left_whole + right_whole, left_decimals + right_decimals
        case Arithmetic(_, left, right):
            whole, decimals = common_digits(left, right)
            return whole + 1, decimals
        case _:
            return WHOLE_DIGITS, DECIMALS


def common_digits(*values: Value) -> tuple[int, int]:
    """Bound several decimal values that are to be compared or added: digits before the point, digits after it."""
    bounds = [digits(value) for value in values]
    return max(whole for whole, _ in bounds), max(decimals for _, decimals in bounds)
