"""Does the schedule say what it pays, once, in an order that holds, and only with keys that apply?"""

from collections.abc import Sequence
from decimal import Decimal

from headrace.engine.currencies import is_money
from headrace.engine.terms.checking import Checked, base_word, is_money_word, plain, said, within
from headrace.engine.terms.messages import Path
from headrace.engine.terms.pricing import Schedule, TableRow, Tier

PRICINGS = ("tiers", "table", "package", "free_goods", "price_change")
SPECIAL = ("down_to", "down_by", "margin_to")
_SHARED_WHY = "{pricing} gives one amount for the whole scope, not a share of each line"
_HERE: Path = ("schedule",)


def pricing_of(schedule: Schedule) -> str | None:
    """Name the key that says what is paid; null where none or several do."""
    given = [key for key in PRICINGS if getattr(schedule, key) not in (None, ())]
    return given[0] if len(given) == 1 else None


def check_schedule(checked: Checked) -> None:
    """Check the schedule's keys against each other."""
    schedule = checked.terms.schedule
    given = [key for key in (*PRICINGS, "table_file") if getattr(schedule, key) not in (None, ())]
    if not given:
        checked.add(_HERE, "pricing_missing")
    elif len(given) > 1:
        checked.add((*_HERE, given[1]), "pricing_twice", given=" and ".join(given))
    _tiers(checked, (*_HERE, "tiers"), schedule.tiers)
    _table(checked, (*_HERE, "table"), schedule.table)
    _shared_amounts(checked)
    _changes(checked)
    if len(given) == 1:
        _apart(checked, given[0])
    _free(checked)
    _boosts(checked)
    _cost_basis(checked)
    checked.refuse_negative(
        (*_HERE, "fixed"), schedule.fixed, "a part that is taken off each line belongs into the rates"
    )


def all_tiers(schedule: Schedule) -> list[tuple[Path, tuple[Tier, ...]]]:
    """Give the tiers of the schedule and of its changes, with their paths."""
    changed = [((*_HERE, "changes", i, "tiers"), change.tiers) for i, change in enumerate(schedule.changes)]
    return [((*_HERE, "tiers"), schedule.tiers), *changed]


def _tiers(checked: Checked, path: Path, tiers: Sequence[Tier]) -> None:
    previous: Tier | None = None
    for position, tier in enumerate(tiers):
        here = (*path, position)
        _edge(checked, here, tier, previous)
        _tier_pays(checked, here, tier)
        previous = tier if tier.from_ is not None or tier.above is not None else previous
    names = [tier.name for tier in tiers if tier.name]
    for position, tier in enumerate(tiers):
        if tier.name and names.count(tier.name) > 1 and tier.name in [t.name for t in tiers[:position]]:
            checked.add((*path, position, "name"), "tier_name_twice", name=tier.name)


def edge_of(tier: Tier) -> Decimal | None:
    """Give the tier's lower edge, whichever way it is written."""
    return tier.from_ if tier.from_ is not None else tier.above


def _edge(checked: Checked, path: Path, tier: Tier, previous: Tier | None) -> None:
    edge = edge_of(tier)
    if edge is None:
        checked.add(path, "tier_edge_missing")
        return
    if tier.from_ is not None and tier.above is not None:
        checked.add((*path, "above"), "tier_edge_twice", from_=plain(tier.from_), above=plain(tier.above))
        return
    measure = checked.terms.measure
    relative = measure.growth or measure.target
    key = "from" if tier.from_ is not None else "above"
    if edge < 0 and (relative is None or relative.as_ == "multiple"):
        checked.add((*path, key), "tier_edge_negative", edge=plain(edge))
    before = edge_of(previous) if previous else None
    if previous is None or before is None:
        return
    just_past = edge == before and tier.above is not None and previous.above is None
    if edge < before or (edge == before and not just_past):
        checked.add((*path, key), "tier_edge_order", edge=plain(edge), previous=plain(before))


