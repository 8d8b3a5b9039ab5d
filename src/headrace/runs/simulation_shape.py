"""A simulation as the public JSON object, and as files: `simulation.json` and a workbook. docs/simulate.md describes the object.

Amounts are decimal strings with the currency's decimals, measures and shares decimal strings without needless zeros; what is not
there is null, never omitted.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.engine.findings import Finding, Refusal
from headrace.engine.numeric import minor_unit, plain
from headrace.engine.period import Period
from headrace.engine.terms.model import Terms
from headrace.lake.durable import publish
from headrace.runs.curve import Curve
from headrace.runs.made_up import WHY_NOT, base_word
from headrace.runs.simulate import Against, Payback, Simulated, Simulation
from headrace.runs.tallies import Bin, Change, Payee, Tally
from headrace.runs.written import begin_workbook, write_sheet

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook

type Json = dict[str, object]


def public_simulation(simulation: Simulation, findings: Sequence[Finding] = ()) -> Json:
    """Give the object that `simulate --json` prints. findings: those of the documents and files, told before the simulation's."""
    return {
        "window": _period(simulation.window) | {"chosen": "given" if simulation.window_given else "lines"},
        "as_of": simulation.as_of.isoformat(),
        "programs": [_program(each, simulation.names) for each in simulation.programs],
        "findings": [finding.as_dict() for finding in (*findings, *simulation.findings)],
    }


