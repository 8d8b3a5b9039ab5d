"""Says an opened balance or line in English, for a partner: one sentence a step, from the records alone."""

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal

from headrace.engine.explain import Balance, Edge, Line, LineOpened, Met, Part, Special, Step
from headrace.engine.numeric import plain

_STEPS: Mapping[str, str] = {
    "reduced_by_others": "Programs before this one took {taken} off its base: {before} → {after}.",
    "measure_cap": "The limit of the measure leaves {after} of its {before}.",
    "base_of_counted_measure": "Of its base, {after} of {before} belongs to the measure that counts.",
    "free_allowance": "The free allowance takes {taken} off its base: {before} → {after}.",
    "quantity_max": "The quantity that its row of the table pays for leaves {after} of its base of {before}.",
    "boost": "A boost makes {after} of {before}.",
    "fixed": "A fixed amount for the line: {before} → {after}.",
    "line_limit": "The limit for one line: {before} → {after}.",
    "lost_to": "{program} pays more on this line and keeps it: {before} → {after}.",
    "bonus": "Bonus of the reached tiers: {added}.",
    "growth": "On the growth over the baseline: {added}.",
    "prorated": "In force {days} of {of} days: {before} → {after}.",
    "scope_cap": "The cap of {cap}: {before} → {after}.",
    "left_early": "It left within the period and forfeits what it earned: {before} → {after}.",
    "guarantee": "A guarantee of {amount} lifts it: {before} → {after}.",
    "program_limit": "The limit of the whole program ({limit}): {before} → {after}.",
    "negative_zero": "What is below zero is not taken back: {before} → {after}.",
    "below_minimum": "Below the smallest amount that is paid ({minimum}): {before} → {after}.",
    "remainder_in": "What rounding left over before comes in: {before} → {after}.",
    "rounded": "Rounded to {decimals} decimals: {before} → {after}.",
}

_REASONS: Mapping[str, str] = {
    "outside_validity": "no version of the program is in force on {day}",
    "kind": "it is a {kind}, and only {kinds} count",
    "stage": "its stage is {stage}, and only {stages} count",
    "internal": "it is an internal sale, which does not count",
    "earner_missing": "it names nobody who could earn: its {column} is empty",
    "earner_unknown": "{earner} is not among the partners on {day}",
    "not_enrolled": "{earner} is not enrolled on {day}",
    "scope_missing": "it has no value for {words}, by which the program adds up",
    "no_period": "no period of the fiscal calendar holds {day}",
    "late": "it was received on {received_on}, after the days of grace of its period",
    "value_missing": "it lacks a value that the program needs ({values})",
    "no_exchange_rate": "there is no exchange rate from {currency} to {money} for {day} that is recent enough",
    "no_baseline": "its scope has no baseline to grow from",
    "no_target": "its scope has no target",
    "not_held": "nothing of it was left in stock when the price changed",
    "not_calculated": "the program was not calculated: {why}",
}


def number(value: object) -> str:
    """Write a number with thousands separators and no idle zeros.

    >>> number(Decimal("1300.000000")), number(Decimal("-0.5")), number(7)
    ('1,300', '-0.5', '7')
    """
    if not isinstance(value, Decimal):
        return str(value)
    whole, _, part = plain(value).partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):,}" + (f".{part}" if part else "")


def money(value: Decimal, decimals: int) -> str:
    """Write an amount with at least the decimals of its currency, and all that it has.

    >>> money(Decimal("1234.5"), 2), money(Decimal("0.000600000000"), 2)
    ('1,234.50', '0.0006')
    """
    kept = len(plain(value).partition(".")[2])
    return f"{value:,.{max(decimals, kept)}f}"


def percent(rate: Decimal) -> str:
    """Write a rate as people say it.

    >>> percent(Decimal("0.035000"))
    '3.5 %'
    """
    return f"{plain(rate * 100)} %"


def balance_words(balance: Balance) -> list[str]:
    """Say a balance: what it is, the rules, the inputs, the lines, the limits, the outcome."""
    return [
        *_heading(balance),
        *_tiers(balance),
        *(f"  {line_words(line, balance.unit, balance.currency, balance.decimals)}" for line in balance.lines),
        *_beside(balance),
        *_outcome(balance),
    ]  # fmt: skip


def _heading(balance: Balance) -> Iterator[str]:
    scope = ", ".join(f"{word} {value}" for word, value in json.loads(balance.scope).items())
    yield f"{balance.payee_id}: {balance.program} version {balance.version}, {_days(balance.from_, balance.until)}, {scope}"
    yield "Terms:"
    yield from (f"  {sentence}" for sentence in balance.terms)
    if balance.inputs:
        told = ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in balance.inputs.items())
        yield f"Inputs: {told}"


