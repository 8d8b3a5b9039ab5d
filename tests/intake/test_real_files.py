"""The real files, by the profiles that ship with the package: published totals come out, and nothing wrong is booked."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from headrace.intake.profile import load_profile
from headrace.intake.tables import read_table

from .desk import Desk, codes, counts

RESELLERS = "adventureworks_reseller/pos_lines_2010_2012.csv.gz"
RETAIL = "online_retail_2010_12_to_2011_06/online_retail_2010-12_2011-06.csv.gz"


def test_adventureworks_comes_out_of_the_lake_to_the_last_digit(desk: Desk, real_data: Path) -> None:
    report = desk.load_file(load_profile("adventureworks-reseller"), real_data / RESELLERS)
    assert counts(report) == (32_315, 32_315, 0, 0, 0)
    assert codes(report) == []
    sums = desk.lines(
        "count(*), sum(quantity), sum(amount), sum(gross_amount), sum(cost), count(DISTINCT line_id)", order=False
    )
    net, gross, cost = Decimal("46875762.8251"), Decimal("47138118.5996"), Decimal("45913410.2152")
    assert sums == [(32_315, 110_720, net, gross, cost, 32_315)]


def test_online_retail_is_accounted_for_row_by_row(desk: Desk, real_data: Path) -> None:
    report = desk.load_file(load_profile("online-retail"), real_data / RETAIL)
    assert report.received.rows == 245_903
    assert report.received.amounts == {"GBP": Decimal("4397950.761")}
    assert report.finding_counts is not None
    assert report.finding_counts["equal_row"] == 2_012
    assert report.finding_counts["stock_write_off"] == 758
    assert report.rejected.rows == 0
    facts = "count(*) FILTER (kind = 'return' AND quantity >= 0), count(*) FILTER (buyer_id LIKE '%.0')"
    assert desk.lines(facts, order=False) == [(0, 0)]
    rows = desk.lines("count(*), sum(amount)", order=False)
    assert rows == [(report.loaded.rows, report.loaded.amounts["GBP"])]
    assert desk.load_file(load_profile("online-retail"), real_data / RETAIL).status == "nothing_new"


def test_iowa_of_one_day(desk: Desk, real_data: Path) -> None:
    report = desk.load_file(
        load_profile("iowa-liquor-day"), real_data / "iowa_liquor/iowa_2012-01-31_all_stores.csv.gz"
    )
    assert counts(report) == (9_510, 9_503, 7, 0, 0)
    assert report.received.quantity == 81_120
    assert report.loaded.amounts == {"USD": Decimal("1039951.09")}
    assert report.finding_counts is not None
    assert report.finding_counts["equal_row"] == 3
    assert report.finding_counts["missing_value"] == 7


def test_iowa_with_invoice_numbers(desk: Desk, real_data: Path) -> None:
    path = real_data / "iowa_liquor/iowa_2018_2019_sample_invoices.csv.gz"
    report = desk.load_file(load_profile("iowa-liquor-invoices"), path)
    assert counts(report) == (999, 999, 0, 0, 0)
    assert report.finding_counts is not None
    assert report.finding_counts["columns_disagree"] == 13
    facts = "count(DISTINCT invoice_number), min(occurred_on), count(*) FILTER (year(occurred_on) = 2019)"
    assert desk.lines(facts, order=False) == [(857, dt.date(2018, 9, 4), 995)]


@pytest.mark.parametrize("with_prices", [True, False])
def test_nothing_of_the_mangled_export_is_booked(desk: Desk, real_data: Path, with_prices: bool) -> None:
    products = _products_by_key(real_data) if with_prices else {}
    path = real_data / "dirty_reseller_export/reseller_sales_locale_mangled_small.csv.gz"
    report = desk.load_file(load_profile("dirty-reseller-export"), path, references=products)
    assert (report.received.rows, report.loaded.rows) == (587, 0)
    assert report.finding_counts is not None
    assert report.finding_counts["columns_disagree"] == 572
    assert ("implausible_price" in report.finding_counts) == with_prices
    assert desk.lines() == []


def test_the_price_list_alone_stops_every_row_that_is_wrong(desk: Desk, real_data: Path) -> None:
    profile = load_profile("dirty-reseller-export").model_copy(update={"agreements": (), "quarantine_above": None})
    path = real_data / "dirty_reseller_export/reseller_sales_locale_mangled_small.csv.gz"
    desk.load_file(profile, path, references=_products_by_key(real_data))
    truth = f"(FROM read_csv('{real_data / RESELLERS}', all_varchar = true))"
    with duckdb.connect() as con:
        true = dict(
            con.execute(
                f"SELECT 'reseller-export:' || invoice_number || ':' || line_number, net_amount FROM {truth}"
            ).fetchall()
        )
    assert [(line, amount) for line, _, amount in desk.lines() if amount != Decimal(true[line])] == []


def test_the_history_of_the_central_bank(real_data: Path, tmp_path: Path) -> None:
    read = read_table("rates", real_data / "ecb_fx/eurofxref_hist_1999_2024.csv.gz", into=tmp_path)
    assert read.findings == ()
    assert read.table is not None
    with duckdb.connect() as con:
        con.register("rates", read.table)
        found = con.execute("SELECT count(DISTINCT date), count(DISTINCT to_currency) FROM rates").fetchall()
        last = con.execute("SELECT rate FROM rates WHERE date = DATE '2024-12-31' AND to_currency = 'IDR'").fetchall()
    assert found == [(6_658, 41)]
    assert last == [("16820.88",)]


def _products_by_key(real_data: Path) -> dict[str, pa.Table]:
    path = real_data / "adventureworks_reseller/products.csv.gz"
    with duckdb.connect() as con:
        products = con.sql(
            f"SELECT product_key AS product_id, CAST(dealer_price AS DECIMAL(18,6)) AS dealer_price"
            f" FROM read_csv('{path}', all_varchar = true)"
        ).to_arrow_table()
    return {"products": products}
