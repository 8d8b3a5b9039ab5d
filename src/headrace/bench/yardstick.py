"""What the engine is measured against: the same job in the plainest SQL that a careful analyst would write by hand.

One program, priced band by band on the quarter's amount of each partner. It knows nothing of versions, reasons, payees,
returns in the place of their sale, limits or statements: it joins, tests, runs a sum in order, prices, rounds so that the
cents add up, and writes every award. Its awards are also an independent answer: the engine's must equal them.
"""

from pathlib import Path

import duckdb

from headrace.bench.lines import Size
from headrace.bench.programs import RATES, edges


def run(connection: duckdb.DuckDBPyConnection, folder: Path, size: Size, out: Path) -> None:
    """Write the awards of `programs.one` over the channel in `folder` to `out`."""
    connection.execute(f"COPY ({query(folder, size)}) TO '{out}' (FORMAT parquet)")


def query(folder: Path, size: Size) -> str:
    """Give the statement: one row per qualifying line, with its award in cents."""
    return f"""
        WITH qualifying AS (
            SELECT
                l.line_id, l.occurred_on, l.partner_id,
                CAST(date_trunc('quarter', l.occurred_on) AS DATE) AS period,
                CAST(l.amount AS DECIMAL(28, 6)) AS amount
            FROM read_parquet('{folder / "lines.parquet"}') AS l
            JOIN read_parquet('{folder / "partners.parquet"}') AS p ON p.partner_id = l.partner_id
            JOIN read_parquet('{folder / "products.parquet"}') AS d ON d.product_id = l.product_id
            WHERE l.kind IN ('sale', 'return')
                AND l.stage = 'sell_through'
                AND l.occurred_on >= DATE '2025-01-01' AND l.occurred_on < DATE '2027-01-01'
                AND p.level IN ('gold', 'silver', 'bronze')
                AND d.family <> 'services'
        ),
        running AS (
            SELECT
                *,
                CAST(
                    sum(amount) OVER (
                        PARTITION BY partner_id, period ORDER BY occurred_on, line_id ROWS UNBOUNDED PRECEDING
                    ) AS DECIMAL(28, 6)
                ) AS measure_after
            FROM qualifying
        ),
        priced AS (
            SELECT *, {_earned("measure_after - amount", size)} AS earned_before, {_earned("measure_after", size)} AS earned_after
            FROM running
        )
        SELECT
            'bench-one' AS program, partner_id AS payee_id, period AS "from", line_id, occurred_on,
            amount AS measure, measure_after, {_tier("measure_after", size)} AS tier,
            CAST(round(earned_after, 2) - round(earned_before, 2) AS DECIMAL(28, 6)) AS award
        FROM priced
    """


def _earned(measure: str, size: Size) -> str:
    """Give what a running measure earns: each band's rate on the part inside it, nothing below zero."""
    starts = edges(size)
    parts = []
    for place, (start, rate) in enumerate(zip(starts, RATES, strict=True)):
        below = f"least({measure}, {starts[place + 1]})" if place + 1 < len(starts) else measure
        parts.append(f"CAST(greatest({below} - {start}, 0) AS DECIMAL(28, 6)) * CAST('{rate}' AS DECIMAL(9, 6))")
    return " + ".join(parts)


def _tier(measure: str, size: Size) -> str:
    steps = [f"WHEN {measure} >= {start} THEN {place}" for place, start in enumerate(edges(size), start=1)]
    return f"CASE {' '.join(reversed(steps))} END"
