"""Asking and deciding: whoever makes a request never decides it, nobody decides two stages, a rejection says why.

An app registers, for each kind of request, what follows from its end; that happens in the act of the last decision.
Whoever decides sees the facts as they were when it was asked for, and what is done must follow them.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts
from headrace.foundation.keyset import Place, latest_first
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.workflow.models import Decision, Request
from headrace.workflow.policies import Stage, policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What follows from the end of a kind of request. approved(subject, by, at); rejected(subject, by, reason, at)."""

    approved: Callable[[str, Person, datetime], None]
    rejected: Callable[[str, Person, str, datetime], None]


_ENDINGS: dict[str, Ending] = {}


def ends(kind: str, ending: Ending) -> None:
    """Register what follows from the end of a kind of request."""
    assert kind in policies(), f"{kind} has no policy"
    _ENDINGS[kind] = ending


def ask(
    *,
    kind: str,
    subject: str,
    facts: Mapping[str, Any],
    by: Person,
    barred: Iterable[str] = (),
    further: Iterable[Stage] = (),
    at: datetime,
) -> uuid.UUID:
    """Make a request, and give its id. Whoever calls has checked that the person may ask. Refused while one is open.

    further: stages that this one request needs after those of its policy.
    """
    policy = policies()[kind]
    with acts.act(f"ask_{kind}", at=at):
        if Request.objects.filter(kind=kind, subject=subject, state=Request.State.OPEN).exists():
            raise Refusal("asked_already", f"{policy.label}: this was asked for already and waits for a decision.")
        made = Request(
            kind=kind,
            subject=subject,
            maker=by,
            made_at=at,
            facts=dict(facts),
            stages=[{"name": stage.name, "permission": stage.permission.value} for stage in (*policy.stages, *further)],
            barred=sorted(set(barred)),
        )
        made.save()
    return made.pk


def approve(*, request: uuid.UUID, by: Person, at: datetime) -> bool:
    """Approve the stage that the request stands in; tells whether it was the last."""
    with acts.act("approve_request", at=at):
        asked = _to_decide(request, by, at)
        _decide(asked, by, Decision.Verdict.APPROVE, "", at)
        asked.stage += 1
        last = asked.stage == len(asked.stages)
        if last:
            asked.state, asked.closed_at = Request.State.APPROVED, at
        asked.save()
        if last:
            _ENDINGS[asked.kind].approved(asked.subject, by, at)
    return last


def reject(*, request: uuid.UUID, by: Person, reason: str, at: datetime) -> None:
    """Reject the request, with the reason that whoever made it reads."""
    if not reason.strip():
        raise Refusal("reason_missing", "Say why it is rejected; whoever asked reads it.")
    with acts.act("reject_request", at=at):
        asked = _to_decide(request, by, at)
        _decide(asked, by, Decision.Verdict.REJECT, reason.strip(), at)
        asked.state, asked.closed_at = Request.State.REJECTED, at
        asked.save()
        _ENDINGS[asked.kind].rejected(asked.subject, by, reason.strip(), at)


def withdraw(*, request: uuid.UUID, by: Person, at: datetime) -> None:
    """Take a request back; only its maker does."""
    with acts.act("withdraw_request", at=at):
        asked = _locked(request, by, at)
        if asked.maker_id != by.pk:
            raise Refusal("not_permitted", "Only whoever asked takes a request back. Reject it, with a reason.")
        if asked.state != Request.State.OPEN:
            raise Refusal("already_decided", f"This request was {asked.state} already.")
        asked.state, asked.closed_at = Request.State.WITHDRAWN, at
        asked.save()
        _ENDINGS[asked.kind].rejected(asked.subject, by, "withdrawn by whoever asked", at)


def _locked(request: uuid.UUID, by: Person, at: datetime) -> Request:
    access.require(by, VENDOR, Permission.READ_ALL, at.date())
    if not Request.objects.filter(pk=request).exists():
        raise Refusal("request_unknown", "There is no such request. Load the page of requests again.")
    return Request.locked(request)


def _to_decide(request: uuid.UUID, by: Person, at: datetime) -> Request:
    asked = _locked(request, by, at)
    if asked.state != Request.State.OPEN:
        raise Refusal("already_decided", f"This request was {asked.state} already.")
    access.require(by, VENDOR, Permission(asked.stages[asked.stage]["permission"]), at.date())
    if by.pk == asked.maker_id or str(by.pk) in asked.barred:
        raise Refusal("second_person", "A second person decides: not who asked for it, nor who took part in making it.")
    if asked.decisions.filter(decided_by=by).exists():
        raise Refusal("second_person", "You decided an earlier stage of this request. Another person decides this one.")
    return asked


