"""Everything that is known before the first pair is made: rules read, lines opened, reference rows loaded, scopes numbered."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import pyarrow as pa

from headrace.engine.against import program_life
from headrace.engine.book import PERIOD_DAYS, Book, Calendar, day_number, make_calendar
from headrace.engine.chain import exists_unworked
from headrace.engine.exchange import fx_table
from headrace.engine.facts import enrolments, load_rows
from headrace.engine.fifo import put_fifo_costs
from headrace.engine.findings import Finding, Refusal
from headrace.engine.numeric import is_money
from headrace.engine.pairs import Plan, line_spelling
from headrace.engine.protection import effective_days, not_yet, put_held_lots, widen
from headrace.engine.qualify import Ground, Known, classify_feed, make_feeds
from headrace.engine.rulebook import EditionRules, read_rules, rule_columns
from headrace.engine.schema import DEALS, LINES, PARTNERS, PRODUCTS, Tables
from headrace.engine.session import Session
from headrace.engine.source import Source, open_lines
from headrace.engine.stock import put_stock
from headrace.engine.straight import is_straight
from headrace.engine.terms.model import Terms
from headrace.engine.values import Needs, distinct_words, fifo_moneys, needs_of, unit_word
from headrace.engine.words import line_column, make_scopes, product_column


def prepare(
    session: Session,
    book: Book,
    tables: Tables,
    as_of: date | None,
    *,
    short: bool = True,
    ground: Ground | None = None,
    room: timedelta = timedelta(0),
) -> Plan | None:
    """Make the plan of a run and the tables that it reads; gives nothing where there are no lines.

    ground: of an earlier run in this session, used as far as it serves. room: for how long before and after its lines a new
    ground should serve others. Raises Refusal for a rule that cannot be read, or a column that is not there.
    """
    columns = rule_columns(tables)
    if ground is not None and not ground.is_of(book, tables, columns, short=short):
        ground = None
    rules = ground.rules if ground else {edition.number: read_rules(edition, columns) for edition in book.editions}
    extra = _extra_columns(book, rules, tables)
    source = open_lines(session, tables.lines, as_of, extra)
    if source is None:
        return None
    references = tables.references
    source = widen(source, book)
    held = _put_stock(session, book, source, references.get("stock"))
    money = {edition.number: _money(edition.terms) for edition in book.editions}
    deal_columns = references["deals"].column_names if "deals" in references else []
    needs = needs_of(book, money, len(source.currencies), deal_columns)
    findings = [*book.findings, *source.findings]
    findings += _put_rates(session, book, source, money, references.get("rates"))
    findings += not_yet(book, source)
    if costs := fifo_moneys(book, money):
        put_fifo_costs(session, costs)
    ids = _ids_of(session, book, references.get("partners"), ("base", *held))
    days = (source.first_day, max(source.last_day, source.as_of))
    if ground is None or not ground.bears(*days, ids):
        before = ground.known.ids.keys() if ground else set[str]()
        around = (days[0] - room, days[1] + room) if room else days
        if ground is not None:
            around = (min(around[0], ground.days[0]), max(around[1], ground.days[1]))
        ground = _lay(session, book, tables, rules, ids | before, around, short=short)
    if room:
        source = replace(source, first_day=ground.days[0], last_day=ground.days[1])
    _put_distinct(session, book, needs)
    lines = {column: line_spelling(column) for column in (*LINES, *extra)}
    scopes = make_scopes(session, book, len(ground.known.ids), len(ground.calendar.periods), lines, ("base", *held))
    return Plan(
        ground=ground, source=source, scopes=scopes, money=money, needs=needs, findings=(*findings, *ground.findings)
    )  # fmt: skip


def _lay(
    session: Session,
    book: Book,
    tables: Tables,
    rules: Mapping[int, EditionRules],
    found: AbstractSet[str],
    days: tuple[date, date],
    *,
    short: bool,
) -> Ground:
    """Make the tables of a ground."""
    references = tables.references
    calendar = _calendar(book, *days)
    ids = _number_ids(session, found)
    partners = load_rows(session, "partner_rows", PARTNERS, references.get("partners"), ids)
    products = load_rows(session, "product_rows", PRODUCTS, references.get("products"), {})
    deals = load_rows(session, "deal_rows", DEALS, references.get("deals"), {})
    groups = session.rows("SELECT p.row_no, i.id FROM partner_rows p JOIN ids i ON i.no = p.group_no")
    group_of = {int(str(row)): str(group) for row, group in groups}
    known = Known(partners=partners, products=products, ids=ids, group_of=group_of)
    feeds = tuple(make_feeds(book, days, lambda edition: short and is_straight(book, edition)))
    for feed in feeds:
        classify_feed(session, feed, rules, known, days)
    _put_days(session, calendar)
    _put_enrolments(session, book, ids)
    return Ground(
        book=book, references=references, columns=rule_columns(tables), short=short, days=days, rules=rules,
        calendar=calendar, known=known, feeds=feeds, findings=(*partners.findings, *products.findings, *deals.findings),
    )  # fmt: skip


def _put_stock(session: Session, book: Book, source: Source, rows: pa.Table | None) -> list[str]:
    """Make the tables of stock where some program asks for them; gives the names of those of held lots."""
    bases = {edition.terms.schedule.cost_basis for edition in book.editions}
    provided = {edition.terms.accrue.basis for edition in book.editions}
    if not effective_days(book) and "fifo" not in bases and "sell_in" not in provided:
        return []
    put_stock(session, source, rows)
    return put_held_lots(session, book, source)


def _extra_columns(book: Book, rules: Mapping[int, EditionRules], tables: Tables) -> frozenset[str]:
    """Give the columns of the lines beside the declared ones that rules or scopes read; checks the columns of scopes."""
    used: set[str] = set()
    for rule in rules.values():
        parts = [rule.lines, rule.partners, *([rule.measuring] if rule.measuring else [])]
        for each in [*(part.rest for part in parts), rule.verify, *rule.boosts]:
            if each is not None:
                used |= {column.partition(".")[2] for column in each.columns_used if column.startswith("line.")}
    used |= {word.partition(".")[2] for word in distinct_words(book) if word.startswith("distinct line.")}
    products = tables.references.get("products")
    for word in book.words:
        column, product = line_column(word), product_column(word)
        if column is not None:
            used.add(column)
        if product is not None and (products is None or product not in products.column_names):
            raise Refusal(
                "unknown_column", f"A scope is per {word}, but there is no table of products with a column {product}."
            )
    missing = sorted(used - set(LINES) - set(tables.lines.columns))
    if missing:
        raise Refusal(
            "unknown_column", f"A program reads line.{missing[0]}, but the lines have no column {missing[0]}."
        )
    return frozenset(used - set(LINES))


def _calendar(book: Book, first: date, last: date) -> Calendar:
    """Number the periods from the first line to the as-of day; from the start of a program with statements without lines."""
    for edition in book.editions:
        if exists_unworked(edition.terms):
            life = program_life(book, edition)
            first = min(first, life.from_ or first)
    return make_calendar((edition.periods for edition in book.editions), first, last)


def _put_days(session: Session, calendar: Calendar) -> None:
    """Make `days` (definition, day, period) and `period_days` (the days of each period as integers, null at an open end)."""
    session.put("days", calendar.days)
    rows = [
        {
            "period": number,
            "since": None if period.from_ is None else day_number(period.from_),
            "until": None if period.until is None else day_number(period.until),
        }
        for number, period in enumerate(calendar.periods)
    ]
    session.put("period_days", pa.Table.from_pylist(rows, schema=PERIOD_DAYS))


def _put_enrolments(session: Session, book: Book, ids: Mapping[str, int]) -> None:
    """Make `enrolments`: the days on which an earner takes part in an edition, from `since` until before `until`."""
    rows = [
        {"edition": edition.number, "no": ids[earner], "since": each.since, "until": each.until}
        for edition in book.editions
        for earner, each in enrolments(edition).items()
    ]
    schema = pa.schema([(column, pa.int32()) for column in ("edition", "no", "since", "until")])
    session.put("enrolments", pa.Table.from_pylist(rows, schema=schema))


def _money(terms: Terms) -> str | None:
    return terms.money or (terms.currency if is_money(terms.currency) else None)


def _ids_of(session: Session, book: Book, partners: pa.Table | None, relations: Sequence[str]) -> set[str]:
    """List every id of a partner or person that can earn or be paid."""
    columns = {"partner_id"}
    for edition in book.editions:
        columns |= {"buyer": {"buyer_id"}, "reporter": {"reporter_id"}, "rep": {"rep_id"}}.get(
            edition.terms.earner, set()
        )
        columns |= {"reporter_id"} if edition.terms.paid_to == "distributor" else set()
    columns |= {f"{word}_id" for word in book.words if word in {"buyer", "rep"}}
    found: set[str] = set()
    for column, relation in product(sorted(columns), relations):
        rows = session.rows(f"SELECT DISTINCT {column} FROM {relation} WHERE {column} IS NOT NULL")
        found |= {str(row[0]) for row in rows}
    if partners is not None:
        for column in ("partner_id", "parent_id", "group_id"):
            if column in partners.column_names:
                found |= {str(value) for value in partners.column(column).to_pylist() if value is not None}
    return found | {entry.earner for edition in book.editions for entry in edition.terms.inputs}


def _number_ids(session: Session, found: AbstractSet[str]) -> dict[str, int]:
    """Number ids in byte order; makes `ids`."""
    ids = {identity: number for number, identity in enumerate(sorted(found))}
    session.put(
        "ids", pa.table({"no": pa.array(list(ids.values()), pa.int32()), "id": pa.array(list(ids), pa.string())})
    )
    return ids


def _put_rates(
    session: Session,
    book: Book,
    source: Source,
    money: Mapping[int, str | None],
    rates: pa.Table | None,
) -> list[Finding]:
    """Make `fx`: for each age that some program allows, the rates of every pair of currencies on every day that may be asked."""
    schema = pa.schema(
        [
            ("age", pa.int32()),
            ("from_currency", pa.string()),
            ("to_currency", pa.string()),
            ("day", pa.int32()),
            ("rate", pa.decimal128(19, 12)),
            ("quoted_on", pa.date32()),
        ]
    )
    made: list[pa.Table] = [schema.empty_table()]
    findings: list[Finding] = []
    wanted = {each for each in money.values() if each is not None}
    pairs = [(ours, theirs) for theirs in sorted(wanted) for ours in source.currencies if ours != theirs]
    if rates is not None and pairs:
        span = (max(source.last_day, source.as_of) - source.first_day).days
        days = [source.first_day + timedelta(days=offset) for offset in range(span + 1)]
        for age in sorted({edition.terms.convert.age_days_max for edition in book.editions}):
            table, faults = fx_table(rates, pairs, days, age)
            findings += faults
            made.append(
                pa.table(
                    [
                        pa.array([age] * table.num_rows, pa.int32()),
                        table.column("from_currency").combine_chunks(),
                        table.column("to_currency").combine_chunks(),
                        pa.array([day_number(day) for day in table.column("day").to_pylist()], pa.int32()),
                        table.column("rate").combine_chunks(),
                        table.column("quote_day").combine_chunks(),
                    ],
                    schema=schema,
                )
            )
    session.put("fx", pa.concat_tables(made))
    return list(dict.fromkeys(findings))


def _put_distinct(session: Session, book: Book, needs: Needs) -> None:
    """Make `distinct_terms`: what each distinct word adds to measure, base and units of an edition."""
    if not needs.distinct:
        return
    rows: list[dict[str, int]] = []
    for edition in book.editions:
        terms = edition.terms
        row = {"edition": edition.number}
        for index, word in enumerate(needs.distinct):
            sign = (terms.measure.of == word) - terms.measure.minus.count(word)
            paid = terms.pays_on == word or (terms.pays_on == "growth" and terms.measure.of == word)
            row |= {f"sign_{index}": sign, f"base_{index}": int(paid), f"units_{index}": int(unit_word(terms) == word)}
        rows.append(row)
    session.put("distinct_terms", pa.Table.from_pylist(rows, schema=pa.schema([(key, pa.int32()) for key in rows[0]])))
