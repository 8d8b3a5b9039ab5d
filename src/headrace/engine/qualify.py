"""Which lines count for which program, and why the others do not.

A feed is the editions that look at a line alike: same earner, same policy for returns. For each feed the lines are scanned
once and joined to the class of their earner and of their product; the pair of classes lists the rate cards that the line may
meet. Only those pairs are made; the lines that never get there are counted by their classes.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from headrace.engine.book import DAY_MAX, DAY_MIN, Book, Calendar, Card, Edition, day_number
from headrace.engine.facts import (
    UNKNOWN_CLASS,
    Conditions,
    FactWay,
    Rows,
    classify,
    fact_way,
    partner_slices,
    put_slices,
)
from headrace.engine.findings import Finding
from headrace.engine.protection import effective_day, relation_of
from headrace.engine.rulebook import EditionRules, Parts
from headrace.engine.rules import Columns
from headrace.engine.schema import Tables
from headrace.engine.session import Session
from headrace.engine.session import text as quoted
from headrace.engine.source import KINDS, OWN, OWN_OF_TWO, STAGES, WITH_SALE, Source, line_type

REASONS = (
    "outside_validity", "kind", "stage", "internal", "earner_missing", "earner_unknown", "not_enrolled", "partners_rule",
    "partners_unknown", "scope_missing", "no_period", "late", "lines_rule", "lines_unknown", "value_missing",
    "no_exchange_rate", "no_baseline", "no_target",
)  # fmt: skip
CODE: Mapping[str, int] = {reason: index for index, reason in enumerate(REASONS)}
TAKEN = 100  # + number of the program that took the line

_ROLE = {
    "seller": "partner_id",
    "group": "partner_id",
    "rep": "partner_id",
    "buyer": "buyer_id",
    "reporter": "reporter_id",
}
_SALE_ROLE = {"seller": "partner", "group": "partner", "rep": "rep", "buyer": "buyer", "reporter": "reporter"}
EARNER_COLUMN = {**_ROLE, "rep": "rep_id"}


@dataclass(slots=True, kw_only=True)
class Feed:
    """Editions that look at a line alike.

    own_dates: the days whose sales' returns stand on their own date. group_ways: for groups, how the group of a sale and of its
    return is read on days of the sale; elsewhere empty.
    """

    number: int
    earner: str
    own_dates: tuple[tuple[int, int], ...]
    group_ways: tuple[tuple[int, int, FactWay], ...]
    straight: bool
    editions: list[Edition]
    relation: str = "placed"
    conditions: Conditions = field(default_factory=Conditions)
    dated: bool = False
    products_dated: bool = False
    uses_products: bool = False

    @property
    def role(self) -> str:
        """The column of the lines whose partner the conditions on `partner.` read."""
        return _ROLE[self.earner]

    @property
    def classes(self) -> str:
        """The table of the earners' slices with their classes."""
        return f"earners_{self.number}_known"

    @property
    def products(self) -> str:
        """The table of the products' slices with their classes."""
        return f"products_{self.number}_known"

    @property
    def cards(self) -> str:
        """The table that lists, for a pair of classes, the rate cards that a line may meet."""
        return f"meets_{self.number}"


class Attributes:
    """What editions and their rate cards say, as SQL: a literal where all of a feed say the same, else a column of its table
    of rate cards.
    """

    def __init__(self, editions: Sequence[Edition], cards: Sequence[Card]) -> None:
        """cards: every rate card of the editions."""
        by_number = {edition.number: edition for edition in editions}
        self.cards = cards
        self._editions = [by_number[card.version] for card in cards]
        self.columns: dict[str, tuple[str, list[int | str]]] = {}

    def whole(self, column: str, give: Callable[[Edition], int]) -> str:
        """Write an integer."""
        return self._write(column, "BIGINT", [give(edition) for edition in self._editions], str)

    def text(self, column: str, give: Callable[[Edition], str]) -> str:
        """Write a text."""
        values = [give(edition) for edition in self._editions]
        return self._write(column, "VARCHAR", values, lambda value: quoted(str(value)))

    def whole_of_card(self, column: str, give: Callable[[Edition, Card], int]) -> str:
        """Write an integer that may differ from one rate card of an edition to the next."""
        values = [give(edition, card) for edition, card in zip(self._editions, self.cards, strict=True)]
        return self._write(column, "BIGINT", values, str)

    def _write(self, column: str, kind: str, values: Sequence[int | str], literal: Callable[[int | str], str]) -> str:
        if len(set(values)) == 1:
            return literal(values[0])
        self.columns[column] = (kind, list(values))
        return f"m.{column}"


