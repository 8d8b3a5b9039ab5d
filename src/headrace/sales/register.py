"""The lake's register of batches and its lease (headrace.lake.register), in the application's database.

Whoever changes the register first locks the one row of the lease, so changes follow one another on every database. Commits are
durable when a call returns: no call may stand inside a transaction of its caller, but for `mark_posted`, which is part of one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction
from django.db.models import F, Max

from headrace.engine.findings import Refusal
from headrace.lake.owner import is_known_dead
from headrace.lake.register import Batch, Lease, State
from headrace.sales import models


class DatabaseRegister:
    """The register of the installation's one lake. Safe to share between threads and processes."""

    def register(self, *, content_hash: str, source: str, raw: str, at: datetime) -> Batch:
        """Give the next `batch_seq`, or the earlier batch of that content."""
        with _changing():
            found = _find(content_hash)
            if found is not None:
                return _as_batch(found, earlier=True)
            return _insert(content_hash=content_hash, source=source, raw=raw, at=at)

    def batch(self, batch_seq: int) -> Batch | None:
        """Find one batch."""
        row = models.Batch.objects.filter(pk=batch_seq).first()
        return _as_batch(row) if row else None

    def batches(self) -> list[Batch]:
        """List all batches by `batch_seq`."""
        return [_as_batch(row) for row in models.Batch.objects.order_by("batch_seq")]

    def unposted(self) -> list[Batch]:
        """List the batches that are in the lake and not posted, by `batch_seq`."""
        return [_as_batch(row) for row in models.Batch.objects.filter(state=State.APPENDED).order_by("batch_seq")]

    def find(self, content_hash: str) -> Batch | None:
        """Find the batch of that content that is not refused."""
        row = _find(content_hash)
        return _as_batch(row) if row else None

    def mark_appended(self, batch_seq: int, *, accepted: int, duplicates: int, token: int, at: datetime) -> None:
        """Note that the rows are durable in the lake."""
        with _changing() as lease:
            if lease.token != token:
                raise _lease_lost()
            registered = models.Batch.objects.filter(pk=batch_seq, state=State.REGISTERED)
            registered.update(state=State.APPENDED, accepted=accepted, duplicates=duplicates, appended_at=at)

    def mark_posted(self, batch_seq: int, *, at: datetime) -> None:
        """Note that everything that follows from the batch is posted."""
        with transaction.atomic():
            mark_posted(batch_seq, at=at)

    def refuse(self, batch_seq: int, *, reason: str, at: datetime) -> None:
        """Close a registered batch of which nothing is in the lake."""
        with _changing():
            _refuse(batch_seq, reason=reason, at=at)

    def renumber(self, batch_seq: int, *, at: datetime) -> Batch:
        """Close a registered batch that later ones have overtaken and register its content anew."""
        with _changing():
            old = models.Batch.objects.get(pk=batch_seq)
            assert old.raw is not None
            reason = f"later batches came into the lake first; it goes on as batch {_last() + 1}"
            _refuse(batch_seq, reason=reason, at=at)
            return _insert(content_hash=old.content_hash, source=old.source, raw=old.raw, at=at)

    def forget_raw(self, batch_seqs: list[int]) -> list[str]:
        """Note that raw files are no longer kept; give the names that no other batch uses."""
        with _changing():
            held = models.Batch.objects.filter(pk__in=batch_seqs, raw__isnull=False)
            names = sorted({str(name) for name in held.values_list("raw", flat=True)})
            models.Batch.objects.filter(raw__in=names).exclude(state=State.REGISTERED).update(raw=None)
            kept = set(models.Batch.objects.filter(raw__in=names).values_list("raw", flat=True))
        return [name for name in names if name not in kept]

    def acquire(self, *, owner: str, now: datetime, expires_at: datetime) -> Lease | None:
        """Take the lease if it is free, expired, or its holder is known dead."""
        with _changing() as lease:
            holder = lease.owner
            still_held = lease.expires_at is not None and lease.expires_at > now
            if holder is not None and still_held and not is_known_dead(holder):
                return None
            lease.token, lease.owner, lease.expires_at = lease.token + 1, owner, expires_at
            lease.save()
        return Lease(token=lease.token, owner=owner, expires_at=expires_at, taken_over=holder is not None)

    def extend(self, lease: Lease, *, expires_at: datetime) -> Lease:
        """Hold the lease longer."""
        if not models.LakeLease.objects.filter(token=lease.token).update(expires_at=expires_at):
            raise _lease_lost()
        return Lease(token=lease.token, owner=lease.owner, expires_at=expires_at, taken_over=lease.taken_over)

    def release(self, lease: Lease) -> None:
        """Give the lease back."""
        models.LakeLease.objects.filter(token=lease.token).update(owner=None, expires_at=None)


def mark_posted(batch_seq: int, *, at: datetime) -> bool:
    """Note inside a transaction of the caller that a batch is posted; false if it was already.

    Raises Refusal `batch_not_appended` where the batch is not in the lake.
    """
    appended = models.Batch.objects.filter(pk=batch_seq, state=State.APPENDED)
    if appended.update(state=State.POSTED, posted_at=at):
        return True
    if models.Batch.objects.filter(pk=batch_seq, state=State.POSTED).exists():
        return False
    raise Refusal("batch_not_appended", f"Batch {batch_seq} is not in the lake; take it in first.")


def posted_after(batch_seq: int) -> bool:
    """Tell whether a later batch is posted."""
    return models.Batch.objects.filter(state=State.POSTED, pk__gt=batch_seq).exists()


@contextmanager
def _changing() -> Iterator[models.LakeLease]:
    with transaction.atomic(durable=True):
        yield models.LakeLease.objects.select_for_update().get()


def _last() -> int:
    return models.Batch.objects.aggregate(last=Max(F("batch_seq")))["last"] or 0


def _insert(*, content_hash: str, source: str, raw: str, at: datetime) -> Batch:
    row = models.Batch.objects.create(
        batch_seq=_last() + 1,
        content_hash=content_hash,
        source=source,
        state=State.REGISTERED,
        raw=raw,
        registered_at=at,
    )
    return _as_batch(row)


def _refuse(batch_seq: int, *, reason: str, at: datetime) -> None:
    registered = models.Batch.objects.filter(pk=batch_seq, state=State.REGISTERED)
    if not registered.update(state=State.REFUSED, reason=reason, refused_at=at):
        raise Refusal(
            "batch_not_open",
            f"Batch {batch_seq} cannot be closed: only a registered batch that is not in the lake yet can. Correct lines that "
            "are in the lake by reversals.",
        )


def _find(content_hash: str) -> models.Batch | None:
    return models.Batch.objects.filter(content_hash=content_hash).exclude(state=State.REFUSED).first()


def _as_batch(row: models.Batch, *, earlier: bool = False) -> Batch:
    return Batch(
        batch_seq=row.batch_seq,
        content_hash=row.content_hash,
        source=row.source,
        state=State(row.state),
        registered_at=row.registered_at,
        raw=row.raw,
        accepted=row.accepted,
        duplicates=row.duplicates,
        reason=row.reason,
        earlier=earlier,
    )


def _lease_lost() -> Refusal:
    return Refusal(
        "lease_lost",
        "Another process took over the lake while this one was at work. Send the request again: what was already added is "
        "recognised.",
    )
