"""The values of a line that a program measures and pays on, in the program's money.

Writes, for the pairs of one feed: m (measure), b (base), u (units), whether a value or an exchange rate is missing, and the
further columns that some schedule of the run asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.engine.book import Book, Card, Edition, day_number
from headrace.engine.numeric import SUM, product_fx, product_line, round6
from headrace.engine.qualify import CODE
from headrace.engine.session import name
from headrace.engine.terms.model import Terms, Tier

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from headrace.engine.pairs import PairsOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the programs of a run ask of the plan beside measure, base and units; what nobody asks for is not carried."""

    special: bool
    boosts: bool
    verify: bool
    table: bool
    quantity_max: bool
    currency: bool
    quantity_sign: bool
    payee: bool
    free: bool
    against: bool
    authorised: bool
    rolling: bool
    distinct: tuple[str, ...]


def needs_of(book: Book, money: Mapping[int, str | None], currencies: int, deal_columns: Collection[str]) -> Needs:
    """Find out what the programs of a book ask for. currencies: how many the lines have."""
    all_terms = [edition.terms for edition in book.editions]
    tables = [row for card in book.cards for row in card.table]
    return Needs(
        special=any(has_special_prices(edition) for edition in book.editions),
        boosts=any(terms.schedule.boosts for terms in all_terms),
        verify=any(terms.verify for terms in all_terms),
        table=bool(tables),
        quantity_max=any(row.quantity_max is not None for row in tables),
        currency=currencies > 1 and any(each is None for each in money.values()),
        quantity_sign=any(
            terms.limits.line.floor is not None or terms.limits.line.cap is not None for terms in all_terms
        ),
        payee=any(terms.paid_to != "earner" for terms in all_terms),
        free=any(terms.schedule.free is not None for terms in all_terms),
        against=any(is_against(terms) for terms in all_terms),
        authorised="quantity" in deal_columns and "authorization" in book.words,
        rolling=any(terms.schedule.mode == "rolling" for terms in all_terms),
        distinct=distinct_words(book),
    )


def is_against(terms: Terms) -> bool:
    """Tell whether edges or rates of a version depend on the scope or the earner."""
    return (
        terms.measure.growth is not None
        or terms.measure.target is not None
        or terms.limits.prorate in {"edges", "both"}
        or any(entry.rate is not None for entry in terms.inputs)
    )


UNITS = "DECIMAL(19, 6)"
_RETURNS = "('return', 'purchase_return')"
_NO_REASON = "CAST(NULL AS INTEGER)"
_MONEY = frozenset({"amount", "gross", "cost", "margin"})


def base_word(terms: Terms) -> str:
    """Give what the rate multiplies; `growth` stands for the measure itself."""
    if terms.schedule.price_change is not None:
        return "quantity"
    if terms.pays_on is not None:
        return terms.pays_on
    of = terms.measure.of
    return of if of in _MONEY or of.startswith("price_list.") else "amount"


def unit_word(terms: Terms) -> str:
    """Give what a per-unit amount multiplies."""
    for word in (terms.measure.of, terms.pays_on or ""):
        if word == "count" or word.startswith("distinct "):
            return word
    return "quantity"


def is_special(tier: Tier) -> bool:
    """Tell whether a tier names a special price."""
    return tier.down_to is not None or tier.down_by is not None or tier.margin_to is not None


def has_special_prices(edition: Edition) -> bool:
    """Tell whether some rate card of an edition names a special price."""
    schedule = edition.terms.schedule
    return any(is_special(tier) for tiers in (schedule.tiers, *(c.tiers for c in schedule.changes)) for tier in tiers)


def special_words(edition: Edition, card: Card) -> tuple[str, ...]:
    """Give the values that the special prices of a rate card of an edition need."""
    basis = edition.terms.schedule.cost_basis
    words = {basis for tier in card.tiers if tier.down_to is not None or tier.margin_to is not None}
    words |= {"amount" for tier in card.tiers if tier.margin_to is not None}
    return tuple(sorted(words))


def editions_on_fifo(book: Book) -> list[Edition]:
    """Give the editions of which some rate card needs the cost of the stock that was sold."""
    needing = {card.version for card in book.cards if "fifo" in special_words(book.editions[card.version], card)}
    return [book.editions[number] for number in sorted(needing)]


def fifo_moneys(book: Book, money: Mapping[int, str | None]) -> list[tuple[str, int]]:
    """Give the moneys, with the age of quotes, in which some edition wants the cost of the stock that was sold."""
    return [(money[each.number] or "", each.terms.convert.age_days_max) for each in editions_on_fifo(book)]


def measured_words(terms: Terms) -> tuple[str, ...]:
    """Give what the measure adds up, and what it takes off."""
    return ("on_hand",) if terms.schedule.price_change is not None else (terms.measure.of, *terms.measure.minus)


