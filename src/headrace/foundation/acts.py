"""Acts: the unit of the audit trail. An act is one transaction with who, from where, when, and every change that it made.

Who is acting is set at the edge (a request, a command, a job) by `acting_as`; services open an act by `act`. Sealing it appends
one link to the chain, whose head is locked last. `audit` reads and proves the chain.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from dataclasses import field as made
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

START = "0" * 64
"""Digest before the first link."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. person: null for a command or a job, which `via` names. address: where from, null if from this machine."""

    person: uuid.UUID | None
    via: str
    address: str | None = None

    def __str__(self) -> str:
        """Give the name that the trail keeps: never personal."""
        return f"person:{self.person}" if self.person else self.via


@dataclass(slots=True)
class Change:
    """One field of one record. before, after: canonical JSON."""

    record: str
    record_id: str
    field: str
    before: str
    after: str
    salt: str = made(default_factory=lambda: secrets.token_hex(16))

    def digest(self) -> str:
        """Give the salted digest that stays when the values are erased."""
        return value_digest(self.salt, self.before, self.after)


@dataclass(slots=True)
class Act:
    """An act under way."""

    name: str
    at: datetime
    actor: Actor
    changes: list[Change] = made(default_factory=list)

    def note(
        self,
        record: str,
        record_id: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        *,
        secret: frozenset[str] = frozenset(),
    ) -> None:
        """Note each field that differs between before (empty: the record is new) and after."""
        for name in after:
            old, new = before.get(name), after[name]
            if old == new and name in before:
                continue
            shown = ("(secret)", "(secret)") if name in secret else (old, new)
            self.changes.append(Change(record, record_id, name, canonical(shown[0]), canonical(shown[1])))


_actor: ContextVar[Actor] = ContextVar("actor")
_act: ContextVar[Act | None] = ContextVar("act", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Say who acts in this context. Whatever changes a record outside of one is a defect (LookupError)."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def actor() -> Actor:
    """Give who acts."""
    return _actor.get()


@contextmanager
def act(name: str, *, at: datetime) -> Iterator[Act]:
    """Run one act: a transaction that ends with its link in the chain. Inside another act it is a part of that one."""
    under_way = _act.get()
    if under_way is not None:
        yield under_way
        return
    with transaction.atomic():
        new = Act(name, at, _actor.get())
        token = _act.set(new)
        try:
            yield new
        finally:
            _act.reset(token)
        if new.changes:
            _seal(new)


@contextmanager
def joined(name: str) -> Iterator[Act]:
    """Join the act under way; where a library saves a record by itself there is none, and the save is an act of its own."""
    with act(name, at=timezone.now()) as one:
        yield one


def _seal(done: Act) -> None:
    if done.actor.address:
        done.changes.append(Change("act", "", "address", canonical(None), canonical(done.actor.address)))
    if done.actor.person and done.actor.via != "web":
        done.changes.append(Change("act", "", "via", canonical(None), canonical(done.actor.via)))
    head = apps.get_model("foundation", "AuditHead").objects.select_for_update().get()
    seq, at = head.seq + 1, done.at.astimezone(UTC)
    entries = [(n, c.record, c.record_id, c.field, c.digest()) for n, c in enumerate(done.changes)]
    digest = link_digest(head.digest, seq, at, str(done.actor), done.name, entries)
    apps.get_model("foundation", "AuditLink").objects.create(
        seq=seq, at=at, actor=str(done.actor), act=done.name, previous=head.digest, digest=digest
    )
    entry = apps.get_model("foundation", "AuditEntry")
    entry.objects.bulk_create(
        entry(
            link_id=seq,
            position=position,
            record=change.record,
            record_id=change.record_id,
            field=change.field,
            before=change.before,
            after=change.after,
            salt=change.salt,
            digest=change.digest(),
        )
        for position, change in enumerate(done.changes)
    )
    head.seq, head.digest = seq, digest
    head.save()


def canonical(value: Any) -> str:
    """Write a value as JSON in the one way that digests are made over."""
    return json.dumps(value, cls=_Encoder, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        if isinstance(o, datetime):
            return o.astimezone(UTC).isoformat()
        return super().default(o)


def value_digest(salt: str, before: str, after: str) -> str:
    """Give the digest of one change's values."""
    return hashlib.sha256(canonical([salt, before, after]).encode()).hexdigest()


def link_digest(
    previous: str, seq: int, at: datetime, who: str, name: str, entries: list[tuple[int, str, str, str, str]]
) -> str:
    """Give the digest of one link: over the link before it, who, when, what, and every entry with its value digest."""
    return hashlib.sha256(canonical([previous, seq, at, who, name, entries]).encode()).hexdigest()
