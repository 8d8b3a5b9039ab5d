"""The parties of the sample channel: vendor, distributors, resellers in groups, sales reps and end customers."""

from dataclasses import dataclass, field
from datetime import date

from headrace.sample import names
from headrace.sample.draws import Draws, shuffled

FIRST_DAY = date(2024, 7, 1)
YEAR_TWO = date(2025, 7, 1)
UNTIL = date(2026, 7, 1)
MIDWINTER = date(2026, 1, 1)

RESELLERS = 54
# Where a reseller of a given size rank sits; repeated to the end of the list, so that each region has large and small ones.
PLACING = (
    ("US", "D-01"), ("DE", "D-03"), ("US", "D-02"), ("JP", "D-05"), ("GB", "D-04"), ("BR", "D-06"), ("FR", "D-03"),
    ("US", "D-01"), ("IN", "D-05"), ("CA", "D-02"), ("PL", "D-04"), ("AU", "D-05"), ("MX", "D-06"), ("DE", "D-03"),
)  # fmt: skip
# country -> region, continent, currency
COUNTRIES = {
    "US": ("NA", "North America", "USD"),
    "CA": ("NA", "North America", "CAD"),
    "MX": ("LATAM", "North America", "MXN"),
    "BR": ("LATAM", "South America", "BRL"),
    "DE": ("EMEA", "Europe", "EUR"),
    "FR": ("EMEA", "Europe", "EUR"),
    "GB": ("EMEA", "Europe", "GBP"),
    "PL": ("EMEA", "Europe", "PLN"),
    "JP": ("APAC", "Asia", "JPY"),
    "IN": ("APAC", "Asia", "INR"),
    "AU": ("APAC", "Oceania", "AUD"),
}
DISTRIBUTORS = (("D-01", "US"), ("D-02", "CA"), ("D-03", "DE"), ("D-04", "GB"), ("D-05", "JP"), ("D-06", "BR"))
# Which layout each reporter's files have. D-06 does not report its sales: its resellers report what they bought.
LAYOUTS = {"D-01": "canonical", "D-02": "workbook", "D-03": "semicolon", "D-04": "canonical", "D-05": "canonical"}
NOT_REPORTING = "D-06"
GROUP_SIZES = (4, 3, 3, 2, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """An organisation. levels: what it is from which day, in order of time; the first holds since ever."""

    id: str
    name: str
    type: str
    country: str
    parent_id: str | None = None
    group_id: str | None = None
    weight: int = 0
    trend: int = 0  # 0 shrinking, 1 steady, 2 growing
    levels: tuple[tuple[date, str], ...] = ()

    @property
    def currency(self) -> str:
        """Give the currency of its prices and invoices."""
        return COUNTRIES[self.country][2]


@dataclass(frozen=True, slots=True)
class Parties:
    """Everybody in the channel. reps and customers: (id, reseller id, name)."""

    distributors: tuple[Party, ...]
    resellers: tuple[Party, ...]
    reps: tuple[tuple[str, str, str], ...] = field(default=())
    customers: tuple[tuple[str, str, str], ...] = field(default=())


def make_parties(draws: Draws) -> Parties:
    """Draw the parties of the channel for a seed."""
    words = shuffled(list(names.COMPANY_WORDS), draws, "company")
    distributors = tuple(
        Party(
            id=identity,
            name=f"{words[-1 - index]} {names.DISTRIBUTOR_KINDS[index % len(names.DISTRIBUTOR_KINDS)]}",
            type="distributor",
            country=country,
            levels=((FIRST_DAY, "authorised"),),
        )
        for index, (identity, country) in enumerate(DISTRIBUTORS)
    )
    groups = _groups(draws)
    resellers = tuple(_reseller(rank, words[rank % 50], groups.get(rank), draws) for rank in range(RESELLERS))
    return Parties(distributors, resellers, tuple(_reps(resellers, draws)), tuple(_customers(resellers, draws)))


def _groups(draws: Draws) -> dict[int, str]:
    ranks = shuffled(list(range(RESELLERS)), draws, "group")
    return {
        ranks.pop(): f"G-{number + 1:02d}" for number, size in enumerate(GROUP_SIZES) for _ in range(size)
    }  # fmt: skip


def _reseller(rank: int, word: str, group: str | None, draws: Draws) -> Party:
    country, parent = PLACING[rank % len(PLACING)]
    kind = names.COMPANY_KINDS[draws.below(len(names.COMPANY_KINDS), "kind", rank)]
    suffix = "" if rank < 50 else f" {names.PLACES[rank % len(names.PLACES)]}"
    trend = draws.below(3, "trend", rank)
    return Party(
        id=f"R-{rank + 1:03d}",
        name=f"{word} {kind}{suffix}",
        type="reseller",
        country=country,
        parent_id=parent,
        group_id=group,
        # A fifth of the resellers brings four fifths of the business.
        weight=1_000_000 // (8 + 6 * rank + rank * rank // 2),
        trend=trend,
        levels=_levels(rank, trend),
    )


def _levels(rank: int, trend: int) -> tuple[tuple[date, str], ...]:
    ladder = ("silver", "gold", "platinum")
    start = 2 if rank < 8 else 1 if rank < 24 else 0
    levels = [(FIRST_DAY, ladder[start])]
    if trend == 2 and start < 2 and rank % 3 == 0:
        levels.append((YEAR_TWO, ladder[start + 1]))
    if trend == 0 and start > 0 and rank % 2 == 0:
        levels.append((MIDWINTER, ladder[start - 1]))
    return tuple(levels)


def _reps(resellers: tuple[Party, ...], draws: Draws) -> list[tuple[str, str, str]]:
    reps = []
    for reseller in resellers:
        for number in range(draws.between(2, 6, "reps", reseller.id)):
            identity = f"{reseller.id}-S{number + 1}"
            first = names.FIRST_NAMES[draws.below(len(names.FIRST_NAMES), "first", identity)]
            last = names.LAST_NAMES[draws.below(len(names.LAST_NAMES), "last", identity)]
            reps.append((identity, reseller.id, f"{first} {last}"))
    return reps


def _customers(resellers: tuple[Party, ...], draws: Draws) -> list[tuple[str, str, str]]:
    customers = []
    for reseller in resellers:
        for number in range(draws.between(12, 40, "customers", reseller.id)):
            identity = f"C-{reseller.id[2:]}{number + 1:02d}"
            place = names.PLACES[draws.below(len(names.PLACES), "place", identity)]
            kind = names.CUSTOMER_KINDS[draws.below(len(names.CUSTOMER_KINDS), "customer", identity)]
            customers.append((identity, reseller.id, f"{place} {kind}"))
    return customers
