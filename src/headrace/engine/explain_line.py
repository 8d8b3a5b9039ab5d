"""Opens one line: for every program what it earned and why, or the first reason why it earned nothing, with what was read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from headrace.engine.book import Edition, day_number, day_of
from headrace.engine.explain import Failure, LineOpened, Met
from headrace.engine.explain_balance import known_program, unit_of
from headrace.engine.explain_lines import lines_of
from headrace.engine.findings import Refusal
from headrace.engine.pairs import PairsOf
from headrace.engine.qualify import REASONS, TAKEN, Feed, class_joins, count_early, placed_lines
from headrace.engine.rulebook import EditionRules, Parts
from headrace.engine.rules import Rule, all_of
from headrace.engine.run import Request, Wave, calculate
from headrace.engine.schema import LINES
from headrace.engine.session import name, text
from headrace.engine.values import base_word, measured_words, special_words, unit_word
from headrace.engine.words import line_column, product_column

_EARNER = {
    "seller": "partner_id",
    "group": "partner_id",
    "rep": "rep_id",
    "buyer": "buyer_id",
    "reporter": "reporter_id",
}
_RULES = {"partners_rule": "partners", "partners_unknown": "partners", "lines_rule": "lines", "lines_unknown": "lines"}
_NEAR = 3


def explain_line(request: Request, line_id: str, *, program: str | None = None) -> LineOpened:
    """Calculate the request and open one of its lines, for every program or for one.

    Raises Refusal `unknown_program`, and `unknown_line` with the nearest line ids.
    """
    return explain_lines(request, [line_id], program=program)[0]


def explain_lines(request: Request, line_ids: Sequence[str], *, program: str | None = None) -> tuple[LineOpened, ...]:
    """Open several lines in one calculation; as `explain_line`."""
    if program is not None:
        known_program(request, program)
    met: dict[str, dict[str, Met]] = {line_id: {} for line_id in line_ids}
    values: dict[str, dict[str, object]] = {}

    def watch(wave: Wave) -> None:
        for line_id in line_ids:
            if line_id not in values:
                values[line_id] = _values(wave, line_id)
            met[line_id] |= {each.program: each for each in meet(wave, line_id, values[line_id], program=program)}

    result = calculate(request, watch=watch)
    if line_ids and not values:
        raise Refusal(
            "no_lines", "There are no lines to calculate; check the files and the as-of day.", findings=result.findings
        )
    for each in sorted({terms.program for terms in request.programs}):
        why = next((finding.message for finding in result.findings if each in finding.message), "see the findings")
        for opened in met.values():
            if program in {None, each} and each not in opened:
                opened[each] = _met(each, reason="not_calculated", parameters={"why": why})
    return tuple(
        LineOpened(
            line_id=line_id, values=values[line_id], programs=tuple(met[line_id][each] for each in sorted(met[line_id]))
        )
        for line_id in line_ids
    )


def meet(
    wave: Wave, line_id: str, values: Mapping[str, object] | None = None, *, program: str | None = None
) -> tuple[Met, ...]:
    """Say what the programs of a wave, or one of them, made of a line."""
    known = _values(wave, line_id) if values is None else values
    wanted = [number for number in wave.programs if program in {None, wave.plan.book.programs[number].id}]
    return tuple(_meet(wave, number, line_id, known) for number in wanted)


def _values(wave: Wave, line_id: str) -> dict[str, object]:
    """Give the line as it was read."""
    session = wave.desk.session
    columns = ", ".join(name(column) for column in LINES if column != "line_id")
    rows = session.fetch(f"SELECT {columns} FROM base WHERE line_id = {text(line_id)}").to_pylist()
    if rows:
        return {key: value for key, value in rows[0].items() if value is not None}
    later = session.rows(f"SELECT occurred_on FROM read_lines WHERE line_id = {text(line_id)}")
    if later:
        message = f"The line {line_id} of {later[0][0]} was not known on the as-of day {wave.desk.as_of}; name a later --as-of."
        raise Refusal("unknown_line", message)
    near = session.rows(
        f"SELECT line_id FROM base ORDER BY levenshtein(line_id, {text(line_id)}), line_id LIMIT {_NEAR}"
    )
    raise Refusal(
        "unknown_line", f"There is no line {line_id}. The nearest are {', '.join(str(row[0]) for row in near)}."
    )


def _met(program: str, **given: Any) -> Met:
    nothing: dict[str, Any] = {
        "version": None, "reason": None, "parameters": {}, "failure": None, "measures": False, "payee_kind": None,
        "payee_id": None, "scope": None, "from_": None, "until": None, "currency": None, "decimals": 2, "measure_word": "",
        "unit": "", "line": None,
    }  # fmt: skip
    return Met(program=program, **(nothing | given))


def _meet(wave: Wave, number: int, line_id: str, values: Mapping[str, object]) -> Met:
    """Say what one program of the wave made of the line."""
    session, book = wave.desk.session, wave.plan.book
    program = book.programs[number]
    pairs = session.fetch(
        f"SELECT edition, s, payee_no, reason, measures FROM {wave.source} WHERE program = {number} AND line_id = {text(line_id)}"
    ).to_pylist()
    earning = next((row for row in pairs if row["reason"] is None), None)
    if earning is not None:
        return _earning(wave, number, line_id, earning)
    feed, edition, day = _governing(wave, number, line_id)
    if edition is None or feed is None:
        reason = "outside_validity" if day is not None else "not_held"
        shown = {"day": None if day is None else day_of(day)}
        return _met(program.id, reason=reason, parameters=shown)
    code = pairs[0]["reason"] if pairs else None
    if code is None:
        reason = _early(wave, feed, number, line_id)
    else:
        reason = REASONS[code] if code < TAKEN else f"taken_by_{book.programs[code - TAKEN].id}"
    failure = _failure(wave, feed, edition, reason, line_id)
    return _met(
        program.id, version=edition.terms.version, reason=reason, failure=failure, measures=any(row["measures"] for row in pairs),
        parameters=_parameters(wave, feed, edition, reason, {**values, "day": None if day is None else day_of(day)}, line_id),
        currency=edition.terms.currency, decimals=book.decimals(edition.number),
    )  # fmt: skip


def _earning(wave: Wave, number: int, line_id: str, pair: Mapping[str, Any]) -> Met:
    session, book = wave.desk.session, wave.plan.book
    s, payee = int(pair["s"]), int(pair["payee_no"])
    edition = book.editions[pair["edition"]]
    statement = session.fetch(f"SELECT * FROM statement_rows WHERE s = {s} AND payee_no = {payee}").to_pylist()[0]
    line = next(each for each in lines_of(wave, s, payee) if each.line_id == line_id)
    return _met(
        book.programs[number].id, version=edition.terms.version, measures=bool(pair["measures"]), line=line,
        payee_kind=statement["payee_kind"], payee_id=statement["payee_id"], scope=statement["scope"], from_=statement["from"],
        until=statement["until"], currency=statement["currency"], decimals=book.decimals(edition.number),
        measure_word=" - ".join(measured_words(edition.terms)), unit=unit_of(wave, edition),
    )  # fmt: skip


def _governing(wave: Wave, number: int, line_id: str) -> tuple[Feed | None, Edition | None, int | None]:
    """Find the version that governs the line where it is placed, the feed that it is looked at by, and the day of its place."""
    found: int | None = None
    for feed in wave.plan.feeds:
        editions = [each for each in feed.editions if each.program == number]
        if not editions:
            continue
        rows = wave.desk.session.rows(
            f"SELECT l.day FROM {feed.relation} l{class_joins(feed, wave.plan.source)} "
            f"WHERE {placed_lines(feed, wave.plan.source)} AND l.line_id = {text(line_id)}"
        )
        if not rows:
            continue
        found = int(str(rows[0][0]))
        for edition in editions:
            if edition.since <= found < edition.until:
                return feed, edition, found
    return None, None, found


def _early(wave: Wave, feed: Feed, number: int, line_id: str) -> str:
    """Give the reason that is known from the classes of the line: counted by the engine's own way, over this line alone."""
    session = wave.desk.session
    session.view("explained_line", f"SELECT * FROM {feed.relation} WHERE line_id = {text(line_id)}")
    counts = count_early(session, replace(feed, relation="explained_line"), wave.plan.source).get(number, {})
    return next((reason for reason, lines in counts.items() if reason and lines), "lines_rule")


