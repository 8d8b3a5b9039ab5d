"""What the AdventureWorks programs owe, worked in plain Decimal loops from the raw files, without any part of Headrace.

Each function answers with the earned amount of each (payee, first day of the period), for every statement with a line that
counts.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path

from tests.examples.real_data import records

CENT = Decimal("0.01")
type Earned = dict[tuple[str, str], Decimal]


@dataclass(frozen=True, slots=True)
class Sale:
    on: str
    key: str
    reseller: str
    type: str
    rep: str
    family: str
    product_key: str
    quantity: Decimal
    net: Decimal
    cost: Decimal


def sales(folder: Path) -> list[Sale]:
    """Read the lines in their order: day, then `source:invoice:line` by bytes."""
    rows = [
        Sale(
            row["invoice_date"], f"{row['invoice_number']}:{row['line_number']}", row["reseller_id"], row["reseller_type"],
            row["sales_rep_id"], row["product_category"], row["product_key"],
            Decimal(row["quantity"]), Decimal(row["net_amount"]), Decimal(row["total_cost"]),
        )
        for row in records(folder / "pos_lines_2010_2012.csv.gz")
    ]  # fmt: skip
    return sorted(rows, key=lambda sale: (sale.on, sale.key))


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def quarter(day: str) -> str:
    return f"{day[:4]}-{(int(day[5:7]) - 1) // 3 * 3 + 1:02d}-01"


def totals(rows: Iterable[Sale], key: Callable[[Sale], tuple[str, str]], of: Callable[[Sale], Decimal]) -> Earned:
    added: Earned = defaultdict(Decimal)
    for row in rows:
        added[key(row)] += of(row)
    return added


def in_bands(measure: Decimal, bands: list[tuple[str, str]]) -> Decimal:
    """Pay each band's rate on the part of the measure inside the band."""
    edges = [*(Decimal(edge) for edge, _ in bands), None]
    paid = Decimal(0)
    for (edge, rate), upper in zip(bands, edges[1:], strict=True):
        top = measure if upper is None else min(measure, upper)
        paid += max(Decimal(0), top - Decimal(edge)) * Decimal(rate)
    return paid


VOLUME = {
    "volume-var": ("Value Added Reseller", [("20000", "0.010"), ("60000", "0.015"), ("120000", "0.020")]),
    "volume-warehouse": ("Warehouse", [("20000", "0.005"), ("75000", "0.010"), ("150000", "0.015")]),
    "volume-shop": ("Specialty Bike Shop", [("2500", "0.010"), ("7500", "0.020"), ("20000", "0.030")]),
}


def volume(rows: list[Sale], program: str) -> Earned:
    type_, bands = VOLUME[program]
    chosen = [row for row in rows if row.type == type_ and row.on >= "2011-01-01"]
    bought = totals(chosen, lambda row: (row.reseller, quarter(row.on)), lambda row: row.net)
    return {scope: cents(in_bands(measure, bands)) for scope, measure in bought.items()}


def growth_2012(rows: list[Sale]) -> Earned:
    by_year = totals(rows, lambda row: (row.reseller, row.on[:4]), lambda row: row.net)
    earned = {}
    for (reseller, year), measure in by_year.items():
        before = by_year.get((reseller, "2011"), Decimal(0))
        if year != "2012" or before <= 0:
            continue
        rate = Decimal(0)
        for percent, reached in (("10", "0.01"), ("25", "0.02"), ("50", "0.03")):
            if measure * 100 >= before * (100 + Decimal(percent)):
                rate = Decimal(reached)
        earned[(reseller, "2012-01-01")] = cents(max(Decimal(0), measure - before) * rate)
    return earned


def touring_promotion(rows: list[Sale], folder: Path) -> Earned:
    # The file of lines points at the product's version by its own key, which Headrace does not read.
    line_of = {row["product_key"]: row["product_line"].strip() for row in records(folder / "products.csv.gz")}
    chosen = [
        row for row in rows if row.on >= "2012-07-01" and row.family == "Bikes" and line_of[row.product_key] == "T"
    ]
    units = totals(chosen, lambda row: (row.reseller, "2012-07-01"), lambda row: row.quantity)
    return {
        scope: cents(min(count, Decimal(10)) * 15 + max(count - 10, Decimal(0)) * 25) for scope, count in units.items()
    }  # fmt: skip


def margin_share(rows: list[Sale]) -> Earned:
    families = ("Components", "Clothing", "Accessories")
    chosen = [row for row in rows if row.on >= "2011-01-01" and row.family in families and row.net > row.cost]
    margin = totals(chosen, lambda row: (row.reseller, quarter(row.on)), lambda row: row.net - row.cost)
    shares = totals(
        chosen,
        lambda row: (row.reseller, quarter(row.on)),
        lambda row: min(Decimal(20), (row.net - row.cost) * Decimal("0.10")),
    )
    return {
        scope: cents(min(Decimal(400), shares[scope])) if margin[scope] >= 250 else Decimal("0.00") for scope in margin
    }  # fmt: skip


def rep_spiff(rows: list[Sale], folder: Path) -> Earned:
    quotas = [
        (row["sales_rep_id"], row["date"], Decimal(row["quota_amount"]))
        for row in records(folder / "sales_quota.csv.gz")
    ]
    days = sorted({day for _, day, _ in quotas})
    until = dict(pairwise(days))
    earned = {}
    for rep, start, quota in quotas:
        if start not in until:
            continue
        mine = [row.net for row in rows if row.rep == rep and start <= row.on < until[start]]
        if not mine:
            continue
        sold, rate = sum(mine, Decimal(0)), Decimal(0)
        for percent, reached in (("75", "0.0005"), ("85", "0.001"), ("90", "0.002")):
            if sold * 100 >= quota * Decimal(percent):
                rate = Decimal(reached)
        earned[(rep, start)] = cents(min(Decimal(1500), sold * rate))
    return earned


def all_programs(folder: Path) -> Mapping[str, Earned]:
    """Work every program of the example."""
    rows = sales(folder)
    return {
        **{program: volume(rows, program) for program in VOLUME},
        "growth-2012": growth_2012(rows),
        "touring-promotion": touring_promotion(rows, folder),
        "margin-share": margin_share(rows),
        "rep-spiff": rep_spiff(rows, folder),
    }
