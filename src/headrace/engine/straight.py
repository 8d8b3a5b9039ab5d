"""The short way for plain programs: awards in closed form, without keeping the lines.

A program is straight where what a scope earns is a function F of its running measure and nothing else: what is measured is what
is paid on, the tiers are fixed, every line has one rate card and no limit looks at a single line. Then a line's award is
round(F(M after it)) − round(F(M before it)), and a statement is F of the scope's total, so that two passes over the lines are
enough: one that sums scopes and counts reasons, one that runs the measure and writes the awards. Every result equals that of
the long way (see schedule, limits); a test runs both.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa

from headrace.engine.accounts import Desk, put_posted
from headrace.engine.book import Book, Card, Edition
from headrace.engine.findings import Finding
from headrace.engine.ladders import INFINITE, written_edges
from headrace.engine.numeric import SHARE, SUM, is_money, rounded_by
from headrace.engine.pairs import PairsOf, Plan
from headrace.engine.qualify import Feed, is_wide, list_cards
from headrace.engine.schema import SUM as SUM_TYPE
from headrace.engine.session import Session
from headrace.engine.statements import note_statements
from headrace.engine.values import Values, base_word, is_against, unit_word
from headrace.engine.words import decode_scopes

TIERS_MAX = 8
_ZERO = f"CAST(0 AS {SUM})"


def is_straight(book: Book, edition: Edition) -> bool:
    """Tell whether a program can take the short way. Programs of several versions or rate cards take the long one."""
    terms = edition.terms
    cards = [card for card in book.cards if card.version == edition.number]
    if len(book.programs[edition.program].editions) > 1 or len(cards) > 1 or not _plain_tiers(cards[0], edition):
        return False
    schedule, limits = terms.schedule, terms.limits
    return (
        schedule.mode in {"incremental", "retroactive"}
        and schedule.fixed is None
        and schedule.free is None
        and not schedule.boosts
        and schedule.package is None
        and schedule.free_goods is None
        and schedule.price_change is None
        and not terms.measure.minus
        and terms.measure.lines is None
        and terms.pays_on != "growth"
        and not is_against(terms)
        and not any(entry.cap is not None or entry.enrolled_from is not None for entry in terms.inputs)
        and terms.paid_to == "earner"
        and "earner" in terms.measure.per
        and (limits.line.floor, limits.line.cap, limits.measure.max) == (None, None, None)
        and (limits.payout.program, limits.prorate, limits.minimum, limits.guarantee) == (None, None, None, None)
        and limits.negative != "carry"
        and terms.rounding.remainder == "adjust"
        and terms.verify is None
        and (terms.combine is None or terms.combine.rule == "independent")
        and terms.accrue.at == "achieved"
        and terms.accrue.lump_sum is None
        and terms.accrue.basis == "activity"
        and "authorization" not in terms.measure.per
        and (terms.money is not None or is_money(terms.currency))
        and not (terms.gate and terms.earner in {"rep", "group"})
    )


def _plain_tiers(card: Card, edition: Edition) -> bool:
    """Tell whether a card's tiers pay on what is measured, and only by rates (or only by units)."""
    tiers, terms = card.tiers, edition.terms
    if not tiers or card.table or len(tiers) > TIERS_MAX or terms.measure.of.startswith("distinct "):
        return False
    if any(
        each.bonus or each.down_to is not None or each.down_by is not None or each.margin_to is not None
        for each in tiers
    ):
        return False
    edges = written_edges(tiers)
    if base_word(terms) != terms.measure.of or any(later <= earlier for earlier, later in pairwise(edges)):
        return False
    by_rate = not any(each.per_unit for each in tiers)
    by_unit = not any(each.rate for each in tiers) and unit_word(terms) == terms.measure.of
    if not by_rate and not (by_unit and all((each.per_unit or 0) < 1000 for each in tiers)):
        return False
    coefficients = [coefficient_of(card, index) for index in range(len(tiers))]
    return len(set(coefficients)) == len(coefficients)


def coefficient_of(card: Card, index: int) -> Decimal:
    """Give what a tier pays on the measure: its rate, or its amount per unit."""
    tier = card.tiers[index]
    return (tier.rate or Decimal(0)) + (tier.per_unit or Decimal(0))


