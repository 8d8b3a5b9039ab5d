"""Where in the books an entitlement belongs: of which company, on which day, at which rate; or why it has no place."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from headrace.engine.exchange import fx_table
from headrace.engine.findings import Refusal
from headrace.engine.terms import Terms
from headrace.foundation import companies
from headrace.foundation.companies import Company
from headrace.ledger import periods
from headrace.ledger.amounts import to_minor
from headrace.ledger.desk import Key
from headrace.ledger.flows import Item
from headrace.partners import structure
from headrace.programs.models import Version
from headrace.programs.versions import IN_FORCE
from headrace.sales import references
from headrace.sales.lake import opened

OF_ACCOUNT = "of_account"
PAYEE_MAX = 64


class Claim(NamedTuple):
    """Whose entitlement, in which period of which program, in which currency. from_, until: half-open, null for no bound."""

    program: str
    payee_kind: str
    payee: str
    from_: date | None
    until: date | None
    currency: str

    def key(self) -> Key:
        """Give what its accounts are found by."""
        period = f"{self.from_ or ''}/{self.until or ''}" if self.from_ or self.until else ""
        return Key(
            currency=self.currency, payee_kind=self.payee_kind, payee=self.payee, program=self.program, period=period
        )


class Owed(NamedTuple):
    """The whole entitlement so far, of any sign, and the number of the program's version; 0 for the newest in force."""

    amount: Decimal
    version: int


NOTHING = Owed(Decimal(0), 0)


@dataclass(frozen=True, slots=True)
class Placed:
    """The items of each company and day, in the order in which they are posted; and what has no place, in words."""

    items: Mapping[tuple[str, date], list[Item]]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Says:
    """What a version says of where it belongs. label: PROGRAM/NUMBER."""

    label: str
    company: str
    age_days_max: int


type _Pair = tuple[str, str, date, int]
"""From and to currency, day, and how old the quote may be."""


def last_day(claim: Claim, day: date) -> date:
    """Give the last day of the period, or the day if that is earlier or the period has no end."""
    return day if claim.until is None else min(day, claim.until - timedelta(days=1))


def placed(owed: Mapping[Claim, Owed], day: date) -> Placed:
    """Find the place of every entitlement as of an event of the day. What is zero and has no place is left out."""
    terms = _terms({claim.program for claim in owed})
    known = {each.code: each for each in companies.listed()}
    kept = periods.kept()
    accounts = _accounts(owed, day) if len(known) > 1 else {}
    found: list[tuple[Claim, Owed, Company, _Says]] = []
    faults: list[str] = []
    for claim, one in owed.items():
        says = terms.get((claim.program, one.version)) or terms.get((claim.program, 0))
        company = _company(claim, says, known, accounts.get((claim.payee, last_day(claim, day)), frozenset()))
        fault = company if isinstance(company, str) else _fault(claim, one, company, kept)
        if fault and one.amount:
            faults.append(f"{claim.key()}: {fault}")
        elif says is not None and isinstance(company, Company) and not fault:
            found.append((claim, one, company, says))
    return _with_rates(found, day, faults)


def _with_rates(found: list[tuple[Claim, Owed, Company, _Says]], day: date, faults: list[str]) -> Placed:
    pairs = [
        (claim.currency, company.functional_currency, last_day(claim, day), says.age_days_max)
        for claim, _, company, says in found
    ]
    rates = _rates({pair for pair in pairs if pair[0] != pair[1]})
    items: dict[tuple[str, date], list[Item]] = {}
    for (claim, one, company, says), pair in zip(found, pairs, strict=True):
        rate = Decimal(1) if pair[0] == pair[1] else rates.get(pair)
        if rate is not None:
            item = Item(key=claim.key(), amount=one.amount, version=says.label, rate=rate)
            items.setdefault((company.code, pair[2]), []).append(item)
        elif one.amount:
            faults.append(f"{claim.key()}: there is no rate of {pair[0]} in {pair[1]} for {pair[2]}. Load it.")
    ordered = {place: sorted(items[place], key=lambda item: item.key) for place in sorted(items, key=_day_first)}
    return Placed(ordered, tuple(faults))


def _day_first(place: tuple[str, date]) -> tuple[date, str]:
    return place[1], place[0]


def _terms(programs: Collection[str]) -> dict[tuple[str, int], _Says]:
    """Give what each version says; under 0 what the newest one in force does."""
    found: dict[tuple[str, int], _Says] = {}
    rows = Version.objects.filter(program__code__in=programs, state__in=IN_FORCE).order_by("number")
    for program, number, document in rows.values_list("program__code", "number", "document"):
        read = Terms.model_validate(document)
        says = _Says(f"{program}/{number}", read.settle.company, read.convert.age_days_max)
        found[program, number] = found[program, 0] = says
    return found


def _accounts(owed: Mapping[Claim, Owed], day: date) -> dict[tuple[str, date], frozenset[str]]:
    """Give the companies with which partners have accounts, by partner and day."""
    by_day: dict[date, set[str]] = {}
    for claim in owed:
        if claim.payee_kind == "partner":
            by_day.setdefault(last_day(claim, day), set()).add(claim.payee)
    return {
        (partner, on): codes
        for on, partners in by_day.items()
        for partner, codes in structure.companies_of(partners, on).items()
    }


def _company(claim: Claim, says: _Says | None, known: Mapping[str, Company], accounts: frozenset[str]) -> Company | str:
    """Give the company, or say why none is found."""
    if says is None:
        return f"no version of {claim.program} is in force."
    if says.company != OF_ACCOUNT:
        return known.get(says.company) or f"{says.label} names the company {says.company}, which there is not. Open it."
    if len(known) == 1:
        return next(iter(known.values()))
    if len(accounts) == 1:
        return known[next(iter(accounts))]
    if accounts:
        return f"it has accounts with {', '.join(sorted(accounts))}. Name the company in the terms (settle.company)."
    return "it has no account with any company. Open one, or name the company in the terms (settle.company)."


def _fault(claim: Claim, one: Owed, company: Company, kept: frozenset[str]) -> str | None:
    if company.code not in kept:
        return f"the books of {company.code} are not open. A controller opens them."
    if len(claim.payee) > PAYEE_MAX:
        return f"the payee's id has more than {PAYEE_MAX} characters."
    try:
        to_minor(one.amount, claim.currency)
    except Refusal as refusal:
        return refusal.message
    return None


RATE_AGE_DAYS = 7
"""So old may the quote be by which open balances are valued at the end of a month."""


def currencies_without_rate(currencies: Collection[str], functional: str, day: date) -> tuple[str, ...]:
    """Give the currencies that have no rate into the functional one for the day, in the rates in force."""
    pairs: set[_Pair] = {(each, functional, day, RATE_AGE_DAYS) for each in currencies if each != functional}
    found = _rates(pairs)
    return tuple(sorted(pair[0] for pair in pairs if pair not in found))


def _rates(pairs: Collection[_Pair]) -> dict[_Pair, Decimal]:
    """Give the rates there are, from the table of rates in force, each by its nearest earlier quote."""
    content = references.in_force().get("rates") if pairs else None
    if content is None:
        return {}
    with opened() as lake:
        quotes = lake.load_snapshot(content)
    found: dict[_Pair, Decimal] = {}
    for age in {pair[3] for pair in pairs}:
        asked = [pair for pair in pairs if pair[3] == age]
        table, _ = fx_table(quotes, [pair[:2] for pair in asked], [pair[2] for pair in asked], age)
        for row in table.to_pylist():
            found[row["from_currency"], row["to_currency"], row["day"], age] = row["rate"]
    return found
