"""Pages of lists: each says where the next begins, as an opaque text that names the last record and never a number of records.

So nothing is shown twice or left out when records come in between two calls.
"""

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from ninja import Query
from pydantic import BaseModel, Field, StringConstraints, create_model

from headrace.api.shapes import Given, Said
from headrace.engine.findings import Refusal

SIZE, SIZE_MAX = 50, 200
type Key = tuple[str | int, ...]
type Moment = tuple[datetime, uuid.UUID]


class Paging(Given):
    """Which page. cursor: the `next` of the page before. size: how many records at most."""

    cursor: Annotated[str, StringConstraints(max_length=2000, pattern="^[A-Za-z0-9_-]*$")] = Field(
        default="", description="The `next` of the page before; without it, the first page."
    )
    size: int = Field(default=SIZE, ge=1, le=SIZE_MAX, description="How many records at most.")


Paged = Annotated[Paging, Query(...)]


def page_of(shape: type[BaseModel]) -> type[BaseModel]:
    """Give the shape of a page of these."""
    return create_model(
        f"{shape.__name__}Page",
        __base__=Said,
        __doc__="A page of a list.",
        items=(list[shape], ...),  # type: ignore[valid-type]
        next=(str | None, Field(description="The cursor of the next page; null on the last.")),
    )


def whole(rows: Iterable[Any], key: Callable[[Any], Key], paging: Paging, *, latest: bool = False) -> dict[str, Any]:
    """Give a page of a list that is read as a whole. key: unique; the list is in its order, or, latest, against it."""
    ordered = sorted(rows, key=key, reverse=latest)
    if paging.cursor:
        last = tuple(_read(paging.cursor))
        try:
            ordered = [row for row in ordered if (key(row) < last if latest else key(row) > last)]
        except TypeError:
            raise _unknown() from None
    return cut(ordered[: paging.size + 1], key, paging)


def cut(rows: Sequence[Any], key: Callable[[Any], Key], paging: Paging) -> dict[str, Any]:
    """Give a page of rows that begin behind the cursor; there is one row more than the page holds if there is a next one."""
    shown = rows[: paging.size]
    return {"items": shown, "next": _written(key(shown[-1])) if len(rows) > paging.size else None}


def instant(at: datetime) -> str:
    """Write an instant so that texts are in the order of time."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"


def moment(at: datetime, id_: uuid.UUID) -> Key:
    """Give the key of a record by its instant and id."""
    return instant(at), str(id_)


def moment_before(paging: Paging) -> Moment | None:
    """Read a cursor that `moment` made."""
    if not paging.cursor:
        return None
    try:
        at, id_ = _read(paging.cursor)
        return datetime.strptime(str(at), "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC), uuid.UUID(str(id_))
    except ValueError:
        raise _unknown() from None


def part[T: (str, int)](paging: Paging, type_: type[T], *, place: int = 0, of: int = 1) -> T | None:
    """Read one part of a cursor; null on the first page."""
    if not paging.cursor:
        return None
    parts = _read(paging.cursor)
    if len(parts) != of or not isinstance(parts[place], type_):
        raise _unknown()
    return parts[place]  # type: ignore[no-any-return]


def _written(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _read(cursor: str) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise _unknown() from None
    plain = isinstance(parts, list) and all(
        (isinstance(each, str) and "\0" not in each) or (type(each) is int and abs(each) < 2**62) for each in parts
    )
    if not plain:
        raise _unknown()
    return list(parts)


def _unknown() -> Refusal:
    return Refusal("cursor_unknown", "This cursor is none that was handed out here. Begin with the first page.")
