"""From text to typed values in SQL: exact, strict, and able to say why a value was refused.

Each conversion is two SQL expressions over one text column: `value`, null where the text cannot be taken as it stands, and
`reason`, the code of the fault. Decimals never pass through a float. More than six decimals are a fault unless rounding was
asked for (then half away from zero); zeros beyond the sixth decimal change nothing and are no fault.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from headrace.engine.currencies import MINOR_UNITS
from headrace.engine.schema import LINE
from headrace.intake.staging import PLAIN, as_sql_text, literal

SQL_DECIMAL = "DECIMAL(18,6)"
EARLIEST_ON = dt.date(1970, 1, 1)
LATEST_ON = dt.date(2100, 12, 31)

# One pattern rather than a list: a list of two hundred words would be compared word by word, row by row.
CURRENCY = "|".join(sorted(MINOR_UNITS))

_EXACT = r"[+-]?0*([0-9]{1,12}([.][0-9]{0,6}0*)?|[.][0-9]{1,6}0*)"
_NUMBER = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?"
_EXPONENT = r"[+-]?[0-9]{1,12}([.][0-9]{0,9})?[eE]([+]?0?[0-9]{1,2}|-0?[0-9])"

type DateOrder = Literal["ymd", "dmy", "mdy", "yyyymmdd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberStyle:
    """How a source writes numbers: decimal mark, mark between thousands (empty: none), what to do beyond six decimals."""

    decimal: str = "."
    thousands: str = ""
    excess: Literal["reject", "round"] = "reject"
    strip: tuple[str, ...] = ()
    negative: Literal["minus", "parentheses", "trailing_minus"] = "minus"
    drop_suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DateStyle:
    """How a source writes dates: their order or a strptime format, and the days that make sense."""

    order: DateOrder = "ymd"
    format: str | None = None
    earliest: dt.date = EARLIEST_ON
    latest: dt.date = LATEST_ON
    lenient_iso: bool = False


@dataclass(frozen=True, slots=True)
class Conversion:
    """Two SQL expressions over one text column: the typed value or null, and the code of what is wrong with a null one.

    The value is what was `read`, null where it lies outside the days `within` (first and last). Who can work out in two steps
    takes these two, for the value names what was read twice.
    """

    read: str
    reason: str
    within: tuple[str, str] | None = None

    @property
    def value(self) -> str:
        """Give SQL for the typed value or null."""
        return self.read if self.within is None else inside(self.read, self.within)


def inside(date: str, within: tuple[str, str]) -> str:
    """Give SQL for a date that is null where it lies outside some days."""
    return f"CASE WHEN {date} BETWEEN {within[0]} AND {within[1]} THEN {date} END"


@dataclass(frozen=True, slots=True)
class Styles:
    """The styles of one file."""

    number: NumberStyle = field(default_factory=NumberStyle)
    date: DateStyle = field(default_factory=DateStyle)


def convert(column: str, stored: str, target: pa.DataType, styles: Styles, *, trimmed: bool = False) -> Conversion:
    """Convert a column, stored as text or already typed, to a type of the engine's tables; trimmed: it has no outer blanks."""
    text = as_sql_text(column, stored) if trimmed else f"trim({as_sql_text(column, stored)})"
    if stored == PLAIN:
        styles = Styles(date=DateStyle(earliest=styles.date.earliest, latest=styles.date.latest))
    if target == LINE:
        if stored == SQL_DECIMAL:
            return Conversion(column, "'bad_number'")
        return to_decimal(text, styles.number)
    if target == pa.date32():
        if stored == "DATE":
            return Conversion(column, "'date_out_of_range'", _window(styles.date))
        return to_date(text, styles.date)
    if target == pa.bool_():
        return Conversion(column, "'bad_boolean'") if stored == "BOOLEAN" else to_boolean(text)
    return Conversion(as_sql_text(column, stored), "'bad_text'")


