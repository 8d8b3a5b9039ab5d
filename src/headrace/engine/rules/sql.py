"""Writes the tree of a rule as a boolean SQL expression, for DuckDB and Spark.

Nothing of the rule's text reaches the SQL but its fixed values, which are quoted here; columns are spelled by the caller.
Decimals keep an explicit type at every step: a comparison without calculation stays decimal(18,6) on both sides, a calculation
is widened first so that neither engine cuts or refuses a digit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from headrace.engine.rules.build import like_parts
from headrace.engine.rules.tree import (
    DECIMALS,
    WHOLE_DIGITS,
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
    common_digits,
    digits,
)

type Dialect = Literal["duckdb", "spark"]

# DuckDB caps the product of two decimals of at most 18 digits at 18 digits, and refuses what is larger: so one side is wider.
_DUCKDB_WIDE = 19


@dataclass(frozen=True, slots=True)
class SqlWriter:
    """Writes conditions for one dialect, with the caller's spelling of columns."""

    spell: Callable[[str], str]
    dialect: Dialect

    def condition(self, node: Condition) -> str:  # noqa: PLR0911 (one arm a kind of node)
        """Write a condition; and, or and not always stand in parentheses of their own."""
        match node:
            case And(conditions):
                return f"({' AND '.join(map(self.condition, conditions))})"
            case Or(conditions):
                return f"({' OR '.join(map(self.condition, conditions))})"
            case Not(condition):
                return f"(NOT {self.condition(condition)})"
            case Comparison(comparator, left, right):
                first, second = self._alike(left, right)
                return f"({first} {comparator} {second})"
            case In(column, options, negated):
                listed = ", ".join(map(self._value, options))
                return f"({self._value(column)} {_not(negated)}IN ({listed}))"
            case Between(value, low, high, negated):
                middle, lower, upper = self._alike(value, low, high)
                return f"({middle} {_not(negated)}BETWEEN {lower} AND {upper})"
            case Like():
                return self._like(node)
            case IsNull(column, negated):
                return f"({self._value(column)} IS {_not(negated)}NULL)"
            case IsTruth(column, truth, negated):
                return f"({self._value(column)} IS {_not(negated)}{_truth(truth)})"
            case Holds(column):
                return self._value(column)
            case Always(truth):
                return _truth(truth)

    def _alike(self, *values: Value) -> list[str]:
        """Write values that are compared; where one is calculated, all of them in one decimal type that holds them exactly."""
        if not any(isinstance(value, Arithmetic) for value in values):
            return [self._value(value) for value in values]
        whole, decimals = common_digits(*values)
        return [self._decimal(value, whole, decimals) for value in values]

    def _value(self, value: Value) -> str:
        match value:
            case Column(name):
                return self.spell(name)
            case Text(text):
                return self._quoted(text)
            case Number(number):
                return f"CAST('{number:f}' AS DECIMAL({WHOLE_DIGITS + DECIMALS},{DECIMALS}))"
            case Date(day):
                return f"DATE '{day.isoformat()}'"
            case Boolean(truth):
                return _truth(truth)
            case _:
                raise AssertionError(f"{value!r} is no single value")

    def _decimal(self, value: Value, whole: int, decimals: int, *, at_least: int = 0) -> str:
        """Write a decimal value in the type that has so many digits before and after the point."""
        if isinstance(value, Arithmetic):
            written = self._calculation(value)
        elif isinstance(value, Number):
            written = f"'{value.value:f}'"
        else:
            written = self._value(value)
        return f"CAST({written} AS DECIMAL({max(whole + decimals, at_least)},{decimals}))"

    def _calculation(self, node: Arithmetic) -> str:
        wide = _DUCKDB_WIDE if self.dialect == "duckdb" else 0
        if node.sign == "*":
            left = self._decimal(node.left, *digits(node.left), at_least=wide)
            right = self._decimal(node.right, *digits(node.right))
        else:
            whole, decimals = common_digits(node.left, node.right)
            left = self._decimal(node.left, whole, decimals, at_least=wide)
            right = self._decimal(node.right, whole, decimals, at_least=wide)
        return f"({left} {node.sign} {right})"

    def _like(self, node: Like) -> str:
        """Write the pattern anew with a backslash as escape, since the engines differ in what they escape by default."""
        parts = like_parts(node.pattern, node.escape)
        assert parts is not None, "checked when the rule was built"
        escaping = self.dialect == "spark" or any(
            isinstance(part, str) and ("%" in part or "_" in part) for part in parts
        )
        written = ""
        for part in parts:
            if isinstance(part, str):
                escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
                written += escaped if escaping else part
            else:
                written += "_" if part else "%"
        clause = f" ESCAPE {self._quoted('\\')}" if escaping else ""
        return f"({self._value(node.column)} {_not(node.negated)}LIKE {self._quoted(written)}{clause})"

    def _quoted(self, text: str) -> str:
        """Quote text. Spark reads backslashes as escapes, and puts settings in place of ${…} before it even parses."""
        if self.dialect == "duckdb":
            return "'" + text.replace("'", "''") + "'"
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\u0024") + "'"


def _not(negated: bool) -> str:
    return "NOT " if negated else ""


def _truth(truth: bool) -> str:
    return "TRUE" if truth else "FALSE"
