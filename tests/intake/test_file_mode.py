"""Reading the tables of a calculation from files."""

import datetime as dt
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from headrace.engine.findings import Refusal
from headrace.engine.schema import LINE
from headrace.intake.tables import TableRead, read_table, read_tables

from .conftest import WriteFile

HEAD = "line_id,kind,stage,occurred_on,partner_id,product_id,quantity,amount,currency"
GOOD = "1,sale,sell_through,2026-01-05,P1,X,2,10.50,USD"


def _rows(read: TableRead) -> list[dict[str, Any]]:
    assert read.lines is not None
    columns = duckdb.connect().execute(f"FROM '{read.lines.paths[0]}'")
    names = [description[0] for description in columns.description]
    return [dict(zip(names, row, strict=True)) for row in columns.fetchall()]


def _codes(read: TableRead) -> list[tuple[int | None, str | None, str]]:
    return [(f.row, f.column, f.code) for f in read.findings]


def _lines(write: WriteFile, tmp_path: Path, *rows: str, head: str = HEAD) -> TableRead:
    return read_table("lines", write("lines.csv", "\n".join([head, *rows]) + "\n"), into=tmp_path / "out")


def test_reads_declared_columns_with_their_declared_types(write: WriteFile, tmp_path: Path) -> None:
    read = _lines(write, tmp_path, GOOD)
    assert not read.findings
    assert _rows(read) == [
        {
            "line_id": "1",
            "kind": "sale",
            "stage": "sell_through",
            "occurred_on": dt.date(2026, 1, 5),
            "partner_id": "P1",
            "product_id": "X",
            "quantity": Decimal("2.000000"),
            "amount": Decimal("10.500000"),
            "currency": "USD",
        }
    ]
    assert read.lines is not None
    assert read.lines.columns["amount"] == LINE
    assert pq.read_schema(read.lines.paths[0]).field("amount").type == LINE


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("amount", "NaN", "bad_number"),
        ("amount", "Infinity", "bad_number"),
        ("amount", "-inf", "bad_number"),
        ("amount", "12,50", "bad_number"),
        ("amount", "1_000", "bad_number"),
        ("amount", "0x1F", "bad_number"),
        ("amount", "1e400", "number_out_of_range"),
        ("amount", "1000000000000", "number_out_of_range"),
        ("amount", "0.123456789012345678901234567890", "too_many_decimals"),
        ("amount", "0.0000001", "too_many_decimals"),
        ("amount", "1e-30", "too_many_decimals"),
        ("amount", "", "missing_value"),
        ("quantity", "  ", "missing_value"),
        ("occurred_on", "2026-02-30", "no_such_date"),
        ("occurred_on", "0001-01-01", "date_out_of_range"),
        ("occurred_on", "9999-12-31", "date_out_of_range"),
        ("occurred_on", "1969-12-31", "date_out_of_range"),
        ("occurred_on", "2101-01-01", "date_out_of_range"),
        ("occurred_on", "03/04/2026", "bad_date"),
        ("occurred_on", "20260405", "bad_date"),
        ("occurred_on", "infinity", "bad_date"),
        ("kind", "sold", "unknown_word"),
        ("stage", "sell_up", "unknown_word"),
        ("currency", "US$", "unknown_word"),
        ("currency", "usd", "unknown_word"),
        ("currency", "XYZ", "unknown_word"),
        ("line_id", "", "missing_value"),
    ],
)
def test_a_bad_value_is_a_finding_that_names_row_and_column_and_the_other_rows_load(
    write: WriteFile, tmp_path: Path, column: str, value: str, code: str
) -> None:
    cells = dict(zip(HEAD.split(","), GOOD.replace("1,", "2,", 1).split(","), strict=True)) | {column: value}
    quoted = ",".join(f'"{cell}"' for cell in cells.values())
    read = _lines(write, tmp_path, GOOD, quoted)
    assert _codes(read) == [(3, column, code)]
    assert all(finding.severity == "error" for finding in read.findings)
    assert [row["line_id"] for row in _rows(read)] == ["1"]
    assert (read.received, read.loaded) == (2, 1)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("999999999999.999999", "999999999999.999999"),
        ("-0.000001", "-0.000001"),
        ("1.500000000000", "1.5"),
        ("+7", "7"),
        (".5", "0.5"),
        ("1E+3", "1000"),
        ("1.5e-3", "0.0015"),
        (" 8 ", "8"),
        ("0.1", "0.1"),
        ("4.35", "4.35"),
    ],
)
def test_numbers_are_exact(write: WriteFile, tmp_path: Path, written: str, value: str) -> None:
    read = _lines(write, tmp_path, f"1,sale,,2026-01-05,P1,X,1,{written},USD")
    assert not read.findings
    assert _rows(read)[0]["amount"] == Decimal(value)


