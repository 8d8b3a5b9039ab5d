"""The command that simulates: what a program would have cost on history."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from headrace.cli import inputs, opening, show
from headrace.cli.app import app
from headrace.engine.findings import Finding, Refusal, has_errors
from headrace.engine.numeric import minor_unit
from headrace.engine.period import Period
from headrace.runs.curve import Curve, step_of
from headrace.runs.made_up import WHY_NOT
from headrace.runs.simulate import Against, Payback, Simulated, Simulation, simulate
from headrace.runs.simulation_shape import public_simulation, write_simulation
from headrace.runs.tallies import Change, Payee

_ROWS_MAX = 15
_BAR = 30


@app.command(name="simulate")
def simulate_programs(  # noqa: PLR0917 (one argument an option)
    terms: inputs.TermsPaths,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="TERMS", help="What is paid now: winners and losers are held against it. May be repeated."
        ),
    ] = None,
    lake: inputs.LakeFolder = None,
    lines: inputs.Lines = None,
    partners: inputs.Partners = None,
    products: inputs.Products = None,
    rates: inputs.Rates = None,
    stock: inputs.Stock = None,
    targets: inputs.Targets = None,
    deals: inputs.Deals = None,
    calendar: inputs.Calendar = None,
    schema: inputs.Schema = None,
    from_: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day of the window. Default: that of the lines."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until", formats=["%Y-%m-%d"], help="Day after the window. Default: after the last of the lines."
        ),
    ] = None,
    as_of: inputs.Day = None,
    margin: Annotated[
        str | None,
        typer.Option(help="Your own margin on the base, such as 0.3: says what sales the program must have brought."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write simulation.json and a workbook to this folder.")] = None,
    json: inputs.JsonFlag = False,
) -> None:
    """Say what programs would have cost on past sales lines: totals, partners, winners and losers, the payout curve.

    The programs are calculated as if they had been in force throughout the window, whatever dates they carry.
    """
    given = {
        "lines": lines,
        "partners": partners,
        "products": products,
        "rates": rates,
        "stock": stock,
        "targets": targets,
        "deals": deals,
        "calendar": calendar,
    }
    programs, found = inputs.documents(terms)
    others, other_findings = inputs.documents(against or [])
    findings = [*found, *other_findings]
    span = Period(from_.date() if from_ else None, until.date() if until else None)
    simulation = None
    with show.err.status("reading …") as status, opening.opened(given, lake=lake, schema=schema) as source:
        findings += source.findings
        if source.tables is not None and programs and not has_errors((*found, *other_findings)):
            status.update("calculating on history …")

            def on_first(first: Simulation) -> None:
                if not json:
                    _show_figures(first)
                status.update("drawing the payout curves …")

            simulation = simulate(
                programs, source.tables, against=others, span=span, as_of=as_of.date() if as_of else None,
                margin=_margin(margin), on_first=on_first,
            )  # fmt: skip
    _finish(simulation, findings, out, json=json)


def _finish(simulation: Simulation | None, findings: list[Finding], out: Path | None, *, json: bool) -> None:
    if simulation is None:
        if json:
            told = [finding.as_dict() for finding in findings]
            show.as_json({"window": None, "as_of": None, "programs": [], "findings": told})
        else:
            show.findings(findings)
        raise typer.Exit(1 if has_errors(findings) else 0)
    written = write_simulation(out, simulation, findings) if out else []
    every = [*findings, *simulation.findings]
    if json:
        show.as_json(public_simulation(simulation, findings))
    else:
        _show_curves(simulation)
        show.findings(every)
        if written:
            show.out.print("Written: " + ", ".join(str(path) for path in written))
    raise typer.Exit(1 if has_errors(every) else 0)


def _margin(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise Refusal("margin_range", f"--margin takes a share such as 0.3 (30 %), not {text!r}.")
    return value


def _show_figures(simulation: Simulation) -> None:
    window = simulation.window
    chosen = "as given" if simulation.window_given else "the whole range of the lines"
    show.out.print(f"Simulated on {window.from_} … until {window.until} ({chosen}), as of {simulation.as_of:%Y-%m-%d}")
    _show_totals(simulation.programs)
    for each in simulation.programs:
        _show_periods(each)
        _show_distribution(each)
        if each.against is None:
            _show_payees(each, simulation.names)
        else:
            _show_changes(each, each.against, simulation.names)
        _show_payback(each)
    show.reasons({each.program: each.reasons for each in simulation.programs})


def _show_totals(programs: tuple[Simulated, ...]) -> None:
    view = _table("program", "earned >", "", "base >", "share >", "lines >", "payees >", "earning >")
    for each in programs:
        totals = each.figures.totals
        view.add_row(
            escape(each.program), _money(totals.earned, each), each.currency, show.number(totals.base), _share(totals.rate, each),
            f"{totals.lines:,}", f"{totals.payees:,}", f"{totals.earning:,}",
        )  # fmt: skip
    show.out.print(view)


def _show_periods(each: Simulated) -> None:
    view = _table("period", "earned >", "base >", "share >", "payees >", "", title=f"{each.program} by period")
    for period, tally in each.figures.periods.items():
        view.add_row(
            show.period(period.from_, period.until), _money(tally.earned, each), show.number(tally.base),
            _share(tally.rate, each), f"{tally.payees:,}", "only a part" if period in each.partial else "",
        )  # fmt: skip
    show.out.print(view)


def _show_distribution(each: Simulated) -> None:
    view = _table(
        "earned from >", "below >", "payees >", "", "in all >", title=f"{each.program}: payees by what they earn"
    )
    most = max((found.payees for found in each.figures.distribution), default=1)
    for found in each.figures.distribution:
        view.add_row(
            show.number(found.from_), show.number(found.until), f"{found.payees:,}",
            "▇" * -(-found.payees * _BAR // most), _money(found.earned, each),
        )  # fmt: skip
    show.out.print(view)


def _show_payees(each: Simulated, names: Mapping[Payee, str]) -> None:
    view = _table("payee", "earned >", "base >", "share >", "tier >", title=f"{each.program}: who earns most")
    ranked = sorted(each.figures.payees.items(), key=lambda item: -item[1].earned)
    for payee, tally in ranked[:_ROWS_MAX]:
        view.add_row(
            _payee(payee, names), _money(tally.earned, each), show.number(tally.base), _share(tally.rate, each),
            "" if tally.tier is None else str(tally.tier),
        )  # fmt: skip
    show.out.print(view)
    _show_rest(len(ranked) - _ROWS_MAX, "payees")


def _show_changes(each: Simulated, against: Against, names: Mapping[Payee, str]) -> None:
    comparison = against.comparison
    total, winners, losers = comparison.totals, comparison.winners, comparison.losers
    same = len(comparison.payees) - len(winners) - len(losers)
    amounts = (
        f"{_money(total.now, each)} {each.currency} now and {_money(total.then, each)} then: {_signed(total, each)}"
    )
    counts = f"{len(winners):,} get more, {len(losers):,} get less, {same:,} the same"
    show.out.print(f"[bold]{escape(each.program)}[/] pays {amounts}. {counts}.")
    for title, payees in (("Who gets less", losers), ("Who gets more", winners)):
        if payees:
            view = _table("payee", "now >", "then >", "difference >", title=title)
            for payee in payees[:_ROWS_MAX]:
                change = comparison.payees[payee]
                view.add_row(
                    _payee(payee, names), _money(change.now, each), _money(change.then, each), _signed(change, each)
                )
            show.out.print(view)
            _show_rest(len(payees) - _ROWS_MAX, "payees")


def _show_payback(each: Simulated) -> None:
    costs: list[tuple[str, Payback | None]] = [("", each.payback)]
    if each.against is not None:
        costs.append(("more than now ", each.against.payback))
    for what, payback in costs:
        if payback is not None:
            share = "" if payback.share is None else f", {_percent(payback.share)} of the base in the window"
            show.out.print(
                f"At a margin of {_percent(payback.margin)}, the {_money(payback.cost, each)} {what}that {escape(each.program)} "
                f"costs are earned back by {_money(payback.base, each)} of sales that it brought{share}."
            )


def _show_curves(simulation: Simulation) -> None:
    for each in simulation.programs:
        for curve in each.curves:
            _show_curve(each, curve)
        _show_crossings(each)


def _show_crossings(each: Simulated) -> None:
    words = {"less": "less than now", "equal": "as much as now", "more": "more than now"}
    terms = each.versions[-1]
    for section in (each.against.crossings if each.against else None) or ():
        if section.then_pays == "equal" and section.until - section.from_ <= step_of(terms):
            continue  # the very point at which two curves meet
        stretch = f"From {show.number(section.from_)} until {show.number(section.until)} of {terms.measure.of}"
        show.out.print(f"{stretch}: {words[section.then_pays]}")


def _show_curve(each: Simulated, curve: Curve) -> None:
    terms = curve.terms
    since = f" from {curve.card_from}" if curve.card_from else ""
    title = f"{each.program} version {terms.version}{since}: payout curve by {terms.measure.of} a {terms.measure.every}"
    if curve.reason is not None:
        show.out.print(f"{escape(title)}: none. {WHY_NOT[curve.reason]} [dim]({curve.reason})[/]")
        return
    view = _table(f"{terms.measure.of} >", "earned >", "each more adds >", "tier >", "", title=title)
    for point in curve.points:
        view.add_row(
            show.number(point.measure), _money(point.earned, each), show.number(point.marginal_rate),
            "" if point.tier is None else str(point.tier), point.edge or "",
        )  # fmt: skip
    show.out.print(view)
    if curve.averages.against is not None:
        kind = "target" if terms.measure.target is not None else "baseline"
        show.out.print(f"For a payee whose {kind} is {show.number(curve.averages.against)}, the median of history.")
    if curve.goes_on:
        show.out.print("The steps go on in the same way.")
    if curve.left_out:
        show.out.print(f"The curve does not know of {', '.join(curve.left_out)}.")


def _show_rest(count: int, what: str) -> None:
    if count > 0:
        show.out.print(f"… and {count:,} more {what}; --out DIR writes them all, --json prints them.")


def _table(*titles: str, title: str | None = None) -> Table:
    """Make a table; a title that ends in > is that of numbers."""
    view = Table(box=box.SIMPLE_HEAD, title=None if title is None else escape(title), title_justify="left")
    for each in titles:
        name = each.removesuffix(">").strip()
        view.add_column(name, justify="right" if each.endswith(">") else "left", overflow="fold")
    return view


def _payee(payee: Payee, names: Mapping[Payee, str]) -> str:
    name = names.get(payee)
    return escape(payee[1]) + (f" [dim]{escape(name)}[/]" if name else "")


def _money(value: Decimal, each: Simulated) -> str:
    return show.money(value, minor_unit(each.currency))


def _signed(change: Change, each: Simulated) -> str:
    return ("+" if change.difference > 0 else "") + _money(change.difference, each)


def _share(rate: Decimal | None, each: Simulated) -> str:
    return "" if rate is None or not each.has_rate else _percent(rate)


def _percent(share: Decimal) -> str:
    return f"{show.number(share * 100)} %"
