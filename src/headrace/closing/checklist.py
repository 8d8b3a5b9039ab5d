"""The checklist of a close: what every check finds, who explained what, and whether the period may be locked."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headrace.closing import checks
from headrace.closing.checks import Check, Checked, Close, Severity
from headrace.closing.models import Explanation
from headrace.engine.findings import Finding, Refusal
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger import periods


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why items may stand."""

    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One check with what it found. explained: null where nobody explained these very items. stands: stops the lock."""

    check: Check
    found: Checked
    explained: Explained | None

    @property
    def stands(self) -> bool:
        return bool(self.found.items) and (self.check.severity is Severity.BLOCKS or self.explained is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """Everything that was checked about a close."""

    close: Close
    rows: tuple[Row, ...]

    @property
    def may_lock(self) -> bool:
        return not any(row.stands for row in self.rows)


def of(period: uuid.UUID, viewer: Person, *, at: datetime) -> Checklist:
    """Make every check for a period. Refused as `period_unknown` where there is none."""
    access.require(viewer, VENDOR, Permission.READ_LEDGER, at.date())
    return _of(period, at)


def _of(period: uuid.UUID, at: datetime) -> Checklist:
    company = periods.company_of(period)
    close = Close(company, periods.standing(company, period), at)
    known = {(row.check_code, row.digest): row for row in _explanations(period)}

    def row(found: Checked) -> Row:
        said = known.get((found.check.code, found.digest)) if found.items else None
        explained = said and Explained(reason=said.reason, by=str(said.explained_by), at=said.explained_at)
        return Row(check=found.check, found=found, explained=explained or None)

    return Checklist(close=close, rows=tuple(row(found) for found in checks.examine(close)))


def _explanations(period: uuid.UUID) -> Sequence[Explanation]:
    return list(Explanation.objects.filter(period=period).select_related("explained_by").order_by("explained_at"))


def explain(*, period: uuid.UUID, check: str, digest: str, reason: str, by: Person, at: datetime) -> None:
    """Say why what a check found may stand. digest: of the items that were looked at; refused where they changed since.

    Refused (`blocks`) for a check whose items have to be mended.
    """
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    if not reason.strip():
        raise Refusal("reason_missing", "Say why it may stand; whoever grants the lock reads it.")
    row = next((each for each in _of(period, at).rows if each.check.code == check), None)
    if row is None or not row.found.items:
        raise Refusal("nothing_to_explain", "There is nothing to explain here any more. Load the checklist again.")
    if row.check.severity is Severity.BLOCKS:
        raise Refusal("blocks", f"“{row.check.label}” cannot be explained. {row.check.mend}")
    if row.found.digest != digest:
        raise Refusal(
            "items_changed", f"What “{row.check.label}” finds changed since you looked. Load the checklist again."
        )
    if row.explained is not None:
        raise Refusal("explained_already", f"{row.explained.by} explained this already.")
    with acts.act("explain_check", at=at):
        Explanation(
            period=period, check_code=check, digest=digest, items=len(row.found.items), reason=reason.strip(),
            explained_by=by, explained_at=at,
        ).save()  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One explanation, as the audit pack lists it."""

    check: str
    items: int
    reason: str
    by: str
    at: datetime


def overrides(period: uuid.UUID, *, until: datetime) -> tuple[Override, ...]:
    """List what was explained for a period until an instant."""
    return tuple(
        Override(
            check=row.check_code,
            items=row.items,
            reason=row.reason,
            by=f"person:{row.explained_by_id}",
            at=row.explained_at,
        )
        for row in _explanations(period)
        if row.explained_at <= until
    )


def _guard(locking: periods.Locking) -> None:
    """Refuse a lock that something stands against, and a grant by whoever explained something that does."""
    rows = _of(locking.period, locking.at).rows
    standing = [row for row in rows if row.stands]
    if standing:
        findings = [
            Finding(code=row.check.code, message=f"{row.check.label}: {item.text}")
            for row in standing
            for item in row.found.items[:20]
        ]
        named = "; ".join(f"{row.check.label} ({len(row.found.items)})" for row in standing)
        raise Refusal("close_stopped", f"This stands against locking: {named}. See the checklist.", findings=findings)
    if not locking.decides:
        return
    mine = {
        (row.check_code, row.digest) for row in _explanations(locking.period) if row.explained_by_id == locking.by.pk
    }
    if any((row.check.code, row.found.digest) in mine for row in rows if row.found.items):
        raise Refusal("second_person", "You explained why something may stand. Another person grants this lock.")


periods.guarded_by(_guard)
