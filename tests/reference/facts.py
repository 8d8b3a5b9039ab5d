"""What a calculation knows: the lines as of a day, the reference rows that hold on a day, the rate of a day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from functools import cached_property

from tests.reference.numbers import round_to

type Row = Mapping[str, object]
NOTHING: Row = {}
RETURNS = frozenset({"return", "purchase_return"})


def day(row: Row, column: str) -> date | None:
    """Read a date cell."""
    value = row.get(column)
    assert value is None or isinstance(value, date)
    return value


def text(row: Row, column: str) -> str | None:
    """Read a text cell."""
    value = row.get(column)
    assert value is None or isinstance(value, str)
    return value


def occurred(line: Row) -> date:
    """The business date of a line."""
    value = line["occurred_on"]
    assert isinstance(value, date)
    return value


@dataclass(frozen=True)
class World:
    """Lines and reference tables of one run. `references` lacks a table that is not given."""

    all_lines: Sequence[Row]
    references: Mapping[str, Sequence[Row]]
    as_of: date
    memo: dict[str, object] = field(default_factory=dict)  # what was worked out once

    @cached_property
    def lines(self) -> dict[str, Row]:
        """The lines as of the day: happened and, where known, received by then."""
        return {
            str(line["line_id"]): line
            for line in self.all_lines
            if occurred(line) <= self.as_of and (day(line, "received_on") or date.min) <= self.as_of
        }

    def rows(self, table: str) -> Sequence[Row]:
        """All rows of a reference table."""
        return self.references.get(table, ())

    @cached_property
    def _by_id(self) -> dict[tuple[str, object], list[Row]]:
        found: dict[tuple[str, object], list[Row]] = {}
        for table, key in (("partners", "partner_id"), ("products", "product_id"), ("deals", "deal_id")):
            for row in self.rows(table):
                found.setdefault((table, row[key]), []).append(row)
        return found

    def row_on(self, table: str, identity: str | None, on: date) -> Row:
        """Find the row of an id that holds on a day; an empty row where none does."""
        for row in self._by_id.get((table, identity), ()):
            if (day(row, "valid_from") or date.min) <= on < (day(row, "valid_until") or date.max):
                return row
        return NOTHING

    def deal_for(self, line: Row, on: date) -> Row:
        """Find the deal of a line if it counts: approved, in force, and for this partner, customer and product."""
        row = self.row_on("deals", text(line, "deal_id"), on)
        if row.get("status") not in {None, "approved"}:
            return NOTHING
        for column in ("partner_id", "customer_id", "product_id"):
            if row.get(column) is not None and row.get(column) != line.get(column):
                return NOTHING
        return row

    @cached_property
    def _quotes(self) -> dict[date, dict[tuple[str, str], Fraction]]:
        days: dict[date, dict[tuple[str, str], Fraction]] = {}
        for row in self.rows("rates"):
            on = day(row, "date")
            assert on is not None
            days.setdefault(on, {})[str(row["from_currency"]), str(row["to_currency"])] = Fraction(str(row["rate"]))
        return days

    def rate(self, source: str, target: str, on: date, age_days_max: int) -> Fraction | None:
        """Give the rate of a pair: of the day, else of the nearest earlier day that has one, not too old."""
        for age in range(age_days_max + 1):
            quotes = self._quotes.get(on - timedelta(days=age))
            found = None if quotes is None else _rate_of_day(quotes, source, target)
            if found is not None:
                return round_to(found, 12)
        return None


def _leg(quotes: Mapping[tuple[str, str], Fraction], source: str, target: str) -> Fraction | None:
    if (source, target) in quotes:
        return quotes[source, target]
    return 1 / quotes[target, source] if (target, source) in quotes else None


def _rate_of_day(quotes: Mapping[tuple[str, str], Fraction], source: str, target: str) -> Fraction | None:
    direct = _leg(quotes, source, target)
    if direct is not None:
        return direct
    others = sorted({currency for pair in quotes for currency in pair} - {"EUR", "USD"})
    for third in _without(("EUR", "USD", *others), source, target):
        first, second = _leg(quotes, source, third), _leg(quotes, third, target)
        if first is not None and second is not None:
            return first * second
    return None


def _without(currencies: Iterable[str], *left_out: str) -> list[str]:
    return [currency for currency in currencies if currency not in left_out]
