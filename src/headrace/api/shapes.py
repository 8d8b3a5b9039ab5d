"""What the API says: the frozen records of selectors, turned into JSON in one way.

A shape is a pydantic model made from a dataclass or named tuple by its annotations: amounts are decimal strings without
exponent, days and instants ISO 8601, a trailing underscore of a Python name is dropped.
"""

import dataclasses
import re
import sys
import types
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, TypeAliasType, Union, get_args, get_origin, get_type_hints

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    create_model,
)

Amount = Annotated[
    Decimal,
    PlainSerializer(lambda value: f"{value:f}", return_type=str),
    WithJsonSchema({"type": "string", "format": "decimal", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
]
"""A number that is exact, as text."""

# A zero character is no text to PostgreSQL, so it is none here.
Text = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00]*$")]
# Even with every character escaped in JSON it fits into a request. A zero character is refused by whatever reads the document.
Document = Annotated[str, StringConstraints(max_length=150_000)]
Needed = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00]*$")]


def _written_out(value: object) -> object:
    """Let no number pass for a day or an instant, as seconds since 1970."""
    if not isinstance(value, str) or re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T|$)", value) is None:
        raise ValueError("must be written as ISO 8601 says, such as 2026-01-31")
    return value


def _number(value: object) -> object:
    """Let no text and no truth value pass for a number."""
    if isinstance(value, str | bool):
        raise ValueError("must be a number")
    return value


Day = Annotated[date, BeforeValidator(_written_out)]
Instant = Annotated[AwareDatetime, BeforeValidator(_written_out)]
Whole = Annotated[int, BeforeValidator(_number)]
Truth = Annotated[bool, Field(strict=True)]


class Said(BaseModel):
    """What the API says."""

    model_config = ConfigDict(from_attributes=True)


class Given(BaseModel):
    """What the API is given: nothing that it does not know."""

    model_config = ConfigDict(extra="forbid")


_PLAIN = (str, int, bool, float, date, datetime, uuid.UUID, type(None))
_MADE: dict[type, type[BaseModel]] = {}


def shape(
    of: type,
    name: str,
    *,
    without: tuple[str, ...] = (),
    also: Mapping[str, Any] | None = None,
    parts: Mapping[str, tuple[str, ...]] | None = None,
    **instead: Any,
) -> type[BaseModel]:
    """Make the shape of a record under a name. What it holds in turn is shaped the same way.

    without: fields that are left out. also: properties that are said too, with their types. parts: names for the places of a
    field that is a tuple of tuples. instead: other types for fields.
    """
    made = _model(of, name, without=without, also=also or {}, parts=parts or {}, instead=instead)
    _MADE[of] = made
    return made


def _model(
    of: type,
    name: str,
    *,
    without: tuple[str, ...],
    also: Mapping[str, Any],
    parts: Mapping[str, tuple[str, ...]],
    instead: Mapping[str, Any],
) -> type[BaseModel]:
    hints = get_type_hints(of)
    names = [each.name for each in dataclasses.fields(of)] if dataclasses.is_dataclass(of) else list(of._fields)  # type: ignore[attr-defined]
    said: dict[str, Any] = {}
    for field in (*names, *also):
        if field in without:
            continue
        if field in instead:
            type_ = instead[field]
        elif field in parts:
            type_ = _of_parts(f"{name}{field.title().replace('_', '')}", parts[field], hints[field])
        else:
            type_ = _type(also.get(field) or hints[field])
        said[field] = (type_, Field(serialization_alias=field.rstrip("_")))
    return create_model(name, __base__=Said, __doc__=(of.__doc__ or "").strip().partition("\n")[0], **said)


def _of_parts(name: str, names: tuple[str, ...], hint: Any) -> Any:
    """Shape a tuple of tuples as a list of objects, by the names of the places."""
    (inner, _) = get_args(hint)
    made = create_model(
        name.removesuffix("es" if name.endswith("ses") else "s"),
        __base__=Said,
        **dict(zip(names, map(_type_of_field, get_args(inner)), strict=True)),
    )
    return list[Annotated[made, BeforeValidator(lambda value: dict(zip(names, value, strict=True)))]]


def _type_of_field(hint: Any) -> Any:
    return (_type(hint), ...)


def _type(hint: Any) -> Any:  # noqa: PLR0911 (one line a kind of annotation)
    if isinstance(hint, TypeAliasType):
        named = types.SimpleNamespace(__annotations__={"value": hint.__value__})
        return _type(get_type_hints(named, vars(sys.modules[str(hint.__module__)]))["value"])
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return Any
    if hint is Decimal:
        return Amount
    if origin in (Union, types.UnionType):
        return Union[tuple(_type(each) for each in args)]  # noqa: UP007 (made of values)
    if origin in (tuple, list, frozenset):
        assert len(args) == 1 or args[1] is ..., f"{hint}: name the parts"
        return list[_type(args[0])]  # type: ignore[misc]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict[_key(args[0]), _type(args[1])]  # type: ignore[misc]
    if origin is not None or hint in _PLAIN or issubclass(hint, Enum):
        return hint
    if hint not in _MADE:
        shape(hint, "".join(part.title() for part in hint.__module__.split(".")[-1].split("_")) + hint.__name__)
    return _MADE[hint]


def _key(hint: Any) -> Any:
    return str if isinstance(hint, type) and issubclass(hint, Enum) else _type(hint)