def _tier_pays(checked: Checked, path: Path, tier: Tier) -> None:
    rates = [key for key in ("rate", "per_unit") if getattr(tier, key) is not None]
    special = [key for key in SPECIAL if getattr(tier, key) is not None]
    if not rates and not special and tier.bonus is None:
        checked.add(path, "tier_pays_nothing_said")
    if len(special) > 1 or (special and rates):
        checked.add((*path, special[0]), "tier_parts_exclude", given=" and ".join([*rates, *special]))
    _rate(checked, (*path, "rate"), tier.rate)
    for key in ("per_unit", "bonus", "down_to", "down_by"):
        checked.refuse_negative((*path, key), getattr(tier, key), "a program pays, it does not charge")
    if tier.margin_to is not None:
        checked.refuse_negative((*path, "margin_to"), tier.margin_to, "a margin lies between 0 and 1")
        if tier.margin_to >= 1:
            checked.add((*path, "margin_to"), "margin_past_one", given=plain(tier.margin_to))


def _rate(checked: Checked, path: Path, rate: Decimal | None) -> None:
    if rate is None:
        return
    checked.refuse_negative(path, rate, "a program pays, it does not charge; what is taken back comes from returns")
    word = base_word(checked.terms)
    if rate > 1 and is_money(checked.terms.currency) and (word == "growth" or is_money_word(word)):
        shown = {"given": plain(rate), "percent": plain(rate * 100)}
        if rate <= 100 and rate != rate.to_integral_value() and rate < 2:
            checked.add(path, "rate_past_base", **shown)
        elif rate <= 100:
            checked.add(path, "rate_looks_like_percent", **shown, right=plain(rate / 100))
        else:
            checked.add(path, "rate_past_base", **shown)


def _table(checked: Checked, path: Path, rows: Sequence[TableRow]) -> None:
    seen: dict[tuple[str | None, ...], int] = {}
    for position, row in enumerate(rows):
        here = (*path, position)
        if row.rate is None and row.per_unit is None:
            checked.add(here, "row_pays_nothing_said")
        _rate(checked, (*here, "rate"), row.rate)
        checked.refuse_negative((*here, "per_unit"), row.per_unit, "a program pays, it does not charge")
        checked.require_positive((*here, "quantity_max"), row.quantity_max)
        conditions = (row.product, row.family, row.region, row.level)
        if conditions in seen:
            checked.add(here, "row_twice", first=seen[conditions] + 1)
        seen.setdefault(conditions, position)


def _shared_amounts(checked: Checked) -> None:
    schedule = checked.terms.schedule
    if package := schedule.package:
        checked.require_positive((*_HERE, "package", "of"), package.of)
        checked.refuse_negative((*_HERE, "package", "pays"), package.pays, "a program pays, it does not charge")
        checked.refuse_negative((*_HERE, "package", "free"), package.free, "leave it out where nothing comes first")
    if goods := schedule.free_goods:
        checked.require_positive((*_HERE, "free_goods", "buy"), goods.buy)
        checked.require_positive((*_HERE, "free_goods", "get"), goods.get)
    if change := schedule.price_change:
        here = (*_HERE, "price_change")
        checked.plausible((*here, "effective"), change.effective)
        by_drop = change.drop is not None and change.from_ is None and change.to is None
        by_prices = change.drop is None and change.from_ is not None and change.to is not None
        if not (by_drop or by_prices):
            checked.add(here, "price_change_parts")
        if change.from_ is not None and change.to is not None and change.to >= change.from_:
            checked.add((*here, "to"), "price_change_rises", from_=plain(change.from_), to=plain(change.to))
        checked.require_positive((*here, "drop"), change.drop)
        checked.refuse_negative((*here, "to"), change.to, "a price is not below zero")
        if change.effective and not within(checked.terms.valid, change.effective):
            checked.add(
                (*here, "effective"), "changes_outside_validity", on=change.effective.isoformat(), valid=_valid(checked)
            )


def _changes(checked: Checked) -> None:
    schedule = checked.terms.schedule
    previous = None
    for position, change in enumerate(schedule.changes):
        here = (*_HERE, "changes", position)
        checked.plausible((*here, "on"), change.on)
        if previous is not None and change.on <= previous:
            checked.add((*here, "on"), "changes_out_of_order", on=change.on.isoformat(), previous=previous.isoformat())
        if not within(checked.terms.valid, change.on):
            checked.add((*here, "on"), "changes_outside_validity", on=change.on.isoformat(), valid=_valid(checked))
        previous = change.on
        needed = "tiers" if schedule.tiers else "table"
        other = "table" if needed == "tiers" else "tiers"
        if not getattr(change, needed) or getattr(change, other):
            checked.add(here, "changes_kind", needed=needed)
        _tiers(checked, (*here, "tiers"), change.tiers)
        _table(checked, (*here, "table"), change.table)


