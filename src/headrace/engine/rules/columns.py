"""Which columns a rule may name, and of what type: the caller's declaration."""

from collections.abc import Mapping
from enum import StrEnum

import pyarrow as pa


class ColumnType(StrEnum):
    """The four types that a rule knows. A decimal holds up to 12 digits before and 6 after the point."""

    TEXT = "text"
    DECIMAL = "decimal"
    DATE = "date"
    BOOLEAN = "boolean"


# "partner.region" → text. The part before the first dot is the owner, a plain word; the rest is the column's name, any text.
type Columns = Mapping[str, ColumnType]


def declare(tables: Mapping[str, Mapping[str, pa.DataType]]) -> dict[str, ColumnType]:
    """Declare every column of the given tables: owner → column → Arrow type.

    Raises ValueError for an Arrow type that no column of the engine has.

    >>> declare({"partner": {"region": pa.string(), "since": pa.date32()}})
    {'partner.region': <ColumnType.TEXT: 'text'>, 'partner.since': <ColumnType.DATE: 'date'>}
    """
    return {
        f"{owner}.{name}": column_type(arrow_type)
        for owner, columns in tables.items()
        for name, arrow_type in columns.items()
    }


def column_type(arrow_type: pa.DataType) -> ColumnType:
    """Name the type that a rule sees for an Arrow type."""
    if pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type) or pa.types.is_string_view(arrow_type):
        return ColumnType.TEXT
    if pa.types.is_decimal(arrow_type) or pa.types.is_integer(arrow_type):
        return ColumnType.DECIMAL
    if pa.types.is_date(arrow_type):
        return ColumnType.DATE
    if pa.types.is_boolean(arrow_type):
        return ColumnType.BOOLEAN
    raise ValueError(f"a rule cannot read a column of type {arrow_type}")