def test_a_line_id_names_one_line(write: WriteFile, tmp_path: Path) -> None:
    read = _lines(write, tmp_path, GOOD, GOOD, GOOD.replace("10.50", "11"), "2" + GOOD[1:])
    assert _codes(read) == [(3, "line_id", "repeated_line"), (4, "line_id", "duplicate_line_id")]
    assert [finding.severity for finding in read.findings] == ["warning", "error"]
    assert [(row["line_id"], row["amount"]) for row in _rows(read)] == [("1", Decimal("10.5")), ("2", Decimal("10.5"))]


def test_a_stage_that_is_absent_or_empty_is_sell_through(write: WriteFile, tmp_path: Path) -> None:
    read = _lines(write, tmp_path, "1,sale,,2026-01-05,P1,X,2,10.50,USD")
    assert [row["stage"] for row in _rows(read)] == ["sell_through"]
    head = HEAD.replace("stage,", "")
    read = _lines(write, tmp_path, "1,sale,2026-01-05,P1,X,2,10.50,USD", head=head)
    assert [row["stage"] for row in _rows(read)] == ["sell_through"]
    assert not read.findings


def test_a_return_that_is_not_negative_does_not_load(write: WriteFile, tmp_path: Path) -> None:
    rows = (
        "1,return,,2026-01-05,P1,X,-1,-5,USD",
        "2,return,,2026-01-05,P1,X,1,-5,USD",
        "3,return,,2026-01-05,P1,X,-1,5,USD",
    )
    read = _lines(write, tmp_path, *rows, "4,return,,2026-01-05,P1,X,-1,0,USD")
    assert _codes(read) == [(3, "quantity", "return_not_negative"), (4, "amount", "return_not_negative")]
    assert [row["line_id"] for row in _rows(read)] == ["1", "4"]


def test_further_columns_get_the_type_of_all_their_values(write: WriteFile, tmp_path: Path) -> None:
    head = HEAD + ",seats,since,vip,zip,mixed,none,stamp"
    read = _lines(
        write,
        tmp_path,
        GOOD + ",3,2024-05-01,true,01234,1,,2024-05-01 10:00:00",
        "2" + GOOD[1:] + ",2.5,,FALSE,10001,x,,2024-05-01 00:00:00",
        head=head,
    )
    assert not read.findings
    assert read.lines is not None
    types = {name: read.lines.columns[name] for name in head.split(",")[9:]}
    text = pa.string()
    assert types == {
        "seats": LINE,
        "since": pa.date32(),
        "vip": pa.bool_(),
        "zip": text,
        "mixed": text,
        "none": text,
        "stamp": text,
    }
    assert [row["seats"] for row in _rows(read)] == [Decimal(3), Decimal("2.5")]


@pytest.mark.parametrize(
    "schema", ["seats:text,code:decimal", '{"seats": "text", "code": "decimal"}', "seats: text\ncode: decimal\n"]
)
def test_a_stated_schema_overrides_and_makes_other_values_findings(
    write: WriteFile, tmp_path: Path, schema: str
) -> None:
    path = write("l.csv", f"{HEAD},seats,code\n{GOOD},3,7\n2{GOOD[1:]},4,x\n")
    read = read_table("lines", path, into=tmp_path / "out", schema_overrides=schema)
    assert _codes(read) == [(3, "code", "bad_number")]
    assert [(row["seats"], row["code"]) for row in _rows(read)] == [("3", Decimal(7))]


