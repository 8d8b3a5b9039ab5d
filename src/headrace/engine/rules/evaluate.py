"""Decides a rule for one record in plain Python: for forms, approvals and guardrails, and to prove the SQL right.

SQL's three-valued logic: null compared with anything is unknown (None), and unknown passes through not, and, or unless the
other side decides alone.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Rounded
from typing import Any

from headrace.engine.rules.build import like_parts
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

# Wide enough for any calculation that a rule may hold; anything that would not be exact raises.
_EXACT = Context(prec=80, traps=[Inexact, Rounded, InvalidOperation])
_CALCULATIONS = {"+": _EXACT.add, "-": _EXACT.subtract, "*": _EXACT.multiply}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PYTHON_TYPES: dict[ColumnType, tuple[type, ...]] = {
    ColumnType.TEXT: (str,),
    ColumnType.DECIMAL: (Decimal, int),
    ColumnType.DATE: (date,),
    ColumnType.BOOLEAN: (bool,),
}


def decide(node: Condition, record: Mapping[str, object]) -> bool | None:  # noqa: PLR0911 (one arm a kind of node)
    """Tell whether the condition is true, false or unknown (None) for the record."""
    match node:
        case And(conditions):
            return all_hold(decide(each, record) for each in conditions)
        case Or(conditions):
            return _opposite(all_hold(_opposite(decide(each, record)) for each in conditions))
        case Not(condition):
            return _opposite(decide(condition, record))
        case Comparison(comparator, left, right):
            return _compared(comparator, _read(left, record), _read(right, record))
        case In(column, options, negated):
            value = _read(column, record)
            found = None if value is None else any(value == option.value for option in options)
            return _turned(found, negated)
        case Between(value, low, high, negated):
            middle = _read(value, record)
            bounds = _compared(">=", middle, _read(low, record)), _compared("<=", middle, _read(high, record))
            return _turned(all_hold(bounds), negated)
        case Like(column, pattern, escape, negated):
            text = _read(column, record)
            return _turned(None if text is None else matches(text, pattern, escape), negated)
        case IsNull(column, negated):
            return (_read(column, record) is None) != negated
        case IsTruth(column, truth, negated):
            return (_read(column, record) is truth) != negated
        case Holds(column):
            held: bool | None = _read(column, record)
            return held
        case Always(truth):
            return truth


def matches(text: str, pattern: str, escape: str | None) -> bool:
    """Match text against a like pattern, in time bounded by the product of their lengths."""
    parts = like_parts(pattern, escape)
    assert parts is not None, "checked when the rule was built"
    steps: list[str | bool | None] = []
    for part in parts:
        steps.extend(part if isinstance(part, str) else [part])
    at_text = at_step = 0
    retry_step, retry_text = -1, 0
    while at_text < len(text):
        step = steps[at_step] if at_step < len(steps) else False
        if step is None:
            retry_step, retry_text = at_step, at_text
            at_step += 1
        elif step is True or step == text[at_text]:
            at_text, at_step = at_text + 1, at_step + 1
        elif retry_step >= 0:
            retry_text += 1
            at_text, at_step = retry_text, retry_step + 1
        else:
            return False
    return all(step is None for step in steps[at_step:])


def all_hold(outcomes: Iterable[bool | None]) -> bool | None:
    """Join outcomes by and: false decides, then unknown, else true."""
    unknown = False
    for outcome in outcomes:
        if outcome is False:
            return False
        unknown = unknown or outcome is None
    return None if unknown else True


def _read(value: Value, record: Mapping[str, object]) -> Any:
    match value:
        case Column(name, column_type):
            return _checked(name, column_type, record[name])
        case Text() | Number() | Date() | Boolean():
            return value.value
        case Arithmetic(sign, left, right):
            first, second = _read(left, record), _read(right, record)
            return None if first is None or second is None else _CALCULATIONS[sign](first, second)
        case _:
            raise AssertionError(f"{value!r} is no part of a rule")


def _checked(name: str, column_type: ColumnType, given: object) -> object:
    """Refuse a value that the column cannot hold: floats above all, and what only looks like the type."""
    if given is None:
        return None
    fits = isinstance(given, _PYTHON_TYPES[column_type])
    if fits and isinstance(given, bool | datetime):
        fits = column_type is ColumnType.BOOLEAN and isinstance(given, bool)
    if not fits or (isinstance(given, Decimal) and not given.is_finite()):
        raise TypeError(f"{name} is {column_type} and cannot hold {given!r}")
    return given


def _compared(comparator: str, left: Any, right: Any) -> bool | None:
    return None if left is None or right is None else _COMPARISONS[comparator](left, right)


def _opposite(outcome: bool | None) -> bool | None:
    return None if outcome is None else not outcome


def _turned(outcome: bool | None, negated: bool) -> bool | None:
    return _opposite(outcome) if negated else outcome
