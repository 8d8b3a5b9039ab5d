"""Qualify: place each line, find its earner, scope and period, and say why it does not count (semantics, 1 to 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from headrace.engine.terms.model import Input, Terms
from tests.reference.conditions import holds
from tests.reference.facts import NOTHING, RETURNS, Row, World, day, occurred, text
from tests.reference.fifo import Cost, costs_of
from tests.reference.needs import missing_values, needed_words, unquoted
from tests.reference.periods import Period, Program

EARNER_COLUMN = {
    "seller": "partner_id",
    "buyer": "buyer_id",
    "reporter": "reporter_id",
    "rep": "rep_id",
    "group": "partner_id",
}
type Place = tuple[date, bytes, int, date, bytes]
type Scope = tuple[tuple[str, str], ...]


@dataclass
class Judged:
    """One line as one version of a program sees it."""

    line: Row
    place: Place
    terms: Terms | None = None
    period: Period | None = None
    earner: str | None = None
    payee: tuple[str, str] = ("partner", "")
    scope: Scope = ()
    records: Mapping[str, Row] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # every reason, in order
    early: bool = False  # not_enrolled only because it came before the enrolment, and the program counts it
    measured_by_rule: bool = False

    @property
    def placed_on(self) -> date:
        """The day that picks period, version, rate card, facts and exchange rate."""
        return self.place[0]

    @property
    def earns(self) -> bool:
        """No reason stands against the line."""
        return not self.faults

    @property
    def measures(self) -> bool:
        """Nothing but `lines` (or an early enrolment that counts) stands against it, and `measure.lines` is met."""
        soft = {"lines_rule", "lines_unknown"} | ({"not_enrolled"} if self.early else set())
        return self.measured_by_rule and set(self.faults) <= soft


def own_place(line: Row) -> Place:
    """A line stands at its own date and id."""
    identity = str(line["line_id"]).encode()
    return (occurred(line), identity, 0, occurred(line), identity)


def place_of(world: World, program: Program, line: Row, findings: set[str], under: Terms | None = None) -> Place:
    """Give the place of a line; a return of a known sale of the same earner stands right behind that sale.

    under: the version to read by; otherwise the one in force on the sale's date.
    """
    original = text(line, "original_line_id")
    if line["kind"] not in RETURNS or original is None:
        return own_place(line)
    sale = world.lines.get(original)
    if sale is None:
        findings.add("original_unknown")
        return own_place(line)
    terms = under or program.governing(occurred(sale))
    reader = terms or program.versions[0]
    if sale["kind"] in RETURNS or (terms is not None and terms.returns == "own_date"):
        return own_place(line)
    period = program.period_of(occurred(sale), reader)
    theirs, ours = (earner_on(world, reader, each, occurred(sale), period) for each in (sale, line))
    if theirs is None or theirs != ours:
        return own_place(line)
    return (occurred(sale), original.encode(), 1, occurred(line), str(line["line_id"]).encode())


def earner_on(world: World, terms: Terms, line: Row, placed_on: date, period: Period | None) -> str | None:
    """Name the earner of a line; a group is the one that the seller belongs to on the fact date."""
    column = EARNER_COLUMN[terms.earner]
    if terms.earner != "group":
        return text(line, column)
    on = fact_date(terms, placed_on, period, None)
    return text(world.row_on("partners", text(line, column), on), "group_id")


def fact_date(terms: Terms, placed_on: date, period: Period | None, enrolment: Input | None) -> date:
    """Give the day on which the partners' facts are read."""
    if terms.facts_as_of == "period_start" and period is not None:
        return period.from_ or placed_on
    if terms.facts_as_of == "period_end" and period is not None:
        return period.last_day or placed_on
    if terms.facts_as_of == "enrolment" and enrolment is not None and terms.earner not in {"rep", "group"}:
        return enrolment.enrolled_from or placed_on
    return placed_on


def enrolment_of(terms: Terms, earner: str | None) -> Input | None:
    """Find the inputs row that enrols an earner."""
    for row in terms.inputs:
        if row.earner == earner and row.enrolled_from is not None:
            return row
    return None


def judge(
    world: World,
    program: Program,
    line: Row,
    findings: set[str],
    *,
    under: Terms | None = None,
    window: Period | None = None,
    is_lot: bool = False,
) -> Judged:
    """Say how one program sees one line: its place, and every reason against it in order.

    under, window: judge for a baseline, by this version whatever its validity, in this span of days. is_lot: a held lot, whose
    kind and stage are not looked at and which needs no values.
    """
    judged = Judged(line, place_of(world, program, line, findings, under))
    terms = under or program.governing(judged.placed_on)
    if terms is None:
        judged.faults.append("outside_validity")
        return judged
    judged.terms = terms
    judged.period = window or program.period_of(judged.placed_on, terms)
    judged.earner = earner_on(world, terms, line, judged.placed_on, judged.period)
    enrolment = enrolment_of(terms, judged.earner)
    on = fact_date(terms, judged.placed_on, judged.period, enrolment)
    judged.records = _records(world, terms, judged, on)
    judged.payee = _payee(terms, judged, findings)
    scope = [(word, _scope_value(word, judged)) for word in terms.measure.per]
    judged.scope = tuple((word, value or "") for word, value in scope)
    if not is_lot:
        _kind_faults(terms, judged)
    _earner_faults(world, terms, judged)
    _enrolment_faults(terms, judged, enrolment)
    _rule_fault(judged, "partners", terms.partners)
    if any(value is None for _, value in scope):
        judged.faults.append("scope_missing")
    if judged.period is None:
        judged.faults.append("no_period")
        findings.add("no_period")
    _late_fault(terms, judged, findings)
    _rule_fault(judged, "lines", terms.lines)
    if not is_lot:
        _value_faults(world, terms, judged)
    measured = terms.measure.lines if terms.measure.lines is not None else terms.lines
    judged.measured_by_rule = holds(measured, judged.records) is True
    return judged