@pytest.mark.parametrize("schema", ["seats:float", "[1, 2", "a: &x text\nb: *x\n", "- a\n- b\n"])
def test_a_schema_that_cannot_be_understood_is_refused(write: WriteFile, tmp_path: Path, schema: str) -> None:
    with pytest.raises(Refusal):
        read_table("lines", write("l.csv", f"{HEAD}\n{GOOD}\n"), into=tmp_path / "out", schema_overrides=schema)


def test_a_missing_column_is_one_finding_and_nothing_is_read(write: WriteFile, tmp_path: Path) -> None:
    read = _lines(write, tmp_path, "1,2026-01-05", head="line_id,occurred_on")
    assert [f.column for f in read.findings] == ["kind", "quantity", "amount", "currency"]
    assert {f.code for f in read.findings} == {"missing_column"}
    assert read.lines is None


def test_partners_may_have_several_rows_that_do_not_overlap(write: WriteFile, tmp_path: Path) -> None:
    path = write(
        "partners.csv",
        "partner_id,valid_from,valid_until,level\n"
        "P1,,2026-01-01,silver\n"
        "P1,2026-01-01,,gold\n"
        "P2,2026-01-01,2026-06-01,gold\n"
        "P2,2026-05-31,,silver\n"
        "P3,,,gold\n"
        "P3,,,gold\n"
        "P4,2026-02-01,2026-02-01,gold\n",
    )
    read = read_table("partners", path, into=tmp_path / "out")
    assert _codes(read) == [
        (5, "valid_from", "overlapping_validity"),
        (7, "valid_from", "overlapping_validity"),
        (8, "valid_until", "empty_interval"),
    ]
    assert read.table is not None
    assert read.table.column("partner_id").to_pylist() == ["P1", "P1", "P2", "P3"]


def test_targets_take_partner_id_for_earner_and_keep_scope_columns_as_text(write: WriteFile, tmp_path: Path) -> None:
    path = write(
        "targets.csv",
        "program,partner_id,family,from,until,value\n"
        "a,P1,7,2026-01-01,2026-04-01,1000\na,P1,8,2026-01-01,2026-04-01,500\na,P1,8,2026-01-01,2026-04-01,600\n",
    )
    read = read_table("targets", path, into=tmp_path / "out")
    assert _codes(read) == [(4, "value", "duplicate_row")]
    assert read.table is not None
    assert read.table.column("earner").to_pylist() == ["P1", "P1"]
    assert read.table.column("family").to_pylist() == ["7", "8"]
    assert read.table.column("value").to_pylist() == [Decimal(1000), Decimal(500)]


def test_rates_keep_every_digit_and_refuse_what_is_no_rate(write: WriteFile, tmp_path: Path) -> None:
    path = write(
        "rates.csv",
        "date,from_currency,to_currency,rate\n2026-01-02,EUR,IDR,16820.880000001\n2026-01-02,EUR,USD,0.0\n"
        "2026-01-02,EUR,GBP,-1\n2026-01-02,EUR,IDR,5\n2026-01-02,EUR,EUR,1\n",
    )
    read = read_table("rates", path, into=tmp_path / "out")
    assert read.table is not None
    assert read.table.column("rate").to_pylist() == ["16820.880000001"]
    assert [(row, code) for row, _, code in _codes(read)] == [
        (3, "bad_rate"),
        (4, "unknown_word"),
        (5, "duplicate_row"),
        (6, "bad_rate"),
    ]


def test_reads_the_history_of_the_european_central_bank(write: WriteFile, tmp_path: Path) -> None:
    path = write("eurofxref-hist.csv", "Date,USD,JPY,RUB,\n2024-12-31,1.0389,163.06,N/A,\n2024-12-30,1.0444,164.1,,\n")
    read = read_table("rates", path, into=tmp_path / "out")
    assert not read.findings
    assert read.table is not None
    quotes = read.table.to_pylist()
    assert quotes[0] == {"date": dt.date(2024, 12, 31), "from_currency": "EUR", "to_currency": "JPY", "rate": "163.06"}
    assert len(quotes) == 4


