"""The port to live balances (headrace.live.totals) in the application's database: a batch is worked in one transaction.

Every piece of work first locks one row, so that batches, loads and forgetting follow one another on every database. Rows are
read, merged in Python and written set by set, never one by one.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from itertools import batched
from typing import Any

from django.db import connection, transaction
from django.db.models import CharField, Max, Model, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.engine.totals import ScopeKey, Sums, Totals
from headrace.foundation import bulk
from headrace.live.totals import Among, Followed, Posting, Standing, StatementKey
from headrace.programs import entering
from headrace.programs.models import LiveAwaited, LiveFollowed, LiveHead, LivePosting, LiveStatement, LiveTotal
from headrace.programs.placing import Claim
from headrace.sales import register

# Python's default context would round a difference past 28 digits without a word; this one stops instead.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
_AT_ONCE = 5_000
_FIGURES = tuple(each.name for each in fields(Standing) if each.name != "key")
_SUMS = Sums._fields
_NAMED = ("statement_key", "program", "payee_kind", "payee_id", "scope", "period_from", "period_until")
_KINDS = {
    "CharField": "text", "TextField": "text", "DateField": "day", "IntegerField": "number", "BigIntegerField": "number",
    "ExactField": "exact",
}  # fmt: skip


class DatabaseTotals:
    """Totals and statements of the installation's one lake."""

    @contextmanager
    def batch(self, batch_seq: int, *, at: datetime) -> Iterator["DatabaseWork"]:
        """Open the transaction of a batch; leaving it without an error posts the batch."""
        with alone():
            done = not register.mark_posted(batch_seq, at=at)
            taking = [] if done else [each for each in self.followed() if each.loaded_as_of < batch_seq]
            work = DatabaseWork(f"batch:{batch_seq}", [each for each in taking if not each.stale], done=done)
            yield work
            work.provide(at)

    @contextmanager
    def load(self, programs: Sequence[Followed], *, expected: Sequence[Followed]) -> Iterator["DatabaseWork"]:
        """Open the transaction in which programs begin to be followed, or begin anew."""
        with alone():
            named = {each.program for each in programs}
            (as_of,) = {each.loaded_as_of for each in programs}
            standing = [each for each in self.followed() if each.program in named]
            if standing != list(expected) or register.posted_after(as_of):
                raise Refusal(
                    "totals_moved", "Other batches were posted while the balances were worked out; work them out again."
                )
            LiveTotal.objects.filter(program__in=named).delete()
            _write_followed(programs)
            work = DatabaseWork(f"load:{as_of}:{_last_posting() + 1}", programs, done=False)
            yield work
            work.provide(timezone.now())

    def forget(self, program: str) -> None:
        """Follow a program no more."""
        with alone():
            work = DatabaseWork(f"forget:{_last_posting() + 1}", [], done=False)
            work.withdraw(program, (), among=None)
            work.provide(timezone.now())
            LiveTotal.objects.filter(program=program).delete()
            LiveFollowed.objects.filter(program=program).delete()

    def followed(self) -> list[Followed]:
        """List the followed programs by name."""
        return sorted(
            (
                Followed(
                    program=row.program,
                    basis=row.basis,
                    loaded_as_of=row.loaded_as_of,
                    moneys=frozenset(row.moneys),
                    stale=row.stale,
                )
                for row in LiveFollowed.objects.all()
            ),
            key=lambda each: each.program,
        )

    def standings(self, *, program: str | None = None, payee: str | None = None) -> list[Standing]:
        """Give the statements as they stand, in the order of their keys."""
        rows = _of(LiveStatement.objects.all(), program, payee)
        return sorted((_standing(row) for row in rows), key=lambda each: _order(each.key))

    def last_posting(self) -> int:
        """Give the number of the last posting, 0 where there is none; it rises with every change of what is earned."""
        return _last_posting()

    def postings(self, *, program: str | None = None, payee: str | None = None) -> list[Posting]:
        """Give what was posted, in order of time."""
        return [
            Posting(key=_key(row), version=row.version, amount=row.amount, currency=row.currency, cause=row.cause)
            for row in _of(LivePosting.objects.order_by("pk"), program, payee)
        ]


