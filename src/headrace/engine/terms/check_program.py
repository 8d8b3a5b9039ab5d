"""Do the keys around the schedule agree: dates, parties, measure, currency, limits, settling, accrual and inputs?"""

from collections.abc import Iterator
from decimal import Decimal
from difflib import get_close_matches

from headrace.engine.currencies import MINOR_UNITS, is_money, minor_unit
from headrace.engine.terms.check_pricing import all_tiers, edge_of
from headrace.engine.terms.checking import Checked, base_word, is_money_word, plain, said
from headrace.engine.terms.faults import hint
from headrace.engine.terms.measuring import Growth, Target
from headrace.engine.terms.messages import Path

_LENGTHS = ("week", "month", "quarter", "half", "year", "program")


def check_dates(checked: Checked) -> None:
    """Check that dates are plausible and in order."""
    terms = checked.terms
    checked.span(("valid",), terms.valid.from_, terms.valid.until)
    checked.plausible(("measure", "anchor"), terms.measure.anchor)
    if terms.measure.growth:
        checked.plausible(("measure", "growth", "frozen_on"), terms.measure.growth.frozen_on)


def check_parties(checked: Checked) -> None:
    """Check who is measured and paid, and which lines count."""
    terms = checked.terms
    if len(terms.stage) > 1 and "internal" not in terms.model_fields_set:
        checked.add(("stage",), "stages_two")
    for key in ("stage", "kinds"):
        _unique(checked, (key,), getattr(terms, key))
    for sold, back in (("sale", "return"), ("purchase", "purchase_return")):
        if sold in terms.kinds and back not in terms.kinds:
            checked.warn(("kinds",), "returns_ignored")
    if terms.earner == "rep":
        checked.refuse_said((), terms, ["paid_to"], "a sales rep has no parent, group or distributor")
    enrolled = terms.enrolled or any(row.enrolled_from for row in terms.inputs)
    if not enrolled:
        why = "nobody is enrolled; write `enrolled: true` or `inputs` with enrolled_from"
        checked.refuse_said((), terms, ["counts_from"], why)
        if terms.facts_as_of == "enrolment":
            checked.add(("facts_as_of",), "does_not_apply", key="facts_as_of: enrolment", why=why)
    if not terms.enrolled:
        checked.refuse_said((), terms, ["accepted"], "nobody is enrolled; write `enrolled: true`")
    if terms.enrolled and not any(row.enrolled_from for row in terms.inputs):
        checked.warn(("enrolled",), "nobody_enrolled")


def check_measure(checked: Checked) -> None:
    """Check what is measured, over which periods and against what."""
    terms, measure = checked.terms, checked.terms.measure
    here: Path = ("measure",)
    _unique(checked, (*here, "per"), measure.per)
    _unique(checked, (*here, "minus"), measure.minus)
    for position, word in enumerate(measure.minus):
        if _unit(word) != _unit(measure.of):
            units = {"minus_unit": _unit(word), "of_unit": _unit(measure.of)}
            checked.add((*here, "minus", position), "unit_mix", minus=word, of=measure.of, **units)
        elif word == measure.of:
            checked.add((*here, "minus", position), "word_twice", word=word)
    if measure.calendar == "fiscal":
        checked.refuse_said(here, measure, ["anchor"], "fiscal periods come from the calendar table")
        if measure.every in {"week", "program"}:
            why = "the calendar table has months, quarters, halves and years"
            checked.add((*here, "every"), "does_not_apply", key=f"measure.every: {measure.every}", why=why)
    if measure.every == "program":
        checked.refuse_said(here, measure, ["anchor"], "a program has one period, that of its dates")
    _growth(checked)
    if measure.target:
        checked.require_positive((*here, "target", "value"), measure.target.value)
    if terms.pays_on == "growth":
        if measure.growth is None:
            checked.add(("pays_on",), "does_not_apply", key="pays_on: growth", why="`measure` has no growth")
        elif terms.schedule.mode in {"rolling", "total"}:
            why = f"growth is paid incremental or retroactive, and the mode is {terms.schedule.mode}"
            checked.add(("pays_on",), "does_not_apply", key="pays_on: growth", why=why)
    if terms.pays_on == "on_hand":
        checked.add(("pays_on",), "does_not_apply", key="pays_on: on_hand", why="a line has no units on hand")


