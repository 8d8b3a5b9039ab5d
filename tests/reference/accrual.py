"""The vendor's provision beside what is earned (semantics, 9)."""

from collections.abc import Callable
from copy import copy
from datetime import timedelta
from fractions import Fraction

from headrace.engine.terms.model import Terms, Tier
from tests.reference.against import input_value, row_fits
from tests.reference.facts import World
from tests.reference.limits import Statement, remap
from tests.reference.measure import Entry, run_measure
from tests.reference.numbers import ZERO, number, round6, round_to, total
from tests.reference.price import Portion, pays, price_scope, take_free
from tests.reference.stock import on_hand

type CapOf = Callable[[Entry], Fraction | None]


def accrual_of(world: World, statement: Statement, cap: CapOf) -> tuple[Fraction, Fraction | None]:
    """Give accrued and forecast of a statement."""
    terms = statement.terms
    forecast = None
    if terms.accrue.at == "achieved":
        accrued = statement.earned
    elif terms.accrue.at == "forecast":
        accrued, forecast = _forecast(world, statement, cap)
    else:
        accrued = max(statement.earned, _named(statement, terms.accrue.at))
    if terms.accrue.basis == "sell_in":
        accrued += _in_channel(world, statement)
    return accrued + _lump_sum(world, statement), forecast


def _named(statement: Statement, name: str) -> Fraction:
    """What every line would earn in the named tier, with its bonus in proportion to base."""
    amount, bonus = ZERO, ZERO
    entries = [copy(entry) for entry in statement.scope_entries]
    take_free(entries)
    for entry in entries:
        tier = _tier_named(entry, name)
        if entry.earns and entry.judged.payee == statement.payee and tier is not None:
            amount += pays(tier, Portion.whole(entry), input_value(entry.terms, entry.judged, "rate"))
    last = _tier_named(statement.scope_entries[-1], name) if statement.scope_entries else None
    if last is not None and last.bonus is not None:
        whole = total(entry.base for entry in statement.scope_entries)
        part = total(entry.base for entry in statement.entries)
        bonus = number(last.bonus) * (part / whole if whole else 1)
    return round_to(amount + bonus, statement.decimals)


def _tier_named(entry: Entry, name: str) -> Tier | None:
    return next((tier for tier in entry.card.tiers if tier.name == name), None)


def _forecast(world: World, statement: Statement, cap: CapOf) -> tuple[Fraction, Fraction | None]:
    """Price the scope at the measure that is foreseen, every line grown in proportion."""
    measure = statement.scope_entries[-1].after if statement.scope_entries else ZERO
    foreseen = _foreseen(world, statement, measure)
    if foreseen is None or measure == 0 or foreseen == 0:
        return statement.earned, None if foreseen is None else statement.earned
    entries = [_grown(entry, foreseen / measure) for entry in statement.scope_entries]
    run_measure(entries, cap)
    price_scope(entries, lambda entry: input_value(entry.terms, entry.judged, "rate"))
    shares = [entry.own + entry.shared for entry in entries if entry.judged.payee == statement.payee]
    most = _scope_cap(statement)
    if most is not None:
        shares = remap(shares, lambda running: min(running, most))
    amount = total(shares)
    return (
        round_to(amount * measure / foreseen, statement.decimals),
        round_to(amount, statement.decimals),
    )


def _scope_cap(statement: Statement) -> Fraction | None:
    terms = statement.terms
    own = input_value(terms, statement.scope_entries[-1].judged, "cap")
    general = terms.limits.payout.per_scope
    return own if own is not None or general is None else number(general)


def _grown(entry: Entry, factor: Fraction) -> Entry:
    grown = copy(entry)
    grown.own = grown.shared = ZERO
    for name in ("m", "base", "units", "cost", "amount", "quantity"):
        setattr(grown, name, round6(getattr(entry, name) * factor))
    return grown


def _foreseen(world: World, statement: Statement, measure: Fraction) -> Fraction | None:
    """The measure at the period's end: entered, or in proportion to the days gone by; null where nobody can say."""
    if statement.terms.accrue.forecast == "entered":
        for row in world.rows("forecasts"):
            if row_fits(row, statement.terms, statement.scope, statement.period):
                return number(row["value"])
        return None
    share = days_gone(world, statement)
    return None if share is None or share == 0 else round6(measure / share)


def days_gone(world: World, statement: Statement) -> Fraction | None:
    """Days from the period's start to the as-of day inclusive ÷ days of the period; null where it has no ends."""
    period = statement.period
    days = period.days()
    if days is None or period.from_ is None:
        return None
    gone = (world.as_of - period.from_).days + 1
    return Fraction(min(max(gone, 0), days), days)


def _in_channel(world: World, statement: Statement) -> Fraction:
    """The expected cost of what the earner still has in stock, of the products that it sold in the scope."""
    if statement.terms.schedule.price_change is not None:
        return ZERO
    sold = [entry for entry in statement.entries if entry.earns]
    units = total(number(entry.judged.line["quantity"]) for entry in sold)
    if units == 0:
        return ZERO
    held = {
        (str(entry.judged.earner), str(entry.judged.line["product_id"]))
        for entry in sold
        if entry.judged.line.get("product_id") is not None
    }
    stock = total(on_hand(world, partner, product, world.as_of + timedelta(days=1)) for partner, product in held)
    return round_to(max(stock, ZERO) * statement.earned / units, statement.decimals)


def _lump_sum(world: World, statement: Statement) -> Fraction:
    accrue = statement.terms.accrue
    earner = statement.entries[-1].judged.earner if statement.entries else statement.earner
    if accrue.lump_sum is None or not _has_input(statement.terms, earner):
        return ZERO
    share = days_gone(world, statement)
    if share is None or accrue.spread == "start":
        part = Fraction(1)
    else:
        part = share if accrue.spread == "daily" else Fraction(share == 1)
    return round_to(number(accrue.lump_sum) * part, statement.decimals)


def _has_input(terms: Terms, earner: str | None) -> bool:
    return any(row.earner == earner for row in terms.inputs)
