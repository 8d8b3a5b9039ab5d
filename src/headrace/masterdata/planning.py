"""Which lines can be taken: what each must hold, what it refers to, who owns its fields, and how lines go together.

A line with a fault is left out, and so are the lines that need it, until the rest stands by itself. One way for files and hands.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from headrace.engine.findings import Finding, Severity
from headrace.masterdata import store
from headrace.masterdata.aliases import codes_for
from headrace.masterdata.fields import fields_of, systems_of_record
from headrace.masterdata.kinds import EXISTS, Field, Kind, Line, outside
from headrace.masterdata.store import History, Statement
from headrace.masterdata.timeline import Span, Spans, clip, paint, says


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be written, by kind and in order; the lines that are taken; what was found."""

    statements: tuple[tuple[str, tuple[Statement, ...]], ...]
    taken: tuple[Line, ...]
    findings: tuple[Finding, ...]


def plan(kind: Kind, lines: Sequence[Line], *, source: str) -> Plan:
    """Find the lines that can be taken, with all that is known; the caller holds the lock of writing."""
    fields = fields_of(kind.name)
    known = store.history(kind.name, codes={line.code for line in lines})
    findings: list[Finding] = []
    named = _with_codes(kind, fields, lines, source)
    foreign = {field: owner for field, owner in systems_of_record(kind.name).items() if owner != source}
    good = [_without_owned(kind, line, known.get(line.code, {}), foreign, findings) for line in named]
    while True:
        faults = list(_faults(kind, fields, good, known))
        if not faults:
            break
        findings += faults
        bad = {fault.row for fault in faults}
        good = [line for line in good if line.row not in bad]
    return Plan(_statements(kind, fields, good), tuple(good), tuple(findings))


def _with_codes(kind: Kind, fields: Mapping[str, Field], lines: Sequence[Line], source: str) -> list[Line]:
    """Put codes in place of the source's own names, where it is known what they stand for."""
    referring = {name: field.refers for name, field in fields.items() if field.refers}
    spoken: dict[str, set[str]] = {}
    for line in lines:
        for name in referring.keys() & line.values.keys():
            if (value := line.values[name]) is not None:
                spoken.setdefault(referring[name] or "", set()).add(value)
    meant = {refers: codes_for(refers, source, names) for refers, names in spoken.items()}
    return [
        replace(
            line,
            values={
                name: meant[referring[name] or ""].get(value, value)
                if value is not None and name in referring
                else value
                for name, value in line.values.items()
            },
        )
        for line in lines
    ]


def _without_owned(
    kind: Kind, line: Line, held: Mapping[str, Spans], foreign: Mapping[str, str], findings: list[Finding]
) -> Line:
    """Take the fields out that another source keeps, with a finding for each that would have changed."""
    kept = dict(line.values)
    for name in sorted(line.values.keys() & foreign.keys()):
        owner, said = foreign[name], line.said(name)
        if not says(held.get(name, ()), said):
            stays = ", then ".join(span.value or "" for span in clip(held.get(name, ()), said)) or "empty"
            message = (
                f"{name} of {kind.shown(line.code)} is kept by {owner}: {said.value or 'no value'!r} was left out, "
                f"and {stays!r} stays. Change it in {owner}."
            )
            findings.append(_finding(line, name, "owned_elsewhere", message, severity="warning"))
        del kept[name]
    return replace(line, values=kept)


def _faults(kind: Kind, fields: Mapping[str, Field], lines: Sequence[Line], known: History) -> Iterable[Finding]:
    found = [*_overlaps(kind, lines), *_missing(kind, lines, known), *_dangling(kind, fields, lines)]
    if found or kind.check is None:
        return found

    def after(field: str) -> Mapping[str, Spans]:
        spans = {code: values[field] for code, values in store.history(kind.name, fields={field}).items()}
        for line in lines:
            if field in line.values:
                spans[line.code] = paint(spans.get(line.code, ()), line.said(field))
        return spans

    return kind.check(lines, after)


def _overlaps(kind: Kind, lines: Sequence[Line]) -> Iterable[Finding]:
    by_code: dict[str, list[Line]] = {}
    for line in lines:
        by_code.setdefault(line.code, []).append(line)
    for code, of_code in by_code.items():
        ordered = sorted(of_code, key=lambda line: (Span(line.from_on, None, None).start, line.row))
        for one, other in pairwise(ordered):
            if Span(None, one.until_on, None).end > Span(other.from_on, None, None).start:
                message = (
                    f"{kind.shown(code)} is on row {one.row} already for some of these days. Keep one of the rows, "
                    "or give them days that do not meet."
                )
                yield _finding(other, None, "rows_overlap", message)


def _missing(kind: Kind, lines: Sequence[Line], known: History) -> Iterable[Finding]:
    for line in lines:
        if line.code in known:
            continue
        for name in kind.needs:
            if line.values.get(name) is None:
                message = f"{kind.shown(line.code)} is new and needs a value in {name}. Fill it in."
                yield _finding(line, name, "missing_value", message)


def _dangling(kind: Kind, fields: Mapping[str, Field], lines: Sequence[Line]) -> Iterable[Finding]:
    """Find lines that name what does not exist and is not among the lines either."""
    opened = {line.code for line in lines}
    wanted: dict[str, list[tuple[Line, str, str]]] = {}
    for line in lines:
        parts = zip(kind.key, kind.parts(line.code), strict=True)
        named = [(field, value) for field, value in parts]
        named += [(fields[name], value) for name, value in line.values.items() if value is not None]
        for field, value in named:
            if field.refers and not field.opens:
                wanted.setdefault(field.refers, []).append((line, field.name, value))
    for refers, uses in wanted.items():
        there = existing(refers, {value for _, _, value in uses}) | (opened if refers == kind.name else set())
        for line, name, value in uses:
            if value not in there:
                shown = kind.shown(line.code)
                message = f"There is no {refers} {value!r}, which {shown} names. Load it first, or correct the name."
                yield _finding(line, name, "unknown_reference", message)


def existing(refers: str, codes: Collection[str]) -> frozenset[str]:
    """Give those of the codes that exist, here or in the app that keeps them."""
    look_up = outside(refers)
    return look_up(codes) if look_up else store.known_codes(refers, codes)


def _statements(
    kind: Kind, fields: Mapping[str, Field], lines: Sequence[Line]
) -> tuple[tuple[str, tuple[Statement, ...]], ...]:
    always = Span(None, None, "true")
    opened: dict[str, set[str]] = {}
    own: list[Statement] = []
    for line in lines:
        if line.opens:
            own.append(Statement(line.code, EXISTS, Span(line.from_on, line.until_on, "true")))
        for name, value in line.values.items():
            own.append(Statement(line.code, name, line.said(name)))
            if fields[name].opens and value is not None:
                opened.setdefault(fields[name].refers or "", set()).add(value)
    first = tuple(
        (refers, tuple(Statement(code, EXISTS, always) for code in sorted(codes - store.known_codes(refers, codes))))
        for refers, codes in opened.items()
    )
    return (*first, (kind.name, tuple(own)))


def _finding(line: Line, column: str | None, code: str, message: str, severity: Severity = "error") -> Finding:
    return Finding(code=code, message=message, severity=severity, row=line.row, column=column)
