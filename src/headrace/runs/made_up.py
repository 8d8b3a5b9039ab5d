"""Made-up sales for a payout curve: what a payee must have sold, in history's proportions, to come to a given measure.

A curve needs lines that measure exactly what its points say. Where the program measures one thing and pays on another (units
decide, value is paid), the other is the measure times history's average. What a program does to a payee's facts (rules, groups,
enrolment, other programs on the same line) does not take part: the curve is that of a payee whose every line counts, in one
whole period.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine.numeric import is_money
from headrace.engine.schema import LINE, Lines, Tables
from headrace.engine.terms.model import Growth, Input, Measure, Span, Terms
from headrace.runs.tallies import rounded

LINES_MAX = 2_000
_COLUMNS = {"amount": "amount", "gross": "gross_amount", "quantity": "quantity", "cost": "cost"}
_LENGTHS = ("week", "month", "quarter", "half", "year", "program")
_PRODUCT = "CURVE"

# Why a program has no payout curve.
WHY_NOT = {
    "price_change": "What is paid depends on the stock on hand when the price falls, not on sales.",
    "table": "Each product has its own rate, so there is no one amount for a measure.",
    "special_price": "What is paid depends on the cost of each line, not on how much is sold.",
    "distinct": "The measure counts different things, not an amount that could rise evenly.",
    "on_hand": "The measure is stock on hand, not sales.",
    "price_list_units": "Units per value of the price list differ by product.",
    "mixed_measure": "The measure takes off values that history's averages cannot stand for.",
    "count_base": "What is paid counts lines while the measure adds up something else.",
    "returns_only": "Only returns count.",
    "no_history": "No line of history counts for this program, so there is no average to go by.",
    "no_baseline": "No baseline is known in the history, so the edges stand nowhere.",
    "no_target": "No target is known, so the edges stand nowhere.",
    "too_many_lines": f"The tiers lie beyond {LINES_MAX:,} lines a payee.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What one curve is drawn of: one version's prices from one day on. from_: null where they hold from its start."""

    terms: Terms
    from_: date | None = None

    @property
    def per_line(self) -> bool:
        """Tell whether it matters in how many lines the measure comes."""
        schedule, line = self.terms.schedule, self.terms.limits.line
        free_lines = schedule.free is not None and schedule.free.lines is not None
        limited = line.floor is not None or line.cap is not None
        return self.terms.measure.of == "count" or schedule.fixed is not None or limited or free_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Averages:
    """What history says of one program. values: by word, its sum for each unit of the measure. line: the measure of a line.

    against: the median of its baselines or targets, null where it has none. measure_max: the largest of any statement.
    """

    values: Mapping[str, Fraction] = field(default_factory=dict)
    line: Fraction = Fraction(0)
    against: Decimal | None = None
    measure_max: Decimal = Decimal(0)


def cards_of(terms: Terms) -> list[Card]:
    """List the rate cards of a version: its schedule, and each later change of it."""
    schedule = terms.schedule
    cards = [Card(terms=terms.model_copy(update={"schedule": schedule.model_copy(update={"changes": ()})}))]
    for change in sorted(schedule.changes, key=lambda each: each.on):
        update = {"tiers": change.tiers, "table": change.table, "changes": ()}
        changed = terms.model_copy(update={"schedule": schedule.model_copy(update=update)})
        cards.append(Card(terms=changed, from_=change.on))
    return cards


def why_no_curve(card: Card) -> str | None:
    """Give the code (see WHY_NOT) of what in the terms leaves a curve without a meaning; null where it has one."""
    terms, schedule, of = card.terms, card.terms.schedule, card.terms.measure.of
    base = base_word(terms)
    reasons = {
        "price_change": schedule.price_change is not None,
        "table": bool(schedule.table or schedule.table_file),
        "special_price": any(
            value is not None for tier in schedule.tiers for value in (tier.down_to, tier.down_by, tier.margin_to)
        ),
        "distinct": of.startswith("distinct") or base.startswith("distinct"),
        "on_hand": "on_hand" in (of, base),
        "price_list_units": _price_list_units(terms),
        "mixed_measure": _mixed(terms.measure),
        "count_base": base == "count" and of != "count",
        "returns_only": _kind(terms) is None,
    }
    return next((code for code, applies in reasons.items() if applies), None)


