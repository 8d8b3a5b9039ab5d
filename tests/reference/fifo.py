"""Cost of sales out of channel stock, first in first out (semantics, 10)."""

from fractions import Fraction

from tests.reference.facts import World, occurred
from tests.reference.judge import Place, place_of
from tests.reference.measure import Entry
from tests.reference.needs import rate_for
from tests.reference.numbers import ZERO, number, round6, total
from tests.reference.periods import Program
from tests.reference.stock import Lot, consumed, lots_of


class Fifo:
    """Costs the sales of one program; every net sale of a seller and product consumes its lots in order of place."""

    def __init__(self, world: World, program: Program, findings: set[str]) -> None:
        self.world = world
        self.program = program
        self.findings = findings
        self._costs: dict[tuple[str, str], dict[str, Fraction]] = {}

    def cost_of(self, entry: Entry) -> Fraction | None:
        """Give what a line's units cost; null where the stock has no lots at all."""
        line = entry.judged.line
        if line.get("partner_id") is None or line.get("product_id") is None:
            return None
        key = (str(line["partner_id"]), str(line["product_id"]))
        if key not in self._costs:
            self._costs[key] = self._work_out(entry, *key)
        return self._costs[key].get(entry.line_id)

    def _work_out(self, entry: Entry, partner: str, product: str) -> dict[str, Fraction]:
        lots = [self._converted(entry, lot) for lot in lots_of(self.world, partner, product)]
        if not lots:
            return {}
        sales: list[tuple[Place, str, Fraction]] = sorted(
            (place_of(self.world, self.program, line, set()), str(line["line_id"]), number(line["quantity"]))
            for line in self.world.lines.values()
            if line["kind"] in {"sale", "return"}
            and line.get("partner_id") == partner
            and line.get("product_id") == product
        )
        whole = total(lot.quantity for lot in lots)
        costs, running = {}, ZERO
        for _, line_id, quantity in sales:
            before, running = running, running + quantity
            if running > whole:
                self.findings.add("fifo_short")
            costs[line_id] = total(round6(units * lot.unit_cost) for units, lot in consumed(lots, before, running))
        return costs

    def _converted(self, entry: Entry, lot: Lot) -> Lot:
        if lot.line is None:
            return lot
        rate = rate_for(self.world, entry.terms, lot.line, occurred(lot.line), None)
        return Lot(lot.quantity, lot.unit_cost * (1 if rate is None else rate), lot.line)
