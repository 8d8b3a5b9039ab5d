"""What the Online Retail and Iowa programs owe, worked in plain Decimal loops from the raw files, with no part of Headrace."""

import re
from collections import defaultdict
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from tests.examples.real_data import records

CENT = Decimal("0.01")
FEES = re.compile(r"(?i)^(POST|DOT|M|D|C2|S|B|BANK CHARGES|AMAZONFEE|CRUK|PADS|gift_.*)$")
type Earned = dict[tuple[str, str], Decimal]


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def online_retail(folder: Path) -> Mapping[str, Earned]:
    """Add up what each customer bought in a quarter, and in the half-year in the United Kingdom; then price it."""
    quarters: Earned = defaultdict(Decimal)
    halves: Earned = defaultdict(Decimal)
    for row in records(folder / "online_retail_2010-12_2011-06.csv.gz"):
        cancelled, quantity = row["InvoiceNo"].startswith("C"), Decimal(row["Quantity"])
        write_off = quantity < 0 and not cancelled
        if FEES.match(row["StockCode"]) or write_off or not row["CustomerID"]:
            continue
        customer, day = row["CustomerID"].removesuffix(".0"), row["InvoiceDate"][:10]
        amount = quantity * Decimal(row["UnitPrice"])
        quarters[(customer, f"{day[:4]}-{(int(day[5:7]) - 1) // 3 * 3 + 1:02d}-01")] += amount
        if row["Country"] == "United Kingdom" and day >= "2011-01-01":
            halves[(customer, "2011-01-01")] += amount
    return {"customer-volume": {scope: _reached(sum_) for scope, sum_ in quarters.items()}} | {
        "voucher-500": {scope: cents(max(Decimal(0), sum_) // 500 * 5) for scope, sum_ in halves.items()}
    }


def _reached(amount: Decimal) -> Decimal:
    rate = Decimal(0)
    for edge, reached in (("500", "0.01"), ("2500", "0.02"), ("10000", "0.03")):
        if amount >= Decimal(edge):
            rate = Decimal(reached)
    return cents(amount * rate)


def iowa(folder: Path) -> Mapping[str, Earned]:
    """Price the day's depletions item by item, and what single lines lack of a margin of 34.5 %; keys name the scope first."""
    bottles: Earned = defaultdict(Decimal)
    missing: Earned = defaultdict(Decimal)
    for row in records(folder / "iowa_2012-01-31_all_stores.csv.gz"):
        if not row["sale_dollars"] or not row["state_bottle_cost"]:
            continue
        sold, category = Decimal(row["bottles_sold"]), row["category_name"]
        if row["vendor_name"] == "Diageo Americas" and ("RUM" in category or "WHISKIES" in category):
            bottles[(row["item_number"], "2012-01-01")] += sold
        if row["vendor_name"] in ("Jim Beam Brands", "Sazerac North America", "Brown-Forman Corporation"):
            short = sold * Decimal(row["state_bottle_cost"]) - Decimal(row["sale_dollars"]) * Decimal("0.655")
            missing[(row["vendor_name"], "2012-01-01")] += max(Decimal(0), short)
    return {
        "depletion-allowance": {
            scope: cents(min(count, Decimal(96)) * Decimal("0.25") + max(count - 96, Decimal(0)) * Decimal("0.40"))
            for scope, count in bottles.items()
        },
        "ship-and-debit-34-5": {scope: cents(sum_) for scope, sum_ in missing.items()},
    }
