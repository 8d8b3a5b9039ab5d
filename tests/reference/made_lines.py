"""Made-up lines and reference tables for the comparison with the engine: small, with many ties, edges and gaps."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from hypothesis import strategies as st

type Row = dict[str, object]

PARTNERS = ("P1", "P2", "P3", "p4")
PRODUCTS = ("A", "B", "C")
DAYS = tuple(
    date.fromisoformat(day)
    for day in """2026-01-15 2026-01-31 2026-02-01 2026-02-14 2026-02-15 2026-02-28 2026-03-01 2026-03-31 2026-04-01 2026-04-10
    2026-05-10 2026-06-30 2025-01-15 2025-02-28 2025-03-31 2025-04-01 2025-12-31 2024-02-29""".split()  # noqa: SIM905
)
AMOUNTS = tuple(Decimal(text) for text in "100 50 10 0 0.01 33.33 99.99 150.5 333.333333 1000 0.5 7.77".split())  # noqa: SIM905
QUANTITIES = tuple(Decimal(text) for text in "1 2 5 10 0.5 2.25 0 3 14".split())  # noqa: SIM905
IDS = tuple(f"{prefix}{number}" for number in range(20) for prefix in ("L", "l"))
AS_OF = date(2026, 6, 30)


@dataclass(frozen=True)
class Facts:
    """One made-up channel: its lines and its reference tables."""

    lines: list[Row]
    references: dict[str, list[Row]]


def rarely(share: int = 10) -> st.SearchStrategy[bool]:
    """True about once in so many times; shrinks to false."""
    return st.integers(0, share - 1).map(lambda number: number == share - 1)


def picked[T](*values: T) -> st.SearchStrategy[T]:
    """One of the values; shrinks to the first."""
    return st.sampled_from(values)


def mostly[T](usual: T, *others: T) -> st.SearchStrategy[T]:
    """The first value in two cases of three, else one of the others; shrinks to the first."""
    return st.integers(0, 3 * len(others) - 1).map(lambda at: others[at // 3] if at % 3 == 2 else usual)


SOLD = mostly("sale", *["return"] * 4, "purchase", "purchase_return", "training", "stock_count")
STOCKED = mostly("sale", "return", "return", "purchase", "purchase", "purchase", "purchase_return", "stock_count")
_OF_SALE = ("partner_id", "product_id", "buyer_id", "rep_id", "reporter_id", "customer_id", "currency")


@st.composite
def made_line(draw: st.DrawFn, line_id: str, kinds: st.SearchStrategy[str]) -> Row:
    """One line; returns mostly negative and often naming a sale."""
    kind = draw(kinds)
    sign = -1 if "return" in kind else 1
    if draw(rarely(25)):
        sign = -sign
    amount = sign * draw(picked(*AMOUNTS))
    row: Row = {
        "line_id": line_id,
        "kind": kind,
        "stage": draw(mostly("sell_through", "sell_through", "sell_in")),
        "occurred_on": draw(picked(*DAYS)),
        "partner_id": draw(mostly("P1", *PARTNERS, "P9", None)),
        "product_id": draw(mostly("A", *PRODUCTS, None)),
        "quantity": sign * draw(picked(*QUANTITIES)),
        "amount": amount,
        "currency": draw(mostly("USD", "EUR", "GBP", "CHF")),
        "gross_amount": draw(mostly(amount, amount * 2, None)),
        "cost": draw(mostly((amount / 2).quantize(Decimal("0.000001")), amount, None)),
        "original_line_id": draw(picked(None, *IDS[:12])) if sign < 0 else None,
        "received_on": draw(mostly(None, date(2026, 4, 5), date(2026, 5, 30), date(2026, 7, 1))),
    }
    return row | draw(_names())


@st.composite
def _names(draw: st.DrawFn) -> Row:
    """The further parties and labels of a line."""
    return {
        "reporter_id": draw(picked("P2", "P1", None)),
        "buyer_id": draw(picked(None, "P2", "P3")),
        "customer_id": draw(picked("C1", "C2", None)),
        "rep_id": draw(picked("R1", "R2", None)),
        "deal_id": draw(picked(None, "D1", "D2", "D3")),
        "authorization_id": draw(picked(None, "D1", "S9")),
        "serial_number": draw(picked("s", None)),
        "internal": draw(picked(False, None, True)) if draw(rarely(5)) else None,
        "channel": draw(picked("web", "shop", None)),
    }


@st.composite
def stocked_facts(draw: st.DrawFn, lines_max: int = 30) -> Facts:
    """A channel of two partners who buy, sell, return and count one product, with hardly a gap: what moves stock."""
    made = draw(facts(lines_max))
    for line in made.lines:
        seller = draw(mostly("P1", "P2"))
        line |= {
            "kind": draw(STOCKED),
            "stage": "sell_through",
            "internal": None,
            "partner_id": seller,
            "buyer_id": draw(mostly(None, "P2" if seller == "P1" else "P1")),
            "product_id": draw(mostly("A", "A", "B")),
            "currency": draw(mostly("USD", "USD", "USD", "EUR")),
        }
        back = str(line["kind"]) in {"return", "purchase_return"}
        quantity, amount = line["quantity"], line["amount"]
        assert isinstance(quantity, Decimal)
        assert isinstance(amount, Decimal)
        line |= {"quantity": -abs(quantity) if back else abs(quantity), "amount": -abs(amount) if back else abs(amount)}
        named = draw(mostly(None, *(each["line_id"] for each in made.lines)))
        line["original_line_id"] = named if back else None
    references = made.references | {"stock": draw(st.lists(_counted(), min_size=1, max_size=6))}
    return Facts(made.lines, references)


@st.composite
def facts(draw: st.DrawFn, lines_max: int = 40) -> Facts:
    """A channel with up to so many lines."""
    size = draw(st.integers(1, lines_max) | st.integers(3 * lines_max // 4, lines_max))
    ids = draw(st.lists(st.sampled_from(IDS), unique=True, min_size=size, max_size=size))
    kinds = STOCKED if draw(rarely(3)) else SOLD
    lines = {line_id: draw(made_line(line_id, kinds)) for line_id in ids}
    for line in lines.values():
        if line["cost"] is not None and line["kind"] == "training":
            line["cost"] = None
        sale = lines.get(str(line["original_line_id"]))
        if sale is not None and draw(rarely(2)):
            line |= {name: sale[name] for name in _OF_SALE}
    references: dict[str, list[Row]] = {
        "partners": _partners(draw),
        "products": _products(draw),
        "deals": _deals(),
        "rates": _rates(draw),
        "calendar": _calendar(),
    }
    for table, value in (("targets", "value"), ("forecasts", "value"), ("posted", "amount")):
        if draw(rarely(2)):
            references[table] = draw(st.lists(_entered(value), min_size=1, max_size=12))
    if draw(rarely(2)):
        references["stock"] = draw(st.lists(_counted(), min_size=1, max_size=6))
    return Facts(list(lines.values()), references)


@st.composite
def _counted(draw: st.DrawFn) -> Row:
    """One row of the stock table."""
    return {
        "partner_id": draw(mostly("P1", *PARTNERS)),
        "product_id": draw(mostly("A", *PRODUCTS)),
        "on": draw(picked(*DAYS)),
        "quantity": draw(picked(*QUANTITIES)),
        "unit_cost": draw(picked(None, Decimal(7), Decimal("0.333333"))),
    }


@st.composite
def _entered(draw: st.DrawFn, value: str) -> Row:
    """One row of targets, forecasts or postings; null bounds and scope columns fit everything."""
    start, end = draw(
        mostly(
            (None, None),
            (date(2026, 1, 1), date(2026, 4, 1)),
            (date(2026, 2, 1), date(2026, 3, 1)),
            (date(2026, 1, 1), None),
        )
    )
    row: Row = {
        "program": f"p{draw(st.integers(0, 5))}",
        "from": start,
        "until": end,
        "earner": draw(mostly("P1", *PARTNERS, "G1", "R1", None)),
        "product": draw(mostly(None, "A")),
        value: draw(picked(Decimal(80), Decimal("12.5"), Decimal(300))),
    }
    if value == "amount":
        row |= {"payee_id": draw(mostly(None, "P1", "P2", "R1")), "payee_kind": draw(mostly(None, "partner", "person"))}
    return row


def _partners(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    for partner in (*PARTNERS, "G1"):
        changes = draw(picked(None, date(2026, 2, 15), date(2026, 4, 1)))
        spans = [(None, None)] if changes is None else [(None, changes), (changes, None)]
        for start, end in spans:
            rows.append(
                {
                    "partner_id": partner,
                    "valid_from": start,
                    "valid_until": end,
                    "parent_id": draw(picked(None, "P2", "H1")),
                    "group_id": draw(picked("G1", "G2", None)),
                    "region": draw(picked("EMEA", "APAC", None)),
                    "level": draw(picked("gold", "silver", None)),
                }
            )
    return rows


def _products(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    for product in PRODUCTS:
        changes = draw(picked(None, date(2026, 2, 1)))
        spans = [(None, None)] if changes is None else [(None, changes), (changes, None)]
        for start, end in spans:
            rows.append(
                {
                    "product_id": product,
                    "valid_from": start,
                    "valid_until": end,
                    "family": draw(picked("radio", "cable", None)),
                    "list": draw(picked(Decimal(12), Decimal("0.333333"), None)),
                }
            )
    return rows


def _deals() -> list[Row]:
    empty: Row = dict.fromkeys(("partner_id", "customer_id", "product_id", "valid_from", "valid_until", "status"))
    return [
        empty
        | {"deal_id": "D1", "partner_id": "P1", "status": "approved", "discount": Decimal(10), "quantity": Decimal(7)},
        empty | {"deal_id": "D2", "status": "requested", "discount": Decimal(5), "quantity": None},
        empty
        | {"deal_id": "D3", "customer_id": "C1", "valid_until": date(2026, 3, 1), "discount": None, "quantity": None},
    ]


def _rates(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    for day in DAYS:
        if draw(rarely(6)):
            continue
        euro, pound = draw(picked("1.1", "1.25", "1.083451")), draw(picked("0.8", "0.871239"))
        for target, rate in (("USD", euro), ("GBP", pound), ("JPY", "161.37")):
            rows.append({"date": day, "from_currency": "EUR", "to_currency": target, "rate": rate})
        rows.append({"date": day, "from_currency": "KWD", "to_currency": "USD", "rate": "3.25"})
    return rows


def _calendar() -> list[Row]:
    edges = [date(2025, 12, 28), date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 5), date(2026, 5, 3)]
    months: list[Row] = [{"kind": "month", "from": start, "until": end} for start, end in pairwise(edges)]
    return [*months, {"kind": "quarter", "from": edges[0], "until": edges[3]}]
