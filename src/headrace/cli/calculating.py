"""The commands that calculate: calculate, verify."""

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

import headrace
from headrace.cli import inputs, opening, show
from headrace.cli.app import app
from headrace.engine.findings import Finding, has_errors
from headrace.engine.numeric import minor_unit
from headrace.engine.results import public_result
from headrace.runs.record import Backend, Run, carry_out, verify


@app.command()
def calculate(  # noqa: PLR0917 (one argument an option)
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
    engine: Annotated[Backend, typer.Option(help="What runs the plan.")] = "duckdb",
    out: Annotated[Path | None, typer.Option(help="Write statements, awards and the workbook to this folder.")] = None,
    json: inputs.JsonFlag = False,
) -> None:
    """Calculate what programs pay on sales lines; several programs in one run meet on the same lines."""
    given = {
        "lines": lines,
        "partners": partners,
        "products": products,
        "rates": rates,
        "stock": stock,
        "targets": targets,
        "forecasts": forecasts,
        "deals": deals,
        "posted": posted,
        "calendar": calendar,
    }
    programs, findings = inputs.documents(terms)
    with opening.opened(given, lake=lake, schema=schema, keep=out is not None) as source:
        day = as_of.date() if as_of else None
        if has_errors(findings):
            run = Run(result=None, findings=(*findings, *source.findings))
        else:
            run = carry_out(programs, source, as_of=day, backend=engine, out=out, findings=findings)
    _show_run(run, json)
    raise typer.Exit(1 if has_errors(run.findings) else 0)


@app.command(name="verify")
def verify_statement(
    statement: Annotated[Path, typer.Argument(help="A run's folder, its run.json or its statements.parquet.")],
    lake: Annotated[
        Path | None, typer.Option(help="The lake, where it was moved since the statement was written.")
    ] = None,
    json: inputs.JsonFlag = False,
) -> None:
    """Compute a written statement again from what it cites: exit 0 if every figure is equal, 1 with each difference.

    A statement over a lake cites a batch number and the content of every reference table, so it stays provable after all
    of them were changed.
    """
    with show.err.status("computing the statement again …"):
        verification = verify(statement, lambda cited, into: opening.cited(cited, into, lake=lake))
    if json:
        show.as_json(
            {
                "equal": not verification.differences,
                "statements": verification.statements,
                "awards": verification.awards,
                "engine_written": verification.engine_written,
                "engine": headrace.__version__,
                "differences": [
                    {"record": d.record, "column": d.column, "written": d.written, "computed": d.computed}
                    for d in verification.differences
                ],
            }
        )
    elif verification.differences:
        view = Table("record", "column", "written", "computed", box=box.SIMPLE_HEAD, title="Differences")
        for difference in verification.differences:
            view.add_row(
                escape(difference.record),
                difference.column,
                escape(difference.written or ""),
                escape(difference.computed or ""),
            )
        show.out.print(view)
    else:
        awards = "" if verification.awards is None else f" and {verification.awards:,} awards"
        show.out.print(
            f"Equal: {verification.statements:,} statements{awards} were computed again to the same figures."
        )
    raise typer.Exit(1 if verification.differences else 0)


def _show_run(run: Run, json: bool) -> None:
    result = run.result
    if json:
        if result is None:
            empty: list[Finding] = list(run.findings)
            show.as_json({"statements": [], "reasons": {}, "findings": [finding.as_dict() for finding in empty]})
            return
        places = {currency: minor_unit(currency) for currency in set(result.statements["currency"].to_pylist())}
        show.as_json(public_result(result.statements, result.reasons, run.findings, places))
        return
    if result is not None:
        places = {currency: minor_unit(currency) for currency in set(result.statements["currency"].to_pylist())}
        if result.statements.num_rows:
            show.out.print(f"As of {result.as_of:%Y-%m-%d}")
        show.statements(result.statements, places)
        show.reasons(result.reasons)
    show.findings(run.findings)
    if run.written:
        show.out.print("Written: " + ", ".join(str(path) for path in run.written))
