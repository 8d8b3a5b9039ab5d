"""What limits, combines, settles and provides for an entitlement: the remaining parts of a program document."""

from typing import Literal

from pydantic import Field

from headrace.engine.terms.measuring import Part
from headrace.engine.terms.scalars import Amount, Day, Edge, Flag, Id, Rate, Slug, Whole


class LineLimits(Part):
    """What one line earns at least and at most (mirrored for returns)."""

    floor: Amount | None = None
    """No line earns less."""
    cap: Amount | None = None
    """No line earns more."""


class MeasureLimit(Part):
    """The measure stops counting at `max`; what lies past it neither counts nor earns."""

    max: Edge | None = None
    """Highest measure that counts."""


class PayoutLimits(Part):
    """What is paid at most, in the order of the lines."""

    per_scope: Edge | None = None
    """Cuts each statement."""
    program: Edge | None = None
    """Cuts the sum of all statements."""


class Minimum(Part):
    """A statement below `amount` pays nothing."""

    amount: Amount
    """The smallest statement that pays."""
    below: Literal["carry_forward", "forfeit"] = "carry_forward"
    """carry_forward adds it to the payee's next statement, forfeit drops it."""


class Guarantee(Part):
    """At least `amount` in each period."""

    amount: Edge
    """What is guaranteed."""
    every: Literal["month", "quarter", "half", "year", "program"] | None = None
    """Length of the guarantee's period; default: the measure's."""
    cumulative: Flag = False
    """The promise and the entitlement are both counted from the start of the program."""
    paid: Literal["start", "end"] = "end"
    """start: payable from the period's first day; end: with the period."""


class Limits(Part):
    """What cuts or lifts an entitlement, in the order line, prorate, payout, guarantee, program, minimum."""

    line: LineLimits = LineLimits()
    """Limits of one line."""
    measure: MeasureLimit = MeasureLimit()
    """Limit of what counts."""
    payout: PayoutLimits = PayoutLimits()
    """Limits of what is paid."""
    prorate: Literal["payout", "edges", "both"] | None = None
    """For a payee or a program in force on only some days of the period: cut the payout, the tiers' edges, or both, to days
    in force ÷ days of the period."""
    minimum: Minimum | None = None
    """The smallest statement that pays."""
    guarantee: Guarantee | None = None
    """What is paid at least."""
    negative: Literal["zero", "pay", "carry"] = "zero"
    """What a scope below zero does: zero owes nothing; pay extends the first tier below zero, so that the amount is owed
    back; carry does the same but moves it to the next period."""


class Combine(Part):
    """How programs of one group that meet on a line get on."""

    group: Slug
    """Programs with the same word here meet."""
    rule: Literal["independent", "exclusive", "best", "cascade"] = "independent"
    """exclusive: the first program for which the line qualifies takes it. best: the program that would earn most on the line
    keeps it. cascade: the base of a later program is what earlier ones left."""
    order: Whole = Field(0, ge=-1_000_000, le=1_000_000)
    """Lower comes first; equal orders are refused."""
    reduces_others: Flag = True
    """cascade: this program's awards lower the base of later ones."""
    reduced_by_others: Flag = True
    """cascade: this program's base is lowered by earlier ones."""


class Settle(Part):
    """How and when what is earned is paid."""

    as_: Literal["credit_memo", "payment", "fund", "points", "free_goods"] = Field("credit_memo", alias="as")
    """In what form."""
    claim: Literal["automatic", "by_partner"] = "automatic"
    """Whether the partner has to claim it."""
    every: Literal["week", "month", "quarter", "half", "year"] | None = None
    """Interim settlements, netted from the final one."""
    grace_days: Whole = Field(30, ge=0, le=3660)
    """Days after the period's end in which lines may still arrive."""
    late: Literal["pay", "next_period", "ask", "forfeit"] = "next_period"
    """What happens to lines that arrive after that."""
    hold_days: Whole = Field(0, ge=0, le=3660)
    """Days after the grace days before it is payable."""
    pay_day: Whole | None = Field(None, ge=1, le=31)
    """Day of the month on which it is paid."""
    tolerance: Amount | None = None
    """Difference between a claim and what is earned that is let pass."""
    company: Id = "of_account"
    """Which company of the vendor pays: the account's, or the one with this code."""


class Accrue(Part):
    """What the vendor provides for, beside what is earned; partners never see it."""

    at: Id = "achieved"
    """achieved, forecast, or the name of a tier."""
    forecast: Literal["linear", "entered"] = "linear"
    """How the period's measure is foreseen."""
    basis: Literal["activity", "sell_in"] = "activity"
    """sell_in also provides for stock still in the channel."""
    spread: Literal["daily", "start", "period"] = "period"
    """When the lump sum is provided for."""
    lump_sum: Amount | None = None
    """An amount that accrues with no lines, for each payee of `inputs`."""


class Rounding(Part):
    """How a statement's amount is rounded (half away from zero)."""

    decimals: Whole | None = Field(None, ge=0, le=6)
    """Default: the currency's minor unit."""
    remainder: Literal["adjust", "carry_forward"] = "adjust"
    """carry_forward: the part cut by rounding moves on to the payee's next statement; adjust: it is dropped."""


class Convert(Part):
    """How lines in another currency are converted."""

    on: Literal["transaction", "period_end", "settlement"] = "transaction"
    """The rate of this day: the line's, the last of its period, or the day of settlement (the run's as-of day)."""
    age_days_max: Whole = Field(7, ge=0, le=366)
    """How old the nearest earlier quote may be."""


class Input(Part):
    """Governed inputs of one payee, approved with the version."""

    earner: Id
    """The earner's id."""
    scope: dict[str, Id] = Field({})
    """Further words of `per` with their values, where the scope has them."""
    from_: Day | None = Field(None, alias="from")
    """First day on which the row holds."""
    until: Day | None = None
    """Day after the last."""
    target: Edge | None = None
    """The scope's target."""
    baseline: Edge | None = None
    """The scope's baseline."""
    rate: Rate | None = None
    """Instead of each tier's or table row's rate that is not 0."""
    cap: Edge | None = None
    """Instead of `limits.payout.per_scope`."""
    enrolled_from: Day | None = None
    """First day of enrolment."""
    enrolled_until: Day | None = None
    """Day after the last of enrolment."""
