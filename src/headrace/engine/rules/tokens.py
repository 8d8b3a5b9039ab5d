"""Cuts the text of a rule into words. What no rule is made of (comments, semicolons, quoting tricks, …) is a fault here."""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto

from headrace.engine.rules.faults import FaultList


class Kind(Enum):
    """What a token is."""

    NAME = auto()  # a keyword or a column: partner.region, line."Ship-to country"
    NUMBER = auto()
    TEXT = auto()
    SIGN = auto()  # operators, parentheses, comma
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a rule. `word` is the lower-case text of names and signs, by which keywords are known."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def at(self) -> tuple[int, int]:
        """Where it stands."""
        return self.start, self.end

    @property
    def word(self) -> str:
        """The text by which keywords and signs are known; nothing for numbers and quoted text."""
        return self.text.lower() if self.kind in {Kind.NAME, Kind.SIGN} else ""


_PLAIN = "[A-Za-z_][A-Za-z0-9_]*"
_QUOTED = '"(?:[^"]|"")*+"'
_TOKEN = re.compile(
    rf"""
      (?P<SPACE> [ \t\r\n]+)
    | (?P<COMMENT> --[^\n]* | /\*.*?\*/ | /\*.* )
    | (?P<NAME> {_PLAIN} (?: \. (?: {_PLAIN} | {_QUOTED} ) )* )
    | (?P<NUMBER> (?: [0-9]+ (?:\.[0-9]+)? | \.[0-9]+ ) (?P<TAIL> [A-Za-z0-9_.]* ) )
    | (?P<TEXT> '(?:[^']|'')*+' )
    | (?P<DOUBLE> {_QUOTED} )
    | (?P<REFUSED> == | \|\| | && | :: | -> | := | !~ )
    | (?P<SIGN> <> | <= | >= | != | [=<>(),+*-] )
    """,
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(rf"{_PLAIN}|{_QUOTED}")

# What to say about a sign that no rule has, and what to write instead.
_REFUSED_SIGNS = {
    ";": ("A rule is one condition; it has no semicolon.", None),
    "==": ("Equality is written with one sign.", "="),
    "||": ("Texts cannot be joined in a rule. For alternatives write or.", "or"),
    "&&": ("Conditions are joined by the word and.", "and"),
    "::": ("A rule converts no types.", None),
    "`": ("Names are written without backticks.", None),
    '"': ("The double quote is never closed; text goes in single quotes.", "'"),
    "'": ("The text that starts here is never closed by a single quote.", "'"),
    "%": ("Percentages are written as decimals: 35 % is 0.35.", None),
    "/": ("A rule does not divide, because a quotient is not exact: multiply the other side.", "*"),
    "!": ("Negation is the word not.", "not"),
    "‘": ("Text goes in straight single quotes.", "'"),
    "’": ("Text goes in straight single quotes.", "'"),
    "“": ("Text goes in straight single quotes.", "'"),
    "”": ("Text goes in straight single quotes.", "'"),
    "≤": ("At most is written <=.", "<="),
    "≥": ("At least is written >=.", ">="),
    "≠": ("Not equal is written <>.", "<>"),
    "−": ("The minus sign is the plain hyphen.", "-"),
    "×": ("Multiplication is written *.", "*"),
}


def scan(text: str, faults: FaultList) -> list[Token]:
    """Cut the text into tokens, closed by one END token; add a fault for everything that no rule is made of."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup == "REFUSED":
            position = _refuse_sign(text, position, match.end() if match else position + 1, faults)
            continue
        kind, at = match.lastgroup, match.span()
        position = match.end()
        if kind == "COMMENT":
            faults.add("comment", "A rule holds no comments; nothing in it may hide.", at)
        elif kind == "DOUBLE":
            meant = quote_text(match[0][1:-1].replace('""', '"'))
            faults.add("double_quotes", f"Text goes in single quotes: {meant}.", at, meant)
        elif kind in {"NUMBER", "TAIL"} and match["TAIL"]:
            _refuse_number(match[0], at, faults)
        elif kind != "SPACE":
            tokens.append(Token(Kind["NUMBER" if kind == "TAIL" else str(kind)], match[0], *at))
    tokens.append(Token(Kind.END, "", len(text), len(text)))
    return tokens


def name_parts(name: str) -> list[str]:
    """Split a name at its dots: line."Ship-to country" is line, Ship-to country."""
    return [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in _PART.findall(name)]


def is_owner(word: str) -> bool:
    """Tell whether a word can stand before the dot of a column."""
    return re.fullmatch(_PLAIN, word) is not None


def write_name(name: str) -> str:
    """Write a declared column as a rule spells it, quoted where it is not a plain word."""
    owner, _, column = name.partition(".")
    return name if re.fullmatch(_PLAIN, column) else f'{owner}."{column.replace('"', '""')}"'


def unquote_text(quoted: str) -> str:
    """Give what stands between the single quotes."""
    return quoted[1:-1].replace("''", "'")


def quote_text(value: str) -> str:
    """Write text as a rule spells it, in single quotes."""
    return "'" + value.replace("'", "''") + "'"


def hidden_character(value: str) -> str | None:
    """Name the first character that cannot be seen on a screen, if there is one.

    Control and formatting characters make two texts look alike that are not; the two joiners that written languages need are let
    through.
    """
    for character in value:
        hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        if hidden and character not in "\u200c\u200d":
            return f"U+{ord(character):04X}"
    return None


def _refuse_sign(text: str, start: int, end: int, faults: FaultList) -> int:
    sign = text[start:end]
    if sign in {"'", '"'}:
        end = len(text)
    message, suggestion = _REFUSED_SIGNS.get(sign, (None, None))
    if message is None:
        shown = sign if sign.isprintable() and sign != " " else "This space or hidden character"
        message = f"{shown} (U+{ord(sign[0]):04X}) has no place in a rule outside of quoted text."
        if not sign.isascii():
            while end < len(text) and not text[end].isascii():
                end += 1
    faults.add("unclosed_text" if sign == "'" else "refused_character", message, (start, end), suggestion)
    return end


def _refuse_number(number: str, at: tuple[int, int], faults: FaultList) -> None:
    faults.add(
        "bad_number",
        f"{number[:40]} is not a number that a rule can hold: write digits and one point, no exponent, no separators.",
        at,
        number.replace("_", "") if re.fullmatch(r"[0-9_]+(\.[0-9]+)?", number) else None,
    )
