"""The steps of an audit pack: what was received, what became of every line, what was earned, and what the books say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb

from headrace.closing.checks import Close
from headrace.closing.pack_files import Step, as_csv
from headrace.foundation import companies
from headrace.lake import Lake
from headrace.ledger import reading
from headrace.ledger.kinds import Column, Kind, Purpose
from headrace.programs import entering, finals
from headrace.programs.finals import Opened
from headrace.sales import received

ROWS = "rows"
_LINES_MAX = 1_000_000
type Sums = dict[str, Decimal]


@dataclass(slots=True)
class Section:
    """Files by name, and steps."""

    files: dict[str, bytes] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def tie(self, name: str, what: str, left: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> None:
        """Add a step for every unit of either side, rows first."""
        for unit in sorted(left.keys() | right.keys(), key=lambda each: (each != ROWS, each)):
            self.steps.append(Step(name, what, unit, left.get(unit, Decimal(0)), right.get(unit, Decimal(0))))


def _add(sums: Sums, more: Mapping[str, Decimal]) -> None:
    for unit, value in more.items():
        sums[unit] = sums.get(unit, Decimal(0)) + value


def _tally(tally: received.Tally) -> Sums:
    return {ROWS: Decimal(tally.rows), **tally.amounts}


def in_lake(lake: Lake) -> dict[int, dict[str, Sums]]:
    """Add up the lines of each batch: those that came (`lines`), and those that cancel others (`reversals`)."""
    with duckdb.connect() as con:
        finals.put_lines(con, lake, lake.last_batch_seq())
        rows = con.execute(
            "SELECT batch_seq, CASE WHEN line_id LIKE '%~r' THEN 'reversals' ELSE 'lines' END, currency, count(*), sum(amount) "
            "FROM lines GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    found: dict[int, dict[str, Sums]] = {}
    for batch, part, currency, count, amount in rows:
        _add(found.setdefault(batch, {}).setdefault(part, {}), {ROWS: Decimal(count), currency: amount})
    return found


def intake(until: datetime, lake_sums: Mapping[int, Mapping[str, Sums]]) -> Section:
    """Received = loaded + rejected + held + unchanged; and what was loaded is in the lake."""
    section = Section()
    came: Sums = {}
    parted: Sums = {}
    loaded: Sums = {}
    delivered: set[int] = set()
    told: list[tuple[object, ...]] = []
    for each in received.deliveries_until(until):
        parts = {name: _tally(each.tallies[name]) for name in received.PARTS}
        for name, sums in parts.items():
            _add(came if name == "received" else parted, sums)
            told += [(each.delivery, each.state, each.batch_seq, each.done_at, name, *one) for one in sums.items()]
        if each.batch_seq is not None and each.batch_seq in lake_sums:
            delivered.add(each.batch_seq)
            # A worker that was killed before it reported looked a second time, and found all of it there.
            _add(loaded, parts["unchanged" if each.report_lost else "loaded"])
            _add(loaded, {ROWS: Decimal(each.reversed_lines)})
    kept: Sums = {}
    batches: list[tuple[object, ...]] = []
    for one in received.batches_until(until):
        there = lake_sums.get(one.batch_seq, {})
        # What cancels an earlier line is counted; its money is the earlier line's.
        counted = [sums if part == "lines" else {ROWS: sums[ROWS]} for part, sums in there.items()]
        for sums in counted:
            _add(kept, sums)
            if one.batch_seq not in delivered:
                _add(loaded, {**sums, ROWS: Decimal(0)})
        if one.batch_seq not in delivered:
            _add(loaded, {ROWS: Decimal(one.accepted)})
        for part, sums in sorted(there.items()):
            batches += [(one.batch_seq, one.content_hash, one.accepted, part, *each) for each in sums.items()]
    section.tie("1 received", "rows and money that came = loaded + rejected + held + unchanged", came, parted)
    section.tie("2 loaded", "what deliveries say was loaded = lines in the lake, by batch", loaded, kept)
    section.files["deliveries.csv"] = as_csv(("delivery", "state", "batch", "done_at", "part", "unit", "value"), told)
    section.files["batches.csv"] = as_csv(("batch", "content_hash", "accepted", "part", "unit", "value"), batches)
    return section


def lines(runs: Sequence[Opened], lake: Lake, lake_sums: Mapping[int, Mapping[str, Sums]]) -> Section:
    """Every line that a run could see was earned on, belongs to another period, or did not qualify for a reason."""
    section = Section()
    told: list[tuple[object, ...]] = []
    for run in runs:
        there: Sums = {}
        judged: Sums = {}
        for batch, parts in lake_sums.items():
            for sums in parts.values():
                _add(there, sums if batch <= run.batch_seq else {})
        for outcome in finals.outcomes(run, lake):
            units = {ROWS: Decimal(outcome.lines), **outcome.amounts}
            _add(judged, units)
            told += [(run.run, run.program, outcome.name, *one) for one in units.items()]
        what = f"{run.program}, as of batch {run.batch_seq}: lines in the lake = earned + not earned by reason"
        section.tie("3 judged", what, there, judged)
    section.files["lines.csv"] = as_csv(("run", "program", "outcome", "unit", "value"), told)
    return section


def earned(runs: Sequence[Opened], lake: Lake) -> Section:
    """The awards of a run = its statements = what the book posted = what the ledger states as earned."""
    section = Section()
    award_rows: list[tuple[object, ...]] = []
    statement_rows: list[tuple[object, ...]] = []
    for run in runs:
        money = {_statement(row): str(row["currency"]) for row in run.statements}
        awarded: Sums = {}
        stated: Sums = {}
        for one in finals.awards(run.run, lake):
            key = (one.payee_kind, one.payee_id, one.scope, one.from_, one.until)
            currency = money.get(key, "unknown")
            award_rows.append((run.run, run.program, *key, currency, one.lines, one.award))
            _add(awarded, {currency: one.award})
        for row in run.statements:
            figures = (row[name] for name in ("posted", "earned", "to_post", "currency"))
            statement_rows.append((run.run, run.program, row["version"], *_statement(row), *figures))
            _add(stated, {str(row["currency"]): row["to_post"]})
        about = f"{run.program}, run {run.run[:8]}"
        section.tie("4 earned", f"{about}: awards of the lines = statements", awarded, stated)
        section.tie("5 payable", f"{about}: statements = what was posted of them", stated, run.posted)
        section.tie(
            "6 in the books", f"{about}: posted = stated as earned in the books", run.posted, _in_books(run.run)
        )
    header = ("payee_kind", "payee", "scope", "from", "until")
    section.files["awards.csv"] = as_csv(("run", "program", *header, "currency", "lines", "award"), award_rows)
    section.files["statements.csv"] = as_csv(
        ("run", "program", "version", *header, "posted_before", "earned", "to_post", "currency"), statement_rows
    )
    return section


def _statement(row: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(row[name] for name in ("payee_kind", "payee_id", "scope", "from", "until"))


def _in_books(run: str) -> Sums:
    sums: Sums = {}
    for company in companies.listed():
        for line in reading.postings(company, cause=(entering.FINALISATION, run), size=_LINES_MAX):
            if line.purpose is Purpose.EARN:
                _add(sums, {line.currency: line.amount if line.credit.kind is Kind.EARNED else -line.amount})
    return sums


def books(close: Close, known_at: datetime) -> Section:
    """What stood on every kind of account + what the period moved = what stands at its end; and the roll-forward."""
    section = Section()
    section.files["postings.csv"], moved = _postings(list(reading.booked(close.company, close.period.id)))
    before = _standing(close, close.period.from_on - timedelta(days=1))
    after = _standing(close, close.last_on)
    rows: list[tuple[object, ...]] = []
    for kind in Kind:
        units = {unit for sums in (before, moved, after) for each, unit in sums if each is kind}
        start, change, end = (
            {unit: sums.get((kind, unit), Decimal(0)) for unit in units} for sums in (before, moved, after)
        )
        rows += [(kind.value, unit, start[unit], change[unit], end[unit]) for unit in sorted(units)]
        reached = {unit: start[unit] + change[unit] for unit in units}
        section.tie("7 books", f"{kind.label}: before + postings of the period = balance at its end", reached, end)
    section.files["balances.csv"] = as_csv(("account", "currency", "before", "moved", "after"), rows)
    rolled = reading.roll_forward(
        close.company, from_on=close.period.from_on, until_on=close.period.until_on, functional=False, known_at=known_at
    )
    left: Sums = {}
    right: Sums = {}
    for row in rolled:
        _add(left, {row.currency: row.opening + sum(row.columns.values(), Decimal(0))})
        _add(right, {row.currency: row.closing})
    section.tie("8 liability", "opening + provided ± trued up − settled − released = closing", left, right)
    header = ("program", "age", "currency", "opening", *(each.value for each in Column), "closing")
    told = [
        (row.program, row.age, row.currency, row.opening, *(row.columns[each] for each in Column), row.closing)
        for row in rolled
    ]
    section.files["roll_forward.csv"] = as_csv(header, told)
    return section


type _Standing = dict[tuple[Kind, str], Decimal]


def _standing(close: Close, day: date) -> _Standing:
    sums: _Standing = {}
    for row in reading.balances(close.company, as_of=day):
        key = (row.account.kind, row.account.key.currency)
        sums[key] = sums.get(key, Decimal(0)) - row.amount
    return sums


def _postings(found: Iterable[reading.Line]) -> tuple[bytes, _Standing]:
    """Write every posting, and add up what they move: credits − debits, by kind of account and currency."""
    moved: _Standing = {}
    rows: list[tuple[object, ...]] = []
    for line in found:
        for account, sign in ((line.debit, -1), (line.credit, 1)):
            key = (account.kind, line.currency)
            moved[key] = moved.get(key, Decimal(0)) + sign * line.amount
        of = line.of
        rows.append(
            (
                line.id, line.entry, *line.cause, line.at, line.on, line.booked_on, line.purpose.value, line.version,
                of.payee_kind, of.payee, of.program, of.period, of.fund, line.debit.kind.value, line.credit.kind.value,
                line.currency, line.amount, line.functional,
            )
        )  # fmt: skip
    header = (
        "posting", "entry", "cause_kind", "cause", "known_at", "on", "booked_on", "purpose", "version", "payee_kind", "payee",
        "program", "period", "fund", "debit", "credit", "currency", "amount", "functional",
    )  # fmt: skip
    return as_csv(header, rows), moved
