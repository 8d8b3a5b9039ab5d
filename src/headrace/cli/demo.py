"""The commands that need no data of one's own: demo runs the sample channel from files to statements, sample writes its files."""

import csv
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from headrace.cli import show
from headrace.cli.app import app
from headrace.engine.findings import Finding, has_errors
from headrace.engine.numeric import minor_unit
from headrace.engine.terms import Terms, load_terms
from headrace.intake.load import Request, load_files
from headrace.intake.profile import load_profile
from headrace.intake.report import FileReport
from headrace.intake.store import LakeStore
from headrace.intake.tables import read_table
from headrace.lake import Lake
from headrace.runs.book import Book
from headrace.runs.record import Run, carry_out
from headrace.runs.sources import from_lake
from headrace.sample import LINES, SEED, Sample, make_sample, write_lines_file

LAYOUTS = {"canonical": "canonical CSV", "semicolon": "German ERP export", "workbook": "spreadsheet"}
REFERENCES = ("partners", "products", "rates", "stock", "targets", "forecasts", "deals", "calendar")
LOADED_ON = date(2026, 6, 30)
SHOWN_PER_PROGRAM = 2

Folder = Annotated[Path, typer.Argument(help="Where to write; an earlier sample there is replaced.")]
Seed = Annotated[int, typer.Option(help="Another seed draws another channel.")]
Lines = Annotated[int, typer.Option(help="How many good activity lines to draw.")]


@app.command()
def demo(folder: Folder = Path("demo"), seed: Seed = SEED, lines: Lines = LINES) -> None:
    """Run the sample channel from files to statements: make it, load it, calculate its programs, show what partners see.

    Everything is made up and drawn from a seed. It ends by itself and says which command to try next.
    """
    with show.err.status("drawing two years of a made-up channel …"):
        sample = make_sample(folder, seed=seed, lines=lines)
        for leftover in ("lake", "statements", "rejects"):
            shutil.rmtree(folder / leftover, ignore_errors=True)
    files = len(sample.sales_files)
    show.out.print(
        f"[bold]1[/] Wrote {files} sales files of {lines:,} lines, reference files and programs to {folder}/"
    )
    lake = Lake.create(folder / "lake")
    reports = _load(sample, lake)
    show.out.print("[bold]2[/] Loaded them into the lake, each layout by its profile; bad rows are kept for repair")
    _show_reports(reports, folder)
    programs, findings = load_terms(sample.programs)
    with (
        show.err.status(f"calculating {len(programs)} programs …"),
        Book(lake.folder) as book,
        tempfile.TemporaryDirectory(prefix="headrace-demo-") as scratch,
    ):
        source = from_lake(lake, book, into=Path(scratch))
        run = carry_out(programs, source, out=folder / "statements", findings=findings)
    show.out.print(f"[bold]3[/] Calculated {len(programs)} programs over the same lines")
    lake.close()
    _show_run(run, programs, _names(sample.reference))
    _say_what_next(folder)
    raise typer.Exit(1 if run.result is None or has_errors(findings) else 0)


@app.command(name="sample")
def write_sample(
    folder: Folder = Path("sample"),
    seed: Seed = SEED,
    lines: Lines = LINES,
    one_file: Annotated[
        Path | None, typer.Option(help="Write only the good lines, as one canonical CSV or Parquet file.")
    ] = None,
) -> None:
    """Write the sample channel's files: sales files in three layouts, reference files, profiles, programs, control totals."""
    if one_file is not None:
        write_lines_file(one_file, seed=seed, lines=lines)
        show.out.print(f"Wrote {lines:,} lines to {one_file}")
        return
    sample = make_sample(folder, seed=seed, lines=lines)
    rows = sum(file.rows for file in sample.sales_files)
    show.out.print(
        f"Wrote {len(sample.sales_files)} sales files with {rows:,} rows to {folder}/sales; what each holds stands in "
        f"{folder}/control_totals.csv"
    )


def _load(sample: Sample, lake: Lake) -> dict[str, list[FileReport]]:
    """Load the reference files and then every sales file, in order of month."""
    with Book(lake.folder) as book, tempfile.TemporaryDirectory(prefix="headrace-demo-") as scratch:
        tables = {}
        for kind in REFERENCES:
            path = sample.reference / f"{kind}.csv"
            read = read_table(kind, path, into=Path(scratch))
            if read.table is not None:
                tables[kind] = read.table
                book.set_reference(kind, lake.store_snapshot(read.table), source=str(path))
    known = {kind: tables[kind] for kind in ("partners", "products")}
    request = Request(received_on=LOADED_ON, references=known)
    facts, reports = LakeStore(lake), {layout: list[FileReport]() for layout in LAYOUTS}
    with Progress(console=show.err, transient=True) as progress:
        task = progress.add_task("loading sales files", total=len(sample.sales_files))
        for layout, into in reports.items():
            profile = load_profile(sample.profile(layout))
            sales, rejects = sample.sales(layout), sample.folder / "rejects"
            for report in load_files(sales, profile, facts, request=request, out=rejects):
                into.append(report)
                progress.advance(task)
    return reports


