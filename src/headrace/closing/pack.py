"""The audit pack of a close: asked for once a period is locked, made by a job, kept under the hash of its content.

Everything in it is of what no longer changes once the period is locked, so the same close gives the same bytes.
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from django.conf import settings

from headrace.closing import checklist, pack_steps
from headrace.closing.checks import Close
from headrace.closing.models import AuditPack
from headrace.closing.pack_files import Cover, Step, archive, as_csv, as_json, cover, of_dicts, steps_csv
from headrace.engine.findings import Refusal
from headrace.foundation import access, acts, audit
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.lake import Lake
from headrace.lake.durable import make_folder, publish
from headrace.ledger import periods, reading
from headrace.programs import entering, finals
from headrace.programs.finals import Opened
from headrace.runs.record import Verification
from headrace.sales import received
from headrace.sales.lake import opened as opened_lake
from headrace.workflow import requests

SAMPLE = 5
"""So many statements come with their evidence, chosen by the hash of the close and the statement."""


def ask(*, period: uuid.UUID, by: Person, at: datetime) -> uuid.UUID:
    """Ask for the pack of a locked period, and give its id; the same close has one pack."""
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    company = periods.company_of(period)
    locked_at = _locked(periods.standing(company, period))
    with acts.act("ask_for_audit_pack", at=at):
        made = AuditPack.objects.filter(period=period, locked_at=locked_at).first()
        if made is None:
            made = AuditPack(period=period, locked_at=locked_at, asked_by=by, asked_at=at)
            made.save()
        if not made.sha256:
            from headrace.closing.tasks import make_audit_pack

            make_audit_pack.enqueue(str(made.pk))
    return made.pk


def _locked(standing: periods.Standing) -> datetime:
    if standing.state != periods.State.LOCKED or standing.locked_at is None:
        raise Refusal("period_state", f"The period from {standing.from_on} is {standing.state}. Lock it first.")
    return standing.locked_at


def make(*, pack: uuid.UUID, at: datetime) -> str:
    """Make a pack and keep it; gives its hash. A second time, also after a killed first, gives the same."""
    asked = AuditPack.objects.get(pk=pack)
    if asked.sha256:
        return str(asked.sha256)
    built = build(asked.period)
    if built.locked_at != asked.locked_at:
        raise Refusal("period_reopened", "The period was opened again since. Ask for the pack of its new close.")
    sha256 = hashlib.sha256(built.content).hexdigest()
    path = _path(sha256)
    make_folder(path.parent)
    publish(path, lambda temporary: temporary.write_bytes(built.content))
    with acts.act("make_audit_pack", at=at):
        made = AuditPack.locked(pack)
        if not made.sha256:
            made.sha256, made.size, made.made_at = sha256, len(built.content), at
            made.differences = sum(1 for each in built.steps if each.difference)
            made.save()
    return sha256


def _path(sha256: str) -> Path:
    return Path(settings.HEADRACE_FILES) / "packs" / f"{sha256}.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A pack that was asked for. sha256, differences: null until it is made."""

    pack: uuid.UUID
    asked_by: str
    asked_at: datetime
    sha256: str | None
    size: int | None
    differences: int | None