def test_reads_gzip_and_parquet_and_xlsx_alike(write: WriteFile, tmp_path: Path) -> None:
    zipped = write("lines.csv.gz", gzip.compress(f"{HEAD}\n{GOOD}\n".encode()))
    expected = _rows(read_table("lines", zipped, into=tmp_path / "a"))
    parquet = tmp_path / "lines.parquet"
    values: dict[str, Any] = dict(zip(HEAD.split(","), GOOD.split(","), strict=True))
    values |= {"occurred_on": dt.datetime(2026, 1, 5), "quantity": 2, "amount": 10.5}  # noqa: DTZ001
    pq.write_table(pa.table({name: [value] for name, value in values.items()}), parquet)
    read = read_table("lines", parquet, into=tmp_path / "b")
    assert [f.code for f in read.findings] == ["binary_float"]
    assert _rows(read) == expected
    book = tmp_path / "lines.xlsx"
    with xlsxwriter.Workbook(book) as workbook:
        sheet, day = workbook.add_worksheet(), workbook.add_format({"num_format": "yyyy-mm-dd"})
        for at, (name, value) in enumerate(values.items()):
            sheet.write(0, at, name)
            sheet.write(1, at, value, day if name == "occurred_on" else None)
    read = read_table("lines", book, into=tmp_path / "c")
    assert not read.findings
    assert _rows(read) == expected


def test_a_workbook_counts_rows_as_its_screen_does(tmp_path: Path) -> None:
    book = tmp_path / "lines.xlsx"
    with xlsxwriter.Workbook(book) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(2, 0, HEAD.split(","))
        sheet.write_row(4, 0, ["1", "sale", "", "2026-01-05", "P1", "X", 1, 0.1 + 0.2, "USD"])
        sheet.write_row(6, 0, ["2", "sale", "", "2026-01-05", "P1", "X", 1, "n/a", "USD"])
    read = read_table("lines", book, into=tmp_path / "out")
    assert _codes(read) == [(7, "amount", "bad_number")]
    assert [row["amount"] for row in _rows(read)] == [Decimal("0.3")]


def test_parquet_of_the_right_types_passes_through(tmp_path: Path) -> None:
    table = pa.table(
        {
            "line_id": ["1", "2"],
            "kind": ["sale", "sale"],
            "occurred_on": pa.array([dt.date(2026, 1, 5), dt.date(9999, 12, 31)]),
            "quantity": pa.array([Decimal(1), Decimal(2)], LINE),
            "amount": pa.array([Decimal("0.000001"), Decimal(2)], LINE),
            "currency": ["USD", "USD"],
            "scale_9": pa.array([Decimal("1.000000001"), None], pa.decimal128(20, 9)),
        }
    )
    pq.write_table(table, tmp_path / "l.parquet")
    read = read_table("lines", tmp_path / "l.parquet", into=tmp_path / "out")
    assert _codes(read) == [(3, "occurred_on", "date_out_of_range")]
    assert [(row["amount"], row["scale_9"]) for row in _rows(read)] == [(Decimal("0.000001"), "1.000000001")]


def test_the_files_of_a_calculation_come_as_tables(write: WriteFile, tmp_path: Path) -> None:
    files = {"lines": write("l.csv", f"{HEAD}\n{GOOD}\n"), "partners": write("p.csv", "partner_id,region\nP1,EMEA\n")}
    tables, findings = read_tables(files, into=tmp_path / "out")
    assert not findings
    assert tables is not None
    assert tables.references["partners"].to_pylist() == [{"partner_id": "P1", "region": "EMEA"}]
    with pytest.raises(Refusal):
        read_tables({"liness": files["lines"]}, into=tmp_path / "out")
    with pytest.raises(Refusal):
        read_tables({"lines": tmp_path / "none.csv"}, into=tmp_path / "out")


def test_many_bad_rows_are_counted_exactly_and_listed_in_part(write: WriteFile, tmp_path: Path) -> None:
    read = _lines(write, tmp_path, *(f"{i},sale,,2026-01-05,P1,X,1,x,USD" for i in range(1500)))
    assert len(read.findings) == 1001
    assert "500 further rows" in read.findings[-1].message
    assert "1,500 in all" in read.findings[-1].message
    assert (read.received, read.loaded) == (1500, 0)
