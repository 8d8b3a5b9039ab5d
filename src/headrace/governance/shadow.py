"""Shadow mode: a version is calculated over the lake and held against what was paid the old way; nothing is posted.

A version that is not in force has no balances and no provision, so calculating it changes nothing. It is calculated together with
the programs that it meets on lines, in the place of the versions of its own program. Old results come from a spreadsheet, one row
a partner and period.
"""

import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from headrace.engine import Request, calculate
from headrace.engine.findings import Finding, Refusal
from headrace.engine.numeric import minor_unit, plain
from headrace.engine.schema import Tables
from headrace.engine.terms import Terms
from headrace.foundation import access, acts, files, jobs
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.governance import effects
from headrace.governance.models import Shadow
from headrace.intake.findings_log import FindingLog
from headrace.intake.staging import ROW
from headrace.intake.tables import stage_file
from headrace.programs import governed, versions
from headrace.programs.book import DatabaseBook
from headrace.runs.sources import from_lake
from headrace.sales.lake import opened

ROWS_MAX = 20_000
COLUMNS = ("partner", "from", "until", "amount")
ZERO = Decimal(0)
CAUSES = {
    "equal": "Both are equal",
    "rounding": "They differ by one smallest unit of the currency",
    "no_lines": "Paid before, and no line of the partner arrived in the period",
    "not_earning": "Paid before, and of the partner's lines in the period none earns",
    "only_here": "Earned here, and not paid before",
    "returns": "The difference is what returns take back",
    "late_lines": "The difference is what lines earn that arrived after the period",
    "calculation": "Lines are the same as far as is known; the calculation differs",
}


class Place(NamedTuple):
    """A partner and a period."""

    partner: str
    from_: date | None
    until: date | None


class Ours(NamedTuple):
    """What the version earns in a place, and how much of it by returns and by lines that arrived after the period."""

    earned: Decimal = ZERO
    by_returns: Decimal = ZERO
    by_late: Decimal = ZERO
    earning: int = 0
    lines: int = 0


def start(*, version: uuid.UUID, name: str, content: bytes, by: Person, at: datetime) -> Shadow:
    """Have a version held against old results. Refused as `old_results_faulty`, with findings, where the file is none."""
    access.require(by, VENDOR, Permission.AUTHOR_TERMS, at.date())
    of = versions.subject(version)
    stored = files.store(name=name, content=BytesIO(content), organisation=VENDOR, by=by, at=at)
    read(stored.pk, stored.name)
    with acts.act("start_shadow", at=at):
        made = Shadow(
            version=version, program=of.program, number=of.terms.version, file=stored.pk, asked_by=by, asked_at=at
        )  # fmt: skip
        made.save()
        from headrace.governance.tasks import work_out_shadow

        work_out_shadow.enqueue(str(made.pk))
    return made


def read(file: uuid.UUID, name: str) -> dict[Place, Decimal]:
    """Read old results: columns partner, from, until (days, empty for no bound) and amount, from CSV or XLSX."""
    log = FindingLog(name)
    with tempfile.TemporaryDirectory(prefix="headrace-shadow-") as scratch:
        staged = stage_file(files.path_of(file), log, into=Path(scratch) / "records.arrow")
    if staged is None or staged.table is None or set(COLUMNS) - set(staged.columns) or staged.rows() > ROWS_MAX:
        raise Refusal(
            "old_results_faulty",
            f"The file needs the columns {', '.join(COLUMNS)} and at most {ROWS_MAX:,} rows. Save it as CSV or XLSX.",
            findings=log.findings(),
        )
    cells = {each: staged.table.column(f"_c{staged.columns.index(each)}").to_pylist() for each in COLUMNS}
    found: dict[Place, Decimal] = {}
    findings: list[Finding] = []
    for number, *row in zip(staged.table.column(ROW).to_pylist(), *cells.values(), strict=True):
        partner, from_, until, amount = ((text or "").strip() for text in row)
        try:
            place = Place(partner, _day(from_), _day(until))
            if not partner or place in found:
                raise ValueError("a partner is missing, or stands twice with this period")
            found[place] = _amount(amount)
        except (ValueError, InvalidOperation) as error:
            findings.append(Finding(code="old_result", row=number, message=f"Row {number}: {error}."))
    if findings or not found:
        told = " ".join(each.message for each in findings[:3])
        raise Refusal("old_results_faulty", f"The file has {len(findings)} fault(s). {told}", findings=findings)
    return found


