"""The port to the register of batches and the lease of a lake: what any store behind it promises.

A batch is registered before anything else happens to it. That gives it the next `batch_seq`, without gaps, and keeps its
content hash, so that the same batch cannot come in twice. States:

    registered → appended → posted         refused from registered only

SQLite fills this port (`headrace.lake.register_sqlite`); an application's database may.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """How far a batch has come."""

    REGISTERED = "registered"
    APPENDED = "appended"
    POSTED = "posted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One registered batch.

    content_hash: of the raw file and the profile it is read by; unique among batches that are not refused. raw: name of the
    kept file under `raw/`, null when its personal fields were erased. accepted, duplicates: rows, null until appended.
    reason: why it was refused. earlier: true when registering found this batch there already.
    """

    batch_seq: int
    content_hash: str
    source: str
    state: State
    registered_at: datetime
    raw: str | None
    accepted: int | None = None
    duplicates: int | None = None
    reason: str | None = None
    earlier: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write to one lake. token: rises with every lease given. taken_over: the holder before did not give it back."""

    token: int
    owner: str
    expires_at: datetime
    taken_over: bool


class Register(Protocol):
    """The register of one lake. Every change is durable when the call returns, except that a lease may be forgotten."""

    def register(self, *, content_hash: str, source: str, raw: str, at: datetime) -> Batch:
        """Give the next `batch_seq`; or the batch of that content already there, not refused, with `earlier` true."""
        ...

    def batch(self, batch_seq: int) -> Batch | None:
        """Find one batch."""
        ...

    def batches(self) -> list[Batch]:
        """List all batches by `batch_seq`."""
        ...

    def find(self, content_hash: str) -> Batch | None:
        """Find the batch of that content that is not refused."""
        ...

    def mark_appended(self, batch_seq: int, *, accepted: int, duplicates: int, token: int, at: datetime) -> None:
        """Note that the rows are durable in the lake. Raises Refusal `lease_lost` if the token is not the current lease's."""
        ...

    def mark_posted(self, batch_seq: int, *, at: datetime) -> None:
        """Note that everything that follows from the batch is posted; a second time changes nothing."""
        ...

    def refuse(self, batch_seq: int, *, reason: str, at: datetime) -> None:
        """Close a registered batch of which nothing is in the lake, so that its content may come again."""
        ...

    def renumber(self, batch_seq: int, *, at: datetime) -> Batch:
        """Close a registered batch that later ones have overtaken and register its content anew, in one step."""
        ...

    def forget_raw(self, batch_seqs: list[int]) -> list[str]:
        """Note that raw files are no longer kept; give the names that no other batch uses."""
        ...

    def acquire(self, *, owner: str, now: datetime, expires_at: datetime) -> Lease | None:
        """Take the lease if it is free, expired, or its holder is known dead; null while another holds it."""
        ...

    def extend(self, lease: Lease, *, expires_at: datetime) -> Lease:
        """Hold the lease longer. Raises Refusal `lease_lost` if another has it."""
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens if another has it."""
        ...
