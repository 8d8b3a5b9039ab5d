"""For whom a change is good: better or worse for the partner, where the keys alone can tell.

A change is judged on lines that add to the measure; what depends on the lines themselves is unknown. Neutral changes do not
touch what a partner earns or gets.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from headrace.engine.terms.pricing import Boost, Tier

type Direction = Literal["better", "worse", "neutral", "unknown"]

_NEUTRAL = frozenset(
    {"name", "type", "version", "program", "schedule.tiers.name", "schedule.changes.tiers.name", "schedule.boosts.name"}
)
_NEUTRAL_PARTS = ("accrue.",)

# More is better; and what it means that nothing is written.
_MORE: dict[str, Literal["none", "endless"]] = {
    "schedule.tiers.rate": "none",
    "schedule.tiers.per_unit": "none",
    "schedule.tiers.bonus": "none",
    "schedule.tiers.down_by": "none",
    "schedule.tiers.margin_to": "none",
    "schedule.table.rate": "none",
    "schedule.table.per_unit": "none",
    "schedule.table.quantity_max": "endless",
    "schedule.package.pays": "none",
    "schedule.free_goods.get": "none",
    "schedule.price_change.from": "none",
    "schedule.price_change.drop": "none",
    "schedule.boosts.factor": "none",
    "schedule.fixed": "none",
    "limits.line.cap": "endless",
    "limits.line.floor": "none",
    "limits.measure.max": "endless",
    "limits.payout.per_scope": "endless",
    "limits.payout.program": "endless",
    "limits.guarantee.amount": "none",
    "settle.grace_days": "none",
    "settle.tolerance": "none",
    "inputs.rate": "none",
    "inputs.cap": "endless",
    "inputs.enrolled_until": "endless",
    "valid.until": "endless",
    "convert.age_days_max": "none",
}
_LESS: dict[str, Literal["none", "endless"]] = {
    "schedule.tiers.from": "none",
    "schedule.tiers.above": "none",
    "schedule.tiers.down_to": "none",
    "schedule.package.of": "none",
    "schedule.package.free": "none",
    "schedule.free_goods.buy": "none",
    "schedule.price_change.to": "none",
    "limits.minimum.amount": "none",
    "measure.target.value": "none",
    "inputs.target": "none",
    "inputs.baseline": "none",
    "inputs.enrolled_from": "none",
    "settle.hold_days": "none",
    "valid.from": "none",
}
# Words from worst to best.
_RANKED: dict[str, tuple[object, ...]] = {
    "limits.minimum.below": ("forfeit", "carry_forward"),
    "limits.guarantee.paid": ("end", "start"),
    "settle.late": ("forfeit", "ask", "next_period", "pay"),
    "on_exit": ("forfeit", "prorate", "pay"),
    "settle.claim": ("by_partner", "automatic"),
    "schedule.package.count": ("full", "started"),
    "enrolled": (True, False),
    "accepted": (True, False),
    "internal": (False, True),
    "combine.reduced_by_others": (True, False),
    "counts_from": ("enrolment", "program"),
}
# Parts that appear or go: good where they come.
_GOOD_PARTS = frozenset({"limits.guarantee"})
_BAD_PARTS = frozenset({"limits.minimum", "limits.prorate", "schedule.free", "gate", "verify", "partners", "lines"})


def direction_of(key: str, kind: str, before: object, after: object) -> Direction:
    """Judge one change by its key (without positions) and values."""
    key = key.replace("schedule.changes.tiers", "schedule.tiers").replace("schedule.changes.table", "schedule.table")
    direction: Direction = "unknown"
    if key in _NEUTRAL or key.startswith(_NEUTRAL_PARTS):
        direction = "neutral"
    elif key in _GOOD_PARTS | _BAD_PARTS and kind in {"added", "removed"}:
        direction = "better" if (kind == "added") == (key in _GOOD_PARTS) else "worse"
    elif key == "schedule.boosts":
        direction = _boosted(before, after)
    elif key in _MORE:
        direction = _compared(before, after, _MORE[key])
    elif key in _LESS:
        direction = _OPPOSITE[_compared(before, after, _LESS[key])]
    elif key in _RANKED and before in _RANKED[key] and after in _RANKED[key]:
        ranks = _RANKED[key]
        direction = "better" if ranks.index(after) > ranks.index(before) else "worse"
    elif key == "stage" and kind in {"added", "removed"}:
        direction = "better" if kind == "added" else "worse"
    return direction


def _boosted(before: object, after: object) -> Direction:
    """Judge a boost that comes or goes; a factor below one takes away."""
    boost = after if isinstance(after, Boost) else before
    if not isinstance(boost, Boost) or boost.factor == 1:
        return "unknown"
    return "better" if (boost.factor > 1) == isinstance(after, Boost) else "worse"


def _compared(before: object, after: object, absent: Literal["none", "endless"]) -> Direction:
    """Compare two values where more is better; one that is absent is the least, or endless."""
    if before is None or after is None:
        gained = before is None
        return "better" if gained == (absent == "none") else "worse"
    if isinstance(before, Decimal | int) and isinstance(after, Decimal | int):
        return "better" if after > before else "worse"
    if isinstance(before, date) and isinstance(after, date):
        return "better" if after > before else "worse"
    return "unknown"


_OPPOSITE: dict[Direction, Direction] = {
    "better": "worse",
    "worse": "better",
    "neutral": "neutral",
    "unknown": "unknown",
}


def tiers_direction(before: Sequence[Tier], after: Sequence[Tier], mode: str) -> Direction:
    """Judge two lists of tiers as a whole: better where at no measure less is paid and at some more.

    At each edge of either list, and just past it, compares what is paid there: the coefficients of the tier (total: of all
    tiers reached), and the bonuses due by then. Special prices are compared by their own keys only.
    """
    if any(tier.down_to is not None or tier.margin_to is not None for tier in (*before, *after)):
        return "unknown"
    edges = {(edge, past) for tier in (*before, *after) if (edge := _edge(tier)) is not None for past in (False, True)}
    gains = [
        new - old
        for point in sorted(edges)
        for old, new in zip(_paid(before, point, mode), _paid(after, point, mode), strict=True)
    ]
    if any(gain > 0 for gain in gains) and all(gain >= 0 for gain in gains):
        return "better"
    if any(gain < 0 for gain in gains) and all(gain <= 0 for gain in gains):
        return "worse"
    return "unknown" if any(gains) else "neutral"


def _edge(tier: Tier) -> Decimal | None:
    return tier.from_ if tier.from_ is not None else tier.above


def _paid(tiers: Sequence[Tier], point: tuple[Decimal, bool], mode: str) -> tuple[Decimal, ...]:
    """Give rate, per unit, down by and bonuses at a point: an edge, or just past it."""
    edge, past = point
    reached = [
        t for t in tiers if (e := _edge(t)) is not None and (e < edge or (e == edge and (past or t.above is None)))
    ]
    paying = reached if mode == "total" else reached[-1:]
    coefficients = tuple(
        sum((getattr(tier, key) or Decimal(0) for tier in paying), Decimal(0))
        for key in ("rate", "per_unit", "down_by")
    )
    due = reached[-1:] if mode == "retroactive" else reached
    return (*coefficients, sum((tier.bonus or Decimal(0) for tier in due), Decimal(0)))