class DatabaseWork:
    """One open transaction."""

    def __init__(self, cause: str, followed: Sequence[Followed], *, done: bool) -> None:
        self._cause = cause
        self._followed = {each.program: each for each in followed}
        self._done = done
        self._changed: set[Claim] = set()

    @property
    def done(self) -> bool:
        """Tell whether the batch was posted before."""
        return self._done

    def followed(self) -> list[Followed]:
        """List the followed programs that are worked."""
        return [self._followed[name] for name in sorted(self._followed)]

    def add(self, shares: Totals) -> Totals:
        """Add shares to the totals; give all parts of every touched scope."""
        assert not self._done, "the batch was posted before"
        assert {key.program for key in shares} <= set(self._followed), "a program takes no part"
        named = {_digest(key): key for key in shares}
        merged: dict[ScopeKey, dict[str, Sums]] = {key: {} for key in shares}
        for keys in batched(named, _AT_ONCE, strict=False):
            found = LiveTotal.objects.filter(scope_key__in=keys).values_list("scope_key", "part", *_SUMS)
            for scope_key, part, *sums in found:
                merged[named[scope_key]][part] = Sums(*map(int, sums))
        changed: list[tuple[Any, ...]] = []
        for digest, key in named.items():
            parts = merged[key]
            for part, share in shares[key].items():
                parts[part] = parts[part].plus(share) if part in parts else share
                changed.append((digest, key.program, part, *_exact_sums(parts[part])))
        _insert(LiveTotal, ("scope_key", "program", "part", *_SUMS), changed, key=("scope_key", "part"))
        return merged

    def put(self, standings: Sequence[Standing]) -> int:
        """Put statements in the place of the earlier ones of the same keys and post the differences."""
        assert not self._done, "the batch was posted before"
        rows = [(*_named(each.key), *(getattr(each, name) for name in _FIGURES)) for each in standings]
        before: dict[str, tuple[Decimal, str]] = {}
        for some in batched(rows, _AT_ONCE, strict=False):
            found = LiveStatement.objects.filter(statement_key__in=[digest for digest, *_ in some])
            before |= {
                key: (earned, money) for key, earned, money in found.values_list("statement_key", "earned", "currency")
            }
        _insert(LiveStatement, (*_NAMED, *_FIGURES), rows, key=("statement_key",))
        return self._post(
            (each.key, each.version, before.get(digest), (each.earned, each.currency))
            for each, (digest, *_) in zip(standings, rows, strict=True)
        )

    def withdraw(self, program: str, keep: Collection[StatementKey], *, among: Among | None) -> int:
        """Withdraw the statements of a program that are not to be kept, and post what that takes back."""
        rows = LiveStatement.objects.filter(program=program)
        if among is not None:
            rows = rows.annotate(among=_word_of_scope(among.word)).filter(among__in=sorted(among.values))
            if among.since is not None:
                rows = rows.filter(period_from__gte=among.since)
        kept = {_digest(each) for each in keep}
        gone = [row for row in rows if row.statement_key not in kept]
        self._post((_key(row), row.version, (row.earned, row.currency), None) for row in gone)
        for some in batched(gone, _AT_ONCE, strict=False):
            LiveStatement.objects.filter(pk__in=[row.pk for row in some]).delete()
        return len(gone)

    def met(self, program: str, moneys: Collection[str]) -> frozenset[str]:
        """Note currencies that a program met; give all that it met since its load."""
        followed = self._followed[program]
        if not followed.moneys >= set(moneys):
            followed = replace(followed, moneys=followed.moneys | set(moneys))
            self._followed[program] = followed
            _write_followed([followed])
        return followed.moneys

    def turn_stale(self, program: str, reason: str) -> None:
        """Say that a program has to be loaded anew."""
        LiveFollowed.objects.filter(program=program).update(stale=reason)

    def await_sales(self, line_ids: Collection[str]) -> None:
        """Remember sales that returns name and that are not in the lake yet."""
        LiveAwaited.objects.bulk_create(
            [LiveAwaited(line_id=each) for each in line_ids], batch_size=_AT_ONCE, ignore_conflicts=True
        )

    def awaited(self, line_ids: Collection[str]) -> bool:
        """Tell whether one of the lines is a sale that an earlier return named; it is awaited no longer."""
        if not LiveAwaited.objects.exists():
            return False
        gone = (
            LiveAwaited.objects.filter(pk__in=some).delete()[0] for some in batched(line_ids, _AT_ONCE, strict=False)
        )
        return sum(gone) > 0

    def provide(self, at: datetime) -> None:
        """Bring the provisions in the books to what this changed."""
        entering.provide(self._cause, self._changed, at=at)

    def _post(
        self,
        changes: Iterable[tuple[StatementKey, int, tuple[Decimal, str] | None, tuple[Decimal, str] | None]],
    ) -> int:
        """Post what changed from before to after, and give how many rows that are.

        A statement whose currency changed is taken back in the one and given in the other.
        """
        rows: list[tuple[Any, ...]] = []
        for key, version, before, after in changes:
            was = {before[1]: before[0]} if before else {}
            now = {after[1]: after[0]} if after else {}
            for currency in sorted(was.keys() | now.keys()):
                amount = _EXACT.subtract(now.get(currency, Decimal(0)), was.get(currency, Decimal(0)))
                if amount:
                    self._changed.add(Claim(key.program, key.payee_kind, key.payee_id, key.from_, key.until, currency))
                    rows.append((*_named(key), version, self._cause, amount, currency))
        _insert(LivePosting, (*_NAMED, "version", "cause", "amount", "currency"), rows)
        return len(rows)