def of_period(period: uuid.UUID, viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List the packs of a period, one for each time that it was locked, the latest first."""
    access.require(viewer, VENDOR, Permission.READ_LEDGER, at.date())
    rows = AuditPack.objects.filter(period=period).select_related("asked_by").order_by("-asked_at")
    return tuple(
        Shown(
            pack=row.pk, asked_by=str(row.asked_by), asked_at=row.asked_at, sha256=row.sha256 or None, size=row.size,
            differences=row.differences,
        )
        for row in rows
    )  # fmt: skip


def opened(pack: uuid.UUID, viewer: Person, *, at: datetime) -> tuple[str, Path]:
    """Give a pack's name and file to whoever reads the books. Refused as `pack_unknown` where it is none, or not made yet."""
    access.require(viewer, VENDOR, Permission.READ_LEDGER, at.date())
    row = AuditPack.objects.filter(pk=pack).exclude(sha256="").first()
    if row is None:
        raise Refusal("pack_unknown", "There is no such audit pack, or it is not made yet.")
    return f"audit-pack-{row.sha256[:12]}.zip", _path(row.sha256)


@dataclass(frozen=True, slots=True)
class Built:
    """A pack: its bytes, its steps, and when the period was locked."""

    content: bytes
    steps: tuple[Step, ...]
    locked_at: datetime


def build(period: uuid.UUID) -> Built:
    """Build the pack of a locked period."""
    company = periods.company_of(period)
    standing = periods.standing(company, period)
    locked_at = _locked(standing)
    close = Close(company, standing, locked_at)
    with opened_lake() as lake:
        runs = finals.of(_runs(close), lake)
        lake_sums = pack_steps.in_lake(lake)
        sections = (
            pack_steps.intake(locked_at, lake_sums),
            pack_steps.lines(runs, lake, lake_sums),
            pack_steps.earned(runs, lake),
            pack_steps.books(close, locked_at),
        )
        proven = {run.run: finals.verified(run.run, lake) for run in runs}
        samples = _samples(close, runs, lake, proven)
    steps = tuple(step for section in sections for step in section.steps)
    files = {name: data for section in sections for name, data in section.files.items()}
    files |= samples | {"steps.csv": steps_csv(steps)}
    tables, more = _said(close)
    chain = _chain(close)
    files |= more | {"chain.json": as_json(chain), "runs.json": as_json([_run(run, proven[run.run]) for run in runs])}
    files["cover.html"] = cover(
        Cover(
            heading=f"Audit pack: {company.code}, {standing.from_on} until {standing.until_on}",
            facts=[("company", company.name), *((name.replace("_", " "), value) for name, value in chain.items())],
            steps=steps,
            tables=tables,
        )
    )  # fmt: skip
    return Built(archive(files), steps, locked_at)


def _runs(close: Close) -> frozenset[str]:
    """Name the final runs that posted into the period."""
    booked = reading.booked(close.company, close.period.id)
    return frozenset(line.cause[1] for line in booked if line.cause[0] == entering.FINALISATION)


def _chain(close: Close) -> dict[str, Any]:
    link = audit.last_link("ledger.accountingperiod", str(close.period.id), "state", periods.State.LOCKED.value)
    assert link is not None, "a locked period was locked in an act"
    return {
        "period": str(close.period.id), "from": close.period.from_on, "until": close.period.until_on,
        "locked_at": close.at, "locked_by": link.actor, "audit_chain_head": str(link.head),
        "functional_currency": close.company.functional_currency,
    }  # fmt: skip


type _Table = tuple[str, Sequence[str], Sequence[Sequence[object]]]


def _said(close: Close) -> tuple[list[_Table], dict[str, bytes]]:
    """What people decided, and which reference data changed, in the period's time until it was locked."""
    since = datetime.combine(close.period.from_on, time.min, UTC)
    explained = [
        (each.check, each.items, each.reason, each.by, each.at)
        for each in checklist.overrides(close.period.id, until=close.at)
    ]
    decided = [
        (
            each.request, each.kind, each.subject, each.state, each.maker, " ".join(each.deciders), each.closed_at,
            as_json(each.facts).decode(),
        )
        for each in requests.closed_between(since, close.at)
    ]  # fmt: skip
    changed: list[tuple[object, ...]] = [("table", *each) for each in received.tables_changed(since, close.at)]
    for program, number, terms, when in finals.versions_activated(since, close.at):
        changed.append(("terms", program, terms, f"version {number}", "", when))
    asked = ("request", "kind", "subject", "state", "maker", "deciders", "closed_at", "facts")
    tables: list[_Table] = [
        ("Explained, and why", ("check", "items", "reason", "by", "at"), explained),
        ("Requests that were decided", asked, decided),
        ("Changes of reference data and terms", ("what", "kind", "hash", "source", "rows", "since"), changed),
    ]
    names = ("overrides.csv", "requests.csv", "reference_changes.csv")
    files = {name: as_csv(header, rows) for name, (_, header, rows) in zip(names, tables, strict=True)}
    without_facts = [(tables[1][0], tables[1][1][:-1], [row[:-1] for row in decided])]
    return [tables[0], *without_facts, tables[2]], files


def _run(run: Opened, proven: Verification) -> dict[str, Any]:
    cited = run.citation
    return {
        "run": run.run, "program": run.program, "batch_seq": run.batch_seq, "engine": cited["engine"], "as_of": cited["as_of"],
        "terms": [{name: each[name] for name in ("program", "version", "hash")} for each in cited["terms"]],
        "snapshots": cited["source"]["lake"]["references"], "fixed": cited["source"]["lake"]["fixed"],
        "verified": {
            "differences": len(proven.differences), "statements": proven.statements, "awards": proven.awards,
            "first": [f"{each.record}: {each.column}" for each in proven.differences[:5]],
        },
    }  # fmt: skip


def _samples(close: Close, runs: Sequence[Opened], lake: Lake, proven: dict[str, Verification]) -> dict[str, bytes]:
    """Choose statements by a seed that follows from the close, and lay their evidence beside each."""
    seed = f"{close.period.id}:{close.at.isoformat()}"
    every = sorted(
        {(run.run, str(row["payee_id"])) for run in runs for row in run.statements},
        key=lambda each: hashlib.sha256(f"{seed}:{each[0]}:{each[1]}".encode()).hexdigest(),
    )
    by_run = {run.run: run for run in runs}
    files: dict[str, bytes] = {}
    for number, (name, payee) in enumerate(every[:SAMPLE], start=1):
        run, folder = by_run[name], f"sample/{number:02}"
        files[f"{folder}/statement.csv"] = of_dicts([row for row in run.statements if row["payee_id"] == payee])
        files[f"{folder}/lines.csv"] = of_dicts(finals.award_lines(name, payee, lake, run.batch_seq))
        files[f"{folder}/evidence.json"] = as_json({"payee": payee, "seed": seed, **_run(run, proven[name])})
    return files
