"""Made-up program documents over every key that can be calculated, for the comparison with the engine."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from hypothesis import strategies as st
from pydantic import ValidationError

from headrace.engine.terms import Terms, check
from tests.reference.made_lines import PARTNERS, mostly, picked, rarely
from tests.reference.made_schedules import LINE_RULES, Document, schedules

PARTNER_RULES = (
    "partner.region = 'EMEA'",
    "partner.level in ('gold', 'silver')",
    "not partner.level = 'gold'",
    "partner.region is not null or partner.level = 'gold'",
)


@st.composite
def documents(draw: st.DrawFn, identity: str) -> list[Terms]:
    """All versions of one made-up program; without fault by the check of documents."""
    first = draw(_first_version(identity))
    for key, extra in _EXTRAS.items():
        if draw(rarely(_EXTRA_SHARE)):
            first = _with_if_valid(first, draw(extra(first)), key)
    found = [first]
    if "price_change" not in first["schedule"] and draw(rarely(4)):
        numbers = range(2, 3 + draw(st.integers(0, 1)))
        found += [draw(_amended(first, number)) for number in numbers]
    terms = [Terms.model_validate(document) for document in found]
    for each in terms:
        faults = [fault for fault in check(each) if fault.severity == "error"]
        assert not faults, (each, faults)
    return terms


def _with_if_valid(document: Document, change: Document, key: str) -> Document:
    """Give the document with the change, or as it was where the check of documents refuses the change."""
    changed = document | change
    try:
        terms = Terms.model_validate(changed)
    except ValidationError as error:
        raise AssertionError((key, change)) from error
    return document if any(fault.severity == "error" for fault in check(terms)) else changed


@st.composite
def programs(draw: st.DrawFn, count: int = 10) -> list[list[Terms]]:
    """Some programs, a few of which meet in a group."""
    made = [draw(documents(f"p{at}")) for at in range(draw(st.integers(1, count)))]
    of_lines = [at for at, versions in enumerate(made) if versions[0].schedule.price_change is None]
    if len(of_lines) > 1 and draw(rarely(2)):
        rule = draw(picked("exclusive", "best", "cascade"))
        for order, at in enumerate(draw(st.permutations(of_lines[:3]))):
            combine: Document = {"group": "g", "rule": rule, "order": order}
            if rule == "cascade":
                combine |= {"reduces_others": draw(picked(True, False)), "reduced_by_others": draw(picked(True, False))}
            made[at] = [_with(terms, {"combine": combine}) for terms in made[at]]
    return made


@st.composite
def stock_programs(draw: st.DrawFn) -> list[list[Terms]]:
    """Programs that read the stock in the channel: its cost, what is left of it on a day, what is provided for it."""
    made = []
    for at in range(draw(st.integers(1, 4))):
        document: Document = {
            "program": f"p{at}",
            "currency": draw(picked("USD", "JPY")),
            "measure": {
                "of": "quantity",
                "every": draw(picked("program", "month")),
                "per": draw(picked(["earner"], ["product"], ["earner", "product"])),
            },
            "convert": {"age_days_max": draw(picked(366, 0))},
        }
        tier = {draw(picked("from", "above")): draw(picked(Decimal(0), Decimal(5)))}
        tier |= draw(picked({"down_to": Decimal(4)}, {"margin_to": Decimal("0.3")}))
        document["schedule"] = draw(
            picked(
                {"cost_basis": "fifo", "tiers": [tier]},
                {"cost_basis": "fifo", "tiers": [tier | {"bonus": Decimal(7)}], "mode": "retroactive"},
                {"price_change": {"effective": date(2026, 2, 15), "drop": Decimal("1.5")}},
                {"price_change": {"effective": date(2026, 4, 1), "from": Decimal(9), "to": Decimal("8.333333")}},
                {"tiers": [{"from": Decimal(0), "rate": Decimal("0.1")}]},
            )
        )
        extras: Document = {
            "accrue": {"basis": "sell_in"},
            "earner": draw(picked("seller", "buyer")),
            "limits": {"negative": draw(picked("zero", "pay")), "measure": {"max": Decimal(20)}},
            "returns": "own_date",
            "lines": "line.channel = 'web' or product.family = 'cable'",
            "kinds": ["sale", "return", "purchase", "purchase_return"],
        }
        for key, value in extras.items():
            if draw(rarely(3)):
                document = _with_if_valid(document, {key: value}, key)
        if document["schedule"].get("price_change"):
            document["measure"] |= {"of": "on_hand"}
        made.append([Terms.model_validate(document)])
    return made


def _with(terms: Terms, change: Document) -> Terms:
    return Terms.model_validate(terms.model_dump(by_alias=True, exclude_unset=True) | change)


@st.composite
def _amended(draw: st.DrawFn, first: Document, number: int) -> Document:
    """A later version: other dates and amounts, and now and then other rules."""
    document = first | draw(_amendment(first, number))
    others: Document = {
        "returns": draw(picked("with_sale", "own_date")),
        "facts_as_of": draw(picked("line", "period_start", "period_end")),
        "lines": draw(picked(*LINE_RULES)),
        "partners": draw(picked(*PARTNER_RULES)),
        "kinds": ["sale", "return"],
        "pays_on": draw(picked("amount", "quantity", "count")),
        "limits": {"payout": {"per_scope": Decimal(30)}},
        "rounding": draw(picked({"decimals": 0}, {"remainder": "carry_forward"})),
        "schedule": document["schedule"] | {"mode": draw(picked("incremental", "retroactive", "rolling", "total"))},
    }
    if document["applies"] == "next_period":
        others["measure"] = document["measure"] | draw(
            picked({"every": "month"}, {"every": "year"}, {"per": ["product"]})
        )
    for key, value in others.items():
        if draw(rarely(5)):
            document = _with_if_valid(document, {key: value}, key)
    return document


@st.composite
def _amendment(draw: st.DrawFn, first: Document, number: int) -> Document:
    """What a later version changes: its dates, its amounts."""
    start = draw(picked(date(2026, 2, 15), date(2026, 3, 1), date(2026, 4, 1)))
    until = first.get("valid", {}).get("until")
    if until is not None and start >= until:
        start = date(2026, 1, 20)
    change: Document = {
        "version": number,
        "valid": {"from": start, "until": until},
        "applies": draw(picked("from_date", "period_start", "next_period")),
    }
    schedule = dict(first["schedule"])
    schedule.pop("changes", None)
    if "tiers" in schedule:
        factor = draw(picked(Decimal("0.5"), Decimal(2)))
        schedule["tiers"] = [_scaled(tier, factor) for tier in schedule["tiers"]]
    change["schedule"] = schedule
    if "inputs" in first and not _rated(schedule):
        rows = [{key: value for key, value in row.items() if key != "rate"} for row in first["inputs"]]
        change["inputs"] = [row for row in rows if set(row) - {"earner", "scope", "from", "until"}]
    return change


def _rated(schedule: Document) -> bool:
    """Tell whether a governed rate has one that it can stand for."""
    return any(entry.get("rate") for entry in (*schedule.get("tiers", ()), *schedule.get("table", ())))


def _scaled(tier: Document, factor: Decimal) -> Document:
    keys = [key for key in ("rate", "per_unit", "down_by") if key in tier]
    return tier | {key: (tier[key] * factor).quantize(Decimal("0.000001")) for key in keys}


@st.composite
def _first_version(draw: st.DrawFn, identity: str) -> Document:
    document: Document = {"program": identity, "version": 1}
    document |= draw(_money())
    document |= draw(_parties())
    pricing = draw(mostly("tiers", "table", "package", "free_goods", "price_change"))
    measure = draw(_measure(pricing))
    document["measure"] = measure
    if pricing in {"tiers", "table"}:
        document |= draw(_base(measure))
    document["schedule"] = draw(schedules(pricing, measure, document))
    document["limits"] = draw(_limits(pricing, document))
    if pricing == "price_change":
        measure["of"] = "on_hand"
        measure.pop("minus", None)
    if pricing == "free_goods":
        document |= {"currency": "UNITS", "money": "USD", "settle": document["settle"] | {"as": "free_goods"}}
        document.pop("rounding", None)
    inputs = draw(_inputs(document))
    if inputs:
        document["inputs"] = inputs
        document |= draw(_enrolment(inputs))
    return document


@st.composite
def _money(draw: st.DrawFn) -> Document:
    found: Document = {"settle": {}}
    currency = draw(picked("USD", "USD", "USD", "JPY", "KWD", "PTS"))
    found["currency"] = currency
    if currency == "PTS":
        found |= {"money": "USD", "settle": {"as": "points"}}
    if draw(rarely(6)):
        found["rounding"] = draw(picked({"decimals": 0}, {"remainder": "carry_forward"}))
    if draw(rarely(5)):
        found["convert"] = {"on": draw(picked("settlement", "period_end")), "age_days_max": draw(picked(60, 366))}
    elif draw(rarely(2)):
        found["convert"] = {"age_days_max": draw(picked(0, 30))}
    if draw(rarely(5)):
        found["settle"] |= {"late": draw(picked("forfeit", "ask")), "grace_days": draw(picked(0, 10, 30))}
    return found


@st.composite
def _parties(draw: st.DrawFn) -> Document:
    earner = draw(picked("seller", "seller", "seller", "buyer", "reporter", "rep", "group"))
    found: Document = {"earner": earner}
    if earner != "rep" and draw(rarely(5)):
        found["paid_to"] = draw(picked("parent", "group_head", "distributor"))
    if draw(rarely(4)):
        found["kinds"] = draw(
            picked(
                ["sale", "return", "purchase", "purchase_return"],
                ["sale"],
                ["sale", "return", "training", "stock_count"],
            )
        )
    if draw(rarely(6)):
        found |= {"stage": ["sell_in", "sell_through"], "internal": draw(picked(False, True))}
    if draw(rarely(3)):
        found["valid"] = {
            "from": draw(picked(None, date(2026, 1, 1), date(2026, 1, 20))),
            "until": draw(picked(None, date(2026, 4, 1), date(2026, 5, 11))),
        }
    if draw(rarely(3)):
        found["partners"] = draw(picked(*PARTNER_RULES))
    if draw(rarely(3)):
        found["lines"] = draw(picked(*LINE_RULES))
    if draw(rarely(4)):
        found["facts_as_of"] = draw(picked("period_start", "period_end"))
    if draw(rarely(4)):
        found["returns"] = "own_date"
    if draw(rarely(5)):
        found["verify"] = draw(picked("line.serial_number is not null", "line.channel = 'web'"))
    if draw(rarely(6)):
        found["gate"] = ["partner.level = 'gold'"]
    return found


@st.composite
def _measure(draw: st.DrawFn, pricing: str) -> Document:
    of = draw(
        picked(
            "amount", "quantity", "amount", "count", "margin", "gross", "cost", "price_list.list",
            "distinct line.product_id", "distinct line.customer_id",
        )
    )  # fmt: skip
    found: Document = {
        "of": of,
        "every": draw(picked("quarter", "month", "year", "half", "week", "program")),
        "per": draw(
            picked(
                ["earner"], ["earner"], ["earner", "product"], ["group"], ["product"], ["family"], ["line.channel", "earner"],
                ["line"], ["deal"], ["earner", "rep"], ["earner", "customer"], ["buyer"], ["earner", "authorization"],
            )
        ),
    }  # fmt: skip
    if of == "gross" and draw(rarely(3)):
        found["minus"] = [draw(picked("cost", "amount"))]
    if found["every"] not in {"week", "program"} and draw(rarely(5)):
        found["anchor"] = draw(picked(date(2026, 1, 31), date(2025, 11, 15)))
    elif found["every"] in {"month", "quarter"} and draw(rarely(6)):
        found["calendar"] = "fiscal"
    if draw(rarely(5)):
        found["lines"] = draw(picked(*LINE_RULES))
    if pricing == "tiers" and draw(rarely(4)):
        found |= draw(_relative(found["every"]))
    return found


@st.composite
def _relative(draw: st.DrawFn, every: str) -> Document:
    way = draw(picked("multiple", "percent", "amount"))
    if draw(rarely(2)):
        return {"target": {"as": way} | ({"value": Decimal(100)} if draw(rarely(2)) else {})}
    baseline = "entered" if every == "program" else draw(picked("previous_period", "previous_year", "entered"))
    growth: Document = {"as": way, "baseline": baseline, "no_baseline": draw(picked("skip", "zero"))}
    if baseline != "entered" and draw(rarely(4)):
        growth["frozen_on"] = date(2026, 4, 10)
    return {"growth": growth}


@st.composite
def _base(draw: st.DrawFn, measure: Document) -> Document:
    if "growth" in measure and draw(rarely(2)):
        return {"pays_on": "growth"}
    if not draw(rarely(4)):
        return {}
    return {"pays_on": draw(picked("amount", "quantity", "gross", "margin", "count", "price_list.list"))}


@st.composite
def _limits(draw: st.DrawFn, pricing: str, document: Document) -> Document:
    found: Document = {}
    if pricing in {"tiers", "table"} and draw(rarely(4)):
        found["line"] = draw(
            picked({"floor": Decimal(1)}, {"cap": Decimal(5)}, {"floor": Decimal(1), "cap": Decimal(5)})
        )
    if draw(rarely(4)):
        found["measure"] = {"max": draw(picked(Decimal(120), Decimal(4), Decimal("200.25")))}
    payout: Document = {}
    if draw(rarely(4)):
        payout["per_scope"] = draw(picked(Decimal(12), Decimal("5.55")))
    if draw(rarely(5)):
        payout["program"] = draw(picked(Decimal(20), Decimal(60)))
    if payout:
        found["payout"] = payout
    if draw(rarely(5)):
        found["prorate"] = draw(picked("payout", "edges", "both")) if pricing == "tiers" else "payout"
    if draw(rarely(5)):
        found["minimum"] = {"amount": Decimal(8), "below": draw(picked("carry_forward", "forfeit"))}
    if draw(rarely(6)):
        found["guarantee"] = {"amount": draw(picked(Decimal(15), Decimal("3.33")))}
    tiers = document["schedule"].get("tiers")
    starts_at_nought = tiers is not None and next(iter(tiers[0].values())) == 0
    if (starts_at_nought or pricing == "table") and draw(rarely(2)):
        found["negative"] = draw(picked("pay", "carry"))
    return found


@st.composite
def _inputs(draw: st.DrawFn, document: Document) -> list[Document]:
    measure, schedule = document["measure"], document["schedule"]
    rows: list[Document] = []
    rated = _rated(schedule)
    entered = measure.get("growth", {}).get("baseline") == "entered"
    for earner in (*PARTNERS, "R1", "G1"):
        row: Document = {}
        if "target" in measure and not draw(rarely(4)):
            row["target"] = draw(picked(Decimal(50), Decimal("33.333333"), Decimal(200)))
        if entered and not draw(rarely(4)):
            row["baseline"] = draw(picked(Decimal(50), Decimal("33.333333"), Decimal(0)))
        if rated and draw(rarely(12)):
            row["rate"] = Decimal("0.123456")
        if draw(rarely(20)):
            row["cap"] = Decimal(7)
        if draw(rarely(12)):
            row["enrolled_from"] = draw(picked(date(2026, 1, 31), date(2026, 2, 15)))
            row["enrolled_until"] = draw(picked(None, date(2026, 3, 1), date(2026, 4, 1)))
        if row:
            rows.append({"earner": earner} | row)
    return rows


@st.composite
def _enrolment(draw: st.DrawFn, inputs: list[Document]) -> Document:
    if not any(row.get("enrolled_from") for row in inputs):
        return {}
    found: Document = {
        "counts_from": draw(picked("program", "enrolment")),
        "on_exit": draw(picked("pay", "prorate", "forfeit")),
    }
    if draw(rarely(2)):
        found["enrolled"] = True
    if draw(rarely(3)):
        found["facts_as_of"] = "enrolment"
    return found


@st.composite
def _accrual(draw: st.DrawFn, document: Document) -> Document:
    """What the vendor provides for; a named tier gets its name."""
    accrue: Document = {}
    change: Document = {}
    tiers = document["schedule"].get("tiers", [])
    way = draw(picked("forecast", "named", "achieved"))
    if way == "forecast":
        accrue |= {"at": "forecast", "forecast": draw(picked("linear", "entered"))}
    elif way == "named" and tiers:
        at = draw(st.integers(0, len(tiers) - 1))
        named = [tier | ({"name": "top"} if place == at else {}) for place, tier in enumerate(tiers)]
        change["schedule"] = document["schedule"] | {"tiers": named}
        accrue["at"] = "top"
    if draw(rarely(3)):
        accrue |= {
            "lump_sum": draw(picked(Decimal(10), Decimal("3.33"))),
            "spread": draw(picked("daily", "start", "period")),
        }
    if draw(rarely(3)):
        accrue["basis"] = "sell_in"
    return change | {"accrue": accrue}


@st.composite
def _promise(draw: st.DrawFn, document: Document) -> Document:
    """A guarantee, of the measure's periods or of others."""
    promise: Document = {"amount": draw(picked(Decimal(15), Decimal("3.33")))}
    if draw(rarely(2)):
        promise["every"] = draw(picked("month", "quarter", "half", "year"))
    if draw(rarely(3)):
        promise["cumulative"] = True
    return {"limits": document["limits"] | {"guarantee": promise}}


