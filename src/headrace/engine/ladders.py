"""Tiers as ladders, rate tables as rows, and what every rate card says: the schedule as data.

A ladder is the tiers of a rate card with their edges in measure terms, as steps: the stretches of the measure in which the same
tiers are reached. Step 0 is what lies below the first edge. Rungs are the tiers themselves.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import pyarrow as pa

from headrace.engine.book import Book, Card
from headrace.engine.schema import LINE, RATE
from headrace.engine.schema import SUM as SUM_TYPE
from headrace.engine.session import Session
from headrace.engine.terms.model import Terms, Tier
from headrace.engine.values import boost_digits, mask_of

INFINITE = Decimal(10) ** 21
MODES = ("incremental", "retroactive", "rolling", "total")
INCREMENTAL, RETROACTIVE, ROLLING, TOTAL = range(4)
NEGATIVES = ("zero", "pay", "carry")
_ZERO = Decimal(0)

LADDERS = pa.schema(
    [
        ("ladder", pa.int64()), ("step", pa.int32()), ("low", SUM_TYPE), ("low_open", pa.bool_()), ("high", SUM_TYPE),
        ("high_open", pa.bool_()), ("first", SUM_TYPE), ("first_open", pa.bool_()), ("position", pa.int32()),
        ("pays", pa.bool_()), ("rate", RATE), ("per_unit", LINE), ("bonus", LINE), ("rate_total", RATE),
        ("per_unit_total", LINE), ("bonus_total", LINE), ("down_to", LINE), ("down_by", LINE), ("margin_to", RATE),
    ]
)  # fmt: skip
RUNGS = pa.schema(
    [
        ("ladder", pa.int64()),
        ("position", pa.int32()),
        ("low", SUM_TYPE),
        ("low_open", pa.bool_()),
        ("high", SUM_TYPE),
        ("rate", RATE),
        ("per_unit", LINE),
        ("down_to", LINE),
        ("down_by", LINE),
        ("margin_to", RATE),
    ]
)
CARD_TERMS = pa.schema(
    [
        ("card", pa.int32()), ("edition", pa.int32()), ("program", pa.int32()), ("mode", pa.int32()), ("negative", pa.int32()),
        ("tiered", pa.bool_()), ("tabled", pa.bool_()), ("special", pa.bool_()), ("on_growth", pa.bool_()),
        ("measure_max", SUM_TYPE), ("payout_max", SUM_TYPE), ("line_floor", SUM_TYPE), ("line_cap", SUM_TYPE), ("fixed", LINE),
        ("free_lines", pa.int64()), ("free_amount", SUM_TYPE), ("boost_unit", pa.decimal128(38, 0)),
        ("package_of", SUM_TYPE), ("package_pays", LINE), ("package_free", SUM_TYPE), ("package_started", pa.bool_()),
        ("goods_buy", SUM_TYPE), ("goods_get", LINE), ("decimals", pa.int32()),
    ]
)  # fmt: skip
TABLE_ROWS = pa.schema(
    [
        ("card", pa.int32()), ("row_no", pa.int32()), ("mask", pa.int32()), ("product", pa.string()), ("family", pa.string()),
        ("region", pa.string()), ("level", pa.string()), ("rate", RATE), ("per_unit", LINE), ("quantity_max", SUM_TYPE),
    ]
)  # fmt: skip


def ladder_rows(
    ladder: int, tiers: Sequence[Tier], edges: Sequence[Decimal], negative: str, unit: Decimal = Decimal(0)
) -> list[dict[str, object]]:
    """Give the steps of one ladder: the stretches of the measure in which the same tiers are reached.

    edges: of the tiers, in measure terms, rising; equal ones come about where a baseline or the days in force are nought. Below
    the first edge nothing is earned but `unit` for each unit (where there are no tiers), unless the terms extend the first tier
    below zero and it starts at zero; where it starts above zero, it pays on both sides of zero and nothing at zero itself.
    """
    opens = [tier.above is not None for tier in tiers]
    values = sorted(set(edges))
    first = values[0] if values else INFINITE
    extends = bool(tiers) and negative != "zero" and edges[0] == 0
    first_open = all(opened for edge, opened in zip(edges, opens, strict=True) if edge == first)
    common: dict[str, object] = {"ladder": ladder, "first": first, "first_open": first_open}
    below = tiers[0] if extends else None
    rows: list[dict[str, object]] = [
        common
        | _coefficients(below, bonus=False)
        | {
            "step": 0, "low": -INFINITE, "low_open": True, "high": first, "high_open": first_open, "position": None,
            "pays": extends, "rate_total": _rate(below), "per_unit_total": _unit(below), "bonus_total": _ZERO,
        }
        | ({"per_unit": unit, "per_unit_total": unit} if unit else {})
    ]  # fmt: skip
    if extends and first_open:
        rows[0]["high_open"] = False
        rows.append(common | _at_nought())
    for number, (low, low_open, high, high_open, reached) in enumerate(_stretches(edges, opens, values), start=1):
        last = max(reached)
        met = [tiers[index] for index in reached]
        rows.append(
            common
            | _coefficients(tiers[last], bonus=True)
            | {
                "step": number, "low": low, "low_open": low_open, "high": high, "high_open": high_open, "position": last + 1,
                "pays": True, "rate_total": sum(map(_rate, met), _ZERO), "per_unit_total": sum(map(_unit, met), _ZERO),
                "bonus_total": sum((tier.bonus or _ZERO for tier in met), _ZERO),
            }
        )  # fmt: skip
    return rows


def _at_nought() -> dict[str, object]:
    """Give the step at exactly zero, where a first tier that starts above zero is not reached; no tier has its number."""
    return _coefficients(None, bonus=False) | {
        "step": -1, "low": _ZERO, "low_open": False, "high": _ZERO, "high_open": True, "position": None, "pays": False,
        "rate_total": _ZERO, "per_unit_total": _ZERO, "bonus_total": _ZERO,
    }  # fmt: skip


def _stretches(
    edges: Sequence[Decimal], opens: Sequence[bool], values: Sequence[Decimal]
) -> Iterator[tuple[Decimal, bool, Decimal, bool, list[int]]]:
    """Give each stretch in which tiers are reached: low, is it outside, high, is it inside, the tiers."""

    def on(value: Decimal) -> list[int]:
        return [index for index, edge in enumerate(edges) if edge < value or (edge == value and not opens[index])]

    for place, value in enumerate(values):
        past = [index for index, edge in enumerate(edges) if edge <= value]
        at_edge = on(value)
        mixed = bool(at_edge) and at_edge != past and any(edge == value for edge in (edges[index] for index in at_edge))
        if mixed:
            yield value, False, value, True, at_edge
        high = values[place + 1] if place + 1 < len(values) else INFINITE
        above_only = not any(edge == high and not opened for edge, opened in zip(edges, opens, strict=True))
        yield value, mixed or at_edge != past, high, place + 1 < len(values) and above_only, past


def rung_rows(ladder: int, tiers: Sequence[Tier], edges: Sequence[Decimal]) -> list[dict[str, object]]:
    """Give each tier of a ladder with its own edge and the next one's, whatever the stretches are."""
    ends = [*edges[1:], INFINITE][: len(edges)]
    return [
        {
            "ladder": ladder,
            "position": position,
            "low": low,
            "low_open": tier.above is not None,
            "high": high,
            "rate": _rate(tier),
            "per_unit": _unit(tier),
            "down_to": tier.down_to,
            "down_by": tier.down_by,
            "margin_to": tier.margin_to,
        }
        for position, (tier, low, high) in enumerate(zip(tiers, edges, ends, strict=True), start=1)
    ]


