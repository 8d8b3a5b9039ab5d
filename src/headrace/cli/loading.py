"""The command that brings data into a lake: intake."""

import tempfile
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, NoReturn

import pyarrow as pa
import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from headrace.cli import show
from headrace.cli.app import app
from headrace.cli.balances import bring_up
from headrace.engine.findings import Finding, Refusal, has_errors
from headrace.engine.schema import REFERENCE_KINDS
from headrace.intake.load import Request, intake
from headrace.intake.profile import ControlTotals, builtin_profiles, load_profile
from headrace.intake.report import FileReport, Report
from headrace.intake.store import LakeStore
from headrace.intake.tables import read_table
from headrace.lake import Lake
from headrace.runs.book import Book

_Day = typer.Option(formats=["%Y-%m-%d"])


@app.command(name="intake")
def take_in(  # noqa: PLR0917 (one argument an option)
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Sales files, or one reference table's file.")],
    profile: Annotated[
        str,
        typer.Option(
            help="How to read them: a built-in profile (see [bold]headrace profiles[/]), a profile's file, or the name of a "
            f"reference table in canonical columns: {', '.join(REFERENCE_KINDS)}."
        ),
    ],
    lake: Annotated[Path, typer.Option(help="The lake's folder; it is made where there is none.")] = Path("lake"),
    rejects: Annotated[
        Path, typer.Option(help="Rows that did not load go here, each with its reason, to be repaired and sent again.")
    ] = Path("rejects"),
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Replace from this day …")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="… until before this day.")] = None,
    received_on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day the files arrived; today by default.")
    ] = None,
    rows: Annotated[int | None, typer.Option(help="Control total: how many rows the sender says there are.")] = None,
    quantity: Annotated[str | None, typer.Option(help="Control total: the sum of the quantities.")] = None,
    amount: Annotated[str | None, typer.Option(help="Control total: the sum of the amounts.")] = None,
    confirm_shrinkage: Annotated[
        bool, typer.Option(help="A replacing file may hold far less than what stands; say that this is meant.")
    ] = False,
    release: Annotated[
        bool,
        typer.Option(
            help="Load the held rows of a file of rejects that you looked at and marked: those with yes under _release."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Check everything and load nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Load sales files into the lake: good rows load, every other row is a finding with its number and reason.

    The same file a second time adds nothing. Exit 1 where a row was rejected or held.
    """
    if profile in REFERENCE_KINDS:
        _take_reference(profile, files, lake, dry_run=dry_run, json=json)
    read_by = load_profile(profile if profile in builtin_profiles() else Path(profile))
    totals = ControlTotals(rows=rows, quantity=_number("quantity", quantity), amount=_number("amount", amount))
    with closing(_lake(lake)) as facts:
        request = Request(
            received_on=received_on.date() if received_on else datetime.now(UTC).date(),
            references=_references(facts),
            period=_period(from_, until),
            expected=totals if any((rows, quantity, amount)) else None,
            shrinkage_confirmed=confirm_shrinkage,
            release=release,
            dry_run=dry_run,
        )
        with show.err.status(f"loading {len(files)} file{'s' if len(files) > 1 else ''} …"):
            report = intake(files, read_by, LakeStore(facts), request=request, out=rejects)
        if not dry_run:
            _bring_up(facts)
    if json:
        show.as_json(report.as_dict())
    else:
        _show_report(report)
    raise typer.Exit(1 if report.has_errors else 0)


def _take_reference(kind: str, files: list[Path], lake: Path, *, dry_run: bool, json: bool) -> NoReturn:
    findings = _load_reference(kind, files, lake, dry_run=dry_run)
    if json:
        show.as_json({"table": kind, "findings": [finding.as_dict() for finding in findings]})
    else:
        show.findings(findings)
    raise typer.Exit(1 if has_errors(findings) else 0)


def _lake(folder: Path) -> Lake:
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        return Lake(folder)
    return Lake.create(folder)


def _references(lake: Lake) -> dict[str, pa.Table]:
    with Book(lake.folder) as book:
        return {
            kind: lake.load_snapshot(content_hash)
            for kind, content_hash in book.references().items()
            if kind in {"partners", "products"}
        }


def _load_reference(kind: str, files: list[Path], folder: Path, *, dry_run: bool) -> list[Finding]:
    if len(files) != 1:
        raise Refusal("one_file", f"A reference table is one file; {len(files)} were given for {kind}.")
    with tempfile.TemporaryDirectory(prefix="headrace-") as scratch:
        read = read_table(kind, files[0], into=Path(scratch))
        if read.table is None or dry_run:
            return list(read.findings)
        with closing(_lake(folder)) as lake, Book(lake.folder) as book:
            changed = book.set_reference(kind, lake.store_snapshot(read.table), source=str(files[0]))
        with closing(_lake(folder)) as lake:
            _bring_up(lake)
    what = "in force from now on" if changed else "in force already, unchanged"
    show.out.print(f"{kind}: {read.loaded:,} of {read.received:,} rows, {what}.")
    return list(read.findings)


def _bring_up(facts: Lake) -> None:
    """Bring live balances to the present; where that fails, what was loaded stays and they follow the next time."""
    with Book(facts.folder) as book, show.err.status("bringing balances to the present …"):
        done = bring_up(facts, book)
    if done is not None and (done.posted or done.loaded):
        show.findings(done.findings)
        show.err.print("Balances are up to date: [cyan]headrace balances[/] shows them.")


def _period(from_: datetime | None, until: datetime | None) -> tuple[date, date] | None:
    if (from_ is None) != (until is None):
        raise Refusal("period_half", "A period needs both --from and --until.")
    return (from_.date(), until.date()) if from_ and until else None


def _number(name: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise Refusal(
            "not_a_number", f"--{name} {text!r} is not a number; write it plainly, as 46875762.8251."
        ) from error
    if not number.is_finite():
        raise Refusal("not_a_number", f"--{name} {text!r} is not a number; write it plainly, as 46875762.8251.")
    return number


def _show_report(report: Report) -> None:
    view = Table(box=box.SIMPLE_HEAD)
    view.add_column("file", overflow="fold")
    view.add_column("status")
    for title in ("received", "loaded", "rejected", "held", "unchanged", "reversed"):
        view.add_column(title, justify="right")
    view.add_column("quantity loaded", justify="right")
    view.add_column("money loaded")
    for file in report.files:
        counts = (f"{tally.rows:,}" for tally in (file.received, file.loaded, file.rejected, file.held, file.unchanged))
        money = ", ".join(f"{show.number(value)} {currency}" for currency, value in file.loaded.amounts.items())
        status = f"[{'red' if file.status == 'refused' else 'green'}]{file.status}[/]"
        quantity = show.number(file.loaded.quantity)
        view.add_row(escape(file.file), status, *counts, f"{file.reversed_lines:,}", quantity, money)
    show.out.print(view)
    for file in report.files:
        _show_totals(file)
    show.findings(report.findings)
    rejected = [str(file.rejects) for file in report.files if file.rejects is not None]
    if rejected:
        show.out.print(f"Repair or release, and send again: {', '.join(rejected)}")


def _show_totals(file: FileReport) -> None:
    for name, (stated, found) in (file.control_totals or {}).items():
        verdict = "[green]agrees[/]" if stated == found else "[bold red]does not agree[/]"
        show.out.print(f"Control total {name}: stated {show.number(stated)}, found {show.number(found)}: {verdict}")