def _failure(wave: Wave, feed: Feed, edition: Edition, reason: str, line_id: str) -> Failure | None:
    """Give the first condition of the rule that made the reason, and the values that it read."""
    kind = _RULES.get(reason)
    rule = None if kind is None else _rule(wave.plan.rules[edition.number], kind)
    if kind is None or rule is None:
        return None
    pairs = PairsOf(wave.plan, replace(feed, editions=[edition]))
    columns = {column: pairs.spell(column) for column in sorted(rule.columns_used)}
    record = wave.desk.session.fetch(
        pairs.record({"line_id": "l.line_id", **columns}, f"l.line_id = {text(line_id)}")
    ).to_pylist()[0]
    wanted = None if reason.endswith("_unknown") else False
    failing = next(each for each in rule.conjuncts if each.evaluate(record) is wanted)
    written = edition.terms.partners if kind == "partners" else edition.terms.lines
    return Failure(
        rule=kind, text=written or "", condition=failing.text, words=failing.describe(), outcome=wanted,
        values={column: record[column] for column in sorted(failing.columns_used)},
    )  # fmt: skip


def _rule(rules: EditionRules, kind: str) -> Rule | None:
    """Put the parts of a rule together again; null where there is none."""
    parts: Parts = rules.partners if kind == "partners" else rules.lines
    there = [part for part in (parts.partner, parts.product, parts.rest) if part is not None]
    return all_of(there) if there else None


