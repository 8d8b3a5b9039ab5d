"""What turns a measure and a base into an amount: the keys of a document's `schedule`."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from headrace.engine.terms.measuring import Part
from headrace.engine.terms.scalars import (
    Amount,
    CostBasis,
    Day,
    Edge,
    Factor,
    Id,
    Label,
    OneOrMany,
    Rate,
    RuleText,
    Whole,
)


class Tier(Part):
    """One tier; it holds until the next one's edge."""

    from_: Edge | None = Field(None, alias="from")
    """The tier is reached at this edge and beyond."""
    above: Edge | None = None
    """The tier is reached only past this edge."""
    name: Label | None = None
    """What the tier is called."""
    rate: Rate | None = None
    """Paid on the base: 0.02 or `2 %`."""
    per_unit: Amount | None = None
    """Paid for each unit."""
    bonus: Amount | None = None
    """Paid once when the tier is reached."""
    down_to: Amount | None = None
    """Special price: credits what a unit cost less this price."""
    down_by: Amount | None = None
    """Special price: credits this much a unit."""
    margin_to: Rate | None = None
    """Special price: credits what is missing to this margin on the resale price."""


class TableRow(Part):
    """One row of a rate table: the conditions that are given must equal; the row with most conditions wins, then the
    first written. gives rate × base and per_unit × units, on at most `quantity_max` units per scope.
    """

    product: Id | None = None
    """The line's product id."""
    family: Id | None = None
    """The product's `family`."""
    region: Id | None = None
    """The partner's `region`."""
    level: Id | None = None
    """The partner's `level`."""
    rate: Rate | None = None
    """Paid on the base: 0.02 or `2 %`."""
    per_unit: Amount | None = None
    """Paid for each unit."""
    quantity_max: Edge | None = None
    """Units per scope that the row pays on at most."""


class Package(Part):
    """Pays `pays` for every `of` of the measure past the first `free`."""

    of: Edge
    """Size of a package, in the unit of the measure."""
    pays: Amount
    """Amount for each package."""
    count: Literal["full", "started"] = "full"
    """full counts whole packages, started rounds up."""
    free: Edge = Decimal(0)
    """The measure that comes before the first package."""


class FreeGoods(Part):
    """Gives `get` units for every `buy` of the measure."""

    buy: Edge
    """Measure for which goods are given."""
    get: Amount
    """Units given each time."""
    product: Id | None = None
    """What is given; default: the product bought."""


class FreeAllowance(Part):
    """The first lines or the first amount of base earn nothing, whichever ends first."""

    lines: Whole | None = Field(None, ge=1, le=1_000_000_000)
    """Number of earning lines."""
    amount: Edge | None = None
    """Amount of base."""


class Boost(Part):
    """Multiplies what a line that meets `when` earns from rates and per-unit amounts (not bonuses)."""

    when: RuleText
    """Rule for the lines that are boosted."""
    factor: Factor
    """2 doubles."""
    name: Label | None = None
    """What the boost is called."""


class PriceChange(Part):
    """Price protection: units on hand at the start of `effective` × the fall of the price (`from` − `to`, or `drop`)."""

    effective: Day
    """Day on which the new price holds."""
    from_: Amount | None = Field(None, alias="from")
    """Price before."""
    to: Amount | None = None
    """Price after."""
    drop: Amount | None = None
    """Fall of the price, instead of `from` and `to`."""


class RateChange(Part):
    """From this day on, lines are priced by these tiers or this table instead."""

    on: Day
    """First day."""
    tiers: Annotated[tuple[Tier, ...], OneOrMany()] = ()
    """Tiers from then on."""
    table: Annotated[tuple[TableRow, ...], OneOrMany()] = ()
    """Rate table from then on."""


class Schedule(Part):
    """Turns the measure and the base into an amount: exactly one of tiers, table (or table_file), package, free_goods and
    price_change.
    """

    mode: Literal["incremental", "retroactive", "rolling", "total"] = "incremental"
    """incremental: each tier pays on the part inside it. retroactive: the tier reached pays on everything. rolling: every
    tier reached pays on the measure up to its upper edge. total: every tier reached pays on everything."""
    tiers: Annotated[tuple[Tier, ...], OneOrMany()] = ()
    """Tiers with rising edges."""
    table: Annotated[tuple[TableRow, ...], OneOrMany()] = ()
    """Rates by product, family, region and level."""
    table_file: str | None = Field(None, min_length=1, max_length=300)
    """CSV or XLSX file beside the document that holds the rows of `table`; read when the document is."""
    package: Package | None = None
    """An amount for every so much."""
    free_goods: FreeGoods | None = None
    """Units for every so many."""
    price_change: PriceChange | None = None
    """Price protection."""
    fixed: Amount | None = None
    """An amount for each qualifying line outside the free allowance (negative for a return)."""
    free: FreeAllowance | None = None
    """What earns nothing at the start."""
    boosts: Annotated[tuple[Boost, ...], OneOrMany()] = ()
    """Multipliers."""
    boost_rule: Literal["highest", "multiply"] = "highest"
    """Where several boosts meet on a line: the highest counts, or their product."""
    changes: Annotated[tuple[RateChange, ...], OneOrMany()] = ()
    """Rates that change by date."""
    cost_basis: CostBasis = "cost"
    """What `down_to` and `margin_to` measure from: the line's cost, price_list.<product column>, or the cost of the channel
    stock consumed first in first out."""
