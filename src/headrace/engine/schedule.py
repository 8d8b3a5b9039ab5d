"""Turns the running measure and the base into exact shares: the one place where tiers and tables are read.

Lines that stay on one step of their ladder are priced by its coefficients; the few that cross an edge are split into parts first.
What belongs to no line of its own (bonuses, rolling tiers, packages, growth) is a shared amount of the scope.
"""

from headrace.engine.ladders import INCREMENTAL, RETROACTIVE, ROLLING, TOTAL
from headrace.engine.measure import SPECIALS, in_order
from headrace.engine.numeric import SHARE, SUM, product_line, product_rate, round6, scaled, share
from headrace.engine.session import Session
from headrace.engine.values import UNITS, Needs

_NOUGHT = f"CAST(0 AS {SHARE})"
_ZERO = f"CAST(0 AS {SUM})"


def on_step(measure: str, step: str) -> str:
    """Write the condition that a measure lies on a step."""
    return (
        f"({measure} > {step}.low OR ({measure} = {step}.low AND NOT {step}.low_open)) AND "
        f"({measure} < {step}.high OR ({measure} = {step}.high AND {step}.high_open))"
    )


def _values(needs: Needs) -> list[tuple[str, str]]:
    return [("b", SUM), ("u", UNITS), *((each, SUM) for each in SPECIALS if needs.special)]


def take_free(session: Session, needs: Needs) -> str:
    """Take the free allowance off; gives the name of the relation that is left."""
    if not needs.free:
        return "measured"
    before = "(upto - b)"
    gone = (
        "CASE WHEN NOT earns OR (free_lines IS NULL AND free_amount IS NULL) OR nth > coalesce(free_lines, nth) THEN "
        f"CAST(0 AS {SUM}) WHEN free_amount IS NULL THEN b ELSE CAST(least(upto, free_amount) - least({before}, "
        f"free_amount) AS {SUM}) END"
    )
    allowed = "earns AND (free_lines IS NOT NULL OR free_amount IS NOT NULL) AND nth <= coalesce(free_lines, nth)"
    wholly = f"({allowed} AND gone = b AND (b <> 0 OR free_amount IS NULL OR upto < free_amount))"
    left = [f"CAST(b - gone AS {SUM}) AS b"]
    for column, kind in _values(needs)[1:]:
        part = f"CASE WHEN {wholly} THEN 0 WHEN gone = 0 OR b = 0 THEN {column} ELSE {share(column, '(b - gone)', 'b')} END"
        left.append(f"CAST({part} AS {kind}) AS {column}")
    session.view(
        "freed",
        f"SELECT * EXCLUDE (nth, upto, gone, free_lines, free_amount) REPLACE ({', '.join(left)}), {wholly} AS "
        f"wholly_free FROM ("
        f"SELECT *, {gone} AS gone FROM (SELECT l.*, t.free_lines, t.free_amount, "
        f"sum(CASE WHEN earns THEN 1 ELSE 0 END) {in_order('s')} AS nth, CAST(sum(b) {in_order('s')} AS {SUM}) AS upto "
        "FROM measured l JOIN card_terms t ON t.card = l.card))",
    )
    return "freed"


def clip_tables(session: Session, needs: Needs, source: str) -> str:
    """Cut base and units where the running units of a table row pass its quantity; gives the relation that is left."""
    if not needs.quantity_max:
        return source
    counted = "CAST(least(upto, quantity_max) - least(upto - u, quantity_max) AS DECIMAL(19, 6))"
    base = (
        f"CASE WHEN quantity_max IS NULL THEN b WHEN u = 0 THEN CASE WHEN upto < quantity_max THEN b ELSE {_ZERO} END "
        f"WHEN {counted} = u THEN b ELSE {share('b', counted, 'u')} END"
    )
    session.view(
        "clipped",
        f"SELECT * EXCLUDE (upto, quantity_max) REPLACE (CAST({base} AS {SUM}) AS b, "
        f"CASE WHEN quantity_max IS NULL THEN u ELSE {counted} END AS u) FROM (SELECT l.*, r.quantity_max, "
        f"CAST(sum(u) {in_order('l.s, l.card, l.table_row')} AS {SUM}) AS upto FROM {source} l "
        "LEFT JOIN table_rows r ON r.card = l.card AND r.row_no = l.table_row)",
    )
    return "clipped"