def _growth(checked: Checked) -> None:
    measure, here = checked.terms.measure, ("measure", "growth")
    if measure.growth and measure.target:
        why = "the edges are read against the target; keep one of the two"
        checked.add(here, "does_not_apply", key="measure.growth", why=why)
    if growth := measure.growth:
        if growth.baseline == "entered":
            checked.refuse_said(here, growth, ["frozen_on"], "an entered baseline is not counted from lines")
        if growth.baseline == "previous_period" and measure.every == "program":
            why = "a program has one period, so none before it; use previous_year or entered"
            checked.add((*here, "baseline"), "does_not_apply", key="measure.growth.baseline: previous_period", why=why)
        valid = checked.terms.valid
        if growth.baseline == "previous_year" and measure.every == "program" and None in (valid.from_, valid.until):
            why = "the program's dates are open, so there are none a year earlier; give `valid` both"
            checked.add((*here, "baseline"), "does_not_apply", key="measure.growth.baseline: previous_year", why=why)
        if growth.no_baseline == "zero" and growth.as_ == "multiple":
            checked.warn((*here, "no_baseline"), "no_baseline_zero_multiple")
    for relative, what in ((measure.growth, "baseline"), (measure.target, "target")):
        if relative is not None:
            _plausible_edges(checked, relative, what)


def _plausible_edges(checked: Checked, relative: Growth | Target, what: str) -> None:
    """Warn where every edge of a tier list reads like the other way of writing it."""
    fractions_until = Decimal(1) if what == "baseline" else Decimal(2)
    for path, tiers in all_tiers(checked.terms.schedule):
        edges = [edge for tier in tiers if (edge := edge_of(tier)) is not None and edge != 0]
        if not edges:
            continue
        edge = edges[0]
        if relative.as_ == "percent" and max(abs(each) for each in edges) < fractions_until:
            right = plain(edge * 100)
            checked.warn(path, "edges_look_like_fraction", edge=plain(edge), right=right)
        if relative.as_ == "multiple" and max(edges) >= 10:
            told = {"edge": plain(max(edges)), "what": what, "right": plain(max(edges) / 100)}
            checked.warn(path, "edges_look_like_percent", **told)
        elif relative.as_ == "multiple" and what == "baseline" and max(edges) < Decimal("0.5"):
            told = {"edge": plain(edge), "percent": plain(edge * 100), "right": plain(edge + 1)}
            checked.warn(path, "edges_look_like_growth", **told)


def check_currency(checked: Checked) -> None:
    """Check what is paid in and in which money amounts are read."""
    terms = checked.terms
    iso = is_money(terms.currency)
    own = terms.settle.as_ in {"points", "free_goods"}
    if not iso and not own:
        checked.add(("currency",), "currency_unknown", given=terms.currency, hint=_near_currency(terms.currency))
    if iso and terms.settle.as_ == "points":
        checked.add(("currency",), "points_currency", currency=terms.currency)
    if iso:
        checked.refuse_said((), terms, ["money"], f"amounts are read in {terms.currency}, which is money already")
    if terms.money and not is_money(terms.money):
        checked.add(("money",), "money_not_iso", given=terms.money, hint=_near_currency(terms.money))
    if not iso and own and terms.money is None and _reads_money(checked):
        checked.add(("currency",), "money_needed", currency=terms.currency)
    goods = terms.schedule.free_goods is not None
    if goods != (terms.settle.as_ == "free_goods"):
        why = "free goods are settled as free goods, and nothing else is"
        checked.add(("settle", "as"), "does_not_apply", key=f"settle.as: {terms.settle.as_}", why=why)
    decimals = terms.rounding.decimals
    if decimals is not None and iso and decimals > minor_unit(terms.currency):
        told = {"currency": terms.currency, "minor": minor_unit(terms.currency), "decimals": decimals}
        checked.add(("rounding", "decimals"), "decimals_past_currency", **told)


