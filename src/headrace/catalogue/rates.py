"""Named tables of rates: the ECB's history file, a company's monthly rates; loaded from files, never changed in place.

Which earlier day stands in for one without a quote is the engine's decision. A monthly rate is quoted on the month's first day.
"""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from django.db.models import Count, Max, Min

from headrace.catalogue.models import Quote
from headrace.engine.currencies import is_money
from headrace.engine.findings import Refusal, has_errors
from headrace.engine.schema import RATES
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.intake import ecb
from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import ROW, Staged
from headrace.intake.tables import connect
from headrace.masterdata import store
from headrace.masterdata.importing import Asked, Loaded, register_loader

_COLUMNS = tuple(RATES)
_RATE = re.compile(r"\d{1,20}(\.\d{1,30})?")
_TABLE = re.compile("[a-z][a-z0-9_-]{0,59}")

type Key = tuple[date, str, str]


def rates_table(table: str, revision: int | None = None) -> pa.Table:
    """Give the engine's rates from a named table as known at the revision: `engine.schema.RATES`, by day and currencies."""
    rows = [(*key, rate) for key, rate in sorted(_held(table, revision).items())]
    schema = pa.schema([pa.field(name, column.type, nullable=column.nullable) for name, column in RATES.items()])
    return pa.table([pa.array([row[at] for row in rows], schema.field(at).type) for at in range(4)], schema=schema)


def _held(table: str, revision: int | None) -> dict[Key, str]:
    quotes = Quote.objects.filter(table=table)
    if revision is not None:
        quotes = quotes.filter(revision_id__lte=revision)
    rows = quotes.order_by("revision_id").values_list("day", "from_currency", "to_currency", "rate")
    return {(day, one, other): rate for day, one, other, rate in rows.iterator(chunk_size=store.BATCH)}


def load(staged: Staged, asked: Asked, writing: store.Writing, log: FindingLog) -> Loaded:
    """Load quotes: columns date, from_currency, to_currency, rate, or the ECB's layout. The same file twice adds nothing."""
    if _TABLE.fullmatch(asked.table) is None:
        log.add("rate_table", f"{asked.table!r} is no name of a table of rates. Write it like ecb, with small letters.")
        return Loaded(staged.rows(), 0, 0)
    if ecb.is_ecb_layout(staged.columns):
        with tempfile.TemporaryDirectory() as scratch, connect(Path(scratch)) as con:
            staged = ecb.unpivot(staged, con)
    received = staged.rows() + staged.ragged_rows
    quotes = dict(_quotes(staged, log))
    if not quotes or (asked.all_or_none and has_errors(log.findings())):
        return Loaded(received, 0, 0)
    held = _held(asked.table, None)
    new = {key: rate for key, rate in quotes.items() if key not in held or Decimal(held[key]) != Decimal(rate)}
    if new:
        revision = writing.begin()
        days = sorted(day for day, _, _ in new)
        Quote.objects.bulk_create(
            (
                Quote(table=asked.table, day=day, from_currency=one, to_currency=other, rate=rate, revision=revision)
                for (day, one, other), rate in new.items()
            ),
            batch_size=store.BATCH,
        )
        noted = {"number": len(new), "first": days[0], "last": days[-1], "file": asked.sha256, "revision": revision.seq}
        writing.note("catalogue.quotes", asked.table, {}, {"quotes": noted})
    return Loaded(received, len(quotes), len(new))


def _quotes(staged: Staged, log: FindingLog) -> Iterator[tuple[Key, str]]:
    places = [staged.position(name) for name in _COLUMNS]
    for name, place in zip(_COLUMNS, places, strict=True):
        if place is None:
            log.add("missing_column", f"The file has no column {name}. It needs {', '.join(_COLUMNS)}.", column=name)
    if None in places:
        return
    assert staged.table is not None, "only text files and workbooks are taken"
    columns = [staged.table.column(f"_c{place}").to_pylist() for place in places]
    seen: dict[Key, int] = {}
    for row, *cells in zip(staged.table.column(ROW).to_pylist(), *columns, strict=True):
        day, one, other, rate = (str(cell or "").strip() for cell in cells)
        fault = _fault(day, one, other, rate)
        if fault is not None:
            log.add("bad_value", f"{fault[0]}: {fault[1]}", row=row, column=fault[0])
            continue
        key = (date.fromisoformat(day), one, other)
        if key in seen:
            log.add(
                "duplicate_row",
                f"{one}→{other} of {day} is on row {seen[key]} already; that one was read. Drop one.",
                row=row,
                column="rate",
            )
            continue
        seen[key] = row
        yield key, rate


def _fault(day: str, one: str, other: str, rate: str) -> tuple[str, str] | None:
    try:
        date.fromisoformat(day)
    except ValueError:
        return "date", f"{day!r} is no day. Write it like 2026-07-31."
    for name, currency in (("from_currency", one), ("to_currency", other)):
        if not is_money(currency) and re.fullmatch("[A-Z]{3}", currency) is None:
            return name, f"{currency!r} is no currency. Write it like EUR."
    if one == other:
        return "to_currency", f"The quote turns {one} into itself. Drop the row."
    if _RATE.fullmatch(rate) is None or Decimal(rate) == 0:
        return "rate", f"{rate!r} is no positive plain number. Write it like 1.0834."
    return None


@dataclass(frozen=True, slots=True)
class Table:
    """A named table: how many quotes it ever got, from which day to which."""

    name: str
    quotes: int
    first: date
    last: date


def tables(*, viewer: Person, at: datetime) -> tuple[Table, ...]:
    """List the tables of rates for whoever reads all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = Quote.objects.values("table").annotate(quotes=Count("id"), first=Min("day"), last=Max("day"))
    return tuple(Table(row["table"], row["quotes"], row["first"], row["last"]) for row in rows.order_by("table"))


def quotes(*, table: str, day: date, viewer: Person, at: datetime) -> tuple[tuple[str, str, str], ...]:
    """List the quotes of a day: from, to and rate. Refused (`rates_unknown`) if there is no such table."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = Quote.objects.filter(table=table, day=day).order_by("revision_id")
    if not Quote.objects.filter(table=table).exists():
        raise Refusal("rates_unknown", f"There is no table of rates {table!r}. Load one under imports.")
    held = {(row.from_currency, row.to_currency): row.rate for row in rows}
    return tuple((one, other, rate) for (one, other), rate in sorted(held.items()))


register_loader("rates", "Rates", load)
