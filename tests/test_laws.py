"""The laws that every calculation keeps, on the reference and on the engine."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from headrace.engine.terms import Terms
from tests.reference.cases import LINE_DEFAULTS
from tests.reference.engine import run_engine
from tests.reference.made_lines import AS_OF, Facts, Row, facts, picked, rarely
from tests.reference.made_programs import programs
from tests.reference.run import Outcome, calculate

type Run = Callable[[Sequence[Terms], Facts], Outcome]


def by_reference(terms: Sequence[Terms], channel: Facts) -> Outcome:
    """Calculate row by row."""
    return calculate(terms, channel.lines, channel.references, as_of=AS_OF)


def by_engine(terms: Sequence[Terms], channel: Facts, files: int = 1) -> Outcome:
    """Calculate with the engine, the lines spread over so many files."""
    with tempfile.TemporaryDirectory() as folder:
        return run_engine(terms, channel.lines, channel.references, Path(folder), as_of=AS_OF, files=files)


RUNS = pytest.mark.parametrize("run", [by_reference, by_engine])
FEW = settings(
    deadline=None,
    max_examples=8,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
        HealthCheck.filter_too_much,
    ],
)
HEAD = ("program", "payee_kind", "payee_id", "scope", "from")


def flat(made: Sequence[Sequence[Terms]]) -> list[Terms]:
    """All versions of all programs."""
    return [version for versions in made for version in versions]


def sorted_rows(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Rows as text, in an order of their own."""
    return sorted(str(sorted(row.items(), key=str)) for row in rows)


def assert_same(one: Outcome, other: Outcome) -> None:
    """Two runs gave the same."""
    assert one.statements == other.statements
    assert sorted_rows(one.awards) == sorted_rows(other.awards)
    assert one.reasons == other.reasons


def column(outcome: Outcome, name: str) -> dict[tuple[object, ...], object]:
    """One column of the statements by their identity."""
    return {tuple(row[each] for each in HEAD): row[name] for row in outcome.statements}


@RUNS
@given(made=programs(4), channel=facts(20), seed=st.integers(0, 999))
@FEW
def test_the_order_of_rows_changes_nothing(run: Run, made: list[list[Terms]], channel: Facts, seed: int) -> None:
    shuffled = list(channel.lines)
    Random(seed).shuffle(shuffled)
    assert_same(run(flat(made), channel), run(flat(made), replace(channel, lines=shuffled)))


@given(made=programs(4), channel=facts(20), files=st.integers(2, 4))
@FEW
def test_batches_and_their_order_of_arrival_change_nothing(made: list[list[Terms]], channel: Facts, files: int) -> None:
    backwards = replace(channel, lines=channel.lines[::-1])
    assert_same(by_engine(flat(made), channel), by_engine(flat(made), backwards, files))


MONEY_DAYS = tuple(date(2026, month, day) for month, day in ((1, 15), (1, 31), (2, 1), (3, 31), (4, 1), (5, 10)))


@st.composite
def plain_lines(draw: st.DrawFn) -> Facts:
    """Lines of one currency, of few parties, without gaps."""
    lines: list[Row] = []
    for at in range(draw(st.integers(1, 25))):
        kind = draw(picked("sale", "sale", "sale", "return"))
        sign = -1 if kind == "return" else 1
        cents, pieces = draw(st.integers(1, 60_000)), draw(st.integers(1, 12))
        lines.append(
            LINE_DEFAULTS
            | {
                "line_id": f"L{at}",
                "kind": kind,
                "occurred_on": draw(picked(*MONEY_DAYS)),
                "partner_id": draw(picked("P1", "P2")),
                "product_id": draw(picked("A", "B")),
                "quantity": Decimal(sign * pieces),
                "amount": Decimal(sign * cents).scaleb(-2),
            }
        )
    return Facts(lines, {})


@st.composite
def smooth_terms(draw: st.DrawFn) -> Terms:
    """Terms without parts by the line, counts or rounding by the line: what a line's splitting may not change."""
    edges = [Decimal(0), Decimal(100), Decimal("250.5"), Decimal(1000)][: draw(st.integers(1, 4))]
    rates = [draw(picked(Decimal("0.01"), Decimal("0.1"), Decimal("0.033333"), Decimal(0))) for _ in edges]
    bonuses = [{"bonus": Decimal("12.34")} if draw(rarely(3)) else {} for _ in edges]
    tiers = [
        {draw(picked("from", "above")): edge, "rate": rate} | bonus
        for edge, rate, bonus in zip(edges, rates, bonuses, strict=True)
    ]
    limits: Row = {"negative": draw(picked("zero", "pay", "carry"))}
    if draw(rarely(3)):
        limits["measure"] = {"max": Decimal(700)}
    if draw(rarely(3)):
        limits["payout"] = {"per_scope": Decimal("20.02")}
    if draw(rarely(4)):
        limits["guarantee"] = {"amount": Decimal(15)}
    return Terms.model_validate(
        {
            "program": "p",
            "currency": draw(picked("USD", "USD")),
            "measure": {
                "every": draw(picked("quarter", "month", "year")),
                "per": draw(picked(["earner"], ["earner", "product"])),
            },
            "schedule": {"mode": draw(picked("incremental", "retroactive", "rolling", "total")), "tiers": tiers},
            "limits": limits,
            "returns": draw(picked("with_sale", "own_date")),
        }
    )


