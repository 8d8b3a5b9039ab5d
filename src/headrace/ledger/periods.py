"""Accounting periods of a company: fiscal months that are open, then soft-closed, then locked by a second person."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from django.db.models import QuerySet

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts
from headrace.foundation.companies import Company
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger import calendars
from headrace.ledger.models import AccountingPeriod, Departure

State = AccountingPeriod.State

type Guard = Callable[["Locking"], None]
_GUARDS: list[Guard] = []

AHEAD_MAX = 24
"""So many fiscal months after the present one may be posted to."""


@dataclass(frozen=True, slots=True)
class Locking:
    """A lock that is asked for, or (decides) is about to be granted, by somebody."""

    company: Company
    period: uuid.UUID
    by: Person
    at: datetime
    decides: bool


def guarded_by(guard: Guard) -> None:
    """Have an upper app asked before a period is locked: it refuses where something stands against it."""
    if guard not in _GUARDS:
        _GUARDS.append(guard)


def open_books(
    *, company: Company, first_on: date, weeks: tuple[str, str] | None = None, by: Person, at: datetime
) -> AccountingPeriod:
    """Open a company's books with the fiscal month that holds the day. What is dated before it is booked into it.

    weeks: for months of whole weeks, their pattern (4-4-5, 4-5-4 or 5-4-4) and the weekday on which they begin. The calendar
    of books never changes.
    """
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    with acts.act("open_books", at=at):
        company = Company.locked(company.pk)
        if AccountingPeriod.objects.filter(company=company).exists():
            raise Refusal("books_open", f"The books of {company.code} are open already.")
        if weeks is not None:
            calendars.keep_in_weeks(company=company, pattern=weeks[0], begins_on=weeks[1])
        return _new(company, calendars.month_of(company, first_on))


def kept() -> frozenset[str]:
    """Give the codes of the companies whose books are open."""
    return frozenset(AccountingPeriod.objects.values_list("company__code", flat=True).distinct())


def place(company: Company, on: date, *, closing: bool, at: datetime) -> tuple[AccountingPeriod, date]:
    """Give the period that takes a posting of this day, and the day in the books. The period stays as it is until the end.

    The period of the day where it is open (or, for a closing entry, soft-closed), otherwise the oldest open one.
    """
    takes = {State.OPEN, State.SOFT_CLOSED} if closing else {State.OPEN}
    while True:
        chosen = _chosen(company, on, takes, at)
        if _stays(chosen):
            return chosen, on if chosen.from_on <= on < chosen.until_on else chosen.from_on


def _chosen(company: Company, on: date, takes: set[State], at: datetime) -> AccountingPeriod:
    periods = AccountingPeriod.objects.filter(company=company).order_by("from_on")
    last = periods.last()
    if last is None:
        raise Refusal("books_not_open", f"The books of {company.code} are not open. A controller opens them first.")
    if on >= last.until_on:
        _extend(company, on, at)
    own = periods.filter(from_on__lte=on, until_on__gt=on).first()
    if own is not None and own.state in takes:
        return own
    oldest = periods.filter(state=State.OPEN).first()
    if oldest is None:
        _extend(company, last.until_on, at)
        oldest = periods.get(state=State.OPEN)
    return oldest


def _stays(period: AccountingPeriod) -> bool:
    """Keep the period from being closed while this transaction lasts; others may post to it as well."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT state FROM ledger_accountingperiod WHERE id = %s AND state = %s FOR SHARE",
                [period.pk, period.state],
            )
            return cursor.fetchone() is not None
    return True


def _extend(company: Company, until: date, at: datetime) -> None:
    """Make the periods that are missing up to the one that holds the day."""
    company = Company.locked(company.pk)
    last = AccountingPeriod.objects.filter(company=company).latest("from_on")
    months = (until.year - at.year) * 12 + until.month - at.month
    if months > AHEAD_MAX:
        raise Refusal("too_far_ahead", f"{until} is more than {AHEAD_MAX} months ahead. Correct the date.")
    while until >= last.until_on:
        last = _new(company, calendars.month_of(company, last.until_on))


def _new(company: Company, span: tuple[date, date]) -> AccountingPeriod:
    period = AccountingPeriod(company=company, from_on=span[0], until_on=span[1])
    period.save()
    return period


def soft_close(*, period: uuid.UUID, by: Person, at: datetime) -> None:
    """Close a period for all but closing entries. Refused while an earlier one is open, and before it is over."""
    with acts.act("soft_close_period", at=at):
        one = _in_state(period, State.OPEN, by, at)
        if one.until_on > at.date():
            raise Refusal("period_not_over", f"{_named(one)} lasts until {one.until_on}. Close it then.")
        if _others(one).filter(from_on__lt=one.from_on, state=State.OPEN).exists():
            raise Refusal("earlier_period_open", f"A period before {_named(one)} is open. Close that one first.")
        one.state, one.asked, one.asked_by = State.SOFT_CLOSED, "", None
        one.save()


def ask(*, period: uuid.UUID, to: str, by: Person, at: datetime) -> None:
    """Ask a second person to lock a soft-closed period (`to` = locked), or to open a closed one again by one step.

    A locked period becomes soft-closed, a soft-closed one open; never once something of it left.
    """
    with acts.act("ask_period", at=at):
        one = _in_state(period, None, by, at)
        if to not in _STEPS[State(one.state)]:
            raise Refusal(
                "period_state", f"{_named(one)} is {one.state.replace('_', ' ')} and cannot become {to!r} now."
            )
        _may_become(one, State(to))
        _guarded(one, State(to), by, at, decides=False)
        one.asked, one.asked_by = to, by
        one.save()


