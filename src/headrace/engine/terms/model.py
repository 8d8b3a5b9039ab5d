"""The program document: what an incentive pays, for whom, on what, from when.

One `Terms` is one version of one program. Every key that a document may carry is declared here and in `measuring`,
`pricing` and `paying`, with its meaning, and nothing else is accepted. How the keys calculate is said in
`docs/semantics.md`; reading documents from text, templates, plain sentences and comparison live beside this module.
Numbers are exact decimals: rates are fractions (0.02 is 2 %), dates are calendar dates, `from`/`until` are half-open.
"""

from typing import Annotated, Literal

from pydantic import Field

from headrace.engine.terms.measuring import Growth, Measure, Part, Span, Target
from headrace.engine.terms.paying import (
    Accrue,
    Combine,
    Convert,
    Guarantee,
    Input,
    Limits,
    LineLimits,
    MeasureLimit,
    Minimum,
    PayoutLimits,
    Rounding,
    Settle,
)
from headrace.engine.terms.pricing import (
    Boost,
    FreeAllowance,
    FreeGoods,
    Package,
    PriceChange,
    RateChange,
    Schedule,
    TableRow,
    Tier,
)
from headrace.engine.terms.scalars import Currency, Flag, Label, Money, OneOrMany, PaysOn, RuleText, Slug, Whole

__all__ = [
    "Accrue",
    "Boost",
    "Combine",
    "Convert",
    "FreeAllowance",
    "FreeGoods",
    "Growth",
    "Guarantee",
    "Input",
    "Limits",
    "LineLimits",
    "Measure",
    "MeasureLimit",
    "Minimum",
    "Package",
    "Part",
    "PayoutLimits",
    "PriceChange",
    "RateChange",
    "Rounding",
    "Schedule",
    "Settle",
    "Span",
    "TableRow",
    "Target",
    "Terms",
    "Tier",
]

type StageWord = Literal["sell_in", "sell_through", "sell_out"]
type KindWord = Literal["sale", "return", "purchase", "purchase_return", "stock_count", "training", "referral"]


class Terms(Part):
    """One version of one program."""

    program: Slug
    """Identity of the program: lower-case letters, digits, dot, dash, underscore."""
    version: Whole = Field(1, ge=1, le=1_000_000)
    """Number of the version; a later one takes over on its effective date."""
    name: Label = ""
    """What partners call the program."""
    type: Slug = "custom"
    """The template: fixes some keys, gives defaults and the wording."""
    currency: Currency
    """What is paid: an ISO 4217 currency, or a word of the vendor's own for points or goods."""
    money: Money | None = None
    """Currency of amounts where `currency` is points or goods."""
    valid: Span = Span()
    """Dates of the lines that the version prices."""
    applies: Literal["from_date", "period_start", "next_period"] = "from_date"
    """When an amendment takes over: on `valid.from`, at the start of the period that contains it, or at the first period
    start on or after it."""
    earner: Literal["seller", "buyer", "reporter", "rep", "group"] = "seller"
    """Who is measured, by its role on the line."""
    paid_to: Literal["earner", "parent", "group_head", "distributor"] = "earner"
    """Who receives what the earner earned."""
    stage: Annotated[tuple[StageWord, ...], OneOrMany()] = Field(("sell_through",), min_length=1)
    """Which sales count: vendor to distributor, distributor to reseller, or to the end customer."""
    kinds: Annotated[tuple[KindWord, ...], OneOrMany()] = Field(("sale", "return"), min_length=1)
    """Which kinds of activity line count."""
    internal: Flag = False
    """Whether transfers inside a group count."""
    partners: RuleText | None = None
    """Rule for the earners that may take part."""
    lines: RuleText | None = None
    """Rule for the lines that earn."""
    enrolled: Flag = False
    """true: only earners with an `inputs` row that carries enrolled_from."""
    accepted: Flag = False
    """true: an earner is enrolled only once it accepted the terms."""
    measure: Measure = Measure()
    """What decides the tier."""
    pays_on: PaysOn | None = None
    """The base that a rate multiplies: the words of `measure.of`, or growth. Default: `measure.of` where that is money, else
    amount."""
    schedule: Schedule
    """What turns the measure and the base into an amount."""
    limits: Limits = Limits()
    """What cuts or lifts the amount."""
    combine: Combine | None = None
    """How the program gets on with others that meet it on a line."""
    returns: Literal["with_sale", "own_date"] = "with_sale"
    """Where a return that names its sale takes its place: right after the sale, or on its own date."""
    facts_as_of: Literal["line", "period_start", "period_end", "enrolment"] = "line"
    """The day whose partner facts the rules read."""
    counts_from: Literal["program", "enrolment"] = "program"
    """Whether lines from before the enrolment add to the measure."""
    on_exit: Literal["pay", "prorate", "forfeit"] = "pay"
    """What a payee that leaves within a period gets for it."""
    gate: Annotated[tuple[RuleText, ...], OneOrMany()] = ()
    """Conditions tested when the period is finalised; until all hold, nothing is paid."""
    verify: RuleText | None = None
    """Rule that a line must pass before it is paid; until then it is shown as earned, unverified."""
    convert: Convert = Convert()
    """How lines in another currency are converted."""
    settle: Settle = Settle()
    """How and when what is earned is paid."""
    accrue: Accrue = Accrue()
    """What the vendor provides for."""
    rounding: Rounding = Rounding()
    """How amounts are rounded."""
    inputs: Annotated[tuple[Input, ...], OneOrMany()] = ()
    """Targets, baselines, own rates, caps and enrolments per payee."""
