"""Final runs, opened for whoever proves them: their folders, what they posted, lines by outcome, and the run computed again."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine import Request, calculate
from headrace.engine.explain_line import explain_lines
from headrace.engine.terms import Terms
from headrace.lake import Lake
from headrace.programs.models import FinalPosting, FinalRun, Version
from headrace.runs.finalise import run_folder
from headrace.runs.record import Verification, verify
from headrace.runs.sources import Source, from_cited_lake
from headrace.runs.written import read_citation

LINES_MAX = 500
"""So many lines that did not qualify are opened one by one; beyond that their money is one figure."""
EARNED, OTHER_PERIOD, NOT_SPLIT = "earned", "qualified for another period", "not qualified, by no reason of its own"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Lines of one outcome for a run. amounts: money of the lines by their currency."""

    name: str
    lines: int
    amounts: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One final run. statements: rows as they were written. posted: by currency, as the book has it."""

    run: str
    program: str
    period_from: date | None
    batch_seq: int
    citation: Mapping[str, Any]
    statements: tuple[Mapping[str, Any], ...]
    posted: Mapping[str, Decimal]


def of(runs: Iterable[str], lake: Lake) -> tuple[Opened, ...]:
    """Open final runs, by program and place."""
    rows = FinalRun.objects.filter(run__in=tuple(runs), state="final").order_by("program", "sequence")
    return tuple(_opened(row, lake) for row in rows)


def _opened(row: FinalRun, lake: Lake) -> Opened:
    folder = run_folder(lake, row.run)
    posted: dict[str, Decimal] = {}
    for currency, amount in FinalPosting.objects.filter(run=row).values_list("currency", "amount"):
        posted[currency] = posted.get(currency, Decimal(0)) + amount
    return Opened(
        run=row.run, program=row.program, period_from=row.period_from, batch_seq=row.batch_seq,
        citation=read_citation(folder), statements=tuple(pq.read_table(folder / "statements.parquet").to_pylist()),
        posted=posted,
    )  # fmt: skip


def verified(run: str, lake: Lake) -> Verification:
    """Compute a run again from what it cites."""

    @contextmanager
    def source(cited: Mapping[str, object], into: Path) -> Iterator[Source]:
        found = cited["lake"]
        assert isinstance(found, Mapping)
        yield from_cited_lake(lake, found)

    return verify(run_folder(lake, run), source)


def outcomes(run: Opened, lake: Lake) -> tuple[Outcome, ...]:
    """Say what became of every line that the run could see: earned, of another period, or not qualified and why.

    The counts by reason are the engine's; lines and money are summed here from the lake, so the two prove each other.
    """
    source = from_cited_lake(lake, run.citation["source"]["lake"])
    assert source.tables is not None
    terms = tuple(Terms.model_validate(entry["document"]) for entry in run.citation["terms"])
    as_of = date.fromisoformat(str(run.citation["as_of"]))
    request = Request(programs=terms, tables=source.tables, as_of=as_of, fixed=source.fixed)
    with tempfile.TemporaryDirectory(prefix="headrace-outcomes-") as scratch, duckdb.connect() as con:
        awards = Path(scratch) / "awards.parquet"
        reasons = calculate(request, awards=awards).reasons.get(run.program, {})
        put_lines(con, lake, run.batch_seq)
        starts = [None if each is None else date.fromisoformat(each) for each in run.citation["finalised"]["starts"]]
        con.register("starts", pa.table({"start": pa.array(starts, pa.date32())}))
        con.execute(
            "CREATE TEMP TABLE qualified AS SELECT line_id, bool_or(s.hit IS NOT NULL) AS mine FROM read_parquet(?) a "
            'LEFT JOIN (SELECT start, true AS hit FROM starts) s ON s.start IS NOT DISTINCT FROM a."from" '
            "WHERE line_id IS NOT NULL GROUP BY line_id",
            [str(awards)],
        )
        con.execute(
            "CREATE TEMP TABLE judged AS SELECT l.line_id, l.currency, l.amount, "
            "CASE WHEN q.line_id IS NULL THEN NULL WHEN q.mine THEN ? ELSE ? END AS outcome "
            "FROM lines l LEFT JOIN qualified q USING (line_id)",
            [EARNED, OTHER_PERIOD],
        )
        _name_reasons(con, request, run.program, reasons)
        rows = con.execute("SELECT outcome, currency, count(*), sum(amount) FROM judged GROUP BY ALL").fetchall()
    return _outcomes(rows, reasons)


def put_lines(con: duckdb.DuckDBPyConnection, lake: Lake, batch_seq: int) -> None:
    """Make the view `lines` of a lake as of a batch."""
    found = lake.lines(batch_seq)
    if not found.paths:
        con.execute(
            "CREATE TEMP VIEW lines AS SELECT ''::VARCHAR AS line_id, ''::VARCHAR AS currency, 0::DECIMAL(18, 6) AS amount, "
            "0::BIGINT AS batch_seq WHERE false"
        )
        return
    paths = ", ".join("'" + str(path).replace("'", "''") + "'" for path in found.paths)
    con.execute(
        f"CREATE TEMP VIEW lines AS SELECT * FROM read_parquet([{paths}], union_by_name = true) "
        f"WHERE batch_seq <= {found.batch_seq_max}"
    )


def _name_reasons(con: duckdb.DuckDBPyConnection, request: Request, program: str, reasons: Mapping[str, int]) -> None:
    """Set the reason of each line that did not qualify: the only one there is, or line by line where they are few."""
    ids = [row[0] for row in con.execute("SELECT line_id FROM judged WHERE outcome IS NULL ORDER BY 1").fetchall()]
    if len(reasons) == 1:
        named = dict.fromkeys(ids, next(iter(reasons)))
    elif ids and len(ids) <= LINES_MAX:
        named = {
            opened.line_id: met.reason or NOT_SPLIT
            for opened in explain_lines(request, ids, program=program)
            for met in opened.programs
        }
    else:
        named = dict.fromkeys(ids, NOT_SPLIT)
    con.register("named", pa.table({"line_id": list(named), "reason": list(named.values())}, schema=_NAMED))
    con.execute("UPDATE judged SET outcome = n.reason FROM named n WHERE n.line_id = judged.line_id")


_NAMED = pa.schema([("line_id", pa.string()), ("reason", pa.string())])


def _outcomes(rows: Sequence[tuple[Any, ...]], reasons: Mapping[str, int]) -> tuple[Outcome, ...]:
    """Put together: lines that qualified are counted here; of those that did not, the engine's count stands."""
    found: dict[str, tuple[int, dict[str, Decimal]]] = {name: (0, {}) for name in (EARNED, *sorted(reasons))}
    for name, currency, lines, amount in sorted(rows):
        count, amounts = found.get(name, (0, {}))
        found[name] = count + lines, {**amounts, currency: amount}
    return tuple(
        Outcome(name, reasons.get(name, 0 if name == NOT_SPLIT else count), amounts)
        for name, (count, amounts) in found.items()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Award:
    """What a run's awards of one statement come to. lines: rows that name a line."""

    payee_kind: str
    payee_id: str
    scope: str
    from_: date | None
    until: date | None
    lines: int
    award: Decimal


def awards(run: str, lake: Lake) -> tuple[Award, ...]:
    """Add up the award differences that the lake holds of a run, by statement."""
    files = [str(path) for path in lake.awards()]
    if not files:
        return ()
    with duckdb.connect() as con:
        rows = con.execute(
            'SELECT payee_kind, payee_id, scope, "from", until, count(line_id), sum(award) '
            "FROM read_parquet(?, union_by_name = true) WHERE run = ? GROUP BY ALL ORDER BY ALL",
            [files, run],
        ).fetchall()
    return tuple(
        Award(payee_kind=a, payee_id=b, scope=c, from_=d, until=e, lines=f, award=g) for a, b, c, d, e, f, g in rows
    )


def award_lines(run: str, payee: str, lake: Lake, batch_seq: int) -> tuple[Mapping[str, Any], ...]:
    """List a payee's award differences in a run, each with the line that it is for."""
    files = [str(path) for path in lake.awards()]
    if not files:
        return ()
    with duckdb.connect() as con:
        put_lines(con, lake, batch_seq)
        rows = con.execute(
            'SELECT a.scope, a."from", a.until, a.line_id, l.occurred_on, l.kind, l.product_id, l.quantity, l.amount, '
            "l.currency, l.batch_seq, a.tier, a.rate, a.award, a.lost_to FROM read_parquet(?, union_by_name = true) a "
            "LEFT JOIN lines l ON l.line_id = a.line_id WHERE a.run = ? AND a.payee_id = ? ORDER BY ALL",
            [files, run, payee],
        )
        names = [column[0] for column in rows.description or ()]
        return tuple(dict(zip(names, row, strict=True)) for row in rows.fetchall())


def versions_activated(since: datetime, until: datetime) -> tuple[tuple[str, int, str, datetime | None], ...]:
    """List the versions that came into force in a time: program, number, hash of the terms, when."""
    rows = Version.objects.filter(activated_at__gte=since, activated_at__lte=until)
    return tuple(
        rows.order_by("activated_at", "pk").values_list("program__code", "number", "terms_hash", "activated_at")
    )
