"""Eligibility conditions over records, by a reader of its own, so that the engine's two evaluators have a third opinion.

It reads comparisons, `in`, `between`, `is null`, `and`, `or`, `not`, brackets; and answers true, false or null as SQL does.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import cache

type Records = Mapping[str, Mapping[str, object]]
type Condition = Callable[[Records], bool | None]
type Operand = Callable[[Records], object]

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w.]*)|(?P<sign><=|>=|<>|!=|[=<>(),-]))"
)


@cache
def condition(text: str) -> Condition:
    """Read one condition."""
    reader = _Reader(text)
    made = reader.either()
    assert reader.peek() == "", f"unread: {reader.tokens} in {text}"
    return made


def holds(text: str | None, records: Records) -> bool | None:
    """Answer a condition for one record set; no condition holds."""
    return True if text is None else condition(text)(records)


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            match = TOKEN.match(text, at)
            assert match, f"cannot read {text[at:]!r}"
            self.tokens.append(match.group(match.lastgroup or "word"))
            at = match.end()

    def peek(self) -> str:
        return self.tokens[0].lower() if self.tokens else ""

    def take(self, *words: str) -> bool:
        if [token.lower() for token in self.tokens[: len(words)]] == list(words):
            del self.tokens[: len(words)]
            return True
        return False

    def either(self) -> Condition:
        sides = [self.both()]
        while self.take("or"):
            sides.append(self.both())
        return sides[0] if len(sides) == 1 else lambda records: _any([side(records) for side in sides])

    def both(self) -> Condition:
        sides = [self.one()]
        while self.take("and"):
            sides.append(self.one())
        return sides[0] if len(sides) == 1 else lambda records: _not(_any([_not(side(records)) for side in sides]))

    def one(self) -> Condition:
        if self.take("not"):
            inner = self.one()
            return lambda records: _not(inner(records))
        if self.take("("):
            inner = self.either()
            assert self.take(")")
            return inner
        return self.comparison()

    def comparison(self) -> Condition:
        left = self.operand()
        if self.take("is", "not", "null"):
            return lambda records: left(records) is not None
        if self.take("is", "null"):
            return lambda records: left(records) is None
        negated = self.take("not")
        if self.take("in"):
            choices = self.choices()
            made: Condition = lambda records: _any([_compare("=", left(records), c(records)) for c in choices])  # noqa: E731
        elif self.take("between"):
            low = self.operand()
            assert self.take("and")
            high = self.operand()
            made = lambda records: _not(  # noqa: E731
                _any([_compare("<", left(records), low(records)), _compare(">", left(records), high(records))])
            )
        else:
            made = self.plain(left)
        return (lambda records: _not(made(records))) if negated else made

    def plain(self, left: Operand) -> Condition:
        if self.peek() not in {"=", "<>", "!=", "<", "<=", ">", ">="}:
            return lambda records: _truth(left(records))
        sign = self.tokens.pop(0)
        right = self.operand()
        return lambda records: _compare(sign, left(records), right(records))

    def choices(self) -> list[Operand]:
        assert self.take("(")
        found = [self.operand()]
        while self.take(","):
            found.append(self.operand())
        assert self.take(")")
        return found

    def operand(self) -> Operand:
        token = self.tokens.pop(0)
        value: object
        if token == "-":
            value = -Decimal(self.tokens.pop(0))
        elif token.startswith("'"):
            value = token[1:-1].replace("''", "'")
        elif token[0].isdigit():
            value = Decimal(token)
        elif token.lower() in {"true", "false"}:
            value = token.lower() == "true"
        elif token.lower() == "null":
            value = None
        elif token.lower() == "date" and self.peek().startswith("'"):
            value = date.fromisoformat(self.tokens.pop(0)[1:-1])
        else:
            record, _, column = token.partition(".")
            return lambda records: records[record].get(column)
        return lambda _: value


def _truth(value: object) -> bool | None:
    assert value is None or isinstance(value, bool)
    return value


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _any(values: list[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False


def _compare(sign: str, left: object, right: object) -> bool | None:
    if left is None or right is None:
        return None
    if sign in {"=", "<>", "!="}:
        return (left == right) == (sign == "=")
    a, b = _ordered(left), _ordered(right)
    return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign])  # type: ignore[operator]


def _ordered(value: object) -> object:
    """Text orders by its UTF-8 bytes."""
    return value.encode() if isinstance(value, str) else value
