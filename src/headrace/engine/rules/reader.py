"""Reads the text of a rule into its tree: SQL's grammar for conditions, and nothing else of SQL.

Operator precedence is that of SQL: or, and, not, comparisons, + -, *. What is not listed here does not exist, so a rule can
hold no function, subquery or second statement whatever later versions of a database may learn.
"""

from headrace.engine.rules.build import Builder
from headrace.engine.rules.faults import FaultList, Place, nearest
from headrace.engine.rules.tokens import Kind, Token, name_parts, unquote_text
from headrace.engine.rules.tree import And, Boolean, Comparator, Condition, Node, Or, Sign, Unknown

DEPTH_MAX = 50

_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT = range(1, 7)
_COMPARATORS: dict[str, Comparator] = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_SIGNS: dict[str, Sign] = {"+": "+", "-": "-", "*": "*"}
_POWERS = {
    "or": _OR,
    "and": _AND,
    "not": _COMPARISON,  # after a value: not in, not between, not like
    "in": _COMPARISON,
    "between": _COMPARISON,
    "like": _COMPARISON,
    "is": _COMPARISON,
    **dict.fromkeys(_COMPARATORS, _COMPARISON),
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
}
_KEYWORDS = {"or", "and", "not", "in", "between", "like", "is", "null", "true", "false", "date", "escape"}
_REFUSED_WORDS = {
    **dict.fromkeys(
        ["select", "with", "from", "exists", "values", "union"], "A rule reads one record and holds no query."
    ),
    **dict.fromkeys(
        ["insert", "update", "delete", "drop", "alter", "create"], "A rule is a condition and changes nothing."
    ),
    **dict.fromkeys(
        ["case", "when", "then", "else", "end", "if"], "A rule has no case; join conditions by and, or, not."
    ),
    **dict.fromkeys(["cast", "try_cast", "collate", "convert"], "A rule converts nothing; text compares exactly."),
    **dict.fromkeys(["ilike", "similar", "regexp", "rlike", "glob"], "Patterns are written with like, % and _."),
    **dict.fromkeys(["any", "all", "some", "over", "lambda", "distinct"], "A rule reads one record at a time."),
    **dict.fromkeys(
        ["interval", "timestamp", "time", "extract"], "A rule knows whole dates, such as date '2026-07-31'."
    ),
    **dict.fromkeys(["nan", "infinity", "inf"], "A rule knows exact decimals only."),
    "isnull": "Write is null.",
    "notnull": "Write is not null.",
    "xor": "A rule has and, or, not.",
}


class _Stopped(Exception):
    """The sentence cannot be followed further; the fault is noted."""


def read(tokens: list[Token], builder: Builder, faults: FaultList) -> Condition | None:
    """Read tokens into a condition; nothing, and at least one fault, if they are none."""
    reader = _Reader(tokens, builder, faults)
    try:
        return builder.condition(reader.whole())
    except _Stopped:
        reader.check_names_ahead()
        return None


