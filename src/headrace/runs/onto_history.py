"""Terms laid over history: the same program as if it had been in force while the lines that are there were sold.

A program is simulated before it runs, so its dates lie after the lines. These are the choices:

- The window is the whole range of the lines unless it is given. Every version's `valid.until` becomes the window's end, and the
  first version's `valid.from` its start.
- Later versions keep their order and their distance: the dates of a program move by one number of whole years, the smallest
  that brings its first takeover (of a program of one version: its start) into the window. Whole years keep quarters quarters and
  Decembers Decembers. No move where that date lies in the window as it is.
- Rate changes, the freezing day of a baseline, the day of a price change and the periods of `inputs` move along. Rows of the
  targets table that lie in the window are history's own and stay; others of a simulated program move along. What then still
  lies outside the window is left out, and a finding says how much.
- Who is enrolled counts as enrolled throughout the window.
- Nothing was posted and nothing is provided for: posted amounts, forecasts and `accrue` do not take part.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from headrace.engine.findings import Finding, Refusal
from headrace.engine.period import Period
from headrace.engine.schema import Lines, Tables
from headrace.engine.terms.model import Accrue, Input, Schedule, Span, Terms

_UNUSED = ("posted", "forecasts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Programs and tables as they are simulated, and what had to be moved or left out."""

    programs: tuple[Terms, ...]
    tables: Tables
    findings: tuple[Finding, ...]


def window_of(lines: Lines, from_: date | None, until: date | None, as_of: date | None) -> Period:
    """Give the window of a simulation: the bounds given, else the first day of the lines and the day after their last.

    Raises Refusal `empty_window`, or `no_history` where there are no lines to take a bound from.
    """
    if from_ is None or until is None:
        first, last = _range(lines, as_of)
        from_ = from_ or first
        until = until or last + timedelta(days=1)
    if until <= from_:
        message = f"The window from {from_} until {until} holds no day. Give --until a day after --from."
        raise Refusal("empty_window", message)
    return Period(from_, until)


def lay_over(programs: Sequence[Terms], tables: Tables, window: Period) -> Laid:
    """Put every program in force throughout the window, by the choices that the module states."""
    findings: list[Finding] = []
    laid: list[Terms] = []
    years: dict[str, int] = {}
    for identity in dict.fromkeys(terms.program for terms in programs):
        versions = sorted((each for each in programs if each.program == identity), key=lambda each: each.version)
        years[identity] = _years_back(versions, window)
        if years[identity]:
            findings.append(_moved_finding(identity, years[identity]))
        laid += _versions(versions, window, years[identity], findings)
    references = {kind: table for kind, table in tables.references.items() if kind not in _UNUSED}
    if "targets" in references:
        references["targets"] = _targets(references["targets"], window, years, findings)
    return Laid(programs=tuple(laid), tables=replace(tables, references=references), findings=tuple(findings))


def _range(lines: Lines, as_of: date | None) -> tuple[date, date]:
    bounds = [] if lines.batch_seq_max is None else [f"batch_seq <= {int(lines.batch_seq_max)}"]
    if as_of is not None:
        bounds.append(f"occurred_on <= DATE '{as_of.isoformat()}'")
    where = f"WHERE {' AND '.join(bounds)}" if bounds else ""
    if lines.paths:
        with duckdb.connect() as con:
            query = f"SELECT min(occurred_on), max(occurred_on) FROM read_parquet(?, union_by_name = true) {where}"
            row = con.execute(query, [[str(path) for path in lines.paths]]).fetchone()
            if row is not None and row[0] is not None:
                return row[0], row[1]
    raise Refusal("no_history", "There are no lines to simulate on. Check the files, the lake and the as-of day.")


def _years_back(versions: Sequence[Terms], window: Period) -> int:
    """Give by how many whole years a program's dates move back; negative is forward."""
    dates = _dates(versions)
    if not dates or dates[0] in window:
        return 0
    assert window.from_ is not None
    assert window.until is not None
    fitting = [
        years
        for years in range(dates[0].year - window.until.year, dates[0].year - window.from_.year + 1)
        if _back(dates[0], years) in window
    ]
    return min(fitting, key=abs, default=0)


def _dates(versions: Sequence[Terms]) -> list[date]:
    """List the dates that decide how far a program moves, the most telling first."""
    starts = sorted(each.valid.from_ for each in versions if each.valid.from_ is not None)
    own = [change.on for each in versions for change in each.schedule.changes]
    own += [entry.from_ for each in versions for entry in each.inputs if entry.from_ is not None]
    own += [each.schedule.price_change.effective for each in versions if each.schedule.price_change is not None]
    return (starts[1:] if len(versions) > 1 else starts) or sorted(own)