def _parameters(
    wave: Wave, feed: Feed, edition: Edition, reason: str, values: Mapping[str, object], line_id: str
) -> dict[str, object]:
    """Give what a reason is about."""
    terms = edition.terms
    column = _EARNER[terms.earner]
    about: dict[str, object] = {"day": values.get("day")}
    if reason in {"kind", "stage"}:
        about |= {"kind": values.get("kind"), "kinds": terms.kinds, "stage": values.get("stage"), "stages": terms.stage}
    if reason in {"earner_missing", "earner_unknown", "not_enrolled"}:
        about |= {"column": column, "earner": values.get(column)}
    if reason == "late":
        about |= {"received_on": values.get("received_on"), "grace_days": terms.settle.grace_days}
    if reason == "no_exchange_rate":
        about |= {"currency": values.get("currency"), "money": wave.plan.money[edition.number]}
    if reason == "scope_missing":
        about["words"] = _empty(wave, feed, edition, {word: _column(word) for word in terms.measure.per}, line_id)
    if reason == "value_missing":
        words = {*measured_words(terms), base_word(terms), unit_word(terms), *_of_card(wave, edition, values)}
        about["values"] = _empty(wave, feed, edition, {word: _column(word) for word in sorted(words)}, line_id)
    return about


def _of_card(wave: Wave, edition: Edition, values: Mapping[str, object]) -> tuple[str, ...]:
    """Give the values that the rate card of a line's day needs beside the measure, base and units."""
    day = values["day"]
    assert isinstance(day, date)
    number = day_number(day)
    cards = [each for each in wave.plan.book.cards if each.version == edition.number]
    return next(special_words(edition, card) for card in cards if card.since <= number < card.until)


def _column(word: str) -> str | None:
    """Give the column that a word of a scope or of a value reads, as a rule would name it."""
    if word.startswith("price_list."):
        return f"product.{word.partition('.')[2]}"
    known = {"gross": "gross_amount", "cost": "cost", "margin": "cost", "buyer": "buyer_id", "rep": "rep_id"}
    column = known.get(word) or line_column(word)
    if column is not None:
        return f"line.{column}"
    product = product_column(word)
    return None if product is None else f"product.{product}"


def _empty(wave: Wave, feed: Feed, edition: Edition, words: Mapping[str, str | None], line_id: str) -> tuple[str, ...]:
    """Give the columns, of those that some words read, which hold nothing for the line."""
    pairs = PairsOf(wave.plan, replace(feed, editions=[edition]))
    columns = {column: pairs.spell(column) for column in words.values() if column is not None}
    if not columns:
        return tuple(words)
    rows = wave.desk.session.fetch(pairs.record(columns, f"l.line_id = {text(line_id)}")).to_pylist()
    return tuple(column for column in columns if rows[0][column] is None) or tuple(words)
