"""What the schedule pays, as sentences."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from headrace.engine.currencies import is_money
from headrace.engine.terms.checking import base_word, is_money_word
from headrace.engine.terms.model import Terms
from headrace.engine.terms.pricing import TableRow, Tier
from headrace.engine.terms.sentences import Condition, Parameter, Percent, Quantity, Sentence, Term
from headrace.engine.terms.wording_units import in_unit_of, measured, money_of, paid


def schedule_sentences(terms: Terms) -> Iterator[Sentence]:
    """Say what is paid, and on what."""
    schedule = terms.schedule
    yield from _tiers(terms, schedule.tiers)
    yield from _table(terms, schedule.table)
    yield from _shared(terms)
    for change in schedule.changes:
        yield Sentence("changes_on", {"day": change.on})
        yield from _tiers(terms, change.tiers)
        yield from _table(terms, change.table)
    if schedule.fixed is not None:
        yield Sentence("fixed", {"amount": paid(terms, schedule.fixed)})
    if free := schedule.free:
        told: dict[str, Parameter] = {}
        if free.lines is not None:
            told["lines"] = free.lines
        if free.amount is not None:
            told["amount"] = in_unit_of(terms, base_word(terms), free.amount)
        yield Sentence("free_both" if len(told) == 2 else f"free_{next(iter(told), 'lines')}", {"lines": 0, **told})
    for boost in schedule.boosts:
        told = {"rule": Condition(boost.when), "factor": boost.factor}
        yield Sentence("boost_named", {**told, "name": boost.name}) if boost.name else Sentence("boost", told)
    if len(schedule.boosts) > 1:
        yield Sentence("boosts_multiply" if schedule.boost_rule == "multiply" else "boosts_highest")


def _tiers(terms: Terms, tiers: Sequence[Tier]) -> Iterator[Sentence]:
    if not tiers:
        return
    plain_edge = terms.measure.growth is None and terms.measure.target is None
    if len(tiers) == 1 and tiers[0].from_ == 0 and not tiers[0].name and plain_edge:
        yield Sentence("flat", {"pays": _pays(terms, tiers[0])})
        return
    yield Sentence("mode", {"mode": Term("mode", terms.schedule.mode)})
    for tier in tiers:
        told: dict[str, Parameter] = {"edge": _edge(terms, tier), "pays": _pays(terms, tier)}
        yield Sentence("tier_named", {**told, "name": tier.name}) if tier.name else Sentence("tier", told)


def _edge(terms: Terms, tier: Tier) -> Sentence:
    value = tier.from_ if tier.from_ is not None else tier.above
    code = "edge_above" if tier.from_ is None else "edge_from"
    return Sentence(code, {"edge": _edge_value(terms, value if value is not None else Decimal(0))})


def _edge_value(terms: Terms, value: Decimal) -> Parameter:
    if growth := terms.measure.growth:
        if growth.as_ == "multiple":
            return Sentence("edge_of_baseline", {"share": Percent(value)})
        if growth.as_ == "percent":
            return Sentence("edge_over_baseline", {"share": Percent(value / 100)})
        return Sentence("edge_amount_over_baseline", {"edge": measured(terms, value)})
    if target := terms.measure.target:
        if target.as_ != "amount":
            return Sentence("edge_of_target", {"share": Percent(value if target.as_ == "multiple" else value / 100)})
        return Sentence("edge_amount_over_target", {"edge": measured(terms, value)})
    return measured(terms, value)


def _pays(terms: Terms, tier: Tier) -> Parameter:
    parts = _rates(terms, tier.rate, tier.per_unit)
    cost = Term("cost_basis", terms.schedule.cost_basis)
    if tier.down_to is not None:
        parts.append(Sentence("pays_down_to", {"cost": cost, "price": paid(terms, tier.down_to)}))
    if tier.down_by is not None:
        parts.append(Sentence("pays_down_by", {"amount": paid(terms, tier.down_by)}))
    if tier.margin_to is not None:
        parts.append(Sentence("pays_margin_to", {"cost": cost, "rate": Percent(tier.margin_to)}))
    if tier.bonus:
        parts.append(Sentence("pays_bonus", {"amount": paid(terms, tier.bonus)}))
    return parts or Sentence("pays_nothing")


def _rates(terms: Terms, rate: Decimal | None, per_unit: Decimal | None) -> list[Sentence]:
    parts: list[Sentence] = []
    word = base_word(terms)
    money = is_money_word(word) or word == "growth"
    if rate and is_money(terms.currency) and money:
        parts.append(Sentence("pays_rate", {"rate": Percent(rate), "base": Term("base", word)}))
    elif rate:
        unit = money_of(terms) if money else None
        base: Parameter = (
            Sentence("pays_base_unit", {"unit": unit, "base": Term("base", word)}) if unit else Term("base", word)
        )
        parts.append(Sentence("pays_points", {"rate": Quantity(rate, terms.currency), "base": base}))
    if per_unit:
        counted = terms.measure.of if terms.measure.of.startswith(("count", "distinct")) else terms.pays_on or ""
        unit_word = "counted" if counted.startswith(("count", "distinct")) else "unit"
        parts.append(
            Sentence("pays_per_unit", {"amount": paid(terms, per_unit), "unit": Term("unit_of_pay", unit_word)})
        )
    return parts


def _table(terms: Terms, rows: Sequence[TableRow]) -> Iterator[Sentence]:
    if rows:
        yield Sentence("table", {"base": Term("base", base_word(terms))})
    for row in rows:
        conditions: list[Parameter] = [
            Sentence(f"row_{key}", {"value": value})
            for key in ("product", "family", "region", "level")
            if (value := getattr(row, key)) is not None
        ]
        told: dict[str, Parameter] = {
            "what": conditions or Sentence("row_any"),
            "pays": _rates(terms, row.rate, row.per_unit) or Sentence("pays_nothing"),
        }
        if row.quantity_max is not None:
            yield Sentence("row_max", {**told, "most": Quantity(row.quantity_max, "units")})
        else:
            yield Sentence("row", told)


def _shared(terms: Terms) -> Iterator[Sentence]:
    schedule = terms.schedule
    money = is_money_word(terms.measure.of)
    if package := schedule.package:
        size = measured(terms, package.of)
        told: dict[str, Parameter] = {
            "pays": paid(terms, package.pays),
            "count": Term("count", package.count),
            "size": Sentence("pays_base_unit", {"unit": size, "base": Term("base", terms.measure.of)})
            if money
            else size,
        }
        if package.free:
            yield Sentence("package_free", {**told, "free": measured(terms, package.free)})
        else:
            yield Sentence("package", told)
    if goods := schedule.free_goods:
        told = {"units": Quantity(goods.get, "units"), "size": measured(terms, goods.buy)}
        if goods.product:
            yield Sentence("free_goods_product", {**told, "product": goods.product})
        else:
            yield Sentence("free_goods", told)
    if change := schedule.price_change:
        if change.from_ is not None and change.to is not None:
            prices = {"before": paid(terms, change.from_), "after": paid(terms, change.to)}
            fall = paid(terms, change.from_ - change.to)
            yield Sentence("price_change_prices", {"drop": fall, "day": change.effective, **prices})
        elif change.drop is not None:
            yield Sentence("price_change", {"drop": paid(terms, change.drop), "day": change.effective})
