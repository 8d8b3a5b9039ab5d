"""The catalogue: products, prices on a day, units, bundles, and named tables of rates."""

import gzip
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from headrace.catalogue import products, rates
from headrace.engine.schema import LINE, PRODUCTS, RATES
from headrace.foundation import audit
from headrace.foundation.models import AuditEntry, Person
from headrace.foundation.roles import Role
from headrace.masterdata import store
from tests.examples.real_data import real_folder
from tests.server.conftest import NOW, TODAY, MakePerson
from tests.server.master import codes, day, load
from tests.server.test_access import refusal

PRODUCT_FILE = """product_id,name,family,category,unit
R-1,Radio,Radio,hardware,each
A-1,Antenna,Antenna,hardware,each
K-1,Kit,Kit,hardware,each
K-2,Big kit,Kit,hardware,each
"""
PRICES = """price_list,product_id,price,valid_from,valid_until
list_price,R-1,100,,2026-07-01
list_price,R-1,110.50,2026-07-01,
list_price,A-1,20,,
book_cost,R-1,40,,
"""


@pytest.fixture
def operator(person_with: MakePerson) -> Person:
    operator = person_with(Role.CHANNEL_OPERATIONS)
    load("product", PRODUCT_FILE, operator)
    lists = "price_list,name,currency,basis\nlist_price,List,USD,list\nbook_cost,Cost,EUR,book_cost\n"
    load("price_list", lists, operator)
    return operator


def test_a_price_is_that_of_the_day_in_its_lists_currency(operator: Person) -> None:
    _, findings = load("price", PRICES, operator)
    assert findings == ()

    def of(price_list: str, on_day: str) -> tuple[Decimal, str] | None:
        return products.price(price_list=price_list, product="R-1", day=day(on_day))

    assert of("list_price", "2026-06-30") == (Decimal(100), "USD")
    assert of("list_price", "2026-07-01") == (Decimal("110.5"), "USD")
    assert of("book_cost", "2026-07-01") == (Decimal(40), "EUR")
    assert products.price(price_list="book_cost", product="A-1", day=TODAY) is None


def test_a_price_list_names_a_column_that_programs_can_say(operator: Person) -> None:
    content = "price_list,currency\nList Price,USD\nfamily,USD\ndealer_2026,USD\nnone,dollars\n"
    _, findings = load("price_list", content, operator)
    assert sorted(codes(findings)) == [
        ("bad_value", 5, "currency"),
        ("price_list_name", 2, "price_list"),
        ("price_list_name", 3, "price_list"),
    ]


def test_faulty_prices_are_left_out_with_their_rows(operator: Person) -> None:
    content = (
        "price_list,product_id,price\nlist_price,R-1,-1\nlist_price,X-9,5\nnet,R-1,5\nlist_price,A-1,\n"
        'list_price,R-1,"1,000"\nlist_price,A-1,1.1234567\n'
    )
    run, findings = load("price", content, operator)
    assert run.loaded == 0
    assert sorted(codes(findings), key=lambda found: found[1] or 0) == [
        ("bad_value", 2, "price"),
        ("unknown_reference", 3, "product_id"),
        ("unknown_reference", 4, "price_list"),
        ("missing_value", 5, "price"),
        ("bad_value", 6, "price"),
        ("bad_value", 7, "price"),
    ]


def test_the_products_table_has_prices_as_columns_cut_where_they_change(operator: Person) -> None:
    load("price", PRICES, operator)
    table = products.products_table()
    assert table.column_names[: len(PRODUCTS)] == list(PRODUCTS)
    assert table.schema.field("list_price").type == LINE
    rows = [row for row in table.to_pylist() if row["product_id"] == "R-1"]
    assert [(r["valid_from"], r["valid_until"], r["list_price"], r["book_cost"], r["family"]) for r in rows] == [
        (None, day("2026-07-01"), Decimal(100), Decimal(40), "Radio"),
        (day("2026-07-01"), None, Decimal("110.5"), Decimal(40), "Radio"),
    ]


def test_a_price_that_was_ended_is_in_the_table_no_more(operator: Person) -> None:
    from headrace.catalogue.kinds import PRICE
    from headrace.masterdata import editing

    load("price", PRICES, operator)
    ended = PRICE.code(("book_cost", "R-1"))
    editing.end(kind_name="price", code=ended, on_day=day("2026-07-01"), by=operator, at=NOW)
    rows = [row for row in products.products_table().to_pylist() if row["product_id"] == "R-1"]
    assert [row["book_cost"] for row in rows] == [Decimal(40), None]


def test_units_convert_exactly(operator: Person) -> None:
    _, findings = load("unit", "product_id,unit,factor\nR-1,box,12\nR-1,pallet,0\nA-1,metre,0.3048\n", operator)
    assert codes(findings) == [("bad_value", 3, "factor")]

    def convert(product: str, quantity: str, unit: str) -> Decimal:
        return products.in_base_units(product=product, quantity=Decimal(quantity), unit=unit, day=TODAY)

    assert convert("R-1", "2.5", "box") == Decimal(30)
    assert convert("R-1", "2.5", "each") == Decimal("2.5")
    assert convert("A-1", "3", "metre") == Decimal("0.9144")
    wrong = {"product": "R-1", "quantity": Decimal(1), "unit": "crate", "day": TODAY}
    assert refusal(products.in_base_units, **wrong) == "unit_unknown"


