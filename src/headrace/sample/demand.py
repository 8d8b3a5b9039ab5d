"""What the channel sells: drawn sales and returns from distributors to resellers and from resellers to end customers.

Each of the two tables made here (`through`, `sold_out`) has one row per sale or return, with whole numbers only: quantities in
tenths of a unit, discounts in hundredths of a percent. Prices and documents are put on in `lines`.
"""

from datetime import date, timedelta

import duckdb
import pyarrow as pa

from headrace.sample.catalogue import CARTON_FAMILIES, CURRENCIES, Product, plan_rates
from headrace.sample.draws import Draws
from headrace.sample.parties import FIRST_DAY, UNTIL, YEAR_TWO, Parties, Party

RESELLER_SLOTS = 5_000
PRODUCT_SLOTS = 20_000
# Tenths of an ordinary month, January first; the last week of a quarter sells half as much again.
MONTH_WEIGHTS = (8, 9, 12, 9, 10, 13, 8, 7, 12, 10, 11, 9)
WEEKDAY_WEIGHTS = (10, 10, 11, 10, 10, 3, 1)
# Percent of an ordinary year that the second year brings, by a reseller's trend.
YEAR_TWO_PERCENT = (78, 104, 131)
RETURNS_PER_MILLE = 30


def load_dimensions(con: duckdb.DuckDBPyConnection, parties: Parties, products: tuple[Product, ...]) -> None:
    """Give a connection the tables that the lines are drawn from."""
    _load(con, "reseller", _reseller_rows(parties))
    _load(con, "reseller_name", [{"id": party.id, "name": party.name} for party in parties.resellers])
    _load(con, "distributor", [{"id": party.id, "currency": party.currency} for party in parties.distributors])
    _load(con, "customer", [{"id": row[0], "reseller": row[1]} for row in parties.customers])
    _load(
        con,
        "product",
        [
            {"p": index, "id": product.id, "family": product.family.name, "unit": product.family.unit}
            | {"many": product.family.many, "carton": product.family.name in CARTON_FAMILIES}
            for index, product in enumerate(products)
        ],
    )
    _load(
        con,
        "price",
        [
            {
                "p": index,
                "list_no": number,
                "list_cents": cents[0],
                "partner_cents": cents[1],
                "distributor_cents": cents[2],
            }
            for index, product in enumerate(products)
            for number, cents in enumerate(product.prices)
        ],
    )
    plan = plan_rates()
    _load(con, "currency", [{"code": c, "decimals": d, "plan": plan[c]} for c, (_, d) in CURRENCIES.items()])
    _load(con, "reseller_slot", _slots([party.weight for party in parties.resellers], RESELLER_SLOTS))
    _load(con, "product_slot", _slots([product.weight for product in products], PRODUCT_SLOTS))
    _load(con, "day_slot", _day_slots())
    con.execute("create table trend as select trend, count(*) as slots from day_slot group by trend")


def _load(con: duckdb.DuckDBPyConnection, name: str, rows: list[dict[str, object]]) -> None:
    table = pa.Table.from_pylist(rows)
    con.register("rows_given", table)
    con.execute(f"create table {name} as select * from rows_given")
    con.unregister("rows_given")


def _reseller_rows(parties: Parties) -> list[dict[str, object]]:
    mates = _next_in_group(parties.resellers)
    return [
        {"r": index, "id": party.id, "distributor": party.parent_id, "currency": party.currency, "trend": party.trend}
        | {"mate": mates.get(party.id), "reps": sum(rep[1] == party.id for rep in parties.reps)}
        | {"customers": sum(customer[1] == party.id for customer in parties.customers)}
        for index, party in enumerate(parties.resellers)
    ]


def _next_in_group(resellers: tuple[Party, ...]) -> dict[str, str]:
    groups: dict[str, list[str]] = {}
    for party in resellers:
        if party.group_id:
            groups.setdefault(party.group_id, []).append(party.id)
    return {ids[at]: ids[(at + 1) % len(ids)] for ids in groups.values() for at in range(len(ids))}