def by_rate(book: Book, edition: Edition) -> bool:
    """Tell whether a straight edition pays by rates, and not by units."""
    return not any(tier.per_unit for tier in card_of(book, edition).tiers)


def put_ways(session: Session, book: Book, editions: Sequence[Edition]) -> int:
    """Make `ways`: one row per edition, its edges, coefficients and what is earned up to each edge; gives the most tiers."""
    widest = max(len(card_of(book, edition).tiers) for edition in editions)
    rows = [_way(book, edition, widest) for edition in editions]
    kinds: list[tuple[str, pa.DataType]] = [
        ("edition", pa.int32()), ("card", pa.int32()), ("retroactive", pa.bool_()), ("owes", pa.bool_()), ("rates", pa.bool_()),
        ("decimals", pa.int32()), ("payout_max", SUM_TYPE), ("rate_0", pa.decimal128(9, 6)), ("sum_0", pa.decimal128(38, 12)),
    ]  # fmt: skip
    for index in range(1, widest + 1):
        kinds += [
            (f"edge_{index}", SUM_TYPE), (f"open_{index}", pa.bool_()), (f"rate_{index}", pa.decimal128(9, 6)),
            (f"sum_{index}", pa.decimal128(38, 12)),
        ]  # fmt: skip
    session.put("ways", pa.Table.from_pylist(rows, schema=pa.schema(kinds)))
    return widest


def card_of(book: Book, edition: Edition) -> Card:
    """Give the one rate card of a straight edition."""
    return next(card for card in book.cards if card.version == edition.number)


def _way(book: Book, edition: Edition, widest: int) -> dict[str, object]:
    card, terms = card_of(book, edition), edition.terms
    edges = written_edges(card.tiers)
    owes = terms.limits.negative == "pay" and edges[0] == 0
    row: dict[str, object] = {
        "edition": edition.number, "card": card.number, "retroactive": terms.schedule.mode == "retroactive", "owes": owes,
        "rates": by_rate(book, edition), "decimals": book.decimals(edition.number),
        "payout_max": terms.limits.payout.per_scope, "rate_0": coefficient_of(card, 0) if owes else Decimal(0),
        "sum_0": Decimal(0),
    }  # fmt: skip
    reached = Decimal(0)
    for index in range(1, widest + 1):
        if index > len(card.tiers):
            row |= {
                f"edge_{index}": INFINITE,
                f"open_{index}": True,
                f"rate_{index}": Decimal(0),
                f"sum_{index}": Decimal(0),
            }
            continue
        if index > 1:
            reached += (edges[index - 1] - edges[index - 2]) * coefficient_of(card, index - 2)
        row |= {
            f"edge_{index}": edges[index - 1], f"open_{index}": card.tiers[index - 1].above is not None,
            f"rate_{index}": coefficient_of(card, index - 1), f"sum_{index}": reached,
        }  # fmt: skip
    return row


class Way:
    """Writes the price of a running measure from the columns of `ways` (alias w)."""

    def __init__(self, widest: int) -> None:
        self._tiers = range(widest, 0, -1)

    def step(self, measure: str) -> str:
        """Write the step that a measure is on."""
        cases = " ".join(
            f"WHEN {measure} > w.edge_{index} OR ({measure} = w.edge_{index} AND NOT w.open_{index}) THEN {index}"
            for index in self._tiers
        )
        return f"CAST(CASE {cases} ELSE 0 END AS INTEGER)"

    def of_step(self, step: str, column: str, lowest: str) -> str:
        """Write a column of the step with that number."""
        cases = " ".join(f"WHEN {index} THEN w.{column}_{index}" for index in reversed(self._tiers))
        return f"CASE {step} {cases} ELSE {lowest} END"

    def earned(self, measure: str) -> str:
        """Write what a running measure has earned, band by band, exactly."""
        bands = [
            f"WHEN {measure} > w.edge_{index} THEN w.sum_{index} + CAST({measure} - w.edge_{index} AS {SUM}) * w.rate_{index}"
            for index in self._tiers
        ]
        return f"CAST(CASE {' '.join(bands)} WHEN w.owes THEN CAST({measure} AS {SUM}) * w.rate_0 ELSE w.sum_0 END AS {SHARE})"


