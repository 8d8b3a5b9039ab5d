"""The command that turns other systems' reference files into canonical tables."""

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli import show
from headrace.cli.app import app
from headrace.engine.findings import has_errors
from headrace.intake.reshape import load_table_map
from headrace.intake.reshape import reshape as reshape_file


@app.command()
def reshape(
    file: Annotated[Path, typer.Argument(help="Partners, products, targets … as another system wrote them.")],
    map_: Annotated[Path, typer.Option("--map", help="The table map: one YAML document that names the columns.")],
    out: Annotated[Path, typer.Option(help="The canonical CSV file to write.")],
) -> None:
    """Turn a reference file of another system into a canonical table: rename columns, pick rows, put versions end to end.

    Sales lines are not reshaped but loaded, with a profile: see [bold]headrace intake[/].
    """
    result = reshape_file(file, load_table_map(map_), out)
    show.findings(result.findings)
    if has_errors(result.findings):
        raise typer.Exit(1)
    show.out.print(f"Wrote {result.written:,} rows to {out}, of {result.received:,} read.")
