"""Books for the tests: a company whose year is the calendar's, opened in January 2026, and short names for what is posted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

from headrace.foundation import companies
from headrace.foundation.companies import Company
from headrace.foundation.people import Person
from headrace.ledger import flows, funds, periods, profiles, reading
from headrace.ledger.desk import Key
from headrace.ledger.flows import Item
from headrace.ledger.journal import Cause, Event
from headrace.ledger.kinds import Kind
from headrace.workflow import requests

Q1 = "2026-01-01/2026-04-01"
Q2 = "2026-04-01/2026-07-01"
D = Decimal


@dataclass(slots=True)
class Books:
    """One company. Every event has a cause of its own and is known an hour after the one before."""

    company: Company
    maker: Person
    second: Person
    number: "count[int]" = field(default_factory=lambda: count(1))
    now: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def event(self, on: date = date(2026, 1, 15), cause: Cause | None = None, *, closing: bool = False) -> Event:
        self.now += timedelta(hours=1)
        cause = cause or Cause("test", str(next(self.number)))
        return Event(company=self.company, cause=cause, on=on, at=self.now, closing=closing, by=self.maker)

    def of(self, kind: Kind, key: Key | None = None, **asked: date | datetime) -> Decimal:
        """Give what stands on the accounts of a kind: credits − debits."""
        rows = reading.balances(self.company, kinds=[kind], **asked)  # type: ignore[arg-type]
        return -sum((row.amount for row in rows if key in (None, row.account.key)), D(0))

    def stand(self, *kinds: Kind) -> dict[str, Decimal]:
        """Give what stands on these kinds, as far as it is not zero."""
        return {kind.value: self.of(kind) for kind in kinds or Kind if self.of(kind)}

    def provide(self, amount: str, on: date = date(2026, 1, 15), key: Key | None = None, rate: str = "1") -> None:
        flows.provide(self.event(on), items(amount, key, rate))

    def finalise(self, amount: str, on: date = date(2026, 1, 31), key: Key | None = None, rate: str = "1") -> None:
        flows.finalise(self.event(on), items(amount, key, rate))

    def approve(self, amount: str, on: date = date(2026, 1, 31), key: Key | None = None) -> None:
        flows.approve(self.event(on), items(amount, key))

    def settle(self, amount: str, on: date = date(2026, 1, 31), key: Key | None = None, rate: str = "1") -> Cause:
        event = self.event(on)
        flows.settle(event, items(amount, key, rate), by=Kind.RECEIVABLE)
        return event.cause

    def close(self, *months: int, lock: bool = True) -> None:
        """Soft-close, and lock, these months of 2026."""
        at = datetime(2026, 12, 1, tzinfo=UTC)
        for month in months:
            one = self.month(month)
            if one.state == "open":
                periods.soft_close(period=one.id, by=self.maker, at=at)
            if lock:
                periods.ask(period=one.id, to="locked", by=self.maker, at=at)
                periods.decide(period=one.id, by=self.second, approve=True, at=at)

    def profile(self, kind: Kind, account: str, program_type: str = "") -> None:
        """Set an account of the general ledger, by two people."""
        at = datetime(2026, 3, 2, 12, tzinfo=UTC)
        asked = profiles.ask_account(
            company=self.company, kind=kind, account=account, program_type=program_type, by=self.maker, at=at
        )
        requests.approve(request=asked, by=self.second, at=at)

    def describe(self, program: str, program_type: str, cost_centre: str) -> None:
        """Say of which type a program is, by two people."""
        at = datetime(2026, 3, 2, 12, tzinfo=UTC)
        asked = profiles.ask_program(
            program=program, program_type=program_type, cost_centre=cost_centre, by=self.maker, at=at
        )
        requests.approve(request=asked, by=self.second, at=at)

    def month(self, month: int) -> periods.Standing:
        return next(one for one in periods.standings(self.company) if one.from_on == date(2026, month, 1))


def key(payee: str = "P1", program: str = "vol", period: str = Q1, currency: str = "EUR", fund: str = "") -> Key:
    return Key(currency=currency, payee_kind="partner", payee=payee, program=program, period=period, fund=fund)


def items(amount: str, one: Key | None = None, rate: str = "1") -> Sequence[Item]:
    return [Item(key=one or key(), amount=D(amount), version="vol/1", rate=D(rate))]


def step(amount: str) -> funds.Step:
    return funds.Step(key=key(fund="MDF-1"), amount=D(amount), version="mdf/1")


def open_books(admin: Person, maker: Person, second: Person, *, at: datetime, code: str = "DE") -> Books:
    company = companies.open_company(code=code, name="Headrace", functional_currency="EUR", by=admin, at=at)
    periods.open_books(company=company, first_on=date(2026, 1, 20), by=maker, at=at)
    return Books(company, maker, second)
