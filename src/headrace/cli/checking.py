"""The command that reads program documents and calculates nothing: check."""

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from headrace.cli import inputs, show
from headrace.cli.app import app
from headrace.engine.findings import has_errors
from headrace.engine.terms import Terms, classify


@app.command()
def check(terms: inputs.TermsPaths, json: inputs.JsonFlag = False) -> None:
    """Validate program documents: every fault with its line, and whether each program is additive or ordered.

    Additive programs keep live balances by adding to running totals; ordered ones recompute the touched scopes.
    """
    programs, findings = inputs.documents(terms)
    classes = classify(programs)
    if json:
        listed = [
            {
                "program": each.program,
                "version": each.version,
                "type": each.type,
                "class": classes[each.program].kind,
                "why": list(classes[each.program].texts),
            }
            for each in programs
        ]
        show.as_json({"programs": listed, "findings": [finding.as_dict() for finding in findings]})
    else:
        show.findings(findings)
        _show_programs(programs)
    raise typer.Exit(1 if has_errors(findings) else 0)


def _show_programs(programs: tuple[Terms, ...]) -> None:
    if not programs:
        return
    classes = classify(programs)
    view = Table("program", "version", "type", "name", "class", "why", box=box.SIMPLE_HEAD)
    for terms in programs:
        klass = classes[terms.program]
        view.add_row(
            terms.program,
            str(terms.version),
            terms.type,
            escape(terms.name),
            klass.kind,
            escape("; ".join(klass.texts)),
        )
    show.out.print(view)
