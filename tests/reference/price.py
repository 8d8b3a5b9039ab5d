"""Price: the exact share of every line, and the amounts that lines share (semantics, 6), up to the line limits (7.2)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Self

from headrace.engine.terms.model import Boost, PriceChange, TableRow, Terms, Tier
from tests.reference.conditions import holds
from tests.reference.facts import RETURNS
from tests.reference.measure import Band, Entry, cap_part
from tests.reference.numbers import ZERO, number, round6, round_to, total


@dataclass
class Portion:
    """The part of a line that one tier prices."""

    base: Fraction
    units: Fraction
    cost: Fraction
    amount: Fraction
    quantity: Fraction

    @classmethod
    def whole(cls, entry: Entry) -> Self:
        """All of a line."""
        return cls(entry.base, entry.units, entry.cost, entry.amount, entry.quantity)

    def up_to(self, measure_part: Fraction, m: Fraction) -> Self:
        """The part up to a point of the line's measure, each value rounded on its own."""
        if measure_part == m:
            return self
        values = (self.base, self.units, self.cost, self.amount, self.quantity)
        return type(self)(*(round6(value * measure_part / m) for value in values))

    def less(self, other: Self) -> Self:
        """What lies between two points."""
        return type(self)(
            self.base - other.base,
            self.units - other.units,
            self.cost - other.cost,
            self.amount - other.amount,
            self.quantity - other.quantity,
        )


def price_scope(entries: Sequence[Entry], own_rate: Callable[[Entry], Fraction | None]) -> None:
    """Give every line of one scope, in order of place, its own share and its parts of shared amounts."""
    if not entries:
        return
    measure = entries[-1].after
    paid = {id(entry): Portion.whole(entry) for entry in entries}
    paid_base = {key: portion.base for key, portion in paid.items()}
    take_free(entries)
    _clip_table(entries)
    for entry in entries:
        if entry.earns:
            entry.own = _own_share(entry, measure, own_rate(entry))
    earning = [entry for entry in entries if entry.earns]
    for of_card in _by_card(earning):
        if of_card[-1].terms.schedule.mode == "rolling":
            spread(_rolling(of_card, measure, own_rate), of_card, paid_base)
    spread(total(_shared_amounts(entries[-1], measure, own_rate)), earning, paid_base)
    for entry in entries:
        for name, value in vars(paid[id(entry)]).items():
            setattr(entry, name, value)


def take_free(entries: Sequence[Entry]) -> None:
    """Take the free allowance off the bases, and off the units in proportion."""
    running, count = ZERO, 0
    for entry in entries:
        free = entry.terms.schedule.free
        if not entry.earns or free is None:
            continue
        count += 1
        before, running = running, running + entry.base
        if free.lines is not None and count > free.lines:
            continue
        most = None if free.amount is None else number(free.amount)
        gone = entry.base if most is None else min(running, most) - min(before, most)
        entry.wholly_free = gone == entry.base and (entry.base != 0 or most is None or running < most)
        left = entry.base - gone
        for name in ("units", "cost", "amount", "quantity"):
            value = getattr(entry, name)
            cut = ZERO if entry.wholly_free else value if entry.base == 0 else round6(value * left / entry.base)
            setattr(entry, name, cut)
        entry.base = left


def table_row(entry: Entry) -> TableRow | None:
    """Find the row of the rate table: all its conditions equal; most conditions, then the first written."""
    records = entry.judged.records
    facts = {
        "product": entry.judged.line.get("product_id"),
        "family": records["product"].get("family"),
        "region": records["partner"].get("region"),
        "level": records["partner"].get("level"),
    }
    best, most = None, -1
    for row in entry.card.table:
        wanted = {key: getattr(row, key) for key in facts if getattr(row, key) is not None}
        if all(facts[key] == value for key, value in wanted.items()) and len(wanted) > most:
            best, most = row, len(wanted)
    return best


def _clip_table(entries: Sequence[Entry]) -> None:
    """Cut base and units where the running units of a table row pass its quantity."""
    running: dict[int, tuple[Fraction, Fraction]] = {}
    for entry in entries:
        row = table_row(entry) if entry.earns else None
        if row is None or row.quantity_max is None:
            continue
        plain, clipped = running.get(id(row), (ZERO, ZERO))
        plain += entry.units
        most = number(row.quantity_max)
        counted = min(plain, most) - clipped
        entry.base = cap_part(entry.base, entry.units, counted, plain >= most)
        entry.units = counted
        running[id(row)] = (plain, clipped + counted)


def coefficient(tier: Tier | TableRow, own_rate: Fraction | None) -> tuple[Fraction, Fraction]:
    """Give rate and per unit amount of a tier or row; a governed rate replaces a rate that is not 0."""
    rate = ZERO if tier.rate is None else number(tier.rate)
    if own_rate is not None and (rate != 0 or isinstance(tier, TableRow)):
        rate = own_rate
    return rate, ZERO if tier.per_unit is None else number(tier.per_unit)


