"""The activity lines of the sample channel, in the canonical columns, as one DuckDB table `line`.

Sell-through comes first, sell-in replenishes what it took, stock counts agree with both, and sell-out fills up to the number
of lines asked for. Money is whole minor units until it is written as a decimal.
"""

import duckdb

from headrace.sample.catalogue import PRICE_LIST_DAYS
from headrace.sample.demand import draw_sales
from headrace.sample.names import COURSES, VENDOR_ID
from headrace.sample.parties import FIRST_DAY, NOT_REPORTING, UNTIL

LATE_PER_MILLE = 20
MACROS = f"""
create or replace macro list_on(day) as
    (case when day >= date '{PRICE_LIST_DAYS[2]}' then 2 when day >= date '{PRICE_LIST_DAYS[1]}' then 1 else 0 end);
create or replace macro minor(cents, plan, decimals) as
    (case when decimals = 0 then (cents * plan + 50000000) // 100000000 else (cents * plan + 500000) // 1000000 end);
create or replace macro less(price, discount) as ((price * (10000 - discount) + 5000) // 10000);
create or replace macro times(price, tenths) as (sign(tenths)::bigint * ((price * abs(tenths) + 5) // 10));
create or replace macro decimals_of(units, decimals) as
    (case when decimals = 0 then units::decimal(18, 2) else (units * 0.01::decimal(3, 2))::decimal(18, 2) end);
create or replace macro received(day, salt, n) as (
    case when draw(salt || '-late', n, 1000) < {LATE_PER_MILLE} and day + 75 < date '{UNTIL}'
        then day + (25 + draw(salt || '-days', n, 50))::integer
        else least(day + (1 + draw(salt || '-days', n, 4))::integer, last_day(day)) end);
"""

LINE = """
create table line (
    source text, sort_no bigint, decimals integer,
    line_id text, kind text, stage text, occurred_on date, partner_id text, product_id text, quantity decimal(18, 1),
    amount decimal(18, 2), currency text, gross_amount decimal(18, 2), unit_price decimal(18, 2), cost decimal(18, 2), unit text,
    reporter_id text, buyer_id text, customer_id text, rep_id text, invoice_number text, invoice_line text,
    original_line_id text, deal_id text, authorization_id text, serial_number text, internal boolean, received_on date,
    course text
)
"""

# A reseller of a distributor that does not report names its own purchases; everybody else is named by its distributor.
THROUGH = f"""
create table through_priced as
select t.*, r.id as reseller, r.distributor, r.currency, c.decimals, pr.id as product_id, pr.unit, s.id as authorization_id,
    r.distributor = '{NOT_REPORTING}' as bought,
    minor(price.partner_cents, c.plan, c.decimals) as gross_price,
    less(minor(price.partner_cents, c.plan, c.decimals), coalesce(s.extra, t.discount)) as unit_price,
    minor(price.distributor_cents, c.plan, c.decimals) as unit_cost,
    case when t.sale_n is null then 'IN' else 'CN' end || strftime(t.occurred_on, '%y%m%d') || printf('%03d', t.r) as invoice,
    received(t.occurred_on, 'through', t.n) as received_on
from through t
join reseller r using (r)
join currency c on c.code = r.currency
join product pr using (p)
join price on price.p = t.p and price.list_no = list_on(t.priced_on)
left join special s on s.distributor = r.distributor and s.p = t.p and t.priced_on >= s.starts and t.priced_on < s.ends
    and draw('authorised', t.seed_n, 10) < 7;
create table through_numbered as
select *, row_number() over (
        partition by case when bought then reseller else distributor end, invoice order by n
    ) as invoice_no
from through_priced;
insert into line
select case when t.bought then 'pool' else t.distributor end, t.n, t.decimals,
    case when t.bought then t.reseller else t.distributor end || '-' || t.invoice || '-' || printf('%03d', t.invoice_no),
    case when t.bought and t.tenths < 0 then 'purchase_return' when t.bought then 'purchase'
         when t.tenths < 0 then 'return' else 'sale' end,
    'sell_through', t.occurred_on, case when t.bought then t.reseller else t.distributor end, t.product_id,
    t.tenths * 0.1::decimal(2, 1), decimals_of(times(t.unit_price, t.tenths), t.decimals), t.currency,
    decimals_of(times(t.gross_price, t.tenths), t.decimals), decimals_of(t.unit_price, t.decimals),
    case when not t.bought then decimals_of(times(t.unit_cost, t.tenths), t.decimals) end, t.unit,
    case when t.bought then t.reseller else t.distributor end, case when not t.bought then t.reseller end, null, null,
    t.invoice, t.invoice_no::text,
    case when o.n is not null and draw('through-named', t.n, 10) < 6
        then case when o.bought then o.reseller else o.distributor end || '-' || o.invoice || '-' || printf('%03d', o.invoice_no)
    end,
    null, t.authorization_id, null, null, t.received_on, null
from through_numbered t left join through_numbered o on o.n = t.sale_n
"""

