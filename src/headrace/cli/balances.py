"""The commands of live balances: programs says which programs a lake follows, balances shows where everybody stands."""

import json as json_text
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from headrace.cli import inputs, show
from headrace.cli.app import app
from headrace.cli.inputs import JsonFlag
from headrace.engine.findings import Refusal, has_errors
from headrace.engine.numeric import minor_unit, plain
from headrace.engine.terms import Terms, classify
from headrace.engine.terms.canonical import terms_hash
from headrace.lake import Lake
from headrace.live import Followed, Standing
from headrace.runs.book import Book
from headrace.runs.compare import Difference
from headrace.runs.live import CaughtUp, Live
from headrace.runs.record import document

LakeFolder = Annotated[Path, typer.Option("--lake", help="The lake's folder.")]
_ROWS_MAX = 60


@app.command()
def programs(
    lake: LakeFolder,
    terms: Annotated[
        list[Path] | None, typer.Argument(metavar="[TERMS…]", help="Program documents to follow from now on.")
    ] = None,
    stop: Annotated[list[str] | None, typer.Option(help="Follow this program no more; may be repeated.")] = None,
    json: JsonFlag = False,
) -> None:
    """Say which programs the lake keeps live balances of, and list them.

    A program is given with all of its versions. Its balances are calculated from the whole lake at once, and from then on every
    file that is loaded changes them.
    """
    loaded, findings = inputs.documents(terms or [])
    if has_errors(findings):
        show.findings(findings)
        raise typer.Exit(1)
    with closing(Lake(lake)) as facts, Book(lake) as book:
        known = {str(each["program"]) for each in book.programs()}
        for name in stop or ():
            if name not in known:
                raise Refusal("program_not_followed", f"{name} is not followed. See `headrace programs --lake {lake}`.")
            book.remove_program(name)
        for each in loaded:
            book.set_program(each.program, each.version, content_hash=terms_hash(each), document=document(each))
        with Live(facts, book) as live:
            with show.err.status("bringing balances to the present …"):
                done = live.catch_up()
            followed = live.followed()
        active = [Terms.model_validate(each) for each in book.programs()]
    show.findings((*findings, *done.findings))
    _show_programs(active, followed, json)