def distinct_words(book: Book) -> tuple[str, ...]:
    """Give every `distinct` word that some edition of the book measures or pays on."""
    words = {
        word
        for edition in book.editions
        for word in (edition.terms.measure.of, *edition.terms.measure.minus, edition.terms.pays_on or "")
        if word.startswith("distinct ")
    }
    return tuple(sorted(words))


def boost_digits(edition: Edition) -> int:
    """Give the decimals that the boosts of an edition need."""
    exponents = [
        -int(str(boost.factor.normalize().as_tuple().exponent))
        for boost in edition.terms.schedule.boosts
        if boost.factor
    ]
    return max(0, *exponents) if exponents else 0


class Values:
    """Writes the columns of one feed."""

    def __init__(self, pairs: PairsOf) -> None:
        self._pairs = pairs
        self._feed = pairs.feed
        self._plan = pairs.plan

    def columns(self) -> dict[str, str]:
        """Write every column of values by name."""
        written = self._values()
        needs = self._plan.needs
        if needs.special:
            written |= self._special()
        if needs.boosts:
            written["boost"] = self._boost()
        if needs.verify:
            written["verified"] = self._verified()
        if needs.table:
            written["table_row"] = self._table_row()
        if needs.currency:
            written["currency"] = "l.currency"
        if needs.authorised:
            written["authorised"] = self._authorised()
        if needs.quantity_sign:
            written["backwards"] = "l.quantity < 0"
        for index, word in enumerate(needs.distinct):
            written[f"distinct_{index}"] = f"CAST({self._pairs.spell(word.removeprefix('distinct '))} AS VARCHAR)"
        if needs.distinct:
            written["moved"] = (
                "CASE WHEN l.kind IN ('training', 'referral') THEN CAST(1 AS DECIMAL(18, 6)) ELSE l.quantity END"
            )
        return written

    @property
    def narrow(self) -> bool:
        """Tell whether the measure of every edition is one value of the line as it stands, and so a LINE."""
        as_it_stands = {"quantity", "count"} | (set() if self._converts() else {"amount", "gross", "cost"})
        return all(
            each.terms.measure.of in as_it_stands and not each.terms.measure.minus for each in self._feed.editions
        )

    @property
    def always_there(self) -> bool:
        """Tell whether no line can lack a value that an edition needs."""
        return all(
            self._missing({each.terms.measure.of, base_word(each.terms), unit_word(each.terms)}) == _NO_REASON
            for each in self._feed.editions
        )

    def line_values(self) -> list[str]:
        """Write the values that narrow measures are."""
        return [self._value(word) for word in sorted({each.terms.measure.of for each in self._feed.editions})]

    def _values(self) -> dict[str, str]:
        def of(edition: Edition) -> tuple[tuple[str, ...], str, str]:
            return measured_words(edition.terms), base_word(edition.terms), unit_word(edition.terms)

        shapes = sorted({of(edition) for edition in self._feed.editions})
        columns: dict[str, list[str]] = {"m": [], "b": [], "u": []}
        for measured, base, unit in shapes:
            m = f"CAST({' - '.join(self._value(word) for word in measured)} AS {SUM})"
            if self._feed.straight and self.narrow:
                m = self._value(measured[0])
            columns["m"].append(m)
            columns["b"].append(m if base == "growth" else f"CAST({self._value(base)} AS {SUM})")
            columns["u"].append(f"CAST({self._value(unit)} AS {UNITS})")
        written = {
            key: self._of_shape("values_of", lambda each: shapes.index(of(each)), sqls) for key, sqls in columns.items()
        }
        return written | {"valued": self._valued()}

    def _valued(self) -> str:
        """Write the reason why the line has no value, by what its own rate card needs."""

        def needed(edition: Edition, card: Card) -> str:
            terms = edition.terms
            words = {*measured_words(terms), base_word(terms), unit_word(terms), *special_words(edition, card)}
            return self._missing(words)

        by_number = {edition.number: edition for edition in self._feed.editions}
        reasons = sorted({needed(by_number[card.version], card) for card in self._pairs.attributes.cards})
        if len(reasons) == 1:
            return reasons[0]
        chosen = self._pairs.attributes.whole_of_card("valued_by", lambda each, card: reasons.index(needed(each, card)))
        return f"CASE {chosen} " + " ".join(f"WHEN {index} THEN {sql}" for index, sql in enumerate(reasons)) + " END"

    def _of_shape(self, column: str, shape: Callable[[Edition], int], written: list[str]) -> str:
        """Write the one of several expressions that an edition means."""
        if len(set(written)) == 1:
            return written[0]
        chosen = self._pairs.attributes.whole(column, shape)
        return f"CASE {chosen} " + " ".join(f"WHEN {index} THEN {sql}" for index, sql in enumerate(written)) + " END"

    def _missing(self, words: set[str]) -> str:
        """Write the reason why a line has no value: an input is null, or money has no exchange rate."""
        nulls = sorted({f"{column} IS NULL" for word in words for column in self._inputs(word)})
        unquoted = []
        if "fifo" in words:
            nulls.append(f"({self._fifo('cost')} IS NULL AND NOT coalesce({self._fifo('unquoted')}, FALSE))")
            unquoted.append(self._fifo("unquoted"))
        if self._converts() and words & _MONEY:
            unquoted.append(f"{self._rate()} IS NULL")
        cases = f"WHEN {' OR '.join(nulls)} THEN {CODE['value_missing']} " if nulls else ""
        cases += f"WHEN {' OR '.join(unquoted)} THEN {CODE['no_exchange_rate']} " if unquoted else ""
        return f"CASE {cases}END" if cases else _NO_REASON

    def _inputs(self, word: str) -> tuple[str, ...]:
        if word.startswith("price_list."):
            self._pairs.product_row()
            return (f"pr.{name('c_' + word.partition('.')[2])}",)
        return {"gross": ("l.gross_amount",), "cost": ("l.cost",), "margin": ("l.cost",)}.get(word, ())

    def _value(self, word: str) -> str:
        """Write one value in the program's money; distinct counts come with the running measure."""
        if word in {"quantity", "on_hand"}:
            return "l.quantity"
        if word == "fifo":
            return self._fifo("cost")
        if word == "count":
            count = f"CASE WHEN l.kind IN {_RETURNS} THEN -1 WHEN l.kind = 'stock_count' THEN 0 ELSE 1 END"
            return f"CAST({count} AS DECIMAL(18, 6))"
        if word == "margin":
            return f"(CAST({self._converted('l.amount')} AS {SUM}) - CAST({self._converted('l.cost')} AS {SUM}))"
        if word.startswith("price_list."):
            return round6(product_line("l.quantity", self._inputs(word)[0]))
        money = {"amount": "l.amount", "gross": "l.gross_amount", "cost": "l.cost"}
        return self._converted(money[word]) if word in money else "CAST(0 AS DECIMAL(18, 6))"

    def _fifo(self, column: str) -> str:
        """Write what is known of the cost of the stock that the line sold."""
        pairs = self._pairs
        money = pairs.attributes.text("money", lambda edition: self._plan.money[edition.number] or "")
        age = pairs.attributes.whole("age_days_max", lambda edition: edition.terms.convert.age_days_max)
        pairs.join("fc", f" LEFT JOIN fifo_costs fc ON fc.n = l.n AND fc.money = {money} AND fc.age = {age}")
        return f"fc.{column}"

    def _special(self) -> dict[str, str]:
        """Write what special prices are made of: cost, amount and quantity."""
        bases = sorted({self._cost_basis(each) for each in self._feed.editions})
        costs = [f"CAST({self._value(basis)} AS {SUM})" for basis in bases]
        chosen = self._of_shape("cost_basis", lambda each: bases.index(self._cost_basis(each)), costs)
        return {
            "cost": chosen,
            "amount": f"CAST({self._value('amount')} AS {SUM})",
            "quantity": f"CAST(l.quantity AS {SUM})",
        }

    def _cost_basis(self, edition: Edition) -> str:
        return edition.terms.schedule.cost_basis if has_special_prices(edition) else "none"

    def _converts(self) -> bool:
        """Tell whether some line may be in another currency than some edition's money."""
        wanted = {self._plan.money[each.number] for each in self._feed.editions} - {None}
        return any(set(self._plan.source.currencies) - {money} for money in wanted)

    def _converted(self, column: str) -> str:
        return product_fx(column, self._rate()) if self._converts() else column

    def exchange(self) -> dict[str, str]:
        """Write at which rate the line's amounts are converted, and the day of the quote."""
        if not self._converts():
            return {}
        return {"rate": self._rate(), "quoted_on": "fx.quoted_on"}

    def _rate(self) -> str:
        pairs = self._pairs
        money = pairs.attributes.text("money", lambda edition: self._plan.money[edition.number] or "")
        age = pairs.attributes.whole("age_days_max", lambda edition: edition.terms.convert.age_days_max)
        on = pairs.attributes.text("convert_on", lambda edition: edition.terms.convert.on)
        settled = day_number(self._plan.source.as_of)
        end = f"least(coalesce({pairs.span()}.until - 1, {settled}), {settled})"
        day = f"CASE {on} WHEN 'period_end' THEN {end} WHEN 'settlement' THEN {settled} ELSE l.day END"
        pairs.join(
            "fx",
            f" LEFT JOIN fx ON fx.age = {age} AND fx.from_currency = l.currency AND fx.to_currency = {money} AND fx.day = {day}",
        )
        return f"CASE WHEN l.currency = {money} OR {money} = '' THEN CAST(1 AS DECIMAL(19, 12)) ELSE fx.rate END"

    def _boost(self) -> str:
        """Write the boost of the line as an integer: its factor × 10^digits, for each boost where they multiply."""
        written: list[str] = []
        editions = [each for each in self._feed.editions if each.terms.schedule.boosts]
        if not editions:
            return "CAST(NULL AS HUGEINT)"
        for edition in editions:
            scale = 10 ** boost_digits(edition)
            rules = self._plan.rules[edition.number].boosts
            factors = [
                (rule.to_sql(self._pairs.spell), int(boost.factor * scale))
                for rule, boost in zip(rules, edition.terms.schedule.boosts, strict=True)
            ]
            if edition.terms.schedule.boost_rule == "highest":
                met = ", ".join(f"CASE WHEN {when} THEN CAST({factor} AS HUGEINT) END" for when, factor in factors)
                written.append(f"greatest({met}, NULL)")
            else:
                met = " * ".join(
                    f"CASE WHEN {when} THEN CAST({factor} AS HUGEINT) ELSE {scale} END" for when, factor in factors
                )
                written.append(f"({met})")
        numbers = [each.number for each in editions]
        chosen = self._pairs.attributes.whole(
            "boost_of", lambda each: numbers.index(each.number) if each.number in numbers else -1
        )
        return f"CASE {chosen} " + " ".join(f"WHEN {index} THEN {sql}" for index, sql in enumerate(written)) + " END"

    def _verified(self) -> str:
        rules = [self._plan.rules[each.number].verify for each in self._feed.editions]
        written = sorted({"TRUE" if rule is None else rule.to_sql(self._pairs.spell) for rule in rules})
        by_edition = {
            each.number: written.index("TRUE" if rule is None else rule.to_sql(self._pairs.spell))
            for each, rule in zip(self._feed.editions, rules, strict=True)
        }
        return f"coalesce({self._of_shape('verify_of', lambda each: by_edition[each.number], written)}, FALSE)"

    def _table_row(self) -> str:
        """Write the number of the table row that prices the line: most conditions equal, then the first written."""
        numbers = {each.number for each in self._feed.editions}
        cards = [card for card in self._plan.book.cards if card.version in numbers and card.table]
        masks = sorted(
            {mask_of(row.product, row.family, row.region, row.level) for card in cards for row in card.table}
        )
        if not masks:
            return "CAST(NULL AS INTEGER)"
        found: list[str] = []
        for mask in masks:
            alias = f"tr{mask}"
            on = f"{alias}.mask = {mask} AND {alias}.card = m.card"
            for bit, column in enumerate(("product", "family", "region", "level")):
                if mask >> bit & 1:
                    on += f" AND {alias}.{column} = {self._fact(column)}"
            self._pairs.join(alias, f" LEFT JOIN table_keys {alias} ON {on}")
            found.append(f"{(4 - mask.bit_count()) * 10**6} + {alias}.row_no")
        return f"CAST(least({', '.join(found)}, NULL) % 1000000 AS INTEGER)"

    def _authorised(self) -> str:
        """Write the quantity that the scope's authorization allows, where the scope is one."""
        on = "aq.id = l.authorization_id AND l.day >= aq.since AND l.day < aq.until"
        self._pairs.join("aq", f" LEFT JOIN deal_rows aq ON {on}")
        scoped = self._pairs.attributes.whole(
            "by_authorization", lambda each: int("authorization" in each.terms.measure.per)
        )
        return f"CASE WHEN {scoped} = 1 THEN CAST(aq.c_quantity AS {SUM}) END"

    def _fact(self, column: str) -> str:
        if column == "product":
            return "l.product_id"
        known = self._plan.ground.columns
        if column == "family":
            return self._pairs.spell("product.family") if "product.family" in known else "CAST(NULL AS VARCHAR)"
        return self._pairs.spell(f"partner.{column}") if f"partner.{column}" in known else "CAST(NULL AS VARCHAR)"


def mask_of(*conditions: str | None) -> int:
    """Give which conditions a table row has, as bits."""
    return sum(1 << bit for bit, each in enumerate(conditions) if each is not None)


__all__ = [
    "UNITS",
    "Needs",
    "Values",
    "base_word",
    "boost_digits",
    "distinct_words",
    "editions_on_fifo",
    "fifo_moneys",
    "has_special_prices",
    "is_against",
    "mask_of",
    "needs_of",
    "unit_word",
]