def base_word(terms: Terms) -> str:
    """Give the word of the base: `pays_on`, else what the measure counts if that is money, else the amount."""
    if terms.pays_on is not None and terms.pays_on != "growth":
        return terms.pays_on
    of = terms.measure.of
    return of if of in {"amount", "gross", "margin", "cost"} or of.startswith("price_list.") else "amount"


def words_needed(terms: Terms) -> list[str]:
    """List the values that made-up lines take from history's averages."""
    of, words = terms.measure.of, set(terms.measure.minus)
    if _has_rates(terms):
        words.add(base_word(terms))
    if _has_units(terms) and of not in {"count", "quantity"}:
        words.add("quantity")
    if "margin" in words and of != "margin":
        words |= {"amount", "cost"}
    if of == "margin":
        words.add("cost")
        words.discard("amount")
    return sorted(word for word in words - {of} if word in _COLUMNS)


def curve_terms(card: Card, name: str, averages: Averages, payees: Sequence[str], day: date) -> Terms:
    """Give the terms under which made-up payees are priced: the card's, with everything that depends on facts left out."""
    terms = card.terms
    schedule = terms.schedule.model_copy(update={"boosts": ()})
    measure = terms.measure.model_copy(
        update={"per": ("earner",), "lines": None, "anchor": None, "calendar": "gregorian"}
        | _against(terms.measure, averages)
    )
    inputs: tuple[Input, ...] = ()
    if measure.growth is not None:
        inputs = tuple(Input(earner=payee, baseline=averages.against) for payee in payees)
    limits = terms.limits.model_copy(
        update={
            "prorate": None,
            "payout": terms.limits.payout.model_copy(update={"program": None}),
            "guarantee": None if _guarantee_is_longer(terms) else terms.limits.guarantee,
        }
    )
    return Terms(
        program=name,
        currency=terms.currency,
        money=terms.money,
        valid=Span(from_=day),
        stage=terms.stage,
        kinds=terms.kinds,
        lines=f"line.curve = '{name}'",
        measure=measure,
        pays_on=terms.pays_on,
        schedule=schedule,
        limits=limits,
        returns=terms.returns,
        rounding=terms.rounding.model_copy(update={"remainder": "adjust"}),
        inputs=inputs,
    )


def left_out(card: Card) -> list[str]:
    """Name the keys of the terms that the curve does not know of."""
    terms = card.terms
    absent = {
        "schedule.boosts": bool(terms.schedule.boosts),
        "limits.payout.program": terms.limits.payout.program is not None,
        "limits.prorate": terms.limits.prorate is not None,
        "limits.guarantee": _guarantee_is_longer(terms),
        "combine": terms.combine is not None and terms.combine.rule != "independent",
        "inputs": any(entry.rate is not None or entry.cap is not None for entry in terms.inputs),
    }
    return [key for key, applies in absent.items() if applies]


def made_up_rows(card: Card, name: str, averages: Averages, wanted: Mapping[str, Decimal], day: date) -> pa.Table:
    """Give the lines of made-up payees. wanted: by payee, the measure that the payee's lines come to, exactly."""
    columns: dict[str, list[object]] = {key: [] for key in _SCHEMA.names}
    for payee, measure in wanted.items():
        count = lines_for(card, averages, measure)
        before = _values(card.terms, averages, Decimal(0))
        for at in range(1, count + 1):
            upto = measure if at == count else rounded(Fraction(measure) * at / count)
            after = _values(card.terms, averages, upto)
            row: dict[str, object] = {
                "line_id": f"{payee}:{at:06}",
                "kind": _kind(card.terms),
                "stage": card.terms.stage[0],
                "occurred_on": day,
                "partner_id": payee,
                "product_id": _PRODUCT,
                "currency": card.terms.money or (card.terms.currency if is_money(card.terms.currency) else "USD"),
                "curve": name,
            }
            for column in _COLUMNS.values():
                row[column] = after[column] - before[column]
            before = after
            for key, value in row.items():
                columns[key].append(value)
    return pa.table({key: pa.array(values, _SCHEMA.field(key).type) for key, values in columns.items()})