def _coefficients(tier: Tier | None, *, bonus: bool) -> dict[str, object]:
    return {
        "rate": _rate(tier), "per_unit": _unit(tier), "bonus": (tier.bonus or _ZERO) if tier is not None and bonus else _ZERO,
        "down_to": tier.down_to if tier else None, "down_by": tier.down_by if tier else None,
        "margin_to": tier.margin_to if tier else None,
    }  # fmt: skip


def _rate(tier: Tier | None) -> Decimal:
    return _ZERO if tier is None or tier.rate is None else tier.rate


def _unit(tier: Tier | None) -> Decimal:
    return _ZERO if tier is None or tier.per_unit is None else tier.per_unit


def written_edges(tiers: Sequence[Tier]) -> list[Decimal]:
    """Give the edges as the document says them."""
    return [tier.from_ if tier.from_ is not None else tier.above or _ZERO for tier in tiers]


def price_fall(terms: Terms) -> Decimal:
    """Give what price protection pays for a unit; nought for every other kind of program."""
    change = terms.schedule.price_change
    if change is None:
        return _ZERO
    return change.drop if change.drop is not None else (change.from_ or _ZERO) - (change.to or _ZERO)


def put_schedules(session: Session, book: Book) -> None:
    """Make `ladders` and `rungs` (of every rate card, under its own number), `card_terms`, `table_rows` and `table_keys`."""
    ladders: list[dict[str, object]] = []
    rungs: list[dict[str, object]] = []
    cards: list[dict[str, object]] = []
    rows: list[dict[str, object]] = []
    for card in book.cards:
        terms = book.editions[card.version].terms
        unit = price_fall(terms)
        ladders += ladder_rows(card.number, card.tiers, written_edges(card.tiers), terms.limits.negative, unit)
        rungs += rung_rows(card.number, card.tiers, written_edges(card.tiers))
        cards.append(_card_terms(book, card))
        rows += _table_rows(card)
    session.put("ladders", pa.Table.from_pylist(ladders, schema=LADDERS))
    session.put("rungs", pa.Table.from_pylist(rungs, schema=RUNGS))
    session.put("card_terms", pa.Table.from_pylist(cards, schema=CARD_TERMS))
    session.put("table_rows", pa.Table.from_pylist(rows, schema=TABLE_ROWS))
    # Of rows with the same conditions only the first written counts.
    session.table(
        "table_keys",
        "SELECT card, mask, product, family, region, level, min(row_no) AS row_no FROM table_rows "
        "GROUP BY card, mask, product, family, region, level",
    )