def price(session: Session, needs: Needs) -> None:
    """Make `shares`: each line's own exact share after its own floor and cap, its step and the rate that it got.

    `finals` has one row per scope and ladder: the step that the scope's measure reached on it.
    """
    source = clip_tables(session, needs, take_free(session, needs))
    session.view("priced_lines", f"SELECT * FROM {source}", reread=source != "measured")
    session.table(
        "finals",
        "SELECT c.s, c.card, c.base, c.units, w.total, r.* FROM (SELECT s, ladder, max(card) AS card, "
        "CAST(sum(b) AS DECIMAL(28, 6)) AS base, CAST(sum(u) AS DECIMAL(28, 6)) AS units FROM priced_lines GROUP "
        "BY s, ladder) c "
        f"JOIN scopes w ON w.s = c.s JOIN ladders r ON r.ladder = c.ladder AND {on_step('w.total', 'r')}",
    )
    session.view(
        "stepped",
        "SELECT l.*, r.step, r.position, r.pays, r.rate, r.per_unit, r.first, r.first_open, r.down_to, r.down_by, r.margin_to, "
        f"l.mode = {INCREMENTAL} AND l.m <> 0 AND NOT (l.before >= r.low AND l.before <= r.high) AS crosses "
        f"FROM priced_lines l JOIN ladders r ON r.ladder = l.ladder AND {on_step('l.after', 'r')}",
        reread=True,
    )
    session.table("crossings", _crossings(needs))
    session.table("shares", _shares(needs))


def priced_at(needs: Needs, tiers: str) -> str:
    """Write the query of what payees would get if their lines lay in given tiers: s, payee_no, share, base, scope_base, bonus.

    tiers: relation (edition, card, position, bonus): for the version that governs a scope, the tier of each rate card. Reads what
    `price` left; fixed parts, boosts and limits of the line stay out.
    """
    whole = f"CAST(coalesce(sum(sum(l.paid)) OVER (PARTITION BY l.s), 0) AS {SUM})"
    return (
        "SELECT l.s, l.payee_no, CAST(coalesce(sum(CASE WHEN l.earns AND r.position IS NOT NULL THEN "
        f"{_coefficients(needs, 'r')} END), 0) "
        f"AS {SHARE}) AS share, CAST(sum(l.paid) AS {SUM}) AS base, {whole} AS scope_base, "
        f"CAST(coalesce(max(e.bonus), 0) AS {SUM}) AS bonus FROM priced_lines l JOIN scopes w ON w.s = l.s "
        f"JOIN (SELECT DISTINCT edition FROM {tiers}) a ON a.edition = w.edition "
        f"LEFT JOIN {tiers} n ON n.edition = w.edition AND n.card = l.card "
        f"LEFT JOIN {tiers} e ON e.edition = w.edition AND e.card = w.card "
        "LEFT JOIN rungs r ON r.ladder = l.ladder AND r.position = n.position GROUP BY l.s, l.payee_no"
    )


def _crossings(needs: Needs) -> str:
    """Write the query of the shares of lines that are priced by several steps: the sum over the parts on them."""
    return (
        f"SELECT s, k, CAST(sum({_coefficients(needs, 'l')}) AS {SHARE}) AS share, "
        "CASE WHEN min(l.rate) = max(l.rate) AND bool_and(l.pays) THEN min(l.rate) END AS rate "
        f"FROM ({_crossing_parts(needs)}) l GROUP BY s, k"
    )


def _crossing_parts(needs: Needs) -> str:
    """Write the query of the parts, one on each step, of the lines that are priced by several."""
    low = "greatest(least(l.before, l.after), r.low)"
    high = "least(greatest(l.before, l.after), r.high)"
    parts: list[str] = []
    for column, kind in _values(needs):
        upto_high = share(f"l.{column}", f"({high} - l.before)", "l.m")
        upto_low = share(f"l.{column}", f"({low} - l.before)", "l.m")
        part = f"CASE WHEN l.m > 0 THEN {upto_high} - {upto_low} ELSE {upto_low} - {upto_high} END"
        parts.append(f"CAST({part} AS {kind}) AS {column}")
    columns = "r.pays, r.rate, r.per_unit, r.down_to, r.down_by, r.margin_to"
    query = (
        f"SELECT l.s, l.k, r.step, r.position, {columns}, {', '.join(parts)} FROM stepped l "
        "JOIN ladders r ON r.ladder = l.ladder AND r.low < r.high AND r.low < greatest(l.before, l.after) "
        "AND r.high > least(l.before, l.after) "
        "WHERE l.crosses"
    )
    if needs.special:
        values = ", ".join(f"l.{column}" for column, _ in _values(needs))
        query += (
            f" UNION ALL SELECT l.s, l.k, r.step, r.position, {columns}, {values} FROM stepped l "
            "JOIN card_terms t ON t.card = l.card AND t.special "
            "JOIN finals f ON f.s = l.s AND f.ladder = l.ladder JOIN ladders r ON r.ladder = l.ladder AND r.step <= f.step "
            f"AND (r.step > 0 OR f.step = 0) WHERE l.mode = {TOTAL}"
        )
    return query


