"""Programs that take the short way give what the long way gives: the same statements, awards, reasons and findings."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from headrace.engine import Request, calculate
from headrace.engine.book import make_book
from headrace.engine.schema import Tables
from headrace.engine.straight import is_straight
from headrace.engine.terms import Terms
from tests.engine.channel import line, write_lines

EDGES = (0, 100, 250)
RATES = ("0.01", "0.02", "0.035")


def document(name: str, **changes: Any) -> dict[str, Any]:
    """A program that can take the short way."""
    tiers = [{"from": edge, "rate": rate} for edge, rate in zip(EDGES, RATES, strict=True)]
    schedule: dict[str, Any] = {"mode": changes.pop("mode", "incremental"), "tiers": changes.pop("tiers", tiers)}
    per, of = changes.pop("per", ["earner"]), changes.pop("of", "amount")
    measure = {"of": of, "per": per, "every": changes.pop("every", "quarter")}
    valid = {"from": "2026-01-01", "until": "2027-01-01"}
    return {"program": name, "currency": "USD", "valid": valid, "measure": measure, "schedule": schedule} | changes


PROGRAMS = (
    document("bands"),
    document("whole", mode="retroactive"),
    document("owes", limits={"negative": "pay"}),
    document("owes-whole", mode="retroactive", limits={"negative": "pay"}),
    document("past", tiers=[{"above": 0, "rate": "0.015"}, {"above": 100, "rate": "0.0225"}, {"from": 250, "rate": "0.03"}]),
    document("late-start", tiers=[{"from": 50, "rate": "0.1"}, {"above": 150, "rate": "0.2"}]),
    document("late-start-whole", mode="retroactive", tiers=[{"from": 50, "rate": "0.1"}, {"above": 150, "rate": "0.2"}]),
    document("capped", limits={"payout": {"per_scope": "3.33"}}),
    document("capped-whole", mode="retroactive", limits={"payout": {"per_scope": "3.33"}, "negative": "pay"}),
    document("fine", tiers=[{"from": "0.0001", "rate": "0.123457"}, {"from": "99.999999", "rate": "0"}]),
    document("units", of="quantity", pays_on="quantity", tiers=[{"from": 0, "per_unit": "0.35"}, {"above": 7, "per_unit": 1}]),
    document("units-whole", of="quantity", pays_on="quantity", mode="retroactive", tiers=[{"from": 3, "per_unit": 2}]),
    document("counted", of="count", pays_on="count", tiers=[{"from": 1, "rate": "0.5"}, {"from": 5, "rate": 1}]),
    document("rounded", rounding={"decimals": 0}),
    document("points", currency="STARS", money="USD", every="month"),
    document("by-product", per=["product", "earner"], every="year"),
    document("by-rep", earner="rep", every="program", lines="line.quantity > 1 or line.amount < 0"),
    document("some", partners="partner.level = 'gold'", lines="product.family = 'A' and line.customer_id <> 'C1'"),
    document("own-dates", returns="own_date", per=["earner", "line.colour"]),
)  # fmt: skip


def made_lines(seed: int, *, decimals: int, scale: int = 1, ids: str = "I-{:06}") -> list[dict[str, Any]]:
    """Lines of a few partners; many of them end exactly on an edge, a third are returns, some of which name their sale."""
    random = Random(seed)
    rows: list[dict[str, Any]] = []
    for number in random.sample(range(999_999), 160):
        amount = (
            Decimal(random.choice((50, 100, 150, 25, random.randint(-20_000, 40_000) / Decimal(10**decimals)))) * scale
        )
        back = random.random() < 0.3
        sale = random.choice(rows) if rows and random.random() < 0.5 else None
        on = date(2026, 1, 1) + timedelta(days=random.randrange(200))
        rows.append(
            line(
                ids.format(number), str(-amount if back else amount), on, kind="return" if back else "sale",
                quantity=str(random.choice((-1, -3)) if back else random.choice((0, 1, 2, 4))),
                partner_id=f"P{random.randrange(4)}", product_id=random.choice("KLM"), rep_id=random.choice(("R1", "P1", None)),
                customer_id=random.choice(("C1", "C2", None)), colour=random.choice(("red", "blue", None)),
                original_line_id=sale["line_id"] if back and sale and sale["kind"] == "sale" else None,
            )
        )  # fmt: skip
    return rows


def tables(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Tables:
    """The lines with two partners of three known, and products of two families."""
    partners = pa.table({"partner_id": ["P0", "P1", "P2"], "level": ["gold", "gold", None]})
    products = pa.table({"product_id": ["K", "L", "M"], "family": ["A", "B", None]})
    references = {"partners": partners, "products": products}
    return Tables(lines=write_lines(folder, rows), references=references)


def differences(folder: Path, rows: Sequence[Mapping[str, Any]], programs: Sequence[Mapping[str, Any]]) -> list[object]:
    """Calculate both ways, and without awards; list everything in which the results differ."""
    request = Request(programs=tuple(Terms.model_validate(each) for each in programs), tables=tables(folder, rows))
    short, long = folder / "short.parquet", folder / "long.parquet"
    results = [
        calculate(request, awards=short),
        calculate(request, awards=long, watch=lambda _: None),
        calculate(request),
    ]
    found: list[object] = []
    for result in (results[0], results[2]):
        if not result.statements.equals(results[1].statements):
            pairs = zip(result.statements.to_pylist(), results[1].statements.to_pylist(), strict=False)
            found += [(ours, theirs) for ours, theirs in pairs if ours != theirs] or ["number of statements"]
        if (result.reasons, result.findings) != (results[1].reasons, results[1].findings):
            found.append((result.reasons, results[1].reasons))
    for ours, theirs in ((short, long), (long, short)):
        query = f"FROM read_parquet('{ours}') EXCEPT ALL FROM read_parquet('{theirs}')"
        found += [(ours.name, row) for row in duckdb.connect().execute(query).fetchall()]
    return found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("decimals", "scale", "ids"),
    [(2, 1, "I-{:06}"), (4, 1, "{:x}"), (6, 7, "a-rather-long-identity-{:x}"), (2, 1_000_000_000, "I-{:06}")],
)
def test_the_short_way_gives_what_the_long_way_gives(
    tmp_path: Path, seed: int, decimals: int, scale: int, ids: str
) -> None:
    rows = made_lines(seed, decimals=decimals, scale=scale, ids=ids)
    assert differences(tmp_path, rows, PROGRAMS) == []


def test_these_programs_take_the_short_way() -> None:
    book = make_book([Terms.model_validate(each) for each in PROGRAMS], None)
    assert [each.label for each in book.editions if not is_straight(book, each)] == []


def test_short_and_long_programs_of_one_run_do_not_disturb_each_other(tmp_path: Path) -> None:
    ordered = document("ordered", limits={"line": {"cap": "0.5"}})
    assert differences(tmp_path, made_lines(9, decimals=2), [*PROGRAMS[:4], ordered]) == []


@pytest.mark.parametrize(
    "amounts", [("100", "0.01"), ("99.99", "0.01", "-0.01", "0.01"), ("250", "-150", "-100.01", "500")]
)
def test_lines_that_end_on_an_edge_are_priced_alike(tmp_path: Path, amounts: Sequence[str]) -> None:
    rows = [line(f"L{number}", amount) for number, amount in enumerate(amounts)]
    assert differences(tmp_path, rows, PROGRAMS[:14]) == []
