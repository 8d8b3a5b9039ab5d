"""What a program would have cost on history: totals, payees, periods, winners and losers, break-even, the payout curve.

Everything is priced by `headrace.engine.calculate`; this module only puts the questions: the programs laid over history
(`onto_history`), the same for what they are held against, a few probes for history's averages, and made-up payees for the curves
(`curve`). No awards are asked for, so that the engine need not look at single lines where a program lets it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa

from headrace.engine import Result
from headrace.engine.findings import Finding, Refusal
from headrace.engine.numeric import is_money, minor_unit
from headrace.engine.period import Period
from headrace.engine.schema import Tables
from headrace.engine.terms.model import Terms
from headrace.runs.averages import Side, averages_of
from headrace.runs.curve import Curve, Drawing, Section
from headrace.runs.made_up import base_word, cards_of
from headrace.runs.onto_history import Laid, lay_over, partial_periods, window_of
from headrace.runs.tallies import Comparison, Figures, Payee, compare, figures, share_of
from headrace.runs.two_sides import calculate_sides

_WHOLE = Period()
_MONEY_WORDS = {"amount", "gross", "margin", "cost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payback:
    """The sales that a program must have brought, so that their margin pays for it.

    base: cost ÷ margin, rounded up to the currency's minor unit. share: of the base that history had.
    """

    margin: Decimal
    cost: Decimal
    base: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What a program is held against. crossings: by the measure of a payee; null where two curves cannot be compared."""

    versions: tuple[Terms, ...]
    figures: Figures
    comparison: Comparison
    curves: tuple[Curve, ...] = ()
    crossings: tuple[Section, ...] | None = None
    payback: Payback | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """One program on history. versions: its terms as they were simulated."""

    versions: tuple[Terms, ...]
    figures: Figures
    reasons: Mapping[str, int]
    partial: tuple[Period, ...]
    against: Against | None = None
    curves: tuple[Curve, ...] = ()
    payback: Payback | None = None

    @property
    def program(self) -> str:
        """Give the program's id."""
        return self.versions[0].program

    @property
    def currency(self) -> str:
        """Give the currency of what is earned."""
        return self.versions[0].currency

    @property
    def has_rate(self) -> bool:
        """Tell whether earned ÷ base is a share: both are money."""
        words = {base_word(terms) for terms in self.versions}
        return is_money(self.currency) and all(w in _MONEY_WORDS or w.startswith("price_list.") for w in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a simulation gives. window_given: false where the window is the range of the lines. names: of payees, where known."""

    window: Period
    window_given: bool
    as_of: date
    programs: tuple[Simulated, ...]
    names: Mapping[Payee, str]
    findings: tuple[Finding, ...]


def simulate(  # noqa: PLR0913 (one for each option of the command)
    programs: Sequence[Terms],
    tables: Tables,
    *,
    against: Sequence[Terms] = (),
    span: Period = _WHOLE,
    as_of: date | None = None,
    margin: Decimal | None = None,
    on_first: Callable[[Simulation], None] | None = None,
    curves: bool = True,
) -> Simulation:
    """Calculate what programs would have cost on the lines of `tables`.

    against: other versions of them, matched by program id (or one against one). span: the window; a null bound is that of the
    lines. margin: the vendor's own, as a share of the base; gives the payback. on_first is called with the figures as soon as
    they are there, before the curves are drawn; without `curves` none are.

    The sum of the payees, and that of the periods, is the total: all are sums over the same statements. Raises Refusal
    `no_history`, `empty_window`, `margin_range`, and those of `calculate`.
    """
    if margin is not None and not 0 < margin <= 1:
        raise Refusal(
            "margin_range", f"The margin is a share of the base above 0 and at most 1 (0.3 is 30 %), not {margin}."
        )
    window = window_of(tables.lines, span.from_, span.until, as_of)
    given = span.from_ is not None or span.until is not None
    laid = lay_over(programs, tables, window)
    laid_other = lay_over(against, tables, window) if against else None
    result, result_other = calculate_sides(laid, laid_other, as_of)
    simulated = [_simulated(each, result, window, margin) for each in _by_program(laid.programs)]
    findings = [*laid.findings, *result.findings, *_partial_findings(simulated, window)]
    other = None
    if laid_other is not None and result_other is not None:
        findings += [each for each in laid_other.findings if each not in findings]
        other = laid_other, result_other
        simulated = _held_against(simulated, *other, margin, findings)
    simulation = Simulation(
        window=window, window_given=given, as_of=result.as_of, programs=tuple(simulated),
        names=_names(tables.references.get("partners"), simulated), findings=tuple(findings),
    )  # fmt: skip
    if on_first is not None:
        on_first(simulation)
    if not curves:
        return simulation
    return replace(simulation, programs=tuple(_with_curves(simulated, laid, result, other, as_of)))


def _by_program(programs: Sequence[Terms]) -> list[tuple[Terms, ...]]:
    ids = dict.fromkeys(terms.program for terms in programs)
    return [tuple(terms for terms in programs if terms.program == identity) for identity in ids]


def _simulated(versions: tuple[Terms, ...], result: Result, window: Period, margin: Decimal | None) -> Simulated:
    program = versions[0].program
    found = figures(result.statements, program, _unit(versions[0].currency))
    # The life of a program is the window itself, and never a part of it.
    bounded = [] if versions[0].measure.every == "program" else found.periods
    plain = Simulated(
        versions=versions,
        figures=found,
        reasons=result.reasons.get(program, {}),
        partial=tuple(partial_periods(bounded, window)),
    )
    return replace(plain, payback=_payback(plain, found.totals.earned, margin))


def _unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_unit(currency))


def _payback(simulated: Simulated, cost: Decimal, margin: Decimal | None) -> Payback | None:
    if margin is None or not simulated.has_rate or cost <= 0:
        return None
    unit = _unit(simulated.currency)
    steps = Fraction(cost) / Fraction(margin) / Fraction(unit)
    base = -(-steps.numerator // steps.denominator) * unit
    return Payback(margin=margin, cost=cost, base=base, share=share_of(base, simulated.figures.totals.base))


def _held_against(
    simulated: Sequence[Simulated], other: Laid, result: Result, margin: Decimal | None, findings: list[Finding]
) -> list[Simulated]:
    """Match programs by id, or one against one, and compare each pair."""
    others = {versions[0].program: versions for versions in _by_program(other.programs)}
    if len(simulated) == 1 and len(others) == 1:
        others = {simulated[0].program: next(iter(others.values()))}
    matched = []
    for each in simulated:
        versions = others.pop(each.program, None)
        if versions is None:
            findings.append(_unmatched(each.program, "--against"))
        elif versions[0].currency != each.currency:
            message = f"{each.program} pays in {each.currency}, what it is held against in {versions[0].currency}: not compared."
            findings.append(Finding(code="currencies_differ", severity="warning", message=message))
        else:
            now = figures(result.statements, versions[0].program, _unit(each.currency))
            comparison = compare(each.figures, now)
            payback = _payback(each, comparison.totals.difference, margin)
            held = Against(versions=versions, figures=now, comparison=comparison, payback=payback)
            matched.append(replace(each, against=held))
            continue
        matched.append(each)
    findings += [_unmatched(program, "the simulated documents") for program in others]
    return matched


def _unmatched(program: str, where: str) -> Finding:
    message = f"{program} has no counterpart in {where} and is not compared. Use the same program id on both sides."
    return Finding(code="not_compared", severity="warning", message=message)


def _partial_findings(simulated: Sequence[Simulated], window: Period) -> list[Finding]:
    return [
        Finding(
            code="partial_periods",
            severity="info",
            message=f"The window from {window.from_} until {window.until} holds only a part of {len(each.partial)} period(s) of "
            f"{each.program}: tiers are harder to reach in those. Give --from and --until at the borders of periods.",
        )
        for each in simulated
        if each.partial
    ]


def _names(partners: pa.Table | None, simulated: Sequence[Simulated]) -> dict[Payee, str]:
    """Give the names of payees from a column `name` of the partners, the latest row's where there are several."""
    if partners is None or "name" not in partners.column_names:
        return {}
    rows = partners.select([c for c in ("partner_id", "name", "valid_from") if c in partners.column_names]).to_pylist()
    rows.sort(key=lambda row: row.get("valid_from") or date.min)
    known = {str(row["partner_id"]): str(row["name"]) for row in rows if row["name"] is not None}
    payees = {payee for each in simulated for payee in each.figures.payees}
    payees |= {payee for each in simulated if each.against for payee in each.against.comparison.payees}
    return {payee: known[payee[1]] for payee in payees if payee[0] == "partner" and payee[1] in known}


# Curves


def _with_curves(
    simulated: Sequence[Simulated], laid: Laid, result: Result, other: tuple[Laid, Result] | None, as_of: date | None
) -> list[Simulated]:
    sides = [Side(versions=each.versions, tables=laid.tables, statements=result.statements) for each in simulated]
    if other is not None:
        laid_other, result_other = other
        sides += [
            Side(versions=each.against.versions, tables=laid_other.tables, statements=result_other.statements)
            for each in simulated
            if each.against is not None
        ]
    averages = averages_of(sides, as_of)
    asked = [(number, card) for number, side in enumerate(sides) for terms in side.versions for card in cards_of(terms)]
    drawing = Drawing([card for _, card in asked], [averages[number] for number, _ in asked])
    drawn = drawing.curves()
    places = {number: [at for at, (own, _) in enumerate(asked) if own == number] for number in range(len(sides))}
    finished = []
    held = iter(range(len(simulated), len(sides)))
    for own, each in enumerate(simulated):
        against = each.against
        if against is not None:
            other_side = next(held)
            crossings = drawing.break_even(places[own][-1], places[other_side][-1])
            theirs = tuple(drawn[at] for at in places[other_side])
            against = replace(against, curves=theirs, crossings=crossings)
        finished.append(replace(each, curves=tuple(drawn[at] for at in places[own]), against=against))
    return finished