def opened_parts(needs: Needs, scope: int) -> str:
    """Write the query of the parts of every earning line of a scope: s, k, step, position, base, units, rate, per_unit, share.

    Beside them table_row tells a row of a table from a tier, and, where some program has special prices: cost, amount, quantity,
    down_to, down_by, margin_to. What they give adds up to what the coefficients of `shares` give: both are written by the same
    functions.
    """
    columns = "s, k, step, position, b AS base, u AS units, rate, per_unit"
    values, prices = (SPECIALS, ("down_to", "down_by", "margin_to")) if needs.special else ((), ())
    further = "".join(f", {column}" for column in (*values, *prices))
    crossing = f"SELECT {columns}{further}, {_coefficients(needs, 'l')} AS share FROM ({_crossing_parts(needs)}) l"
    modes = f"CASE l.mode WHEN {INCREMENTAL} THEN l.{{0}} WHEN {TOTAL} THEN f.{{1}} ELSE f.{{0}} END AS {{0}}"
    chosen = ", ".join(
        modes.format(own, total)
        for own, total in (
            ("step", "step"),
            ("position", "position"),
            ("rate", "rate_total"),
            ("per_unit", "per_unit_total"),
        )
    )
    given = (
        f"CASE l.mode WHEN {INCREMENTAL} THEN {_coefficients(needs, 'l')} WHEN {TOTAL} THEN "
        f"{_coefficients(needs, 'f', 'f.rate_total', 'f.per_unit_total')} ELSE {_coefficients(needs, 'f')} END"
    )
    chosen += "".join(f", l.{value}" for value in values)
    chosen += "".join(
        f", CASE l.mode WHEN {INCREMENTAL} THEN l.{price} ELSE f.{price} END AS {price}" for price in prices
    )
    whole = (
        f"SELECT l.s, l.k, l.b AS base, l.u AS units, {chosen}, {given} AS share FROM stepped l JOIN finals f ON f.s = l.s AND "
        "f.ladder = l.ladder JOIN card_terms t ON t.card = l.card LEFT JOIN crossings x ON x.s = l.s AND x.k = l.k "
        f"WHERE x.s IS NULL AND l.earns AND NOT t.on_growth AND NOT t.tabled AND l.mode <> {ROLLING}"
    )
    parts = [
        f"SELECT s, k, step, position, base, units, rate, per_unit{further}, share, FALSE AS table_row FROM ({each})"
        for each in (crossing, whole)
    ]
    if needs.table:
        rate = "coalesce(l.own_rate, tr.rate)" if needs.against else "tr.rate"
        none = "".join(f", NULL AS {column}" for column in (*values, *prices))
        parts.append(
            "SELECT l.s, l.k, NULL AS step, tr.row_no + 1 AS position, l.b AS base, l.u AS units, "
            f"{rate} AS rate, tr.per_unit{none}, {_coefficients(needs, 'tr', rate, 'tr.per_unit')} AS share, TRUE AS table_row "
            "FROM stepped l JOIN table_rows tr ON tr.card = l.card AND tr.row_no = l.table_row WHERE l.earns"
        )
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) WHERE s = {scope} ORDER BY k, step"


def opened_shares(needs: Needs, scope: int) -> str:
    """Write the query of `shares` for one scope with what came between: priced (by coefficients), boosted, whole (with fixed)."""
    return f"SELECT * FROM ({_shares(needs, opened=True)}) WHERE s = {scope}"


