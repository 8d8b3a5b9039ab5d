"""Products: lists and details for whoever reads all, units, bundles, prices, and the products table of the engine."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa

from headrace.catalogue.kinds import COMPONENT, PRICE, PRICE_LIST, PRODUCT, UNIT
from headrace.engine.findings import Refusal
from headrace.engine.rules import ColumnType
from headrace.engine.schema import PRODUCTS
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import looking, store
from headrace.masterdata.fields import fields_of
from headrace.masterdata.kinds import EXISTS
from headrace.masterdata.looking import Found
from headrace.masterdata.store import Said
from headrace.masterdata.tables import table_of
from headrace.masterdata.timeline import Spans, on, within

PAGE = 50


def products_table(revision: int | None = None) -> pa.Table:
    """Give the engine's products: one row per product and days on which nothing of it changes, as known at the revision.

    Columns are those of `engine.schema.PRODUCTS`, then each field of products and each price list, in order of name; the price
    of a list is in that list's currency.
    """
    lists = sorted(store.history(PRICE_LIST.name, fields={EXISTS}, revision=revision))
    taken = set(lists) & set(fields_of(PRODUCT.name))
    if taken:
        raise Refusal(
            "column_twice",
            f"{', '.join(sorted(taken))} is a price list and a field of products. End the field's use or rename the list.",
        )
    prices: dict[str, dict[str, Spans]] = {name: {} for name in lists}
    for code, held in store.history(PRICE.name, revision=revision).items():
        price_list, product = PRICE.parts(code)
        prices[price_list][product] = within(held.get("price", ()), held.get(EXISTS, ()))
    beside = {name: (ColumnType.DECIMAL, prices[name]) for name in lists}
    return table_of(PRODUCT.name, PRODUCTS, beside=beside, revision=revision)


def price(*, price_list: str, product: str, day: date, revision: int | None = None) -> tuple[Decimal, str] | None:
    """Give a product's price on a day and its currency; nothing where the list has none."""
    code = PRICE.code((price_list, product))
    held = store.history(PRICE.name, codes={code}, revision=revision).get(code, {})
    of_list = store.history(PRICE_LIST.name, codes={price_list}, revision=revision).get(price_list, {})
    value = on(within(held.get("price", ()), held.get(EXISTS, ())), day)
    currency = on(of_list.get("currency", ()), day)
    return None if value is None or currency is None else (Decimal(value), currency)


def in_base_units(*, product: str, quantity: Decimal, unit: str, day: date, revision: int | None = None) -> Decimal:
    """Convert a quantity into the product's base unit, exactly. Refused (`unit_unknown`) if the unit has no factor that day."""
    base = store.history(PRODUCT.name, codes={product}, fields={"unit"}, revision=revision).get(product, {})
    if on(base.get("unit", ()), day) == unit:
        return quantity
    code = UNIT.code((product, unit))
    held = store.history(UNIT.name, codes={code}, revision=revision).get(code, {})
    factor = on(within(held.get("factor", ()), held.get(EXISTS, ())), day)
    if factor is None:
        raise Refusal("unit_unknown", f"{product} has no factor for the unit {unit!r} on {day}. Load it under units.")
    return quantity * Decimal(factor)


def in_components(*, product: str, quantity: Decimal, day: date, revision: int | None = None) -> dict[str, Decimal]:
    """Take bundles apart, down to what is no bundle: product → quantity, exactly."""
    parts: dict[str, dict[str, Decimal]] = {}
    for code, held in store.history(COMPONENT.name, revision=revision).items():
        bundle, component = COMPONENT.parts(code)
        count = on(within(held.get("quantity", ()), held.get(EXISTS, ())), day)
        if count is not None:
            parts.setdefault(bundle, {})[component] = Decimal(count)
    found: dict[str, Decimal] = {}
    open_ones = [(product, quantity)]
    while open_ones:
        each, many = open_ones.pop()
        if each not in parts:
            found[each] = found.get(each, Decimal(0)) + many
        open_ones += [(part, many * count) for part, count in parts.get(each, {}).items()]
    return found


@dataclass(frozen=True, slots=True)
class Detail:
    """A product: its fields, the prices of each list, units with factors, what it is made of, all facts as they were said."""

    found: Found
    fields: tuple[tuple[str, str, Spans], ...]
    prices: tuple[tuple[str, str, Spans], ...]
    units: tuple[tuple[str, str], ...]
    components: tuple[tuple[str, str], ...]
    said: tuple[Said, ...]


def products(*, viewer: Person, at: datetime, text: str = "", after: str = "", size: int = PAGE) -> tuple[Found, ...]:
    """List products by code, `size` at a time, for whoever reads all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    return looking.find(PRODUCT.name, day=at.date(), text=text, after=after, size=size)


def product(*, product: uuid.UUID, viewer: Person, at: datetime) -> Detail:
    """Give a product; refused (`product_unknown`) if there is none."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    day = at.date()
    found = looking.entry(PRODUCT.name, product, day=day)
    if found is None:
        raise Refusal("product_unknown", "There is no such product. Look for it in the list.")
    lists = looking.find(PRICE_LIST.name, day=day, size=500)
    codes = {PRICE.code((each.code, found.code)): each for each in lists}
    held = store.history(PRICE.name, codes=codes)
    prices = tuple(
        (
            codes[code].code,
            codes[code].value("currency", day) or "",
            within(known.get("price", ()), known.get(EXISTS, ())),
        )
        for code, known in held.items()
    )
    units = store.history(UNIT.name)
    of_units = ((UNIT.parts(code), on(known.get("factor", ()), day)) for code, known in units.items())
    components = in_components(product=found.code, quantity=Decimal(1), day=day)
    return Detail(
        found=found,
        fields=tuple(
            (name, found.value(name, day) or "", found.fields.get(name, ())) for name in fields_of(PRODUCT.name)
        ),
        prices=prices,
        units=tuple((unit, factor) for (of, unit), factor in of_units if of == found.code and factor is not None),
        components=tuple((code, f"{many:f}") for code, many in sorted(components.items()) if code != found.code),
        said=store.said_of(found.id),
    )
