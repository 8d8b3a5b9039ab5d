"""History's averages, which a payout curve goes by: asked of the engine with probes, copies of a program that only add up.

A probe is the program without prices, limits and other programs, paid on the value that is asked for: the base of its statements
is then the sum of that value over the lines that count. Probes are only made for what a program's curve needs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

import duckdb
import pyarrow as pa

from headrace.engine import Request, calculate
from headrace.engine.period import Period, previous_year
from headrace.engine.schema import Tables
from headrace.engine.terms.model import Limits, Rounding, Schedule, Span, Terms, Tier
from headrace.runs.made_up import Averages, cards_of, why_no_curve, words_needed

type Scope = tuple[str, date | None, date | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One program as it was simulated: its versions, the tables that it read, the statements that came of it."""

    versions: tuple[Terms, ...]
    tables: Tables
    statements: pa.Table

    @property
    def program(self) -> str:
        """Give the program's id."""
        return self.versions[0].program


@dataclass(frozen=True, slots=True, kw_only=True)
class _Added:
    """What a probe added up. measures: by scope and period."""

    measure: Decimal
    base: Decimal
    lines: int
    measures: Mapping[Scope, Decimal]


def averages_of(sides: Sequence[Side], as_of: date | None) -> list[Averages]:
    """Ask history for what the curves of each program need, all in one run of the engine."""
    probes = {
        (number, word): f"probe-{number}-{at}"
        for number, side in enumerate(sides)
        for at, word in enumerate(_words(side))
    }
    programs = [
        _probe(terms, name, word) for (number, word), name in probes.items() for terms in sides[number].versions
    ]
    statements = None
    if programs:
        request = Request(programs=tuple(programs), tables=sides[0].tables, as_of=as_of)
        statements = calculate(request).statements
    averages = []
    for number, side in enumerate(sides):
        added = {
            word: _added(statements, name)
            for (at, word), name in probes.items()
            if at == number and statements is not None
        }
        averages.append(_averages(side, added))
    return averages


def _words(side: Side) -> list[str]:
    """List the values to ask for; one at least where the measures or the lines of history are needed."""
    words: set[str] = set()
    for terms in side.versions:
        for card in cards_of(terms):
            if why_no_curve(card) is None:
                words |= set(words_needed(terms))
                growth = terms.measure.growth
                if card.per_line or (growth is not None and growth.baseline != "entered"):
                    words |= set() if words else {"amount"}
    return sorted(words)


def _probe(terms: Terms, name: str, word: str) -> Terms:
    measure = terms.measure.model_copy(update={"growth": None, "target": None})
    # A baseline is measured whatever the validity: for growth the probe looks at all lines, before the window too.
    valid = Span() if terms.measure.growth is not None else terms.valid
    update = {
        "program": name,
        "type": "custom",
        "valid": valid,
        "measure": measure,
        "pays_on": word,
        "schedule": Schedule(tiers=(Tier(from_=Decimal(0), rate=Decimal(0)),)),
        "limits": Limits(),
        "combine": None,
        "gate": (),
        "verify": None,
        "rounding": Rounding(),
    }
    return terms.model_copy(update=update)


def _added(statements: pa.Table, name: str) -> _Added:
    with duckdb.connect() as con:
        con.register("given", statements)
        # Several payees may share a scope, and its measure with it.
        query = (
            'SELECT scope, "from", until, any_value(measure), sum(base), CAST(sum(lines) AS BIGINT) FROM given '
            'WHERE program = ? GROUP BY scope, "from", until'
        )
        rows = con.execute(query, [name]).fetchall()
    zero = Decimal(0)
    return _Added(
        measure=sum((row[3] for row in rows), zero),
        base=sum((row[4] for row in rows), zero),
        lines=sum(row[5] for row in rows),
        measures={(row[0], row[1], row[2]): row[3] for row in rows},
    )


def _averages(side: Side, added: Mapping[str, _Added]) -> Averages:
    own = _added(side.statements, side.program)
    plain = next(iter(added.values()), own)
    values = {word: Fraction(each.base) / Fraction(each.measure) for word, each in added.items() if each.measure > 0}
    return Averages(
        values=values,
        line=Fraction(plain.measure) / plain.lines if plain.lines else Fraction(0),
        against=_median(list(_against(side, own, plain))),
        measure_max=max(own.measures.values(), default=Decimal(0)),
    )


def _against(side: Side, own: _Added, probe: _Added) -> Iterator[Decimal]:
    """Give the baselines or targets that history has for the program, one for each scope and period."""
    terms = side.versions[-1]
    growth, target = terms.measure.growth, terms.measure.target
    if target is not None and target.value is not None:
        yield target.value
    elif target is not None:
        yield from _entered(side, "target")
    elif growth is not None and growth.baseline == "entered":
        yield from _entered(side, "baseline")
    elif growth is not None:
        starts = {(scope, from_): measure for (scope, from_, _), measure in probe.measures.items()}
        ends = {(scope, until): measure for (scope, _, until), measure in probe.measures.items()}
        for scope, from_, until in own.measures:
            if growth.baseline == "previous_year":
                found = starts.get((scope, previous_year(Period(from_, until)).from_))
            else:
                found = ends.get((scope, from_))
            if found is not None and found > 0:
                yield found


def _entered(side: Side, key: str) -> Iterator[Decimal]:
    for terms in side.versions:
        for entry in terms.inputs:
            value = entry.target if key == "target" else entry.baseline
            if value is not None and value > 0:
                yield value
    table = side.tables.references.get("targets")
    if table is not None:
        for row in table.select(["program", "value"]).to_pylist():
            if row["program"] == side.program and row["value"] > 0:
                yield row["value"]


def _median(values: Sequence[Decimal]) -> Decimal | None:
    """Give the middle value, or the mean of the two in the middle; nothing of nothing.

    >>> _median([Decimal(7), Decimal(1), Decimal(2)]), _median([Decimal(1), Decimal(2)]), _median([])
    (Decimal('2'), Decimal('1.5'), None)
    """
    if not values:
        return None
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