def _show_reports(reports: Mapping[str, Iterable[FileReport]], folder: Path) -> None:
    view = Table(box=box.SIMPLE_HEAD)
    view.add_column("layout")
    for title in ("files", "rows", "loaded", "rejected", "held"):
        view.add_column(title, justify="right")
    view.add_column("why rows were not loaded")
    for layout, files in reports.items():
        listed = list(files)
        counts: dict[str, int] = {}
        for file in listed:
            for finding in file.findings:
                if finding.severity == "error":
                    counts[finding.code] = counts.get(finding.code, 0) + 1
        tallies = (
            sum(getattr(file, name).rows for file in listed) for name in ("received", "loaded", "rejected", "held")
        )
        why = ", ".join(f"{code} × {count}" for code, count in sorted(counts.items()))
        view.add_row(LAYOUTS[layout], str(len(listed)), *(f"{count:,}" for count in tallies), why)
    show.out.print(view)
    show.out.print(f"  rejected rows, each with its reason: {folder}/rejects", style="dim")


def _names(reference: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for file, key in (("partners", "partner_id"), ("reps", "rep_id")):
        with (reference / f"{file}.csv").open(encoding="utf-8", newline="") as source:
            names |= {row[key]: row["name"] for row in csv.DictReader(source)}
    return names


def _show_run(run: Run, programs: tuple[Terms, ...], names: Mapping[str, str]) -> None:
    if run.result is None:
        show.findings(run.findings)
        return
    rows = run.result.statements.to_pylist()
    by_program: dict[str, list[dict[str, Any]]] = {terms.program: [] for terms in programs}
    for row in rows:
        by_program[row["program"]].append(row)
    _show_programs(programs, by_program)
    _show_balances(programs, by_program, names, run.result.as_of)
    warnings = [finding for finding in run.findings if finding.severity != "info"]
    _count_findings(warnings)


def _show_programs(programs: tuple[Terms, ...], by_program: Mapping[str, list[dict[str, Any]]]) -> None:
    view = Table(box=box.SIMPLE_HEAD, title="What the programs earned in two years", title_justify="left")
    view.add_column("program")
    view.add_column("name")
    for title in ("statements", "earned"):
        view.add_column(title, justify="right")
    view.add_column("currency")
    for terms in programs:
        rows = by_program[terms.program]
        earned = sum((row["earned"] for row in rows), Decimal(0))
        amount = show.money(earned, minor_unit(terms.currency))
        view.add_row(terms.program, escape(terms.name), f"{len(rows):,}", amount, terms.currency)
    show.out.print(view)


def _show_balances(
    programs: tuple[Terms, ...], by_program: Mapping[str, list[dict[str, Any]]], names: Mapping[str, str], as_of: date
) -> None:
    view = Table(
        box=box.SIMPLE_HEAD, title=f"Balances on {as_of:%Y-%m-%d}, the largest of each program", title_justify="left"
    )
    for title, right in (
        ("program", False), ("payee", False), ("period", False), ("measure", True), ("tier", True), ("earned", True),
        ("next tier at", True), ("distance", True),
    ):  # fmt: skip
        view.add_column(title, justify="right" if right else "left", overflow="fold")
    for terms in programs:
        rows = by_program[terms.program]
        latest = max((row["from"] or date.min for row in rows), default=None)
        newest = [row for row in rows if (row["from"] or date.min) == latest]
        for row in sorted(newest, key=lambda row: (-row["earned"], row["payee_id"], row["scope"]))[:SHOWN_PER_PROGRAM]:
            view.add_row(
                terms.program,
                escape(_payee(row, names)),
                show.period(row["from"], row["until"]),
                _rounded(row["measure"]),
                _tier(row, terms),
                show.money(row["earned"], minor_unit(row["currency"])),
                _rounded(row["next_from"]),
                _rounded(row["next_distance"]),
            )
    show.out.print(view)


def _rounded(value: Decimal | None) -> str:
    """Show a converted amount, which has six decimals, with two; the files keep all of them."""
    if value is None:
        return ""
    two = value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return f"{two:,}".removesuffix(".00")


def _payee(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    scope: dict[str, str] = json.loads(row["scope"])
    further = [value for word, value in scope.items() if word != "earner"]
    name = names.get(row["payee_id"], "")
    return f"{row['payee_id']} {name}" + (f" ({', '.join(further)})" if further else "")


def _tier(row: Mapping[str, Any], terms: Terms) -> str:
    if row["tier"] is None:
        return ""
    tiers = terms.schedule.tiers
    name = tiers[row["tier"] - 1].name if row["tier"] <= len(tiers) else None
    return name or str(row["tier"])


def _count_findings(found: Iterable[Finding]) -> None:
    counts: dict[tuple[str, str], int] = {}
    for finding in found:
        key = (finding.severity, finding.code)
        counts[key] = counts.get(key, 0) + 1
    for (severity, code), count in sorted(counts.items()):
        show.out.print(f"  {severity} {code} × {count:,}", style="dim")


def _say_what_next(folder: Path) -> None:
    show.out.print(f"[bold]4[/] Wrote statements and awards to {folder}/statements (open statements.xlsx)\n")
    show.out.print("Try next:")
    for command, what in (
        (f"headrace verify {folder}/statements", "compute every statement again from what it cites"),
        (f"headrace check {folder}/programs/*.yaml", "read the programs; edit one and check it again"),
        (
            f"headrace calculate {folder}/programs/emea-volume.yaml --lake {folder}/lake",
            "one program, all its statements",
        ),
        (
            f"headrace programs {folder}/programs/*.yaml --lake {folder}/lake",
            "keep live balances of the programs; `headrace balances` shows them after every file",
        ),
        ("less docs/first-program.md", "write a program of your own"),
    ):
        show.out.print(f"  [cyan]{command}[/]\n      {what}")
