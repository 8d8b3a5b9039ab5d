"""The command that opens figures to their arithmetic: explain."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from headrace.cli import inputs, opening, show
from headrace.cli.app import app
from headrace.engine import Request
from headrace.engine.explain import as_json
from headrace.engine.explain_balance import Question, explain_balance
from headrace.engine.explain_line import explain_line
from headrace.engine.explain_words import balance_words, line_opened_words
from headrace.engine.findings import Refusal, has_errors
from headrace.engine.terms import load_terms

Words = Annotated[
    list[str] | None,
    typer.Option(
        "--scope", help="A word of the balance's scope and its value: [dim]family=Switch[/]; may be repeated."
    ),
]


@app.command()
def explain(  # noqa: PLR0917 (one argument an option)
    terms: inputs.TermsPaths,
    lines: inputs.Lines = None,
    partners: inputs.Partners = None,
    products: inputs.Products = None,
    rates: inputs.Rates = None,
    stock: inputs.Stock = None,
    targets: inputs.Targets = None,
    forecasts: inputs.Forecasts = None,
    deals: inputs.Deals = None,
    posted: inputs.Posted = None,
    calendar: inputs.Calendar = None,
    lake: inputs.LakeFolder = None,
    schema: inputs.Schema = None,
    as_of: inputs.Day = None,
    program: Annotated[
        str | None, typer.Option(help="The program whose balance, or whose view of the line, is opened.")
    ] = None,
    payee: Annotated[str | None, typer.Option(help="Who is paid: a partner or person.")] = None,
    period: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day of the balance's period.")
    ] = None,
    scope: Words = None,
    line: Annotated[str | None, typer.Option(help="Open this line for every program instead.")] = None,
    json: inputs.JsonFlag = False,
) -> None:
    """Open one balance, or one line, to its arithmetic: rules, inputs, tiers, parts, limits and rounding.

    A balance: --program and --payee, and --period and --scope where there are several. A line: --line; it also says why a line
    earned nothing.
    """
    given = {
        "lines": lines, "partners": partners, "products": products, "rates": rates, "stock": stock, "targets": targets,
        "forecasts": forecasts, "deals": deals, "posted": posted, "calendar": calendar,
    }  # fmt: skip
    if line is None and (program is None or payee is None):
        raise Refusal(
            "nothing_to_explain", "Say what to explain: --program and --payee for a balance, or --line for one line."
        )
    programs, findings = load_terms(terms)
    if has_errors(findings):
        raise Refusal("terms_faulty", "The program documents have faults; correct them first.", findings=findings)
    with opening.opened(given, lake=lake, schema=schema) as source:
        if source.tables is None:
            raise Refusal("lines_unreadable", "The lines could not be read.", findings=source.findings)
        day = as_of.date() if as_of else None
        request = Request(programs=tuple(programs), tables=source.tables, as_of=day, fixed=source.fixed)
        if line is not None:
            opened = explain_line(request, line, program=program)
            told, words = as_json(opened), line_opened_words(opened)
        else:
            assert program is not None
            assert payee is not None
            question = Question(
                program=program, payee_id=payee, on=period.date() if period else None, scope=_scope(scope or ())
            )
            balance = explain_balance(request, question)
            told, words = as_json(balance), balance_words(balance)
    if json:
        show.as_json(told)
    else:
        show.out.print("\n".join(words), markup=False, highlight=False, soft_wrap=True)


def _scope(texts: Sequence[str]) -> dict[str, str]:
    words: dict[str, str] = {}
    for text in texts:
        word, equals, value = text.partition("=")
        if not equals:
            raise Refusal("scope_without_value", f"--scope {text!r} has no value; write word=value.")
        words[word] = value
    return words
