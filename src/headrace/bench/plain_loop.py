"""The same job as the yardstick in the plainest Python: dictionaries, sorted, one `Decimal` at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from headrace.bench.lines import Size
from headrace.bench.programs import RATES, edges

_CENT = Decimal("0.01")
_ZERO = Decimal(0)


def awards(
    lines: Iterable[Mapping[str, object]],
    partners: Mapping[str, Mapping[str, object]],
    products: Mapping[str, Mapping[str, object]],
    size: Size,
) -> list[tuple[str, Decimal]]:
    """Give the award of each qualifying line of `programs.one`. lines: one mapping per line, columns of schema.LINES."""
    scopes: dict[tuple[str, int, int], list[tuple[date, str, Decimal]]] = defaultdict(list)
    for line in lines:
        day, partner, product = line["occurred_on"], str(line["partner_id"]), str(line["product_id"])
        assert isinstance(day, date)
        if line["kind"] not in {"sale", "return"} or line["stage"] != "sell_through":
            continue
        if partners[partner]["level"] not in {"gold", "silver", "bronze"} or products[product]["family"] == "services":
            continue
        amount = line["amount"]
        assert isinstance(amount, Decimal)
        scopes[partner, day.year, (day.month - 1) // 3].append((day, str(line["line_id"]), amount))
    starts = [Decimal(edge) for edge in edges(size)]
    result: list[tuple[str, Decimal]] = []
    for scope in scopes.values():
        scope.sort()
        measure = before = _ZERO
        for _, line_id, amount in scope:
            measure += amount
            after = _earned(measure, starts).quantize(_CENT, rounding=ROUND_HALF_UP)
            result.append((line_id, after - before))
            before = after
    return result


def _earned(measure: Decimal, starts: list[Decimal]) -> Decimal:
    earned = _ZERO
    for place, rate in enumerate(RATES):
        end = min(measure, starts[place + 1]) if place + 1 < len(starts) else measure
        if end > starts[place]:
            earned += (end - starts[place]) * rate
    return earned
