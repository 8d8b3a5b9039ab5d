"""`headrace bench`: the measurements of speed and size, as a table and JSON."""

import json
import re
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from headrace import bench as measurements
from headrace.cli import show
from headrace.cli.app import app
from headrace.engine.findings import Refusal

_COUNTS = {"": 1, "k": 1_000, "m": 1_000_000}


@app.command()
def bench(
    rows: Annotated[
        str, typer.Option(help=f"Which rows, separated by commas: {', '.join(measurements.NAMES)}; or all.")
    ] = "all",
    lines: Annotated[str, typer.Option(help="How many lines to make up: 1m, 10m, 100m, 250k.")] = "10m",
    partners: Annotated[int, typer.Option(min=1, max=99_999, help="How many partners sell them.")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, max=999_999, help="The same seed makes up the same lines.")] = 1,
    repeat: Annotated[int, typer.Option(min=1, max=20, help="Run so often and count the best.")] = 1,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Make up the lines here and keep them for the next run; otherwise they are deleted at the end."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the table.")] = False,
) -> None:
    """Measure speed and memory against a yardstick in plain SQL.

    Times differ from machine to machine; the ratios of one run do not. A row whose part is not installed says so. Leave the
    machine alone while it measures: the row `hundred` works on ten times as many lines as the others.
    """
    names = _names(rows)
    size = measurements.Size(lines=_count(lines), partners=partners, seed=seed)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as temporary:
        settings = measurements.Settings(size=size, folder=folder or Path(temporary), repeat=repeat)
        settings.folder.mkdir(parents=True, exist_ok=True)
        done = _measure(settings, names)
    if as_json:
        print(json.dumps(measurements.as_json(settings, done), default=str))
    else:
        show.out.print(measurements.show(done))
    if any(row.verdict in {"failed", "different"} for row in done):
        raise typer.Exit(1)


def _measure(settings: measurements.Settings, names: tuple[str, ...]) -> list[measurements.Row]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=show.err, transient=True) as progress:
        task = progress.add_task("measuring")
        done: list[measurements.Row] = []
        for row in measurements.run(settings, names):
            done.append(row)
            progress.update(task, description=f"{row.name}: {row.verdict}; measuring on")
        return done


def _names(rows: str) -> tuple[str, ...]:
    if rows.strip() == "all":
        return measurements.NAMES
    names = tuple(name.strip() for name in rows.split(",") if name.strip())
    unknown = [name for name in names if name not in measurements.NAMES]
    if unknown or not names:
        choice = ", ".join(measurements.NAMES)
        asked = ", ".join(map(repr, unknown)) or "of an empty name"
        raise Refusal("bench_row_unknown", f"There is no row {asked}; choose from {choice}, or say all.")
    return names


def _count(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,9})([km]?)", text.strip().lower().replace("_", ""))
    count = int(match[1]) * _COUNTS[match[2]] if match else 0
    if not 100 <= count <= 400_000_000:
        raise Refusal(
            "bench_lines_invalid", f"{text!r} is no number of lines; write 250k, 1m, 10m or 100m (100 to 400m)."
        )
    return count