def _tiers(balance: Balance) -> Iterator[str]:
    for card in balance.cards:
        yield f"Rate card: version {card.version}, {_days(card.since, card.until)}" + (
            f", {card.mode}" if card.edges else ""
        )
        yield from (f"  {rule}" for rule in card.rules)
        yield from (f"  {_edge(edge)}" for edge in card.edges)
    reached = "" if balance.tier is None else f", tier {balance.tier}"
    more = ""
    if balance.next_from is not None and balance.next_distance is not None:
        more = f"; the next tier starts at {number(balance.next_from)}, {number(balance.next_distance)} away"
    yield f"Measure: {balance.measure_word} = {number(balance.measure)} {balance.unit}{reached}{more}"
    yield f"Lines that count: {len(balance.lines):,}" + (", in order of place:" if balance.lines else "")


def _edge(edge: Edge) -> str:
    named = f" ({edge.name})" if edge.name else ""
    pays = " + ".join(_pays(edge)) or "nothing"
    mark = "reached" if edge.reached else "not reached"
    return f"Tier {edge.position}{named} {'above' if edge.above else 'from'} {number(edge.starts)}: {pays}, {mark}"


def _pays(edge: Edge) -> Iterator[str]:
    if edge.rate:
        yield percent(edge.rate)
    if edge.per_unit:
        yield f"{number(edge.per_unit)} a unit"
    if edge.bonus:
        yield f"bonus {number(edge.bonus)}"
    if edge.down_to is not None:
        yield f"what the cost is above {number(edge.down_to)} a unit"
    if edge.down_by is not None:
        yield f"{number(edge.down_by)} a unit off the price"
    if edge.margin_to is not None:
        yield f"what is missing to a margin of {percent(edge.margin_to)}"


def line_words(line: Line, unit: str, currency: str, decimals: int) -> str:
    """Say one line in one paragraph."""
    return " ".join(_line_parts(line, unit, currency, decimals))


def _line_parts(line: Line, unit: str, currency: str, decimals: int) -> Iterator[str]:
    measure = money(line.measure, decimals) if unit == currency else number(line.measure)
    moved = f"{measure} {unit} moved the measure from {number(line.measure_before)} to {number(line.measure_after)}."
    if not line.measure:
        moved = f"it leaves the measure at {number(line.measure_after)}."
    yield f"Line {line.line_id} ({line.kind} of {line.occurred_on}{_placed(line)}): {moved}"
    if line.exchange_rate is not None and line.amount is not None:
        yield (
            f"{number(line.amount)} {line.currency} were converted at {plain(line.exchange_rate)}, quoted on {line.quoted_on}."
        )
    yield from (_step(step, decimals) for step in line.counted)
    yield from _parts(line, decimals)
    yield from (_step(step, decimals) for step in line.steps)
    before, after = money(line.exact_before, decimals), money(line.exact_after, decimals)
    if line.exact_after - line.exact_before != line.own:
        yield f"Its own share is {money(line.own, decimals)}; limits and shared amounts are in the running share."
    verified = "" if line.verified else " It is not verified yet."
    yield f"Running share {before} → {after}: this line earns {money(line.award, decimals)} {currency}.{verified}"


def _placed(line: Line) -> str:
    if line.placed_on == line.occurred_on:
        return ""
    with_sale = f" with its sale {line.original_line_id}" if line.original_line_id else ""
    return f", placed on {line.placed_on}{with_sale}"


def _parts(line: Line, decimals: int) -> Iterator[str]:
    if not line.parts:
        if not line.priced and not line.own:
            yield "It has no rate of its own."
        return
    said = [_part(part, decimals) for part in line.parts]
    yield ", ".join(said)[:1].upper() + ", ".join(said)[1:] + "."


def _part(part: Part, decimals: int) -> str:
    where = "below the first tier" if part.position is None else f"in tier {part.position}"
    if part.table_row:
        where = f"by row {part.position} of the table"
    terms: list[str] = []
    if part.rate:
        terms.append(f"{money(part.base, decimals)} {where} at {percent(part.rate)}")
    if part.per_unit:
        terms.append(f"{number(part.units)} units {where} at {number(part.per_unit)}")
    if part.special is not None:
        terms += [f"{said}, {where}" for said in _special(part.special, decimals)]
        sum_ = " and ".join(terms)
        kept = "" if part.share else " (a credit is never turned around)"
        return f"{sum_} = {money(part.share, decimals)}{kept}"
    if not terms:
        return f"{money(part.base, decimals)} lies {where} = {money(part.share, decimals)}"
    return " and ".join(terms) + f" = {money(part.share, decimals)}"