def _day(text: str) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def _amount(text: str) -> Decimal:
    amount = Decimal(text)
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 15:
        raise ValueError(f"{text} is no amount")
    return amount


def again(*, shadow: uuid.UUID, by: Person, at: datetime) -> None:
    """Have a comparison worked out again, over the lines that are there by now."""
    access.require(by, VENDOR, Permission.AUTHOR_TERMS, at.date())
    if not Shadow.objects.filter(pk=shadow).exists():
        raise Refusal("shadow_unknown", "There is no such comparison. Load the page of shadow runs again.")
    with acts.act("repeat_shadow", at=at):
        row = Shadow.locked(shadow)
        row.state = Shadow.State.WORKING
        row.save()
        from headrace.governance.tasks import work_out_shadow

        work_out_shadow.enqueue(str(shadow))


def work_out(*, shadow: uuid.UUID, at: datetime) -> str:
    """Work out a comparison, and give its state. Done again, it says what is so by then."""
    asked = Shadow.objects.get(pk=shadow)
    try:
        report: dict[str, Any] = _report(versions.subject(asked.version), read(asked.file, "old results.csv"))
        state, reason = Shadow.State.DONE, ""
    except Refusal as refusal:
        report, state, reason = {}, Shadow.State.REFUSED, refusal.message
    with acts.act("work_out_shadow", at=at):
        row = Shadow.locked(shadow)
        row.report, row.state, row.reason, row.done_at = report, state, reason, at
        row.save()
    return str(state)


def _report(of: governed.Subject, old: Mapping[Place, Decimal]) -> dict[str, Any]:
    jobs.progress(0, 2)
    with opened() as lake, tempfile.TemporaryDirectory(prefix="headrace-shadow-") as scratch:
        source = from_lake(lake, DatabaseBook(), into=Path(scratch), keep=False)
        assert source.tables is not None
        others = [each for each in effects.meeting(of) if each.program != of.program]
        (terms,) = governed.enrolled([of.terms])
        awards = Path(scratch) / "awards.parquet"
        calculate(Request(programs=(terms, *others), tables=source.tables), awards=awards)
        jobs.progress(1, 2)
        ours = _ours(terms, source.tables, awards, old)
        as_of = lake.last_batch_seq()
    rows = [
        _row(place, old.get(place), ours.get(place, Ours()), terms.currency)
        for place in sorted(old.keys() | {each for each, one in ours.items() if one.earned}, key=str)
    ]
    jobs.progress(2, 2)
    return {
        "as_of_batch": as_of,
        "currency": terms.currency,
        "groups": [_group(cause, rows) for cause in CAUSES if any(row["cause"] == cause for row in rows)],
        "rows": sorted(rows, key=lambda row: (row["cause"] == "equal", -abs(Decimal(row["difference"])))),
    }


def _group(cause: str, rows: list[dict[str, str]]) -> dict[str, str]:
    mine = [row for row in rows if row["cause"] == cause]
    sums = {name: sum((Decimal(row[name]) for row in mine), ZERO) for name in ("old", "shadow", "difference")}
    return {"cause": CAUSES[cause], "rows": str(len(mine)), **{name: plain(amount) for name, amount in sums.items()}}


def _row(place: Place, old: Decimal | None, ours: Ours, currency: str) -> dict[str, str]:
    return {
        "partner": place.partner,
        "from": str(place.from_ or ""),
        "until": str(place.until or ""),
        "old": plain(old or ZERO),
        "shadow": plain(ours.earned),
        "difference": plain(ours.earned - (old or ZERO)),
        "cause": cause_of(old, ours, Decimal(1).scaleb(-minor_unit(currency))),
    }


