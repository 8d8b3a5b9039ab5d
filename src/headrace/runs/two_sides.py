"""Two sets of programs over the same lines in one run of the engine, without meeting each other.

Programs of one run share the scan of the lines, so that holding a program against another costs little more than the program. The
second side runs under other names, also of its groups, and gets its own back in what comes out.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine import Request, Result, calculate
from headrace.engine.terms.model import Terms
from headrace.runs.onto_history import Laid

_ASIDE = "..held-against"  # not a name that anybody gives


def calculate_sides(laid: Laid, other: Laid | None, as_of: date | None) -> tuple[Result, Result | None]:
    """Calculate both sides; each result is what the side alone would give, findings of both in the first."""
    if other is None:
        return calculate(Request(programs=laid.programs, tables=laid.tables, as_of=as_of)), None
    programs = (*laid.programs, *(_aside(terms) for terms in other.programs))
    tables = replace(laid.tables, references=_references(laid, other))
    result = calculate(Request(programs=programs, tables=tables, as_of=as_of))
    second = pc.ends_with(result.statements["program"], _ASIDE)
    theirs = result.statements.filter(second)
    names = pc.replace_substring(theirs["program"], _ASIDE, "")
    at = theirs.column_names.index("program")
    findings = {replace(each, message=each.message.replace(_ASIDE, "")): None for each in result.findings}
    return (
        replace(
            result,
            statements=result.statements.filter(pc.invert(second)),
            reasons=_reasons(result.reasons, aside=False),
            findings=tuple(findings),
        ),
        replace(
            result,
            statements=theirs.set_column(at, theirs.schema.field(at), names),
            reasons=_reasons(result.reasons, aside=True),
            findings=(),
        ),
    )


def _aside(terms: Terms) -> Terms:
    update: dict[str, object] = {"program": terms.program + _ASIDE}
    if terms.combine is not None:
        update["combine"] = terms.combine.model_copy(update={"group": terms.combine.group + _ASIDE})
    return terms.model_copy(update=update)


def _references(laid: Laid, other: Laid) -> dict[str, pa.Table]:
    """Give the tables of the first side, with the second side's targets beside its own."""
    references = dict(laid.tables.references)
    targets = other.tables.references.get("targets")
    if targets is not None:
        ids = pa.array(sorted({terms.program for terms in other.programs}), pa.string())
        theirs = targets.filter(pc.is_in(targets["program"], value_set=ids))
        at = theirs.column_names.index("program")
        names = pc.binary_join_element_wise(theirs["program"], _ASIDE, "")
        references["targets"] = pa.concat_tables(
            [references["targets"], theirs.set_column(at, theirs.schema.field(at), names)]
        )
    return references


def _reasons(reasons: Mapping[str, Mapping[str, int]], *, aside: bool) -> dict[str, dict[str, int]]:
    return {
        program.removesuffix(_ASIDE): {reason.removesuffix(_ASIDE): lines for reason, lines in counts.items()}
        for program, counts in reasons.items()
        if program.endswith(_ASIDE) == aside
    }