def _special(special: Special, decimals: int) -> Iterator[str]:
    """Say the arithmetic of a special price."""
    if special.down_to is not None:
        yield f"cost {money(special.cost, decimals)} − {number(special.quantity)} × {number(special.down_to)}"
    if special.down_by is not None:
        yield f"{number(special.quantity)} units × {number(special.down_by)} off"
    if special.margin_to is not None:
        kept = number(Decimal(1) - special.margin_to)
        yield (
            f"cost {money(special.cost, decimals)} − {money(special.amount, decimals)} × {kept}, which leaves a margin of "
            f"{percent(special.margin_to)}"
        )


def _step(step: Step, decimals: int) -> str:
    given = {name: number(value) for name, value in step.parameters.items()}
    given |= {
        "before": money(step.before, decimals), "after": money(step.after, decimals),
        "added": money(step.after - step.before, decimals), "taken": money(step.before - step.after, decimals),
    }  # fmt: skip
    if step.code == "rolling":
        base, rate = step.parameters["base"], step.parameters["rate"]
        assert isinstance(base, Decimal)
        assert isinstance(rate, Decimal)
        return f"Tier {step.parameters['position']} pays {percent(rate)} of {money(base, decimals)}: {given['added']}."
    if step.code == "counted":
        told = ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for name, value in given.items()
            if name.partition("_")[0] in {"package", "goods"}
        )
        return f"For whole packages in the measure ({told}): {given['added']}."
    return _STEPS[step.code].format_map(given)


def _beside(balance: Balance) -> Iterator[str]:
    for each in balance.beside:
        who = "of other payees in this scope" if each.code == "other_payees" else "that only measure"
        yield f"Besides, {each.lines:,} lines {who} moved the measure by {number(each.measure)}."


def _outcome(balance: Balance) -> Iterator[str]:
    places, currency = balance.decimals, balance.currency
    yield f"Own shares of the lines: {money(balance.own, places)}"
    for step in balance.shared_amounts:
        yield f"  {_step(step, places)}"
    if balance.shared:
        yield f"Its part of what belongs to no line: {money(balance.shared, places)}"
    for step in balance.steps:
        yield f"  {_step(step, places)}"
    yield f"Earned: {money(balance.earned, places)} {currency}"
    if balance.carried_in:
        yield f"Carried in from the period before: {money(balance.carried_in, places)}"
    if balance.carried:
        yield f"Carried to the next period: {money(balance.carried, places)}"
    if balance.unverified:
        yield f"Not verified yet: {money(balance.unverified, places)}"
    if balance.posted:
        yield f"Posted before: {money(balance.posted, places)}"
    yield from balance.held_by
    yield f"To post: {money(balance.to_post, places)} {currency}"


def line_opened_words(opened: LineOpened) -> list[str]:
    """Say one line and what every program made of it."""
    told = ", ".join(f"{name} {_value(value)}" for name, value in opened.values.items() if value is not None)
    said = [f"Line {opened.line_id}: {told}"]
    for met in opened.programs:
        version = "" if met.version is None else f" version {met.version}"
        said.append(f"{met.program}{version}: {met_words(met)}")
    return said


def met_words(met: Met) -> str:
    """Say what one program made of a line."""
    if met.line is not None and met.currency is not None:
        scope = ", ".join(f"{word} {value}" for word, value in json.loads(met.scope or "{}").items())
        head = f"counts for {met.payee_id}, {_days(met.from_, met.until)}, {scope}."
        lost = f" {met.line.lost_to} keeps it." if met.line.lost_to else ""
        return f"{head} {line_words(met.line, met.unit, met.currency, met.decimals)}{lost}"
    also = " It still moves the measure." if met.measures else ""
    return f"earns nothing: {_reason(met)}.{also} ({met.reason})"


def _reason(met: Met) -> str:
    reason = met.reason or ""
    if met.failure is not None:
        failure = met.failure
        held = ", ".join(f"{name} is {_value(value)}" for name, value in failure.values.items())
        truth = "does not hold" if failure.outcome is False else "cannot be decided"
        return f"of the rule {failure.rule}, the condition {failure.condition} {truth}: {held}"
    if reason.startswith("taken_by_"):
        return f"{reason.removeprefix('taken_by_')} comes first in their group and took the line"
    return _REASONS[reason].format_map({name: _value(value) for name, value in met.parameters.items()})


def _value(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return ", ".join(_value(each) for each in value)
    return number(value) if isinstance(value, Decimal) else str(value)


def _days(since: date | None, until: date | None) -> str:
    if since is None and until is None:
        return "always"
    if since is None:
        return f"until {_last(until)}"
    return f"from {since}" if until is None else f"{since} to {_last(until)}"


def _last(until: date | None) -> date | None:
    return None if until is None else until - timedelta(days=1)


__all__ = ["balance_words", "line_opened_words", "line_words", "met_words", "money", "number", "percent"]
