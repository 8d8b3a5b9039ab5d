"""Baselines that are measured: the same version's rules over an earlier window, for the scopes of the present one.

An edition is looked at as if it had always been in force, and the days of a window belong to the period that is compared with it:
the pairs and the measure are then made by the very plan that makes the present ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pyarrow as pa

from headrace.engine.book import DAY_MAX, DAY_MIN, DAYS, PERIOD_DAYS, Edition, cards_of, day_number
from headrace.engine.facts import FactWay, fact_way
from headrace.engine.measure import add_distinct
from headrace.engine.pairs import PairsOf, Plan, Windows
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
    always = [_always(plan, edition) for edition in editions]
    _put_windows(session, plan, editions, definitions)
    windows = Windows(definitions=definitions, cards=[card for edition in always for card in cards_of(edition, 0)])
    selects: list[str] = []
    for feed in _feeds(plan, always):
        classify(feed)
        pairs = PairsOf(plan, feed, windows)
        selects.append(pairs.select())
        list_cards(session, feed, pairs.attributes)
    session.table("baseline_pairs", " UNION ALL ".join(selects))
    source = add_distinct(session, plan.needs, "baseline_pairs")
    rows = session.rows(f"SELECT edition, s, sum(m) FROM {source} WHERE measures AND s IS NOT NULL GROUP BY edition, s")
    session.drop("baseline_pairs", "distinct_lines")
    return {(int(str(edition)), int(str(s))): Decimal(str(total)) for edition, s, total in rows}


def _feeds(plan: Plan, editions: list[Edition]) -> Iterator[Feed]:
    grouped: dict[tuple[str, str, tuple[tuple[int, int, FactWay], ...]], list[Edition]] = {}
    for edition in editions:
        present = fact_way(plan.book.editions[edition.number])
        group_ways = ((DAY_MIN, DAY_MAX, present),) if edition.terms.earner == "group" else ()
        grouped.setdefault((edition.terms.earner, edition.terms.returns, group_ways), []).append(edition)
    for index, ((earner, returns, ways), members) in enumerate(grouped.items()):
        own = ((DAY_MIN, DAY_MAX),) if returns == "own_date" else ()
        yield Feed(
            number=len(plan.feeds) + index, earner=earner, own_dates=own, group_ways=ways, straight=False, editions=members
        )  # fmt: skip


def _always(plan: Plan, edition: Edition) -> Edition:
    """Give the edition as if it had always been in force, with its windows as its periods."""
    windows = tuple(sorted(window for window, _ in _windows(plan, edition)))
    periods = replace(edition.periods, fiscal=tuple(Period(*window) for window in windows))
    return replace(edition, since=DAY_MIN, until=DAY_MAX, periods=periods)


def _put_windows(session: Session, plan: Plan, editions: list[Edition], definitions: dict[int, int]) -> None:
    """Add the days of every window to `days`, under the number of the period that is compared with it; make `window_spans`."""
    first, last = day_number(plan.source.first_day), day_number(plan.source.last_day)
    days: list[dict[str, int]] = []
    spans: list[dict[str, int]] = []
    for edition in editions:
        for (since, until), period in _windows(plan, edition):
            number = plan.calendar.number_of(period)
            assert number is not None
            here = {"definition": definitions[edition.number], "period": number}
            spans.append(here | {"since": day_number(since), "until": day_number(until)})
            within = range(max(first, day_number(since)), min(last + 1, day_number(until)))
            days += [here | {"day": day} for day in within]
    session.put("window_days", pa.Table.from_pylist(days, schema=DAYS))
    session.execute("INSERT INTO days SELECT * FROM window_days")
    schema = pa.schema([("definition", pa.int32()), *PERIOD_DAYS])
    session.put("window_spans", pa.Table.from_pylist(spans, schema=schema))


def _windows(plan: Plan, edition: Edition) -> Iterator[tuple[tuple[date, date], Period]]:
    """Give each window, from its first day to the day after its last, and the period that is compared with it."""
    growth = edition.terms.measure.growth
    assert growth is not None
    for period in plan.calendar.of(edition.periods):
        if period.from_ is None or period.until is None:
            continue
        earlier = growth.baseline == "previous_year"
        window = previous_year(period) if earlier else previous_period(edition.periods, period)
        if window is not None and window.from_ is not None and window.until is not None and window.from_ < window.until:
            yield (window.from_, window.until), period
