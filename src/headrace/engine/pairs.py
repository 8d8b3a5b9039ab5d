"""The pairs of line and edition with their values: what each line measures, what it earns on, and its place in its scope.

One row of `pairs` per line and edition that may meet: program, edition, card, s (scope), period, k (place in the order), n and
line_id, earner_no, payee_no, m, b, u (see docs/semantics.md §4), reason (null: the line qualifies), measures, and what the
schedule asks for beside them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headrace.engine.book import DAY_MAX, Book, Calendar, Card, Edition, day_number
from headrace.engine.facts import fact_way, facts_as_of
from headrace.engine.findings import Finding
from headrace.engine.qualify import (
    CODE,
    EARNER_COLUMN,
    Attributes,
    Feed,
    Ground,
    Known,
    class_joins,
    earner_class,
    enrols_persons,
    is_wide,
    placed_lines,
    product_class,
    residual,
)
from headrace.engine.rulebook import EditionRules
from headrace.engine.schema import LINES
from headrace.engine.session import name, text
from headrace.engine.source import Source
from headrace.engine.values import Needs, Values
from headrace.engine.words import ID_WORDS, Scopes, line_column, product_column


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the SQL of pairs is made from."""

    ground: Ground
    source: Source
    scopes: Scopes
    money: Mapping[int, str | None]
    needs: Needs
    findings: tuple[Finding, ...]

    @property
    def book(self) -> Book:
        """The programs."""
        return self.ground.book

    @property
    def calendar(self) -> Calendar:
        """Their periods."""
        return self.ground.calendar

    @property
    def rules(self) -> Mapping[int, EditionRules]:
        """The rules of each edition."""
        return self.ground.rules

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The editions by how they look at a line."""
        return self.ground.feeds

    @property
    def known(self) -> Known:
        """The reference rows."""
        return self.ground.known

    @property
    def days(self) -> tuple[int, int]:
        """The first and the last day that a line can be placed on."""
        return day_number(self.source.first_day), day_number(self.source.last_day)

    @property
    def place_type(self) -> str:
        """The type of places: wide enough for every day, line and return."""
        first, last = self.days
        return "BIGINT" if (last - first + 2) * self.source.order.span * self.step < 2**62 else "HUGEINT"

    @property
    def step(self) -> int:
        """How many places one line has in the order: itself and the returns that name it."""
        return self.source.returns_per_sale_max + 1


def line_spelling(column: str) -> str:
    """Spell a column of the lines as `base` and `placed` do."""
    return name(column) if column in LINES else name(f"x_{column}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """What stands in the place of the present periods where baselines are measured.

    definitions: of each edition, under which the days of its windows are listed; a window has the number of the period that is
    compared with it. cards: the rate cards of the editions as if they had always been in force.
    """

    definitions: Mapping[int, int]
    cards: Sequence[Card]


class PairsOf:
    """Writes the SQL of one feed's pairs."""

    def __init__(self, plan: Plan, feed: Feed, windows: Windows | None = None) -> None:
        """windows: for baselines; null for the present."""
        self.plan = plan
        self._windows = windows
        self.feed = feed
        numbers = {edition.number for edition in feed.editions}
        cards = plan.book.cards if windows is None else windows.cards
        self.attributes = Attributes(feed.editions, [card for card in cards if card.version in numbers])
        self._joins: dict[str, str] = {}

    def select(self) -> str:
        """Write the query."""
        inner = {
            "program": "m.program", "edition": "m.edition", "card": "m.card", "k": self._place(), "n": "l.n",
            "line_id": "l.line_id", "occurred_on": "l.occurred_on", "day": "l.day", "kind": "l.kind",
            "period": self.period(), "earner_no": self._earner(), "gate": self._gate(),
            "early": self._early_reason(),
            "lines_truth": self._truth("lines_rest", "m.lines_truth", lambda rule: residual(rule.lines, self.spell)),
            "measuring_truth": self._measuring(),
        }  # fmt: skip
        inner["s"] = self._scope(inner["period"])
        inner["payee_no"], fallback = self._payee(inner["earner_no"])
        if self.plan.needs.payee:
            inner["payee_missing"] = fallback
        inner.update(Values(self).columns())
        if self._windows:
            inner["frozen"] = self._frozen()
        select = ", ".join(f"{expression} AS {column}" for column, expression in inner.items())
        joins = class_joins(self.feed, self.plan.source) + self._card_join() + "".join(self._joins.values())
        kept = [
            column
            for column in inner
            if column not in {"early", "lines_truth", "measuring_truth", "gate", "valued", "frozen"}
        ]
        reason = (
            f"CASE WHEN gate = 1 AND (early IS NULL OR early > {CODE['not_enrolled']}) THEN {CODE['not_enrolled']} "
            "WHEN early IS NOT NULL THEN early "
            f"WHEN lines_truth = '0' THEN {CODE['lines_rule']} WHEN lines_truth = '2' THEN "
            f"{CODE['lines_unknown']} ELSE valued END"
        )
        measures = "early IS NULL AND measuring_truth = '1' AND valued IS NULL" + (
            " AND NOT frozen" if self._windows else ""
        )
        return (
            f"SELECT {', '.join(kept)}, CAST({reason} AS INTEGER) AS reason, ({measures}) AS measures, gate FROM ("
            f"SELECT {select} FROM {self.feed.relation} l{joins} WHERE {placed_lines(self.feed, self.plan.source)} "
            f"AND l.{EARNER_COLUMN[self.feed.earner]} IS NOT NULL)"
        )

    def _frozen(self) -> str:
        """Write whether a line was known too late for a baseline that is frozen."""
        frozen = [edition.terms.measure.growth for edition in self.feed.editions]
        days = {
            edition.number: DAY_MAX if growth is None or growth.frozen_on is None else day_number(growth.frozen_on)
            for edition, growth in zip(self.feed.editions, frozen, strict=True)
        }
        until = self.attributes.whole("frozen_until", lambda edition: days[edition.number])
        known = "CAST(coalesce(l.received_on, l.occurred_on) - DATE '1970-01-01' AS INTEGER)"
        return f"{known} > {until}"

    def join(self, key: str, sql: str) -> None:
        """Ask for a join, once."""
        self._joins.setdefault(key, sql)

    def spell(self, declared: str) -> str:
        """Spell a column that a rule names, on the pair."""
        owner, _, column = declared.partition(".")
        if owner == "line":
            return f"l.{line_spelling(column)}"
        if owner == "product":
            self.product_row()
            return f"pr.{name(f'c_{column}')}"
        if owner == "deal":
            self._deal_row()
            return f"dl.{name(f'c_{column}')}"
        if owner == "partner":
            self.earner_row()
            return f"er.{name(f'c_{column}')}"
        alias = {"seller": "sr", "buyer": "br"}[owner]
        key = {"seller": "partner_id", "buyer": "buyer_id"}[owner]
        self._party_row(alias, key)
        return f"{alias}.{name(f'c_{column}')}"

    def record(self, columns: Mapping[str, str], where: str) -> str:
        """Write a query of columns spelled on the lines of the feed; for a feed of one edition, whose attributes are literals.

        The expressions must have been spelled by this object, so that their joins are known.
        """
        select = ", ".join(f"{expression} AS {name(column)}" for column, expression in columns.items())
        joins = class_joins(self.feed, self.plan.source) + "".join(self._joins.values())
        placed = placed_lines(self.feed, self.plan.source)
        return f"SELECT {select} FROM {self.feed.relation} l{joins} WHERE {placed} AND {where}"

    def earner_row(self) -> None:
        """Join the row of the earner (er) that its edition's facts ask for."""
        ways = self.feed.conditions.ways
        way = self.attributes.whole("way", lambda edition: ways[fact_way(edition)])
        row = f"CASE {way} " + " ".join(f"WHEN {index} THEN e.row_{index}" for index in ways.values()) + " END"
        row = "e.row_0" if len(ways) == 1 else row
        self.join("er", f" LEFT JOIN partner_rows er ON er.row_no = coalesce({row}, 0)")

    def product_row(self) -> None:
        """Join the row of the product (pr) that holds on the day of the line's place."""
        on = " AND l.day >= pr.since AND l.day < pr.until"
        self.join("pr", f" LEFT JOIN product_rows pr ON pr.id = l.product_id{on}")

    def _party_row(self, alias: str, key: str) -> None:
        day = self.fact_day()
        on = f"{alias}.id = l.{key} AND {day} >= {alias}.since AND {day} < {alias}.until"
        self.join(alias, f" LEFT JOIN partner_rows {alias} ON {on}")

    def fact_day(self) -> str:
        """Write the day on which facts of the seller and the buyer are read."""
        asked = {facts_as_of(edition) for edition in self.feed.editions}
        days = {}
        if "period_start" in asked:
            days["period_start"] = f"{self.span()}.since"
        if "period_end" in asked:
            days["period_end"] = f"{self.span()}.until - 1"
        if "enrolment" in asked:
            days["enrolment"] = f"{self._enrolment()}.since"
        if not days:
            return "l.day"
        way = self.attributes.text("facts", facts_as_of)
        cases = " ".join(f"WHEN {text(each)} THEN {day}" for each, day in days.items())
        return f"coalesce(CASE {way} {cases} END, l.day)"

    def _enrolment(self) -> str:
        """Join the enrolment of the earner in the edition (since, until; null where it has none)."""
        edition, earner = self.attributes.whole("of_edition", lambda each: each.number), self._earner()
        self.join("en", f" LEFT JOIN enrolments en ON en.edition = {edition} AND en.no = {earner}")
        return "en"

    def _gate(self) -> str:
        """Write whether the line only measures (1), since it came before an enrolment that counts from the program's start."""
        if not any(enrols_persons(edition) for edition in self.feed.editions):
            return "m.gate"
        counts = self.attributes.whole("counts_early", lambda each: int(each.terms.counts_from == "program"))
        return f"CASE WHEN {counts} = 1 AND l.day < {self._enrolment()}.since THEN 1 ELSE m.gate END"

    def _not_enrolled(self) -> str:
        """Write whether a person does not take part, for editions that enrol persons."""
        counts = self.attributes.whole("counts_early", lambda each: int(each.terms.counts_from == "program"))
        enrols = self.attributes.whole("enrols_persons", lambda each: int(enrols_persons(each)))
        strictly = self.attributes.whole("strictly", lambda each: int(each.terms.enrolled))
        enrolment = self._enrolment()
        return (
            f"{enrols} = 1 AND CASE WHEN {enrolment}.no IS NULL THEN {strictly} = 1 "
            f"ELSE l.day >= {enrolment}.until OR (l.day < {enrolment}.since AND {counts} = 0) END"
        )

    def _deal_row(self) -> None:
        self.join(
            "dl",
            " LEFT JOIN deal_rows dl ON dl.id = l.deal_id AND l.day >= dl.since AND l.day < dl.until "
            "AND (dl.c_status IS NULL OR dl.c_status = 'approved') "
            "AND (dl.c_partner_id IS NULL OR dl.c_partner_id = l.partner_id) "
            "AND (dl.c_customer_id IS NULL OR dl.c_customer_id = l.customer_id) "
            "AND (dl.c_product_id IS NULL OR dl.c_product_id = l.product_id)",
        )

    def _card_join(self) -> str:
        return (
            f" JOIN {self.feed.cards} m ON m.earner_class = {earner_class()} AND m.product_class = {product_class(self.feed)} "
            "AND l.day >= m.since AND l.day < m.until AND (m.types >> l.type) & 1 = 1"
        )

    def _place(self) -> str:
        plan, kind = self.plan, self.plan.place_type
        if self.feed.relation != "placed":
            return f"CAST(l.place_n AS {kind})"
        day = f"CAST(l.day - ({plan.days[0]}) AS {kind})"
        place = f"({day} * CAST({plan.source.order.span} AS {kind}) + l.place_n)"
        return place if plan.step == 1 else f"({place} * {plan.step} + l.seq)"

    def period(self) -> str:
        definition = self.attributes.whole("definition", self._definition)
        self.join("d", f" LEFT JOIN days d ON d.definition = {definition} AND d.day = l.day")
        return "d.period"

    def span(self) -> str:
        """Join the first day of the line's period and the day after its last (since, until; null at an open end)."""
        self.period()
        table = "period_days ps ON" if self._windows is None else "window_spans ps ON ps.definition = d.definition AND"
        self.join("ps", f" LEFT JOIN {table} ps.period = d.period")
        return "ps"

    def _definition(self, edition: Edition) -> int:
        if self._windows is not None:
            return self._windows.definitions[edition.number]
        return self.plan.calendar.definitions[edition.periods]

    def _earner(self) -> str:
        if self.feed.earner == "rep":
            self.join("ri", " LEFT JOIN ids ri ON ri.id = l.rep_id")
            return "ri.no"
        if self.feed.earner == "group":
            self.earner_row()
            return "er.group_no"
        return "e.no"

    def _scope(self, period: str) -> str:
        shapes, scopes = self.plan.book.shapes, self.plan.scopes
        kinds = sorted({shapes[edition.shape].per for edition in self.feed.editions})
        values = {word: self._word(word) for per in kinds for word in per}
        if scopes.type == "BIGINT":
            offset = self.attributes.whole("scope_offset", lambda edition: scopes.offsets[edition.shape])
        else:
            offset = self.attributes.text("scope_offset", lambda edition: str(scopes.offsets[edition.shape]))
        written = [scopes.number(per, period, values, offset) for per in kinds]
        if len(kinds) == 1:
            return written[0]
        chosen = self.attributes.whole("scope_kind", lambda edition: kinds.index(shapes[edition.shape].per))
        return f"CASE {chosen} " + " ".join(f"WHEN {kind} THEN {sql}" for kind, sql in enumerate(written)) + " END"

    def _word(self, word: str) -> str:
        if word == "earner":
            return self._earner()
        if word == "group":
            self.earner_row()
            return f"coalesce(er.group_no, {self._earner()})"
        alias = f"w_{self.plan.book.words.index(word)}"
        if word in ID_WORDS:
            self.join(alias, f" LEFT JOIN ids {alias} ON {alias}.id = l.{word}_id")
            return f"{alias}.no"
        column = line_column(word)
        table = self.plan.scopes.words[word].table
        if column is not None:
            value = f"CAST(l.{line_spelling(column)} AS VARCHAR)"
        else:
            self.product_row()
            value = f"CAST(pr.{name(f'c_{product_column(word)}')} AS VARCHAR)"
        self.join(alias, f" LEFT JOIN {table} {alias} ON {alias}.value = {value}")
        return f"{alias}.no"

    def _payee(self, earner: str) -> tuple[str, str]:
        """Write who is paid, and whether that had to be the earner because nobody else was found.

        Persons are numbered past all partners, so that a person and a partner of one id stay two payees.
        """
        own = f"({earner} + {len(self.plan.known.ids)})" if self.feed.earner == "rep" else earner
        paid = {edition.terms.paid_to for edition in self.feed.editions}
        if paid == {"earner"}:
            return own, "FALSE"
        self.earner_row()
        written = {"earner": own, "parent": "er.parent_no", "group_head": "er.group_no", "distributor": "NULL"}
        if "distributor" in paid:
            self.join("rp", " LEFT JOIN ids rp ON rp.id = l.reporter_id")
            written["distributor"] = f"coalesce(CASE WHEN rp.no <> {earner} THEN rp.no END, er.parent_no)"
        chosen = self.attributes.text("paid_to", lambda edition: edition.terms.paid_to)
        cases = " ".join(f"WHEN {text(key)} THEN {written[key]}" for key in sorted(paid))
        found = f"CASE {chosen} {cases} END"
        return f"coalesce({found}, {own})", f"({found} IS NULL)"

    def _truth(self, column: str, of_classes: str, of_pair: Callable[[EditionRules], str]) -> str:
        """Write the truth of a rule: that of the classes and that of what is left of it on the pair."""
        written = {edition.number: of_pair(self.plan.rules[edition.number]) for edition in self.feed.editions}
        distinct = sorted(set(written.values()))
        if distinct == ["'1'"]:
            return of_classes
        chosen = self.attributes.whole(column, lambda edition: distinct.index(written[edition.number]))
        rest = f"CASE {chosen} " + " ".join(f"WHEN {index} THEN {sql}" for index, sql in enumerate(distinct)) + " END"
        return (
            f"CASE WHEN {of_classes} = '0' OR ({rest}) = '0' THEN '0' WHEN {of_classes} = '2' OR ({rest}) = "
            f"'2' THEN '2' ELSE '1' END"
        )

    def _measuring(self) -> str:
        return self._truth(
            "measuring_rest", "m.measuring_truth", lambda rule: residual(rule.measuring or rule.lines, self.spell)
        )

    def _early_reason(self) -> str:
        """Write the reason that comes before `lines` and depends on the line; null where there is none."""
        wide = [edition for edition in self.feed.editions if is_wide(edition, self.plan.rules[edition.number])]
        if not wide:
            return "CAST(NULL AS INTEGER)"
        cases: list[str] = []
        known = "'1'"
        if any(enrols_persons(edition) for edition in wide):
            cases.append(f"WHEN {self._not_enrolled()} THEN {CODE['not_enrolled']}")
            known = "m.partners_truth"
        partners = self._truth("partners_rest", known, self._partners_rest)
        if partners != "'1'":
            cases.append(
                f"WHEN ({partners}) = '0' THEN {CODE['partners_rule']} WHEN ({partners}) = '2' THEN {CODE['partners_unknown']}"
            )
        missing = self._missing_word()
        if missing:
            cases.append(f"WHEN {missing} THEN {CODE['scope_missing']}")
        cases.append(f"WHEN {self.period()} IS NULL THEN {CODE['no_period']}")
        late = self._late()
        if late:
            cases.append(f"WHEN {late} THEN {CODE['late']}")
        return f"CASE {' '.join(cases)} END"

    def _partners_rest(self, rule: EditionRules) -> str:
        if rule.partners.product is not None:
            spelled = rule.partners.product.to_sql(self.spell)
            on_product = f"CASE WHEN {spelled} THEN '1' WHEN NOT ({spelled}) THEN '0' ELSE '2' END"
            rest = residual(rule.partners, self.spell)
            return (
                f"CASE WHEN ({on_product}) = '0' OR ({rest}) = '0' THEN '0' WHEN ({on_product}) = '2' OR "
                f"({rest}) = '2' THEN '2' ELSE '1' END"
            )
        return residual(rule.partners, self.spell)

    def _missing_word(self) -> str:
        cases: dict[int, str] = {}
        for shape in sorted({edition.shape for edition in self.feed.editions}):
            words = [word for word in self.plan.book.shapes[shape].per if word not in {"earner", "group", "line"}]
            cases[shape] = " OR ".join(f"{self._word(word)} IS NULL" for word in words) or "FALSE"
        if len(set(cases.values())) == 1:
            return next(iter(cases.values())) if next(iter(cases.values())) != "FALSE" else ""
        chosen = self.attributes.whole("shape", lambda edition: edition.shape)
        return f"CASE {chosen} " + " ".join(f"WHEN {shape} THEN {sql}" for shape, sql in cases.items()) + " END"

    def _late(self) -> str:
        """Write whether a line came too late for its period, for editions that forfeit such lines."""
        strict = [each.terms.settle.late in {"forfeit", "ask"} for each in self.feed.editions]
        if not any(strict):
            return ""
        grace = self.attributes.whole(
            "grace", lambda each: each.terms.settle.grace_days if each.terms.settle.late in {"forfeit", "ask"} else -1
        )
        received = "CAST(l.received_on - DATE '1970-01-01' AS INTEGER)"
        return f"coalesce({grace} >= 0 AND {received} >= {self.span()}.until + {grace}, FALSE)"
