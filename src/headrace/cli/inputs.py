"""The inputs that commands share, as options: documents, tables from files or a lake, the as-of day.

A command declares the options that it takes by these types, and opens the tables that were given with `opening.opened`.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace.engine.findings import Finding, Refusal
from headrace.engine.terms import Terms, load_terms

TermsPaths = Annotated[list[Path], typer.Argument(metavar="TERMS…", help="Program documents, YAML or JSON.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Day = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Count lines that occurred and arrived up to this day."),
]
Schema = Annotated[
    list[str] | None,
    typer.Option(help="Types of further columns: [dim]lines=flag:boolean,code:text[/]; may be repeated."),
]
LakeFolder = Annotated[
    Path | None,
    typer.Option("--lake", help="Take the lines, and the tables that are in force, from the lake in this folder."),
]


def _table(kind: str, what: str) -> Any:
    return typer.Option(f"--{kind}", help=f"{what} (CSV, XLSX or Parquet).", rich_help_panel="Tables from files")


Lines = Annotated[Path | None, _table("lines", "Activity lines")]
Partners = Annotated[Path | None, _table("partners", "Partners, with dated rows")]
Products = Annotated[Path | None, _table("products", "Products, with dated rows")]
Rates = Annotated[Path | None, _table("rates", "Exchange rates; the ECB's history layout is understood")]
Stock = Annotated[Path | None, _table("stock", "Stock on hand")]
Targets = Annotated[Path | None, _table("targets", "Targets")]
Forecasts = Annotated[Path | None, _table("forecasts", "Forecasts")]
Deals = Annotated[Path | None, _table("deals", "Registered deals and authorizations")]
Posted = Annotated[Path | None, _table("posted", "Amounts posted before")]
Calendar = Annotated[Path | None, _table("calendar", "Fiscal calendar")]


def documents(paths: Sequence[Path]) -> tuple[tuple[Terms, ...], list[Finding]]:
    """Read the program documents that a command was given. Raises Refusal `file_not_found` where one is not there."""
    for path in paths:
        if not path.exists():
            raise Refusal("file_not_found", f"There is no program document {path}. Check the path.")
    return load_terms(paths)