def _coefficients(needs: Needs, step: str, rate: str | None = None, per_unit: str | None = None) -> str:
    """Write what the coefficients of a step give on the values of l: rate on the base, amount per unit, special prices.

    The seam for further kinds of price: whatever is added here is split, boosted, limited and attributed like the rest.
    """
    priced = product_rate("l.b", rate or f"{step}.rate")
    unit = product_line("CAST(l.u AS DECIMAL(18, 6))", per_unit or f"{step}.per_unit")
    credit = f" + {_credit(step)}" if needs.special and rate is None else ""
    return f"CAST({priced} + {unit}{credit} AS {SHARE})"


def _credit(step: str) -> str:
    """Write the credit of a special price: what the price falls by, never against the direction of the line."""

    def kept(credit: str) -> str:
        return f"CASE WHEN l.quantity >= 0 THEN greatest({credit}, {_NOUGHT}) ELSE least({credit}, {_NOUGHT}) END"

    quantity = "CAST(l.quantity AS DECIMAL(18, 6))"
    cost = f"CAST(l.cost AS {SHARE})"
    down_to = kept(f"CAST({cost} - {product_line(quantity, f'{step}.down_to')} AS {SHARE})")
    down_by = kept(product_line(quantity, f"{step}.down_by"))
    kept_part = f"(CAST(1 AS DECIMAL(9, 6)) - {step}.margin_to)"
    margin = kept(f"CAST({cost} - {product_rate('l.amount', kept_part)} AS {SHARE})")
    return " + ".join(
        f"CASE WHEN {step}.{column} IS NULL THEN {_NOUGHT} ELSE {credit} END"
        for column, credit in (("down_to", down_to), ("down_by", down_by), ("margin_to", margin))
    )


def _shares(needs: Needs, *, opened: bool = False) -> str:
    """Write the query of own shares: coefficients, boosts, the fixed part, then the line's floor and cap."""
    by_total = _coefficients(needs, "f", "f.rate_total", "f.per_unit_total")
    share_of_mode = (
        f"CASE WHEN NOT l.earns OR t.on_growth THEN {_NOUGHT} WHEN x.share IS NOT NULL THEN x.share "
        f"WHEN l.mode = {INCREMENTAL} THEN {_coefficients(needs, 'l')} WHEN l.mode = {RETROACTIVE} THEN "
        f"{_coefficients(needs, 'f')} "
        f"WHEN l.mode = {TOTAL} THEN {by_total} ELSE {_NOUGHT} END"
    )
    shown = (
        f"CASE WHEN t.on_growth THEN NULL WHEN l.mode = {INCREMENTAL} THEN CASE WHEN l.crosses THEN x.rate WHEN "
        f"l.pays THEN l.rate END "
        f"WHEN l.mode = {RETROACTIVE} THEN CASE WHEN f.pays THEN f.rate END "
        f"WHEN l.mode = {TOTAL} THEN CASE WHEN f.pays THEN f.rate_total END END"
    )
    joins = (
        "JOIN finals f ON f.s = l.s AND f.ladder = l.ladder JOIN card_terms t ON t.card = l.card LEFT JOIN "
        "crossings x ON x.s = l.s AND x.k = l.k"
    )
    highest = "greatest(l.before, l.after)"
    reached = (
        f"CASE WHEN NOT t.tiered THEN TRUE WHEN l.mode = {INCREMENTAL} THEN {highest} > l.first OR ({highest} = "
        f"l.first AND NOT l.first_open) "
        "ELSE f.position IS NOT NULL END"
    )
    if needs.table:
        joins += " LEFT JOIN table_rows tr ON tr.card = l.card AND tr.row_no = l.table_row"
        rate = "coalesce(l.own_rate, tr.rate)" if needs.against else "tr.rate"
        by_row = (
            f"CASE WHEN NOT l.earns OR tr.row_no IS NULL THEN {_NOUGHT} ELSE "
            f"{_coefficients(needs, 'tr', rate, 'tr.per_unit')} END"
        )
        share_of_mode = f"CASE WHEN t.tabled THEN {by_row} ELSE {share_of_mode} END"
        shown = f"CASE WHEN t.tabled THEN CASE WHEN tr.row_no IS NOT NULL THEN {rate} END ELSE {shown} END"
        reached = f"CASE WHEN t.tabled THEN tr.row_no IS NOT NULL ELSE {reached} END"
    if needs.free:
        reached = f"({reached}) AND NOT l.wholly_free"
    query = (
        f"SELECT l.* EXCLUDE (first, first_open, down_to, down_by, margin_to, rate, per_unit, pays, crosses), {shown} AS rate, "
        f"{share_of_mode} AS share, ({reached}) AS eligible, t.fixed, t.line_floor, t.line_cap, t.boost_unit FROM "
        f"stepped l {joins}"
    )
    return _limited(needs, query, opened=opened)


