"""The reference files of the sample channel: partners, products, quotes, stock, targets, forecasts, deals, calendar, people."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import duckdb

from headrace.sample import names
from headrace.sample.catalogue import PRICE_LIST_DAYS, Product, fiscal_calendar, make_quotes
from headrace.sample.draws import Draws
from headrace.sample.parties import COUNTRIES, Parties, Party

type Row = Sequence[object]

TARGETS = """
select 'apac-target', reseller, (occurred_on_quarter + interval 1 year)::date, (occurred_on_quarter + interval 15 months)::date,
    -- a tenth more than the same quarter a year before, in whole thousands of US dollars at plan rates
    greatest(1000, sum(cents) * 11 // 1000000 * 1000)::bigint
from (
    select reseller, date_trunc('quarter', occurred_on)::date as occurred_on_quarter,
        times(unit_price, tenths) * case t.decimals when 0 then 100 else 1 end * 1000000 // plan as cents
    from through_priced t join currency c on c.code = t.currency
    where distributor = 'D-05' and occurred_on < date '2025-07-01'
)
group by reseller, occurred_on_quarter having sum(cents) > 0 order by all
"""
FORECASTS = """
select 'emea-volume', reseller, date '2026-04-01', date '2026-07-01',
    greatest(1000, sum(times(unit_price, tenths) * 1000000 // plan * euro // 1000000) * 105 // 10000000 * 1000)::bigint
from through_priced t join currency c on c.code = t.currency cross join (select plan as euro from currency where code = 'EUR')
where distributor in ('D-03', 'D-04') and occurred_on >= date '2026-04-01'
group by reseller order by reseller
"""
STOCK = f"""
select s.distributor, pr.id, case s.month when 0 then date '{PRICE_LIST_DAYS[0]}' else date '2025-07-01' end,
    trim(regexp_replace((s.held_before * 0.1::decimal(2, 1))::text, '\\.0$', '')),
    decimals_of(minor(price.distributor_cents, c.plan, c.decimals), c.decimals)::text
from supply s
join distributor d on d.id = s.distributor join currency c on c.code = d.currency
join product pr using (p)
join price on price.p = s.p and price.list_no = case s.month when 0 then 0 else 1 end
where s.month in (0, 12) order by 3, 1, 2
"""
DEALS = """
select d.id, r.id, d.customer, p.id, d.starts, d.ends, d.status, null, 'registration'
from deal d join reseller r using (r) left join product p on p.p = d.p
union all
select s.id, s.distributor, null, p.id, s.starts, s.ends, 'approved', s.quantity, 'special_price'
from special s join product p using (p)
order by 1
"""


def write_reference_files(
    con: duckdb.DuckDBPyConnection, folder: Path, parties: Parties, products: tuple[Product, ...], draws: Draws
) -> None:
    """Write every reference table as CSV into `folder`; the lines must have been made on the connection."""
    folder.mkdir(parents=True)
    _write(folder / "partners.csv", PARTNER_COLUMNS, _partner_rows(parties, draws))
    _write(folder / "products.csv", PRODUCT_COLUMNS, _product_rows(products))
    quotes = ((day, "EUR", code, f"{rate // 10_000}.{rate % 10_000:04d}") for day, code, rate in make_quotes(draws))
    _write(folder / "rates.csv", ("date", "from_currency", "to_currency", "rate"), quotes)
    _write(folder / "calendar.csv", ("kind", "from", "until"), fiscal_calendar())
    _write(folder / "reps.csv", ("rep_id", "partner_id", "name"), parties.reps)
    _write(folder / "customers.csv", ("customer_id", "partner_id", "name"), parties.customers)
    by_scope = ("program", "earner", "from", "until", "value")
    _write(folder / "targets.csv", by_scope, con.execute(TARGETS).fetchall())
    _write(folder / "forecasts.csv", by_scope, con.execute(FORECASTS).fetchall())
    _write(
        folder / "stock.csv", ("partner_id", "product_id", "on", "quantity", "unit_cost"), con.execute(STOCK).fetchall()
    )
    deal_columns = (
        "deal_id", "partner_id", "customer_id", "product_id", "valid_from", "valid_until", "status", "quantity", "kind",
    )  # fmt: skip
    _write(folder / "deals.csv", deal_columns, con.execute(DEALS).fetchall())


def _write(path: Path, header: Sequence[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


PARTNER_COLUMNS = (
    "partner_id", "valid_from", "valid_until", "parent_id", "group_id", "name", "type", "level", "region", "continent", "country",
    "currency", "certified", "contact_email",
)  # fmt: skip


def _partner_rows(parties: Parties, draws: Draws) -> Iterable[Row]:
    vendor = (
        names.VENDOR_ID,
        None,
        None,
        None,
        None,
        names.VENDOR_NAME,
        "vendor",
        None,
        None,
        None,
        "US",
        "USD",
        "true",
    )
    yield (*vendor, "channel@alderwick.example")
    for party in (*parties.distributors, *parties.resellers):
        starts = [None, *(day for day, _ in party.levels[1:])]
        for at, (_, level) in enumerate(party.levels):
            until = starts[at + 1] if at + 1 < len(starts) else None
            yield _partner_row(party, starts[at], until, level, draws)


def _partner_row(party: Party, start: date | None, until: date | None, level: str, draws: Draws) -> Row:
    region, continent, currency = COUNTRIES[party.country]
    certified = level in ("authorised", "platinum") or draws.below(4, "certified", party.id) > 0
    return (
        party.id, start, until, party.parent_id, party.group_id, party.name, party.type, level, region, continent, party.country,
        currency, "true" if certified else "false", f"channel@{party.id.lower()}.example",
    )  # fmt: skip


PRODUCT_COLUMNS = (
    "product_id", "valid_from", "valid_until", "group_id", "parent_id", "name", "family", "category", "unit", "list_price",
    "partner_price", "distributor_price",
)  # fmt: skip


def _product_rows(products: tuple[Product, ...]) -> Iterable[Row]:
    starts: list[date | None] = [None, *PRICE_LIST_DAYS[1:]]
    for product in products:
        family = product.family
        category = {"Licence": "software", "Service": "service"}.get(family.name, "hardware")
        for at, prices in enumerate(product.prices):
            until = starts[at + 1] if at + 1 < len(starts) else None
            dollars = (f"{cents // 100}.{cents % 100:02d}" for cents in prices)
            yield (
                product.id, starts[at], until, family.code, None, product.name, family.name, category, family.unit, *dollars,
            )  # fmt: skip
