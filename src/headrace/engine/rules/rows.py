"""A rule as nested condition rows, the shape in which a browser's form edits it; ready for JSON.

A group is `{"all": […]}`, `{"any": […]}` or `{"not": …}`. A row is `{"column": "partner.level", "operator": "in",
"value": ["gold", "platinum"]}`; operators are the words of the language, `holds` for a true/false column alone. Decimals and
dates are text, so that no digit is lost on the way. Where not a fixed value is compared, `value` is an object: `{"column": …}`
or a calculation `{"*": [{"number": "0.8"}, {"column": …}]}`; where not a single column stands on the left, `expression` takes
the place of `column`.
"""

from collections.abc import Mapping
from decimal import Decimal

from headrace.engine.rules.build import Builder, type_of
from headrace.engine.rules.columns import ColumnType
from headrace.engine.rules.faults import FaultList
from headrace.engine.rules.reader import DEPTH_MAX
from headrace.engine.rules.tree import (
    Always,
    And,
    Arithmetic,
    Between,
    Boolean,
    Column,
    Comparator,
    Comparison,
    Condition,
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
)

type Rows = dict[str, object]

_COMPARATORS: dict[str, Comparator] = {"=": "=", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_SIGNS: dict[str, Sign] = {"+": "+", "-": "-", "*": "*"}
_TRUTHS = {"is true": True, "is false": False}
_OPERATORS = {*_COMPARATORS, "in", "between", "like", "is null", "is true", "is false", "holds"}
_OPERATORS |= {"not in", "not between", "not like", "is not null", "is not true", "is not false"}
_WITHOUT_VALUE = {"is null", *_TRUTHS, "holds"}


def write_rows(node: Condition) -> Rows:  # noqa: PLR0911 (one arm a kind of node)
    """Give a condition as rows."""
    match node:
        case And(conditions):
            return {"all": [write_rows(each) for each in conditions]}
        case Or(conditions):
            return {"any": [write_rows(each) for each in conditions]}
        case Not(condition):
            return {"not": write_rows(condition)}
        case Always(truth):
            return {"always": truth}
        case Comparison(comparator, left, right):
            return _left(left) | {"operator": comparator, "value": _right(right)}
        case In(column, options, negated):
            return _left(column) | {"operator": f"{_not(negated)}in", "value": [_right(each) for each in options]}
        case Between(value, low, high, negated):
            return _left(value) | {"operator": f"{_not(negated)}between", "value": [_right(low), _right(high)]}
        case Like(column, pattern, escape, negated):
            row = _left(column) | {"operator": f"{_not(negated)}like", "value": pattern}
            return row | {"escape": escape} if escape else row
        case IsNull(column, negated):
            return _left(column) | {"operator": f"is {_not(negated)}null"}
        case IsTruth(column, truth, negated):
            return _left(column) | {"operator": f"is {_not(negated)}{str(truth).lower()}"}
        case Holds(column):
            return _left(column) | {"operator": "holds"}


def read_rows(rows: object, builder: Builder, faults: FaultList) -> Condition:
    """Read rows into a condition; adds at least one fault if they are none."""
    return _RowReader(builder, faults).condition(rows, "", 1)


class _RowReader:
    def __init__(self, builder: Builder, faults: FaultList) -> None:
        self._builder = builder
        self._faults = faults

    def condition(self, row: object, path: str, depth: int) -> Condition:  # noqa: PLR0911 (one way out a shape)
        """Read one group or row."""
        if depth > DEPTH_MAX + 1:
            return self._fault("too_deep", f"The rows are nested more than {DEPTH_MAX} deep; make them flatter.", path)
        if not isinstance(row, Mapping):
            return self._fault("bad_row", "A condition row is an object with column and operator, or a group.", path)
        keys = set(row)
        for kind, name in ((And, "all"), (Or, "any")):
            if keys == {name}:
                return self._group(kind, row[name], _below(path, name), depth)
        if keys == {"not"}:
            inner = self.condition(row["not"], _below(path, "not"), depth + 1)
            return self._builder.negation(inner, path)
        if keys == {"always"} and isinstance(row["always"], bool):
            return Always(row["always"], path)
        if "operator" in keys and ("column" in keys) != ("expression" in keys) and keys <= _ROW_KEYS:
            return self._row(row, path, depth)
        return self._fault(
            "bad_row", "A row has column (or expression), operator and value; a group all, any or not.", path
        )

    def _group(self, kind: type[And] | type[Or], rows: object, path: str, depth: int) -> Condition:
        if not isinstance(rows, list) or not rows:
            return self._fault("bad_row", "The group is empty; it needs at least one row.", path)
        parts = [self.condition(each, f"{path}[{index}]", depth + 1) for index, each in enumerate(rows)]
        return self._builder.join(kind, parts, path)

    def _row(self, row: Mapping[str, object], path: str, depth: int) -> Condition:
        operator = row["operator"]
        if not isinstance(operator, str) or operator not in _OPERATORS:
            known = ", ".join(sorted(_OPERATORS))
            return self._fault(
                "bad_row", f"There is no operator {operator!r:.60}; there are {known}.", _below(path, "operator")
            )
        if "column" in row:
            left = self._column(row["column"], _below(path, "column"))
        else:
            left = self._expression(row["expression"], _below(path, "expression"), depth + 1)
        negated = operator.startswith(("not ", "is not "))
        plain = operator.replace("not ", "")
        if ("value" in row) == (plain in _WITHOUT_VALUE) or ("escape" in row and plain != "like"):
            needs = "no value" if plain in _WITHOUT_VALUE else "a value"
            return self._fault("bad_row", f"The operator {operator} takes {needs}; only like takes escape.", path)
        if plain == "holds":
            return self._builder.condition(left)
        if plain == "is null":
            return self._builder.is_null(left, negated=negated, at=path)
        if plain in _TRUTHS:
            return self._builder.is_truth(left, _TRUTHS[plain], negated=negated, at=path)
        return self._compared(left, plain, row, path, negated=negated, depth=depth)

    def _compared(
        self, left: Value, operator: str, row: Mapping[str, object], path: str, *, negated: bool, depth: int
    ) -> Condition:
        given, at = row["value"], _below(path, "value")
        kind = type_of(left)
        if operator == "like":
            pattern = self._builder.text(given, at) if isinstance(given, str) else self._bad_value(given, at)
            escape = self._constant(row["escape"], ColumnType.TEXT, _below(path, "escape")) if "escape" in row else None
            return self._builder.like(left, pattern, escape, negated=negated, at=path)
        if operator in _COMPARATORS:
            return self._builder.comparison(_COMPARATORS[operator], left, self._value(given, kind, at, depth), path)
        if not isinstance(given, list):
            return self._fault("bad_row", f"The operator {operator} takes a list of values.", at)
        values = [self._value(each, kind, f"{at}[{index}]", depth) for index, each in enumerate(given)]
        if operator == "in":
            return self._builder.one_of(left, values, negated=negated, at=path)
        if len(values) != 2:
            return self._fault("bad_row", "The operator between takes two values.", at)
        return self._builder.between(left, values[0], values[1], negated=negated, at=path)

    def _value(self, given: object, kind: ColumnType | None, path: str, depth: int) -> Value:
        if isinstance(given, Mapping):
            return self._expression(given, path, depth + 1)
        return self._constant(given, kind, path)

    def _constant(self, given: object, kind: ColumnType | None, path: str) -> Value:
        """Read a fixed value, which is of the type of what it meets."""
        if isinstance(given, bool):
            return Boolean(given, path)
        if isinstance(given, int | Decimal):
            written = f"{given:f}" if isinstance(given, Decimal) else str(given) if abs(given) < 10**100 else "beyond"
            return self._builder.number(written, path)
        if not isinstance(given, str):
            return self._bad_value(given, path)
        if kind is ColumnType.DECIMAL:
            return self._builder.number(given, path)
        if kind is ColumnType.DATE:
            return self._builder.date(given, path)
        return self._builder.text(given, path)

    def _expression(self, given: object, path: str, depth: int) -> Value:
        """Read an object that is a column, a typed constant or a calculation."""
        if depth > DEPTH_MAX + 1 or not isinstance(given, Mapping) or len(given) != 1:
            return self._bad_value(given, path)
        (key, inner), *_ = given.items()
        if key == "column":
            return self._column(inner, path)
        if isinstance(key, str) and key in _SIGNS and isinstance(inner, list) and len(inner) == 2:
            sides: list[Node] = [
                self._expression(each, f"{path}.{key}[{at}]", depth + 1) for at, each in enumerate(inner)
            ]
            return self._builder.arithmetic(_SIGNS[key], sides[0], sides[1], path)
        kinds = {
            "number": ColumnType.DECIMAL,
            "text": ColumnType.TEXT,
            "date": ColumnType.DATE,
            "boolean": ColumnType.BOOLEAN,
        }
        if isinstance(key, str) and key in kinds:
            return self._constant(inner, kinds[key], path)
        return self._bad_value(given, path)

    def _column(self, given: object, path: str) -> Value:
        return self._builder.column(given, path) if isinstance(given, str) else self._bad_value(given, path)

    def _bad_value(self, given: object, path: str) -> Unknown:
        shown = type(given).__name__
        message = f"A value is text (also for decimals and dates), true or false, or an object, not a {shown}."
        self._faults.add("bad_value", message, path)
        return Unknown(path)

    def _fault(self, code: str, message: str, path: str) -> Condition:
        self._faults.add(code, message, path or "rows")
        return Always(False)


_ROW_KEYS = {"column", "expression", "operator", "value", "escape"}


def _left(value: Value) -> Rows:
    return {"column": value.name} if isinstance(value, Column) else {"expression": _expressed(value)}


def _right(value: Value) -> object:
    """Give a fixed value bare, since its type follows from the left side; anything else as an object."""
    match value:
        case Text(text):
            return text
        case Number() | Date():
            return _written(value)
        case Boolean(truth):
            return truth
        case _:
            return _expressed(value)


def _expressed(value: Value) -> Rows:
    match value:
        case Column(name):
            return {"column": name}
        case Text(text):
            return {"text": text}
        case Number():
            return {"number": _written(value)}
        case Date():
            return {"date": _written(value)}
        case Boolean(truth):
            return {"boolean": truth}
        case Arithmetic(sign, left, right):
            return {sign: [_expressed(left), _expressed(right)]}
        case _:
            raise AssertionError(f"{value!r} is no part of a rule")


def _written(value: Number | Date) -> str:
    return f"{value.value:f}" if isinstance(value, Number) else value.value.isoformat()


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _not(negated: bool) -> str:
    return "not " if negated else ""