def pays(tier: Tier | TableRow, part: Portion, own_rate: Fraction | None) -> Fraction:
    """Price one part of a line by one tier."""
    rate, per_unit = coefficient(tier, own_rate)
    paid = rate * part.base + per_unit * part.units
    return paid + _special_price(tier, part) if isinstance(tier, Tier) else paid


def _special_price(tier: Tier, part: Portion) -> Fraction:
    credit = ZERO
    if tier.down_to is not None:
        credit += _kept_sign(part.cost - number(tier.down_to) * part.quantity, part.quantity)
    if tier.down_by is not None:
        credit += _kept_sign(number(tier.down_by) * part.quantity, part.quantity)
    if tier.margin_to is not None:
        credit += _kept_sign(part.cost - part.amount * (1 - number(tier.margin_to)), part.quantity)
    return credit


def _kept_sign(credit: Fraction, quantity: Fraction) -> Fraction:
    return max(credit, ZERO) if quantity >= 0 else min(credit, ZERO)


def _pieces(entry: Entry, measure: Fraction) -> Iterator[tuple[Band | None, Portion]]:
    """Give every (tier, part of the line) that the mode prices on the line itself; no tier prices at nought."""
    mode = entry.terms.schedule.mode
    whole = Portion.whole(entry)
    if mode == "incremental":
        yield from _incremental(entry, whole)
    elif mode == "retroactive" and entry.terms.pays_on != "growth":
        yield entry.band_at(measure) or _below_zero(entry, measure), whole
    elif mode == "total" and entry.terms.pays_on != "growth":
        reached: list[Band | None] = [band for band in entry.bands if band.reached(measure)]
        for band in reached or [_below_zero(entry, measure)]:
            yield band, whole


def _below_zero(entry: Entry, measure: Fraction) -> Band | None:
    """The tier that prices what lies below zero: none, or the first one where it starts at zero and debts count."""
    owed = entry.terms.limits.negative in {"pay", "carry"}
    if measure < 0 and owed and entry.bands and entry.bands[0].edge == 0:
        return entry.bands[0]
    return None


def _incremental(entry: Entry, whole: Portion) -> Iterator[tuple[Band | None, Portion]]:
    before, after = entry.before, entry.after
    if entry.m == 0:
        yield entry.band_at(after) or _below_zero(entry, after), whole
        return
    low, high = min(before, after), max(before, after)
    cuts = sorted({low, high} | {edge for edge in (b.edge for b in entry.bands) if low < edge < high})
    points = cuts if entry.m > 0 else cuts[::-1]
    for start, end in pairwise(points):
        part = whole.up_to(end - before, entry.m)
        if start != before:
            part = part.less(whole.up_to(start - before, entry.m))
        inside = [band for band in entry.bands if band.edge <= min(start, end)]
        yield inside[-1] if inside else _below_zero(entry, min(start, end)), part


def _own_share(entry: Entry, measure: Fraction, own_rate: Fraction | None) -> Fraction:
    """Price one line: coefficients with boosts, the fixed part, the line's floor and cap; of a held lot the fall of the price."""
    if entry.terms.schedule.price_change is not None:
        return entry.units * _fall(entry.terms.schedule.price_change)
    row = table_row(entry)
    whole = Portion.whole(entry)
    priced = (
        [(row, whole)] if row is not None else [(band and band.tier, part) for band, part in _pieces(entry, measure)]
    )
    share = total(pays(tier, part, own_rate) for tier, part in priced if tier is not None)
    rates = [None if tier is None else coefficient(tier, own_rate)[0] for tier, _ in priced]
    entry.rate = _shown_rate(entry, rates)
    share = _boosted(share, entry)
    eligible = _reached(entry, measure, row) and not entry.wholly_free
    if entry.terms.schedule.fixed is not None and eligible:
        fixed = number(entry.terms.schedule.fixed)
        share += -fixed if entry.judged.line["kind"] in RETURNS else fixed
    return _limited(share, entry, eligible)


def _fall(change: PriceChange) -> Fraction:
    """What is paid for each unit."""
    if change.drop is not None:
        return number(change.drop)
    assert change.from_ is not None
    assert change.to is not None
    return number(change.from_) - number(change.to)


def _shown_rate(entry: Entry, rates: Sequence[Fraction | None]) -> Fraction | None:
    """Give the rate that priced the whole line; null where its parts differ, or nothing but shared amounts pays."""
    if entry.terms.schedule.mode == "total" and None not in rates:
        return total(rate for rate in rates if rate is not None) if rates else None
    return rates[0] if len(set(rates)) == 1 else None


def _boosted(share: Fraction, entry: Entry) -> Fraction:
    factors = [_factor(boost) for boost in entry.terms.schedule.boosts if holds(boost.when, entry.judged.records)]
    if not factors:
        return share
    if entry.terms.schedule.boost_rule == "highest":
        return round_to(share * max(factors), 12)
    for factor in factors:
        share *= factor
    return round_to(share, 12)


def _factor(boost: Boost) -> Fraction:
    return number(boost.factor)


