"""What a program says, as plain sentences for partners: everything that changes what they earn, nothing of the vendor's own.

The vendor's provision (`accrue`) is never said. The inputs of one earner are said to that earner alone; to everybody else
only that there are such.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from headrace.engine.currencies import is_money
from headrace.engine.terms.checking import base_word, is_money_word
from headrace.engine.terms.describing_schedule import schedule_sentences
from headrace.engine.terms.model import Terms
from headrace.engine.terms.paying import Input
from headrace.engine.terms.sentences import Condition, Parameter, Percent, Quantity, Sentence, Term, english
from headrace.engine.terms.wording_units import measured, money_of, paid


def describe(terms: Terms, *, earner: str | None = None) -> list[str]:
    """Say the terms in plain English, one sentence each; `earner` adds what was agreed with that one."""
    return [english(sentence) for sentence in sentences(terms, earner=earner)]


def sentences(terms: Terms, *, earner: str | None = None) -> list[Sentence]:
    """Say the terms as codes with parameters, for any language."""
    return [
        *_head(terms),
        *_conditions(terms),
        *_measure(terms),
        *schedule_sentences(terms),
        *_limits(terms),
        *_combine(terms),
        *_settle(terms),
        *_inputs(terms, earner),
    ]


def _head(terms: Terms) -> Iterator[Sentence]:
    yield Sentence("head", {"name": terms.name or terms.program, "type": Term("type", terms.type)})
    kinds = [Term("kinds", word) for word in terms.kinds]
    stages = [Term("stage", word) for word in terms.stage]
    if terms.schedule.price_change:
        yield Sentence("about_stock", {"earner": Term("earner", terms.earner)})
    else:
        yield Sentence("about_stage", {"kinds": kinds, "stages": stages, "earner": Term("earner", terms.earner)})
    if terms.internal:
        yield Sentence("internal")
    yield _dated("valid_between", "valid_from", "valid_until", "valid_always", terms.valid.from_, terms.valid.until)
    if terms.applies != "from_date":
        yield Sentence("applies", {"applies": Term("applies", terms.applies)})
    if terms.paid_to != "earner":
        yield Sentence("paid_to", {"paid_to": Term("paid_to", terms.paid_to)})


def _dated(
    between: str, after: str, before: str, always: str, from_: date | None, until: date | None, **more: Parameter
) -> Sentence:
    """Say half-open dates by their first and last day."""
    days: dict[str, Parameter] = {}
    if from_ is not None:
        days["first"] = from_
    if until is not None:
        days["last"] = until - timedelta(days=1)
    code = {(True, True): between, (True, False): after, (False, True): before}.get(
        (from_ is not None, until is not None), always
    )
    return Sentence(code, {**days, **more})


def _conditions(terms: Terms) -> Iterator[Sentence]:
    if terms.partners:
        yield Sentence("partners", {"rule": Condition(terms.partners)})
    if terms.lines:
        yield Sentence("lines", {"rule": Condition(terms.lines)})
    if terms.enrolled:
        yield Sentence("enrolled")
    if terms.accepted:
        yield Sentence("accepted")
    if terms.counts_from == "enrolment":
        yield Sentence("counts_from_enrolment")
    if terms.facts_as_of != "line":
        yield Sentence("facts_as_of", {"facts_as_of": Term("facts_as_of", terms.facts_as_of)})
    if terms.on_exit != "pay":
        yield Sentence("on_exit", {"on_exit": Term("on_exit", terms.on_exit)})
    if terms.returns == "own_date":
        yield Sentence("returns_own_date")


def _measure(terms: Terms) -> Iterator[Sentence]:
    measure = terms.measure
    shared: dict[str, Parameter] = {
        "of": Term("base", measure.of),
        "per": Sentence("per", {"words": [Term("per", _scope_word(terms, word)) for word in measure.per]}),
        "every": Term("every", measure.every),
    }
    if terms.schedule.price_change:
        return
    if measure.minus:
        yield Sentence("measure_less", {**shared, "minus": [Term("base", word) for word in measure.minus]})
    else:
        yield Sentence("measure", shared)
    if measure.lines:
        yield Sentence("measure_lines", {"rule": Condition(measure.lines)})
    if measure.anchor:
        yield Sentence("anchor", {"day": measure.anchor})
    if measure.calendar == "fiscal":
        yield Sentence("fiscal")
    if growth := measure.growth:
        yield Sentence("growth", {"baseline": Term("baseline", growth.baseline)})
        if growth.frozen_on:
            yield Sentence("growth_frozen", {"day": growth.frozen_on})
        yield Sentence(f"growth_{growth.no_baseline}")
    if target := measure.target:
        if target.value is None:
            yield Sentence("target")
        else:
            yield Sentence("target_everyone", {"target": measured(terms, target.value)})


def _scope_word(terms: Terms, word: str) -> str:
    return terms.earner if word == "earner" and terms.earner in {"rep", "group", "buyer"} else word


def _limits(terms: Terms) -> Iterator[Sentence]:
    limits = terms.limits
    if limits.measure.max is not None:
        yield Sentence("measure_max", {"most": measured(terms, limits.measure.max)})
    for code, amount in (
        ("line_floor", limits.line.floor),
        ("line_cap", limits.line.cap),
        ("payout_per_scope", limits.payout.per_scope),
        ("payout_program", limits.payout.program),
    ):
        if amount is not None:
            yield Sentence(code, {"amount": paid(terms, amount)})
    if limits.prorate:
        yield Sentence(f"prorate_{limits.prorate}")
    if guarantee := limits.guarantee:
        code = "guarantee_cumulative" if guarantee.cumulative else "guarantee"
        every = Term("every", guarantee.every or terms.measure.every)
        yield Sentence(code, {"amount": paid(terms, guarantee.amount), "every": every})
        if guarantee.paid == "start":
            yield Sentence("guarantee_start")
    if minimum := limits.minimum:
        yield Sentence(f"minimum_{minimum.below}", {"amount": paid(terms, minimum.amount)})
    yield Sentence(f"negative_{limits.negative}")


def _combine(terms: Terms) -> Iterator[Sentence]:
    combine = terms.combine
    if combine is None:
        return
    yield Sentence(f"combine_{combine.rule}", {"group": combine.group, "order": combine.order})
    if combine.rule == "cascade":
        yield Sentence("combine_reduced" if combine.reduced_by_others else "combine_not_reduced")
        yield Sentence("combine_reduces" if combine.reduces_others else "combine_not_reduces")


def _settle(terms: Terms) -> Iterator[Sentence]:
    settle = terms.settle
    for rule in terms.gate:
        yield Sentence("gate", {"rule": Condition(rule)})
    if terms.verify:
        yield Sentence("verify", {"rule": Condition(terms.verify)})
    code = "settle_claim" if settle.claim == "by_partner" else "settle"
    yield Sentence(code, {"form": Term("settle_as", settle.as_)})
    if settle.tolerance is not None:
        yield Sentence("tolerance", {"amount": paid(terms, settle.tolerance)})
    if settle.every:
        yield Sentence("interim", {"every": Term("every", settle.every)})
    yield Sentence("grace", {"days": settle.grace_days}) if settle.grace_days else Sentence("no_grace")
    yield Sentence("late", {"late": Term("late", settle.late)})
    days = settle.grace_days + settle.hold_days
    if settle.pay_day is not None:
        yield Sentence("payable_day", {"day": settle.pay_day, "days": days})
    else:
        yield Sentence("payable", {"days": days})
    if settle.company != "of_account":
        yield Sentence("company", {"company": settle.company})
    if money := money_of(terms):
        told: dict[str, Parameter] = {"currency": money, "day": Term("convert", terms.convert.on)}
        yield Sentence("convert", {**told, "days": terms.convert.age_days_max})
    if terms.rounding.decimals is not None:
        yield Sentence("rounding", {"decimals": terms.rounding.decimals})
    yield Sentence("rounding_carry" if terms.rounding.remainder == "carry_forward" else "rounding_drop")


_INPUT_VALUES = ("target", "baseline", "rate", "cap", "enrolled_from", "enrolled_until")


def _inputs(terms: Terms, earner: str | None) -> Iterator[Sentence]:
    if earner is not None:
        for row in terms.inputs:
            if row.earner == earner:
                yield from _own(terms, row)
        return
    given = [key for key in _INPUT_VALUES if any(getattr(row, key) is not None for row in terms.inputs)]
    words = list(dict.fromkeys(Term("inputs", key) for key in given if key != "enrolled_until"))
    if words:
        yield Sentence("inputs_own", {"what": words})


def _own(terms: Terms, row: Input) -> Iterator[Sentence]:
    words = [Sentence("scope_word", {"word": Term("per", key), "value": value}) for key, value in row.scope.items()]
    scope = Sentence("scope", {"words": words}) if words else Sentence("nothing")
    dates = _dated("dates_between", "dates_from", "dates_until", "nothing", row.from_, row.until)
    values: Sequence[tuple[str, Parameter | None]] = (
        ("input_target", measured(terms, row.target) if row.target is not None else None),
        ("input_baseline", measured(terms, row.baseline) if row.baseline is not None else None),
        ("input_rate", _rate(terms, row.rate) if row.rate is not None else None),
        ("input_cap", paid(terms, row.cap) if row.cap is not None else None),
    )
    for code, value in values:
        if value is not None:
            yield Sentence(code, {"scope": scope, "dates": dates, "value": value})
    if row.enrolled_from or row.enrolled_until:
        codes = ("input_enrolled_until", "input_enrolled", "input_enrolled_to", "nothing")
        yield _dated(*codes, row.enrolled_from, row.enrolled_until, scope=scope)


def _rate(terms: Terms, rate: Decimal) -> Parameter:
    money = is_money(terms.currency) and (is_money_word(base_word(terms)) or terms.pays_on == "growth")
    return Percent(rate) if money else Quantity(rate, terms.currency)
