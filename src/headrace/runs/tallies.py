"""Statements added up as a program manager asks for them: totals, payees, periods, distribution, winners and losers.

Sums of what the engine gave and nothing else; all exact. A share (earned ÷ base) is worked out from the exact sums and rounded
to six decimals, half away from zero, where it is shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

import duckdb
import pyarrow as pa

from headrace.engine.period import Period

ZERO = Decimal(0)
_STEPS = (1, 2, 5)
_DECADES_MAX = 4
type Payee = tuple[str, str]  # kind, id


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What some statements come to. payees: those with a statement; earning: those whose statements come to more than nothing.

    tier: the highest one reached in any of the statements, null if none.
    """

    earned: Decimal = ZERO
    base: Decimal = ZERO
    lines: int = 0
    statements: int = 0
    payees: int = 0
    earning: int = 0
    tier: int | None = None

    @property
    def rate(self) -> Decimal | None:
        """Give earned ÷ base as a share; null where the base is not above zero."""
        return share_of(self.earned, self.base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Payees whose amount is from `from_` up to but not including `until`; null is unbounded."""

    from_: Decimal | None
    until: Decimal | None
    payees: int
    earned: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One program on history."""

    totals: Tally
    payees: Mapping[Payee, Tally]
    periods: Mapping[Period, Tally]
    distribution: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one payee (or everybody, or one period) gets now, and would get then."""

    now: Decimal
    then: Decimal

    @property
    def difference(self) -> Decimal:
        """Give then − now."""
        return self.then - self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One program against another version of it; payees from the greatest loss to the greatest gain."""

    totals: Change
    payees: Mapping[Payee, Change]
    periods: Mapping[Period, Change]

    @property
    def losers(self) -> list[Payee]:
        """Give those who get less, the greatest loss first."""
        return [payee for payee, change in self.payees.items() if change.difference < 0]

    @property
    def winners(self) -> list[Payee]:
        """Give those who get more, the greatest gain first."""
        return [payee for payee, change in reversed(list(self.payees.items())) if change.difference > 0]


def figures(statements: pa.Table, program: str, unit: Decimal) -> Figures:
    """Add up the statements of one program. unit: the smallest amount of its currency."""
    with duckdb.connect() as con:
        con.register("given", statements)
        con.execute(
            'CREATE TEMP TABLE s AS SELECT payee_kind, payee_id, "from" AS from_on, until AS until_on, earned, base, lines, tier '
            "FROM given WHERE program = ?",
            [program],
        )
        by_payee = "SELECT *, sum(earned) OVER (PARTITION BY payee_kind, payee_id{}) > 0 AS earning FROM s"
        payees = {
            (str(kind), str(identity)): tally
            for (kind, identity), tally in _tallies(con, by_payee.format(""), ("payee_kind", "payee_id"))
        }
        periods = {
            Period(_day(from_), _day(until)): tally
            for (from_, until), tally in _tallies(con, by_payee.format(", from_on, until_on"), ("from_on", "until_on"))
        }
        totals = next((tally for _, tally in _tallies(con, by_payee.format(""), ())), Tally())
    return Figures(
        totals=totals,
        payees=payees,
        periods=periods,
        distribution=distribution([tally.earned for tally in payees.values()], unit),
    )


def compare(then: Figures, now: Figures) -> Comparison:
    """Hold what would be paid against what is paid."""
    payees = {
        payee: Change(now=_earned(now.payees, payee), then=_earned(then.payees, payee))
        for payee in sorted(then.payees.keys() | now.payees.keys())
    }
    periods = sorted(
        then.periods.keys() | now.periods.keys(), key=lambda each: (each.from_ or date.min, each.until or date.max)
    )
    return Comparison(
        totals=Change(now=now.totals.earned, then=then.totals.earned),
        payees=dict(sorted(payees.items(), key=lambda item: item[1].difference)),
        periods={
            period: Change(now=_earned(now.periods, period), then=_earned(then.periods, period)) for period in periods
        },
    )


def share_of(part: Decimal, whole: Decimal) -> Decimal | None:
    """Give part ÷ whole, worked out exactly and rounded once to six decimals, half away from zero.

    >>> share_of(Decimal("2"), Decimal("3")), share_of(Decimal("-1"), Decimal("8000000")), share_of(Decimal(1), Decimal(0))
    (Decimal('0.666667'), Decimal('0.000000'), None)
    """
    return rounded(Fraction(part) / Fraction(whole)) if whole > 0 else None


def rounded(value: Fraction, decimals: int = 6) -> Decimal:
    """Round a fraction half away from zero.

    >>> rounded(Fraction(1, 8), 2), rounded(Fraction(-1, 8), 2)
    (Decimal('0.13'), Decimal('-0.13'))
    """
    scaled = abs(value) * 10**decimals
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal((1 if value < 0 and whole else 0, tuple(int(digit) for digit in str(whole)), -decimals))


def distribution(amounts: Sequence[Decimal], unit: Decimal) -> tuple[Bin, ...]:
    """Count payees by what they earned: those below nothing, those at nothing, and bins that grow 1, 2, 5, 10, …

    unit: the smallest amount. The lowest bin takes in all that is small beside the greatest amount. Every bin between the
    lowest and the highest is there, also where it is empty.

    >>> amounts = [Decimal(0), Decimal(3), Decimal(7), Decimal(12)]
    >>> [(str(bin.from_), str(bin.until), bin.payees) for bin in distribution(amounts, Decimal("0.01"))]
    [('0', '0.01', 1), ('0.01', '5', 1), ('5', '10', 1), ('10', '20', 1)]
    """
    bounds: list[Decimal | None] = [None, ZERO, unit, *_bounds([amount for amount in amounts if amount >= unit], unit)]
    bins = []
    for from_, until in zip(bounds, [*bounds[1:], None], strict=True):
        inside = [a for a in amounts if (from_ is None or a >= from_) and (until is None or a < until)]
        bins.append(Bin(from_=from_, until=until, payees=len(inside), earned=sum(inside, ZERO)))
    kept = [at for at, each in enumerate(bins) if each.payees]
    return tuple(bins[kept[0] : kept[-1] + 1]) if kept else ()


def _bounds(amounts: Sequence[Decimal], unit: Decimal) -> list[Decimal]:
    if not amounts:
        return []
    exponent = max(amounts).adjusted()
    lowest = max(min(amounts).adjusted(), exponent - _DECADES_MAX + 1)
    rising = [Decimal(step).scaleb(power) for power in range(lowest, exponent + 2) for step in _STEPS]
    # The bin that starts at the smallest amount ends at the first of these that lies past some amount.
    first = next(at for at, bound in enumerate(rising) if bound > min(amounts) and bound > unit)
    last = next(at for at, bound in enumerate(rising) if bound > max(amounts))
    return [Decimal(f"{bound:f}") for bound in rising[first : last + 1]]


def _earned[K](tallies: Mapping[K, Tally], key: K) -> Decimal:
    tally = tallies.get(key)
    return ZERO if tally is None else tally.earned


def _tallies(
    con: duckdb.DuckDBPyConnection, rows: str, keys: tuple[str, ...]
) -> Iterable[tuple[tuple[object, ...], Tally]]:
    listed = "".join(f"{key}, " for key in keys)
    grouped = f"GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}" if keys else "HAVING count(*) > 0"
    query = (
        f"SELECT {listed}sum(earned), sum(base), CAST(sum(lines) AS BIGINT), count(*), count(DISTINCT (payee_kind, payee_id)), "
        f"count(DISTINCT (payee_kind, payee_id)) FILTER (WHERE earning), max(tier) FROM ({rows}) {grouped}"
    )
    for row in con.execute(query).fetchall():
        earned, base, lines, statements, payees, earning, tier = row[len(keys) :]
        yield (
            tuple(row[: len(keys)]),
            Tally(
                earned=earned, base=base, lines=lines, statements=statements, payees=payees, earning=earning, tier=tier
            ),
        )


def _day(value: object) -> date | None:
    assert value is None or isinstance(value, date)
    return value