def _back(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February in a year that has none
        return day.replace(year=day.year - years, day=28)


def _versions(versions: Sequence[Terms], window: Period, years: int, findings: list[Finding]) -> list[Terms]:
    first = min(versions, key=lambda each: (each.valid.from_ or date.min, each.version))
    laid = []
    for terms in versions:
        start = window.from_ if terms is first or terms.valid.from_ is None else _back(terms.valid.from_, years)
        assert start is not None
        if terms is not first and start not in window:
            findings.append(_outside_finding(terms, start))
            if window.until is not None and start >= window.until:
                continue
        update: dict[str, object] = {
            "valid": Span(from_=start, until=window.until),
            "inputs": _inputs(terms, window, years, findings),
            "schedule": _schedule(terms, window, years, findings),
            "accrue": Accrue(),
        }
        if terms is first:
            update["applies"] = "from_date"
        growth = terms.measure.growth
        if growth is not None and growth.frozen_on is not None:
            frozen = growth.model_copy(update={"frozen_on": _back(growth.frozen_on, years)})
            update["measure"] = terms.measure.model_copy(update={"growth": frozen})
        laid.append(terms.model_copy(update=update))
    return laid


def _inputs(terms: Terms, window: Period, years: int, findings: list[Finding]) -> tuple[Input, ...]:
    kept: list[Input] = []
    for entry in terms.inputs:
        span = Period(entry.from_ and _back(entry.from_, years), entry.until and _back(entry.until, years))
        if span.overlap(window) is not None:
            update: dict[str, object] = {"from_": span.from_, "until": span.until}
            if entry.enrolled_from is not None:
                update |= {"enrolled_from": window.from_, "enrolled_until": None}
            kept.append(entry.model_copy(update=update))
    left = len(terms.inputs) - len(kept)
    if left:
        findings.append(_left_finding(terms.program, f"{left:,} of {len(terms.inputs):,} inputs", "inputs"))
    return tuple(kept)


def _schedule(terms: Terms, window: Period, years: int, findings: list[Finding]) -> Schedule:
    schedule = terms.schedule
    update: dict[str, object] = {}
    if schedule.changes:
        moved = [change.model_copy(update={"on": _back(change.on, years)}) for change in schedule.changes]
        kept = tuple(change for change in moved if window.until is None or change.on < window.until)
        if len(kept) < len(moved):
            what = f"{len(moved) - len(kept)} of {len(moved)} rate changes"
            findings.append(_left_finding(terms.program, what, "schedule.changes"))
        update["changes"] = kept
    change = schedule.price_change
    if change is not None:
        effective = _back(change.effective, years)
        update["price_change"] = change.model_copy(update={"effective": effective})
        if effective not in window:
            findings.append(_left_finding(terms.program, "the price change", "schedule.price_change.effective"))
    return schedule.model_copy(update=update)


def _targets(table: pa.Table, window: Period, years: Mapping[str, int], findings: list[Finding]) -> pa.Table:
    rows: list[dict[str, object]] = []
    moved: list[dict[str, object]] = []
    left: dict[str, int] = {}
    for row in table.to_pylist():
        program = str(row["program"])
        if program not in years or _span(row).overlap(window) is not None:
            rows.append(row)
            continue
        shifted = row | {name: row[name] and _back(row[name], years[program]) for name in ("from", "until")}
        if _span(shifted).overlap(window) is not None:
            moved.append(shifted)
        else:
            left[program] = left.get(program, 0) + 1
    findings += [_left_finding(program, f"{count:,} rows of targets", None) for program, count in left.items()]
    return pa.Table.from_pylist([*rows, *moved], schema=table.schema)


def _span(row: Mapping[str, object]) -> Period:
    from_, until = row["from"], row["until"]
    return Period(from_ if isinstance(from_, date) else None, until if isinstance(until, date) else None)


def _moved_finding(program: str, years: int) -> Finding:
    way = "back" if years > 0 else "forward"
    whole = f"{abs(years)} year{'s' if abs(years) > 1 else ''}"
    message = f"The dates in {program} were moved {way} by {whole}, so that they fall into the simulated window."
    return Finding(code="dates_moved", severity="info", message=message)


def _outside_finding(terms: Terms, start: date) -> Finding:
    message = (
        f"Version {terms.version} of {terms.program} would take over on {start}, which lies outside the simulated window; the "
        "versions cannot be told apart by whole years. Simulate each version alone, or give a longer window."
    )
    return Finding(code="version_outside_window", severity="warning", message=message, column="valid.from")


def _left_finding(program: str, what: str, column: str | None) -> Finding:
    message = (
        f"In {program}, {what} lie outside the simulated window and were left out. Give the dates of the window, or none, to "
        "let them count."
    )
    return Finding(code="outside_window", severity="warning", message=message, column=column)


def partial_periods(periods: Iterable[Period], window: Period) -> list[Period]:
    """Give those periods of which the window holds only a part."""
    return [
        each
        for each in periods
        if each.from_ is None
        or each.until is None
        or (window.from_ is not None and each.from_ < window.from_)
        or (window.until is not None and each.until > window.until)
    ]
