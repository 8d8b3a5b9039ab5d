"""Planning postings over balances that are held: no database here. `journal` brings the balances and writes the drafts."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from headrace.engine.findings import Refusal
from headrace.engine.numeric import plain
from headrace.ledger.amounts import from_minor, part
from headrace.ledger.kinds import Kind, Purpose, Side


class Key(NamedTuple):
    """Whose account, and for what. payee_kind: partner or person. period: program period `FROM/UNTIL`. Empty: none."""

    currency: str
    payee_kind: str = ""
    payee: str = ""
    program: str = ""
    period: str = ""
    fund: str = ""

    def account(self, kind: Kind) -> "AccountKey":
        """Give the account of this kind."""
        return AccountKey(self, kind)

    def beside(self, kind: Kind, functional: str) -> "AccountKey":
        """Give the account in the functional currency that belongs to this one: exchange differences, revaluation."""
        return AccountKey(self._replace(currency=functional), kind, self.currency)

    def __str__(self) -> str:
        """Name it in a refusal."""
        said = [f"{self.payee_kind} {self.payee}".strip(), self.program, self.period, self.fund, self.currency]
        return ", ".join(text for text in said if text)


class AccountKey(NamedTuple):
    """One account of a company."""

    key: Key
    kind: Kind
    of_currency: str = ""

    def fields(self) -> tuple[str, ...]:
        """Give the key's parts in the order in which it is digested."""
        one = self.key
        return (
            one.payee_kind, one.payee, one.program, one.period, one.fund, one.currency, self.of_currency, self.kind
        )  # fmt: skip

    def digest(self, company: uuid.UUID) -> str:
        """Give what the account is found by."""
        return hashlib.sha256(written_out(company.hex, *self.fields()).encode()).hexdigest()


def written_out(*texts: str) -> str:
    """Write texts one after the other, so that no other texts read the same.

    >>> written_out("ab", "", "c")
    '2:ab0:1:c'
    """
    return "".join(f"{len(text)}:{text}" for text in texts)


@dataclass(slots=True)
class Totals:
    """The totals of one account, in minor units."""

    debits: int = 0
    credits: int = 0
    functional_debits: int = 0
    functional_credits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A posting to be. amount > 0, functional ≥ 0, in minor units."""

    debit: AccountKey
    credit: AccountKey
    amount: int
    functional: int
    purpose: Purpose
    version: str = ""


@dataclass(slots=True)
class Desk:
    """Balances that are held, and the drafts made over them so far; each draft is seen by the next.

    functional: the company's currency.
    """

    functional: str
    totals: Mapping[AccountKey, Totals]
    drafts: list[Draft] = field(default_factory=list)

    def owing(self, account: AccountKey) -> int:
        """Give credits − debits in the account's currency."""
        one = self.totals[account]
        return one.credits - one.debits

    def carrying(self, account: AccountKey) -> int:
        """Give credits − debits in the functional currency."""
        one = self.totals[account]
        return one.functional_credits - one.functional_debits

    def carried(self, account: AccountKey, amount: int) -> int:
        """Give the functional amount that leaves with so much of the account, at its average carrying amount."""
        if account.key.currency == self.functional:
            return amount
        whole = abs(self.owing(account))
        return part(abs(self.carrying(account)), min(amount, whole), whole) if whole else 0

    def move(
        self,
        purpose: Purpose,
        *,
        debit: AccountKey,
        credit: AccountKey,
        amount: int,
        functional: int,
        version: str = "",
    ) -> None:
        """Draft one posting. Refused if it leaves an account on its wrong side (`balance_short`)."""
        assert amount > 0, amount
        assert functional >= 0, functional
        assert debit.key.currency == credit.key.currency, (debit, credit)
        left, right = self.totals[debit], self.totals[credit]
        left.debits += amount
        left.functional_debits += functional
        right.credits += amount
        right.functional_credits += functional
        _on_its_side(debit, left, amount)
        _on_its_side(credit, right, amount)
        self.drafts.append(
            Draft(
                debit=debit, credit=credit, amount=amount, functional=functional, purpose=purpose, version=version
            )
        )  # fmt: skip


def _on_its_side(account: AccountKey, totals: Totals, amount: int) -> None:
    short = totals.credits - totals.debits
    side = account.kind.side
    if (side is Side.DEBIT and short > 0) or (side is Side.CREDIT and short < 0):
        currency = account.key.currency
        there = plain(from_minor(amount - abs(short), currency))
        raise Refusal(
            "balance_short",
            f"There is only {there} {currency} in “{account.kind.label}” of {account.key};"
            f" {plain(from_minor(amount, currency))} was asked for. Ask for less, or post what is missing first.",
        )
