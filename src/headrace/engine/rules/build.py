"""Builds the nodes of a rule and checks them: names, types, sizes. Text and condition rows are both read through it.

Every method returns a node even where it finds a fault, so that the rest of the rule is still checked; a tree that came with
faults is thrown away.
"""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from headrace.engine.rules.columns import Columns, ColumnType
from headrace.engine.rules.faults import FaultList, Place, nearest
from headrace.engine.rules.tokens import hidden_character, is_owner, quote_text, write_name
from headrace.engine.rules.tree import (
    CONSTANTS,
    DECIMALS,
    VALUES,
    WHOLE_DIGITS,
    Always,
    And,
    Arithmetic,
    Between,
    Boolean,
    Column,
    Comparator,
    Comparison,
    Condition,
    Constant,
    Date,
    Holds,
    In,
    IsNull,
    IsTruth,
    Like,
    Node,
    Not,
    Number,
    Or,
    Sign,
    Text,
    Unknown,
    Value,
    common_digits,
    digits,
    joined,
    walk,
)

# Spark gives a product one digit more than its factors need, and holds 38.
_DIGITS_MAX = 37
# Both engines match % by trying every position, so the time grows with the power of their number.
_WILDCARDS_MAX = 4
_MIRRORED: dict[Comparator, Comparator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NOTHING = Always(False)


class Builder:
    """Makes checked nodes over the declared columns."""

    def __init__(self, columns: Columns, faults: FaultList) -> None:
        owners = {name.partition(".")[0] if "." in name else "" for name in columns}
        if not all(map(is_owner, owners)):
            raise ValueError(
                f"columns are declared as owner.name, the owner being a plain word; given were {sorted(columns)}"
            )
        self._columns = columns
        self._faults = faults

    def column(self, name: str, at: Place) -> Value:
        """Find a declared column: by its exact name, or by the only name that is equal but for case."""
        found = self._columns.get(name)
        if found is not None:
            return Column(name, found, at)
        alike = [known for known in self._columns if known.casefold() == name.casefold()]
        if len(alike) == 1:
            return Column(alike[0], self._columns[alike[0]], at)
        self._unknown_column(name, at)
        return Unknown(at)

    def text(self, value: str, at: Place) -> Value:
        """Hold text exactly as it is."""
        hidden = hidden_character(value)
        if hidden is None:
            return Text(value, at)
        self._faults.add(
            "hidden_character", f"The text {quote_text(value)[:60]!a} holds the hidden character {hidden}.", at
        )
        return Unknown(at)

    def number(self, written: str, at: Place) -> Value:
        """Hold an exact decimal."""
        match = re.fullmatch(r"-?0*([0-9]*)(?:\.([0-9]*?)0*)?", written)
        if match is None or not re.search("[0-9]", written):
            self._faults.add("bad_number", f"{written[:40]!r} is not a decimal number such as 1500 or 0.035.", at)
            return Unknown(at)
        whole, decimals = match[1], match[2] or ""
        if len(whole) > WHOLE_DIGITS or len(decimals) > DECIMALS:
            message = f"A number has at most {WHOLE_DIGITS} digits before the point and {DECIMALS} after it."
            self._faults.add("number_out_of_range", message, at)
            return Unknown(at)
        value = Decimal(f"{whole or '0'}.{decimals}" if decimals else whole or "0")
        return Number(-value if value and written.startswith("-") else value, at)

    def date(self, written: str, at: Place) -> Value:
        """Hold a calendar date that exists."""
        try:
            if not _DATE.fullmatch(written):
                raise ValueError
            return Date(date.fromisoformat(written), at)
        except ValueError:
            message = f"{quote_text(written[:40])} is not a date; dates are written year-month-day, as in '2026-07-31'."
            self._faults.add("bad_date", message, at)
            return Unknown(at)

    def arithmetic(self, sign: Sign, left: Node, right: Node, at: Place) -> Value:
        """Add, subtract or multiply decimals, as long as the result is exact."""
        left, right = self.value(left), self.value(right)
        for side in (left, right):
            if type_of(side) not in {ColumnType.DECIMAL, None}:
                self._faults.add(
                    "wrong_type", f"{sign} calculates with decimals, but {described(side)} is none.", side.at
                )
                return Unknown(at)
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            return Unknown(at)
        made = Arithmetic(sign, left, right, at)
        if sum(digits(made)) > _DIGITS_MAX:
            message = (
                f"This calculation can need more than {_DIGITS_MAX} digits and would not be exact; use fewer factors."
            )
            self._faults.add("too_many_digits", message, at)
            return Unknown(at)
        return made

    def comparison(self, comparator: Comparator, left: Node, right: Node, at: Place) -> Condition:
        """Compare two values of one type. The side that names a column comes first."""
        first, second = self._one_type([self.value(left), self.value(right)])
        if isinstance(first, Unknown) or isinstance(second, Unknown):
            return _NOTHING
        if not _names_column(first):
            comparator, first, second = _MIRRORED[comparator], second, first
        if not self._needs_column((first,), at):
            return _NOTHING
        if comparator not in {"=", "<>"}:
            self._needs_order(first)
        return Comparison(comparator, first, second, at)

    def one_of(self, operand: Node, options: Sequence[Node], *, negated: bool, at: Place) -> Condition:
        """Look for a column's value in a list of fixed values."""
        column = self._only_column(operand, "in")
        checked = self._one_type([column, *(self.value(option) for option in options)])[1:]
        if not options:
            self._faults.add("empty_list", "The list after in is empty; name at least one value.", at)
        constants: list[Constant] = []
        for option in checked:
            if isinstance(option, CONSTANTS):
                constants.append(option)
            elif not isinstance(option, Unknown):
                message = f"The list after in holds fixed values only, but {described(option)} is none; join comparisons by or."
                self._faults.add("not_a_constant", message, option.at)
        return In(column, tuple(constants), negated, at) if isinstance(column, Column) else _NOTHING

    def between(self, value: Node, low: Node, high: Node, *, negated: bool, at: Place) -> Condition:
        """Place a value between two others, both included."""
        checked = self._one_type([self.value(each) for each in (value, low, high)])
        if any(isinstance(each, Unknown) for each in checked) or not self._needs_column(checked, at):
            return _NOTHING
        self._needs_order(checked[0])
        return Between(checked[0], checked[1], checked[2], negated, at)

    def like(self, operand: Node, pattern: Node, escape: Node | None, *, negated: bool, at: Place) -> Condition:
        """Match a text column against a pattern that both engines read alike and in bounded time."""
        column = self._only_column(operand, "like")
        if isinstance(column, Column) and column.type != ColumnType.TEXT:
            self._faults.add("wrong_type", f"like looks into text, but {described(column)} is none.", column.at)
        if not isinstance(pattern, Text):
            if not isinstance(pattern, Unknown):
                self._faults.add(
                    "not_a_constant", "The pattern after like is quoted text, such as 'Road%'.", pattern.at
                )
            return _NOTHING
        letter = self._escape_letter(escape)
        parts = like_parts(pattern.value, letter)
        if parts is None:
            message = f"The escape character {letter} in a pattern stands before %, _ or itself only."
            self._faults.add("bad_pattern", message, pattern.at)
        elif sum(part is None for part in parts) > _WILDCARDS_MAX:
            self._faults.add("bad_pattern", f"A pattern holds at most {_WILDCARDS_MAX} %.", pattern.at)
        return Like(column, pattern.value, letter, negated, at) if isinstance(column, Column) else _NOTHING

    def is_null(self, operand: Node, *, negated: bool, at: Place) -> Condition:
        """Ask whether a column has a value."""
        column = self._only_column(operand, "is null")
        return IsNull(column, negated, at) if isinstance(column, Column) else _NOTHING

    def is_truth(self, operand: Node, truth: bool, *, negated: bool, at: Place) -> Condition:
        """Ask whether a boolean column is exactly true or false."""
        column = self._only_column(operand, "is true")
        if not isinstance(column, Column):
            return _NOTHING
        if column.type != ColumnType.BOOLEAN:
            self._faults.add(
                "wrong_type", f"Only a true/false column is true or false, not {described(column)}.", column.at
            )
        return IsTruth(column, truth, negated, at)

    def negation(self, operand: Node, at: Place) -> Condition:
        """Turn a condition around."""
        return Not(self.condition(operand), at)

    def join(self, kind: type[And] | type[Or], operands: Sequence[Node], at: Place) -> Condition:
        """Join conditions by and or by or."""
        return joined(kind, [self.condition(operand) for operand in operands], at)

    def condition(self, node: Node) -> Condition:
        """Take a node where a condition is needed: a true/false column may stand alone."""
        match node:
            case Column(_, ColumnType.BOOLEAN):
                return Holds(node, node.at)
            case Boolean(truth):
                return Always(truth, node.at)
            case Unknown():
                return _NOTHING
            case Column() | Text() | Number() | Date() | Arithmetic():
                message = f"A condition is needed here, but {described(node)} alone is none; compare it with something."
                self._faults.add("not_a_condition", message, node.at)
                return _NOTHING
            case _:
                return node

    def value(self, node: Node) -> Value:
        """Take a node where a value is needed: conditions are none."""
        if isinstance(node, VALUES):
            return node
        if node is _NOTHING:  # already refused
            return Unknown(node.at)
        message = "A condition cannot be compared, listed or calculated with; join conditions by and, or, not."
        self._faults.add("not_a_value", message, node.at)
        return Unknown(node.at)

    def _unknown_column(self, name: str, at: Place) -> None:
        if self._faults.full:
            return
        meant = nearest(name, self._columns) or self._same_name_elsewhere(name)
        suggestion = write_name(meant) if meant else None
        if "." in name:
            message = f"There is no column {name[:100]}."
            if suggestion is None:
                owner = name.partition(".")[0]
                known = sorted(each for each in self._columns if each.startswith(f"{owner}."))
                message += (
                    f" Known are {', '.join(map(write_name, (known or sorted(self._columns))[:8]))}."
                    if self._columns
                    else ""
                )
        else:
            message = f"{name[:100]} is not a column, which has the form partner.region; text goes in single quotes."
        self._faults.add(
            "unknown_column", message + (f" Did you mean {suggestion}?" if suggestion else ""), at, suggestion
        )

    def _same_name_elsewhere(self, name: str) -> str | None:
        last = name.rpartition(".")[2]
        by_last = {known.partition(".")[2]: known for known in sorted(self._columns, reverse=True)}
        found = nearest(last, by_last)
        return by_last[found] if found else None

    def _only_column(self, operand: Node, words: str) -> Column | Unknown:
        value = self.value(operand)
        if isinstance(value, (Column, Unknown)):
            return value
        self._faults.add("not_a_column", f"Before {words} stands a column, not {described(value)}.", value.at)
        return Unknown(value.at)

    def _one_type(self, values: list[Value]) -> list[Value]:
        """Bring values that meet to one type: text beside a date is read as a date; any other mixture is a fault."""
        types = [type_of(value) for value in values]
        if ColumnType.DATE in types:
            values = [self.date(each.value, each.at) if isinstance(each, Text) else each for each in values]
        first = next((value for value in values if isinstance(value, Column)), values[0])
        wanted = type_of(first)
        if wanted is not None:
            for index, each in enumerate(values):
                if type_of(each) not in {wanted, None}:
                    self._mixed_types(first, each)
                    values[index] = Unknown(each.at)
        if wanted == ColumnType.DECIMAL and sum(common_digits(*values)) > _DIGITS_MAX:
            message = f"These values can need more than {_DIGITS_MAX} digits side by side; use fewer factors."
            self._faults.add("too_many_digits", message, values[0].at)
        return values

    def _mixed_types(self, first: Value, other: Value) -> None:
        wanted = type_of(first)
        suggestion = None
        if wanted == ColumnType.TEXT and isinstance(other, Number):
            suggestion = quote_text(f"{other.value:f}")
        elif (
            wanted == ColumnType.DECIMAL
            and isinstance(other, Text)
            and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", other.value)
        ):
            suggestion = other.value
        message = f"{described(first)} cannot be compared with {described(other)}."
        message = message[0].upper() + message[1:] if message.startswith("the ") else message
        self._faults.add("wrong_type", message + (f" Write {suggestion}." if suggestion else ""), other.at, suggestion)

    def _needs_column(self, values: Sequence[Value], at: Place) -> bool:
        if any(_names_column(value) for value in values):
            return True
        self._faults.add("no_column", "This compares fixed values and is the same for every record; name a column.", at)
        return False

    def _needs_order(self, value: Value) -> None:
        if type_of(value) == ColumnType.BOOLEAN:
            self._faults.add(
                "wrong_type", f"True and false have no order: {described(value)} is equal or not.", value.at
            )

    def _escape_letter(self, escape: Node | None) -> str | None:
        if escape is None or isinstance(escape, Unknown):
            return None
        if isinstance(escape, Text) and re.fullmatch("[!-~]", escape.value) and escape.value not in "%_":
            return escape.value
        self._faults.add(
            "bad_pattern", "After escape stands one quoted sign other than % and _, such as '!'.", escape.at
        )
        return None


def type_of(value: Value) -> ColumnType | None:
    """Give the type of a value; null where a fault was found."""
    match value:
        case Column(_, column_type):
            return column_type
        case Text():
            return ColumnType.TEXT
        case Number() | Arithmetic():
            return ColumnType.DECIMAL
        case Date():
            return ColumnType.DATE
        case Boolean():
            return ColumnType.BOOLEAN
        case Unknown():
            return None


def described(value: Value) -> str:
    """Name a value in a message."""
    match value:
        case Column(name, column_type):
            return f"{write_name(name)} ({column_type})"
        case Text(text):
            return f"the text {quote_text(text[:40])}"
        case Number(number):
            return f"the number {number:f}"
        case Date(day):
            return f"the date {day}"
        case Boolean(truth):
            return "true" if truth else "false"
        case _:
            return "the calculation"


def like_parts(pattern: str, escape: str | None) -> list[str | bool | None] | None:
    """Cut a pattern: str is that text, True any one character, null any text at all; no list if the escape is misused."""
    parts: list[str | bool | None] = []
    signs = iter(pattern)
    for sign in signs:
        literal = sign
        if sign == escape:
            literal = next(signs, "")
            if literal not in {"%", "_", escape}:
                return None
        elif sign in "%_":
            if sign == "_" or not parts or parts[-1] is not None:
                parts.append(True if sign == "_" else None)
            continue
        last = parts[-1] if parts else None
        if isinstance(last, str):
            parts[-1] = last + literal
        else:
            parts.append(literal)
    return parts


def _names_column(value: Value) -> bool:
    return any(isinstance(node, Column) for node in walk(value))
