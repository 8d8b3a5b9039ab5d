"""Opens one statement: finds it, reads what led to it, and proves that what is shown adds up."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from headrace.engine.against import Place, input_value
from headrace.engine.book import Edition, day_of
from headrace.engine.explain import Balance, Card, Edge, Step, prove
from headrace.engine.explain_lines import beside, lines_of
from headrace.engine.findings import Refusal
from headrace.engine.limits import limited
from headrace.engine.numeric import SHARE, SUM
from headrace.engine.run import Request, Wave, calculate
from headrace.engine.schedule import rolled_tiers, shared_amounts
from headrace.engine.session import text
from headrace.engine.terms import describe
from headrace.engine.values import base_word, measured_words

_ZERO = Decimal(0)
_NAMED_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which balance to open. on: a day of its period; scope: words that its scope must have; both may be left out where only
    one balance fits."""

    program: str
    payee_id: str
    on: date | None = None
    scope: Mapping[str, str] = field(default_factory=dict)


def explain_balance(request: Request, question: Question) -> Balance:
    """Calculate the request and open one of its statements.

    Raises Refusal `unknown_program`, `unknown_payee`, `unknown_period`, `unknown_scope` or `several_balances`, each naming
    what there is.
    """
    known_program(request, question.program)
    found: list[Balance] = []
    numbers: list[bool] = []

    def watch(wave: Wave) -> None:
        mine = [wave.plan.book.programs[number].id for number in wave.programs]
        if question.program in mine:
            numbers.append(True)
            row = _choose(wave, question)
            found.append(open_balance(wave, row))

    result = calculate(request, watch=watch)
    if not numbers:
        why = next((each.message for each in result.findings if question.program in each.message), "")
        message = why or "There are no lines to calculate; check the files and the as-of day."
        raise Refusal("not_calculated", f"{question.program} was not calculated. {message}", findings=result.findings)
    gates = [each.message for each in result.findings if each.code == "gate_failed"]
    balance = with_gates(found[0], result.statements.to_pylist(), gates)
    prove(balance)
    return balance


def known_program(request: Request, program: str) -> None:
    """Refuse a program that was not given."""
    ids = sorted({terms.program for terms in request.programs})
    if program not in ids:
        near = get_close_matches(program, ids, 3) or ids[:_NAMED_MAX]
        raise Refusal("unknown_program", f"No document of the program {program} was given. There is {', '.join(near)}.")


def _choose(wave: Wave, question: Question) -> Mapping[str, Any]:
    """Find the statement that was asked for."""
    session = wave.desk.session
    rows = session.fetch(
        f"SELECT * FROM statement_rows WHERE program = {text(question.program)} AND payee_id = {text(question.payee_id)} "
        'ORDER BY "from" NULLS FIRST, scope'
    ).to_pylist()
    if not rows:
        raise _no_payee(wave, question)
    fitting = [row for row in rows if question.on is None or _inside(question.on, row)]
    if not fitting:
        there = _listed(dict.fromkeys(_period(row) for row in rows))
        message = f"{question.payee_id} has no balance in {question.program} for {question.on}. There is {there}."
        raise Refusal("unknown_period", message)
    scoped = [row for row in fitting if question.scope.items() <= json.loads(row["scope"]).items()]
    if not scoped:
        there = _listed(dict.fromkeys(row["scope"] for row in fitting))
        raise Refusal(
            "unknown_scope",
            f"{question.payee_id} has no balance in {question.program} with that scope. There is {there}.",
        )
    if len(scoped) > 1:
        there = _listed(dict.fromkeys(f"{_period(row)} {row['scope']}" for row in scoped))
        message = (
            f"{question.payee_id} has {len(scoped)} balances in {question.program}: {there}. "
            "Name one with --period and --scope."
        )
        raise Refusal("several_balances", message)
    return dict(scoped[0])


def _inside(day: date, row: Mapping[str, Any]) -> bool:
    return (row["from"] is None or row["from"] <= day) and (row["until"] is None or day < row["until"])


def _period(row: Mapping[str, Any]) -> str:
    return f"{row['from'] or 'the beginning'} until {row['until'] or 'the end'}"


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMED_MAX} more" if len(listed) > _NAMED_MAX else ""
    return ", ".join(listed[:_NAMED_MAX]) + more


def _no_payee(wave: Wave, question: Question) -> Refusal:
    session = wave.desk.session
    known = question.payee_id in wave.desk.ids
    program = text(question.program)
    payees = [
        str(row[0])
        for row in session.rows(f"SELECT DISTINCT payee_id FROM statement_rows WHERE program = {program} ORDER BY ALL")
    ]
    near = _listed(get_close_matches(question.payee_id, payees, 3, cutoff=0.5) or payees)
    there = f"Its payees are {near}." if payees else "Nobody has a balance in it."
    if known:
        message = (
            f"{question.payee_id} has no balance in {question.program}: none of its lines counts. Open one of them with "
            f"--line to see why. {there}"
        )
    else:
        message = f"{question.payee_id} is in no line, partner or input. {there}"
    return Refusal("unknown_payee", message)


