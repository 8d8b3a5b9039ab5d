"""How far a line reaches: what has to be worked out anew when it arrives.

Every program belongs to one of three ways. *totals*: it is additive, and only the totals of the scopes that the line is in
change. *parties*: what the line can change belongs to the parties that the line names in some roles, so the statements of these
parties are calculated again: from all of their lines, or, where nothing passes from one period to another, from the lines since
the line's period began. *whole*: nothing narrower is proven, and the program is calculated again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import pyarrow as pa

from headrace.engine.book import make_book
from headrace.engine.numeric import is_money
from headrace.engine.period import periods_between
from headrace.engine.qualify import EARNER_COLUMN
from headrace.engine.terms.classes import classify
from headrace.engine.terms.model import Terms
from headrace.engine.terms.pricing import Schedule

type Way = Literal["totals", "parties", "whole"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Programs that are worked out together, and by what.

    terms: all versions. word: the word of `per` that holds the party, empty for the other ways. columns: the columns of the lines
    that name it; groups: the columns name members, and the word holds their group, or a member without a group itself. apart:
    the statements of a period follow from the lines of the period, with the sales that its returns name and the returns that
    name its sales.
    """

    terms: tuple[Terms, ...]
    way: Way
    word: str = ""
    columns: tuple[str, ...] = ()
    groups: bool = False
    apart: bool = False

    @property
    def programs(self) -> tuple[str, ...]:
        """The ids of the programs."""
        return tuple(sorted({each.program for each in self.terms}))

    def begins(self, day: date, calendar: pa.Table | None) -> date | None:
        """Give the first day of the periods that a line of `day` can change; null where nothing narrower is proven.

        No period of these programs holds both this day and the one before. calendar: reference table, for fiscal periods.
        """
        if not self.apart:
            return None
        definitions = {edition.periods for edition in make_book(self.terms, calendar).editions}
        while True:
            starts = [period.from_ for each in definitions for period in periods_between(each, day, day)]
            bounded = [start for start in starts if start is not None]
            if len(bounded) < len(starts):
                return None
            if min(bounded, default=day) == day:
                return day
            day = min(bounded)


def reaches(programs: Iterable[Terms]) -> tuple[Reach, ...]:
    """Sort programs, given with all of their versions, by how far a line reaches in them."""
    terms = tuple(programs)
    classes = classify(terms)
    found: dict[tuple[object, ...], Reach] = {}
    for together in _meeting(terms):
        if len({each.program for each in together}) == 1 and classes[together[0].program].kind == "additive":
            made = Reach(terms=together, way="totals")
        else:
            made = _by_parties(together) or Reach(terms=together, way="whole")
        # Where a period begins, lines begin to count: one yearly program must not take the monthly ones back with it.
        periods = frozenset((each.measure.every, each.measure.anchor) for each in together) if made.apart else None
        key = (made.way, made.word, made.columns, made.groups, made.apart, periods)
        found[key] = replace(made, terms=found[key].terms + together) if key in found else made
    return tuple(found.values())


def _meeting(terms: Sequence[Terms]) -> list[tuple[Terms, ...]]:
    """Put programs together that meet on lines by some rule, and versions of one program."""
    group_of: dict[str, str] = {}
    for each in sorted(terms, key=lambda one: one.version):
        rule = each.combine
        group_of[each.program] = (
            f"group {rule.group}" if rule and rule.rule != "independent" else f"alone {each.program}"
        )
    groups: dict[str, list[Terms]] = {}
    for each in terms:
        groups.setdefault(group_of[each.program], []).append(each)
    return [tuple(members) for members in groups.values()]


def _by_parties(terms: Sequence[Terms]) -> Reach | None:
    """Give the parties of programs whose every statement follows from the lines of one party; null where one does not."""
    if not all(_is_of_parties(each) for each in terms):
        return None
    words = {_word(each) for each in terms}
    columns = {_columns(each) for each in terms}
    groups = {each.earner == "group" or _word(each) == "group" for each in terms}
    if len(words) != 1 or len(columns) != 1 or len(groups) != 1 or "" in words:
        return None
    return Reach(
        terms=tuple(terms), way="parties", word=words.pop(), columns=columns.pop(), groups=groups.pop(),
        apart=all(_stands_apart(each) for each in terms),
    )  # fmt: skip


def _word(terms: Terms) -> str:
    if "earner" in terms.measure.per:
        return "earner"
    return "group" if "group" in terms.measure.per and terms.earner in {"seller", "group"} else ""


def _columns(terms: Terms) -> tuple[str, ...]:
    """Give the columns that name the party; stock that was bought also decides what a sale cost."""
    stocked = ("partner_id", "buyer_id") if _is_stocked(terms.schedule) else ()
    return tuple(sorted({EARNER_COLUMN[terms.earner], *stocked}))


def _is_of_parties(terms: Terms) -> bool:
    limits = terms.limits
    return (
        limits.payout.program is None
        and limits.guarantee is None
        and terms.accrue.lump_sum is None
        and terms.convert.on == "transaction"
        and terms.schedule.price_change is None
        and (terms.money is not None or is_money(terms.currency))
    )


def _stands_apart(terms: Terms) -> bool:
    """Tell whether a period of the program takes nothing from earlier ones: no baseline, carry-over, stock, or used-up share."""
    schedule, limits, measure = terms.schedule, terms.limits, terms.measure
    tables = (schedule.table, *(change.table for change in schedule.changes))
    return (
        (measure.growth is None or measure.growth.baseline == "entered")
        and measure.of != "on_hand"
        and "on_hand" not in measure.minus
        and "authorization" not in measure.per
        and not _is_stocked(schedule)
        and schedule.free is None
        and all(row.quantity_max is None for rows in tables for row in rows)
        and limits.negative != "carry"
        and (limits.minimum is None or limits.minimum.below != "carry_forward")
        and terms.rounding.remainder == "adjust"
    )


def _is_stocked(schedule: Schedule) -> bool:
    return schedule.cost_basis == "fifo" or schedule.price_change is not None
