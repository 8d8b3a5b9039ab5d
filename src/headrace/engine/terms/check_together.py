"""Do several documents agree: versions of one program, and programs of one group?"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

from headrace.engine.findings import Finding
from headrace.engine.terms.document import Document
from headrace.engine.terms.model import Terms

type Loaded = tuple[Terms, Document]

_RUNS_ON = ("per", "every", "anchor", "calendar", "of", "minus")


def check_together(loaded: Sequence[Loaded]) -> list[Finding]:
    """Check versions of one program and programs of one group against each other."""
    programs: dict[str, list[Loaded]] = {}
    for terms, document in loaded:
        programs.setdefault(terms.program, []).append((terms, document))
    found = [finding for versions in programs.values() for finding in _versions(versions)]
    groups: dict[str, list[Loaded]] = {}
    for terms, document in loaded:
        if terms.combine:
            groups.setdefault(terms.combine.group, []).append((terms, document))
    found.extend(finding for members in groups.values() for finding in _group(members))
    return found


def _versions(versions: list[Loaded]) -> Iterator[Finding]:
    ordered = sorted(versions, key=lambda each: each[0].version)
    for (first, first_document), (terms, document) in pairwise(ordered):
        program = terms.program
        if first.version == terms.version:
            where = f"{first_document.source or 'the same text'}, line {first_document.line_of(())}"
            yield document.finding(("version",), "version_twice", version=terms.version, program=program, first=where)
            continue
        for key in ("currency", "money"):
            if getattr(first, key) != getattr(terms, key):
                yield document.finding((key,), "version_currency", program=program, key=key)
        for key in _RUNS_ON if terms.applies != "next_period" else ():
            before, after = getattr(first.measure, key), getattr(terms.measure, key)
            if before != after and not (key == "per" and set(before) == set(after)):
                told = {"program": program, "key": f"measure.{key}", "first": _shown(before), "version": first.version}
                yield document.finding(("measure", key), "version_differs", **told)
        if terms.applies != "next_period" and first.earner != terms.earner:
            told = {"program": program, "key": "earner", "first": first.earner, "version": first.version}
            yield document.finding(("earner",), "version_differs", **told)


def _group(members: list[Loaded]) -> Iterator[Finding]:
    for (first, _), (terms, document) in combinations(members, 2):
        assert first.combine is not None
        assert terms.combine is not None
        if first.program == terms.program:
            continue
        told = {"group": terms.combine.group, "program": terms.program, "first": first.program}
        rule = terms.combine.rule
        if rule != first.combine.rule:
            yield document.finding(("combine", "rule"), "group_rule_mixed", **told, rule=rule, other=first.combine.rule)
            continue
        if rule != "independent" and terms.combine.order == first.combine.order:
            yield document.finding(("combine", "order"), "group_order_twice", **told, order=terms.combine.order)
        if rule in {"best", "cascade"} and terms.currency != first.currency:
            money = {"currency": terms.currency, "other": first.currency}
            yield document.finding(("currency",), "group_currency", **told, rule=rule, **money)


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
