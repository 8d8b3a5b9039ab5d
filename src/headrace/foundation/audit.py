"""The audit trail, read and proven.

Acts write it (`acts`); the database keeps it append only; its head can be witnessed outside."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from django.db.models import QuerySet

from headrace.engine.findings import Finding, Refusal
from headrace.foundation.acts import START, canonical, link_digest, value_digest
from headrace.foundation.models import AuditEntry, AuditHead, AuditLink


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends: how many links, and the digest of the last. Written as `17:ab12…`."""

    seq: int
    digest: str

    def __str__(self) -> str:
        """Write it for a witness."""
        return f"{self.seq}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read what a witness kept; refused if it is not `NUMBER:DIGEST`."""
        seq, _, digest = text.strip().partition(":")
        if not seq.isdecimal() or len(digest) != len(START):
            raise Refusal(
                "audit_head", f"{text!r} is not a head: it must read NUMBER:DIGEST, as `headrace audit head` prints."
            )
        return cls(int(seq), digest)


@dataclass(frozen=True, slots=True)
class Verified:
    """What verifying found.

    links, entries: how many were checked. erased: entries whose values are gone. findings: the faults.
    """

    head: Head
    links: int
    entries: int
    erased: int
    findings: tuple[Finding, ...]


def head() -> Head:
    """Give the head of the chain."""
    row = AuditHead.objects.get()
    return Head(row.seq, row.digest)


def verify(witnessed: Head | None = None) -> Verified:
    """Prove the chain: every link follows from the one before and from its entries, and the head is its end.

    witnessed: a head that was kept outside; it must be a link of this chain. Faults are findings of code `audit_chain`, one
    per link or entry. Others may write meanwhile: what is proven ends at the head as it is first read.
    """
    faults: list[Finding] = []

    def fault(seq: int, message: str) -> None:
        faults.append(Finding(code="audit_chain", row=seq, message=f"Link {seq}: {message}"))

    kept, previous, links, entries, erased, seen = head(), START, 0, 0, 0, witnessed is None
    last = 0
    for link, rows in _with_entries(kept.seq):
        links += 1
        if link.seq != last + 1:
            fault(link.seq, f"{link.seq - last - 1} link(s) before it are missing.")
        if link.previous != previous:
            fault(link.seq, "it does not follow from the link before it.")
        for row in rows:
            entries += 1
            if row.salt is None:
                erased += 1
            elif value_digest(row.salt, row.before or "", row.after or "") != row.digest:
                fault(link.seq, f"the values of {row.record} {row.record_id}, {row.field}, were changed.")
        parts = [(row.position, row.record, row.record_id, row.field, row.digest) for row in rows]
        if link_digest(link.previous, link.seq, link.at.astimezone(UTC), link.actor, link.act, parts) != link.digest:
            fault(link.seq, f"who, when or what of “{link.act}” was changed, or an entry of it is missing.")
        seen = seen or (witnessed is not None and (link.seq, link.digest) == (witnessed.seq, witnessed.digest))
        previous, last = link.digest, link.seq
    # One statement, hence one state of the database: an act commits its link and the head together.
    if AuditLink.objects.filter(seq__gt=AuditHead.objects.values("seq")[:1]).exists():
        fault(kept.seq, "there are links after the head.")
    if (kept.seq, kept.digest) != (last, previous):
        fault(kept.seq, f"the head names it as the last, but the chain ends at {last}.")
    if not seen and witnessed != Head(0, START):
        assert witnessed is not None
        fault(witnessed.seq, "the witnessed head is not in this chain: links were removed or written anew.")
    return Verified(kept, links, entries, erased, tuple(faults))


def _with_entries(until: int) -> Iterator[tuple[AuditLink, list[AuditEntry]]]:
    by_link = groupby(
        AuditEntry.objects.filter(link_id__lte=until).order_by("link_id", "position").iterator(chunk_size=5000),
        key=lambda row: row.link_id,
    )
    waiting = next(by_link, None)
    for link in AuditLink.objects.filter(seq__lte=until).order_by("seq").iterator(chunk_size=5000):
        rows: list[AuditEntry] = []
        if waiting is not None and waiting[0] == link.seq:
            rows = list(waiting[1])
            waiting = next(by_link, None)
        yield link, rows


def erase_values(record: str, record_id: str, fields: frozenset[str]) -> int:
    """Erase the values of a record's fields from the trail, and give how many entries had them; digests stay."""
    return _erase(AuditEntry.objects.filter(record=record, record_id=record_id, field__in=fields))


def erase_addresses(person: uuid.UUID) -> int:
    """Erase from where a person acted, and give how many entries had it."""
    return _erase(AuditEntry.objects.filter(record="act", field="address", link__actor=f"person:{person}"))


def _erase(entries: QuerySet[AuditEntry]) -> int:
    number: int = entries.filter(salt__isnull=False).update(before=None, after=None, salt=None)
    return number


def noted(record: str, field: str) -> Iterator[tuple[str, object]]:
    """Give what acts noted of one field of this kind of record: the record's id and the value, in order."""
    rows = AuditEntry.objects.filter(record=record, field=field, after__isnull=False).order_by("link_id", "position")
    for record_id, after in rows.values_list("record_id", "after").iterator(chunk_size=5000):
        yield record_id, json.loads(after or "null")


@dataclass(frozen=True, slots=True)
class Link:
    """One link: where the chain stood with it, who acted, when."""

    head: Head
    actor: str
    at: datetime


def last_link(record: str, record_id: str, field: str, after: object) -> Link | None:
    """Give the last link in which a field of a record became a value."""
    rows = AuditEntry.objects.filter(record=record, record_id=record_id, field=field, after=canonical(after))
    row = rows.select_related("link").order_by("-link_id").first()
    return None if row is None else Link(Head(row.link.seq, row.link.digest), row.link.actor, row.link.at)


@dataclass(frozen=True, slots=True)
class Line:
    """One act as the reader shows it. changes: (record, id, field, before, after), values null once erased."""

    seq: int
    at: datetime
    actor: str
    act: str
    changes: tuple[tuple[str, str, str, str | None, str | None], ...]


def read(*, before: int | None = None, record_id: str | None = None, size: int = 50) -> tuple[Line, ...]:
    """Give acts, the latest first. before: only those of a lower number. record_id: only those that changed this record."""
    links = AuditLink.objects.order_by("-seq").prefetch_related("entries")
    if before is not None:
        links = links.filter(seq__lt=before)
    if record_id:
        links = links.filter(seq__in=AuditEntry.objects.filter(record_id=record_id).values("link_id"))
    return tuple(
        Line(
            link.seq,
            link.at,
            link.actor,
            link.act,
            tuple(
                (row.record.removeprefix("foundation."), row.record_id, row.field, row.before, row.after)
                for row in sorted(link.entries.all(), key=lambda row: row.position)
            ),
        )
        for link in links[:size]
    )
