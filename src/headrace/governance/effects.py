"""What an amendment would change: its semantic diff, who would get less over the open periods, what is lowered that is earned.

Two questions, two calculations, both by the engine over the lake. *Simulated*: the new version alone against the one in force,
laid over the open periods. *Earned*: all that is calculated together, with and without the new version, each line priced as it
really would be.
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from headrace.engine import Request, calculate
from headrace.engine.findings import Refusal
from headrace.engine.numeric import plain
from headrace.engine.period import Period
from headrace.engine.schema import Tables
from headrace.engine.terms import Terms, diff
from headrace.foundation import jobs
from headrace.lake import Lake
from headrace.programs import finalising, governed
from headrace.programs.book import DatabaseBook
from headrace.programs.governed import Subject
from headrace.runs.simulate import simulate
from headrace.runs.sources import Source, from_lake
from headrace.sales.lake import opened

_STEPS = 3
ZERO = Decimal(0)


class Owed(NamedTuple):
    """Whose entitlement, in which period of which program."""

    program: str
    payee_kind: str
    payee: str
    from_: date | None
    until: date | None
    currency: str


def worked_out(of: Subject) -> dict[str, Any]:
    """Work out the facts of an amendment, saying how far it is. Rows go from the greatest loss to the smallest."""
    with opened() as lake, tempfile.TemporaryDirectory(prefix="headrace-effect-") as scratch:
        jobs.progress(0, _STEPS)
        source = _source(lake, Path(scratch))
        changes = [
            {"key": each.path, "change": each.text, "for the partner": each.direction}
            for each in diff(of.before[-1], of.terms)
        ]
        jobs.progress(1, _STEPS)
        simulated = _simulated(of, source)
        jobs.progress(2, _STEPS)
        lowered = _lowered(of, source)
        jobs.progress(_STEPS, _STEPS)
        return {
            "amends_version": of.before[-1].version,
            "changes": changes,
            **simulated,
            "as_of_batch": lake.last_batch_seq(),
            "lowers_what_is_earned": lowered,
        }


def lowered(of: Subject) -> list[dict[str, str]]:
    """List what is earned already and would be less, as of now."""
    with opened() as lake, tempfile.TemporaryDirectory(prefix="headrace-effect-") as scratch:
        return _lowered(of, _source(lake, Path(scratch)))


def _source(lake: Lake, scratch: Path) -> Source:
    source = from_lake(lake, DatabaseBook(), into=scratch, keep=False)
    assert source.tables is not None, "a lake's lines are readable"
    return source


def _tables(source: Source) -> Tables:
    assert source.tables is not None
    return source.tables


def _simulated(of: Subject, source: Source) -> dict[str, Any]:
    span = Period(*finalising.open_span(of.program))
    new, old = governed.enrolled([of.terms]), governed.enrolled([of.before[-1]])
    try:
        (found,) = simulate(new, _tables(source), against=old, span=span, curves=False).programs
    except Refusal as refusal:
        if refusal.code not in {"no_history", "empty_window"}:
            raise
        return {"simulated": refusal.message, "would_get_less": []}
    if found.against is None:
        return {"simulated": "The currencies differ, so the versions are not compared.", "would_get_less": []}
    compared = found.against.comparison
    names = _names(_tables(source))
    less = [
        {
            "payee": payee,
            "name": names.get(payee, ""),
            "now": plain(compared.payees[kind, payee].now),
            "then": plain(compared.payees[kind, payee].then),
            "less": plain(-compared.payees[kind, payee].difference),
            "currency": found.currency,
        }
        for kind, payee in compared.losers
    ]
    return {
        "simulated_over": f"{span.from_ or 'the first line'} until {span.until or 'the last line'}",
        "simulated_now": {found.currency: plain(compared.totals.now)},
        "simulated_then": {found.currency: plain(compared.totals.then)},
        "would_get_less": less,
    }


def _lowered(of: Subject, source: Source) -> list[dict[str, str]]:
    in_force = [Terms.model_validate(each) for each in DatabaseBook().programs()]
    groups = {each.combine.group for each in (*of.before, of.terms) if each.combine is not None}
    together = [
        each for each in in_force
        if each.program == of.program or (each.combine is not None and each.combine.group in groups)
    ]  # fmt: skip
    now = _earned(together, source)
    then = _earned([*together, *governed.enrolled([of.terms])], source)
    less = {owed: then.get(owed, ZERO) - amount for owed, amount in now.items() if then.get(owed, ZERO) < amount}
    names = _names(_tables(source))
    return [
        {
            "program": owed.program,
            "payee kind": owed.payee_kind,
            "payee": owed.payee,
            "name": names.get(owed.payee, ""),
            "from": str(owed.from_ or ""),
            "until": str(owed.until or ""),
            "earned": plain(now[owed]),
            "then": plain(then.get(owed, ZERO)),
            "less": plain(-difference),
            "currency": owed.currency,
        }
        for owed, difference in sorted(less.items(), key=lambda item: (item[1], repr(item[0])))
    ]


def _earned(terms: Sequence[Terms], source: Source) -> Mapping[Owed, Decimal]:
    result = calculate(Request(programs=tuple(terms), tables=_tables(source), fixed=source.fixed))
    return sums_of(result.statements)


def sums_of(statements: pa.Table) -> dict[Owed, Decimal]:
    """Add up what statements say is earned, over their scopes."""
    names = ("program", "payee_kind", "payee_id", "from", "until", "currency")
    sums: dict[Owed, Decimal] = {}
    for row in statements.select([*names, "earned"]).to_pylist():
        owed = Owed(*(row[name] for name in names))
        sums[owed] = sums.get(owed, ZERO) + row["earned"]
    return sums


def _names(tables: Tables) -> dict[str, str]:
    partners = tables.references.get("partners")
    if partners is None or "name" not in partners.column_names:
        return {}
    rows = zip(partners["partner_id"].to_pylist(), partners["name"].to_pylist(), strict=True)
    return {str(partner): str(name) for partner, name in rows if name is not None}
