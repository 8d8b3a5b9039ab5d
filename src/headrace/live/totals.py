"""The port to running totals: what a store of live balances promises, whatever database is behind it.

Totals are sums over lines, by rate card and statement; a statement's entitlement is priced from them elsewhere. A batch is
worked in one transaction: the totals that it touches are read, its share is added, the differences are posted and the batch is
marked posted, or none of it. A batch that is posted already is told and changes nothing.

A program is *followed* from a load: its totals and what was posted before, computed in full from the lake as of a `batch_seq`.
Batches up to that number are in the load and are not added again, even where they are posted only later.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Protocol

ZERO = Decimal(0)
# Python's default context would round a sum past 28 digits without a word; this one stops instead.
EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementKey:
    """Names one statement. scope: canonical JSON object of the words of `per`. Period half-open; null is unbounded."""

    program: str
    payee_kind: str
    payee_id: str
    scope: str
    period_from: date | None
    period_until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalKey:
    """Names one running total: the part of a statement's lines that one rate card prices."""

    statement: StatementKey
    rate_card: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What is added up over lines, exact to six decimals. lines: how many qualified."""

    measure: Decimal = ZERO
    base: Decimal = ZERO
    units: Decimal = ZERO
    cost: Decimal = ZERO
    lines: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        """Add two shares of one total."""
        return Sums(
            measure=EXACT.add(self.measure, other.measure),
            base=EXACT.add(self.base, other.base),
            units=EXACT.add(self.units, other.units),
            cost=EXACT.add(self.cost, other.cost),
            lines=self.lines + other.lines,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A difference to post on a statement. cause: what made it (`batch:12`); one posting a cause, version and statement."""

    statement: StatementKey
    version: int
    amount: Decimal
    currency: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What is posted on a statement in all, and its totals by rate card."""

    statement: StatementKey
    posted: Decimal
    currency: str
    totals: dict[str, Sums]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A program whose totals are kept. terms_hash: of the documents that it was loaded by. loaded_as_of: see the module."""

    program: str
    terms_hash: str
    loaded_as_of: int


class BatchWork(Protocol):
    """The transaction in which one batch is worked."""

    batch_seq: int

    @property
    def done(self) -> bool:
        """Tell whether the batch was posted before: then nothing is to be done."""
        ...

    def programs(self) -> list[Followed]:
        """List the followed programs that the batch is to be added to."""
        ...

    def add(self, shares: Iterable[tuple[TotalKey, Sums]]) -> dict[TotalKey, Sums]:
        """Add the batch's shares to the totals; give the totals of every touched statement, all its rate cards included."""
        ...

    def posted(self, statements: Iterable[StatementKey]) -> dict[StatementKey, Decimal]:
        """Give what is posted on each statement before this batch, zero where nothing is."""
        ...

    def post(self, postings: Sequence[Posting]) -> int:
        """Post differences; give how many are new. A cause, version and statement that is there already changes nothing."""
        ...


class TotalsStore(Protocol):
    """Running totals and what is posted, durable when a call returns."""

    def batch(self, batch_seq: int, *, at: datetime) -> AbstractContextManager[BatchWork]:
        """Open the transaction of a batch; leaving it without an error posts the batch, an error undoes everything.

        Raises Refusal `batch_not_appended` where the batch is not in the lake.
        """
        ...

    def load(
        self,
        program: Followed,
        *,
        totals: Iterable[tuple[TotalKey, Sums]],
        postings: Iterable[Posting],
        expected: Followed | None,
    ) -> None:
        """Begin to follow a program, or begin anew: replace its totals and add the postings, in one transaction.

        postings: as in `BatchWork.post`; what was posted before stays. expected: how the program was followed when the load
        was computed. Raises Refusal `totals_moved` where that changed, or a batch later than the load was added meanwhile.
        """
        ...

    def forget(self, program: str) -> None:
        """Follow a program no more: remove its totals; what is posted stays."""
        ...

    def followed(self) -> list[Followed]:
        """List the followed programs by name."""
        ...

    def balances(self, *, program: str | None = None, payee: tuple[str, str] | None = None) -> list[Balance]:
        """Give the balances of statements, of one program or payee (kind and id) where named, in the order of their keys."""
        ...
