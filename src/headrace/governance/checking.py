"""What guardrails say of terms by themselves: pure functions over a document, without history.

A guardrail that cannot be proven to hold does not hold: terms without a cap pay without limit.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from headrace.engine.numeric import plain
from headrace.engine.rules import RuleError
from headrace.engine.rules.tree import IsNull, IsTruth, walk
from headrace.engine.terms import Terms
from headrace.engine.terms.check_rules import parse_trusting
from headrace.engine.terms.model import TableRow, Tier

FAMILY = "product.family"
_EVERY_TIER = ("rolling", "total")


def highest_rate(terms: Terms) -> Decimal:
    """Give the highest share of the base that a line can earn: of its rates, times its boosts.

    Where every tier reached pays (rolling, total), their rates add up. Amounts per unit, bonuses and packages are no rates.
    """
    schedule = terms.schedule
    parts: list[tuple[tuple[Tier, ...], tuple[TableRow, ...]]] = [(schedule.tiers, schedule.table)]
    parts += [(each.tiers, each.table) for each in schedule.changes]
    rates = [_highest(tiers, table, added_up=schedule.mode in _EVERY_TIER) for tiers, table in parts]
    own = [each.rate for each in terms.inputs if each.rate is not None]
    steps = max((len(tiers) for tiers, _ in parts), default=1) if schedule.mode in _EVERY_TIER else 1
    rates += [rate * max(steps, 1) for rate in own]
    factors = [max(each.factor, Decimal(1)) for each in schedule.boosts]
    boost = Decimal(1)
    for factor in factors:
        boost = boost * factor if schedule.boost_rule == "multiply" else max(boost, factor)
    return max(rates) * boost


def _highest(tiers: Iterable[Tier], table: Iterable[TableRow], *, added_up: bool) -> Decimal:
    of_tiers = [each.rate for each in tiers if each.rate is not None]
    of_table = [each.rate for each in table if each.rate is not None]
    if added_up:
        return max([sum(of_tiers, Decimal(0)), *of_table])
    return max([Decimal(0), *of_tiers, *of_table])


def over_payout(terms: Terms, most: Decimal, currency: str) -> Iterator[tuple[str, str]]:
    """Say by which keys one statement of one period could pay more than `most`: the key, and what to do."""
    if terms.currency != currency:
        yield "currency", f"the limit is in {currency} and the terms pay in {terms.currency}; pay in {currency}"
        return
    cap = terms.limits.payout.per_scope
    if cap is None or cap > most:
        said = "there is no cap" if cap is None else f"it is {plain(cap)}"
        yield "limits.payout.per_scope", f"{said}; write at most {plain(most)}"
    guarantee = terms.limits.guarantee
    if guarantee is not None and guarantee.amount > most:
        yield "limits.guarantee.amount", f"it is {plain(guarantee.amount)}; write at most {plain(most)}"
    for row in terms.inputs:
        if row.cap is not None and row.cap > most:
            yield "inputs.cap", f"the cap of {row.earner} is {plain(row.cap)}; write at most {plain(most)}"


def may_earn(terms: Terms, family: str) -> bool:
    """Tell whether a line of the product family could earn, as far as the rule `lines` does not exclude it for certain.

    The rule is decided for a record of which only the family is known. In three-valued logic what is false then is false for
    every line of the family, except where it asks whether a value is missing; such a rule is not trusted.
    """
    if terms.lines is None:
        return True
    try:
        rule = parse_trusting(terms.lines)
    except RuleError:
        return True
    asks = (node.column.name for node in walk(rule.condition) if isinstance(node, IsNull | IsTruth))
    if any(name != FAMILY for name in asks):
        return True
    record: dict[str, object] = dict.fromkeys(rule.columns_used)
    record |= {name: family for name in record if name == FAMILY}
    return rule.evaluate(record) is not False