def is_certain(pairs: PairsOf) -> bool:
    """Tell whether every pair that is made for a straight feed qualifies: all that could fail is known from the classes."""
    rules = pairs.plan.rules
    return Values(pairs).always_there and not any(
        is_wide(edition, rules[edition.number]) or rules[edition.number].lines.rest is not None
        for edition in pairs.feed.editions
    )


def sum_scopes(session: Session, plan: Plan, feeds: Sequence[Feed]) -> list[tuple[int, int | None, int, int]]:
    """Make `straight_sums`: s, edition, earner_no, payee_no, total, lines.

    Gives edition, reason, gate and how many pairs there are of each.
    """
    sums: list[str] = []
    for feed in feeds:
        pairs = PairsOf(plan, feed)
        sums.append(f"SELECT s, edition, earner_no, payee_no, m, reason, gate FROM ({pairs.select()})")
        list_cards(session, feed, pairs.attributes)
    session.table(
        "straight_groups",
        "SELECT CASE WHEN reason IS NULL THEN s END AS s, edition, CASE WHEN reason IS NULL THEN earner_no END AS earner_no, "
        f"CASE WHEN reason IS NULL THEN payee_no END AS payee_no, reason, gate, "
        f"CAST(sum(m) AS {SUM}) AS total, count(*) AS lines FROM ({' UNION ALL '.join(sums)}) GROUP BY ALL",
    )
    session.view(
        "straight_sums",
        "SELECT s, edition, earner_no, payee_no, total, lines FROM straight_groups WHERE reason IS NULL",
    )
    rows = session.rows("SELECT edition, reason, gate, CAST(sum(lines) AS BIGINT) FROM straight_groups GROUP BY ALL")
    return [(int(str(a)), None if b is None else int(str(b)), int(str(c)), int(str(d))) for a, b, c, d in rows]


def settle_straight(
    desk: Desk, plan: Plan, editions: Sequence[Edition], posted: pa.Table | None
) -> tuple[Finding, ...]:
    """Make the statements of straight programs."""
    session = desk.session
    way = Way(put_ways(session, desk.book, editions))
    decimals = {desk.book.decimals(edition.number) for edition in editions}
    reached = f"CAST(w.total * {way.of_step('w.step', 'rate', 'w.rate_0')} AS {SHARE})"
    whole = f"CASE WHEN w.retroactive THEN {reached} ELSE {way.earned('w.total')} END"
    capped = f"CASE WHEN w.payout_max IS NULL THEN {whole} ELSE least({whole}, CAST(w.payout_max AS {SHARE})) END"
    session.view(
        "straight_entitled",
        f"SELECT s, edition, earner_no, payee_no, total, total AS base, lines, card, CAST(card AS BIGINT) AS ladder, step, "
        f"decimals, negative, {capped} AS entitlement FROM ("
        f"SELECT t.s, t.earner_no, t.payee_no, t.total, t.lines, c.negative, {way.step('t.total')} AS step, w.* "
        "FROM straight_sums t JOIN ways w ON w.edition = t.edition JOIN card_terms c ON c.card = w.card) w",
    )
    session.table("entitled", "SELECT *, entitlement < 0 AND negative = 0 AS zeroed FROM straight_entitled")
    rounded = rounded_by("entitlement", "decimals", decimals)
    session.table(
        "settled",
        f"SELECT *, CAST(NULL AS {SUM}) AS carried, CAST(NULL AS {SUM}) AS carried_in, "
        f"CASE WHEN zeroed THEN {_ZERO} ELSE {rounded} END AS earned FROM entitled",
    )
    session.table("finals", "SELECT e.s, r.* FROM entitled e JOIN ladders r ON r.ladder = e.ladder AND r.step = e.step")
    decode_scopes(session, plan.scopes, desk.book.shapes, "settled", "scope_names")
    findings = put_posted(desk, posted)
    note_statements(desk, first=True, verify=False)
    return findings