def to_decimal(text: str, style: NumberStyle) -> Conversion:
    """Read a number, given as trimmed text, as decimal(18,6)."""
    plain = _plain_number(text, style)
    inexact = (
        f"CASE WHEN regexp_full_match({plain}, {literal(_EXPONENT)})"
        f" AND TRY_CAST({plain} AS DECIMAL(38,18)) = TRY_CAST({plain} AS {SQL_DECIMAL}) THEN TRY_CAST({plain} AS"
        f" {SQL_DECIMAL}) END"
    )
    if style.excess == "round":
        inexact = (
            f"CASE WHEN regexp_full_match({plain}, {literal(_NUMBER)}) THEN TRY_CAST({plain} AS {SQL_DECIMAL}) END"
        )
    value = f"CASE WHEN regexp_full_match({plain}, {literal(_EXACT)}) THEN TRY_CAST({plain} AS {SQL_DECIMAL}) ELSE {inexact} END"
    reason = (
        f"CASE WHEN {plain} IS NULL OR NOT regexp_full_match({plain}, {literal(_NUMBER)}) THEN 'bad_number'"
        f" WHEN TRY_CAST({plain} AS {SQL_DECIMAL}) IS NULL THEN 'number_out_of_range' ELSE 'too_many_decimals' END"
    )
    return Conversion(value, reason)


def _plain_number(text: str, style: NumberStyle) -> str:
    """Give SQL that rewrites a number of a style with a point and a leading minus; null where it breaks the style."""
    expression = text
    for mark in style.strip:
        expression = f"trim(replace({expression}, {literal(mark)}, ''))"
    if style.thousands == " ":
        expression = f"translate({expression}, '\u00a0\u202f', '  ')"
    if style.drop_suffix:
        expression = f"regexp_replace({expression}, {literal(_escape(style.drop_suffix) + '$')}, '')"
    if style.negative == "parentheses":
        expression = rf"regexp_replace({expression}, '^\((.*)\)$', '-\1')"
    elif style.negative == "trailing_minus":
        expression = rf"regexp_replace({expression}, '^(.*[0-9]) ?-$', '-\1')"
    if style.decimal == "." and not style.thousands:
        return expression
    mark, group = _escape(style.decimal), _escape(style.thousands)
    whole = f"[0-9]{{1,3}}({group}[0-9]{{3}})+|[0-9]+" if style.thousands else "[0-9]*"
    shape = f"[+-]?({whole})({mark}[0-9]*)?([eE][+-]?[0-9]+)?"
    rewritten = expression
    if style.thousands:
        rewritten = f"replace({rewritten}, {literal(style.thousands)}, '')"
    if style.decimal != ".":
        rewritten = f"replace({rewritten}, {literal(style.decimal)}, '.')"
    return f"CASE WHEN regexp_full_match({expression}, {literal(shape)}) THEN {rewritten} END"


def _escape(mark: str) -> str:
    return "".join(f"[{char}]" if char not in "^]\\" else f"\\{char}" for char in mark)


def to_date(text: str, style: DateStyle) -> Conversion:
    """Read a calendar date, given as trimmed text; a time of day behind it is dropped, the date counts as written."""
    parsed, shape = _date_parser(text, style)
    cases = f"WHEN {shape} THEN {parsed}"
    if style.order != "ymd" or style.lenient_iso or style.format is not None:
        # Four digits first cannot be mistaken: an ISO date is taken in every order.
        iso, iso_shape = _date_parser(text, DateStyle())
        cases, shape = f"WHEN {iso_shape} THEN {iso} {cases}", f"({iso_shape} OR {shape})"
    date = f"CASE {cases} END"
    reason = (
        f"CASE WHEN NOT {shape} THEN 'bad_date' WHEN {date} IS NULL THEN 'no_such_date' ELSE 'date_out_of_range' END"
    )
    return Conversion(date, reason, _window(style))