def make_feeds(book: Book, days: tuple[date, date], is_straight: Callable[[Edition], bool]) -> list[Feed]:
    """Group the editions of the book into feeds; straight ones (see straight) apart. days: the first and the last with lines."""
    first, last = map(day_number, days)
    feeds: dict[tuple[object, ...], Feed] = {}
    for program in book.programs:
        editions = [book.editions[number] for number in program.editions]
        # Days without lines are left out of the spans, so that programs that differ only there share a feed.
        spans = [
            (DAY_MIN if each.since <= first else each.since, DAY_MAX if each.until > last else each.until, each)
            for each in editions
            if each.since <= last and each.until > max(first, each.since)
        ]
        own = tuple((since, until) for since, until, each in spans if each.terms.returns == "own_date")
        earner = editions[0].terms.earner
        ways = (
            *((since, until, fact_way(each)) for since, until, each in spans),
            (DAY_MIN, DAY_MAX, fact_way(editions[0])),
        )
        group_ways = () if earner != "group" else ways if len({way for *_, way in ways}) > 1 else ways[-1:]
        for edition in editions:
            relation, straight = relation_of(edition), is_straight(edition)
            made = Feed(
                number=len(feeds), earner=earner, own_dates=own, group_ways=group_ways, straight=straight, editions=[],
                relation=relation,
            )  # fmt: skip
            feeds.setdefault((earner, own, group_ways, relation, straight), made).editions.append(edition)
    return list(feeds.values())


def types_of(edition: Edition) -> int:
    """Give the set of line types (see source.line_type) that an edition takes, as bits."""
    if effective_day(edition) is not None:
        return sum(1 << each for each in range(1, len(KINDS) * len(STAGES) * 2 + 1))
    internals = (False, True) if edition.terms.internal else (False,)
    chosen = {
        line_type(kind, stage, internal)
        for kind in edition.terms.kinds for stage in edition.terms.stage for internal in internals
    }  # fmt: skip
    return sum(1 << each for each in chosen)


def is_wide(edition: Edition, rules: EditionRules) -> bool:
    """Tell whether a reason that comes before `lines` depends on the line itself, so that no line may be left out early."""
    terms = edition.terms
    loose = [word for word in terms.measure.per if word not in {"earner", "group", "line"}]
    return (
        bool(loose)
        or terms.settle.late in {"forfeit", "ask"}
        or edition.periods.fiscal is not None
        or rules.partners.rest is not None
        or rules.partners.product is not None
        or enrols_persons(edition)
    )


