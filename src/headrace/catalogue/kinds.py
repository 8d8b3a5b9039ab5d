"""What is known of products, as kinds of entries."""

import re
from collections.abc import Iterable

from headrace.engine.currencies import is_money
from headrace.engine.findings import Finding
from headrace.engine.rules import ColumnType
from headrace.masterdata.kinds import After, Field, Kind, Line, register

_COLUMN = re.compile("[a-z_][a-z0-9_]{0,59}")


def _currency_fault(value: str) -> str | None:
    return None if is_money(value) else f"{value!r} is not a currency of ISO 4217. Write it like EUR."


def _not_negative(value: str) -> str | None:
    return f"{value} is less than nothing. Correct it." if value.startswith("-") else None


def _positive(value: str) -> str | None:
    return f"{value} must be more than nothing. Correct it." if value.startswith("-") or value == "0" else None


def _list_names(lines: Iterable[Line], after: After) -> Iterable[Finding]:
    """Find price lists whose code is no name of a column: programs say `price_list.<code>`."""
    taken = {"product_id", "valid_from", "valid_until", *(field.name for field in PRODUCT.fields)}
    for line in lines:
        if _COLUMN.fullmatch(line.code) is None or line.code in taken:
            message = (
                f"{line.code!r} cannot name a price list. Write small letters, digits and underscores, like list_price."
            )
            yield Finding(code="price_list_name", message=message, row=line.row, column="price_list")


def _no_circles(lines: Iterable[Line], after: After) -> Iterable[Finding]:
    """Find components that would make a bundle a part of itself, near or far, whatever the days."""
    lines = list(lines)
    parts: dict[str, set[str]] = {}
    for code, spans in after("quantity").items():
        if spans:
            bundle, component = COMPONENT.parts(code)
            parts.setdefault(bundle, set()).add(component)
    for line in lines:
        bundle, component = COMPONENT.parts(line.code)
        reached, rim = {component}, {component}
        while rim:
            rim = {part for each in rim for part in parts.get(each, ())} - reached
            reached |= rim
        if bundle in reached:
            message = f"{component} in {bundle} would make {bundle} a part of itself. Correct one of the bundles."
            yield Finding(code="circle_of_bundles", message=message, row=line.row, column="component")


PRODUCT = register(
    Kind(
        name="product",
        label="Products",
        key=(Field(name="product_id"),),
        needs=("name",),
        fields=(
            Field(name="name"),
            Field(name="group_id"),
            Field(name="parent_id", refers="product"),
            Field(name="family"),
            Field(name="category"),
            Field(name="unit"),
        ),
    )
)
COMPONENT = register(
    Kind(
        name="component",
        label="Bundles",
        key=(Field(name="bundle", refers="product"), Field(name="component", refers="product")),
        needs=("quantity",),
        fields=(Field(name="quantity", type=ColumnType.DECIMAL, check=_positive),),
        check=_no_circles,
        fixed=True,
    )
)
UNIT = register(
    Kind(
        name="unit",
        label="Units",
        key=(Field(name="product_id", refers="product"), Field(name="unit")),
        needs=("factor",),
        fields=(Field(name="factor", type=ColumnType.DECIMAL, check=_positive),),
        fixed=True,
    )
)
PRICE_LIST = register(
    Kind(
        name="price_list",
        label="Price lists",
        key=(Field(name="price_list"),),
        needs=("currency",),
        fields=(
            Field(name="name"),
            Field(name="currency", check=_currency_fault),
            Field(name="basis", choices=("list", "book_cost", "partner_price")),
        ),
        check=_list_names,
        fixed=True,
    )
)
PRICE = register(
    Kind(
        name="price",
        label="Prices",
        key=(Field(name="price_list", refers="price_list"), Field(name="product_id", refers="product")),
        needs=("price",),
        fields=(Field(name="price", type=ColumnType.DECIMAL, check=_not_negative),),
        fixed=True,
    )
)
