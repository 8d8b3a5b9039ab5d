"""Contracts of what a calculation gives: statements and awards, and the public JSON object.

Amounts are decimals in whole minor units of the program's currency; points and free goods are quantities.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import pyarrow as pa

from headrace.engine.findings import Finding
from headrace.engine.numeric import plain
from headrace.engine.schema import RATE, SUM

# One row per program × payee × scope × period, sorted by these.
STATEMENTS = pa.schema(
    [
        pa.field("program", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("payee_kind", pa.string(), nullable=False),
        pa.field("payee_id", pa.string(), nullable=False),
        pa.field("scope", pa.string(), nullable=False),  # canonical JSON object: words of `per` → text
        pa.field("from", pa.date32()),
        pa.field("until", pa.date32()),
        pa.field("measure", SUM, nullable=False),
        pa.field("base", SUM, nullable=False),
        pa.field("tier", pa.int32()),
        pa.field("earned", SUM, nullable=False),
        pa.field("unverified", SUM, nullable=False),
        pa.field("posted", SUM, nullable=False),
        pa.field("to_post", SUM, nullable=False),
        pa.field("accrued", SUM, nullable=False),
        pa.field("forecast", SUM),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("lines", pa.int64(), nullable=False),
        pa.field("next_from", SUM),
        pa.field("next_distance", SUM),
        pa.field("carried", SUM),
        pa.field("carried_in", SUM),
        pa.field("payable_on", pa.date32()),
    ]
)

# One row per program × qualifying line (and, with a null line_id, per amount that no line explains).
AWARDS = pa.schema(
    [
        pa.field("program", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("payee_kind", pa.string(), nullable=False),
        pa.field("payee_id", pa.string(), nullable=False),
        pa.field("scope", pa.string(), nullable=False),
        pa.field("from", pa.date32()),
        pa.field("until", pa.date32()),
        pa.field("line_id", pa.string()),
        pa.field("occurred_on", pa.date32()),
        pa.field("measure", SUM),
        pa.field("measure_after", SUM),
        pa.field("base", SUM),
        pa.field("tier", pa.int32()),
        pa.field("rate", RATE),
        pa.field("award", SUM, nullable=False),
        pa.field("verified", pa.bool_(), nullable=False),
        pa.field("lost_to", pa.string()),
    ]
)


def public_statement(row: Mapping[str, object], decimals: int) -> dict[str, object]:
    """Give one statement row as the object of the public contract.

    decimals: the minor unit of the row's currency; money amounts are written with exactly so many decimals (more only where
    the program's own rounding keeps more), measures and distances plainly.
    """

    def money(name: str) -> str | None:
        value = row[name]
        if value is None:
            return None
        assert isinstance(value, Decimal)
        text = plain(value)
        kept = len(text.partition(".")[2])
        return f"{value:.{max(decimals, kept)}f}"

    def number(name: str) -> str | None:
        value = row[name]
        return plain(value) if isinstance(value, Decimal) else None

    def day(name: str) -> str | None:
        value = row[name]
        return value.isoformat() if isinstance(value, date) else None

    next_tier = None
    if row["next_from"] is not None:
        next_tier = {"from": number("next_from"), "distance": number("next_distance")}
    return {
        "program": row["program"],
        "version": row["version"],
        "payee": {"kind": row["payee_kind"], "id": row["payee_id"]},
        "scope": json.loads(str(row["scope"])),
        "period": {"from": day("from"), "until": day("until")},
        "measure": number("measure"),
        "base": number("base"),
        "tier": row["tier"],
        "earned": money("earned"),
        "unverified": money("unverified"),
        "posted": money("posted"),
        "to_post": money("to_post"),
        "accrued": money("accrued"),
        "forecast": money("forecast"),
        "currency": row["currency"],
        "lines": row["lines"],
        "next_tier": next_tier,
        "carried": money("carried"),
        "carried_in": money("carried_in"),
        "payable_on": day("payable_on"),
    }


def public_result(
    statements: pa.Table,
    reasons: Mapping[str, Mapping[str, int]],
    findings: Sequence[Finding],
    decimals: Mapping[str, int],
) -> dict[str, object]:
    """Give the one object that `calculate --json` prints. decimals: minor unit by currency."""
    return {
        "statements": [public_statement(row, decimals[row["currency"]]) for row in statements.to_pylist()],
        "reasons": {program: dict(counts) for program, counts in reasons.items()},
        "findings": [finding.as_dict() for finding in findings],
    }