# Each month a distributor buys what it will sell in the next one; where too much is left, it sends goods back.
MONTHS = f"""
create table demand as
select distributor, p, date_diff('month', date '{FIRST_DAY}', date_trunc('month', occurred_on)) as month,
    sum(tenths)::bigint as tenths
from through_priced group by all;
create table supply as
with held as (select distinct distributor, p from demand),
grid as (select distributor, p, month from held cross join range(24) as months(month)),
wanted as (
    select g.distributor, g.p, g.month, coalesce(d.tenths, 0) as sold,
        greatest(0, coalesce(f.tenths, case when g.month = 23 then d.tenths end, 0)) as ahead,
        10 * greatest(0, draw('noise', concat(g.distributor, g.p, '/', g.month), 24) - 21) as noise,
        10 * (4 + draw('safety', concat(g.distributor, g.p), 20)) as safety
    from grid g
    left join demand d using (distributor, p, month)
    left join demand f on f.distributor = g.distributor and f.p = g.p and f.month = g.month + 1
),
moved as (
    -- Noise moves only with a month that sells, so that quiet products make no lines.
    select *, case when ahead = 0 then 0 else noise end as extra from wanted
),
bought as (
    select *, ahead + extra - coalesce(lag(extra) over (partition by distributor, p order by month), 0) as tenths from moved
)
select *, safety + greatest(0, first_value(sold) over part)
    + coalesce(sum(tenths - sold) over earlier, 0) as held_before
from bought
window part as (partition by distributor, p order by month rows between unbounded preceding and unbounded following),
    earlier as (partition by distributor, p order by month rows between unbounded preceding and 1 preceding)
"""

SELL_IN = f"""
create table sell_in_numbered as
with priced as (
    select s.distributor, s.p, s.month, s.tenths, d.currency, c.decimals, pr.id as product_id, pr.unit,
        (date '{FIRST_DAY}' + to_months(s.month::integer))::date
            + draw('sell-in-day', concat(s.distributor, s.p % 12, '/', s.month), 24)::integer as occurred_on,
        50 * draw('sell-in-discount', concat(s.distributor, s.p, '/', s.month), 5) as discount,
        c.plan
    from supply s
    join distributor d on d.id = s.distributor
    join currency c on c.code = d.currency
    join product pr using (p)
    where s.tenths <> 0
),
costed as (
    select priced.*, minor(price.distributor_cents, plan, decimals) as gross_price,
        less(minor(price.distributor_cents, plan, decimals), discount) as unit_price,
        case when tenths < 0 then 'RM' else 'SO' end || strftime(occurred_on, '%y%m%d') || substr(distributor, 3) as invoice
    from priced join price on price.p = priced.p and price.list_no = list_on(occurred_on)
)
select *, row_number() over (partition by invoice order by p) as invoice_no,
    row_number() over (order by occurred_on, distributor, p) as n
from costed;
insert into line
select 'vendor', n, decimals, '{VENDOR_ID}-' || invoice || '-' || printf('%03d', invoice_no),
    case when tenths < 0 then 'return' else 'sale' end, 'sell_in', occurred_on, '{VENDOR_ID}', product_id,
    tenths * 0.1::decimal(2, 1), decimals_of(times(unit_price, tenths), decimals), currency,
    decimals_of(times(gross_price, tenths), decimals), decimals_of(unit_price, decimals), null, unit,
    '{VENDOR_ID}', distributor, null, null, invoice, invoice_no::text, null, null, null, null, null, occurred_on, null
from sell_in_numbered
"""

# Counted at the start of a quarter; now and then a unit or two are missing.
COUNTS = f"""
insert into line
select 'counts', row_number() over (order by s.month, s.distributor, s.p), 2,
    s.distributor || '-CT' || strftime(day, '%y%m%d') || '-' || pr.id, 'stock_count', 'sell_through', day, s.distributor, pr.id,
    greatest(0, s.held_before
        - 10 * case draw('shrinkage', concat(s.distributor, s.p, '/', s.month), 12) when 0 then 2 when 1 then 1 else 0 end
    ) * 0.1::decimal(2, 1),
    0, d.currency, null, null, null, pr.unit, s.distributor, null, null, null, 'CT' || strftime(day, '%y%m%d'),
    row_number() over (partition by s.distributor, s.month order by s.p)::text, null, null, null, null, null, day, null
from (select *, (date '{FIRST_DAY}' + to_months(month::integer))::date as day from supply where month > 0 and month % 3 = 0) s
join distributor d on d.id = s.distributor
join product pr using (p)
where s.distributor <> '{NOT_REPORTING}'
    and s.p in (select item from product_slot group by item order by count(*) desc, item limit {{products}})
"""

