"""Gates: conditions on the earner that must hold at the period's end before anything is posted.

A failed gate changes nothing of what is earned; it holds the posting back and says so.
"""

from datetime import date

import pyarrow as pa

from headrace.engine.accounts import Desk
from headrace.engine.findings import Finding
from headrace.engine.pairs import Plan
from headrace.engine.session import text


def hold_back(desk: Desk, plan: Plan) -> list[Finding]:
    """Set to_post to nought in `statement_rows` where a gate fails; reports each."""
    editions = {number for number, rules in plan.rules.items() if rules.gates}
    if not editions:
        return []
    findings: list[Finding] = []
    columns = [row[0] for row in desk.session.rows("SELECT column_name FROM (DESCRIBE partner_rows)")]
    held = [str(column) for column in columns if str(column).startswith("c_")]
    chosen = ", ".join(str(number) for number in sorted(editions))
    rows = desk.session.rows(
        "SELECT r.s, r.payee_no, r.edition, r.payee_id, r.scope, r.until, i.id "
        "FROM statement_rows r LEFT JOIN ids i ON i.no = r.earner_no "
        f"WHERE r.edition IN ({chosen}) ORDER BY ALL"
    )
    failed: list[dict[str, object]] = []
    for s, payee, edition, payee_id, scope, until, earner in rows:
        rules = plan.rules[int(str(edition))]
        day = desk.as_of if until is None else date.fromordinal(_date(until).toordinal() - 1)
        people = _tested(desk, plan, int(str(edition)), str(s), int(str(payee)), str(earner))
        for gate in rules.gates:
            if all(gate.evaluate(_record(desk, each, day, held, gate.columns_used)) is True for each in people):
                continue
            failed.append({"s": int(str(s)), "payee_no": int(str(payee))})
            program = plan.book.editions[int(str(edition))].terms.program
            message = f"{payee_id} {scope} of {program}: the gate {gate.text} does not hold at the end of the period."
            findings.append(Finding(code="gate_failed", severity="info", message=message))
    desk.put("gates_failed", failed, [("s", pa.string()), ("payee_no", pa.int32())])
    desk.session.execute(
        "UPDATE statement_rows SET to_post = CAST(0 AS DECIMAL(28, 6)) WHERE EXISTS "
        "(SELECT 1 FROM gates_failed g WHERE g.s = statement_rows.s AND g.payee_no = statement_rows.payee_no)"
    )
    return findings


def _date(value: object) -> date:
    assert isinstance(value, date)
    return value


def _tested(desk: Desk, plan: Plan, edition: int, s: str, payee: int, earner: str) -> list[str]:
    """Give the partners whose facts count: the earner, or the sellers of a person's or group's lines."""
    if plan.book.editions[edition].terms.earner not in {"rep", "group"}:
        return [earner]
    found = desk.session.rows(
        "SELECT DISTINCT b.partner_id FROM pairs p JOIN base b ON b.line_id = p.line_id "
        f"WHERE p.s = {s} AND p.payee_no = {payee} "
        "AND (p.measures OR p.reason IS NULL) AND b.partner_id IS NOT NULL ORDER BY ALL"
    )
    return [str(row[0]) for row in found] or [earner]


def _record(desk: Desk, partner: str, day: date, held: list[str], used: frozenset[str]) -> dict[str, object]:
    """Give the partner's facts on a day as the rule names them; what a gate cannot know is null."""
    number = day.toordinal() - date(1970, 1, 1).toordinal()
    columns = ", ".join('"' + column.replace('"', '""') + '"' for column in held)
    rows = desk.session.rows(
        f"SELECT {columns} FROM partner_rows WHERE id = {text(partner)} AND since <= {number} AND until > {number} LIMIT 1"
    )
    facts = dict(zip((column[2:] for column in held), rows[0], strict=True)) if rows else {}
    return {
        name: facts.get(name.partition(".")[2]) if name.startswith(("partner.", "seller.")) else None for name in used
    }
