"""What decides the tier: the keys of a document's `measure`, and the spans of dates."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from headrace.engine.terms.scalars import Day, Edge, OneOrMany, Per, RuleText, Word


class Part(BaseModel):
    """Base of every part of a document: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True, use_attribute_docstrings=True
    )


class Span(Part):
    """Half-open dates; null is unbounded."""

    from_: Day | None = Field(None, alias="from")
    """The first day."""
    until: Day | None = None
    """The day after the last."""


class Growth(Part):
    """The tiers' edges are read against a baseline B of the same scope."""

    baseline: Literal["previous_year", "previous_period", "entered"] = "previous_year"
    """Where B comes from: the same dates a year earlier, the period before, or entered in `inputs` or the targets file."""
    frozen_on: Day | None = None
    """B counts only lines received (occurred, where unknown) on or before this day."""
    as_: Literal["amount", "percent", "multiple"] = Field("multiple", alias="as")
    """How edges are written: multiple 1.10 is reached at 1.10 × B; percent 10 at B + 10 % of B; amount 50000 at B + 50000."""
    no_baseline: Literal["skip", "zero"] = "skip"
    """A scope whose baseline is missing or not above zero: skip earns nothing, with the reason; zero reads B as 0."""


class Target(Part):
    """The tiers' edges are read against a target T of the scope. A scope without a target earns nothing, with the reason."""

    value: Edge | None = None
    """T for everyone whose own target is not in `inputs` or the targets file."""
    as_: Literal["amount", "percent", "multiple"] = Field("multiple", alias="as")
    """How edges are written: multiple 0.9 is reached at 0.9 × T; percent 90 at 90 % of T; amount 5000 at T + 5000."""


class Measure(Part):
    """What decides the tier: `of`, less `minus`, added up for each combination of `per` in each period of length `every`."""

    of: Word = "amount"
    """What is added up: amount, gross, quantity, margin, cost, count, on_hand, price_list.<product column> (quantity × that
    price) or distinct <table.column> (how many different ones)."""
    minus: Annotated[tuple[Word, ...], OneOrMany()] = ()
    """What is taken off, in the same unit."""
    lines: RuleText | None = None
    """Rule for the lines that measure; default: the program's `lines`."""
    per: Annotated[tuple[Per, ...], OneOrMany()] = ("earner",)
    """The scope, one or several of earner, group, product, family, customer, buyer, rep, deal, authorization, line,
    line.<column>, product.<column>."""
    every: Literal["week", "month", "quarter", "half", "year", "program"] = "quarter"
    """Length of the period after which the measure starts again; program: never."""
    anchor: Day | None = None
    """First day of a period; later ones follow from it, month ends clamp without drift."""
    calendar: Literal["gregorian", "fiscal"] = "gregorian"
    """fiscal: periods come from the calendar table."""
    growth: Growth | None = None
    """Edges are read against a baseline."""
    target: Target | None = None
    """Edges are read against a target."""
