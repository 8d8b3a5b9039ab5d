"""Products with dated price lists, exchange quotes and the fiscal calendar of the sample channel.

Prices are whole cents and quotes whole ten-thousandths throughout: no fraction is ever held in binary.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from headrace.sample.draws import Draws
from headrace.sample.parties import FIRST_DAY, UNTIL

# Price lists take effect on these days; the first holds since ever.
PRICE_LIST_DAYS = (FIRST_DAY, date(2025, 2, 1), date(2026, 2, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A product family. cents: lowest and highest list price in cents; many: usual largest quantity on one line."""

    name: str
    code: str
    products: int
    cents: tuple[int, int]
    many: int
    unit: str = "EA"
    noun: str


FAMILIES = (
    Family(name="Switch", code="SW", products=60, cents=(18_000, 640_000), many=6, noun="switch"),
    Family(name="Access", code="AP", products=50, cents=(14_000, 150_000), many=24, noun="access point"),
    Family(name="Radio", code="RL", products=50, cents=(22_000, 480_000), many=8, noun="radio link"),
    Family(name="Gateway", code="GW", products=40, cents=(30_000, 900_000), many=3, noun="gateway"),
    Family(name="Camera", code="CM", products=60, cents=(12_000, 210_000), many=16, noun="camera"),
    Family(name="Optics", code="OP", products=50, cents=(1_900, 64_000), many=20, noun="optic"),
    Family(name="Power", code="PW", products=30, cents=(2_400, 58_000), many=12, noun="power supply"),
    Family(name="Cable", code="CB", products=20, cents=(60, 900), many=0, unit="M", noun="cable"),
    Family(name="Licence", code="LC", products=25, cents=(4_500, 320_000), many=10, noun="licence"),
    Family(name="Service", code="SV", products=15, cents=(9_000, 410_000), many=2, noun="service plan"),
)
# Families whose goods also travel in cartons of ten.
CARTON_FAMILIES = ("Optics", "Power")
CARTON = 10

# Units of a currency for one euro, in ten-thousandths, on the first day; its minor unit's decimals.
CURRENCIES = {
    "AUD": (16_400, 2),
    "BRL": (59_000, 2),
    "CAD": (14_700, 2),
    "EUR": (10_000, 2),
    "GBP": (8_500, 2),
    "INR": (905_000, 2),
    "JPY": (1_630_000, 0),
    "MXN": (195_000, 2),
    "PLN": (43_000, 2),
    "USD": (10_800, 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product. prices: for each price list (list, partner, distributor) in US cents for one unit."""

    id: str
    name: str
    family: Family
    prices: tuple[tuple[int, int, int], ...]
    weight: int


def make_products(draws: Draws) -> tuple[Product, ...]:
    """Draw 400 products in ten families with three price lists each."""
    products = []
    for family in FAMILIES:
        for number in range(family.products):
            # The same ids for every seed: the promotion's list of products names them.
            identity = f"{family.code}-{1000 + 7 * number}"
            products.append(
                Product(
                    id=identity,
                    name=f"{family.noun.capitalize()} {identity[3:]}{'XLS'[draws.below(3, 'suffix', identity)]}",
                    family=family,
                    prices=_prices(family, identity, draws),
                    # A few products sell much, most sell little.
                    weight=60_000 // (4 + number * number // 6 + 2 * number),
                )
            )
    return tuple(products)


def _prices(family: Family, identity: str, draws: Draws) -> tuple[tuple[int, int, int], ...]:
    low, high = family.cents
    # The lowest of three draws: cheap goods are many, dear ones few.
    cents = min(draws.between(low, high, f"list{turn}", identity) for turn in range(3))
    partner_off = draws.between(24, 34, "partner", identity)
    prices = []
    for turn, _ in enumerate(PRICE_LIST_DAYS):
        if turn:
            # Cameras fell by 15 % on the third list; everything else moves by −3 % to +6 %.
            move = -15 if family.name == "Camera" and turn == 2 else draws.between(-3, 6, f"move{turn}", identity)
            cents = cents * (100 + move) // 100
        cents = cents // 100 * 100 + 90 if cents > 10_000 else cents
        partner = cents * (100 - partner_off) // 100
        prices.append((cents, partner, partner * 90 // 100))
    return tuple(prices)


def plan_rates() -> dict[str, int]:
    """Give, for each currency, what one US dollar is worth in price lists, in millionths."""
    dollar = CURRENCIES["USD"][0]
    return {code: (euro * 1_000_000 + dollar // 2) // dollar for code, (euro, _) in CURRENCIES.items()}


def make_quotes(draws: Draws) -> list[tuple[date, str, int]]:
    """Draw made-up daily quotes: (day, currency, units for one euro in ten-thousandths); none on weekends."""
    quotes = []
    for code, (start, _) in CURRENCIES.items():
        if code == "EUR":
            continue
        rate, day = start * 10_000, FIRST_DAY - timedelta(days=7)
        while day < UNTIL:
            if day.weekday() < 5:
                # A small step, pulled back towards the start so that the quotes stay plausible.
                step = draws.between(-60, 60, f"quote{code}", day.isoformat())
                rate += rate * step // 10_000 + (start * 10_000 - rate) // 100
                quotes.append((day, code, (rate + 5_000) // 10_000))
            day += timedelta(days=1)
    return sorted(quotes)


def fiscal_calendar() -> list[tuple[str, date, date]]:
    """Give months of 4, 4 and 5 weeks, quarters, halves and years from Monday 2024-07-01: (kind, from, until)."""
    periods, start = [], FIRST_DAY
    for _ in range(3):
        edges = [start]
        for weeks in (4, 4, 5) * 4:
            edges.append(edges[-1] + timedelta(weeks=weeks))
        for kind, months in (("month", 1), ("quarter", 3), ("half", 6), ("year", 12)):
            periods += [(kind, edges[at], edges[at + months]) for at in range(0, 12, months)]
        start = edges[-1]
    return sorted(periods)