def _table_rows(card: Card) -> list[dict[str, object]]:
    return [
        {
            "card": card.number, "row_no": index, "mask": mask_of(row.product, row.family, row.region, row.level),
            "product": row.product, "family": row.family, "region": row.region, "level": row.level,
            "rate": row.rate or _ZERO, "per_unit": row.per_unit or _ZERO, "quantity_max": row.quantity_max,
        }
        for index, row in enumerate(card.table)
    ]  # fmt: skip


def _card_terms(book: Book, card: Card) -> dict[str, object]:
    edition = book.editions[card.version]
    terms, schedule = edition.terms, edition.terms.schedule
    boosts = len(schedule.boosts) if schedule.boost_rule == "multiply" else 1
    package, goods, free = schedule.package, schedule.free_goods, schedule.free
    return {
        "card": card.number, "edition": edition.number, "program": edition.program, "mode": MODES.index(schedule.mode),
        "negative": NEGATIVES.index(terms.limits.negative), "tiered": bool(card.tiers), "tabled": bool(card.table),
        "special": any(each.down_to is not None or each.down_by is not None or each.margin_to is not None for each in card.tiers),
        "on_growth": terms.pays_on == "growth" and schedule.mode in {"retroactive", "total"},
        "measure_max": terms.limits.measure.max, "payout_max": terms.limits.payout.per_scope,
        "line_floor": terms.limits.line.floor, "line_cap": terms.limits.line.cap, "fixed": schedule.fixed,
        "free_lines": free.lines if free else None, "free_amount": free.amount if free else None,
        "boost_unit": Decimal(10 ** (boost_digits(edition) * boosts)),
        "package_of": package.of if package else None, "package_pays": package.pays if package else None,
        "package_free": package.free if package else None, "package_started": package is not None and package.count == "started",
        "goods_buy": goods.buy if goods else None, "goods_get": goods.get if goods else None,
        "decimals": book.decimals(edition.number),
    }  # fmt: skip
