"""The lines of the sample channel as the files that the parties would send: one per reporter and month, in three layouts.

canonical: CSV in the canonical columns. semicolon: what a German ERP exports (Latin-1, decimal comma, day first, credit
notes with positive figures, cartons of ten). workbook: a spreadsheet. A few rows are there twice, a few were sent again a month
later, and a few are dirty; the control totals say how many.
"""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb
import xlsxwriter

from headrace.sample.catalogue import CARTON
from headrace.sample.parties import LAYOUTS

CANONICAL = (
    "line_id", "kind", "stage", "occurred_on", "partner_id", "product_id", "quantity", "amount", "currency", "gross_amount",
    "unit_price", "cost", "unit", "reporter_id", "buyer_id", "customer_id", "rep_id", "invoice_number", "invoice_line",
    "original_line_id", "deal_id", "authorization_id", "serial_number", "internal", "received_on", "course",
)  # fmt: skip
SEMICOLON_HEADER = (
    "Belegart;Belegnummer;Position;Belegdatum;Händler-Nr;Händler;Artikel-Nr;Menge;ME;Stückpreis;Nettobetrag;Bruttobetrag;"
    "Einstandswert;Währung;Sonderpreis-Nr;Meldedatum"
)
WORKBOOK_HEADER = (
    "Type", "Invoice", "Line", "Invoice date", "Sold to", "SKU", "Qty", "UoM", "Unit net", "Extended net", "Extended gross",
    "Extended cost", "Curr", "Quote", "Report date",
)  # fmt: skip
# One column of a copied row is spoilt: what a reporter's spreadsheet does to it.
FAULTS = (
    ("product_id", "'ZZ-9999'"),
    ("occurred_on", "'2025-02-30'"),
    ("quantity", "'12 pcs'"),
    ("amount", "'1.234.5'"),
    ("currency", "'EUX'"),
    ("occurred_on", "null"),
    ("amount", "null"),
    ("product_id", "null"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesFile:
    """One file of a reporter and its control totals. quantity and amount: over the good rows, in base units, all currencies."""

    path: str
    layout: str
    rows: int
    lines: int
    twice: int
    sent_again: int
    dirty: int
    quantity: Decimal
    amount: Decimal


SHEET = """
create table sheet as
select case source {layout_cases} else 'canonical' end as layout,
    source || '-' || strftime(received_on, '%Y-%m') as file, 'clean' as state, sort_no,
    quantity as quantity_number, amount as amount_number,
    line_id, kind, stage, occurred_on::text as occurred_on, partner_id, product_id,
    regexp_replace(quantity::text, '\\.0$', '') as quantity,
    {money}, currency, unit, reporter_id, buyer_id, customer_id, rep_id, invoice_number, invoice_line, original_line_id, deal_id,
    authorization_id, serial_number, case when internal then 'true' end as internal, received_on::text as received_on, course
from line;
create table numbered as
select *, row_number() over (partition by layout order by draw('choose', line_id, 1000000000000000), line_id) as number
from sheet where kind in ('sale', 'return') qualify number <= {per_layout};
insert into sheet select * exclude (number) replace ('twice' as state) from numbered where number <= {twice};
insert into sheet
select * exclude (number) replace ('again' as state,
    regexp_replace(file, '-....-..$', '') || '-'
        || strftime(strptime(right(file, 7) || '-01', '%Y-%m-%d') + to_months(1), '%Y-%m') as file)
from numbered where number > {twice} and number <= {twice} + {again} and right(file, 7) < '2026-06';
"""
DIRTY = """
insert into sheet
select * exclude (number) replace ('dirty' as state, 'X-' || line_id as line_id, 'X' || invoice_number as invoice_number,
    {column} as {column_name})
from numbered where number = {number}
"""


def write_sales_files(con: duckdb.DuckDBPyConnection, folder: Path, lines: int) -> list[SalesFile]:
    """Write the table `line` as files of three layouts below `folder`, one folder a layout; give their control totals."""
    _make_sheet(con, lines)
    for layout, texts in (("canonical", _canonical(con)), ("semicolon", _semicolon(con))):
        (folder / layout).mkdir(parents=True)
        for name, content in texts:
            (folder / layout / f"{name}.csv").write_bytes(content)
    (folder / "workbook").mkdir(parents=True)
    for name, content in _workbooks(con):
        (folder / "workbook" / f"{name}.xlsx").write_bytes(content)
    return _control_totals(con)


def _make_sheet(con: duckdb.DuckDBPyConnection, lines: int) -> None:
    cases = " ".join(f"when '{reporter}' then '{layout}'" for reporter, layout in LAYOUTS.items())
    money = ", ".join(
        f"case when decimals = 0 then {name}::decimal(18, 0)::text else {name}::text end as {name}"
        for name in ("amount", "gross_amount", "unit_price", "cost")
    )
    twice, again = max(1, lines // 10_000), max(1, lines // 20_000)
    first_dirty = twice + again + 1
    con.execute(
        SHEET.format(
            layout_cases=cases, money=money, twice=twice, again=again, per_layout=first_dirty + len(FAULTS)
        )
    )  # fmt: skip
    for number, (column, value) in enumerate(FAULTS, start=first_dirty):
        con.execute(DIRTY.format(column=value, column_name=column, number=number))


ORDER = "order by occurred_on nulls last, invoice_number, invoice_line::integer, line_id, state"


def _canonical(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, bytes]]:
    fields = ", ',', ".join(f"coalesce({name}, '')" for name in CANONICAL)
    return _texts(con, "canonical", ",".join(CANONICAL), f"concat({fields})", "utf-8")


def _semicolon(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, bytes]]:
    con.execute(
        f"""
        create or replace macro unsigned(given) as ltrim(given, '-');
        create or replace macro day_first(given) as
            (coalesce(split_part(given, '-', 3) || '.' || split_part(given, '-', 2) || '.' || split_part(given, '-', 1), ''));
        create or replace macro comma(given) as coalesce(case
            when try_cast(given as decimal(18, 2)) is null then given
            else replace(format('{{:,}}', split_part(given, '.', 1)::bigint), ',', '.')
                || case when contains(given, '.') then ',' || split_part(given, '.', 2) else '' end
        end, '');
        create or replace macro in_cartons(product, quantity) as
            (left(product, 2) in ('OP', 'PW') and coalesce(try_cast(quantity as decimal(18, 1)) % {CARTON} = 0, false));
        create or replace macro per(product, quantity, given) as
            (case when in_cartons(product, quantity)
                then (given::decimal(18, 2) * {CARTON})::decimal(18, 2)::text else given end);
        """
    )
    whole = f"(try_cast(quantity as decimal(18, 1))::bigint // {CARTON})::text"
    fields = (
        "case kind when 'return' then 'GS' else 'RE' end", "invoice_number", "invoice_line", "day_first(occurred_on)", "buyer_id",
        "'\"' || reseller.name || '\"'", "coalesce(product_id, '')",
        f"comma(unsigned(case when in_cartons(product_id, quantity) then {whole} else quantity end))",
        "case when in_cartons(product_id, quantity) then 'KRT' when unit = 'M' then 'M' else 'STK' end",
        "comma(per(product_id, quantity, unit_price))", "comma(unsigned(amount))", "comma(unsigned(gross_amount))",
        "comma(unsigned(cost))", "currency", "coalesce(authorization_id, '')", "day_first(received_on)",
    )  # fmt: skip
    text = "concat(" + ", ';', ".join(fields) + ")"
    return _texts(con, "semicolon", SEMICOLON_HEADER, text, "latin-1", ends="\r\n")


def _texts(
    con: duckdb.DuckDBPyConnection, layout: str, header: str, text: str, encoding: str, *, ends: str = "\n"
) -> Iterator[tuple[str, bytes]]:
    rows = con.execute(
        f"""
        select file, string_agg({text}, ? {ORDER})
        from sheet left join reseller_name reseller on reseller.id = buyer_id
        where layout = ? group by file order by file
        """,
        [ends, layout],
    ).fetchall()
    for file, body in rows:
        yield file, (header + ends + body + ends).encode(encoding)


def _workbooks(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, bytes]]:
    rows = con.execute(
        f"""
        select file, case kind when 'return' then 'Credit' else 'Invoice' end, invoice_number, invoice_line, occurred_on,
            buyer_id, product_id, quantity, case unit when 'M' then 'M' else 'EA' end, unit_price, amount, gross_amount, cost,
            currency, authorization_id, received_on
        from sheet where layout = 'workbook' order by file, {ORDER.removeprefix("order by ")}
        """
    ).fetchall()
    files: dict[str, list[tuple[str | None, ...]]] = {}
    for file, *cells in rows:
        files.setdefault(file, []).append(tuple(cells))
    for file, cells_of_file in files.items():
        yield file, _workbook(cells_of_file)


