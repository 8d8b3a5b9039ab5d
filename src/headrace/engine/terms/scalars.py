"""The single values that a program document is made of: exact numbers, dates, words, and how each may be written.

A document is read as text and nothing here ever passes through a binary float: `0.02` is the decimal 0.02. Each type says
in a plain sentence what it wants, so that a finding can repeat it.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_PERCENT = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?) ?%", re.ASCII)
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NUMBER_CHARS_MAX = 60


def decimal_of(value: Any) -> Any:
    """Read an exact decimal from its text; only digits, a sign and a decimal point are numbers."""
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= _NUMBER_CHARS_MAX and _NUMBER.fullmatch(text):
            return Decimal(text)
        raise _not_a_number(text)
    if isinstance(value, float) or (isinstance(value, Decimal) and not value.is_finite()):
        raise _not_a_number(str(value))
    return _not_bool(value)


def rate_of(value: Any) -> Any:
    """Read a rate: a fraction (`0.02`) or a percentage (`2 %`)."""
    if isinstance(value, str) and len(value) <= _NUMBER_CHARS_MAX and (percent := _PERCENT.fullmatch(value.strip())):
        return Decimal(percent.group(1)).scaleb(-2)
    return decimal_of(value)


def day_of(value: Any) -> Any:
    """Read a calendar date, written as year-month-day."""
    if isinstance(value, date) and type(value) is date:
        return value
    text = value.strip() if isinstance(value, str) else _shown(value)
    if isinstance(value, str) and _ISO_DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise PydanticCustomError("date_unknown", "{given} is not a day of the calendar", {"given": text}) from None
    raise PydanticCustomError("date_format", "{given} is not a date; write it as 2026-07-01", {"given": text[:40]})


def flag_of(value: Any) -> Any:
    """Read true or false; `yes`, `no`, `on` and `1` are words like any other and refused."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    given = value[:40] if isinstance(value, str) else _shown(value)
    raise PydanticCustomError("not_true_or_false", "{given} is neither true nor false", {"given": given})


def whole_of(value: Any) -> Any:
    """Read a whole number."""
    number = decimal_of(value)
    if isinstance(number, Decimal):
        if number != number.to_integral_value():
            raise PydanticCustomError("not_whole", "{given} is not a whole number", {"given": str(number)})
        return int(number)
    return number


def list_of(value: Any) -> Any:
    """Read a list; one value alone is a list of one."""
    return [value] if isinstance(value, str | dict | BaseModel) else value


def _not_a_number(text: str) -> PydanticCustomError:
    plain = re.sub(r"[ _'’,](?=[0-9]{3}(?![0-9]))", "", text)
    if plain != text and _NUMBER.fullmatch(plain):
        return PydanticCustomError(
            "number_grouped", "{given} is not a plain number; write it as {right}", {"given": text[:60], "right": plain}
        )
    if "," in text and _NUMBER.fullmatch(text.replace(",", ".")):
        right = text.replace(",", ".")
        return PydanticCustomError(
            "number_comma", "{given} has a decimal comma; write it as {right}", {"given": text[:60], "right": right}
        )
    if _PERCENT.fullmatch(text):
        return PydanticCustomError(
            "number_percent", "{given} is a percentage, and this key takes a plain number", {"given": text[:60]}
        )
    return PydanticCustomError(
        "not_a_number", "{given} is not a number; write digits with a decimal point, like 1250.50", {"given": text[:60]}
    )


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        raise PydanticCustomError(
            "not_a_number", "{given} is not a number; write digits with a decimal point", {"given": _shown(value)}
        )
    return value


def _shown(value: Any) -> str:
    if value is None:
        return "an empty value"
    if isinstance(value, list | dict):
        return "a list or mapping"
    return str(value).lower() if isinstance(value, bool) else str(value)[:40]


_number_json = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)?$"}]}
_rate_json = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)?( ?%)?$"}]}

# The numbers' widths are those of headrace.engine.schema: RATE decimal(9,6), LINE decimal(18,6), SUM decimal(28,6).
Rate = Annotated[
    Decimal,
    Field(max_digits=9, decimal_places=6, allow_inf_nan=False),
    BeforeValidator(rate_of),
    WithJsonSchema(_rate_json),
]
Factor = Annotated[
    Decimal,
    Field(max_digits=9, decimal_places=6, allow_inf_nan=False),
    BeforeValidator(decimal_of),
    WithJsonSchema(_number_json),
]
Amount = Annotated[
    Decimal,
    Field(max_digits=18, decimal_places=6, allow_inf_nan=False),
    BeforeValidator(decimal_of),
    WithJsonSchema(_number_json),
]
Edge = Annotated[
    Decimal,
    Field(max_digits=28, decimal_places=6, allow_inf_nan=False),
    BeforeValidator(decimal_of),
    WithJsonSchema(_number_json),
]
Day = Annotated[date, BeforeValidator(day_of), WithJsonSchema({"type": "string", "format": "date"})]
Flag = Annotated[bool, BeforeValidator(flag_of), WithJsonSchema({"type": "boolean"})]
Whole = Annotated[int, BeforeValidator(whole_of)]

RuleText = Annotated[str, Field(min_length=1, max_length=20_000)]
Id = Annotated[str, Field(min_length=1, max_length=200)]
Label = Annotated[str, Field(max_length=400)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3,12}$")]
Money = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

_WORD = (
    r"amount|gross|quantity|margin|cost|count|on_hand|price_list\.[a-z_][a-z0-9_]*"
    r"|distinct (line|partner|product|buyer|deal)\.[a-z_][a-z0-9_]*"
)
Word = Annotated[str, Field(pattern=rf"^({_WORD})$")]
PaysOn = Annotated[str, Field(pattern=rf"^(growth|{_WORD})$")]
Per = Annotated[
    str,
    Field(
        pattern=r"^(earner|group|product|family|customer|buyer|rep|deal|authorization|line|(line|product)\.[a-z_][a-z0-9_]*)$"
    ),
]
CostBasis = Annotated[str, Field(pattern=r"^(cost|fifo|price_list\.[a-z_][a-z0-9_]*)$")]


class OneOrMany:
    """Marks a list that may be written as one value alone, for reading and in the published schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(list_of, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        listed = handler(schema)
        return {"anyOf": [listed["items"], listed]} if "items" in listed else listed