SELL_OUT = """
create table out_priced as
select o.*, r.id as reseller, r.currency, c.decimals, pr.id as product_id, pr.unit, pr.family, d.id as deal_id,
    minor(price.list_cents, c.plan, c.decimals) as gross_price,
    less(minor(price.list_cents, c.plan, c.decimals), o.discount) as unit_price,
    minor(price.partner_cents, c.plan, c.decimals) as unit_cost,
    case when r.mate is not null and draw('internal', o.seed_n, 1000) < 8 then r.mate end as mate,
    coalesce(d.customer, printf('C-%s%02d', substr(r.id, 3), 1 + draw('customer', o.seed_n, r.customers))) as customer,
    r.id || '-S' || (1 + draw('rep', o.seed_n, r.reps)) as rep,
    received(o.occurred_on, 'out', o.n) as received_on
from sold_out o
join reseller r using (r)
join currency c on c.code = r.currency
join product pr using (p)
join price on price.p = o.p and price.list_no = list_on(o.priced_on)
left join deal d on d.r = o.r and d.k = draw('deal-of', o.seed_n, 40) and o.priced_on >= d.starts and o.priced_on < d.ends;
create table out_numbered as
select *, row_number() over (partition by reseller, invoice order by n) as invoice_no
from (
    select *, case when sale_n is null then 'S' else 'R' end || strftime(occurred_on, '%y%m%d') || substr(customer, 6) as invoice
    from out_priced
);
insert into line
select 'pool', 1000000000 + t.n, t.decimals, t.reseller || '-' || t.invoice || '-' || printf('%03d', t.invoice_no),
    case when t.tenths < 0 then 'return' else 'sale' end, 'sell_out', t.occurred_on, t.reseller, t.product_id,
    t.tenths * 0.1::decimal(2, 1), decimals_of(times(t.unit_price, t.tenths), t.decimals), t.currency,
    decimals_of(times(t.gross_price, t.tenths), t.decimals), decimals_of(t.unit_price, t.decimals),
    decimals_of(times(t.unit_cost, t.tenths), t.decimals), t.unit,
    t.reseller, t.mate, case when t.mate is null then t.customer end, t.rep, t.invoice, t.invoice_no::text,
    case when o.n is not null and draw('out-named', t.n, 10) < 6
        then o.reseller || '-' || o.invoice || '-' || printf('%03d', o.invoice_no) end,
    t.deal_id, null,
    case when t.family = 'Gateway' and abs(t.tenths) = 10 then 'GW' || upper(substr(md5(concat('serial', t.seed_n)), 1, 10)) end,
    case when t.mate is not null then true end, t.received_on, null
from out_numbered t left join out_numbered o on o.n = t.sale_n
"""

DEEDS = """
insert into line
select 'pool', {offset} + n, 2, r.id || '-{mark}' || strftime(d.day, '%y%m%d') || '-' || n, '{kind}', 'sell_out',
    d.day, r.id, null, 1, 0, r.currency, null, null, null, null, r.id, null,
    case when '{kind}' = 'referral' then printf('C-%s%02d', substr(r.id, 3), 1 + draw('{kind}-customer', n, r.customers)) end,
    r.id || '-S' || (1 + draw('{kind}-rep', n, r.reps)), null, null, null, null, null, null, null, d.day,
    case when '{kind}' = 'training' then ({courses})[1 + draw('course', n, {course_count})] end
from range({rows}) as numbers(n)
join reseller_slot rs on rs.slot = (draw('{kind}-reseller', n, 5000))
join reseller r on r.r = rs.item
join trend t on t.trend = r.trend
join day_slot d on d.trend = r.trend and d.slot = draw('{kind}-day', n, t.slots)
"""


def make_lines(con: duckdb.DuckDBPyConnection, lines: int) -> None:
    """Make the table `line` with exactly `lines` rows, one per activity line, from the tables of `demand`."""
    con.execute(MACROS)
    con.execute(LINE)
    draw_sales(con, "through", lines * 9 // 20, discounts=(0, 50, 12))
    con.execute(THROUGH)
    con.execute(MONTHS)
    con.execute(SELL_IN)
    con.execute(COUNTS.format(products=min(30, 1 + lines // 6_000)))
    courses = ", ".join(f"'{course}'" for course in COURSES)
    for number, (kind, mark, rows) in enumerate((("training", "TR", lines // 400), ("referral", "RF", lines // 1_000))):
        con.execute(
            DEEDS.format(
                kind=kind, mark=mark, rows=rows, offset=(2 + number) * 1_000_000_000,
                courses=f"[{courses}]", course_count=len(COURSES),
            )
        )  # fmt: skip
    row = con.execute("select count(*) from line").fetchall()[0]
    draw_sales(con, "sold_out", lines - int(row[0]), discounts=(500, 25, 84))
    con.execute(SELL_OUT)
