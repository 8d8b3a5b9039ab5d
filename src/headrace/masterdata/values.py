"""Values of fields: read from any text into the one spelling that is kept, and from it into Python. There is no second reader."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from headrace.engine.rules import ColumnType
from headrace.engine.schema import LINE

TEXT_MAX = 20_000
_DECIMAL = re.compile(r"[+-]?\d{1,12}(\.\d*)?")
_TRUTHS = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}

ARROW: dict[ColumnType, pa.DataType] = {
    ColumnType.TEXT: pa.string(),
    ColumnType.DECIMAL: LINE,
    ColumnType.DATE: pa.date32(),
    ColumnType.BOOLEAN: pa.bool_(),
}


class Unreadable(ValueError):
    """A text that is no value of the type; says what is expected."""


def canonical(kind: ColumnType, text: str) -> str:
    """Write a value in the spelling that is kept. Raises Unreadable. Decimals: up to 12 digits before and 6 after the point.

    >>> canonical(ColumnType.DECIMAL, "1500.50"), canonical(ColumnType.BOOLEAN, "Yes")
    ('1500.5', 'true')
    """
    text = text.strip()
    match kind:
        case ColumnType.DECIMAL:
            return _decimal(text)
        case ColumnType.DATE:
            try:
                return date.fromisoformat(text).isoformat()
            except ValueError:
                raise Unreadable(f"{text!r} is no day. Write it like 2026-07-31.") from None
        case ColumnType.BOOLEAN:
            if text.casefold() not in _TRUTHS:
                raise Unreadable(f"{text!r} is neither true nor false. Write true or false.")
            return _TRUTHS[text.casefold()]
        case ColumnType.TEXT:
            if len(text) > TEXT_MAX or "\0" in text:
                raise Unreadable(f"The text is longer than {TEXT_MAX} characters, or no text. Shorten it.")
            return text


def _decimal(text: str) -> str:
    if _DECIMAL.fullmatch(text) is None:
        raise Unreadable(
            f"{text!r} is no plain number. Write it like 1500.25, with at most 12 digits before the point and no separators."
        )
    value = Decimal(text).normalize()
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -6:
        raise Unreadable(f"{text!r} has more than 6 digits after the point. Round it.")
    return f"{value + 0:f}" if value else "0"


def typed(kind: ColumnType, kept: str | None) -> Any:
    """Give a kept value as str, Decimal, date or bool; None stays None."""
    if kept is None:
        return None
    match kind:
        case ColumnType.DECIMAL:
            return Decimal(kept)
        case ColumnType.DATE:
            return date.fromisoformat(kept)
        case ColumnType.BOOLEAN:
            return kept == "true"
        case ColumnType.TEXT:
            return kept