def halves(line: Row) -> list[Row]:
    """Two lines that take the place of one: the second id comes right behind the first."""
    amount, quantity = line["amount"], line["quantity"]
    assert isinstance(amount, Decimal)
    assert isinstance(quantity, Decimal)
    part = (amount / 3).quantize(Decimal("0.01"))
    first = line | {"amount": part, "quantity": quantity / 2}
    second = line | {"line_id": f"{line['line_id']}!", "amount": amount - part, "quantity": quantity / 2}
    return [first, second]


@RUNS
@given(made=st.lists(smooth_terms(), min_size=1, max_size=6), channel=plain_lines(), at=st.integers(0, 24))
@FEW
def test_splitting_a_line_changes_no_total(run: Run, made: list[Terms], channel: Facts, at: int) -> None:
    terms = [each.model_copy(update={"program": f"p{number}"}) for number, each in enumerate(made)]
    at %= len(channel.lines)
    parted = [*channel.lines[:at], *halves(channel.lines[at]), *channel.lines[at + 1 :]]
    whole, split = run(terms, channel), run(terms, replace(channel, lines=parted))
    for name in ("measure", "base", "tier", "earned", "to_post", "next_distance"):
        assert column(whole, name) == column(split, name), name


def undoing(sale: Row) -> Row:
    """The return in full of a sale, somewhat later."""
    amount, quantity = sale["amount"], sale["quantity"]
    assert isinstance(amount, Decimal)
    assert isinstance(quantity, Decimal)
    back = {"kind": "return", "line_id": f"R-{sale['line_id']}", "original_line_id": sale["line_id"]}
    return sale | back | {"amount": -amount, "quantity": -quantity, "occurred_on": date(2026, 6, 1)}


@RUNS
@given(
    made=st.lists(smooth_terms(), min_size=1, max_size=6),
    channel=plain_lines(),
    day=picked(*MONEY_DAYS),
    cents=st.integers(1, 99_999),
)
@FEW
def test_a_return_in_full_undoes_its_sale(run: Run, made: list[Terms], channel: Facts, day: date, cents: int) -> None:
    terms = [
        each.model_copy(update={"program": f"p{number}", "returns": "with_sale"}) for number, each in enumerate(made)
    ]
    sale: Row = LINE_DEFAULTS | {
        "line_id": "L5x",
        "kind": "sale",
        "occurred_on": day,
        "partner_id": "P1",
        "product_id": "A",
        "quantity": Decimal(3),
        "amount": Decimal(cents).scaleb(-2),
    }
    without = run(terms, channel)
    undone = run(terms, replace(channel, lines=[*channel.lines, sale, undoing(sale)]))
    # A scope that has nothing but the sale and its return is new; it is left out here.
    for name in ("measure", "base", "earned"):
        expected = column(without, name)
        assert {key: value for key, value in column(undone, name).items() if key in expected} == expected, name
    pair = {"L5x", "R-L5x"}
    alone = [row for row in undone.awards if row["line_id"] not in pair and row["line_id"] is not None]
    kept = {(row["program"], row["line_id"]): row["award"] for row in without.awards if row["line_id"] is not None}
    assert {(row["program"], row["line_id"]): row["award"] for row in alone} == kept


@RUNS
@given(made=programs(4), channel=facts(20))
@FEW
def test_a_replay_posts_nothing(run: Run, made: list[list[Terms]], channel: Facts) -> None:
    """What was to post is posted; the same run again has nothing left."""
    terms = [
        each
        for each in flat(made)
        if each.measure.per == ("earner",) and each.paid_to == "earner" and each.measure.every != "program"
    ]
    assume(terms)
    first = run(terms, channel)
    posted = [
        {
            "program": row["program"],
            "earner": row["payee_id"],
            "from": row["from"],
            "until": row["until"],
            "amount": row["to_post"],
        }
        for row in first.statements
    ]
    before = channel.references.get("posted", [])
    again = run(terms, replace(channel, references=channel.references | {"posted": [*before, *posted]}))
    assert {row["to_post"] for row in again.statements} <= {Decimal(0)}
    assert column(again, "earned") == column(first, "earned")
