"""Opens a calculation to its arithmetic: one balance, or one line, read from the tables of the very plan that made the figures.

Nothing is priced here. A balance gives its rate cards, its inputs, the lines in order of place with the parts they were split
into, and each limit with the amount before and after; what is shown is added up again and must give what the statement says.
The text for people is made from these records (see explain_words).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from decimal import Decimal

from headrace.engine.numeric import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One tier with its edge as written and in measure terms. position: in the written list, from 1.

    down_to, down_by, margin_to: its special price, null where it names none.
    """

    position: int
    name: str | None
    starts: Decimal
    above: bool
    rate: Decimal
    per_unit: Decimal
    bonus: Decimal
    reached: bool
    down_to: Decimal | None = None
    down_by: Decimal | None = None
    margin_to: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What priced some lines: a version, in force from `since` until before `until`, with its edges in measure terms."""

    version: int
    since: date | None
    until: date | None
    mode: str
    edges: tuple[Edge, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Part of a line on one tier or table row: base × rate + units × per_unit + special price = share.

    position: of the tier or, where table_row, of the row; null below the first tier.
    """

    position: int | None
    base: Decimal
    units: Decimal
    rate: Decimal
    per_unit: Decimal
    share: Decimal
    table_row: bool = False
    special: "Special | None" = None

    @property
    def worth(self) -> Decimal:
        """What the figures shown give; the share, if all of them are shown."""
        credit = Decimal(0) if self.special is None else self.special.credit
        return self.base * (self.rate or 0) + self.units * (self.per_unit or 0) + credit


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """The special price of a part: cost − quantity × down_to, quantity × down_by, or cost − amount × (1 − margin_to).

    Of the three prices those that the tier names; the credit never turns against the direction of the line.
    """

    cost: Decimal
    amount: Decimal
    quantity: Decimal
    down_to: Decimal | None
    down_by: Decimal | None
    margin_to: Decimal | None

    @property
    def credit(self) -> Decimal:
        """What the price falls by."""
        down_to = Decimal(0) if self.down_to is None else self.cost - self.quantity * self.down_to
        down_by = Decimal(0) if self.down_by is None else self.quantity * self.down_by
        margin = Decimal(0) if self.margin_to is None else self.cost - self.amount * (1 - self.margin_to)
        side = max if self.quantity >= 0 else min
        return sum((side(each, Decimal(0)) for each in (down_to, down_by, margin)), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that changed an amount. code and parameters say what, before and after say the amount."""

    code: str
    before: Decimal
    after: Decimal
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One qualifying line in its place.

    measure: what it counts for; measure_before and measure_after: the running measure. base: what the rate multiplies, after the
    steps `counted`. priced: what the parts give; own: its own share after the steps `steps`. exact_before, exact_after:
    the running exact entitlement after every limit; award: the difference of both rounded.
    """

    line_id: str
    kind: str
    occurred_on: date
    placed_on: date
    original_line_id: str | None
    version: int
    amount: Decimal | None
    quantity: Decimal | None
    currency: str | None
    exchange_rate: Decimal | None
    quoted_on: date | None
    measure: Decimal
    measure_before: Decimal
    measure_after: Decimal
    base: Decimal
    counted: tuple[Step, ...]
    tier: int | None
    parts: tuple[Part, ...]
    priced: Decimal
    steps: tuple[Step, ...]
    own: Decimal
    exact_before: Decimal
    exact_after: Decimal
    award: Decimal
    verified: bool
    lost_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Lines that move the measure of the scope without earning for this payee. code: measures_only or other_payees."""

    code: str
    lines: int
    measure: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One statement opened. own: Σ of the lines' own shares; shared: what belongs to no line; exact: after every limit."""

    program: str
    version: int
    payee_kind: str
    payee_id: str
    scope: str
    from_: date | None
    until: date | None
    currency: str
    decimals: int
    measure_word: str
    base_word: str
    unit: str
    terms: tuple[str, ...]
    inputs: Mapping[str, object]
    cards: tuple[Card, ...]
    measure: Decimal
    base: Decimal
    tier: int | None
    next_from: Decimal | None
    next_distance: Decimal | None
    lines: tuple[Line, ...]
    beside: tuple[Beside, ...]
    own: Decimal
    shared_amounts: tuple[Step, ...]
    shared: Decimal
    steps: tuple[Step, ...]
    exact: Decimal
    start: Decimal
    earned: Decimal
    carried: Decimal | None
    carried_in: Decimal | None
    unverified: Decimal
    posted: Decimal
    to_post: Decimal
    held_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The condition of a rule that a line did not meet. outcome: false, or null where a missing value leaves it open."""

    rule: str
    text: str
    condition: str
    words: str
    outcome: bool | None
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What one program did with one line. reason: null where the line qualifies; line and statement are then given."""

    program: str
    version: int | None
    reason: str | None
    parameters: Mapping[str, object]
    failure: Failure | None
    measures: bool
    payee_kind: str | None
    payee_id: str | None
    scope: str | None
    from_: date | None
    until: date | None
    currency: str | None
    decimals: int
    measure_word: str
    unit: str
    line: Line | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOpened:
    """One line and what every program made of it."""

    line_id: str
    values: Mapping[str, object]
    programs: tuple[Met, ...]


def as_json(value: object) -> object:
    """Give records as plain objects: decimals as text without idle zeros, dates as ISO text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name.rstrip("_"): as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value]
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if isinstance(value, date) else value


def prove(balance: Balance) -> None:
    """Add up what is shown: parts give each line's price, lines the exact entitlement, awards what is earned; else a defect."""

    def equal(what: str, shown: Decimal, stated: Decimal) -> None:
        assert shown == stated, f"{balance.program} {balance.payee_id} {balance.scope}: {what} {shown} is not {stated}"

    zero = Decimal(0)
    at = zero
    for line in balance.lines:
        for part in line.parts:
            equal(f"the arithmetic of {line.line_id}", part.worth, part.share)
        equal(f"parts of {line.line_id}", sum((part.share for part in line.parts), zero), line.priced)
        _chain(balance, line.line_id, line.priced, line.steps, line.own)
        equal(f"running share before {line.line_id}", line.exact_before, at)
        at = line.exact_after
    equal("own shares", sum((line.own for line in balance.lines), zero), balance.own)
    _chain(balance, "the entitlement", balance.own + balance.shared, balance.steps, balance.earned)
    if balance.lines:
        equal("exact shares", at, balance.exact)
        equal("awards", sum((line.award for line in balance.lines), zero), balance.earned)
    posted = balance.earned + (balance.carried_in or zero) - (balance.carried or zero)
    if not balance.held_by:
        equal("to post", posted - balance.unverified - balance.posted, balance.to_post)


def _chain(balance: Balance, what: str, start: Decimal, steps: tuple[Step, ...], end: Decimal) -> None:
    at = start
    for step in steps:
        assert step.before == at, (
            f"{balance.program} {balance.payee_id}: {what} is {at} before {step.code}, not {step.before}"
        )
        at = step.after
    assert at == end, f"{balance.program} {balance.payee_id}: {what} ends at {at}, not {end}"