def _slots(weights: list[int], slots: int) -> list[dict[str, object]]:
    """Spread whole numbers 0 … slots − 1 over the weights, each at least once, the rest to the first."""
    total = sum(weights)
    shares = [max(1, weight * slots // total) for weight in weights]
    shares[0] += slots - sum(shares)
    return [
        {"slot": sum(shares[:at]) + turn, "item": at} for at, share in enumerate(shares) for turn in range(share)
    ]  # fmt: skip


def _day_slots() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for trend, percent in enumerate(YEAR_TWO_PERCENT):
        slot, day = 0, FIRST_DAY
        while day < UNTIL:
            for _ in range(_day_weight(day, percent)):
                rows.append({"trend": trend, "slot": slot, "day": day})
                slot += 1
            day += timedelta(days=1)
    return rows


def _day_weight(day: date, percent: int) -> int:
    weight = WEEKDAY_WEIGHTS[day.weekday()] * MONTH_WEIGHTS[day.month - 1] * (percent if day >= YEAR_TWO else 100)
    quarter_ends = day.month % 3 == 0 and (day + timedelta(days=7)).month != day.month
    return max(1, weight * (3 if quarter_ends else 2) // 2_000)


# Row n is a sale, or with a small chance the return of sale n − 1, some days later, in whole or in half.
DRAWN = """
create table {table} as
with drawn as materialized (
    select n, r.r, p.p, d.day,
        case when p.unit = 'M' then 5 * (20 + draw('{table}-metres', n, 800))
             when p.carton and draw('{table}-carton', n, 2) = 0 then 100 * (1 + draw('{table}-cartons', n, 4))
             else 10 * (1 + draw('{table}-units', n, p.many)) * case draw('{table}-project', n, 20) when 0 then 6 else 1 end
        end as tenths,
        draw('{table}-discount', n, 1 + {discount_steps}) * {discount_step} + {discount_least} as discount,
        draw('{table}-return', n, 1000) < {returns} and n > 0 as comes_back,
        3 + draw('{table}-lag', n, 58) as lag,
        draw('{table}-whole', n, 3) > 0 as whole
    from range({rows}) as numbers(n)
    join reseller_slot rs on rs.slot = draw('{table}-reseller', n, {reseller_slots})
    join reseller r on r.r = rs.item
    join product_slot ps on ps.slot = draw('{table}-product', n, {product_slots})
    join product p on p.p = ps.item
    join trend t on t.trend = r.trend
    join day_slot d on d.trend = r.trend and d.slot = draw('{table}-day', n, t.slots)
),
paired as (
    select now.*, sale.n as sale_n, sale.r as sale_r, sale.p as sale_p, sale.day as sale_day, sale.tenths as sale_tenths,
        sale.discount as sale_discount
    from drawn now left join drawn sale
        on now.comes_back and sale.n = now.n - 1 and not sale.comes_back and sale.day + now.lag::integer < date '{until}'
)
select n, sale_n, coalesce(sale_n, n) as seed_n,
    coalesce(sale_r, r) as r, coalesce(sale_p, p) as p,
    coalesce(sale_day, day) as priced_on,
    case when sale_n is null then day else sale_day + lag::integer end as occurred_on,
    case when sale_n is null then tenths
         when whole then -sale_tenths
         when sale_tenths % 10 <> 0 or sale_tenths < 20 then -sale_tenths
         else -((sale_tenths // 10 + 1) // 2 * 10) end as tenths,
    coalesce(sale_discount, discount) as discount
from paired
"""


def draw_sales(con: duckdb.DuckDBPyConnection, table: str, rows: int, *, discounts: tuple[int, int, int]) -> None:
    """Make a table of `rows` sales and returns. discounts: least, step and number of steps, in hundredths of a percent."""
    least, step, steps = discounts
    con.execute(
        DRAWN.format(
            table=table, rows=rows, discount_least=least, discount_step=step, discount_steps=steps,
            returns=RETURNS_PER_MILLE, reseller_slots=RESELLER_SLOTS, product_slots=PRODUCT_SLOTS, until=UNTIL,
        )
    )  # fmt: skip


def load_deals(con: duckdb.DuckDBPyConnection, parties: Parties, products: tuple[Product, ...], draws: Draws) -> None:
    """Make the tables of registered deals and of special price authorizations.

    deal: one row per registration of a reseller for an end customer; it holds 180 days. special: one row per distributor
    and product, half a year, with the quantity that may be sold and the extra discount in hundredths of a percent.
    """
    deals, rank = [], 0
    for r, party in enumerate(parties.resellers):
        mine = [customer[0] for customer in parties.customers if customer[1] == party.id]
        for k in range(max(2, 14 - r // 4)):
            rank += 1
            start = FIRST_DAY + timedelta(days=draws.below(640, "deal", rank))
            deals.append(
                {
                    "id": f"DR-{rank:04d}",
                    "r": r,
                    "k": k,
                    "customer": mine[draws.below(len(mine), "deal-customer", rank)],
                }
                | {"p": draws.below(len(products), "deal-product", rank) if rank % 10 == 0 else None}
                | {"starts": start, "ends": start + timedelta(days=180)}
                | {
                    "status": ("approved", "approved", "approved", "pending", "rejected")[
                        draws.below(5, "status", rank)
                    ]
                }
            )
    _load(con, "deal", deals)
    _load(con, "special", _special_prices(parties, products, draws))


def _special_prices(parties: Parties, products: tuple[Product, ...], draws: Draws) -> list[dict[str, object]]:
    best = sorted(range(len(products)), key=lambda p: (-products[p].weight, p))[:60]
    dear = [p for p in best if products[p].family.unit == "EA"]
    rows: list[dict[str, object]] = []
    for party in parties.distributors[:5]:
        for turn in range(9):
            number = len(rows) + 1
            p = dear[(turn * 5 + draws.below(5, "special-product", number)) % len(dear)]
            start = date(2024 + (turn % 4 + 2) // 4, (turn % 4 * 3 + 6) % 12 + 1, 1)
            rows.append(
                {"id": f"SP-{number:04d}", "distributor": party.id, "p": p, "starts": start}
                | {
                    "ends": start + timedelta(days=184),
                    "quantity": 10 * draws.between(4, 40, "special-quantity", number),
                }
                | {"extra": 1_200 + 100 * draws.below(9, "special-extra", number)}
            )
    return rows
