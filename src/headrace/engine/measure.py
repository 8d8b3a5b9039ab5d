"""Runs the measure through every scope in the order of its lines, and cuts it at its limit.

`counting` is the pairs that measure or earn, with what does not count set to nought; `measured` adds the running measure before
and after each line; `scopes` is where each scope ends.
"""

from headrace.engine.ladders import INFINITE
from headrace.engine.numeric import SUM, dec, share
from headrace.engine.session import Session
from headrace.engine.values import UNITS, Needs

RUNNING = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
SPECIALS = ("cost", "amount", "quantity")


def in_order(partition: str, place: str = "k") -> str:
    """Write the window of everything up to a line, in the order of place."""
    return f"OVER (PARTITION BY {partition} ORDER BY {place} {RUNNING})"


def add_distinct(session: Session, needs: Needs, source: str) -> str:
    """Add distinct counts to m, b and u of a relation; gives the name of the relation that has them."""
    if not needs.distinct:
        return source
    changes: list[str] = []
    measured: list[str] = []
    paid: list[str] = []
    units: list[str] = []
    for index in range(len(needs.distinct)):
        value = f"distinct_{index}"
        for name, counts in (("measuring", "measures"), ("earning", "reason IS NULL")):
            moved = f"CASE WHEN {counts} THEN moved ELSE CAST(0 AS DECIMAL(18, 6)) END"
            running = f"sum({moved}) {in_order(f's, {value}')}"
            changes.append(
                f"CASE WHEN {value} IS NULL OR NOT ({counts}) THEN 0 ELSE CAST({running} > 0 AS INTEGER) - "
                f"CAST({running} - {moved} > 0 AS INTEGER) END AS {name}_{index}"
            )
        measured.append(f"d.sign_{index} * measuring_{index}")
        paid.append(f"d.base_{index} * earning_{index}")
        units.append(f"WHEN d.units_{index} = 1 THEN CAST(earning_{index} AS {UNITS})")
    session.table(
        "distinct_lines",
        f"SELECT q.* REPLACE (CAST(m + {' + '.join(measured)} AS {SUM}) AS m, CAST(b + {' + '.join(paid)} AS {SUM}) AS b, "
        f"CASE {' '.join(units)} ELSE u END AS u) FROM (SELECT *, {', '.join(changes)} FROM {source}) q "
        "JOIN distinct_terms d ON d.edition = q.edition",
    )
    return "distinct_lines"


def count_lines(session: Session, needs: Needs, source: str, programs: str, taken: str | None) -> None:
    """Make the view `counting` over a relation of pairs; programs: which of them, as SQL; taken: what earlier "
    "programs left less."""
    zeroed = [f"CASE WHEN measures THEN m ELSE {dec(0, 28, 6)} END AS m"]
    kept = [("b", SUM), ("u", UNITS), *((each, SUM) for each in SPECIALS if needs.special)]
    for column, kind in kept:
        value = f"b - coalesce(x.taken_off, CAST(0 AS {SUM}))" if column == "b" and taken else column
        zeroed.append(f"CASE WHEN reason IS NULL THEN CAST({value} AS {kind}) ELSE CAST(0 AS {kind}) END AS {column}")
    joins = f" LEFT JOIN {taken} x ON x.program = p.program AND x.n = p.n" if taken else ""
    ladder, own = "CAST(p.card AS BIGINT)", ""
    if needs.against:
        own = " LEFT JOIN own_ladders o ON o.s = p.s AND o.card = p.card AND o.earner_no = p.earner_no"
        ladder = f"coalesce(o.ladder, {ladder})"
    session.view(
        "counting",
        f"SELECT p.* REPLACE ({', '.join(zeroed)}), p.reason IS NULL AS earns, {ladder} AS ladder, t.mode, t.measure_max "
        f"FROM {source} p JOIN card_terms t ON t.card = p.card{joins}{own} "
        f"WHERE (p.measures OR p.reason IS NULL) AND {programs}",
    )


def run_measure(session: Session, needs: Needs, *, capped: bool) -> None:
    """Make `measured` and `scopes`. capped: some program limits its measure."""
    after = f"CAST(sum(m) {in_order('s')} AS {SUM})"
    if not capped:
        session.table(
            "measured", f"SELECT q.*, after - m AS before, b AS paid FROM (SELECT *, {after} AS after FROM counting) q"
        )
    else:
        limit = "coalesce(authorised, measure_max)" if needs.authorised else "measure_max"
        ceiling = f"coalesce({limit}, {dec(INFINITE, 28, 6)})"
        previous = "coalesce(lag(cut) OVER (PARTITION BY s ORDER BY k), CAST(0 AS DECIMAL(28, 6)))"
        session.table(
            "running",
            f"SELECT *, least(raw, ceiling) AS cut FROM (SELECT *, {after} AS raw, {ceiling} AS ceiling FROM counting)",
        )
        kept = [("b", SUM), ("u", UNITS), *((each, SUM) for each in SPECIALS if needs.special)]
        cut = ", ".join(f"{_kept(column, kind)} AS {column}" for column, kind in kept)
        session.table(
            "measured",
            f"SELECT * EXCLUDE (raw, ceiling, cut, counted, previous), cut AS after, previous AS before, b AS paid FROM ("
            f"SELECT * REPLACE (CAST(counted AS {SUM}) AS m, {cut}) FROM ("
            f"SELECT *, CAST(cut - previous AS {SUM}) AS counted FROM (SELECT *, {previous} AS previous FROM running)))",
        )
        session.drop("running")
    session.table(
        "scopes",
        "SELECT s, CAST(max(program) AS INTEGER) AS program, max_by(card, k) AS card, max_by(ladder, k) AS ladder, "
        "max_by(edition, k) AS edition, max_by(earner_no, k) AS earner_no, CAST(max_by(after, k) AS DECIMAL(28, 6)) AS total "
        "FROM measured GROUP BY s",
    )


def _kept(column: str, kind: str) -> str:
    """Write what the measure's limit leaves of a value: all, nothing, or in proportion to the measure that counts."""
    nothing = f"CAST(0 AS {kind})"
    return (
        f"CASE WHEN m = 0 THEN CASE WHEN raw < ceiling THEN {column} ELSE {nothing} END "
        f"WHEN counted = m THEN {column} WHEN counted = 0 THEN {nothing} ELSE "
        f"CAST({share(column, 'counted', 'm')} AS {kind}) END"
    )
