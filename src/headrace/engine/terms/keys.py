"""Every key that a document may carry, walked from the model: for references, schemas, suggestions and tests."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAliasType, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from headrace.engine.terms.measuring import Part
from headrace.engine.terms.model import Terms


@dataclass(frozen=True, slots=True)
class Key:
    """One key: where it stands, the field behind it, the part that it holds and whether it holds several."""

    path: tuple[str, ...]
    field: FieldInfo
    part: type[Part] | None
    many: bool


def keys(part: type[Part] = Terms, above: tuple[str, ...] = ()) -> Iterator[Key]:
    """Give every key in the order of the model, parts before what is in them."""
    for name, field in part.model_fields.items():
        inner = part_in(field.annotation)
        path = (*above, field.alias or name)
        yield Key(path, field, inner, holds_many(field.annotation))
        if inner is not None:
            yield from keys(inner, path)


def leaves() -> Iterator[Key]:
    """Give every key that holds a value and not further keys."""
    return (key for key in keys() if key.part is None)


def part_in(annotation: Any) -> type[Part] | None:
    """Give the part that a field holds, alone, optional or listed."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    if get_origin(annotation) in {Annotated, tuple, Union, types.UnionType}:
        return next((part for inner in get_args(annotation) if (part := part_in(inner))), None)
    return None


def holds_many(annotation: Any) -> bool:
    """Tell whether a field holds a list."""
    if get_origin(annotation) is tuple:
        return True
    return get_origin(annotation) in {Annotated, Union, types.UnionType} and any(map(holds_many, get_args(annotation)))


def words_of(annotation: Any) -> list[str]:
    """Give the words that a field may hold, where they are listed."""
    if isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for inner in get_args(annotation) for word in words_of(inner)]