@st.composite
def _payment(draw: st.DrawFn, document: Document) -> Document:
    """When it is paid."""
    days = {"hold_days": draw(picked(0, 5, 45)), "pay_day": draw(picked(15, 31, 1)), "grace_days": draw(picked(0, 30))}
    return {"settle": document["settle"] | days}


@st.composite
def _dated_inputs(draw: st.DrawFn, document: Document) -> Document:
    """Inputs of one period, or of one further word of the scope."""
    values = {
        "target": Decimal(70),
        "baseline": Decimal(40),
        "rate": Decimal("0.2"),
        "cap": Decimal(9),
    }
    key = draw(picked(*values))
    row: Document = {"earner": draw(picked(*PARTNERS)), key: values[key]}
    scopes = {"product": "A", "customer": "C1", "family": "radio", "line.channel": "web", "rep": "R1"}
    words = [word for word in document["measure"]["per"] if word in scopes]
    if draw(rarely(2)) and words:
        row["scope"] = {word: scopes[word] for word in words}
    if draw(rarely(2)):
        row |= draw(
            picked(
                {"from": date(2026, 1, 1), "until": date(2026, 4, 1)},
                {"from": date(2026, 2, 1), "until": date(2026, 3, 1)},
                {"from": date(2026, 1, 1)},
            )
        )
    return {"inputs": [row, *document.get("inputs", [])]}


@st.composite
def _edges_that_meet(draw: st.DrawFn, document: Document) -> Document:
    """Two tiers of one edge: one from it on, one just above it."""
    schedule = document["schedule"]
    tiers = list(schedule.get("tiers", []))
    if not tiers:
        return {}
    at = draw(st.integers(0, len(tiers) - 1))
    edge = tiers[at].get("from", tiers[at].get("above"))
    low = {key: value for key, value in tiers[at].items() if key != "above"} | {"from": edge}
    high = {
        key: value for key, value in tiers[draw(st.integers(0, len(tiers) - 1))].items() if key not in {"from", "name"}
    }
    tiers[at : at + 1] = [low, high | {"above": edge}]
    return {"schedule": schedule | {"tiers": tiers}}


_EXTRA_SHARE = 8
_EXTRAS: dict[str, Callable[[Document], st.SearchStrategy[Document]]] = {
    "accrue": _accrual,
    "guarantee": _promise,
    "settle": _payment,
    "inputs": _dated_inputs,
    "tiers": _edges_that_meet,
}
