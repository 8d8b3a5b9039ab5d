"""Writes the tree of a rule as text: one spelling for every tree, with no parenthesis that SQL does not need."""

from headrace.engine.rules.tokens import quote_text, write_name
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


def write(node: Condition) -> str:  # noqa: PLR0911 (one arm a kind of node)
    """Write a condition so that reading it gives the same tree."""
    match node:
        case And(conditions):
            return " and ".join(_grouped(each, isinstance(each, Or)) for each in conditions)
        case Or(conditions):
            return " or ".join(write(each) for each in conditions)
        case Not(condition):
            return "not " + _grouped(condition, isinstance(condition, (And, Or)))
        case Comparison(comparator, left, right):
            return f"{write_value(left)} {comparator} {write_value(right)}"
        case In(column, options, negated):
            return f"{write_value(column)} {_not(negated)}in ({', '.join(map(write_value, options))})"
        case Between(value, low, high, negated):
            return f"{write_value(value)} {_not(negated)}between {write_value(low)} and {write_value(high)}"
        case Like(column, pattern, escape, negated):
            escaping = f" escape {quote_text(escape)}" if escape else ""
            return f"{write_value(column)} {_not(negated)}like {quote_text(pattern)}{escaping}"
        case IsNull(column, negated):
            return f"{write_value(column)} is {_not(negated)}null"
        case IsTruth(column, truth, negated):
            return f"{write_value(column)} is {_not(negated)}{_truth(truth)}"
        case Holds(column):
            return write_value(column)
        case Always(truth):
            return _truth(truth)


def write_value(value: Value) -> str:
    """Write a value; a sum inside a product, or on the right of a minus, stands in parentheses."""
    match value:
        case Column(name):
            return write_name(name)
        case Text(text):
            return quote_text(text)
        case Number(number):
            return f"{number:f}"
        case Date(day):
            return f"date '{day.isoformat()}'"
        case Boolean(truth):
            return _truth(truth)
        case Arithmetic(sign, left, right):
            left_sum = isinstance(left, Arithmetic) and left.sign != "*"
            right_sum = isinstance(right, Arithmetic) and (right.sign != "*" or sign == "*")
            left_text, right_text = write_value(left), write_value(right)
            return (
                f"{f'({left_text})' if sign == '*' and left_sum else left_text} {sign} "
                f"{f'({right_text})' if right_sum else right_text}"
            )
        case _:
            raise AssertionError(f"{value!r} is no part of a rule")


def _grouped(node: Condition, needed: bool) -> str:
    return f"({write(node)})" if needed else write(node)


def _not(negated: bool) -> str:
    return "not " if negated else ""


def _truth(truth: bool) -> str:
    return "true" if truth else "false"
