"""Reading and writing thousands of rows by one statement each: PostgreSQL takes arrays, SQLite JSON and prepared statements.

The models' own bulk methods cost several times as much as everything else that posting does.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

_TYPES = {
    "account": "bigint", "number": "bigint", "text": "text", "day": "date", "id": "uuid", "exact": "numeric"
}  # fmt: skip


def matching(select: str, column: str, kind: str, values: Iterable[str] | Iterable[int], end: str = "") -> list[Any]:
    """Run a query for the rows whose column is one of the values. end: what follows; SQLite gets no `FOR UPDATE`."""
    asked = list(values)
    if not asked:
        return []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"{select} WHERE {column} = ANY(%s::{_TYPES[kind]}[]) {end}", [_array(kind, asked)])
        else:
            end = end.replace("FOR UPDATE", "")
            cursor.execute(f"{select} WHERE {column} IN (SELECT value FROM json_each(%s)) {end}", [json.dumps(asked)])
        rows: list[Any] = cursor.fetchall()
        return rows


def insert(
    table: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    *,
    unless_there: bool = False,
    key: Sequence[str] = (),
) -> None:
    """Insert rows. columns: name and kind: `account`, `number`, `text`, `day`, `id` or `exact` (of an ExactField).

    unless_there: leave out a row whose key another transaction wrote meanwhile; SQLite has one writer.
    key: columns of a unique constraint; a row that is there with this key gets the values of the new one.
    """
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name, _ in columns)
    conflict = ""
    if key:
        sets = ", ".join(f'"{name}" = excluded."{name}"' for name, _ in columns if name not in key)
        conflict = f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sets}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{_TYPES[kind]}[]" for _, kind in columns)
            lists = [_array(kind, values) for (_, kind), values in zip(columns, zip(*rows, strict=True), strict=True)]
            conflict = " ON CONFLICT DO NOTHING" if unless_there else conflict
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}){conflict}", lists)
        else:
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({places}){conflict}", [[*map(_stored, row)] for row in rows]
            )


def update(table: str, key: str, columns: Sequence[str], rows: Sequence[Sequence[int]]) -> None:
    """Set whole numbers of rows that are found by a whole number. rows: the key first, then the columns."""
    if not rows:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = ", ".join((key, *columns))
            arrays = ", ".join(["%s::bigint[]"] * (len(columns) + 1))
            sets = ", ".join(f"{name} = new.{name}" for name in columns)
            lists = [_array("number", values) for values in zip(*rows, strict=True)]
            cursor.execute(
                f"UPDATE {table} SET {sets} FROM unnest({arrays}) AS new ({names}) WHERE {table}.{key} = new.{key}",
                lists,
            )
        else:
            sets = ", ".join(f"{name} = %s" for name in columns)
            cursor.executemany(f"UPDATE {table} SET {sets} WHERE {key} = %s", [[*row[1:], row[0]] for row in rows])


def _array(kind: str, values: Iterable[Any]) -> str:
    """Write an array as PostgreSQL reads it; the driver's own writing takes longer than all the rest."""
    if kind == "text":
        return "{" + ",".join(map(_quoted, values)) + "}"
    return "{" + ",".join("NULL" if value is None else _plain(value) for value in values) + "}"


def _plain(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _stored(value: Any) -> Any:
    """Give what Django keeps of a value in SQLite."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, uuid.UUID):
        return value.hex
    return value.isoformat() if isinstance(value, date) else value
