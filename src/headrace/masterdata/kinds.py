"""Kinds of entries and their fields, as the apps above declare them; administrators declare further fields as data."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from headrace.engine.findings import Finding, Refusal
from headrace.engine.rules import ColumnType
from headrace.foundation.roles import Permission
from headrace.masterdata.timeline import Span, Spans

EXISTS = "exists"
CODE_MAX = 300
"""Of one value of a key, and of the code that is made of them."""
HAND = "hand"
"""Source of what people enter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that can be known of an entry.

    refers: the kind whose code the value is; opens: naming an unknown one opens it. choices: the only values, where given.
    check: says what is wrong with a value, or nothing. internal: not for partners' eyes. personal: erasable.
    """

    name: str
    type: ColumnType = ColumnType.TEXT
    refers: str | None = None
    opens: bool = False
    choices: tuple[str, ...] = ()
    check: Callable[[str], str | None] | None = None
    internal: bool = False
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row of an import, or one edit by hand: values (None: there is none) of an entry over days.

    opens: it also says that the entry is there on these days.
    """

    row: int
    code: str
    values: Mapping[str, str | None]
    from_on: date | None
    until_on: date | None
    opens: bool = True

    def said(self, field: str) -> Span:
        """Give a value as a span."""
        return Span(self.from_on, self.until_on, self.values[field])


type After = Callable[[str], Mapping[str, Spans]]
"""Gives, for a field, what would hold of every entry of the kind once the lines were taken."""
type Check = Callable[[Iterable[Line], After], Iterable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of entries. key: the fields that make the code. needs: fields that a new entry must have.

    check: finds the lines that do not go together with all that is known. fixed: no further fields can be declared.
    permission: of whoever changes one by hand. by_file: files may hold them.
    """

    name: str
    label: str
    key: tuple[Field, ...]
    fields: tuple[Field, ...]
    needs: tuple[str, ...] = ()
    check: Check | None = None
    fixed: bool = False
    permission: Permission = Permission.REPAIR_DATA
    by_file: bool = True

    def code(self, parts: Iterable[str]) -> str:
        """Make the code of an entry from the values of its key.

        >>> Kind(name="x", label="x", key=(Field(name="a"), Field(name="b")), fields=()).code(["P-1", "US"])
        '["P-1","US"]'
        """
        listed = list(parts)
        assert len(listed) == len(self.key), listed
        return listed[0] if len(listed) == 1 else json.dumps(listed, ensure_ascii=False, separators=(",", ":"))

    def code_fault(self, code: str) -> str | None:
        """Say what is wrong with a code."""
        key = " and ".join(part.name for part in self.key)
        return f"{key} may have at most {CODE_MAX} characters together. Shorten it." if len(code) > CODE_MAX else None

    def parts(self, code: str) -> tuple[str, ...]:
        """Give the values of the key of a code."""
        return (code,) if len(self.key) == 1 else tuple(json.loads(code))

    def shown(self, code: str) -> str:
        """Write a code for people."""
        return " · ".join(self.parts(code))


_KINDS: dict[str, Kind] = {}
_OUTSIDE: dict[str, Callable[[Collection[str]], frozenset[str]]] = {}


def register(kind: Kind) -> Kind:
    """Make a kind known."""
    assert kind.name not in _KINDS, kind.name
    _KINDS[kind.name] = kind
    return kind


def register_outside(name: str, known: Callable[[Collection[str]], frozenset[str]]) -> None:
    """Let fields refer to what is not kept here. known: gives those of the codes that exist."""
    _OUTSIDE[name] = known


def outside(name: str) -> Callable[[Collection[str]], frozenset[str]] | None:
    """Give how to look up codes of what is not kept here; nothing if it is a kind."""
    return _OUTSIDE.get(name)


def kind(name: str) -> Kind:
    """Give a kind by its name; refused if there is none."""
    if name not in _KINDS:
        raise Refusal("kind_unknown", f"There is no kind of record {name!r}. Known are {', '.join(sorted(_KINDS))}.")
    return _KINDS[name]


def kinds() -> tuple[Kind, ...]:
    """List the kinds in the order in which they were declared."""
    return tuple(_KINDS.values())