def test_bundles_come_apart_and_never_hold_themselves(operator: Person) -> None:
    parts = "bundle,component,quantity\nK-1,R-1,2\nK-1,A-1,3\nK-2,K-1,4\nK-2,A-1,1\n"
    _, findings = load("component", parts, operator)
    assert findings == ()
    # 4 kits of 2 radios and 3 antennas, and one antenna beside: 8 radios, 13 antennas; of half a big kit, half.
    taken = products.in_components(product="K-2", quantity=Decimal("0.5"), day=TODAY)
    assert taken == {"R-1": Decimal(4), "A-1": Decimal("6.5")}
    assert products.in_components(product="R-1", quantity=Decimal(7), day=TODAY) == {"R-1": Decimal(7)}
    _, findings = load("component", "bundle,component,quantity\nK-1,K-2,1\nA-1,A-1,1\n", operator)
    assert codes(findings) == [("circle_of_bundles", 2, "component"), ("circle_of_bundles", 3, "component")]


QUOTES = "date,from_currency,to_currency,rate\n2026-01-01,EUR,USD,1.0500\n2026-02-01,EUR,USD,1.06\n"


def test_a_named_table_of_rates_keeps_every_digit_and_what_was_known(operator: Person) -> None:
    run, _ = load("rates", QUOTES, operator, table="company")
    first = store.last_revision()
    assert (run.loaded, run.facts, run.revision) == (2, 2, first)
    load("rates", "date,from_currency,to_currency,rate\n2026-02-01,EUR,USD,1.07\n", operator, table="company")
    assert rates.rates_table("company").to_pylist() == [
        {"date": day("2026-01-01"), "from_currency": "EUR", "to_currency": "USD", "rate": "1.0500"},
        {"date": day("2026-02-01"), "from_currency": "EUR", "to_currency": "USD", "rate": "1.07"},
    ]
    assert rates.rates_table("company", first).column("rate").to_pylist() == ["1.0500", "1.06"]
    assert rates.rates_table("ecb").num_rows == 0
    assert rates.rates_table("company").schema.types == [column.type for column in RATES.values()]


def test_the_same_quotes_again_add_nothing_and_the_trail_names_the_file(operator: Person) -> None:
    load("rates", QUOTES, operator, table="company")
    run, _ = load("rates", QUOTES.replace("1.0500", "1.05"), operator, at=NOW + timedelta(days=1), table="company")
    assert (run.loaded, run.facts, run.revision) == (2, 0, None)
    noted = AuditEntry.objects.get(record="catalogue.quotes")
    assert '"number":2' in (noted.after or "")
    assert audit.verify().findings == ()


def test_faulty_quotes_are_left_out_or_stop_the_file(operator: Person) -> None:
    content = (
        "date,from_currency,to_currency,rate\n2026-01-01,EUR,USD,0\n1.1.2026,EUR,USD,1\n2026-01-01,EUR,EUR,1\n"
        "2026-01-01,EUR,Dollar,1\n2026-01-01,EUR,JPY,160\n2026-01-01,EUR,JPY,161\n2026-01-01,EUR,GBP,1e-3\n"
    )
    run, findings = load("rates", content, operator, table="company", all_or_none=True)
    assert (run.state, run.loaded) == ("stopped", 0)
    assert codes(findings) == [
        ("bad_value", 2, "rate"),
        ("bad_value", 3, "date"),
        ("bad_value", 4, "to_currency"),
        ("bad_value", 5, "to_currency"),
        ("duplicate_row", 7, "rate"),
        ("bad_value", 8, "rate"),
    ]
    run, _ = load("rates", content, operator, table="company")
    assert (run.state, run.loaded) == ("loaded", 1)
    _, findings = load("rates", QUOTES, operator, table="Company Rates")
    assert codes(findings) == [("rate_table", None, None)]


def test_the_history_of_the_european_central_bank_is_read(operator: Person) -> None:
    whole = gzip.decompress((real_folder("ecb_fx") / "eurofxref_hist_1999_2024.csv.gz").read_bytes()).decode()
    header, *lines = whole.splitlines()
    of_2024 = [line for line in lines if line.startswith("2024-")]
    run, findings = load("rates", "\n".join([header, *of_2024, ""]), operator, table="ecb")
    assert findings == ()
    table = rates.rates_table("ecb")
    # Counted in the file itself: each cell that is neither empty nor N/A is a quote.
    cells = [cell for line in of_2024 for cell in line.split(",")[1:] if cell not in ("", "N/A")]
    assert run.loaded == table.num_rows == len(cells)
    # ECB, 31 December 2024: 1 EUR = 1.0389 USD.
    last = [row for row in table.to_pylist() if (row["date"], row["to_currency"]) == (day("2024-12-31"), "USD")]
    assert last == [{"date": day("2024-12-31"), "from_currency": "EUR", "to_currency": "USD", "rate": "1.0389"}]
    assert isinstance(table, pa.Table)


def test_products_and_rates_are_for_those_who_read_all(operator: Person, person_with: MakePerson) -> None:
    load("rates", QUOTES, operator, table="company")
    partner = person_with(Role.PARTNER_USER)
    shown = products.products(viewer=operator, at=NOW, text="kit")
    assert [found.code for found in shown] == ["K-1", "K-2"]
    for call in (
        lambda: products.products(viewer=partner, at=NOW),
        lambda: products.product(product=shown[0].id, viewer=partner, at=NOW),
        lambda: rates.tables(viewer=partner, at=NOW),
        lambda: rates.quotes(table="company", day=TODAY, viewer=partner, at=NOW),
    ):
        assert refusal(call) == "not_permitted"
    assert [table.name for table in rates.tables(viewer=operator, at=NOW)] == ["company"]
    assert rates.quotes(table="company", day=day("2026-01-01"), viewer=operator, at=NOW) == (("EUR", "USD", "1.0500"),)
