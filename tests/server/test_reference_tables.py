"""What a calculation reads of partners, products and rates comes out of the application as it went in by files."""

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.catalogue import products, rates
from headrace.engine.rules import ColumnType
from headrace.engine.run import Request, Result, calculate
from headrace.engine.schema import PARTNERS, PRODUCTS, RATES, Tables
from headrace.engine.terms import load_terms
from headrace.foundation.models import Person
from headrace.foundation.roles import Role
from headrace.intake.tables import read_tables
from headrace.masterdata import fields, store
from headrace.partners import facts
from headrace.sample import Sample, make_sample, write_lines_file
from tests.server.conftest import NOW, MakePerson
from tests.server.master import load

LINES = 6_000
PRICE_LISTS = ("list_price", "partner_price", "distributor_price")
KINDS = ("partners", "products", "rates", "stock", "targets", "forecasts", "deals", "calendar")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return make_sample(tmp_path_factory.mktemp("sample") / "demo", lines=LINES)


@pytest.fixture(scope="module")
def read(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Read the sample's own files, as the command line does."""
    folder = tmp_path_factory.mktemp("read")
    write_lines_file(folder / "lines.csv", lines=LINES)
    files = {"lines": folder / "lines.csv", **{kind: sample.reference / f"{kind}.csv" for kind in KINDS}}
    tables, findings = read_tables(files, into=folder)
    assert tables is not None
    assert [finding for finding in findings if finding.severity == "error"] == []
    return tables


def records(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as source:
        yield from csv.DictReader(source)


def prices(sample: Sample) -> str:
    """Write the sample's price columns as a file of prices."""
    rows = ["price_list,product_id,price,valid_from,valid_until"]
    for row in records(sample.reference / "products.csv"):
        days = f"{row['valid_from']},{row['valid_until']}"
        rows += [f"{name},{row['product_id']},{row[name]},{days}" for name in PRICE_LISTS]
    return "\n".join(rows)


@pytest.fixture
def loaded(sample: Sample, person_with: MakePerson) -> Person:
    operator = person_with(Role.CHANNEL_OPERATIONS)
    for name in ("continent", "contact_email"):
        given = {"kind_name": "partner", "column_type": ColumnType.TEXT, "by": operator, "at": NOW}
        fields.declare_field(name=name, **given)  # type: ignore[arg-type]
    lists = "price_list,currency\n" + "".join(f"{name},USD\n" for name in PRICE_LISTS)
    for what, content in (
        ("partner", (sample.reference / "partners.csv").read_text()),
        ("product", (sample.reference / "products.csv").read_text()),
        ("price_list", lists),
        ("price", prices(sample)),
    ):
        run, findings = load(what, content, operator)
        assert run.loaded == run.received
        # The prices of the product file are columns of their own here, which the import says.
        assert {(finding.code, finding.column) for finding in findings} == (
            {("unknown_column", name) for name in PRICE_LISTS} if what == "product" else set()
        )
    load("rates", (sample.reference / "rates.csv").read_bytes(), operator, table="ecb")
    return operator


def ours(revision: int | None = None) -> dict[str, pa.Table]:
    return {
        "partners": facts.partners_table(revision),
        "products": products.products_table(revision),
        "rates": rates.rates_table("ecb", revision),
    }


def joined(table: pa.Table, columns: list[str]) -> list[tuple[object, ...]]:
    """Give the rows in order, those joined that meet and say the same: id, first day, end, values."""
    values = [name for name in columns[1:] if name not in ("valid_from", "valid_until")]
    rows = sorted(table.to_pylist(), key=lambda row: (row[columns[0]], row["valid_from"] or date.min))
    made: list[tuple[object, ...]] = []
    for row in rows:
        said = tuple(row[name] for name in values)
        if made and made[-1][0] == row[columns[0]] and made[-1][2] == row["valid_from"] and made[-1][3:] == said:
            made[-1] = (*made[-1][:2], row["valid_until"], *said)
        else:
            made.append((row[columns[0]], row["valid_from"], row["valid_until"], *said))
    return made


def results(tables: Tables, sample: Sample, awards: Path) -> tuple[Result, pa.Table]:
    programs, findings = load_terms(sample.programs)
    assert [finding for finding in findings if finding.severity == "error"] == []
    result = calculate(Request(programs=programs, tables=tables), awards=awards)
    order = [(name, "ascending") for name in ("program", "payee_id", "scope", "from", "line_id")]
    return result, pq.read_table(awards).sort_by(order)


def test_the_tables_are_those_of_the_files(loaded: Person, read: Tables) -> None:
    made = ours()
    for kind, declared in (("partners", PARTNERS), ("products", PRODUCTS), ("rates", RATES)):
        table, given = made[kind], read.references[kind]
        assert table.column_names[: len(declared)] == list(declared)
        for name, column in declared.items():
            assert table.schema.field(name).type == column.type
        for name in given.column_names:
            assert table.schema.field(name).type == given.schema.field(name).type, (kind, name)
        if kind == "rates":
            assert sorted(map(str, table.to_pylist())) == sorted(map(str, given.to_pylist()))
        else:
            expected = joined(given, given.column_names)
            assert joined(table, given.column_names) == expected
            assert table.num_rows == len(expected)


def test_calculating_over_them_gives_what_calculating_over_the_files_gives(
    loaded: Person, read: Tables, sample: Sample, tmp_path: Path
) -> None:
    by_file, awards_by_file = results(read, sample, tmp_path / "files.parquet")
    tables = Tables(read.lines, {**read.references, **ours()})
    by_app, awards_by_app = results(tables, sample, tmp_path / "app.parquet")
    assert by_file.statements.num_rows > 100
    assert awards_by_file.num_rows > LINES // 2
    assert by_app.statements.equals(by_file.statements)
    assert awards_by_app.equals(awards_by_file)
    assert by_app.reasons == by_file.reasons
    assert by_app.findings == by_file.findings


def test_a_table_as_known_then_is_that_of_then(loaded: Person) -> None:
    then, before = store.last_revision(), ours()
    partner = before["partners"].column("partner_id").to_pylist()[-1]
    product = before["products"].column("product_id").to_pylist()[0]
    load("partner", f"partner_id,level,valid_from\n{partner},none,\n", loaded)
    load("price", f"price_list,product_id,price\nlist_price,{product},7\n", loaded)
    load("rates", "date,from_currency,to_currency,rate\n2025-01-02,EUR,USD,9\n", loaded, table="ecb")
    assert [kind for kind, table in ours().items() if table.equals(before[kind])] == []
    again = ours(then)
    assert all(again[kind].equals(before[kind]) for kind in before)
