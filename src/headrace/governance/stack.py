"""The stack: what all incentives together take from a line, tried on history.

What is tried: every sale in the lake with a quantity and an amount above zero on which this version would earn. The version
and the latest versions in force of the other programs are laid over all of history (`runs.onto_history`) and priced by the
engine; a line's incentives are the sum of its awards. The price is a column of the products table in force (a price list) on the
line's day, times the quantity, in the line's currency, rounded to six decimals. Lines without that price, and lines on which a
program pays in another currency than the line's (points, too), are counted and not judged.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

from headrace.engine import Request, calculate
from headrace.engine.findings import Refusal
from headrace.engine.numeric import dec, plain
from headrace.engine.schema import Tables
from headrace.engine.terms import Terms
from headrace.governance.models import Guardrail
from headrace.programs import governed
from headrace.programs.book import DatabaseBook
from headrace.programs.governed import Subject
from headrace.runs.onto_history import lay_over, window_of
from headrace.runs.sources import from_lake
from headrace.sales.lake import opened

_NAMED_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What trying a guardrail came to. worst: line, incentives and the most that they may be, in words; the worst first."""

    guardrail: Guardrail
    lines: int
    over: int
    not_judged: int
    worst: tuple[str, ...]


def tried(subject: Subject, guardrails: Sequence[Guardrail]) -> tuple[Tried, ...]:
    """Try guardrails on history. Without lines nothing is tried. Refused (`stack_column`) where there is no such price."""
    if not guardrails:
        return ()
    with opened() as lake, tempfile.TemporaryDirectory(prefix="headrace-stack-") as scratch:
        source = from_lake(lake, DatabaseBook(), into=Path(scratch), keep=False)
        assert source.tables is not None
        try:
            window = window_of(source.tables.lines, None, None, None)
        except Refusal as refusal:
            if refusal.code != "no_history":
                raise
            return ()
        programs = _latest(subject)
        laid = lay_over(programs, source.tables, window)
        awards = Path(scratch) / "awards.parquet"
        calculate(Request(programs=laid.programs, tables=laid.tables), awards=awards)
        currencies = {each.program: each.currency for each in programs}
        return tuple(_tried(each, subject.program, source.tables, awards, currencies) for each in guardrails)


def _latest(subject: Subject) -> list[Terms]:
    """Give the version with the latest versions in force of all other programs."""
    latest = {each.program: each for each in (Terms.model_validate(row) for row in DatabaseBook().programs())}
    latest[subject.program] = governed.enrolled([subject.terms])[0]
    return list(latest.values())


def _tried(guardrail: Guardrail, program: str, tables: Tables, awards: Path, currencies: dict[str, str]) -> Tried:
    products = tables.references.get("products")
    if products is None or guardrail.text not in products.column_names:
        raise Refusal(
            "stack_column",
            f"A guardrail reads the price {guardrail.text!r}, and the products in force have no such column. Load it.",
        )
    dated = {"valid_from", "valid_until"} <= set(products.column_names)
    from_on, until_on = ("p.valid_from", "p.valid_until") if dated else ("NULL", "NULL")
    on_day = f"AND coalesce({from_on} <= l.occurred_on, true) AND coalesce(l.occurred_on < {until_on}, true)"
    quoted = '"' + guardrail.text.replace('"', '""') + '"'
    price = f"round(CAST(l.quantity AS DECIMAL(18, 6)) * CAST(p.{quoted} AS DECIMAL(18, 6)), 6)"
    if guardrail.kind == Guardrail.Kind.STACK_SHARE:
        assert guardrail.value is not None
        most = f"round(CAST({price} AS DECIMAL(28, 6)) * {dec(guardrail.value, 9, 6)}, 6)"
    else:
        most = f"CAST(l.amount AS DECIMAL(28, 6)) - CAST({price} AS DECIMAL(28, 6))"
    with duckdb.connect() as con:
        con.register("products", products)
        con.execute("CREATE TEMP TABLE paid(program VARCHAR, currency VARCHAR)")
        con.executemany("INSERT INTO paid VALUES (?, ?)", sorted(currencies.items()))
        seq = "" if tables.lines.batch_seq_max is None else f"AND batch_seq <= {int(tables.lines.batch_seq_max)}"
        con.execute(
            "CREATE TEMP TABLE stacked AS WITH a AS (SELECT line_id, sum(award) AS award, "
            "list(DISTINCT paid.currency) AS paid_in, "
            "sum(award) FILTER (WHERE program = ?) AS own FROM read_parquet(?) JOIN paid USING (program) "
            "WHERE line_id IS NOT NULL AND award <> 0 GROUP BY line_id), "
            "l AS (SELECT line_id, occurred_on, product_id, quantity, amount, currency "
            f"FROM read_parquet(?, union_by_name = true) WHERE kind = 'sale' AND quantity > 0 AND amount > 0 {seq}) "
            f"SELECT l.line_id, a.award, len(a.paid_in) = 1 AND a.paid_in[1] = l.currency AS alike, {most} AS most, "
            "l.currency FROM l JOIN a USING (line_id) "
            f"LEFT JOIN products p ON p.product_id = l.product_id {on_day} WHERE a.own > 0",
            [program, str(awards), [str(path) for path in tables.lines.paths]],
        )
        row = con.execute(
            "SELECT count(*), count(*) FILTER (WHERE alike AND award > most), "
            "count(*) FILTER (WHERE NOT alike OR most IS NULL) FROM stacked"
        ).fetchone()
        assert row is not None
        worst = con.execute(
            "SELECT line_id, award, most, currency FROM stacked WHERE alike AND award > most ORDER BY award - most DESC, line_id "
            f"LIMIT {_NAMED_MAX}"
        ).fetchall()
    return Tried(
        guardrail=guardrail, lines=row[0], over=row[1], not_judged=row[2], worst=tuple(_said(*each) for each in worst)
    )


def _said(line: str, award: Decimal, most: Decimal, currency: str) -> str:
    return f"line {line}: incentives {plain(award)}, at most {plain(max(most, Decimal(0)))} {currency}"
