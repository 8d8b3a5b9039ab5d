"""What a source calls an entry: identifiers and other names, for partners, products and end customers alike."""

from collections.abc import Collection, Iterable
from datetime import datetime

from headrace.engine.findings import Finding, Refusal
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import kinds, store
from headrace.masterdata.fields import checked_source
from headrace.masterdata.kinds import CODE_MAX, EXISTS, HAND, After, Field, Kind, Line
from headrace.masterdata.store import Statement
from headrace.masterdata.timeline import Span, on


def _existing(lines: Iterable[Line], after: After) -> Iterable[Finding]:
    """Find lines that stand for what does not exist."""
    lines = list(lines)
    named: dict[str, set[str]] = {}
    for line in lines:
        named.setdefault(ALIAS.parts(line.code)[0], set()).add(line.values.get("stands_for") or "")
    there = {kind.name: store.known_codes(kind.name, named.get(kind.name, ())) for kind in kinds.kinds()}
    for line in lines:
        of, _, name = ALIAS.parts(line.code)
        code = line.values.get("stands_for")
        if of not in there:
            message = (
                f"There is no kind of record {of!r} that {name!r} could be one of. Write partner, product or customer."
            )
            yield Finding(code="unknown_reference", message=message, row=line.row, column="kind")
        elif code is not None and code not in there[of]:
            message = f"There is no {of} {code!r} that {name!r} could stand for. Load it first, or correct the code."
            yield Finding(code="unknown_reference", message=message, row=line.row, column="stands_for")


def _code_fault(value: str) -> str | None:
    return f"A code has at most {CODE_MAX} characters. Correct it." if len(value) > CODE_MAX else None


ALIAS = kinds.register(
    Kind(
        name="alias",
        label="Names in other systems",
        key=(Field(name="kind"), Field(name="source"), Field(name="name")),
        fields=(Field(name="stands_for", check=_code_fault),),
        needs=("stands_for",),
        check=_existing,
        fixed=True,
    )
)


def remember(*, kind: str, source: str, name: str, code: str, by: Person, at: datetime) -> None:
    """Remember what a source's name stands for, from now on known and for all days. A later one takes its place."""
    access.require(by, VENDOR, Permission.REPAIR_DATA, at.date())
    of, source, name = kinds.kind(kind), checked_source(source), name.strip()
    if not name:
        raise Refusal("alias_empty", "The name in the other system is empty. Write what its files say.")
    if code not in store.known_codes(kind, {code}):
        raise Refusal("unknown_reference", f"There is no {kind} {code!r} that {name!r} could stand for ({of.label}).")
    alias = ALIAS.code((kind, source, name))
    if (fault := ALIAS.code_fault(alias)) is not None:
        raise Refusal("bad_value", fault)
    with store.revising("remember_alias", source=HAND, at=at) as writing:
        writing.write(
            ALIAS.name,
            [
                Statement(alias, EXISTS, Span(None, None, "true")),
                Statement(alias, "stands_for", Span(None, None, code)),
            ],
        )


def codes_for(kind: str, source: str, names: Collection[str], *, revision: int | None = None) -> dict[str, str]:
    """Give the codes that a source's names stand for, for the names that are known."""
    wanted = {ALIAS.code((kind, source, name)): name for name in names}
    held = store.history(ALIAS.name, codes=wanted, fields={"stands_for"}, revision=revision)
    meant: dict[str, str] = {}
    for alias, fields in held.items():
        spans = fields["stands_for"]
        if spans and spans[-1].value is not None:
            meant[wanted[alias]] = spans[-1].value
    return meant


def of_source(source: str) -> dict[str, dict[str, str]]:
    """Give all that a source's names stand for: kind → name → code."""
    meant: dict[str, dict[str, str]] = {}
    for kind in kinds.kinds():
        listed = store.codes_starting(ALIAS.name, ALIAS.code((kind.name, source, ""))[:-2])
        if not listed:
            continue
        for alias, fields in store.history(ALIAS.name, codes=listed, fields={"stands_for"}).items():
            spans = fields["stands_for"]
            if spans and spans[-1].value is not None:
                meant.setdefault(kind.name, {})[ALIAS.parts(alias)[2]] = spans[-1].value
    return meant


def aliases_of(kind: str, code: str, at: datetime) -> tuple[tuple[str, str], ...]:
    """List the names of an entry in other systems: source and name."""
    held = store.history(ALIAS.name, codes=store.codes_where(ALIAS.name, "stands_for", code), fields={"stands_for"})
    meant = [ALIAS.parts(alias) for alias, fields in held.items() if on(fields["stands_for"], at.date()) == code]
    return tuple(sorted((source, name) for of_kind, source, name in meant if of_kind == kind))