def cause_of(old: Decimal | None, ours: Ours, unit: Decimal) -> str:
    """Give the first of `CAUSES` that holds, the surest first. unit: the smallest amount of the currency."""
    difference = ours.earned - (old or ZERO)
    tests = (
        ("equal", not difference),
        ("only_here", old is None),
        ("no_lines", not ours.lines),
        ("not_earning", not ours.earning),
        ("rounding", abs(difference) <= unit),
        ("returns", difference == ours.by_returns),
        ("late_lines", difference == ours.by_late),
    )
    return next((cause for cause, holds in tests if holds), "calculation")


def _ours(terms: Terms, tables: Tables, awards: Path, old: Mapping[Place, Decimal]) -> dict[Place, Ours]:
    """Add up awards by payee and period; and count the lines of each partner in the periods that were paid."""
    bound = "" if tables.lines.batch_seq_max is None else f"WHERE batch_seq <= {int(tables.lines.batch_seq_max)}"
    earner = {"seller": "partner_id", "buyer": "buyer_id", "reporter": "reporter_id"}.get(terms.earner, "partner_id")
    paths = [str(path) for path in tables.lines.paths]
    if not paths:
        return {}
    with duckdb.connect() as con:
        con.execute(
            f"CREATE TEMP TABLE l AS SELECT line_id, kind, occurred_on, received_on, {earner} AS earner "
            f"FROM read_parquet(?, union_by_name = true) {bound}",
            [paths],
        )
        found = con.execute(
            'SELECT a.payee_id, a."from", a.until, sum(a.award), '
            "coalesce(sum(a.award) FILTER (WHERE l.kind IN ('return', 'purchase_return')), 0), "
            "coalesce(sum(a.award) FILTER (WHERE l.received_on >= a.until), 0), count(*) FILTER (WHERE a.award <> 0), count(*) "
            "FROM read_parquet(?) a LEFT JOIN l USING (line_id) WHERE a.program = ? AND a.payee_kind = 'partner' "
            'GROUP BY a.payee_id, a."from", a.until',
            [str(awards), terms.program],
        ).fetchall()
        ours = {Place(*row[:3]): Ours(*row[3:]) for row in found}
        for place in old.keys() - ours.keys():
            count = con.execute(
                "SELECT count(*) FROM l WHERE earner = ? AND coalesce(occurred_on >= ?, true) "
                "AND coalesce(occurred_on < ?, true)",
                [place.partner, place.from_, place.until],
            ).fetchone()
            assert count is not None
            ours[place] = Ours(lines=count[0])
    return ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One comparison, as pages show it."""

    shadow: uuid.UUID
    program: str
    number: int
    state: str
    reason: str
    asked_by: str
    asked_at: datetime
    as_of_batch: int | None
    currency: str
    groups: tuple[Mapping[str, str], ...]
    rows: tuple[Mapping[str, str], ...]


def listed(viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List comparisons, the latest first, without their rows."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = Shadow.objects.select_related("asked_by").order_by("-asked_at", "pk")[:100]
    return tuple(_shown(row, with_rows=False) for row in rows)


def one(shadow: uuid.UUID, viewer: Person, *, at: datetime) -> Shown:
    """Give a comparison with its rows. Refused as `shadow_unknown` where there is none."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    row = Shadow.objects.select_related("asked_by").filter(pk=shadow).first()
    if row is None:
        raise Refusal("shadow_unknown", "There is no such comparison. Load the page of shadow runs again.")
    return _shown(row, with_rows=True)


def _shown(row: Shadow, *, with_rows: bool) -> Shown:
    return Shown(
        shadow=row.pk,
        program=row.program,
        number=row.number,
        state=row.state,
        reason=row.reason,
        asked_by=str(row.asked_by),
        asked_at=row.asked_at,
        as_of_batch=row.report.get("as_of_batch"),
        currency=row.report.get("currency", ""),
        groups=tuple(row.report.get("groups", ())),
        rows=tuple(row.report.get("rows", ())) if with_rows else (),
    )