def _reached(entry: Entry, measure: Fraction, row: TableRow | None) -> bool:
    """Tell whether a tier (incremental: anywhere along the line; otherwise by the final measure) or a row is reached."""
    if entry.card.table:
        return row is not None
    if not entry.card.tiers:
        return True
    at = max(entry.before, entry.after) if entry.terms.schedule.mode == "incremental" else measure
    return entry.band_at(at) is not None


def _limited(share: Fraction, entry: Entry, eligible: bool) -> Fraction:
    """Keep the line between floor and cap; mirrored for negative ones."""
    limits = entry.terms.limits.line
    mirrored = share < 0 or number(entry.judged.line["quantity"]) < 0
    if mirrored:
        share = -share
    if limits.floor is not None and eligible:
        share = max(share, number(limits.floor))
    if limits.cap is not None:
        share = min(share, number(limits.cap))
    return -share if mirrored else share


def _shared_amounts(last: Entry, measure: Fraction, own_rate: Callable[[Entry], Fraction | None]) -> Iterator[Fraction]:
    """Give every amount that all lines of a scope share, as its last line's rate card decides."""
    schedule = last.terms.schedule
    if last.terms.pays_on == "growth" and schedule.mode in {"retroactive", "total"} and measure > last.against:
        yield _on_growth(last, measure, own_rate(last))
    yield bonus(last, measure)
    if schedule.package is not None and measure > 0:
        package = schedule.package
        counted = max(ZERO, measure - number(package.free)) / number(package.of)
        whole = counted.__floor__() if package.count == "full" else counted.__ceil__()
        yield whole * number(package.pays)
    if schedule.free_goods is not None and measure > 0:
        goods = schedule.free_goods
        yield (measure / number(goods.buy)).__floor__() * number(goods.get)


def _by_card(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Part lines by rate card; where edges or rates may be an earner's own, each earner has a card of its own."""
    cards: dict[tuple[int, int, str | None], list[Entry]] = {}
    for entry in entries:
        earner = entry.judged.earner if _has_own_cards(entry.terms) else None
        cards.setdefault((id(entry.terms), id(entry.card.tiers), earner), []).append(entry)
    yield from cards.values()


def _has_own_cards(terms: Terms) -> bool:
    by_earner = terms.measure.growth is not None or terms.measure.target is not None
    return by_earner or terms.limits.prorate in {"edges", "both"} or any(row.rate is not None for row in terms.inputs)


def _rolling(entries: Sequence[Entry], measure: Fraction, own_rate: Callable[[Entry], Fraction | None]) -> Fraction:
    """Every reached tier pays on the measure clipped at its upper edge. entries: the earning lines of one rate card."""
    if measure <= 0:
        return ZERO
    base, units = total(entry.base for entry in entries), total(entry.units for entry in entries)
    bands, amount = entries[-1].bands, ZERO
    for band, following in zip(bands, [*bands[1:], None], strict=True):
        if band.reached(measure):
            clipped = measure if following is None else min(measure, following.edge)
            rate, per_unit = coefficient(band.tier, own_rate(entries[-1]))
            amount += rate * round6(base * clipped / measure) + per_unit * round6(units * clipped / measure)
    return amount


def _on_growth(last: Entry, measure: Fraction, own_rate: Fraction | None) -> Fraction:
    growth = measure - last.against
    reached = [band for band in last.bands if band.reached(measure)]
    counted = reached if last.terms.schedule.mode == "total" else reached[-1:]
    return total(growth * sum(coefficient(band.tier, own_rate)) for band in counted)


def bonus(last: Entry, measure: Fraction) -> Fraction:
    """Flat amounts: of every tier reached, or in retroactive mode of the tier at the measure."""
    reached = [band for band in last.bands if band.reached(measure)]
    if last.terms.schedule.mode == "retroactive":
        reached = reached[-1:]
    return total(number(band.tier.bonus) for band in reached if band.tier.bonus is not None)


def spread(amount: Fraction, entries: Sequence[Entry], base: dict[int, Fraction]) -> None:
    """Share an amount in proportion to base: over payees in byte order, then over each payee's lines in order."""
    amount = round6(amount)
    if amount == 0 or not entries:
        return
    whole = total(base[id(entry)] for entry in entries)
    if whole == 0:
        entries[-1].shared += amount
        return
    running = given = ZERO
    for payee in sorted({entry.judged.payee for entry in entries}, key=lambda p: (p[0], p[1].encode())):
        theirs = [entry for entry in entries if entry.judged.payee == payee]
        their_base = total(base[id(entry)] for entry in theirs)
        running += their_base
        part = round6(amount * running / whole) - given
        given += part
        _spread_lines(part, theirs, their_base, base)


def _spread_lines(amount: Fraction, entries: Sequence[Entry], whole: Fraction, base: dict[int, Fraction]) -> None:
    if whole == 0:
        entries[-1].shared += amount
        return
    running = given = ZERO
    for entry in entries:
        running += base[id(entry)]
        part = round6(amount * running / whole) - given
        given += part
        entry.shared += part