def _limited(needs: Needs, query: str, *, opened: bool) -> str:
    """Write boosts, the fixed part and the line's own limits over a query of shares."""
    boosted = "share"
    if needs.boosts:
        times, unit = f"CAST(boost AS {SUM})", f"CAST(boost_unit AS {SUM})"
        factor = f"CAST({share('share', times, unit, scale=12)} AS {SHARE})"
        boosted = f"CASE WHEN boost IS NULL OR boost = CAST(boost_unit AS HUGEINT) THEN share ELSE {factor} END"
    fixed = "CASE WHEN kind IN ('return', 'purchase_return') THEN -fixed ELSE fixed END"
    whole = f"CAST({boosted} + CASE WHEN fixed IS NULL OR NOT earns OR NOT eligible THEN 0 ELSE {fixed} END AS {SHARE})"
    steps = f", share AS priced, {boosted} AS boosted, {whole} AS whole" if opened else ""
    inner = f"SELECT * REPLACE ({whole} AS share){steps} FROM ({query})"
    columns = "EXCLUDE (eligible, fixed, line_floor, line_cap, boost_unit)"
    if not needs.quantity_sign:
        return f"SELECT * {columns} FROM ({inner})"
    size = "CASE WHEN mirrored THEN -share ELSE share END"
    lifted = f"CASE WHEN line_floor IS NOT NULL AND eligible THEN greatest({size}, line_floor) ELSE {size} END"
    cut = f"CASE WHEN line_cap IS NOT NULL THEN least({lifted}, line_cap) ELSE {lifted} END"
    limited = f"CASE WHEN NOT earns THEN {_NOUGHT} WHEN mirrored THEN -({cut}) ELSE {cut} END"
    return (
        f"SELECT * EXCLUDE (eligible, fixed, line_floor, line_cap, boost_unit, mirrored) REPLACE (CAST({limited} "
        f"AS {SHARE}) AS share) "
        f"FROM (SELECT *, (share < 0 OR backwards) AS mirrored FROM ({inner}))"
    )


def share_amounts(session: Session, needs: Needs) -> None:
    """Make `shared`, what belongs to no line of its own, by scope, and `line_shares`, the lines with their part of rolling tiers.

    Bonuses, packages, free goods and growth go by the rate card of the scope's last line: they are added up and rounded to 6.
    What the rolling tiers of a ladder give falls on the lines of that ladder alone (`rolled`).
    """
    amounts = " UNION ALL ".join(amount for code, amount in shared_amounts(needs) if code != "rolling")
    session.table(
        "shared", f"SELECT s, {round6(f'CAST(sum(amount) AS {SHARE})')} AS amount FROM ({amounts}) GROUP BY s"
    )
    if not needs.rolling:
        session.view("line_shares", f"SELECT *, {_ZERO} AS rolled FROM kept_shares")
        return
    rolled = f"SELECT s, ladder, {round6(f'CAST(sum(amount) AS {SHARE})')} AS amount FROM ({rolled_tiers()}) GROUP BY s, ladder"
    payees = (
        f"SELECT l.s, l.ladder, l.payee_no, r.amount, CAST(sum(l.paid) AS {SUM}) AS base, max(l.k) AS last_k "
        f"FROM kept_shares l JOIN ({rolled}) r ON r.s = l.s AND r.ladder = l.ladder WHERE l.earns GROUP BY ALL"
    )
    whole = "OVER (PARTITION BY s, ladder)"
    summed = (
        f"SELECT *, CAST(sum(base) {in_order('s, ladder', 'payee_no')} AS {SUM}) AS base_upto, "
        f"CAST(sum(base) {whole} AS {SUM}) AS card_base, max(last_k) {whole} AS card_k FROM ({payees})"
    )
    part = part_by_base("amount", "base_upto", "base", "card_base", "last_k = card_k")
    session.table("rolled_parts", f"SELECT s, ladder, payee_no, base, last_k, {part} AS amount FROM ({summed})")
    part = part_by_base("p.amount", "l.card_upto", "l.paid", "p.base", "l.k = p.last_k")
    session.table(
        "line_shares",
        f"SELECT l.* EXCLUDE (card_upto), CASE WHEN l.earns AND p.amount IS NOT NULL THEN {part} ELSE {_ZERO} END AS rolled "
        f"FROM (SELECT *, CAST(sum(paid) {in_order('s, ladder, payee_no')} AS {SUM}) AS card_upto FROM kept_shares) l "
        "LEFT JOIN rolled_parts p ON p.s = l.s AND p.ladder = l.ladder AND p.payee_no = l.payee_no",
    )


