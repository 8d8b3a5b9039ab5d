"""A made-up channel of any size, by seed: activity lines, partners and products as Parquet files.

The same seed, size and DuckDB release give the same files. Two years of sell-through from 1 January 2025; 3 % of the lines are
returns that do not name their sale. Line ids are invoice-like text in no order of time; lines stand roughly in the order in
which they happened, as they would arrive. Partners differ in size (the largest tenth sells about a fifth); products do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine.schema import PARTNERS, PRODUCTS, Column, Lines, Tables

FIRST_DAY = date(2025, 1, 1)
DAYS = 730
AREAS = 10
COUNTRIES = 25
FAMILIES = 10
AMOUNT_MEAN = 525  # of a sale, in USD: 5.5 units on average × a mean unit price of about 95

_ID_PRIME = 4_294_967_291  # the largest prime below 2^32: multiplying modulo it visits every id once
_ID_STEP = 2_654_435_761
_COLUMNS = (
    "line_id", "kind", "stage", "occurred_on", "partner_id", "product_id", "quantity", "amount", "currency"
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much to make up."""

    lines: int = 10_000_000
    partners: int = 2_000
    products: int = 400
    seed: int = 1

    def __post_init__(self) -> None:
        assert 0 < self.lines < _ID_PRIME, self.lines
        assert self.partners > 0, self.partners
        assert self.products > 0, self.products

    @property
    def name(self) -> str:
        """Name a folder after what is in it."""
        return f"lines{self.lines}-partners{self.partners}-products{self.products}-seed{self.seed}"


def generate(size: Size, folder: Path, *, memory_bytes_max: int = 2 << 30) -> Tables:
    """Write lines, partners and products as Parquet files into `folder`, unless they are there, and give the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = folder / "lines.parquet"
    if not lines.exists():
        partial = folder / "lines.parquet.partial"
        with duckdb.connect() as connection:
            connection.execute(f"SET memory_limit = '{memory_bytes_max}B'")
            connection.execute(f"SET temp_directory = '{folder}'")
            write(connection, partial, size, 0, size.lines)
        pq.write_table(partners(size), folder / "partners.parquet")
        pq.write_table(products(size), folder / "products.parquet")
        partial.rename(lines)
    return tables(folder)


def tables(folder: Path) -> Tables:
    """Give the tables of a generated channel."""
    path = folder / "lines.parquet"
    schema = pq.read_schema(path)
    columns = {name: schema.field(name).type for name in schema.names}
    references = {name: pq.read_table(folder / f"{name}.parquet") for name in ("partners", "products")}
    return Tables(lines=Lines(paths=(path,), columns=columns), references=references)


def write(connection: duckdb.DuckDBPyConnection, path: Path, size: Size, first: int, until: int) -> None:
    """Write the lines numbered from `first` until before `until` of a channel of this size as one Parquet file."""
    query = lines_query(size, first, until)
    connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)")


def lines_query(size: Size, first: int, until: int, *, days_from: int = 0, days: int = DAYS) -> str:
    """Give the SQL of the lines numbered from `first` until before `until`, columns named and typed as in schema.LINES.

    They spread over `days` days from `days_from` days after FIRST_DAY, in order but for a jitter of up to four days.
    """

    def draw(salt: int, below: int) -> str:
        return f"CAST(hash(i, {size.seed * 1000 + salt}) % {below} AS BIGINT)"

    count = until - first
    day = f"least({days_from + days - 1}, (i - {first}) * {days} // {count} + {days_from} + {draw(1, 5)})"
    # Two draws, the smaller one: low numbers are drawn more often.
    partner = f"least({draw(2, size.partners)}, {draw(3, size.partners)} + {draw(3, size.partners)} // 2)"
    drawn = f"""
        SELECT
            i,
            {day} AS day,
            {partner} AS partner,
            {draw(4, size.products)} AS product,
            CASE WHEN {draw(5, 100)} < 3 THEN -1 ELSE 1 END AS sign,
            1 + {draw(6, 10)} AS units,
            99 + {draw(7, 19_000)} AS cents
        FROM range({first}, {until}) AS numbers(i)
    """
    values = {
        "line_id": f"'INV-' || lpad(CAST((i * {_ID_STEP} + {size.seed}) % {_ID_PRIME} AS VARCHAR), 10, '0')",
        "kind": "CASE WHEN sign < 0 THEN 'return' ELSE 'sale' END",
        "stage": "'sell_through'",
        "occurred_on": f"DATE '{FIRST_DAY}' + CAST(day AS INTEGER)",
        "partner_id": "'P' || lpad(CAST(partner AS VARCHAR), 5, '0')",
        "product_id": "'SKU-' || lpad(CAST(product AS VARCHAR), 4, '0')",
        "quantity": "CAST(sign * units AS DECIMAL(18, 6))",
        "amount": "CAST(CAST(sign * units * cents AS DECIMAL(18, 0)) * CAST('0.01' AS DECIMAL(3, 2)) AS DECIMAL(18, 6))",
        "currency": "'USD'",
    }
    assert tuple(values) == _COLUMNS
    return f"SELECT {', '.join(f'{value} AS {name}' for name, value in values.items())} FROM ({drawn})"


def partners(size: Size) -> pa.Table:
    """Give the partners: the columns of schema.PARTNERS plus area (ten), country (25, apart from area) and level."""
    numbers = range(size.partners)
    columns = {
        "partner_id": [f"P{number:05}" for number in numbers],
        "area": [f"A{number % AREAS}" for number in numbers],
        "country": [f"C{number // AREAS % COUNTRIES:02}" for number in numbers],
        "level": [("gold", "silver", "bronze")[number % 3] for number in numbers],
    }
    return _with_contract(columns, size.partners, PARTNERS)


def products(size: Size) -> pa.Table:
    """Give the products: the columns of schema.PRODUCTS plus family (ten)."""
    numbers = range(size.products)
    columns = {
        "product_id": [f"SKU-{number:04}" for number in numbers],
        "family": [f"F{number % FAMILIES}" for number in numbers],
    }
    return _with_contract(columns, size.products, PRODUCTS)


def _with_contract(columns: Mapping[str, list[str]], rows: int, contract: Mapping[str, Column]) -> pa.Table:
    arrays = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    for name, column in contract.items():
        arrays.setdefault(name, pa.nulls(rows, column.type))
    return pa.table(arrays)
