"""Two results held against each other, row by row: what `verify` reports, and what finalising posts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pyarrow as pa

from headrace.engine.numeric import plain

STATEMENT_KEY = ("program", "payee_kind", "payee_id", "scope", "from", "until")
AWARD_KEY = (*STATEMENT_KEY, "line_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that is not what was written: the record, the column, both values as text (null: no such row)."""

    record: str
    column: str
    written: str | None
    computed: str | None


def differences(written: pa.Table, computed: pa.Table, key: Iterable[str]) -> list[Difference]:
    """List each value in which two tables of the same contract differ; rows meet by `key`, their order does not count.

    Columns that only one of the tables has differ in every row. A key that stands twice on one side is compared row by row
    in order of its values, so that a doubled row is a difference.
    """
    keys = tuple(key)
    left, right = _by_key(written, keys), _by_key(computed, keys)
    columns = [name for name in dict.fromkeys([*written.column_names, *computed.column_names]) if name not in keys]
    found: list[Difference] = []
    for identity in sorted(left.keys() | right.keys(), key=repr):
        record = " / ".join(text(part) or "∅" for part in identity[:-1])
        mine, theirs = left.get(identity), right.get(identity)
        if mine is None or theirs is None:
            here, there = ("no row", "a row") if mine is None else ("a row", "no row")
            found.append(Difference(record=record, column="row", written=here, computed=there))
            continue
        for column in columns:
            if mine.get(column) != theirs.get(column):
                before, after = text(mine.get(column)), text(theirs.get(column))
                found.append(Difference(record=record, column=column, written=before, computed=after))
    return found


def text(value: object) -> str | None:
    """Write a value as people read it: decimals plainly, dates in ISO form."""
    match value:
        case None:
            return None
        case Decimal():
            return plain(value)
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _by_key(table: pa.Table, keys: tuple[str, ...]) -> dict[tuple[object, ...], Mapping[str, object]]:
    seen: dict[tuple[object, ...], int] = {}
    rows: dict[tuple[object, ...], Mapping[str, object]] = {}
    for row in sorted(table.to_pylist(), key=lambda row: repr(sorted(row.items()))):
        identity = tuple(row[name] for name in keys)
        seen[identity] = seen.get(identity, 0) + 1
        rows[(*identity, seen[identity])] = row
    return rows