def part_by_base(amount: str, upto: str, own: str, whole: str, last: str) -> str:
    """Write a part of an amount that goes by base: `own` of `whole`, running up to `upto`; all to the last if whole is nought."""
    alone = f"CASE WHEN {last} THEN {amount} ELSE {_ZERO} END"
    part = f"{share(amount, upto, whole)} - {share(amount, f'({upto} - {own})', whole)}"
    return f"CAST(CASE WHEN {amount} = 0 THEN {_ZERO} WHEN {whole} = 0 THEN {alone} ELSE {part} END AS {SUM})"


def shared_amounts(needs: Needs) -> list[tuple[str, str]]:
    """Write the queries (s, amount) of what belongs to no line of its own, each under its code."""
    last = "FROM scopes w JOIN card_terms t ON t.card = w.card JOIN finals f ON f.s = w.s AND f.ladder = w.ladder"
    bonus = f"CASE WHEN t.mode = {RETROACTIVE} THEN f.bonus ELSE f.bonus_total END"
    amounts = [
        ("bonus", f"SELECT w.s, CAST({bonus} AS {SHARE}) AS amount {last}"),
        ("rolling", f"SELECT s, CAST(sum(amount) AS {SHARE}) AS amount FROM ({rolled_tiers()}) GROUP BY s"),
        ("counted", _counted(last)),
    ]
    if needs.against:
        rates = f"CASE WHEN t.mode = {TOTAL} THEN f.rate_total + f.per_unit_total ELSE f.rate + f.per_unit END"
        growth = "CAST(w.total - g.value AS DECIMAL(18, 6))"
        grown = (
            f"SELECT w.s, {product_line(growth, rates)} AS amount {last} "
            "JOIN against g ON g.s = w.s AND g.edition = w.edition AND g.earner_no = w.earner_no "
            "WHERE t.on_growth AND f.step > 0 AND w.total > g.value"
        )
        amounts.append(("growth", grown))
    return amounts


def rolled_tiers() -> str:
    """Write the query of what each reached rolling tier pays on the base, clipped where the next one starts.

    Columns: s, card, ladder, position, base, units, rate, per_unit, amount.
    """
    clipped = "least(f.total, r.high)"
    base, units = share("f.base", clipped, "f.total"), share("f.units", clipped, "f.total")
    part = f"{product_rate(base, 'r.rate')} + {product_line(f'CAST({units} AS DECIMAL(18, 6))', 'r.per_unit')}"
    return (
        f"SELECT f.s, f.card, f.ladder, r.position, {base} AS base, {units} AS units, r.rate, r.per_unit, {part} AS amount "
        "FROM finals f JOIN card_terms t ON t.card = f.card JOIN rungs r ON r.ladder = f.ladder "
        "AND (f.total > r.low OR (f.total = r.low AND NOT r.low_open)) "
        f"WHERE t.mode = {ROLLING} AND f.total > 0"
    )


def _counted(last: str) -> str:
    """Write the query of packages and free goods: whole ones in the measure, times what one gives."""
    past = scaled(f"greatest(CAST(w.total - coalesce(t.package_free, {_ZERO}) AS {SUM}), {_ZERO})")
    of = scaled("t.package_of")
    packages = f"(({past} + CASE WHEN t.package_started THEN {of} - 1 ELSE 0 END) // {of})"
    goods = f"({scaled('w.total')} // {scaled('t.goods_buy')})"
    counted = f"CASE WHEN t.package_of IS NOT NULL THEN {packages} ELSE {goods} END"
    value = product_line(f"CAST({counted} AS DECIMAL(18, 6))", "coalesce(t.package_pays, t.goods_get)")
    return f"SELECT w.s, {value} AS amount {last} WHERE w.total > 0 AND (t.package_of IS NOT NULL OR t.goods_buy IS NOT NULL)"


__all__ = [
    "clip_tables",
    "on_step",
    "opened_parts",
    "opened_shares",
    "part_by_base",
    "price",
    "priced_at",
    "rolled_tiers",
    "share_amounts",
    "shared_amounts",
    "take_free",
]