def open_balance(wave: Wave, row: Mapping[str, Any]) -> Balance:
    """Open one row of `statement_rows`, whose wave was just calculated."""
    session, book = wave.desk.session, wave.plan.book
    s, payee = int(row["s"]), int(row["payee_no"])
    edition = book.editions[row["edition"]]
    terms = edition.terms
    settled = session.fetch(f"SELECT * FROM settled WHERE s = {s} AND payee_no = {payee}").to_pylist()[0]
    amounts = _shared_amounts(wave, s)
    return Balance(
        program=row["program"], version=row["version"], payee_kind=row["payee_kind"], payee_id=row["payee_id"],
        scope=row["scope"], from_=row["from"], until=row["until"], currency=row["currency"],
        decimals=book.decimals(edition.number),
        measure_word=" - ".join(measured_words(terms)), base_word=base_word(terms), unit=unit_of(wave, edition),
        terms=tuple(describe(terms)), inputs=_inputs(wave, row, settled), cards=_cards(wave, s, settled),
        measure=row["measure"], base=row["base"], tier=row["tier"], next_from=row["next_from"],
        next_distance=row["next_distance"],
        lines=lines_of(wave, s, payee), beside=beside(wave, s, payee), own=settled["share"], shared_amounts=amounts,
        shared=settled["shared"], steps=_steps(wave, s, payee, settled, edition), exact=settled["exact"], start=settled["start"],
        earned=row["earned"], carried=row["carried"], carried_in=row["carried_in"], unverified=row["unverified"],
        posted=row["posted"], to_post=row["to_post"], held_by=(),
    )  # fmt: skip


def unit_of(wave: Wave, edition: Edition) -> str:
    """Give the unit of the measure: a currency where it is money, else the word itself."""
    of = measured_words(edition.terms)[0]
    if of in {"amount", "gross", "cost", "margin"} or of.startswith("price_list."):
        lone = wave.plan.source.currencies[0] if len(wave.plan.source.currencies) == 1 else edition.terms.currency
        return wave.plan.money[edition.number] or lone
    return {"on_hand": "units on hand", "quantity": "units", "count": "lines"}.get(of, of)


def _cards(wave: Wave, s: int, settled: Mapping[str, Any]) -> tuple[Card, ...]:
    """Give the rate cards that priced lines of the scope, and the one that its end was priced by."""
    session, book = wave.desk.session, wave.plan.book
    used = session.rows(f"SELECT card, max(ladder) FROM measured WHERE s = {s} GROUP BY card ORDER BY card")
    pairs = [(int(str(card)), int(str(ladder))) for card, ladder in used] or [(settled["card"], settled["ladder"])]
    return tuple(_card(wave, book.cards[card].number, ladder, settled["total"]) for card, ladder in pairs)


def _card(wave: Wave, number: int, ladder: int, total: Decimal) -> Card:
    card = wave.plan.book.cards[number]
    terms = wave.plan.book.editions[card.version].terms
    rungs = wave.desk.session.fetch(f"SELECT * FROM rungs WHERE ladder = {ladder} ORDER BY position").to_pylist()
    edges = tuple(
        Edge(
            position=rung["position"], name=tier.name, starts=rung["low"], above=rung["low_open"], rate=rung["rate"],
            per_unit=rung["per_unit"], bonus=tier.bonus or _ZERO, down_to=tier.down_to, down_by=tier.down_by,
            margin_to=tier.margin_to,
            reached=total > rung["low"] or (total == rung["low"] and not rung["low_open"]),
        )
        for rung, tier in zip(rungs, card.tiers, strict=True)
    )  # fmt: skip
    rules = [
        ("partners", terms.partners),
        ("lines", terms.lines),
        ("measure.lines", terms.measure.lines),
        ("verify", terms.verify),
    ]
    return Card(
        version=terms.version, since=day_of(card.since), until=day_of(card.until), mode=terms.schedule.mode, edges=edges,
        rules=tuple(f"{name}: {rule}" for name, rule in rules if rule is not None),
    )  # fmt: skip


def _inputs(wave: Wave, row: Mapping[str, Any], settled: Mapping[str, Any]) -> dict[str, object]:
    """Give what was entered or measured for this payee: baseline or target, own rate and cap, days in force."""
    session, book = wave.desk.session, wave.plan.book
    edition = book.editions[row["edition"]]
    names = {number: identity for identity, number in wave.desk.ids.items()}
    found: dict[str, object] = {}
    if wave.plan.needs.against:
        rows = session.rows(
            f"SELECT value, own_rate FROM against WHERE s = {row['s']} AND edition = {edition.number} "
            f"AND earner_no = {settled['earner_no']}"
        )
        for value, rate in rows:
            word = "target" if edition.terms.measure.target is not None else "baseline"
            found |= {word: value, "rate": rate}
    period = next(
        each for each in wave.plan.calendar.periods if (each.from_, each.until) == (row["from"], row["until"])
    )
    place = Place(
        s=row["s"], edition=edition, earner_no=settled["earner_no"], earner=names[settled["earner_no"]],
        words=json.loads(row["scope"]), period=period,
    )  # fmt: skip
    found["cap"] = input_value(place, "cap")
    if settled["days"] is not None:
        found |= {"days_in_force": settled["days"], "days": settled["days_of"]}
    return {key: value for key, value in found.items() if value is not None}


