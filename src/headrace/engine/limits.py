"""Cuts, lifts, rounds: from the exact shares of a scope to awards that add up to its statement.

Everything after the schedule is a function of the running share C of a payee in a scope, in the order of the lines; a line's
award is round(C after it) − round(C before it), so that awards always add up to round(C at the end). Order of effects, with
semantics §7: 4 proration, 5 cap of the scope, 6 guarantee, 7 limit of the program, 8 negatives, 9 rounding, 10 minimum.
"""

from headrace.engine.measure import RUNNING, in_order
from headrace.engine.numeric import SHARE, SUM, rounded_by, share
from headrace.engine.schedule import part_by_base
from headrace.engine.session import Session

_ZERO = f"CAST(0 AS {SUM})"


def total_payees(session: Session) -> None:
    """Make `payees`: one row per payee and scope, with its own share, its part of shared amounts and its base.

    shared: `spread`, its part of what belongs to no line, and `rolled`, what its lines have of rolling tiers.
    """
    session.table(
        "payee_totals",
        f"SELECT s, payee_no, CAST(max(program) AS INTEGER) AS program, CAST(sum(share) AS {SHARE}) AS share, "
        f"CAST(sum(rolled) AS {SUM}) AS rolled, "
        f"CAST(sum(paid) AS {SUM}) AS base, CAST(count(*) FILTER (WHERE earns) AS BIGINT) AS lines, "
        "min(k) FILTER (WHERE earns) AS first_k, max(k) FILTER (WHERE earns) AS last_k, max_by(earner_no, k) AS earner_no "
        "FROM line_shares GROUP BY s, payee_no",
    )
    whole = "OVER (PARTITION BY t.s)"
    session.view(
        "payee_bases",
        f"SELECT t.*, w.card, w.edition, w.total, w.ladder, coalesce(a.amount, {_ZERO}) AS scope_amount, "
        f"CAST(sum(t.base) OVER (PARTITION BY t.s ORDER BY t.payee_no {RUNNING}) AS {SUM}) AS base_upto, "
        f"CAST(sum(t.base) {whole} AS {SUM}) AS scope_base, max(t.last_k) {whole} AS scope_k "
        "FROM payee_totals t JOIN scopes w ON w.s = t.s LEFT JOIN shared a ON a.s = t.s",
    )
    part = part_by_base("scope_amount", "base_upto", "base", "scope_base", "last_k = scope_k")
    spread = f"CASE WHEN scope_k IS NULL THEN {_ZERO} ELSE {part} END AS spread"
    session.table(
        "payees",
        f"SELECT *, CAST(spread + rolled AS {SUM}) AS shared FROM ("
        f"SELECT * EXCLUDE (base_upto, scope_base, scope_k, scope_amount), {spread} FROM payee_bases)",
    )


def entitle(session: Session) -> None:
    """Make `entitled`: payees with what limits them and their exact entitlement after step 5, as `entitlement`.

    `payee_limits` says for whom days in force, an exit or an own cap count: s, payee_no, days, days_of, forfeited, cap.
    """
    session.view(
        "payees_limited",
        "SELECT p.*, c.negative, c.decimals, coalesce(l.cap, c.payout_max) AS cap, l.days, l.days_of, "
        "coalesce(l.forfeited, FALSE) AS forfeited FROM payees p JOIN card_terms c ON c.card = p.card "
        "LEFT JOIN payee_limits l ON l.s = p.s AND l.payee_no = p.payee_no",
    )
    session.table("entitled", f"SELECT p.*, {limited('p.share', 'p.shared', 'p')} AS entitlement FROM payees_limited p")


def limited(own: str, shared: str, payee: str) -> str:
    """Write steps 4 and 5 over a running own share and a running shared amount."""
    whole = f"CAST({own} + {shared} AS {SHARE})"
    prorated = (
        f"CASE WHEN {payee}.days IS NULL THEN {whole} ELSE "
        f"{share(whole, f'{payee}.days', f'{payee}.days_of', scale=12)} END"
    )
    capped = f"CASE WHEN {payee}.cap IS NULL THEN {prorated} ELSE least({prorated}, CAST({payee}.cap AS {SHARE})) END"
    return f"CASE WHEN {payee}.forfeited THEN CAST(0 AS {SHARE}) ELSE {capped} END"


def run_exact(session: Session) -> None:
    """Make the view `exact_lines`: qualifying lines with the exact entitlement before and after each, after step 6.

    `lifts` says by how much a guarantee lifts a payee's scope: s, payee_no, lift.
    """
    running = in_order("s, payee_no")
    session.view(
        "running_shares",
        f"SELECT *, CAST(sum(share + rolled) {running} AS {SHARE}) AS share_upto, "
        f"CAST(sum(paid) {running} AS {SUM}) AS base_upto "
        "FROM line_shares WHERE earns",
    )

    def spread(amount: str, base: str, last: str) -> str:
        alone = f"CASE WHEN {last} THEN {amount} ELSE {_ZERO} END"
        return (
            f"CASE WHEN {amount} = 0 THEN {_ZERO} WHEN c.base = 0 THEN {alone} ELSE {share(amount, base, 'c.base')} END"
        )

    def exact(own: str, base: str, last: str) -> str:
        entitlement = limited(own, spread("c.spread", base, last), "c")
        return f"CAST({entitlement} + {spread(f'coalesce(f.lift, {_ZERO})', base, last)} AS {SHARE})"

    after = exact("r.share_upto", "r.base_upto", "r.k = c.last_k")
    before = exact("(r.share_upto - r.share - r.rolled)", "(r.base_upto - r.paid)", "FALSE")
    session.view(
        "exact_lines",
        f"SELECT r.*, {after} AS exact_after, {before} AS exact_before FROM running_shares r "
        "JOIN entitled c ON c.s = r.s AND c.payee_no = r.payee_no LEFT JOIN lifts f ON f.s = r.s AND f.payee_no = r.payee_no",
        reread=True,
    )


