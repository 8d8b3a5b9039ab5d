"""Programs for the made-up channel: one, twenty that a line meets two of on average, five hundred that it still meets two of.

Edges are set from what a scope is expected to sell, so that partners cross them in each period whatever the size.
"""

from decimal import Decimal
from typing import Any

from headrace.bench.lines import AMOUNT_MEAN, AREAS, COUNTRIES, DAYS, FAMILIES, Size
from headrace.engine.terms import Terms

RATES = (Decimal("0.01"), Decimal("0.02"), Decimal("0.035"))
_EDGES_PERCENT = (0, 30, 80)  # of what a scope sells on average
_PERIODS_IN_DAYS = {"month": 30, "quarter": 91, "year": 365}


def edges(size: Size, *, of_lines: Decimal = Decimal(1), every: str = "quarter") -> tuple[int, ...]:
    """Give the tiers' edges for a program that meets this part of a partner's lines."""
    scope_mean = of_lines * AMOUNT_MEAN * size.lines * _PERIODS_IN_DAYS[every] / (size.partners * DAYS)
    return tuple(int(scope_mean * percent / 100) for percent in _EDGES_PERCENT)


def one(size: Size) -> tuple[Terms, ...]:
    """Give the program of the yardstick: every line earns, priced band by band on the quarter's amount of its partner."""
    return (
        _program(
            "bench-one",
            partners="partner.level in ('gold', 'silver', 'bronze')",
            lines="product.family <> 'services'",
            tiers=edges(size),
        ),
    )


def twenty(size: Size) -> tuple[Terms, ...]:
    """Give ten programs for a family each and ten for an area each: a line meets exactly one of either."""
    programs = []
    for number in range(FAMILIES):
        every = ("quarter", "year")[number % 2]
        tiers = edges(size, of_lines=Decimal(1) / FAMILIES, every=every)
        rule = f"product.family = 'F{number}'"
        programs.append(_program(f"bench-family-{number}", lines=rule, every=every, tiers=tiers, mode=_mode(number)))
    for number in range(AREAS):
        every = ("quarter", "month")[number % 2]
        rule = f"partner.area = 'A{number}'"
        programs.append(
            _program(
                f"bench-area-{number}", partners=rule, every=every, tiers=edges(size, every=every), mode=_mode(number)
            )
        )
    return tuple(programs)


def five_hundred(size: Size) -> tuple[Terms, ...]:
    """Give 400 programs with a partner and a product condition, and 100 that look at the line as well.

    Each meets 0.4 % of the lines (a country of 25 and a family of ten; an area and a family of ten each and the four largest
    of ten quantities), so that a line meets two.
    """
    programs = []
    for number in range(400):
        country, family = number % COUNTRIES, number // COUNTRIES % FAMILIES
        programs.append(
            _program(
                f"bench-country-{number:03}",
                partners=f"partner.country = 'C{country:02}'",
                lines=f"product.family = 'F{family}'",
                tiers=edges(size, of_lines=Decimal(1) / FAMILIES),
                mode=_mode(number),
            )
        )
    for number in range(100):
        area, family = number % AREAS, number // AREAS % FAMILIES
        programs.append(
            _program(
                f"bench-large-{number:03}",
                partners=f"partner.area = 'A{area}'",
                lines=f"product.family = 'F{family}' and (line.quantity >= 7 or line.quantity <= -7)",
                tiers=edges(size, of_lines=Decimal("0.6") / FAMILIES),
                mode=_mode(number),
            )
        )
    return tuple(programs)


def ordered(size: Size) -> tuple[Terms, ...]:
    """Give the twenty with a cap on each line, which makes every line's place count."""
    return tuple(_with(terms, "ordered", limits={"line": {"cap": "40"}}) for terms in twenty(size))


def _mode(number: int) -> str:
    return ("incremental", "retroactive")[number // 2 % 2]


def _with(terms: Terms, suffix: str, **changes: Any) -> Terms:
    document = terms.model_dump(by_alias=True, exclude_defaults=True)
    return Terms.model_validate(document | {"program": f"{terms.program}-{suffix}"} | changes)


def _program(
    program: str,
    *,
    tiers: tuple[int, ...],
    partners: str | None = None,
    lines: str | None = None,
    every: str = "quarter",
    mode: str = "incremental",
) -> Terms:
    return Terms.model_validate(
        {
            "program": program,
            "name": program,
            "currency": "USD",
            "valid": {"from": "2025-01-01", "until": "2027-01-01"},
            "partners": partners,
            "lines": lines,
            "measure": {"of": "amount", "per": ["earner"], "every": every},
            "schedule": {
                "mode": mode,
                "tiers": [{"from": edge, "rate": rate} for edge, rate in zip(tiers, RATES, strict=True)],
            },
        }
    )
