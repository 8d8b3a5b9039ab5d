"""What finalising changes: the statements it covers, and every line's award less what the lake holds for that line."""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine.terms import Terms
from headrace.runs.compare import STATEMENT_KEY

_KEY = ("program", "payee_kind", "payee_id", "scope", '"from"', "until", "line_id")


def covered(
    statements: pa.Table, starts: Collection[date | None], *, program: Sequence[Terms], fixed: pa.Table | None
) -> pa.Table:
    """Give the statements whose period starts on one of the days; null is a period without a start.

    What was posted (`fixed`, see runs.sources) for a payee and scope that has no statement any more is a statement of nought:
    it takes back what stands.
    """
    wanted = set(starts)
    mask = [start in wanted for start in statements["from"].to_pylist()]
    kept = statements.filter(pa.array(mask, pa.bool_()))
    gone = _gone(kept, wanted, program, fixed)
    if not gone:
        return kept
    both = pa.concat_tables([kept, pa.Table.from_pylist(gone, schema=kept.schema)])
    return both.sort_by([(name, "ascending") for name in STATEMENT_KEY])


def _gone(
    kept: pa.Table, wanted: Collection[date | None], program: Sequence[Terms], fixed: pa.Table | None
) -> list[dict[str, object]]:
    latest = max(program, key=lambda terms: terms.version)
    there = {tuple(row.values()) for row in kept.select(list(STATEMENT_KEY)).to_pylist()}
    gone: list[dict[str, object]] = []
    for row in fixed.to_pylist() if fixed is not None else ():
        key = tuple(row[name] for name in STATEMENT_KEY)
        if row["program"] != latest.program or row["from"] not in wanted or key in there or row["amount"] == 0:
            continue
        nought = dict.fromkeys(("measure", "base", "earned", "unverified", "accrued"), Decimal(0))
        identity = {name: row[name] for name in STATEMENT_KEY}
        money = {"posted": row["amount"], "to_post": -row["amount"], "currency": latest.currency}
        absent = dict.fromkeys(
            ("tier", "forecast", "next_from", "next_distance", "carried", "carried_in", "payable_on")
        )
        gone.append({**identity, "version": latest.version, **nought, **money, **absent, "lines": 0})
    return gone


def write_changes(
    entitled: Path, held: Sequence[Path], program: str, statements: pa.Table, into: Path, *, runs: Sequence[str]
) -> int:
    """Write the awards of the statements' periods less what the given runs hold for them; give how many rows that is.

    entitled: all awards of the program as they are now (columns of engine.results.AWARDS). held: the lake's award
    differences, of which only those of `runs` count. One row per line whose award is new or another; a line that earns no
    longer keeps its row, and the difference takes back what stood. Sorted, so that the same run gives the same file.
    """
    with duckdb.connect() as con:
        con.register("periods", statements.select(["from", "until"]).group_by(["from", "until"]).aggregate([]))
        con.register("counted", pa.table({"run": pa.array(list(runs), pa.string())}))
        con.execute(
            f"CREATE TEMP VIEW entitled AS FROM read_parquet({_text(entitled)}) a SEMI JOIN periods p "
            'ON a."from" IS NOT DISTINCT FROM p."from" AND a.until IS NOT DISTINCT FROM p.until'
        )
        con.execute(f"CREATE TEMP TABLE posted AS {_posted(entitled, held)}", {"program": program} if held else None)
        con.execute(f"COPY ({_CHANGES}) TO {_text(into)} (FORMAT parquet, COMPRESSION zstd)")
    return int(pq.read_metadata(into).num_rows)


def _posted(entitled: Path, held: Sequence[Path]) -> str:
    summed = f"{', '.join(_KEY)}, sum(award)::DECIMAL(28, 6) AS award, max(version) AS version, max(occurred_on) AS occurred_on"
    if not held:
        return f"SELECT {summed} FROM (FROM read_parquet({_text(entitled)}) LIMIT 0) GROUP BY ALL"
    files = ", ".join(map(_text, held))
    return (
        f"SELECT {summed} FROM read_parquet([{files}], union_by_name = true) SEMI JOIN counted USING (run) "
        "WHERE program = $program GROUP BY ALL"
    )


_CHANGES = f"""
SELECT coalesce(n.program, p.program) AS program, coalesce(n.version, p.version)::INTEGER AS version,
    coalesce(n.payee_kind, p.payee_kind) AS payee_kind, coalesce(n.payee_id, p.payee_id) AS payee_id,
    coalesce(n.scope, p.scope) AS scope, coalesce(n."from", p."from") AS "from", coalesce(n.until, p.until) AS until,
    coalesce(n.line_id, p.line_id) AS line_id, coalesce(n.occurred_on, p.occurred_on) AS occurred_on,
    n.measure, n.measure_after, n.base, n.tier, n.rate,
    (coalesce(n.award, 0) - coalesce(p.award, 0))::DECIMAL(28, 6) AS award, coalesce(n.verified, true) AS verified, n.lost_to
FROM entitled n FULL JOIN posted p ON {" AND ".join(f"n.{name} IS NOT DISTINCT FROM p.{name}" for name in _KEY)}
WHERE p.program IS NULL OR coalesce(n.award, 0) <> p.award
ORDER BY ALL
"""


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