def _valid(checked: Checked) -> str:
    span = checked.terms.valid
    return f"{span.from_ or 'the beginning'} to before {span.until or 'the end'}"


def _apart(checked: Checked, pricing: str) -> None:
    """Refuse keys that the one way of pricing makes meaningless."""
    schedule, terms = checked.terms.schedule, checked.terms
    if pricing != "tiers":
        why = f"only tiers have it, and this schedule pays by {pricing}"
        checked.refuse_said(_HERE, schedule, ["mode"], why)
        checked.refuse_said(("measure",), terms.measure, ["growth", "target"], why)
        if terms.limits.prorate in {"edges", "both"}:
            checked.add(("limits", "prorate"), "does_not_apply", key=f"limits.prorate: {terms.limits.prorate}", why=why)
    if pricing in {"package", "free_goods", "price_change"}:
        why = _SHARED_WHY.format(pricing=pricing)
        checked.refuse_said(_HERE, schedule, ["boosts", "changes", "free"], why)
        checked.refuse_said(("limits", "line"), terms.limits.line, ["floor", "cap"], why)
    if pricing in {"free_goods", "price_change"}:
        checked.refuse_said(_HERE, schedule, ["fixed"], f"{pricing} does not pay by the line")
        checked.refuse_said((), terms, ["pays_on"], f"{pricing} has no base")
    if pricing == "package":
        checked.refuse_said((), terms, ["pays_on"], "a package pays by the measure alone")
    if pricing == "price_change":
        if said(terms.measure, "of") and terms.measure.of != "on_hand":
            checked.add(
                ("measure", "of"), "does_not_apply", key="measure.of", why="price protection counts units on hand"
            )
    elif terms.measure.of == "on_hand":
        checked.add(
            ("measure", "of"), "does_not_apply", key="measure.of: on_hand", why="only price_change pays on stock"
        )
    _negative(checked, pricing)


def _negative(checked: Checked, pricing: str) -> None:
    negative = checked.terms.limits.negative
    if negative == "zero":
        return
    key = f"limits.negative: {negative}"
    if pricing in {"package", "free_goods", "price_change"}:
        checked.add(("limits", "negative"), "does_not_apply", key=key, why=f"{pricing} gives nothing below zero")
    elif pricing == "tiers" and edge_of(checked.terms.schedule.tiers[0]) != 0:
        checked.warn(("limits", "negative"), "negative_unreached", key=key)


def _free(checked: Checked) -> None:
    free = checked.terms.schedule.free
    if free is None:
        return
    if free.lines is None and free.amount is None:
        checked.add((*_HERE, "free"), "free_empty")
    checked.require_positive((*_HERE, "free", "amount"), free.amount)


def _boosts(checked: Checked) -> None:
    schedule = checked.terms.schedule
    for position, boost in enumerate(schedule.boosts):
        checked.require_positive((*_HERE, "boosts", position, "factor"), boost.factor)
    if not schedule.boosts:
        checked.refuse_said(_HERE, schedule, ["boost_rule"], "there are no boosts")
    elif schedule.tiers and not any(_by_line(tier) for _, tiers in all_tiers(schedule) for tier in tiers):
        checked.refuse_said(_HERE, schedule, ["boosts"], "the tiers pay bonuses only, and boosts do not multiply these")


def _by_line(tier: Tier) -> bool:
    return any(getattr(tier, key) is not None for key in ("rate", "per_unit", *SPECIAL))


def _cost_basis(checked: Checked) -> None:
    tiers = [tier for _, tiers in all_tiers(checked.terms.schedule) for tier in tiers]
    if not any(tier.down_to is not None or tier.margin_to is not None for tier in tiers):
        checked.refuse_said(
            _HERE, checked.terms.schedule, ["cost_basis"], "only down_to and margin_to have a cost basis"
        )