def _reads_money(checked: Checked) -> bool:
    terms = checked.terms
    words = [terms.measure.of, *terms.measure.minus]
    rated = any(tier.rate for _, tiers in all_tiers(terms.schedule) for tier in tiers)
    rated = rated or any(row.rate for row in terms.schedule.table)
    if rated or terms.schedule.free:
        words.append(base_word(terms))
    return any(is_money_word(word) for word in words)


def check_limits(checked: Checked) -> None:
    """Check limits against each other and the schedule."""
    terms, limits = checked.terms, checked.terms.limits
    here: Path = ("limits",)
    for key in ("floor", "cap"):
        checked.refuse_negative((*here, "line", key), getattr(limits.line, key), "it is mirrored for returns")
    if limits.line.floor is not None and limits.line.cap is not None and limits.line.floor > limits.line.cap:
        told = {"floor": plain(limits.line.floor), "cap": plain(limits.line.cap)}
        checked.add((*here, "line", "floor"), "floor_past_cap", **told)
    checked.require_positive((*here, "measure", "max"), limits.measure.max)
    if limits.measure.max is not None and not (terms.measure.growth or terms.measure.target):
        for path, tiers in all_tiers(terms.schedule):
            for position, tier in enumerate(tiers):
                edge = edge_of(tier)
                reach = edge is None or limits.measure.max > edge or (limits.measure.max == edge and tier.above is None)
                if not reach and edge is not None:
                    told = {"most": plain(limits.measure.max), "edge": plain(edge)}
                    checked.warn((*path, position), "tier_unreachable", **told)
    for key in ("per_scope", "program"):
        checked.require_positive((*here, "payout", key), getattr(limits.payout, key))
    if limits.minimum:
        checked.require_positive((*here, "minimum", "amount"), limits.minimum.amount)
    if guarantee := limits.guarantee:
        checked.require_positive((*here, "guarantee", "amount"), guarantee.amount)
        cap = limits.payout.per_scope
        if cap is not None and guarantee.amount > cap:
            told = {"guarantee": plain(guarantee.amount), "cap": plain(cap)}
            checked.warn((*here, "guarantee", "amount"), "guarantee_past_cap", **told)
    if terms.combine and terms.combine.rule != "cascade":
        why = f"only a cascade reduces others, and the rule is {terms.combine.rule}"
        checked.refuse_said(("combine",), terms.combine, ["reduces_others", "reduced_by_others"], why)
    if terms.combine and terms.combine.rule == "independent":
        checked.refuse_said(("combine",), terms.combine, ["order"], "independent programs have no order")


def check_settling(checked: Checked) -> None:
    """Check settlement and accrual."""
    terms, settle, accrue = checked.terms, checked.terms.settle, checked.terms.accrue
    if settle.every and _LENGTHS.index(settle.every) > _LENGTHS.index(terms.measure.every):
        told = {"every": settle.every, "measure": terms.measure.every}
        checked.add(("settle", "every"), "interim_not_shorter", **told)
    checked.refuse_negative(("settle", "tolerance"), settle.tolerance, "leave it out where there is none")
    if settle.claim != "by_partner":
        checked.refuse_said(("settle",), settle, ["tolerance"], "nothing is claimed, so nothing differs from the claim")
    names = [tier.name for _, tiers in all_tiers(terms.schedule) for tier in tiers if tier.name]
    if accrue.at not in {"achieved", "forecast", *names}:
        near = hint(accrue.at, ["achieved", "forecast", *names])
        checked.add(("accrue", "at"), "tier_name_unknown", given=accrue.at, hint=near)
    if accrue.at != "forecast":
        checked.refuse_said(("accrue",), accrue, ["forecast"], "only `at: forecast` foresees anything")
    if accrue.lump_sum is None:
        checked.refuse_said(("accrue",), accrue, ["spread"], "only a lump sum is spread")
    checked.refuse_negative(("accrue", "lump_sum"), accrue.lump_sum, "a provision is not below zero")
    if accrue.basis == "sell_in" and "sell_in" in terms.stage:
        why = "the program counts sell-in already, so no stock is left to provide for"
        checked.add(("accrue", "basis"), "does_not_apply", key="accrue.basis: sell_in", why=why)