@app.command()
def balances(
    lake: LakeFolder,
    program: Annotated[str | None, typer.Option(help="Only this program.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only this payee: a partner, or a person by its id.")] = None,
    prove: Annotated[
        bool, typer.Option(help="Calculate everything in full as well, and show each difference.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Show where everybody stands: what is earned, the tier, and how far the next one is.

    Files that were loaded and are not in the balances yet come in first. With --prove: exit 1 where a figure differs.
    """
    with closing(Lake(lake)) as facts, Book(lake) as book, Live(facts, book) as live:
        with show.err.status("bringing balances to the present …"):
            done = live.catch_up()
        followed = {each.program: each for each in live.followed()}
        if not followed:
            raise Refusal(
                "nothing_followed", f"The lake follows no program. Name some: `headrace programs TERMS… --lake {lake}`."
            )
        if program is not None and program not in followed:
            raise Refusal(
                "program_not_followed", f"{program} is not followed; the lake follows {', '.join(sorted(followed))}."
            )
        if prove:
            with show.err.status("calculating everything in full …"):
                found = live.prove()
            _show_proof(found, len(live.standings()), json)
            raise typer.Exit(1 if found else 0)
        standings = live.standings(program=program, payee=partner)
    show.findings(done.findings)
    if json:
        show.as_json({"balances": [_public(each) for each in standings]})
    else:
        _show(standings)


def bring_up(facts: Lake, book: Book) -> CaughtUp | None:
    """Bring live balances to the present where some program is followed; for commands that add lines or reference tables."""
    if not book.programs():
        return None
    with Live(facts, book) as live:
        return live.catch_up()


def _show_programs(active: Sequence[Terms], followed: Sequence[Followed], json: bool) -> None:
    classes = classify(active)
    by_program = {each.program: each for each in followed}
    if json:
        show.as_json(
            {
                "programs": [
                    {"program": name, "versions": [each.version for each in active if each.program == name],
                     "class": classes[name].kind, "loaded_as_of": by_program[name].loaded_as_of}
                    for name in sorted(by_program)
                ]
            }
        )  # fmt: skip
        return
    if not active:
        show.out.print("No program is followed. Name some: headrace programs TERMS… --lake DIR")
        return
    view = Table("program", "versions", "class", "loaded as of batch", box=box.SIMPLE_HEAD)
    for name in sorted(by_program):
        versions = ", ".join(str(each.version) for each in active if each.program == name)
        view.add_row(escape(name), versions, classes[name].kind, str(by_program[name].loaded_as_of))
    show.out.print(view)


def _public(each: Standing) -> Mapping[str, object]:
    decimals = minor_unit(each.currency)

    def money(value: object) -> str | None:
        return None if value is None else show.money(value, decimals).replace(",", "")

    reached = each.next_from is not None and each.next_distance is not None
    return {
        "program": each.key.program,
        "version": each.version,
        "payee": {"kind": each.key.payee_kind, "id": each.key.payee_id},
        "scope": json_text.loads(each.key.scope),
        "period": {
            "from": each.key.from_.isoformat() if each.key.from_ else None,
            "until": each.key.until.isoformat() if each.key.until else None,
        },
        "measure": plain(each.measure),
        "base": plain(each.base),
        "tier": each.tier,
        "earned": money(each.earned),
        "unverified": money(each.unverified),
        "currency": each.currency,
        "lines": each.lines,
        "next_tier": {"from": plain(each.next_from), "distance": plain(each.next_distance)}
        if reached and each.next_from is not None and each.next_distance is not None
        else None,
        "carried": money(each.carried),
        "payable_on": each.payable_on.isoformat() if each.payable_on else None,
    }


def _show(standings: Sequence[Standing]) -> None:
    if not standings:
        show.out.print("No balance yet: no line counts for these programs.")
        return
    view = Table(box=box.SIMPLE_HEAD)
    for title in ("program", "payee", "scope", "period"):
        view.add_column(title, overflow="fold")
    for title in ("measure", "tier", "earned", "", "next tier at", "distance"):
        view.add_column(title, justify="right" if title else "left", no_wrap=True)
    for each in standings[:_ROWS_MAX]:
        rest = {word: value for word, value in json_text.loads(each.key.scope).items() if value != each.key.payee_id}
        view.add_row(
            escape(each.key.program),
            escape(each.key.payee_id),
            escape(", ".join(f"{word} {value}" for word, value in rest.items())),
            show.period(each.key.from_, each.key.until),
            show.number(each.measure),
            "" if each.tier is None else str(each.tier),
            show.money(each.earned, minor_unit(each.currency)),
            each.currency,
            show.number(each.next_from),
            show.number(each.next_distance),
        )
    show.out.print(view)
    if len(standings) > _ROWS_MAX:
        show.out.print(
            f"… and {len(standings) - _ROWS_MAX:,} more; narrow with --program or --partner, or print all with --json."
        )


def _show_proof(found: Sequence[Difference], count: int, json: bool) -> None:
    if json:
        show.as_json(
            {
                "balances": count,
                "differences": [
                    {"record": each.record, "column": each.column, "live": each.written, "calculated": each.computed}
                    for each in found
                ],
            }
        )
        return
    if not found:
        show.out.print(f"Proven: all {count:,} balances equal the calculation in full.")
        return
    view = Table("statement", "figure", "live", "calculated", box=box.SIMPLE_HEAD)
    for each in found[:_ROWS_MAX]:
        view.add_row(escape(each.record), each.column, each.written or "", each.computed or "")
    show.out.print(view)
    show.out.print(f"{len(found):,} figures differ. Please report this: balances and calculation must never differ.")