class _Reader:
    def __init__(self, tokens: list[Token], builder: Builder, faults: FaultList) -> None:
        self._tokens = tokens
        self._next = 0
        self._builder = builder
        self._faults = faults
        self._depth = 0

    def whole(self) -> Node:
        """Read everything up to the end."""
        if self._peek().kind is Kind.END:
            raise self._stopped(
                "empty_rule", "The rule is empty; write a condition such as partner.region = 'EMEA'.", self._peek()
            )
        node = self._expression(0)
        if self._peek().kind is not Kind.END:
            raise self._unexpected(self._peek())
        return node

    def check_names_ahead(self) -> None:
        """Check the columns that were not reached, so that their faults are reported in the same round."""
        for token in self._tokens[self._next :]:
            if token.kind is Kind.NAME and "." in token.text:
                self._column(token)

    def _expression(self, power: int) -> Node:
        """Read operands and operators that bind tighter than `power`."""
        left = self._operand()
        while _POWERS.get(self._peek().word, 0) > power:
            operator = self._peek()
            if operator.word in {"and", "or"}:
                left = self._joined(left, operator.word)
            elif operator.word in _SIGNS:
                self._take()
                right = self._expression(_POWERS[operator.word])
                left = self._builder.arithmetic(_SIGNS[operator.word], left, right, _span(left, right))
            else:
                left = self._predicate(left)
        return left

    def _operand(self) -> Node:  # noqa: PLR0911 (one arm a kind of operand)
        token = self._take()
        match token.kind, token.word:
            case (Kind.SIGN, "(") | (Kind.NAME, "not"):
                return self._nested(token)
            case Kind.SIGN, "-":
                return self._negative(token)
            case Kind.NUMBER, _:
                return self._builder.number(token.text, token.at)
            case Kind.TEXT, _:
                return self._builder.text(unquote_text(token.text), token.at)
            case Kind.NAME, "date" if self._peek().kind is Kind.TEXT:
                written = self._take()
                return self._builder.date(unquote_text(written.text), (token.start, written.end))
            case Kind.NAME, "true" | "false":
                return Boolean(token.word == "true", token.at)
            case Kind.NAME, "null":
                message = "Nothing is equal to null, not even null; write is null or is not null after a column."
                self._faults.add("null_value", message, token.at, "is null")
                return Unknown(token.at)
            case Kind.NAME, word if word not in _KEYWORDS:
                return self._named(token)
            case _:
                raise self._unexpected(token)

    def _nested(self, opening: Token) -> Node:
        """Read what stands in parentheses, or after not."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._stopped(
                "too_deep", f"The rule is nested more than {DEPTH_MAX} deep; write it flatter.", opening
            )
        if opening.word == "not":
            inner = self._expression(_NOT)
            node: Node = self._builder.negation(inner, (opening.start, _end(inner, opening.end)))
        else:
            node = self._expression(0)
            if self._peek().word != ")":
                if self._peek().kind is not Kind.END:
                    raise self._unexpected(self._peek())
                raise self._stopped("unclosed_parenthesis", "This parenthesis is never closed.", opening, ")")
            self._take()
        self._depth -= 1
        return node

    def _negative(self, minus: Token) -> Node:
        token = self._take()
        if token.kind is not Kind.NUMBER:
            raise self._stopped("refused_sign", "A minus sign stands before a number or between two values.", minus)
        return self._builder.number(f"-{token.text}", (minus.start, token.end))

    def _named(self, token: Token) -> Node:
        if self._peek().word == "(":
            self._refuse_call(token)
            return Unknown(token.at)
        if token.word in _REFUSED_WORDS:
            raise self._stopped(
                "refused_word", f"{token.text} has no place in a rule. {_REFUSED_WORDS[token.word]}", token
            )
        return self._column(token)

    def _column(self, token: Token) -> Node:
        parts = name_parts(token.text)
        if len(parts) > 2:
            self._faults.add(
                "unknown_column",
                f"{token.text[:100]} has too many parts; a column is written partner.region.",
                token.at,
            )
            return Unknown(token.at)
        return self._builder.column(".".join(parts), token.at)

    def _refuse_call(self, token: Token) -> None:
        """Note a function call and pass over its parentheses, so that the rest is still checked."""
        word = token.word
        why = _REFUSED_WORDS.get(word, "A rule has no functions; compare the column as it is.")
        self._faults.add("function_call", f"{token.text[:60]}(…) has no place in a rule. {why}", token.at)
        open_parentheses = 0
        while self._peek().kind is not Kind.END:
            open_parentheses += {"(": 1, ")": -1}.get(self._take().word, 0)
            if open_parentheses == 0:
                return
        raise _Stopped

    def _joined(self, first: Node, word: str) -> Node:
        parts = [first]
        while self._peek().word == word:
            self._take()
            parts.append(self._expression(_POWERS[word]))
        return self._builder.join(And if word == "and" else Or, parts, _span(parts[0], parts[-1]))

    def _predicate(self, left: Node) -> Node:
        """Read a comparison, in, between, like or is, after its left side."""
        operator = self._take()
        if operator.word in _COMPARATORS:
            right = self._expression(_COMPARISON)
            return self._builder.comparison(_COMPARATORS[operator.word], left, right, _span(left, right))
        if operator.word == "is":
            return self._is(left)
        negated = operator.word == "not"
        if negated:
            operator = self._take()
        match operator.word:
            case "in":
                return self._in(left, negated)
            case "between":
                low = self._expression(_COMPARISON)
                self._expect("and", "between is followed by two values joined by and.")
                high = self._expression(_COMPARISON)
                return self._builder.between(left, low, high, negated=negated, at=_span(left, high))
            case "like":
                return self._like(left, negated)
            case _:
                raise self._unexpected(operator)

    def _in(self, left: Node, negated: bool) -> Node:
        self._expect("(", "in is followed by a list in parentheses, such as ('gold', 'platinum').")
        options: list[Node] = []
        while self._peek().word != ")" or options:
            options.append(self._expression(_COMPARISON))
            if self._peek().word != ",":
                break
            self._take()
        closing = self._expect(")", "The list after in is values with commas between them, closed by a parenthesis.")
        return self._builder.one_of(left, options, negated=negated, at=(_start(left, closing.start), closing.end))

    def _like(self, left: Node, negated: bool) -> Node:
        pattern = self._expression(_COMPARISON)
        escape = None
        if self._peek().word == "escape":
            self._take()
            escape = self._expression(_COMPARISON)
        at = _span(left, escape or pattern)
        return self._builder.like(left, pattern, escape, negated=negated, at=at)

    def _is(self, left: Node) -> Node:
        negated = self._peek().word == "not"
        if negated:
            self._take()
        token = self._take()
        at = (_start(left, token.start), token.end)
        if token.word not in {"null", "true", "false"}:
            raise self._stopped(
                "bad_is", "After is stands null, not null, true or false; for other values write =.", token, "="
            )
        if token.word == "null":
            return self._builder.is_null(left, negated=negated, at=at)
        return self._builder.is_truth(left, token.word == "true", negated=negated, at=at)

    def _expect(self, word: str, message: str) -> Token:
        token = self._take()
        if token.word != word:
            raise self._stopped("unexpected_word", message + _shown(token), token, word)
        return token

    def _unexpected(self, token: Token) -> _Stopped:
        before = self._tokens[max(self._tokens.index(token) - 1, 0)]
        if token.kind is Kind.END:
            return self._stopped("unfinished", "The rule ends too early; something must follow here.", before)
        if token.word in _REFUSED_WORDS:
            return self._stopped(
                "refused_word", f"{token.text} has no place in a rule. {_REFUSED_WORDS[token.word]}", token
            )
        if token.word == ",":
            message = "A comma stands only in the list after in; numbers are written without thousands separators."
            return self._stopped("unexpected_word", message, token)
        if token.word == ")":
            return self._stopped(
                "unexpected_word", "A closing parenthesis stands where none is open or a value is missing.", token
            )
        meant = nearest(token.word, _KEYWORDS) if token.kind is Kind.NAME and token.word not in _KEYWORDS else None
        message = f"{token.text[:60]} cannot stand here." + (f" Did you mean {meant}?" if meant else "")
        if meant is None and token.kind is not Kind.SIGN and token.word not in _KEYWORDS:
            message += " Between two conditions stands and or or, between two values an operator such as =."
        return self._stopped("unexpected_word", message, token, meant)

    def _stopped(self, code: str, message: str, token: Token, suggestion: str | None = None) -> _Stopped:
        self._faults.add(code, message, token.at, suggestion)
        return _Stopped()

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind is not Kind.END:
            self._next += 1
        return token


def _shown(token: Token) -> str:
    return " Here stands the end of the rule." if token.kind is Kind.END else f" Here stands {token.text[:40]}."


def _start(node: Node, otherwise: int) -> int:
    return node.at[0] if isinstance(node.at, tuple) else otherwise


def _end(node: Node, otherwise: int) -> int:
    return node.at[1] if isinstance(node.at, tuple) else otherwise


def _span(left: Node, right: Node) -> Place:
    return (_start(left, 0), _end(right, 0)) if left.at or right.at else None
