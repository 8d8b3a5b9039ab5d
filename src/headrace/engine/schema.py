"""Contracts of the tables that the engine reads and writes: names, types, units, what may be null.

All dates are calendar dates, all intervals half-open. Ids are text, compared and ordered by their UTF-8 bytes. Further
columns may follow the named ones in lines, partners, products and deals; rules read them as `line.<name>`, `partner.<name>`,
`product.<name>`, `deal.<name>`. Their types are text, decimal (LINE), date or boolean.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pyarrow as pa

SUM = pa.decimal128(28, 6)
LINE = pa.decimal128(18, 6)
RATE = pa.decimal128(9, 6)
FX = pa.decimal128(19, 12)


class Kind(StrEnum):
    """What an activity line is. Returns carry negative quantity and amount."""

    SALE = "sale"
    RETURN = "return"
    PURCHASE = "purchase"
    PURCHASE_RETURN = "purchase_return"
    STOCK_COUNT = "stock_count"
    TRAINING = "training"
    REFERRAL = "referral"


class Stage(StrEnum):
    """Between whom an activity line happened."""

    SELL_IN = "sell_in"
    SELL_THROUGH = "sell_through"
    SELL_OUT = "sell_out"


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column: its Arrow type, whether it may be null, what it holds."""

    type: pa.DataType
    nullable: bool
    meaning: str


# One row per activity line. `cost` is for the whole line, like `amount`. The lake adds `batch_seq`.
LINES: Mapping[str, Column] = {
    "line_id": Column(pa.string(), False, "identity, unique among all lines"),
    "kind": Column(pa.string(), False, "see Kind"),
    "stage": Column(pa.string(), False, "see Stage; sell_through where the source has none"),
    "occurred_on": Column(pa.date32(), False, "the business date"),
    "partner_id": Column(pa.string(), True, "the seller"),
    "product_id": Column(pa.string(), True, "the vendor's product"),
    "quantity": Column(LINE, False, "in the product's base unit; negative on returns"),
    "amount": Column(LINE, False, "net value in `currency`; negative on returns"),
    "currency": Column(pa.string(), False, "ISO 4217 of amount, gross_amount, unit_price and cost"),
    "gross_amount": Column(LINE, True, "value before discounts"),
    "unit_price": Column(LINE, True, "net price of one unit"),
    "cost": Column(LINE, True, "what the seller paid for the whole line"),
    "unit": Column(pa.string(), True, "unit of measure of `quantity`"),
    "reporter_id": Column(pa.string(), True, "who reported the line"),
    "buyer_id": Column(pa.string(), True, "the buying partner; null if it went to an end customer"),
    "customer_id": Column(pa.string(), True, "the end customer"),
    "rep_id": Column(pa.string(), True, "the seller's sales rep"),
    "invoice_number": Column(pa.string(), True, "the source's document"),
    "invoice_line": Column(pa.string(), True, "line of that document"),
    "original_line_id": Column(pa.string(), True, "a return: the line_id of its sale"),
    "deal_id": Column(pa.string(), True, "registered deal"),
    "authorization_id": Column(pa.string(), True, "special price authorization"),
    "serial_number": Column(pa.string(), True, "serial of the unit"),
    "internal": Column(pa.bool_(), True, "a transfer inside a group; null is false"),
    "received_on": Column(pa.date32(), True, "when the line reached the vendor"),
}

# Several rows an id are allowed where valid_from/valid_until (half-open; null is unbounded) do not overlap.
PARTNERS: Mapping[str, Column] = {
    "partner_id": Column(pa.string(), False, "identity"),
    "valid_from": Column(pa.date32(), True, "the row holds from this day"),
    "valid_until": Column(pa.date32(), True, "and until before this day"),
    "parent_id": Column(pa.string(), True, "the organisation above"),
    "group_id": Column(pa.string(), True, "the group that rolls up"),
}
PRODUCTS: Mapping[str, Column] = {
    "product_id": Column(pa.string(), False, "identity"),
    "valid_from": Column(pa.date32(), True, "the row holds from this day"),
    "valid_until": Column(pa.date32(), True, "and until before this day"),
    "group_id": Column(pa.string(), True, "product group"),
    "parent_id": Column(pa.string(), True, "the product above"),
}
# One row per quote; text `rate` is kept as decimal text so that no digit of the quote is lost.
RATES: Mapping[str, Column] = {
    "date": Column(pa.date32(), False, "day of the quote"),
    "from_currency": Column(pa.string(), False, "one unit of this"),
    "to_currency": Column(pa.string(), False, "is worth `rate` of this"),
    "rate": Column(pa.string(), False, "positive decimal"),
}
STOCK: Mapping[str, Column] = {
    "partner_id": Column(pa.string(), False, "who holds it"),
    "product_id": Column(pa.string(), False, "what"),
    "on": Column(pa.date32(), False, "as at the start of this day"),
    "quantity": Column(LINE, False, "units on hand"),
    "unit_cost": Column(LINE, True, "what a unit cost"),
}
# Targets and forecasts: beside these, the scope's columns named by the words of `measure.per` (earner, product, …).
TARGETS: Mapping[str, Column] = {
    "program": Column(pa.string(), False, "program"),
    "from": Column(pa.date32(), False, "period"),
    "until": Column(pa.date32(), False, "half-open"),
    "value": Column(LINE, False, "in the unit of the measure"),
}
FORECASTS = TARGETS
POSTED: Mapping[str, Column] = {
    "program": Column(pa.string(), False, "program"),
    "from": Column(pa.date32(), False, "period"),
    "until": Column(pa.date32(), False, "half-open"),
    "amount": Column(LINE, False, "posted before, in the program's currency"),
}
DEALS: Mapping[str, Column] = {
    "deal_id": Column(pa.string(), False, "identity"),
    "partner_id": Column(pa.string(), True, "who registered it"),
    "customer_id": Column(pa.string(), True, "end customer"),
    "product_id": Column(pa.string(), True, "null: any product"),
    "valid_from": Column(pa.date32(), True, "half-open"),
    "valid_until": Column(pa.date32(), True, "half-open"),
    "status": Column(pa.string(), True, "only `approved` deals count; null counts as approved"),
}
# One row per fiscal period; `kind` is month, quarter, half or year.
CALENDAR: Mapping[str, Column] = {
    "kind": Column(pa.string(), False, "length of the period"),
    "from": Column(pa.date32(), False, "first day"),
    "until": Column(pa.date32(), False, "day after the last"),
}

TABLES: Mapping[str, Mapping[str, Column]] = {
    "lines": LINES,
    "partners": PARTNERS,
    "products": PRODUCTS,
    "rates": RATES,
    "stock": STOCK,
    "targets": TARGETS,
    "forecasts": FORECASTS,
    "posted": POSTED,
    "deals": DEALS,
    "calendar": CALENDAR,
}
REFERENCE_KINDS = tuple(kind for kind in TABLES if kind != "lines")


@dataclass(frozen=True, slots=True)
class Lines:
    """Where the activity lines are: Parquet files that share the schema LINES plus further columns.

    A column of LINES that a file lacks reads as null. `batch_seq_max` bounds the lines to `batch_seq <= n` where the files
    come from a lake; null reads everything. `columns` holds every column that is there, with its type.
    """

    paths: tuple[Path, ...]
    columns: Mapping[str, pa.DataType]
    batch_seq_max: int | None = None


@dataclass(frozen=True, slots=True)
class Tables:
    """What one calculation reads: the lines, and the reference tables by their names in TABLES (absent = not given)."""

    lines: Lines
    references: Mapping[str, pa.Table] = field(default_factory=dict)
