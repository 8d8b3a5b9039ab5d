"""The rows that a run shows: statements and awards in the columns of the engine's contract (semantics, 8)."""

import json
from collections.abc import Sequence
from fractions import Fraction

from tests.reference.against import row_fits
from tests.reference.conditions import holds
from tests.reference.facts import Row, World
from tests.reference.limits import Statement
from tests.reference.measure import Entry
from tests.reference.numbers import ZERO, number, shown, total
from tests.reference.periods import payable_on


def scope_text(statement: Statement) -> str:
    """Write a scope as its canonical JSON text."""
    return json.dumps(dict(statement.scope), ensure_ascii=False, separators=(",", ":"))


def _head(statement: Statement) -> dict[str, object]:
    return {
        "program": statement.program.id,
        "version": statement.terms.version,
        "payee_kind": statement.payee[0],
        "payee_id": statement.payee[1],
        "scope": scope_text(statement),
        "from": statement.period.from_,
        "until": statement.period.until,
    }


def statement_row(
    world: World,
    statement: Statement,
    accrued: Fraction,
    forecast: Fraction | None,
    findings: set[str],
    *,
    first: bool,
) -> dict[str, object]:
    """Give the statement's row. first: of the payees of its scope."""
    terms, lines = statement.terms, statement.scope_entries
    measure = lines[-1].after if lines else ZERO
    band = lines[-1].band_at(measure) if lines else None
    following = [each for each in lines[-1].bands if not each.reached(measure)] if lines else []
    posted = total(
        number(row["amount"])
        for row in world.rows("posted")
        if row_fits(row, terms, statement.scope, statement.period) and _to_payee(row, statement, first, findings)
    )
    unverified = total(entry.award for entry in statement.entries if entry.earns and not verified(entry))
    carried_in, carried = statement.carried_in or ZERO, statement.carried or ZERO
    to_post = statement.earned + carried_in - carried - unverified - posted
    if not _gates_open(world, statement):
        findings.add("gate_failed")
        to_post = ZERO
    wait = terms.settle.grace_days + terms.settle.hold_days
    return _head(statement) | {
        "measure": shown(measure),
        "base": shown(total(entry.base for entry in statement.entries)),
        "tier": None if band is None else band.position,
        "earned": shown(statement.earned),
        "unverified": shown(unverified),
        "posted": shown(posted),
        "to_post": shown(to_post),
        "accrued": shown(accrued),
        "forecast": shown(forecast),
        "currency": terms.currency,
        "lines": sum(entry.earns for entry in statement.entries),
        "next_from": shown(following[0].edge) if following else None,
        "next_distance": shown(following[0].edge - measure) if following else None,
        "carried": shown(statement.carried),
        "carried_in": shown(statement.carried_in),
        "payable_on": payable_on(statement.period, wait, terms.settle.pay_day),
    }


def _to_payee(row: Row, statement: Statement, first: bool, findings: set[str]) -> bool:
    """Tell whether a posting of the scope belongs to the statement's payee; one that names nobody belongs to the first."""
    if row.get("payee_kind") not in {None, statement.payee[0]}:
        return False
    if row.get("payee_id") is not None:
        return row["payee_id"] == statement.payee[1]
    if not first:
        findings.add("posted_ambiguous")
    return first


def verified(entry: Entry) -> bool:
    """Tell whether the line has passed what it must before it is paid."""
    return holds(entry.terms.verify, entry.judged.records) is True


def _gates_open(world: World, statement: Statement) -> bool:
    """Test the gates on the earners' facts at the period's end."""
    terms = statement.terms
    on = statement.period.last_day or world.as_of
    column = "partner_id" if terms.earner in {"rep", "group"} else None
    for gate in terms.gate:
        for entry in statement.entries:
            identity = entry.judged.line["partner_id"] if column else entry.judged.earner
            partner = world.row_on("partners", None if identity is None else str(identity), on)
            if holds(gate, {**entry.judged.records, "partner": partner}) is not True:
                return False
        if not statement.entries:
            partner = world.row_on("partners", statement.earner, on)
            if holds(gate, {"partner": partner}) is not True:
                return False
    return True


def award_rows(statement: Statement) -> list[dict[str, object]]:
    """Give one row for each qualifying line, and one for an amount that no line explains."""
    rows = []
    for entry in statement.entries:
        if not entry.earns:
            continue
        band = entry.band_at(entry.after)
        row = _head(statement) | {
            "version": entry.terms.version,
            "line_id": entry.line_id,
            "occurred_on": entry.judged.line["occurred_on"],
            "measure": shown(entry.m),
            "measure_after": shown(entry.after),
            "base": shown(entry.base),
            "tier": None if band is None else band.position,
            "rate": shown(entry.rate),
            "award": shown(entry.award),
            "verified": verified(entry),
            "lost_to": entry.lost_to,
        }
        rows.append(row)
    if statement.lifted:
        empty = dict.fromkeys(("occurred_on", "measure", "measure_after", "base", "tier", "rate", "lost_to"))
        award = {"line_id": None, "award": shown(statement.lifted), "verified": True}
        rows.append(_head(statement) | empty | award)
    return rows


def settled_before(statement: Statement, fixed: Sequence[Row]) -> Row | None:
    """Find the finalised statement of the same program, payee, scope and period."""
    head = _head(statement)
    keys = ("program", "payee_kind", "payee_id", "scope", "from", "until")
    for row in fixed:
        if all(row[key] == head[key] for key in keys):
            return row
    return None
