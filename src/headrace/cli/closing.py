"""The commands that settle periods and look after a lake: finalise, and lake status, recover, maintain, erase."""

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from headrace.cli import inputs, show
from headrace.cli.app import app
from headrace.cli.inputs import Day, JsonFlag, TermsPaths
from headrace.engine.findings import Refusal, has_errors
from headrace.engine.numeric import minor_unit
from headrace.engine.results import public_result
from headrace.lake import Lake
from headrace.runs.book import Book
from headrace.runs.finalise import Finalised, finalise, roll_forward

LakeFolder = Annotated[Path, typer.Option("--lake", help="The lake's folder.")]


@app.command(name="finalise")
def finalise_period(
    terms: TermsPaths,
    lake: LakeFolder,
    period: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day of the period; leave out for a program that has no start."),
    ] = None,
    as_of: Day = None,
    json: JsonFlag = False,
) -> None:
    """Finalise one program's period: compute it in full and post what is not posted yet; a second time changes nothing.

    Give all versions of the one program. Later lines, returns and corrections come out as differences the next time.
    """
    programs, findings = inputs.documents(terms)
    if has_errors(findings):
        show.findings(findings)
        raise typer.Exit(1)
    names = sorted({each.program for each in programs})
    if len(names) != 1:
        raise Refusal("one_program", f"One program is finalised at a time; these documents are of {', '.join(names)}.")
    with (
        closing(Lake(lake)) as facts,
        Book(lake) as book,
        show.err.status(f"finalising {names[0]} …"),
    ):
        for run in roll_forward(facts, book):
            show.err.print(f"Brought run {run} to its end; it was cut off before.")
        done = finalise(
            programs,
            lake=facts,
            book=book,
            period_from=period.date() if period else None,
            as_of=as_of.date() if as_of else None,
        )
    _show_finalised(done, json)
    raise typer.Exit(1 if has_errors(done.findings) else 0)


lake_app = typer.Typer(no_args_is_help=True, help="Look after a lake: status, recover, maintain, erase.")
app.add_typer(lake_app, name="lake")


@lake_app.command()
def status(lake: LakeFolder, json: JsonFlag = False) -> None:
    """List the batches, the reference tables in force, and the runs of a lake."""
    with closing(Lake(lake)) as facts, Book(lake) as book:
        batches, references, runs = facts.register.batches(), book.references(), book.runs()
    if json:
        show.as_json(
            {
                "batches": [
                    {"batch_seq": b.batch_seq, "source": b.source, "state": b.state, "accepted": b.accepted}
                    for b in batches
                ],
                "references": references,
                "runs": [{"run": run.run, "program": run.program, "state": run.state} for run in runs],
            }
        )
        return
    view = Table("batch", "source", "state", "lines", "duplicates", box=box.SIMPLE_HEAD)
    for batch in batches:
        counts = ("" if count is None else f"{count:,}" for count in (batch.accepted, batch.duplicates))
        view.add_row(str(batch.batch_seq), escape(batch.source), batch.state, *counts)
    show.out.print(view)
    for kind, content_hash in references.items():
        show.out.print(f"{kind}: {content_hash[:12]} in force")
    for run in runs:
        show.out.print(f"{run.program} {show.period(run.from_, run.until)}: {run.state}, as of batch {run.batch_seq}")


@lake_app.command()
def recover(lake: LakeFolder) -> None:
    """Finish what a crash left between states; safe at any time."""
    with closing(Lake(lake)) as facts, Book(lake) as book:
        recovered = facts.recover()
        runs = roll_forward(facts, book)
    show.out.print(
        f"{len(recovered.appended)} batches and {len(runs)} runs brought to their end, {recovered.removed} leftovers removed."
    )


@lake_app.command()
def maintain(lake: LakeFolder) -> None:
    """Compact small files and remove what left the tables long ago; readers are not disturbed."""
    with closing(Lake(lake)) as facts, show.err.status("compacting …"):
        facts.maintain()
    show.out.print("Compacted. Every earlier `as of` still gives the same lines.")


@lake_app.command()
def erase(
    lake: LakeFolder,
    partner: Annotated[
        str | None, typer.Option(help="Erase the personal fields of everybody on this partner's lines.")
    ] = None,
    person: Annotated[str | None, typer.Option(help="Erase the personal fields under this key.")] = None,
) -> None:
    """Erase personal fields for good; lines, amounts and statements stay as they are."""
    if (partner is None) == (person is None):
        raise Refusal("one_subject", "Give either --partner or --person.")
    with closing(Lake(lake)) as facts:
        erased = facts.erase_person(partner_id=partner, person_key=person)
    show.out.print(
        f"Erased {erased.rows:,} personal fields under {len(erased.keys):,} keys, and {erased.raw_files:,} raw files."
    )


def _show_finalised(done: Finalised, json: bool) -> None:
    places = {currency: minor_unit(currency) for currency in set(done.statements["currency"].to_pylist())}
    if json:
        posted = [
            {
                "program": each.program,
                "payee": {"kind": each.payee_kind, "id": each.payee_id},
                "scope": each.scope,
                "from": each.from_.isoformat() if each.from_ else None,
                "until": each.until.isoformat() if each.until else None,
                "amount": f"{each.amount:f}",
                "currency": each.currency,
            }
            for each in done.posted
        ]
        result = public_result(done.statements, {}, done.findings, places)
        show.as_json(
            {"run": done.run, "posted": posted, "statements": result["statements"], "findings": result["findings"]}
        )
        return
    show.findings(done.findings)
    if done.run is None:
        show.out.print("Nothing changed since this period was finalised; nothing was posted.")
        return
    show.statements(done.statements, places)
    show.out.print(f"Posted {len(done.posted):,} amounts. Statements: {done.folder}")
    show.out.print(f"[cyan]headrace verify {done.folder}[/] computes them again.")