def decide(*, period: uuid.UUID, by: Person, approve: bool, at: datetime) -> None:
    """Grant or turn down what was asked. Refused to whoever asked."""
    with acts.act("approve_period" if approve else "refuse_period", at=at):
        one = _in_state(period, None, by, at)
        if not one.asked or one.asked_by_id is None:
            raise Refusal("nothing_asked", f"Nothing is asked for {_named(one)}. Load the page of periods again.")
        if one.asked_by_id == by.pk:
            raise Refusal("second_person", f"{_named(one)} takes two people: who asked does not decide.")
        if approve:
            _may_become(one, State(one.asked))
            _guarded(one, State(one.asked), by, at, decides=True)
            locks = one.asked == State.LOCKED
            one.lock_asked_by, one.locked_by, one.locked_at = (one.asked_by, by, at) if locks else (None, None, None)
            one.state = one.asked
        one.asked, one.asked_by = "", None
        one.save()


_STEPS = {
    State.OPEN: frozenset[str](),
    State.SOFT_CLOSED: frozenset({State.LOCKED.value, State.OPEN.value}),
    State.LOCKED: frozenset({State.SOFT_CLOSED.value}),
}


def _may_become(one: AccountingPeriod, to: State) -> None:
    if to is State.LOCKED:
        if _others(one).filter(from_on__lt=one.from_on).exclude(state=State.LOCKED).exists():
            raise Refusal("earlier_period_open", f"A period before {_named(one)} is not locked. Lock that one first.")
        return
    left = one.departures.order_by("at").first()
    if left is not None:
        raise Refusal(
            "period_left", f"{left.what} of {_named(one)} left on {left.at:%Y-%m-%d}. Correct it in an open period."
        )
    if _others(one).filter(from_on__gt=one.from_on).exclude(state__in=_before(to)).exists():
        raise Refusal("later_period_closed", f"A period after {_named(one)} is closed further. Open that one first.")


def _guarded(one: AccountingPeriod, to: State, by: Person, at: datetime, *, decides: bool) -> None:
    if to is State.LOCKED:
        for guard in _GUARDS:
            guard(Locking(one.company, one.pk, by, at, decides))


def _before(to: State) -> set[State]:
    return {State.OPEN} if to is State.OPEN else {State.OPEN, State.SOFT_CLOSED}


def left(*, period: uuid.UUID, what: str, at: datetime) -> None:
    """Mark that something of the period left: a journal, a memo, a statement. The same again changes nothing."""
    with acts.act("leave_period", at=at) as act:
        one = AccountingPeriod.locked(period)
        if not Departure.objects.filter(period=one, what=what).exists():
            Departure.objects.create(period=one, what=what, at=at)
            act.note("ledger.departure", str(one.pk), {}, {"what": what})


@dataclass(frozen=True, slots=True)
class Standing:
    """One period as it is shown. left: what of it left. locked_at: while it is locked."""

    id: uuid.UUID
    from_on: date
    until_on: date
    state: str
    asked: str
    asked_by: str | None
    left: tuple[str, ...]
    locked_at: datetime | None = None


def standings(company: Company) -> tuple[Standing, ...]:
    """List the periods of a company, the latest first."""
    rows = AccountingPeriod.objects.filter(company=company).select_related("asked_by").prefetch_related("departures")
    return tuple(
        Standing(
            row.pk,
            row.from_on,
            row.until_on,
            row.state,
            row.asked,
            str(row.asked_by) if row.asked and row.asked_by else None,
            tuple(sorted(gone.what for gone in row.departures.all())),
            row.locked_at,
        )
        for row in rows.order_by("-from_on")
    )


def standing(company: Company, period: uuid.UUID) -> Standing:
    """Give one period of the company. Refused if it has none of this id."""
    found = next((row for row in standings(company) if row.id == period), None)
    if found is None:
        raise Refusal("period_unknown", "There is no such accounting period. Load the page of periods again.")
    return found


def company_of(period: uuid.UUID) -> Company:
    """Give the company of a period. Refused if there is no such period."""
    known = AccountingPeriod.objects.select_related("company").filter(pk=period).first()
    if known is None:
        raise Refusal("period_unknown", "There is no such accounting period. Load the page of periods again.")
    return known.company


def _others(one: AccountingPeriod) -> "QuerySet[AccountingPeriod]":
    return AccountingPeriod.objects.filter(company_id=one.company_id).exclude(pk=one.pk)


def _in_state(period: uuid.UUID, state: State | None, by: Person, at: datetime) -> AccountingPeriod:
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    known = AccountingPeriod.objects.filter(pk=period).first()
    if known is None:
        raise Refusal("period_unknown", "There is no such accounting period. Load the page of periods again.")
    Company.locked(known.company_id)
    one = AccountingPeriod.locked(period)
    if state is not None and one.state != state:
        raise Refusal("period_state", f"{_named(one)} is {one.state.replace('_', ' ')} already.")
    return one


def _named(one: AccountingPeriod) -> str:
    return f"The period from {one.from_on}"