def enrols_persons(edition: Edition) -> bool:
    """Tell whether persons take part in an edition only while they are enrolled, which their seller's class cannot tell."""
    terms = edition.terms
    return terms.earner == "rep" and (terms.enrolled or any(entry.enrolled_from for entry in terms.inputs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The reference rows, and the number of every id; group_of: the group of a partner row."""

    partners: Rows
    products: Rows
    ids: Mapping[str, int]
    group_of: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a plan needs that no line decides: rules, reference rows and classes, for some days and for the ids known so far.

    Its tables stay in the session. They serve the next run there too if that has the same book, reference tables and columns of
    lines, and if its lines stand on these days and name nobody new.
    """

    book: Book
    references: Mapping[str, pa.Table]
    columns: Columns
    short: bool
    days: tuple[date, date]
    rules: Mapping[int, EditionRules]
    calendar: Calendar
    known: Known
    feeds: tuple[Feed, ...]
    findings: tuple[Finding, ...]

    def is_of(self, book: Book, tables: Tables, columns: Columns, *, short: bool) -> bool:
        """Tell whether it was laid for these programs and reference tables."""
        same = self.references.keys() == tables.references.keys() and all(
            table is tables.references[kind] for kind, table in self.references.items()
        )
        return same and self.book is book and self.columns == columns and self.short == short

    def bears(self, first: date, last: date, ids: AbstractSet[str]) -> bool:
        """Tell whether lines on these days that name these ids can stand on it."""
        return self.days[0] <= first and last <= self.days[1] and ids <= self.known.ids.keys()


def classify_feed(
    session: Session, feed: Feed, rules: Mapping[int, EditionRules], known: Known, days: tuple[date, date]
) -> None:
    """Make the classes of a feed: of earners, of products, and the rate cards that each pair of classes meets."""
    asked: list[tuple[Edition, EditionRules, tuple[int, ...]]] = []
    on_product = Conditions()
    on_product.way(("line", None, None))
    keys = []
    for edition in feed.editions:
        rule, way = rules[edition.number], fact_way(edition)
        measuring = rule.measuring or rule.lines
        keys.append(
            (
                feed.conditions.add(rule.partners.partner, way), feed.conditions.add(rule.lines.partner, way),
                feed.conditions.add(measuring.partner, way), on_product.add(rule.lines.product, ("line", None, None)),
                on_product.add(measuring.product, ("line", None, None)),
            )
        )  # fmt: skip
    for *_, way in feed.group_ways:
        feed.conditions.way(way)
    for edition, key in zip(feed.editions, keys, strict=True):
        places = tuple(feed.conditions.position(each) for each in key[:3]) + tuple(
            on_product.position(each) for each in key[3:]
        )
        asked.append((edition, rules[edition.number], places))
    slices = partner_slices(known.partners, feed.conditions, feed.editions, known.group_of, days)
    name = f"earners_{feed.number}"
    feed.dated = put_slices(session, name, slices, known.ids, len(feed.conditions.ways))
    classify(session, name, known.partners, feed.conditions, len(feed.editions))
    feed.uses_products = bool(on_product.rules)
    slices = partner_slices(known.products, on_product, [], {}, days) if feed.uses_products else []
    name = f"products_{feed.number}"
    feed.products_dated = put_slices(session, name, slices, {}, 1)
    classify(session, name, known.products, on_product, 0)
    _list_editions(session, feed, asked, known.partners.given)


def _list_editions(
    session: Session, feed: Feed, asked: list[tuple[Edition, EditionRules, tuple[int, ...]]], given: bool
) -> None:
    """Make, per class and edition: why its lines do not count (or gate: they only measure), and the truth of its conditions."""
    conditions, ways = len(feed.conditions.rules), len(feed.conditions.ways)
    rows = []
    for index, (edition, rule, places) in enumerate(asked):
        holds = conditions + feed.conditions.way(fact_way(edition)) + 1
        rows.append(
            {
                "edition": edition.number, "program": edition.program, "partners_at": places[0], "lines_at": places[1],
                "measuring_at": places[2], "product_at": places[3], "product_measuring_at": places[4], "holds_at": holds,
                "enrolled_at": conditions + ways + index + 1,
                "must_hold": int(given and edition.terms.earner != "rep"), "group_earner": int(edition.terms.earner == "group"),
                "types": types_of(edition), "since": edition.since, "until": edition.until,
                "wide": int(is_wide(edition, rule)), "rest": int(rule.lines.rest is not None),
                "rest_measuring": int(rule.measuring is not None and rule.measuring.rest is not None),
                "own_measuring": int(rule.measuring is not None), "defers": int(enrols_persons(edition)),
            }
        )  # fmt: skip
    kinds = {key: pa.int64() for key in rows[0]}
    session.put(f"editions_{feed.number}", pa.Table.from_pylist(rows, schema=pa.schema(list(kinds.items()))))

    def letter(at: str, none: str = "'1'") -> str:
        return f"CASE WHEN e.{at} = 0 THEN {none} ELSE substr(c.signature, e.{at}, 1) END"

    session.table(
        f"standing_{feed.number}",
        f"SELECT c.class, e.edition, CASE WHEN e.group_earner = 1 AND {letter('holds_at')} = 'n' THEN {CODE['earner_missing']} "
        f"WHEN e.must_hold = 1 AND {letter('holds_at')} = '0' THEN {CODE['earner_unknown']} "
        f"WHEN {letter('enrolled_at')} = '0' THEN {CODE['not_enrolled']} "
        f"WHEN {letter('enrolled_at')} = 'm' AND {letter('partners_at')} <> '1' THEN {CODE['not_enrolled']} "
        f"WHEN e.defers = 0 AND {letter('partners_at')} = '0' THEN {CODE['partners_rule']} "
        f"WHEN e.defers = 0 AND {letter('partners_at')} = '2' THEN {CODE['partners_unknown']} END AS reason, "
        f"CASE WHEN {letter('enrolled_at')} = 'm' THEN 1 ELSE 0 END AS gate, {letter('partners_at')} AS partners_truth, "
        f"{letter('lines_at')} AS lines_truth, {letter('measuring_at')} AS measuring_truth "
        f"FROM earners_{feed.number}_classes c CROSS JOIN editions_{feed.number} e",
    )
    session.table(
        f"product_standing_{feed.number}",
        f"SELECT c.class, e.edition, {letter('product_at')} AS lines_truth, {letter('product_measuring_at')} AS "
        f"measuring_truth "
        f"FROM products_{feed.number}_classes c CROSS JOIN editions_{feed.number} e",
    )


def both(left: str, right: str) -> str:
    """Write SQL's three-valued and over the letters 0, 1, 2."""
    return f"CASE WHEN {left} = '0' OR {right} = '0' THEN '0' WHEN {left} = '2' OR {right} = '2' THEN '2' ELSE '1' END"


def list_cards(session: Session, feed: Feed, attributes: Attributes) -> None:
    """Make the table of a feed that lists, for each pair of classes, the rate cards that a line may meet and what they say.

    A pair is listed where the line can still qualify or measure, and always where the edition is wide.
    """
    cards = attributes.cards
    columns: dict[str, pa.Array] = {
        "card": pa.array([card.number for card in cards], pa.int32()),
        "edition": pa.array([card.version for card in cards], pa.int64()),
        "since": pa.array([card.since for card in cards], pa.int32()),
        "until": pa.array([card.until for card in cards], pa.int32()),
    }
    for column, (kind, values) in attributes.columns.items():
        columns[column] = pa.array(values, pa.int64() if kind == "BIGINT" else pa.string())
    session.put(f"cards_{feed.number}", pa.table(columns))
    lines, measuring = both("a.lines_truth", "b.lines_truth"), both("a.measuring_truth", "b.measuring_truth")
    said = "".join(f", c.{column}" for column in attributes.columns)
    session.table(
        f"pairs_{feed.number}",
        f"SELECT a.class AS earner_class, b.class AS product_class, a.edition, a.gate, a.partners_truth, {lines} AS lines_truth, "
        f"{measuring} AS measuring_truth FROM standing_{feed.number} a JOIN product_standing_{feed.number} b "
        "ON b.edition = a.edition WHERE a.reason IS NULL",
    )
    session.table(
        feed.cards,
        "SELECT p.earner_class, p.product_class, CAST(p.edition AS INTEGER) AS edition, CAST(e.program AS INTEGER) AS program, "
        f"c.card, c.since, c.until, e.types, p.gate, p.partners_truth, p.lines_truth, p.measuring_truth{said} "
        f"FROM pairs_{feed.number} p JOIN editions_{feed.number} e ON e.edition = p.edition "
        f"JOIN cards_{feed.number} c ON c.edition = p.edition AND c.since < c.until WHERE {_explodes()}",
    )


def _explodes() -> str:
    return (
        "(e.wide = 1 OR p.lines_truth = '1' OR (p.lines_truth = '2' AND (e.rest = 1 OR e.own_measuring = 1)) OR "
        "(e.own_measuring = 1 AND "
        "(p.measuring_truth = '1' OR (p.measuring_truth = '2' AND e.rest_measuring = 1))))"
    )


def placed_lines(feed: Feed, source: Source) -> str:
    """Write the condition on `placed l` that keeps one place of each line, the one that the feed's editions look at."""
    if not source.has_sales_of_returns:
        return "TRUE"
    role = _SALE_ROLE[feed.earner]
    same = f"coalesce(l.sale_{role} = l.{EARNER_COLUMN[feed.earner]}, FALSE)"
    if feed.earner == "group":
        same = "coalesce(ours.group_no = theirs.group_no, FALSE)"
    owns = (
        " OR ".join(f"(l.sale_day >= {since} AND l.sale_day < {until})" for since, until in feed.own_dates) or "FALSE"
    )
    with_sale = f"({same} AND NOT ({owns}))"
    return f"(l.placing = {OWN} OR (l.placing = {WITH_SALE} AND {with_sale}) OR (l.placing = {OWN_OF_TWO} AND NOT {with_sale}))"


def class_joins(feed: Feed, source: Source) -> str:
    """Write the joins of `placed l` to the slices of its earner (e) and its product (p)."""
    on = " AND l.day >= {0}.since AND l.day < {0}.until"
    joins = f" LEFT JOIN {feed.classes} e ON e.id = l.{feed.role}" + (on.format("e") if feed.dated else "")
    if feed.uses_products:
        joins += f" LEFT JOIN {feed.products} p ON p.id = l.product_id" + (
            on.format("p") if feed.products_dated else ""
        )
    if feed.earner == "group" and source.has_sales_of_returns:
        for alias, seller in (("ours", "partner_id"), ("theirs", "sale_partner")):
            held = f"l.sale_day >= {alias}_on.since AND l.sale_day < {alias}_on.until"
            cases = " ".join(
                f"WHEN l.sale_day >= {since} AND l.sale_day < {until} THEN {alias}_on.row_{feed.conditions.ways[way]}"
                for since, until, way in feed.group_ways
            )
            joins += (
                f" LEFT JOIN {feed.classes} {alias}_on ON {alias}_on.id = l.{seller} AND {held} "
                f"LEFT JOIN partner_rows {alias} ON {alias}.row_no = CASE {cases} END"
            )
    return joins


def earner_class() -> str:
    """Write the class of the earner's slice."""
    return f"coalesce(e.class, {UNKNOWN_CLASS})"


def product_class(feed: Feed) -> str:
    """Write the class of the product's slice."""
    return f"coalesce(p.class, {UNKNOWN_CLASS})" if feed.uses_products else str(UNKNOWN_CLASS)


def count_early(session: Session, feed: Feed, source: Source) -> dict[int, dict[str, int]]:
    """Count, per program, the lines whose reason is known from their classes; the rest are counted on the pairs.

    Gives under "" the lines that got past them for editions that are not wide, less those of `lines_unknown` and those that
    `lines_rule` will turn out to be: the caller subtracts the pairs that were made.
    """
    cuts = sorted(
        {edge for edition in feed.editions for edge in (edition.since, edition.until) if edition.since < edition.until}
    )
    segment = " + ".join(f"CASE WHEN l.day >= {cut} THEN 1 ELSE 0 END" for cut in cuts) or "0"
    middle = [(cuts[index - 1] if index else None) for index in range(len(cuts) + 1)]
    governs = []
    for program in sorted({edition.program for edition in feed.editions}):
        for index, since in enumerate(middle):
            governing = [
                edition.number for edition in feed.editions
                if edition.program == program and since is not None and edition.since <= since < edition.until
            ]  # fmt: skip
            governs.append((program, index, governing[0] if governing else None))
    session.put(
        f"governs_{feed.number}",
        pa.table(
            {
                "program": pa.array([row[0] for row in governs], pa.int64()),
                "segment": pa.array([row[1] for row in governs], pa.int64()),
                "edition": pa.array([row[2] for row in governs], pa.int64()),
            }
        ),
    )
    unknown = _unknown_classes(session, feed)
    kept = (
        f"CASE WHEN {earner_class()} IN ({unknown[0]}) OR {product_class(feed)} IN ({unknown[1]}) THEN "
        f"{product_class(feed)} ELSE -1 END"
    )
    if unknown == ("NULL", "NULL"):
        kept = "-1"
    session.table(
        f"counted_{feed.number}",
        f"SELECT CAST({segment} AS BIGINT) AS segment, {earner_class()} AS earner_class, "
        f"l.{EARNER_COLUMN[feed.earner]} IS NULL AS missing, "
        f"l.type, {kept} AS product_class, count(*) AS lines FROM {feed.relation} l{class_joins(feed, source)} WHERE "
        f"{placed_lines(feed, source)} "
        "GROUP BY ALL",
    )
    return _read_counts(session, feed)


def _unknown_classes(session: Session, feed: Feed) -> tuple[str, str]:
    """List the classes of earners and of products for which some edition's `lines` is unknown by class alone."""
    listed = []
    for table, counts in ((f"standing_{feed.number}", "reason IS NULL"), (f"product_standing_{feed.number}", "TRUE")):
        found = session.rows(f"SELECT DISTINCT class FROM {table} WHERE lines_truth = '2' AND {counts} ORDER BY class")
        listed.append(", ".join(str(row[0]) for row in found) or "NULL")
    return listed[0], listed[1]


def _read_counts(session: Session, feed: Feed) -> dict[int, dict[str, int]]:
    kind = f"(g.type - 1) // {2 * len(STAGES)}"
    stage = f"((g.type - 1) // 2) % {len(STAGES)}"
    in_kinds = " OR ".join(
        f"(e.types & {sum(1 << line_type(each, other, inner) for other in STAGES for inner in (False, True))} <> "
        f"0 AND {kind} = {index})"
        for index, each in enumerate(KINDS)
    )
    in_stages = " OR ".join(
        f"(e.types & {sum(1 << line_type(other, each, inner) for other in KINDS for inner in (False, True))} <> 0 "
        f"AND {stage} = {index})"
        for index, each in enumerate(STAGES)
    )
    truth = both("s.lines_truth", "q.lines_truth")
    rows = session.rows(
        "SELECT program, wide, reason, CAST(sum(lines) AS BIGINT) FROM ("
        f"SELECT v.program, e.wide, g.lines, CASE WHEN v.edition IS NULL THEN {CODE['outside_validity']} "
        f"WHEN NOT coalesce({in_kinds}, FALSE) THEN {CODE['kind']} WHEN NOT coalesce({in_stages}, FALSE) THEN {CODE['stage']} "
        f"WHEN (e.types >> g.type) & 1 = 0 THEN {CODE['internal']} WHEN g.missing THEN {CODE['earner_missing']} "
        "WHEN s.reason IS NOT NULL THEN s.reason "
        f"WHEN s.gate = 1 AND e.wide = 0 THEN {CODE['not_enrolled']} "
        f"WHEN e.wide = 0 AND e.rest = 0 AND e.own_measuring = 0 AND g.product_class >= 0 AND {truth} = '2' THEN "
        f"{CODE['lines_unknown']} END AS reason "
        f"FROM counted_{feed.number} g JOIN governs_{feed.number} v ON v.segment = g.segment "
        f"LEFT JOIN editions_{feed.number} e ON e.edition = v.edition "
        f"LEFT JOIN standing_{feed.number} s ON s.edition = v.edition AND s.class = g.earner_class "
        f"LEFT JOIN product_standing_{feed.number} q ON q.edition = v.edition AND q.class = g.product_class) GROUP BY ALL"
    )
    counts: dict[int, dict[str, int]] = {}
    for program, wide, reason, lines in rows:
        reasons = counts.setdefault(int(str(program)), {})
        if reason is None and wide:
            continue
        label = "" if reason is None else REASONS[int(str(reason))]
        reasons[label] = reasons.get(label, 0) + int(str(lines))
    return counts


def residual(parts: Parts, spell: Callable[[str], str]) -> str:
    """Write the truth of what is left of a rule on the pair: '1', '0' or '2'; '1' where nothing is left."""
    if parts.rest is None:
        return "'1'"
    condition = parts.rest.to_sql(spell)
    return f"CASE WHEN {condition} THEN '1' WHEN NOT ({condition}) THEN '0' ELSE '2' END"
