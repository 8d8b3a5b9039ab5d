"""The port to live balances: what a store of totals and statements promises, whatever database is behind it.

A batch is worked in one transaction: the totals that it touches are read, its shares are added, the statements that came out are
put in the place of the earlier ones, each difference is posted, and the batch is marked posted; or none of it. A batch that is
posted already is told and changes nothing.

A program is *followed* from a load: everything computed in full from the lake as of a `batch_seq`. Batches up to that number are
in the load and are not added again, even where they are posted only later. A program can turn *stale*: something happened that
totals cannot take in (a sale arrived after its return, reference data changed); until its next load it stands as it was, and
says so.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from headrace.engine.totals import Totals


class StatementKey(NamedTuple):
    """Names one statement. scope: canonical JSON object of the words of `per`. Period half-open; null is unbounded."""

    program: str
    payee_kind: str
    payee_id: str
    scope: str
    from_: date | None
    until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One statement as it stands. The figures are those of engine.results.STATEMENTS of the same names."""

    key: StatementKey
    version: int
    measure: Decimal
    base: Decimal
    tier: int | None
    earned: Decimal
    unverified: Decimal
    currency: str
    lines: int
    next_from: Decimal | None
    next_distance: Decimal | None
    carried: Decimal | None
    carried_in: Decimal | None
    payable_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """By how much `earned` of a statement changed, and why: `batch:12`, `load:12:…`. One posting a cause and statement."""

    key: StatementKey
    version: int
    amount: Decimal
    currency: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A program whose balances are kept.

    basis: hash of the terms and the reference data that it was loaded by. loaded_as_of: see the module. moneys: the currencies
    of the lines that count, where the program has no money of its own. stale: why it has to be loaded anew, null if it need not.
    """

    program: str
    basis: str
    loaded_as_of: int
    moneys: frozenset[str] = frozenset()
    stale: str | None = None


class Among(NamedTuple):
    """Statements whose scope has one of the values for the word; since: only of periods that start then or later."""

    word: str
    values: Collection[str]
    since: date | None = None


class Work(Protocol):
    """One open transaction."""

    @property
    def done(self) -> bool:
        """Tell whether the batch was posted before: then nothing is to be done."""
        ...

    def followed(self) -> list[Followed]:
        """List the followed programs; for a batch those that it is to be added to, stale ones left out."""
        ...

    def add(self, shares: Totals) -> Totals:
        """Add shares to the totals; give all parts of every touched scope."""
        ...

    def put(self, standings: Sequence[Standing]) -> int:
        """Put statements in the place of the earlier ones of the same keys and post the differences; give how many differ."""
        ...

    def withdraw(self, program: str, keep: Collection[StatementKey], *, among: Among | None) -> int:
        """Withdraw the statements of a program that are not to be kept, and post what that takes back; give how many.

        among: looks only at these.
        """
        ...

    def met(self, program: str, moneys: Collection[str]) -> frozenset[str]:
        """Note currencies that a program met; give all that it met since its load."""
        ...

    def turn_stale(self, program: str, reason: str) -> None:
        """Say that a program has to be loaded anew."""
        ...

    def await_sales(self, line_ids: Collection[str]) -> None:
        """Remember sales that returns name and that are not in the lake yet."""
        ...

    def awaited(self, line_ids: Collection[str]) -> bool:
        """Tell whether one of the lines is a sale that an earlier return named; it is awaited no longer."""
        ...


class TotalsStore(Protocol):
    """Totals, statements and postings, durable when a call returns."""

    def batch(self, batch_seq: int, *, at: datetime) -> AbstractContextManager[Work]:
        """Open the transaction of a batch; leaving it without an error posts the batch, an error undoes everything.

        Raises Refusal `batch_not_appended` where the batch is not in the lake.
        """
        ...

    def load(self, programs: Sequence[Followed], *, expected: Sequence[Followed]) -> AbstractContextManager[Work]:
        """Open the transaction in which programs begin to be followed, or begin anew: their totals are empty in it.

        What was posted stays, and `put` and `withdraw` post the differences. expected: how they were followed when the load was
        computed. Raises Refusal `totals_moved` where that changed, or a later batch was posted meanwhile: compute it again.
        """
        ...

    def forget(self, program: str) -> None:
        """Follow a program no more: withdraw its statements and remove its totals; what was posted stays."""
        ...

    def followed(self) -> list[Followed]:
        """List the followed programs by name."""
        ...

    def standings(self, *, program: str | None = None, payee: str | None = None) -> list[Standing]:
        """Give the statements as they stand, of one program or payee id where named, in the order of their keys."""
        ...

    def postings(self, *, program: str | None = None) -> list[Posting]:
        """Give what was posted, in order of time."""
        ...