def lines_for(card: Card, averages: Averages, measure: Decimal) -> int:
    """Give the number of lines in which a measure comes: one, unless the program looks at single lines."""
    if not card.per_line:
        return 1
    if card.terms.measure.of == "count":
        return max(1, int(measure))
    wanted = Fraction(measure) / averages.line if averages.line > 0 else Fraction(1)
    return min(LINES_MAX, max(1, int(wanted + Fraction(1, 2))))


def tables_of(rows: Sequence[pa.Table], cards: Sequence[Card], folder: Path) -> Tables:
    """Write made-up lines to a folder and give the tables that the engine reads."""
    path = folder / "made-up.parquet"
    made = pa.concat_tables(rows)
    pq.write_table(made, path)
    lists = sorted({word.partition(".")[2] for card in cards for word in _words(card.terms) if _is_list(word)})
    product = {"product_id": pa.array([_PRODUCT])} | {name: pa.array([Decimal(1)], LINE) for name in lists}
    columns = {field.name: field.type for field in made.schema}
    return Tables(lines=Lines(paths=(path,), columns=columns), references={"products": pa.table(product)})


_SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in ("line_id", "kind", "stage", "partner_id", "product_id", "currency", "curve")
        ),
        ("occurred_on", pa.date32()),
        *((column, LINE) for column in _COLUMNS.values()),
    ]
)


def _values(terms: Terms, averages: Averages, measure: Decimal) -> dict[str, Decimal]:
    """Give a line's columns at a measure."""
    of = terms.measure.of
    scale = Fraction(measure)
    values = {word: rounded(scale * averages.values.get(word, Fraction(0))) for word in _COLUMNS}
    taken_off = sum((values[word] for word in terms.measure.minus), Decimal(0))
    if of in _COLUMNS:
        values[of] = measure + taken_off
    elif of == "margin":
        values["amount"] = measure + values["cost"] + taken_off
    elif _is_list(of):
        values["quantity"] = measure + taken_off
    return {column: values[word] for word, column in _COLUMNS.items()}


def _against(measure: Measure, averages: Averages) -> dict[str, object]:
    if measure.growth is not None:
        entered: Growth = measure.growth.model_copy(update={"baseline": "entered", "frozen_on": None})
        return {"growth": entered}
    if measure.target is not None:
        return {"target": measure.target.model_copy(update={"value": averages.against})}
    return {}


def _mixed(measure: Measure) -> bool:
    minus = set(measure.minus)
    return bool(minus - set(_COLUMNS)) or measure.of in minus or (measure.of == "margin" and "amount" in minus)


def _words(terms: Terms) -> set[str]:
    return {terms.measure.of, base_word(terms)}


def _is_list(word: str) -> bool:
    return word.startswith("price_list.")


def _price_list_units(terms: Terms) -> bool:
    of, base = terms.measure.of, base_word(terms)
    priced_by_list = _has_rates(terms) and _is_list(base) and base != of
    return priced_by_list or (_is_list(of) and (_has_units(terms) or "quantity" in terms.measure.minus))


def _has_rates(terms: Terms) -> bool:
    free = terms.schedule.free is not None and terms.schedule.free.amount is not None
    return free or any(tier.rate is not None for tier in terms.schedule.tiers)


def _has_units(terms: Terms) -> bool:
    return any(tier.per_unit is not None for tier in terms.schedule.tiers)


def _kind(terms: Terms) -> str | None:
    sold = [kind for kind in terms.kinds if kind not in {"return", "purchase_return", "stock_count"}]
    return sold[0] if sold else None


def _guarantee_is_longer(terms: Terms) -> bool:
    guarantee = terms.limits.guarantee
    if guarantee is None or guarantee.every is None:
        return False
    return _LENGTHS.index(guarantee.every) > _LENGTHS.index(terms.measure.every)
