"""What always holds of stock: costs as a queue of units gives them, and a full return undoes its sale."""

import tempfile
from collections.abc import Iterable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.channel import run
from tests.engine.test_stock import awards_of, buys, on, sells

PROGRAM = {
    "program": "cost", "currency": "USD", "measure": {"of": "quantity", "every": "program"}, "rounding": {"decimals": 6},
    "schedule": {"cost_basis": "fifo", "tiers": [{"from": 0, "down_to": 0}]}, "limits": {"negative": "pay"},
}  # fmt: skip
FEW = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))

type Move = tuple[str, int, int]
moves = st.lists(
    st.tuples(st.sampled_from(["buy", "sell", "sell", "sell"]), st.integers(1, 9), st.integers(1, 99)),
    min_size=1,
    max_size=14,
)


def lines_of(made: Iterable[Move]) -> list[dict[str, Any]]:
    """Write moves as lines of consecutive days; the first is always a purchase."""
    rows = [buys("A00", "5", "37", on(1))]
    for at, (what, units, paid) in enumerate(made, start=1):
        day = on(1) + timedelta(days=at)
        rows.append(
            buys(f"A{at:02}", str(units), str(paid), day) if what == "buy" else sells(f"A{at:02}", str(units), day)
        )
    return rows


def queued(rows: list[dict[str, Any]]) -> dict[str, Decimal]:
    """Cost sales by taking unit after unit from the front of a queue; past its end units cost what the last one does."""
    queue = [(row["line_id"], Fraction(row["amount"]) / int(row["quantity"])) for row in rows if row["kind"] == "purchase"
             for _ in range(int(row["quantity"]))]  # fmt: skip
    taken, costs = 0, {}
    for row in rows:
        if row["kind"] != "sale":
            continue
        units = [queue[min(at, len(queue) - 1)] for at in range(taken, taken + int(row["quantity"]))]
        taken += len(units)
        by_lot: dict[str, Fraction] = {}
        for lot, cost in units:
            by_lot[lot] = by_lot.get(lot, Fraction(0)) + cost
        costs[row["line_id"]] = sum((rounded(cost) for cost in by_lot.values()), Decimal(0))
    return costs


def rounded(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def costs_of(rows: list[dict[str, Any]]) -> dict[str, Decimal]:
    with tempfile.TemporaryDirectory() as folder:
        _, awards = run(Path(folder), PROGRAM, rows)
    return {line_id: Decimal(award) for line_id, award in awards_of(awards).items()}


@FEW
@given(made=moves)
def test_costs_are_those_of_a_queue_of_units(made: list[Move]) -> None:
    rows = lines_of(made)
    assert costs_of(rows) == queued(rows)


@FEW
@given(made=moves, data=st.data())
def test_a_full_return_of_a_sale_restores_the_lots(made: list[Move], data: st.DataObject) -> None:
    rows = lines_of(made)
    sales = [row for row in rows if row["kind"] == "sale"]
    if not sales:
        return
    undone = data.draw(st.sampled_from(sales))
    before = costs_of([row for row in rows if row is not undone])
    back = sells("Z", f"-{undone['quantity']}", on(1, 3), original_line_id=undone["line_id"])
    after = costs_of([*rows, back])
    assert after.pop("Z") == -after.pop(undone["line_id"])
    assert after == before