@contextmanager
def alone() -> Iterator[None]:
    """Open a transaction in which nobody else works balances."""
    with transaction.atomic():
        LiveHead.objects.select_for_update().get()
        yield


def _last_posting() -> int:
    last: int | None = LivePosting.objects.aggregate(last=Max("pk"))["last"]
    return last or 0


def _write_followed(programs: Iterable[Followed]) -> None:
    LiveFollowed.objects.bulk_create(
        [
            LiveFollowed(
                program=each.program,
                basis=each.basis,
                loaded_as_of=each.loaded_as_of,
                moneys=sorted(each.moneys),
                stale=each.stale,
            )
            for each in programs
        ],
        update_conflicts=True,
        unique_fields=["program"],
        update_fields=["basis", "loaded_as_of", "moneys", "stale"],
    )


def _of[R: (LiveStatement, LivePosting)](rows: QuerySet[R], program: str | None, payee: str | None) -> QuerySet[R]:
    if program is not None:
        rows = rows.filter(program=program)
    return rows if payee is None else rows.filter(payee_id=payee)


def _word_of_scope(word: str) -> RawSQL:
    if connection.vendor == "postgresql":
        return RawSQL("scope::jsonb ->> %s", (word,), output_field=CharField())
    return RawSQL("json_extract(scope, %s)", (f'$."{word}"',), output_field=CharField())


def _digest(key: ScopeKey | StatementKey) -> str:
    """Name a key that holds unbounded periods, which no unique index would compare."""
    return hashlib.sha256(json.dumps(list(key), default=str).encode()).hexdigest()


def _named(key: StatementKey) -> tuple[Any, ...]:
    """Give the columns `_NAMED` of a key."""
    return _digest(key), key.program, key.payee_kind, key.payee_id, key.scope, key.from_, key.until


def _insert(
    model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]], *, key: Sequence[str] = ()
) -> None:
    """Write rows of a model. key: of a row that is there, whose values are replaced."""
    kinds = [(name, _KINDS[model._meta.get_field(name).get_internal_type()]) for name in columns]
    bulk.insert(model._meta.db_table, kinds, rows, key=key)


def _key(row: LiveStatement | LivePosting) -> StatementKey:
    return StatementKey(row.program, row.payee_kind, row.payee_id, row.scope, row.period_from, row.period_until)


def _order(key: StatementKey) -> tuple[str, ...]:
    return tuple("" if part is None else str(part) for part in key)


def _exact_sums(sums: Sums) -> tuple[Any, ...]:
    """Give the columns `_SUMS` as they are stored."""
    return (*map(Decimal, sums[:-1]), sums.lines)


def _standing(row: LiveStatement) -> Standing:
    return Standing(key=_key(row), **{name: getattr(row, name) for name in _FIGURES})
