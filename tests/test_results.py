from datetime import date
from decimal import Decimal

from headrace.engine.numeric import plain
from headrace.engine.results import public_statement

ROW: dict[str, object] = {
    "program": "p",
    "version": 2,
    "payee_kind": "partner",
    "payee_id": "P1",
    "scope": '{"earner":"P1"}',
    "from": date(2026, 1, 1),
    "until": date(2026, 4, 1),
    "measure": Decimal("2000.500000"),
    "base": Decimal("2000.000000"),
    "tier": None,
    "earned": Decimal("350.000000"),
    "unverified": Decimal("0.000000"),
    "posted": Decimal("0.000000"),
    "to_post": Decimal("350.000000"),
    "accrued": Decimal("350.000000"),
    "forecast": None,
    "currency": "USD",
    "lines": 3,
    "next_from": Decimal("2500.000000"),
    "next_distance": Decimal("499.500000"),
    "carried": None,
    "carried_in": None,
    "payable_on": None,
}


def test_a_statement_writes_money_in_minor_units_and_measures_plainly() -> None:
    public = public_statement(ROW, 2)
    assert public["earned"] == "350.00"
    assert public["measure"] == "2000.5"
    assert public["payee"] == {"kind": "partner", "id": "P1"}
    assert public["scope"] == {"earner": "P1"}
    assert public["next_tier"] == {"from": "2500", "distance": "499.5"}


def test_what_is_absent_is_null_and_never_omitted() -> None:
    public = public_statement({**ROW, "next_from": None, "next_distance": None, "from": None}, 2)
    assert public["tier"] is None
    assert public["forecast"] is None
    assert public["next_tier"] is None
    assert public["carried"] is None
    assert public["payable_on"] is None
    assert public["period"] == {"from": None, "until": "2026-04-01"}


def test_an_amount_finer_than_the_minor_unit_keeps_its_decimals() -> None:
    assert public_statement({**ROW, "earned": Decimal("0.125000")}, 2)["earned"] == "0.125"
    assert public_statement({**ROW, "earned": Decimal("12.000000")}, 0)["earned"] == "12"


def test_plain_keeps_zeros_that_count() -> None:
    assert plain(Decimal("100")) == "100"
    assert plain(Decimal("0.000001")) == "0.000001"