NUMBERS = frozenset((6, 8, 9, 10, 11))
DATES = frozenset((3, 14))


def _workbook(rows: list[tuple[str | None, ...]]) -> bytes:
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True, "constant_memory": True})
    book.set_properties({"created": datetime(2026, 7, 1)})  # noqa: DTZ001 - a spreadsheet's dates have no zone
    sheet = book.add_worksheet("POS")
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write_row(0, 0, WORKBOOK_HEADER)
    for at, cells in enumerate(rows, start=1):
        for column, cell in enumerate(cells):
            if cell is None:
                continue
            if column in NUMBERS and (number := _number(cell)) is not None:
                sheet.write_number(at, column, number)
            elif column in DATES and (when := _day(cell)) is not None:
                sheet.write_datetime(at, column, when, day)
            else:
                sheet.write_string(at, column, cell)
    book.close()
    return _stored(target.getvalue())


def _number(cell: str) -> Decimal | None:
    try:
        return Decimal(cell)
    except InvalidOperation:
        return None


def _day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell)
    except ValueError:
        return None


def _stored(workbook: bytes) -> bytes:
    """Pack a workbook anew without compression: compressed bytes differ from one zlib to the next."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as packed, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as plain:
        for name in sorted(packed.namelist()):
            plain.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), packed.read(name))
    return target.getvalue()


def _control_totals(con: duckdb.DuckDBPyConnection) -> list[SalesFile]:
    rows = con.execute(
        """
        select file, layout, count(*), count(*) filter (state = 'clean'), count(*) filter (state = 'twice'),
            count(*) filter (state = 'again'), count(*) filter (state = 'dirty'),
            coalesce(sum(quantity_number) filter (state = 'clean'), 0), coalesce(sum(amount_number) filter (state = 'clean'), 0)
        from sheet group by all order by layout, file
        """
    ).fetchall()
    return [
        SalesFile(
            path=f"{layout}/{file}.{'xlsx' if layout == 'workbook' else 'csv'}", layout=layout, rows=count, lines=clean,
            twice=twice, sent_again=again, dirty=dirty, quantity=quantity, amount=amount,
        )
        for file, layout, count, clean, twice, again, dirty, quantity, amount in rows
    ]  # fmt: skip