def check_inputs(checked: Checked) -> None:
    """Check the governed inputs against what the program can use, and against each other."""
    terms = checked.terms
    words = [word for word in terms.measure.per if word != "earner"]
    for position, row in enumerate(terms.inputs):
        here = ("inputs", position)
        checked.span(here, row.from_, row.until)
        checked.plausible((*here, "enrolled_from"), row.enrolled_from)
        checked.plausible((*here, "enrolled_until"), row.enrolled_until)
        if row.enrolled_from and row.enrolled_until and row.enrolled_from >= row.enrolled_until:
            told = {"from_": row.enrolled_from.isoformat(), "until": row.enrolled_until.isoformat()}
            checked.add((*here, "enrolled_until"), "dates_out_of_order", **told)
        if not any(said(row, key) for key in _INPUT_VALUES):
            checked.add(here, "input_empty")
        for word in row.scope:
            if word not in words:
                allowed = ", ".join(words) or "no word beside earner"
                checked.add((*here, "scope", word), "input_scope_word", word=word, allowed=allowed)
        _input_values(checked, here, position)
    _inputs_twice(checked)


_INPUT_VALUES = ("target", "baseline", "rate", "cap", "enrolled_from", "enrolled_until")


def _input_values(checked: Checked, here: Path, position: int) -> None:
    terms, row = checked.terms, checked.terms.inputs[position]
    growth = terms.measure.growth
    if terms.measure.target is None:
        checked.refuse_said(here, row, ["target"], "`measure` has no target")
    if growth is None or growth.baseline != "entered":
        checked.refuse_said(here, row, ["baseline"], "only `measure.growth.baseline: entered` reads it")
    rated = any(tier.rate for _, tiers in all_tiers(terms.schedule) for tier in tiers)
    if not rated and not any(line.rate for line in terms.schedule.table):
        checked.refuse_said(here, row, ["rate"], "the schedule has no rate that it could stand for")
    checked.require_positive((*here, "target"), row.target)
    checked.refuse_negative((*here, "baseline"), row.baseline, "leave it out where there is none")
    checked.refuse_negative((*here, "cap"), row.cap, "a cap of 0 pays nothing")
    checked.refuse_negative((*here, "rate"), row.rate, "a program pays, it does not charge")
    word = base_word(terms)
    if row.rate is not None and row.rate > 1 and is_money(terms.currency) and (word == "growth" or is_money_word(word)):
        told = {"given": plain(row.rate), "percent": plain(row.rate * 100), "right": plain(row.rate / 100)}
        checked.add((*here, "rate"), "rate_looks_like_percent", **told)


def _inputs_twice(checked: Checked) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for position, row in enumerate(checked.terms.inputs):
        for what in _INPUT_VALUES:
            if getattr(row, what) is None:
                continue
            key = (what, row.earner, tuple(sorted(row.scope.items())), row.from_, row.until)
            if key in seen:
                checked.add(("inputs", position), "input_twice", what=what, first=seen[key] + 1)
                break
            seen[key] = position


def _unique(checked: Checked, path: Path, words: tuple[str, ...]) -> None:
    for position, word in _repeated(words):
        checked.add((*path, position), "word_twice", word=word)


def _repeated(words: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    return ((position, word) for position, word in enumerate(words) if word in words[:position])


def _unit(word: str) -> str:
    if is_money_word(word):
        return "money"
    return "units" if word in {"quantity", "on_hand"} else "a count"


def _near_currency(given: str) -> str:
    # A slip swaps letters or misses one; among equally near codes the common ones come first.
    common = ["USD", "EUR", "GBP", "JPY", "CHF", "CNY", "CAD", "AUD"]
    swapped = [code for code in [*common, *MINOR_UNITS] if sorted(code) == sorted(given)]
    near = swapped or get_close_matches(given, [*common, *MINOR_UNITS], n=1, cutoff=0.6)
    return f" (did you mean `{near[0]}`?)" if near else ""