def _shared_amounts(wave: Wave, s: int) -> tuple[Step, ...]:
    """Give what the scope earns that belongs to no line: each kind, rolling tiers one by one."""
    session = wave.desk.session
    steps: list[Step] = []
    at = _ZERO

    def add(code: str, amount: Decimal, parameters: Mapping[str, object]) -> None:
        nonlocal at
        if amount:
            steps.append(Step(code=code, before=at, after=at + amount, parameters=parameters))
            at += amount

    for code, query in shared_amounts(wave.plan.needs):
        if code == "rolling":
            tiers = session.fetch(
                f"SELECT * FROM ({rolled_tiers()}) WHERE s = {s} ORDER BY card, ladder, position"
            ).to_pylist()
            for tier in tiers:
                add(code, tier["amount"], {key: tier[key] for key in ("position", "base", "units", "rate", "per_unit")})
            continue
        for (amount,) in session.rows(f"SELECT amount FROM ({query}) WHERE s = {s}"):
            add(code, Decimal(str(amount)), _counted(wave, s) if code == "counted" else {})
    return tuple(steps)


def _counted(wave: Wave, s: int) -> dict[str, object]:
    rows = wave.desk.session.fetch(
        "SELECT t.package_of, t.package_pays, t.package_free, t.goods_buy, t.goods_get FROM scopes w JOIN card_terms t ON "
        f"t.card = w.card WHERE w.s = {s}"
    ).to_pylist()
    return {key: value for key, value in rows[0].items() if value is not None}


def _steps(wave: Wave, s: int, payee: int, settled: Mapping[str, Any], edition: Edition) -> tuple[Step, ...]:
    """Give what happened to the exact entitlement after the lines' own shares, in the order of the limits."""
    session = wave.desk.session
    key = f"s = {s} AND payee_no = {payee}"

    def entitled(changes: str) -> Decimal:
        query = f"SELECT {limited('p.share', 'p.shared', 'p')} FROM (SELECT * REPLACE ({changes}) FROM entitled WHERE {key}) p"
        return Decimal(str(session.rows(query)[0][0]))

    whole = settled["share"] + settled["shared"]
    no_cap = f"CAST(NULL AS {SUM}) AS cap"
    prorated, capped = entitled(f"FALSE AS forfeited, {no_cap}"), entitled("FALSE AS forfeited")
    lift = session.rows(f"SELECT coalesce(sum(lift), CAST(0 AS {SHARE})) FROM lifts WHERE {key}")[0][0]
    lifted = settled["entitlement"] + Decimal(str(lift))
    guarantee = edition.terms.limits.guarantee
    marks: list[tuple[str, Decimal, dict[str, object]]] = [
        ("prorated", prorated, {"days": settled["days"], "of": settled["days_of"]}),
        ("scope_cap", capped, {"cap": settled["cap"]}),
        ("left_early", settled["entitlement"], {}),
        ("guarantee", lifted, {"amount": guarantee.amount if guarantee else None}),
        ("program_limit", settled["exact"], {"limit": edition.terms.limits.payout.program}),
    ]
    marks += _rounding(settled, edition, wave.plan.book.decimals(edition.number))
    steps: list[Step] = []
    at = whole
    for code, after, parameters in marks:
        if after != at:
            steps.append(Step(code=code, before=at, after=after, parameters=parameters))
        at = after
    return tuple(steps)


def _rounding(
    settled: Mapping[str, Any], edition: Edition, decimals: int
) -> list[tuple[str, Decimal, dict[str, object]]]:
    """Give the last steps: negatives, the remainder that came in, rounding, and the minimum."""
    exact, start, earned = settled["exact"], settled["start"], settled["earned"]
    minimum = edition.terms.limits.minimum
    if settled["zeroed"] and exact < 0 and edition.terms.limits.negative == "zero":
        return [("negative_zero", _ZERO, {})]
    if settled["zeroed"]:
        return [("below_minimum", _ZERO, {"minimum": minimum.amount if minimum else None})]
    return [("remainder_in", exact + start, {}), ("rounded", earned, {"decimals": decimals})]


def with_gates(balance: Balance, statements: Sequence[Mapping[str, Any]], gates: Sequence[str]) -> Balance:
    """Take over what is decided after the last wave: whether a gate holds the amount back."""
    row = next(
        each for each in statements
        if (each["program"], each["payee_kind"], each["payee_id"], each["scope"], each["from"], each["until"])
        == (balance.program, balance.payee_kind, balance.payee_id, balance.scope, balance.from_, balance.until)
    )  # fmt: skip
    mine = tuple(each for each in gates if each.startswith(f"{balance.payee_id} {balance.scope} of {balance.program}:"))
    return replace(balance, to_post=row["to_post"], held_by=mine)


__all__ = ["Question", "explain_balance", "known_program", "open_balance", "unit_of", "with_gates"]