def _date_parser(text: str, style: DateStyle) -> tuple[str, str]:
    """Give SQL for the parsed date (null if the day does not exist) and SQL for whether the text has the right shape."""
    time_of_day = r"([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?"
    if style.format is not None:
        parsed = f"CAST(try_strptime({text}, {literal(style.format)}) AS DATE)"
        return parsed, f"({parsed} IS NOT NULL OR regexp_full_match({text}, '[0-9]+[-./ ][0-9]+[-./ ][0-9]+.*'))"
    if style.order == "ymd":
        separators = "[-./]" if style.lenient_iso else "-"
        digits = "{1,2}" if style.lenient_iso else "{2}"
        pattern = f"[0-9]{{4}}{separators}[0-9]{digits}{separators}[0-9]{digits}{time_of_day}"
        shape = f"regexp_full_match({text}, {literal(pattern)})"
        if not style.lenient_iso:
            return f"TRY_CAST(left({text}, 10) AS DATE)", shape
        return _ordered(text, r"([0-9]+)[-./]([0-9]+)[-./]([0-9]+).*", r"\1-\2-\3", "%Y-%m-%d"), shape
    if style.order == "yyyymmdd":
        return f"CAST(try_strptime({text}, '%Y%m%d') AS DATE)", f"regexp_full_match({text}, '[0-9]{{8}}')"
    shape = f"regexp_full_match({text}, {literal(f'[0-9]{{1,2}}[-./][0-9]{{1,2}}[-./][0-9]{{4}}{time_of_day}')})"
    written = "%d-%m-%Y" if style.order == "dmy" else "%m-%d-%Y"
    return _ordered(text, r"([0-9]+)[-./]([0-9]+)[-./]([0-9]+).*", r"\1-\2-\3", written), shape


def _ordered(text: str, pattern: str, parts: str, written: str) -> str:
    return (
        f"CAST(try_strptime(regexp_replace({text}, {literal(pattern)}, {literal(parts)}), {literal(written)}) AS DATE)"
    )


def _window(style: DateStyle) -> tuple[str, str]:
    return f"DATE '{style.earliest.isoformat()}'", f"DATE '{style.latest.isoformat()}'"


def to_boolean(text: str) -> Conversion:
    """Read true or false, given as trimmed text in any case."""
    return Conversion(f"CASE lower({text}) WHEN 'true' THEN true WHEN 'false' THEN false END", "'bad_boolean'")


MESSAGES = {
    "bad_number": "{value} is not a number. Write digits with a decimal point (1234.56), or state the number style in a profile.",
    "number_out_of_range": "{value} is out of range: amounts and quantities have at most 12 digits before the decimal point.",
    "too_many_decimals": "{value} has more than 6 decimals. Round it at the source, or let the profile say `excess: round`.",
    "bad_date": "{value} is not a date in the order {order}. Write it so, or state the date order in a profile.",
    "no_such_date": "{value} does not exist in the calendar when it is read as {order}. Correct it, or state"
    " another date order in a profile.",
    "date_out_of_range": "{value} lies outside {earliest} to {latest}. Correct it, or widen the window in a profile.",
    "bad_boolean": "{value} is neither true nor false. Write one of them.",
    "unknown_kind": "{value} is no kind of line. Map it to sale, return, purchase, purchase_return, stock_count,"
    " training or referral.",
    "unknown_stage": "{value} is no stage. Map it to sell_in, sell_through or sell_out.",
    "bad_currency": "{value} is no currency: write a code of ISO 4217, such as USD, or map it in the profile.",
    "unmapped_value": "{value} is not among the values that the profile maps. Add it there, or correct it.",
    "bad_text": "{value} cannot be read as text.",
    "missing_value": "The value is missing, and {column} must have one. Fill it in.",
    "unknown_word": "{value} is none of: {words}. Write one of them, or map it in a profile.",
}


def describe(code: str, column: str, value: str | None, styles: Styles, words: str = "") -> str:
    """Say what is wrong with a value and the way out."""
    shown = "(empty)" if value is None else f"{value[:60]!r}{'…' if len(value) > 60 else ''}"
    date = styles.date
    order = (
        date.format
        or {"ymd": "YYYY-MM-DD", "dmy": "DD/MM/YYYY", "mdy": "MM/DD/YYYY", "yyyymmdd": "YYYYMMDD"}[date.order]
    )
    return MESSAGES[code].format(
        column=column, value=shown, order=order, earliest=date.earliest, latest=date.latest, words=words
    )
