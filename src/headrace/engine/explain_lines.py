"""Reads the lines of one statement from the tables of the plan: places, parts, steps, running shares and awards."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from headrace.engine.book import day_of
from headrace.engine.explain import Beside, Line, Part, Special, Step
from headrace.engine.pairs import PairsOf
from headrace.engine.run import Wave
from headrace.engine.schedule import opened_parts, opened_shares
from headrace.engine.values import Values


def lines_of(wave: Wave, s: int, payee_no: int) -> tuple[Line, ...]:
    """Give the earning lines of a payee in a scope, in order of place."""
    session, needs = wave.desk.session, wave.plan.needs
    parts: dict[int, list[Part]] = {}
    for row in session.fetch(opened_parts(needs, s)).to_pylist():
        parts.setdefault(int(row["k"]), []).append(
            Part(
                position=row["position"], base=row["base"], units=row["units"], rate=row["rate"],
                per_unit=row["per_unit"], share=row["share"], table_row=row["table_row"], special=_special(row),
            )
        )  # fmt: skip
    quotes = _quotes(wave, s)
    taken, join = _taken(wave)
    rows = session.fetch(
        f"SELECT a.*, o.priced, o.boosted, o.whole, o.share AS limited, o.b AS paid_base, q.m AS raw_m, q.b AS raw_b, "
        "l.original_line_id, l.amount AS line_amount, l.quantity AS line_quantity, l.currency AS line_currency, "
        f"{taken} AS taken_off, d.version, x.program_id AS winner FROM awards_made a "
        f"JOIN ({opened_shares(needs, s)}) o ON o.k = a.k "
        f"JOIN {wave.source} q ON q.s = a.s AND q.k = a.k AND q.program = a.program "
        "LEFT JOIN base l ON l.line_id = a.line_id JOIN edition_labels d ON d.edition = a.edition "
        f"{join}LEFT JOIN program_labels x ON x.program = a.lost_to WHERE a.s = {s} AND a.payee_no = {payee_no} ORDER BY a.k"
    ).to_pylist()
    return tuple(_line(row, parts.get(int(row["k"]), []), quotes) for row in rows)


def _special(row: Mapping[str, Any]) -> Special | None:
    prices = {name: row.get(name) for name in ("down_to", "down_by", "margin_to")}
    if all(price is None for price in prices.values()):
        return None
    return Special(cost=row["cost"], amount=row["amount"], quantity=row["quantity"], **prices)


def _taken(wave: Wave) -> tuple[str, str]:
    """Write what the awards of earlier programs took off a line's base, and the join that it needs."""
    session = wave.desk.session
    reduced = {row[0] for row in session.rows("SELECT DISTINCT later FROM reductions")}
    if not reduced & set(wave.programs) or not session.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'taken'"):
        return "CAST(0 AS DECIMAL(28, 6))", ""
    join = "LEFT JOIN taken tk ON tk.program = a.program AND tk.n = a.n "
    return "coalesce(tk.taken_off, CAST(0 AS DECIMAL(28, 6)))", join


def _line(row: Mapping[str, Any], parts: list[Part], quotes: Mapping[str, tuple[Decimal, date]]) -> Line:
    placed = day_of(row["day"])
    rate, quoted = quotes.get(row["line_id"], (None, None))
    return Line(
        line_id=row["line_id"], kind=row["kind"], occurred_on=row["occurred_on"], placed_on=placed or row["occurred_on"],
        original_line_id=row["original_line_id"], version=row["version"], amount=row["line_amount"],
        quantity=row["line_quantity"], currency=row["line_currency"], exchange_rate=rate, quoted_on=quoted,
        measure=row["m"], measure_before=row["before"], measure_after=row["after"],
        base=row["paid_base"], counted=_counted(row), tier=row["position"],
        parts=tuple(parts), priced=row["priced"], steps=_steps(row),
        own=row["share"], exact_before=row["exact_before"], exact_after=row["exact_after"], award=row["award"],
        verified=bool(row.get("verified", True)), lost_to=row["winner"],
    )  # fmt: skip


def _counted(row: Mapping[str, Any]) -> tuple[Step, ...]:
    """Give what changed the measure and the base of a line before it was priced."""
    steps: list[Step] = []
    base = row["raw_b"]
    if row["taken_off"]:
        steps.append(Step(code="reduced_by_others", before=base, after=base - row["taken_off"], parameters={}))
        base = base - row["taken_off"]
    if row["m"] != row["raw_m"] and row["measures"]:
        steps.append(Step(code="measure_cap", before=row["raw_m"], after=row["m"], parameters={}))
    if row["paid"] != base:
        steps.append(Step(code="base_of_counted_measure", before=base, after=row["paid"], parameters={}))
    if row["paid_base"] != row["paid"]:
        code = "free_allowance" if "wholly_free" in row else "quantity_max"
        steps.append(Step(code=code, before=row["paid"], after=row["paid_base"], parameters={}))
    return tuple(steps)


def _steps(row: Mapping[str, Any]) -> tuple[Step, ...]:
    """Give what changed the line's own share after its coefficients, in the order in which it did."""
    marks = [("boost", row["priced"], row["boosted"]), ("fixed", row["boosted"], row["whole"])]
    marks += [("line_limit", row["whole"], row["limited"]), ("lost_to", row["limited"], row["share"])]
    told = {"lost_to": {"program": row["winner"]}} if row["winner"] else {}
    return tuple(
        Step(code=code, before=before, after=after, parameters=told.get(code, {}))
        for code, before, after in marks
        if before != after
    )


def _quotes(wave: Wave, s: int) -> dict[str, tuple[Decimal, date]]:
    """Give, by line, the exchange rate and its quote day, for lines that were converted."""
    session, plan = wave.desk.session, wave.plan
    found: dict[str, tuple[Decimal, date]] = {}
    editions = {int(str(row[0])) for row in session.rows(f"SELECT DISTINCT edition FROM measured WHERE s = {s}")}
    for feed in plan.feeds:
        for edition in (each for each in feed.editions if each.number in editions):
            pairs = PairsOf(plan, replace(feed, editions=[edition]))
            columns = Values(pairs).exchange()
            if not columns:
                continue
            lines = f"l.n IN (SELECT n FROM measured WHERE s = {s} AND edition = {edition.number})"
            for line_id, rate, day in session.rows(pairs.record({"line_id": "l.line_id", **columns}, lines)):
                if isinstance(rate, Decimal) and isinstance(day, date):
                    found[str(line_id)] = (rate, day)
    return found


def beside(wave: Wave, s: int, payee_no: int) -> tuple[Beside, ...]:
    """Count the lines that move the measure of a scope and do not earn for the payee; those of others are never named."""
    rows = wave.desk.session.rows(
        f"SELECT CASE WHEN payee_no = {payee_no} THEN 'measures_only' ELSE 'other_payees' END AS code, count(*), sum(m) "
        f"FROM measured WHERE s = {s} AND NOT (earns AND payee_no = {payee_no}) GROUP BY code ORDER BY code"
    )
    return tuple(
        Beside(code=str(code), lines=int(str(lines)), measure=Decimal(str(total))) for code, lines, total in rows
    )
