"""Entries as a dated reference table of the engine: a row for the days on which nothing of an entry changes."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from headrace.engine.rules import ColumnType
from headrace.engine.schema import Column
from headrace.masterdata import store
from headrace.masterdata.fields import DATES, fields_of
from headrace.masterdata.kinds import EXISTS, kind
from headrace.masterdata.timeline import Spans, rows
from headrace.masterdata.values import ARROW, typed


def table_of(
    kind_name: str,
    declared: Mapping[str, Column],
    *,
    beside: Mapping[str, tuple[ColumnType, Mapping[str, Spans]]] | None = None,
    revision: int | None = None,
) -> pa.Table:
    """Give the entries of a kind as known at a revision: its key, valid_from, valid_until, then its fields.

    Personal fields are left out. declared: columns that come first, with their types.
    beside: further columns, each with what holds of which entry when.
    """
    key = kind(kind_name).key[0].name
    types = {name: field.type for name, field in fields_of(kind_name).items() if not field.personal}
    types |= {name: column_type for name, (column_type, _) in (beside or {}).items()}
    listed: list[tuple[str, object, object, Mapping[str, str]]] = []
    for code, held in store.history(kind_name, revision=revision).items():
        fields = {name: spans for name, spans in held.items() if name in types}
        fields |= {name: spans[code] for name, (_, spans) in (beside or {}).items() if code in spans}
        cut = rows(held.get(EXISTS, ()), fields)
        listed.extend((code, row.from_on, row.until_on, row.values) for row in cut)
    arrays: dict[str, tuple[pa.DataType, list[Any]]] = {
        key: (pa.string(), [row[0] for row in listed]),
        DATES[0]: (pa.date32(), [row[1] for row in listed]),
        DATES[1]: (pa.date32(), [row[2] for row in listed]),
    }
    for name in (*(name for name in declared if name not in arrays), *sorted(set(types) - set(declared))):
        column_type = types[name]
        arrays[name] = (ARROW[column_type], [typed(column_type, row[3].get(name)) for row in listed])
    schema = pa.schema([pa.field(name, arrow, nullable=name != key) for name, (arrow, _) in arrays.items()])
    return pa.table({name: pa.array(values, arrow) for name, (arrow, values) in arrays.items()}, schema=schema)