def write_simulation(folder: Path, simulation: Simulation, findings: Sequence[Finding] = ()) -> list[Path]:
    """Write a simulation to a folder; give the paths. Raises Refusal `out_unwritable`."""
    record, workbook = folder / "simulation.json", folder / "simulation.xlsx"
    shape = public_simulation(simulation, findings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        publish(record, lambda path: path.write_text(json.dumps(shape, indent=2, ensure_ascii=False) + "\n"))
        publish(workbook, lambda path: _write_workbook(path, simulation))
    except OSError as error:
        message = f"The folder {folder} cannot be written ({error.strerror}). Choose another with --out."
        raise Refusal("out_unwritable", message) from error
    return [record, workbook]


def money(value: Decimal, currency: str) -> str:
    """Write an amount with the decimals of its currency, and more where the program's own rounding keeps more.

    >>> money(Decimal("12.500000"), "EUR"), money(Decimal("0.000000"), "JPY"), money(Decimal("0.125"), "USD")
    ('12.50', '0', '0.125')
    """
    kept = len(plain(value).partition(".")[2])
    return f"{value if value else abs(value):.{max(minor_unit(currency), kept)}f}"


def _program(each: Simulated, names: Mapping[Payee, str]) -> Json:
    found, currency = each.figures, each.currency
    return {
        "program": each.program,
        "name": each.versions[-1].name,
        "versions": [_version(terms) for terms in each.versions],
        "currency": currency,
        "totals": _tally(found.totals, each) | {"payees": found.totals.payees, "earning": found.totals.earning},
        "payees": [{"payee": _payee(payee, names)} | _tally(tally, each) for payee, tally in found.payees.items()],
        "periods": [
            _period(period)
            | {"partial": period in each.partial}
            | _tally(tally, each)
            | {"payees": tally.payees, "earning": tally.earning}
            for period, tally in found.periods.items()
        ],
        "distribution": [_bin(each_bin, currency) for each_bin in found.distribution],
        "reasons": dict(each.reasons),
        "payback": _payback(each.payback, currency),
        "curves": [_curve(curve) for curve in each.curves],
        "against": None if each.against is None else _against(each.against, each, names),
    }


def _version(terms: Terms) -> Json:
    return {
        "version": terms.version,
        "from": None if terms.valid.from_ is None else terms.valid.from_.isoformat(),
        "until": None if terms.valid.until is None else terms.valid.until.isoformat(),
    }


def _tally(tally: Tally, program: Simulated) -> Json:
    return {
        "earned": money(tally.earned, program.currency),
        "base": plain(tally.base),
        "rate": _number(tally.rate) if program.has_rate else None,
        "lines": tally.lines,
        "statements": tally.statements,
        "tier": tally.tier,
    }


def _payee(payee: Payee, names: Mapping[Payee, str]) -> Json:
    return {"kind": payee[0], "id": payee[1], "name": names.get(payee)}


def _period(period: Period) -> Json:
    return {"from": _day(period.from_), "until": _day(period.until)}


def _bin(each: Bin, currency: str) -> Json:
    return {
        "from": _number(each.from_),
        "until": _number(each.until),
        "payees": each.payees,
        "earned": money(each.earned, currency),
    }


def _payback(payback: Payback | None, currency: str) -> Json | None:
    if payback is None:
        return None
    return {
        "margin": plain(payback.margin),
        "cost": money(payback.cost, currency),
        "base": money(payback.base, currency),
        "share": _number(payback.share),
    }


def _against(against: Against, program: Simulated, names: Mapping[Payee, str]) -> Json:
    comparison, currency = against.comparison, program.currency
    return {
        "program": against.versions[0].program,
        "versions": [_version(terms) for terms in against.versions],
        "totals": _change(comparison.totals, currency)
        | {
            "winners": len(comparison.winners),
            "losers": len(comparison.losers),
            "unchanged": sum(not change.difference for change in comparison.payees.values()),
        },
        "losers": [
            {"payee": _payee(payee, names)} | _change(comparison.payees[payee], currency) for payee in comparison.losers
        ],
        "payees": [
            {"payee": _payee(payee, names)} | _change(change, currency) for payee, change in comparison.payees.items()
        ],
        "periods": [_period(period) | _change(change, currency) for period, change in comparison.periods.items()],
        "payback": _payback(against.payback, currency),
        "break_even": None
        if against.crossings is None
        else [
            {"from": plain(each.from_), "until": plain(each.until), "then_pays": each.then_pays}
            for each in against.crossings
        ],
        "curves": [_curve(curve) for curve in against.curves],
    }


def _change(change: Change, currency: str) -> Json:
    return {
        "now": money(change.now, currency),
        "then": money(change.then, currency),
        "difference": money(change.difference, currency),
    }


def _curve(curve: Curve) -> Json:
    terms, averages = curve.terms, curve.averages
    base = averages.values.get(base_word(terms))
    return {
        "version": terms.version,
        "from": _day(curve.card_from),
        "measure": terms.measure.of,
        "every": terms.measure.every,
        "points": [
            {
                "measure": plain(point.measure),
                "earned": money(point.earned, terms.currency),
                "base": plain(point.base),
                "marginal_rate": _number(point.marginal_rate),
                "tier": point.tier,
                "edge": point.edge,
            }
            for point in curve.points
        ],
        "goes_on": curve.goes_on,
        "assumed": {
            "base_per_measure": None if base is None else f"{base.numerator}/{base.denominator}",
            "baseline": _number(averages.against) if terms.measure.growth is not None else None,
            "target": _number(averages.against) if terms.measure.target is not None else None,
        },
        "left_out": list(curve.left_out),
        "reason": None if curve.reason is None else {"code": curve.reason, "message": WHY_NOT[curve.reason]},
    }


def _number(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _write_workbook(path: Path, simulation: Simulation) -> None:
    with begin_workbook(path) as book:
        programs = simulation.programs
        _totals_sheet(book, programs)
        write_sheet(
            book,
            "Payees",
            ["program", "payee", "name", "earned", "base", "share", "lines", "tier"],
            [
                [each.program, payee[1], simulation.names.get(payee), *_cells(each, tally)]
                for each in programs
                for payee, tally in each.figures.payees.items()
            ],
        )
        write_sheet(
            book,
            "Periods",
            ["program", "from", "until", "partial", "earned", "base", "share", "lines", "tier"],
            [
                [
                    each.program,
                    period.from_,
                    period.until,
                    "yes" if period in each.partial else None,
                    *_cells(each, tally),
                ]
                for each in programs
                for period, tally in each.figures.periods.items()
            ],
        )
        write_sheet(
            book,
            "Winners and losers",
            ["program", "payee", "name", "now", "then", "difference"],
            [
                [each.program, payee[1], simulation.names.get(payee), change.now, change.then, change.difference]
                for each in programs
                if each.against is not None
                for payee, change in each.against.comparison.payees.items()
            ],
        )
        write_sheet(
            book,
            "Curve",
            ["program", "version", "side", "measure", "earned", "base", "marginal rate", "tier", "edge"],
            list(_curve_rows(programs)),
        )


def _totals_sheet(book: "Workbook", programs: Sequence[Simulated]) -> None:
    header = [
        "program",
        "currency",
        "earned",
        "base",
        "share",
        "lines",
        "tier",
        "payees",
        "earning",
        "now",
        "difference",
    ]
    rows = []
    for each in programs:
        totals, against = each.figures.totals, each.against
        change = None if against is None else against.comparison.totals
        rows.append(
            [each.program, each.currency, *_cells(each, totals), totals.payees, totals.earning]
            + ([None, None] if change is None else [change.now, change.difference])
        )
    write_sheet(book, "Totals", header, rows)


def _cells(program: Simulated, tally: Tally) -> list[object]:
    return [tally.earned, tally.base, tally.rate if program.has_rate else None, tally.lines, tally.tier]


def _curve_rows(programs: Sequence[Simulated]) -> Iterable[list[object]]:
    for each in programs:
        sides = [("then", each.curves), ("now", each.against.curves if each.against else ())]
        for side, curves in sides:
            for curve in curves:
                for point in curve.points:
                    yield [
                        each.program,
                        curve.terms.version,
                        side,
                        point.measure,
                        point.earned,
                        point.base,
                        point.marginal_rate,
                        point.tier,
                        point.edge,
                    ]
