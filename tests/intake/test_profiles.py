"""Profiles as documents: every fault named with its place, and nothing that a person did not state."""

from pathlib import Path

import pytest

from headrace.engine.findings import Refusal
from headrace.intake.profile import builtin_profiles, load_profile, parse_profile

from .desk import PROFILE


@pytest.mark.parametrize("name", builtin_profiles())
def test_profiles_that_ship_are_valid(name: str) -> None:
    assert load_profile(name).profile == name


def test_a_profile_needs_the_order_of_dates() -> None:
    with pytest.raises(Refusal) as refused:
        parse_profile(PROFILE.replace("dates: {order: dmy}\n", ""))
    assert [(f.column, f.code) for f in refused.value.findings] == [("dates", "bad_profile")]


@pytest.mark.parametrize(
    ("old", "new", "column", "row", "says"),
    [
        ("order: dmy", "order: dym", "dates.order", 5, "ymd"),
        ("name: A shop", "name: A shop\nnmae: x", "nmae", 4, "no such key"),
        ('thousands: "."', 'thousands: ","', "numbers", 6, "same mark"),
        ("quantity: Menge", "quantity: {column: Menge, constant: 1}", "fields.quantity", 13, "exactly one"),
        ("quantity: Menge", "Quantity: Menge", None, None, "lower case"),
        ("source: shop\n", "", None, None, "identity"),
        ("amount: Betrag", "amount: {multiply: [quantity, price]}", None, None, "multiply names price"),
        (
            "product_id: Artikel",
            'product_id: {column: Artikel, extract: "([A-Z"}',
            "fields.product_id",
            12,
            "regular expression",
        ),
        (
            "product_id: Artikel",
            'product_id: {column: Artikel, extract: "(?=x)(y)"}',
            "fields.product_id",
            12,
            "look-ahead",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(old: str, new: str, column: str | None, row: int | None, says: str) -> None:
    assert old in PROFILE
    with pytest.raises(Refusal) as refused:
        parse_profile(PROFILE.replace(old, new), file="shop.yaml")
    finding = refused.value.findings[0]
    assert (finding.column, finding.row, finding.file) == (column, row, "shop.yaml")
    assert says in finding.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n",
        "a: [",
        "a: &x [1]\nb: *x\n",
        "a: !!python/object/apply:os.system [ls]\n",
        "x" * 300_000,
        "[" * 50_000,
        "profile: x\nprofile: y\n",
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        parse_profile(text)


def test_an_unknown_profile_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="online-retail"):
        load_profile("nothing")
    with pytest.raises(Refusal):
        load_profile(tmp_path)