def limit_programs(session: Session, limits: bool) -> None:
    """Cut the running sum over all statements of a program at its limit (step 7), where there is one: `final_lines`.

    `program_limits` says what is left of a program's limit: program, remaining; `settled_before` which scopes are finalised;
    `lifted_alone` the lifts that no line explains, with their place: s, payee_no, program, k, lift. Also makes `finals_exact`: s,
    payee_no, exact.
    """
    if not limits:
        session.view(
            "finals_exact",
            f"SELECT e.s, e.payee_no, CAST(e.entitlement + coalesce(f.lift, {_ZERO}) AS {SHARE}) AS exact FROM entitled e "
            "LEFT JOIN lifts f ON f.s = e.s AND f.payee_no = e.payee_no",
        )
        return
    session.table("uncut_lines", "SELECT * FROM exact_lines")
    cells = (
        "SELECT s, payee_no, program, k, FALSE AS alone, exact_after - exact_before AS amount FROM uncut_lines UNION ALL "
        f"SELECT s, payee_no, program, k, TRUE AS alone, CAST(lift AS {SHARE}) AS amount FROM lifted_alone"
    )
    upto = f"CAST(sum(c.amount) {in_order('c.program', 'c.k, c.payee_no, c.s')} AS {SHARE})"
    session.table(
        "cut_lines",
        f"SELECT s, payee_no, k, alone, CAST(least(upto, remaining) - least(upto - amount, remaining) AS {SHARE}) "
        f"AS amount FROM ("
        f"SELECT c.*, l.remaining, {upto} AS upto FROM ({cells}) c JOIN program_limits l ON l.program = c.program "
        "LEFT JOIN settled_before b ON b.s = c.s AND b.payee_no = c.payee_no WHERE b.s IS NULL)",
    )
    after = f"CAST(sum(amount) {in_order('s, payee_no')} AS {SHARE})"
    session.view("cut_running", f"SELECT *, {after} AS exact_after FROM cut_lines WHERE NOT alone")
    session.view(
        "final_lines",
        "SELECT e.* REPLACE (coalesce(c.exact_after, e.exact_after) AS exact_after, coalesce(c.exact_after - "
        "c.amount, e.exact_before) AS exact_before) "
        "FROM uncut_lines e LEFT JOIN cut_running c ON c.s = e.s AND c.payee_no = e.payee_no AND c.k = e.k",
    )
    session.view(
        "finals_exact",
        f"SELECT e.s, e.payee_no, CASE WHEN p.program IS NULL OR b.s IS NOT NULL THEN CAST(e.entitlement + "
        f"coalesce(f.lift, {_ZERO}) AS {SHARE}) "
        f"ELSE coalesce(c.amount, CAST(0 AS {SHARE})) END AS exact FROM entitled e "
        "LEFT JOIN program_limits p ON p.program = e.program LEFT JOIN settled_before b ON b.s = e.s AND "
        "b.payee_no = e.payee_no "
        f"LEFT JOIN (SELECT s, payee_no, CAST(sum(amount) AS {SHARE}) AS amount FROM cut_lines GROUP BY s, payee_no) c "
        "ON c.s = e.s AND c.payee_no = e.payee_no LEFT JOIN lifts f ON f.s = e.s AND f.payee_no = e.payee_no",
    )


def settle(session: Session, decimals: set[int]) -> None:
    """Make `settled`: per payee and scope what is earned. decimals: those that some program rounds to.

    `outcomes` holds what the chain of a payee's periods decided, for programs where it matters: s, payee_no, start (the remainder
    that came in), zeroed, earned, carried, carried_in.
    """
    rounded = rounded_by("x.exact", "e.decimals", decimals)
    session.table(
        "settled",
        f"SELECT e.*, x.exact, coalesce(o.start, CAST(0 AS {SHARE})) AS start, o.carried, o.carried_in, "
        "coalesce(o.zeroed, e.negative = 0 AND x.exact < 0) AS zeroed, "
        f"CASE WHEN o.s IS NOT NULL THEN o.earned WHEN e.negative = 0 AND x.exact < 0 THEN {_ZERO} ELSE {rounded} "
        f"END AS earned "
        "FROM entitled e JOIN finals_exact x ON x.s = e.s AND x.payee_no = e.payee_no "
        "LEFT JOIN outcomes o ON o.s = e.s AND o.payee_no = e.payee_no",
    )


def award(session: Session, decimals: set[int], *, limited: bool) -> None:
    """Make the view `awards_made`: one row per qualifying line, whose awards add up to `settled.earned`.

    limited: some program has a limit over all of its statements, so that `final_lines` are not simply the exact ones.
    """
    after = rounded_by(f"CAST(l.exact_after + c.start AS {SHARE})", "c.decimals", decimals)
    before = rounded_by(f"CAST(l.exact_before + c.start AS {SHARE})", "c.decimals", decimals)
    session.view(
        "awards_made",
        f"SELECT l.*, CASE WHEN c.zeroed THEN {_ZERO} WHEN l.k = c.first_k THEN {after} ELSE CAST({after} - "
        f"{before} AS {SUM}) END AS award "
        f"FROM {'final_lines' if limited else 'exact_lines'} l JOIN settled c ON c.s = l.s AND c.payee_no = l.payee_no",
    )
