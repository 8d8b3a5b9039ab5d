"""Made-up schedules: tiers, tables, packages, free goods, price protection, with what goes beside them."""

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.reference.made_lines import picked, rarely

type Document = dict[str, Any]

LINE_RULES = (
    "product.family = 'radio'",
    "line.quantity >= 2",
    "line.channel = 'web' or product.family = 'cable'",
    "line.amount between -100 and 100",
    "deal.discount > 5",
    "line.product_id <> 'B'",
    "seller.level = 'gold' or line.kind = 'return'",
    "buyer.region = 'EMEA' or line.buyer_id is null",
)
RELATIVE_EDGES = {
    "multiple": ("0.5", "0.9", "1", "1.1", "2"),
    "percent": ("5", "10", "50", "100"),
    "amount": ("0", "50", "100"),
}
EDGES = ("0", "50", "100", "150.5", "300", "1000")
SMALL_EDGES = ("0", "1", "3", "5.5", "10", "14")


@st.composite
def schedules(draw: st.DrawFn, pricing: str, measure: Document, document: Document) -> Document:
    """A schedule of one kind, for a measure and the document around it."""
    found: Document = {}
    if pricing == "package":
        found["package"] = {
            "of": draw(picked(Decimal(3), Decimal(100), Decimal("2.5"))),
            "pays": draw(picked(Decimal(10), Decimal("3.33"))),
            "count": draw(picked("full", "started")),
            "free": draw(picked(Decimal(0), Decimal(5))),
        }
        return found
    if pricing == "price_change":
        day = draw(picked(date(2026, 2, 15), date(2026, 3, 1), date(2026, 7, 1)))
        until, since = document.get("valid", {}).get("until"), document.get("valid", {}).get("from")
        day = day if (until is None or day < until) and (since is None or since <= day) else date(2026, 2, 14)
        prices = {"from": Decimal(10), "to": Decimal("7.666667")}
        return {
            "price_change": {"effective": day}
            | draw(picked({"drop": Decimal(2)}, {"drop": Decimal("0.333333")}, prices))
        }
    if pricing == "free_goods":
        return {
            "free_goods": {"buy": draw(picked(Decimal(3), Decimal(10))), "get": draw(picked(Decimal(1), Decimal(2)))}
        }
    if pricing == "table":
        found["table"] = draw(_table())
        if draw(rarely(4)):
            found["changes"] = [{"on": date(2026, 2, 14), "table": draw(_table())}]
    else:
        found |= draw(_tiers(measure, document))
    if document.get("pays_on") == "growth" and found.get("mode", "incremental") == "retroactive":
        return found
    if draw(rarely(4)):
        found["fixed"] = draw(picked(Decimal(2), Decimal("0.333333")))
    if draw(rarely(5)):
        found["free"] = draw(picked({"lines": 2}, {"amount": Decimal(75)}, {"lines": 3, "amount": Decimal(120)}))
    if draw(rarely(4)) and any("rate" in tier or "per_unit" in tier for tier in found.get("tiers", [{"rate": 1}])):
        found["boosts"] = [
            {"when": draw(picked(*LINE_RULES)), "factor": draw(picked(Decimal(2), Decimal("1.333333")))}
            for _ in range(draw(st.integers(1, 2)))
        ]
        found["boost_rule"] = draw(picked("highest", "multiply"))
    return found


@st.composite
def _tiers(draw: st.DrawFn, measure: Document, document: Document) -> Document:
    growing = document.get("pays_on") == "growth"
    modes = ("incremental", "retroactive") if growing else ("incremental", "retroactive", "rolling", "total")
    found: Document = {"mode": draw(picked(*modes))}
    made = _tier_list(measure, growing)
    found["tiers"] = draw(made)
    valid = document.get("valid", {})
    if draw(rarely(6)) and (valid.get("until") is None) and (valid.get("from") or date.min) < date(2026, 2, 14):
        found["changes"] = [{"on": date(2026, 2, 14), "tiers": draw(made)}]
    specials = [key for tier in found["tiers"] for key in tier]
    if ("down_to" in specials or "margin_to" in specials) and draw(rarely(3)):
        found["cost_basis"] = draw(picked("price_list.list", "fifo"))
    return found


@st.composite
def _tier_list(draw: st.DrawFn, measure: Document, rates_only: bool) -> list[Document]:
    relative = measure.get("growth") or measure.get("target")
    if relative:
        pool = RELATIVE_EDGES[relative["as"]]
    elif measure["of"] in {"quantity", "count"} or measure["of"].startswith("distinct"):
        pool = SMALL_EDGES
    else:
        pool = EDGES
    numbers = [Decimal(text) for text in pool]
    edges = sorted(draw(st.lists(st.sampled_from(numbers), unique=True, min_size=1, max_size=4)))
    if draw(rarely(2)):
        edges[0] = Decimal(0)
    special = (
        None if rates_only or draw(picked(True, True, True, False)) else draw(picked("down_to", "down_by", "margin_to"))
    )
    tiers = []
    for edge in edges:
        tier: Document = {draw(picked("from", "from", "above")): edge}
        tiers.append(tier | draw(_tier_pays(special, rates_only)))
    return tiers


@st.composite
def _tier_pays(draw: st.DrawFn, special: str | None, rates_only: bool) -> Document:
    if special is not None:
        amounts = {
            "down_to": (Decimal(5), Decimal("8.5")),
            "down_by": (Decimal("1.5"),),
            "margin_to": (Decimal("0.2"),),
        }
        return {special: draw(picked(*amounts[special]))}
    rate = {"rate": draw(picked(*(Decimal(text) for text in ("0.1", "0", "0.025", "0.333333", "0.05"))))}
    if rates_only:
        return rate
    unit = {"per_unit": draw(picked(Decimal(3), Decimal("0.75")))}
    bonus = {"bonus": draw(picked(Decimal(10), Decimal("7.77")))}
    return draw(picked(rate, rate, unit, rate | unit, rate | bonus, bonus, unit | bonus))


@st.composite
def _table(draw: st.DrawFn) -> list[Document]:
    rows: list[Document] = []
    seen = set()
    for _ in range(draw(st.integers(1, 4))):
        row: Document = {}
        for key, values in (("product", ["A", "B"]), ("family", ["radio"]), ("region", ["EMEA"]), ("level", ["gold"])):
            if draw(rarely(2)):
                row[key] = draw(picked(*values))
        if (conditions := tuple(sorted(row.items()))) in seen:
            continue
        seen.add(conditions)
        row |= draw(
            picked(
                {"rate": Decimal("0.1")},
                {"per_unit": Decimal(2)},
                {"rate": Decimal("0.05"), "per_unit": Decimal("0.5")},
            )
        )
        if draw(rarely(3)):
            row["quantity_max"] = draw(picked(Decimal(3), Decimal(10)))
        rows.append(row)
    return rows
