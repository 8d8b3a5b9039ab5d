"""Exchange rates of pairs and days, derived from a table of quotes.

The rate of a pair comes from the quotes of one day: the quote itself; else one over the opposite quote; else over EUR, then
over USD, then over the first other currency by name that both sides share. The nearest day on or before the wanted one
that gives the pair a rate in any of these ways is taken, if it is not too old. All legs are of that one day. The
arithmetic is on whole numbers and is rounded once, to twelve decimals, half away from zero.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

import pyarrow as pa

from headrace.engine.findings import Finding
from headrace.engine.schema import FX

# One row per pair × day that has a rate, sorted by day and pair. quote_day: the day of the quotes used; rate: what one unit
# of from_currency is worth in to_currency.
FX_RATES = pa.schema(
    [
        pa.field("day", pa.date32(), nullable=False),
        pa.field("from_currency", pa.string(), nullable=False),
        pa.field("to_currency", pa.string(), nullable=False),
        pa.field("quote_day", pa.date32(), nullable=False),
        pa.field("rate", FX, nullable=False),
    ]
)

type Pair = tuple[str, str]
type _Ratio = tuple[int, int]

_PIVOTS = ("EUR", "USD")
_SCALE = 10**12
_RATE_END = 10**19  # decimal(19,12): seven digits before the point
_DIGITS_MAX = 60  # of a quote's text; a longer one is a fault of the file


def fx_table(
    rates: pa.Table, pairs: Iterable[Pair], days: Iterable[date], age_days_max: int
) -> tuple[pa.Table, tuple[Finding, ...]]:
    """Give the rate of each pair on each day, from the nearest earlier quotes at most `age_days_max` days old.

    rates: one row per quote, schema.RATES. A pair without a rate on a day has no row. A currency is worth 1 of itself.
    Findings name quotes that cannot be used (`rate_invalid`), quotes of one day and pair that differ (`rate_conflict`, none of
    them is used), and rates that do not fit decimal(19,12) (`rate_out_of_range`).

    >>> from headrace.engine.schema import RATES
    >>> schema = pa.schema([(name, column.type) for name, column in RATES.items()])
    >>> friday = date(2026, 7, 3)
    >>> quotes = pa.table([[friday, friday], ["EUR", "EUR"], ["USD", "JPY"], ["1.25", "160"]], schema=schema)
    >>> table, findings = fx_table(quotes, [("USD", "JPY")], [date(2026, 7, 5)], 7)
    >>> table.to_pylist()[0]["quote_day"], table.to_pylist()[0]["rate"]
    (datetime.date(2026, 7, 3), Decimal('128.000000000000'))
    """
    assert age_days_max >= 0, age_days_max
    quotes, findings = _read_quotes(rates)
    book = _Book(quotes)
    columns: dict[str, list[object]] = {name: [] for name in FX_RATES.names}
    too_wide: set[tuple[Pair, date]] = set()
    wanted = sorted(set(pairs))
    for day in sorted(set(days)):
        for pair in wanted:
            found = book.nearest(pair, day, age_days_max)
            if found is None:
                continue
            quote_day, units = found
            if not 0 < units < _RATE_END:
                too_wide.add((pair, quote_day))
                continue
            rate = Decimal(units).scaleb(-12)  # at most 19 digits: exact
            for name, value in zip(FX_RATES.names, (day, *pair, quote_day, rate), strict=True):
                columns[name].append(value)
    findings += [_out_of_range(pair, quote_day) for pair, quote_day in sorted(too_wide)]
    return pa.table(columns, schema=FX_RATES), tuple(findings)


class _Book:
    """The quotes of each day as exact ratios, and the rates derived so far."""

    def __init__(self, quotes: dict[date, dict[Pair, _Ratio]]) -> None:
        self._quotes = quotes
        self._days = sorted(quotes)
        self._known: dict[tuple[Pair, date], int | None] = {}
        self._neighbours: dict[date, dict[str, set[str]]] = {}

    def nearest(self, pair: Pair, day: date, age_days_max: int) -> tuple[date, int] | None:
        """Give the newest usable quote day and the rate in units of 10^-12, or nothing."""
        if pair[0] == pair[1]:
            return day, _SCALE
        for at in range(bisect_right(self._days, day) - 1, -1, -1):
            quote_day = self._days[at]
            if day - quote_day > timedelta(days=age_days_max):
                return None
            units = self._units(pair, quote_day)
            if units is not None:
                return quote_day, units
        return None

    def _units(self, pair: Pair, day: date) -> int | None:
        key = (pair, day)
        if key not in self._known:
            ratio = self._ratio(pair, day)
            # Half away from zero; quotes are positive, so half up.
            self._known[key] = None if ratio is None else (2 * ratio[0] * _SCALE + ratio[1]) // (2 * ratio[1])
        return self._known[key]

    def _ratio(self, pair: Pair, day: date) -> _Ratio | None:
        source, target = pair
        direct = self._leg(source, target, day)
        if direct is not None:
            return direct
        for pivot in self._pivots(source, target, day):
            first, second = self._leg(source, pivot, day), self._leg(pivot, target, day)
            if first is not None and second is not None:
                return first[0] * second[0], first[1] * second[1]
        return None

    def _leg(self, source: str, target: str, day: date) -> _Ratio | None:
        quotes = self._quotes[day]
        quote = quotes.get((source, target))
        if quote is not None:
            return quote
        opposite = quotes.get((target, source))
        return None if opposite is None else (opposite[1], opposite[0])

    def _pivots(self, source: str, target: str, day: date) -> Iterator[str]:
        yield from _PIVOTS
        beside = self._beside(day)
        yield from sorted(beside[source] & beside[target])

    def _beside(self, day: date) -> dict[str, set[str]]:
        if day not in self._neighbours:
            beside: dict[str, set[str]] = defaultdict(set)
            for source, target in self._quotes[day]:
                beside[source].add(target)
                beside[target].add(source)
            self._neighbours[day] = beside
        return self._neighbours[day]


def _read_quotes(rates: pa.Table) -> tuple[dict[date, dict[Pair, _Ratio]], list[Finding]]:
    quotes: dict[date, dict[Pair, _Ratio]] = defaultdict(dict)
    conflicts: set[tuple[date, Pair]] = set()
    findings: list[Finding] = []
    columns = (rates.column(name).to_pylist() for name in ("date", "from_currency", "to_currency", "rate"))
    for row, (day, source, target, text) in enumerate(zip(*columns, strict=True), start=2):
        ratio = _read_rate(text)
        if day is None or source is None or target is None or ratio is None:
            findings.append(_invalid(row, day, source, target, text))
            continue
        pair = (source, target)
        known = quotes[day].setdefault(pair, ratio)
        if known[0] * ratio[1] != ratio[0] * known[1] and (day, pair) not in conflicts:
            conflicts.add((day, pair))
            findings.append(_conflict(row, day, pair))
    for day, pair in conflicts:
        del quotes[day][pair]
    return quotes, findings


def _read_rate(text: str | None) -> _Ratio | None:
    """Read a positive decimal as numerator and denominator; nothing where it is not one."""
    try:
        value = Decimal((text or "").strip())
    except InvalidOperation:
        return None
    if not value.is_finite() or value <= 0 or len(value.as_tuple().digits) > _DIGITS_MAX:
        return None
    return value.as_integer_ratio() if abs(value.adjusted()) <= _DIGITS_MAX else None


def _invalid(row: int, day: date | None, source: str | None, target: str | None, text: str | None) -> Finding:
    return Finding(
        code="rate_invalid",
        message=f"The quote {source}→{target} of {day} is {text!r}; write a day, two currencies and a positive decimal number.",
        row=row,
        column="rate",
    )


def _conflict(row: int, day: date, pair: Pair) -> Finding:
    return Finding(
        code="rate_conflict",
        message=f"{pair[0]}→{pair[1]} of {day} is quoted twice with different rates; none is used. Keep the right one.",
        row=row,
        column="rate",
    )


def _out_of_range(pair: Pair, day: date) -> Finding:
    return Finding(
        code="rate_out_of_range",
        message=f"The rate {pair[0]}→{pair[1]} from the quotes of {day} does not fit twelve decimals and seven digits before the "
        "point; quote the pair in the other unit of that currency or leave it out.",
        column="rate",
    )
