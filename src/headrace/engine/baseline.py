"""Baselines that are measured: the same version's rules over an earlier window, for the scopes of the present one.

An edition is looked at as if it had always been in force, and the days of a window belong to the period that is compared with it:
the pairs and the measure are then made by the very plan that makes the present ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa

from headrace.engine.book import DAY_MAX, DAY_MIN, DAYS, Card, Edition, day_number
from headrace.engine.measure import add_distinct
from headrace.engine.pairs import PairsOf, Plan
from headrace.engine.period import Period, previous_period, previous_year
from headrace.engine.qualify import Feed, list_cards
from headrace.engine.session import Session


def measured_editions(plan: Plan) -> list[Edition]:
    """Give the editions whose baseline is measured."""
    return [
        edition
        for edition in plan.book.editions
        if edition.terms.measure.growth is not None and edition.terms.measure.growth.baseline != "entered"
    ]


def measure_baselines(session: Session, plan: Plan, classify: Callable[[Feed], None]) -> dict[tuple[int, int], Decimal]:
    """Give the baseline of each edition and scope; scopes without lines in their window are absent."""
    editions = measured_editions(plan)
    if not editions:
        return {}
    first = len(plan.calendar.definitions)
    definitions = {edition.number: first + index for index, edition in enumerate(editions)}
    session.put("window_days", _windows(plan, editions, definitions))
    session.execute("INSERT INTO days SELECT * FROM window_days")
    selects: list[str] = []
    for feed in _feeds(plan, editions):
        classify(feed)
        pairs = PairsOf(plan, feed, definitions)
        selects.append(pairs.select())
        list_cards(session, [_card(edition) for edition in feed.editions], feed, pairs.attributes)
    session.table("baseline_pairs", " UNION ALL ".join(selects))
    source = add_distinct(session, plan.needs, "baseline_pairs")
    rows = session.rows(f"SELECT edition, s, sum(m) FROM {source} WHERE measures AND s IS NOT NULL GROUP BY edition, s")
    session.drop("baseline_pairs", "distinct_lines")
    return {(int(str(edition)), int(str(s))): Decimal(str(total)) for edition, s, total in rows}


def _feeds(plan: Plan, editions: list[Edition]) -> Iterator[Feed]:
    grouped: dict[tuple[str, str], list[Edition]] = {}
    for edition in editions:
        always = replace(edition, since=DAY_MIN, until=DAY_MAX)
        grouped.setdefault((edition.terms.earner, edition.terms.returns), []).append(always)
    for index, ((earner, returns), members) in enumerate(grouped.items()):
        own = ((DAY_MIN, DAY_MAX),) if returns == "own_date" else ()
        yield Feed(number=len(plan.feeds) + index, earner=earner, own_dates=own, straight=False, editions=members)


def _card(edition: Edition) -> Card:
    return Card(number=0, version=edition.number, since=DAY_MIN, until=DAY_MAX, tiers=(), table=())


def _windows(plan: Plan, editions: list[Edition], definitions: dict[int, int]) -> pa.Table:
    """List the days of every window under the number of the period that is compared with it."""
    columns: tuple[list[int], list[int], list[int]] = ([], [], [])
    first, last = day_number(plan.source.first_day), day_number(plan.source.last_day)
    for edition in editions:
        for period in plan.calendar.of(edition.periods):
            window = _window(edition, period)
            if window is None or window.from_ is None or window.until is None:
                continue
            days = range(max(first, day_number(window.from_)), min(last + 1, day_number(window.until)))
            number = plan.calendar.number_of(period)
            assert number is not None
            columns[0].extend([definitions[edition.number]] * len(days))
            columns[1].extend(days)
            columns[2].extend([number] * len(days))
    return pa.table(list(columns), schema=DAYS)


def _window(edition: Edition, period: Period) -> Period | None:
    growth = edition.terms.measure.growth
    assert growth is not None
    if period.from_ is None or period.until is None:
        return None
    return previous_year(period) if growth.baseline == "previous_year" else previous_period(edition.periods, period)