def _decide(asked: Request, by: Person, verdict: Decision.Verdict, reason: str, at: datetime) -> None:
    Decision(
        request=asked, stage=asked.stage, maker_id=asked.maker_id, decided_by=by, verdict=verdict, reason=reason, decided_at=at
    ).save()  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision, as pages show it."""

    stage: str
    by: str
    verdict: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, as pages show it. waits_for: the permission that its next decision asks for, null once it is closed."""

    request: uuid.UUID
    kind: str
    label: str
    subject: str
    maker: str
    made_at: datetime
    facts: Mapping[str, Any]
    state: str
    waits_for: str | None
    decisions: tuple[Decided, ...]
    mine: bool
    may_decide: bool


def listed(
    viewer: Person, *, at: datetime, size: int = 100, before: Place | None = None, state: str = "", kind: str = ""
) -> tuple[Asked, ...]:
    """List the latest requests, open ones first. For people of the vendor who may read all.

    before: only those behind this place. state, kind: only those.
    """
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    asked = {name: text for name, text in (("state", state), ("kind", kind)) if text}
    rows = list(latest_first(_rows().filter(**asked), "made_at", before)[:size])
    permissions = access.permitted(viewer, VENDOR, at.date())
    return tuple(_asked(row, viewer, permissions) for row in sorted(rows, key=lambda row: row.state != "open"))


def one(request: uuid.UUID, viewer: Person, *, at: datetime) -> Asked:
    """Give one request. Refused as `request_unknown` where there is none."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    row = _rows().filter(pk=request).first()
    if row is None:
        raise Refusal("request_unknown", "There is no such request. Load the page of requests again.")
    return _asked(row, viewer, access.permitted(viewer, VENDOR, at.date()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A request that waits for a decision, for services that ask which there are."""

    request: uuid.UUID
    kind: str
    label: str
    subject: str
    facts: Mapping[str, Any]
    made_at: datetime


def open_of(kinds: Iterable[str]) -> tuple[Open, ...]:
    """List the open requests of some kinds, the oldest first."""
    rows = Request.objects.filter(kind__in=tuple(kinds), state=Request.State.OPEN).order_by("made_at")
    return tuple(
        Open(
            request=row.pk, kind=row.kind, label=policies()[row.kind].label, subject=row.subject, facts=row.facts,
            made_at=row.made_at,
        )
        for row in rows
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A request that was closed. maker, deciders: ids of persons."""

    request: uuid.UUID
    kind: str
    subject: str
    facts: Mapping[str, Any]
    state: str
    maker: str
    made_at: datetime
    closed_at: datetime | None
    deciders: tuple[str, ...]


def closed_between(since: datetime, until: datetime) -> tuple[Closed, ...]:
    """List the requests that were closed in a time, in the order of it."""
    rows = Request.objects.filter(closed_at__gte=since, closed_at__lte=until).prefetch_related("decisions")
    return tuple(
        Closed(
            request=row.pk, kind=row.kind, subject=row.subject, facts=row.facts, state=row.state,
            maker=f"person:{row.maker_id}", made_at=row.made_at, closed_at=row.closed_at,
            deciders=tuple(
                f"person:{each.decided_by_id}" for each in sorted(row.decisions.all(), key=lambda each: each.stage)
            ),
        )
        for row in rows.order_by("closed_at", "pk")
    )  # fmt: skip


def approved_facts(kind: str, subject: str) -> Mapping[str, Any] | None:
    """Give the facts of the last approved request about the subject, null where there is none."""
    row = (
        Request.objects.filter(kind=kind, subject=subject, state=Request.State.APPROVED).order_by("-closed_at").first()
    )
    return None if row is None else dict(row.facts)


def _rows() -> Any:
    return Request.objects.select_related("maker").prefetch_related("decisions__decided_by")


def _asked(row: Request, viewer: Person, permissions: frozenset[Permission]) -> Asked:
    waits_for = row.stages[row.stage]["permission"] if row.state == Request.State.OPEN else None
    decisions = sorted(row.decisions.all(), key=lambda each: each.stage)
    barred = {str(row.maker_id), *row.barred, *(str(each.decided_by_id) for each in decisions)}
    return Asked(
        request=row.pk,
        kind=row.kind,
        label=policies()[row.kind].label,
        subject=row.subject,
        maker=str(row.maker),
        made_at=row.made_at,
        facts=row.facts,
        state=row.state,
        waits_for=waits_for,
        decisions=tuple(
            Decided(
                stage=row.stages[each.stage]["name"],
                by=str(each.decided_by),
                verdict=each.verdict,
                reason=each.reason,
                at=each.decided_at,
            )
            for each in decisions
        ),
        mine=row.maker_id == viewer.pk,
        may_decide=waits_for in permissions and str(viewer.pk) not in barred,
    )
