"""Which programs a batch of lines can be added to, and which have to be worked out anew from their lines.

A program is *additive* where what a scope has earned is a function of running totals over its lines: then totals, kept per
scope, payee, rate card and coefficient, give the entitlement exactly, whatever the order in which lines arrive. Everything
else is *ordered*: the touched scopes are calculated again from their lines by the same plan. Where a proof is missing the
class is ordered, which is always right and only slower. The proofs stand in docs/decisions/0055.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from headrace.engine.terms.check_pricing import SPECIAL
from headrace.engine.terms.checking import base_word
from headrace.engine.terms.model import Terms
from headrace.engine.terms.pricing import TableRow, Tier
from headrace.engine.terms.sentences import Sentence, english

type ProgramClass = Literal["additive", "ordered"]


class Classed(NamedTuple):
    """The class of a program, with the reasons: why it is ordered, or what its totals are."""

    kind: ProgramClass
    reasons: tuple[Sentence, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The reasons in English."""
        return tuple(english(reason) for reason in self.reasons)


def classify(programs: Iterable[Terms]) -> dict[str, Classed]:
    """Class each program from all of its versions that are given."""
    versions: dict[str, list[Terms]] = {}
    for terms in programs:
        versions.setdefault(terms.program, []).append(terms)
    return {program: _classed(terms) for program, terms in versions.items()}


def _classed(versions: Sequence[Terms]) -> Classed:
    cards = sum(1 + len(terms.schedule.changes) for terms in versions)
    reasons = dict.fromkeys(reason for terms in versions for reason in _codes(terms, several_cards=cards > 1))
    if reasons:
        return Classed("ordered", tuple(Sentence(f"ordered_{reason}") for reason in reasons))
    return Classed("additive", (Sentence(f"additive_{_shape(versions[-1])}"),))


def _shape(terms: Terms) -> str:
    """Name what the totals of an additive program are."""
    schedule = terms.schedule
    if schedule.tiers:
        return "incremental" if schedule.mode == "incremental" else "tiers"
    return "table" if schedule.table else "shared"


def _codes(terms: Terms, *, several_cards: bool) -> Iterator[str]:
    schedule = terms.schedule
    yield from _of_measure(terms)
    yield from _of_limits(terms)
    if schedule.price_change:
        yield "stock"
    if schedule.fixed is not None:
        yield "fixed"
    if schedule.free:
        yield "free"
    if any(row.quantity_max is not None for rows in _tables(terms) for row in rows):
        yield "quantity_max"
    if any(tier.down_to is not None or tier.margin_to is not None for tier in _tiers(terms)):
        yield "special_price"
    yield from _of_boosts(terms)
    if schedule.tiers and schedule.mode == "incremental":
        yield from _of_incremental(terms, several_cards=several_cards)
    elif several_cards and (_has_shared_amount(terms) or schedule.mode == "rolling"):
        yield "cards_shared"


def _of_measure(terms: Terms) -> Iterator[str]:
    measure = terms.measure
    words = [measure.of, *measure.minus, base_word(terms)]
    if any(word.startswith("distinct") for word in words):
        yield "distinct"
    if measure.growth and measure.growth.baseline != "entered":
        yield "baseline"
    alone = {"earner", "line"} | ({"group"} if terms.earner == "group" else set())
    if not alone & set(measure.per) or terms.paid_to != "earner":
        yield "payees"
    if "authorization" in measure.per:
        yield "authorization"
    if terms.convert.on != "transaction":
        yield "convert"
    if terms.combine and terms.combine.rule != "independent":
        yield "combine"
    if terms.verify:
        yield "verify"


def _of_limits(terms: Terms) -> Iterator[str]:
    limits = terms.limits
    if limits.payout.program is not None:
        yield "payout_program"
    if limits.line.floor is not None or limits.line.cap is not None:
        yield "line_limits"
    if limits.guarantee or terms.accrue.lump_sum is not None:
        yield "guarantee"
    if terms.rounding.remainder == "carry_forward":
        yield "remainder"
    if limits.negative == "carry" or (limits.minimum and limits.minimum.below == "carry_forward"):
        yield "carried"
    # A line cut at the limit keeps a share of its base that depends on where it stands, unless the base is the measure.
    if limits.measure.max is not None and (
        terms.schedule.table or terms.schedule.boosts or not _priced_by_measure(terms)
    ):
        yield "measure_max"


def _of_boosts(terms: Terms) -> Iterator[str]:
    schedule = terms.schedule
    if not schedule.boosts:
        return
    if schedule.mode in {"incremental", "rolling"} and schedule.tiers:
        yield "boosts"
        return
    # A boosted share is rounded to 12 places line by line; sums stay exact only where nothing is cut.
    factors = [_places(boost.factor) for boost in schedule.boosts]
    factor = sum(factors) if schedule.boost_rule == "multiply" else max(factors)
    rows = [row for table in _tables(terms) for row in table]
    items: list[Tier | TableRow] = [*_tiers(terms), *rows]
    rates = [value for item in items for value in (item.rate, item.per_unit) if value is not None]
    inputs = [row.rate for row in terms.inputs if row.rate is not None]
    if factor + max(map(_places, [*rates, *inputs]), default=0) > 6:
        yield "boosts_rounded"


def _of_incremental(terms: Terms, *, several_cards: bool) -> Iterator[str]:
    if not _priced_by_measure(terms):
        yield "base_apart"
    if several_cards:
        yield "cards"


def _priced_by_measure(terms: Terms) -> bool:
    """Tell whether everything that is paid by line is paid on the measure itself: base and units equal m on every line."""
    measure = terms.measure
    joined = terms.enrolled or any(row.enrolled_from for row in terms.inputs)
    if measure.minus or (measure.lines is not None and measure.lines != terms.lines):
        return False
    if joined and terms.counts_from == "program":
        return False  # lines from before the enrolment measure and do not earn
    rated = any(tier.rate for tier in _tiers(terms)) or any(row.rate for rows in _tables(terms) for row in rows)
    units = any(getattr(tier, key) for tier in _tiers(terms) for key in ("per_unit", *SPECIAL))
    units = units or any(row.per_unit for rows in _tables(terms) for row in rows)
    base = base_word(terms)
    if rated and base not in {measure.of, "growth"}:
        return False
    counted = measure.of if measure.of == "count" else "count" if base == "count" else "quantity"
    return not units or measure.of == counted


def _has_shared_amount(terms: Terms) -> bool:
    schedule = terms.schedule
    return bool(schedule.package or schedule.free_goods or terms.pays_on == "growth") or any(
        tier.bonus for tier in _tiers(terms)
    )


def _tiers(terms: Terms) -> list[Tier]:
    return [*terms.schedule.tiers, *(tier for change in terms.schedule.changes for tier in change.tiers)]


def _tables(terms: Terms) -> list[tuple[TableRow, ...]]:
    return [terms.schedule.table, *(change.table for change in terms.schedule.changes)]


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