def _records(world: World, terms: Terms, judged: Judged, on: date) -> dict[str, Row]:
    line, placed_on = judged.line, judged.placed_on
    partner_column = "partner_id" if terms.earner in {"rep", "group"} else EARNER_COLUMN[terms.earner]
    return {
        "line": line,
        "partner": world.row_on("partners", text(line, partner_column), on),
        "seller": world.row_on("partners", text(line, "partner_id"), on),
        "buyer": world.row_on("partners", text(line, "buyer_id"), on),
        "product": world.row_on("products", text(line, "product_id"), placed_on),
        "deal": world.deal_for(line, placed_on),
    }


def _payee(terms: Terms, judged: Judged, findings: set[str]) -> tuple[str, str]:
    """Name who is paid; where that is not known, the earner, with a warning."""
    kind = "person" if terms.earner == "rep" else "partner"
    if terms.paid_to == "earner" or judged.earner is None:
        return kind, judged.earner or ""
    partner = judged.records["partner"]
    payee = text(partner, "group_id" if terms.paid_to == "group_head" else "parent_id")
    reporter = text(judged.line, "reporter_id")
    if terms.paid_to == "distributor" and reporter is not None and reporter != judged.earner:
        payee = reporter
    if payee is None:
        findings.add("payee_missing")
        return kind, judged.earner
    return "partner", payee


def _scope_value(word: str, judged: Judged) -> str | None:
    records, line = judged.records, judged.line
    if word == "earner":
        return judged.earner
    if word == "group":
        return text(records["partner"], "group_id") or judged.earner
    if word == "family":
        return text(records["product"], "family")
    if word == "line":
        return text(line, "line_id")
    if "." in word:
        record, column = word.split(".")
        value = records[record].get(column)
        return None if value is None else written(value)
    return text(line, f"{word}_id")


def written(value: object) -> str:
    """Write a cell as the text that a scope shows."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | str):
        return str(value)
    digits = f"{value:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _kind_faults(terms: Terms, judged: Judged) -> None:
    line = judged.line
    if line["kind"] not in terms.kinds:
        judged.faults.append("kind")
    if line["stage"] not in terms.stage:
        judged.faults.append("stage")
    if line.get("internal") is True and not terms.internal:
        judged.faults.append("internal")


def _earner_faults(world: World, terms: Terms, judged: Judged) -> None:
    line = judged.line
    unknown = terms.earner != "rep" and "partners" in world.references and judged.records["partner"] is NOTHING
    if line.get(EARNER_COLUMN[terms.earner]) is None or (judged.earner is None and not unknown):
        judged.faults.append("earner_missing")
    elif unknown:
        judged.faults.append("earner_unknown")


def _enrolment_faults(terms: Terms, judged: Judged, enrolment: Input | None) -> None:
    if enrolment is None:
        if terms.enrolled:
            judged.faults.append("not_enrolled")
        return
    assert enrolment.enrolled_from is not None
    if judged.placed_on < enrolment.enrolled_from:
        judged.faults.append("not_enrolled")
        judged.early = terms.counts_from == "program"
    elif enrolment.enrolled_until is not None and judged.placed_on >= enrolment.enrolled_until:
        judged.faults.append("not_enrolled")


def _rule_fault(judged: Judged, key: str, rule: str | None) -> None:
    answer = holds(rule, judged.records)
    if answer is not True:
        judged.faults.append(f"{key}_rule" if answer is False else f"{key}_unknown")


def _late_fault(terms: Terms, judged: Judged, findings: set[str]) -> None:
    received = day(judged.line, "received_on")
    if terms.settle.late not in {"forfeit", "ask"} or received is None:
        return
    if judged.period is None or judged.period.until is None:
        return
    if received >= judged.period.until + timedelta(days=terms.settle.grace_days):
        judged.faults.append("late")
        if terms.settle.late == "ask":
            findings.add("late")


def _value_faults(world: World, terms: Terms, judged: Judged) -> None:
    cost = Cost(Fraction(0))
    if "fifo" in needed_words(terms, judged.placed_on):
        cost = costs_of(world).of(terms, judged.line)
    if missing_values(terms, judged.records, judged.placed_on) or (cost.value is None and not cost.unquoted):
        judged.faults.append("value_missing")
    if unquoted(world, terms, judged.line, judged.placed_on, judged.period) or cost.unquoted:
        judged.faults.append("no_exchange_rate")
