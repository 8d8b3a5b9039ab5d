"""Reference files of other systems become canonical tables by a map."""

from pathlib import Path

import pytest

from headrace.engine.findings import Refusal
from headrace.intake.reshape import Reshaped, load_table_map, reshape

MAP = """
table: products
columns: { product_id: SKU, valid_from: starts, family: Group, list_price: Price }
values: { family: { BK: Bikes } }
where: { family: [Bikes, Parts] }
versions: { id: [product_id] }
"""


def run(tmp_path: Path, text: str, table_map: str = MAP) -> tuple[Reshaped, str | None]:
    source, document, out = tmp_path / "in.csv", tmp_path / "map.yaml", tmp_path / "out.csv"
    source.write_text(text, encoding="utf-8")
    document.write_text(table_map, encoding="utf-8")
    result = reshape(source, load_table_map(document), out)
    return result, out.read_text(encoding="utf-8") if out.exists() else None


def test_columns_are_renamed_values_replaced_and_other_rows_left_out(tmp_path: Path) -> None:
    result, text = run(tmp_path, "SKU,starts,Group,Price,Noise\nA,2011-07-01, BK ,12.50,x\nB,2011-07-01,Raw,1,x\n")
    assert text == "product_id,valid_from,family,list_price,valid_until\nA,,Bikes,12.50,\n"
    assert (result.received, result.written, result.findings) == (2, 1, ())


def test_each_version_holds_until_the_next_one_starts_and_the_first_since_ever(tmp_path: Path) -> None:
    rows = "A,2012-07-01,Parts,2\nA,2011-07-01,Parts,1\nB,2013-01-01,Parts,9\n"
    _, text = run(tmp_path, "SKU,starts,Group,Price\n" + rows)
    assert text is not None
    assert text.splitlines()[1:] == ["A,,Parts,1,2012-07-01", "A,2012-07-01,Parts,2,", "B,,Parts,9,"]


def test_dated_rows_keep_their_start_and_the_last_can_be_left_out(tmp_path: Path) -> None:
    table_map = """
    table: targets
    constants: { program: spiff }
    columns: { earner: Rep, from: Day, value: Quota }
    versions: { id: [earner], starts: from, ends: until, first: as_dated, last: drop }
    """
    _, text = run(tmp_path, "Rep,Day,Quota\n7,2011-01-01,100\n7,2011-04-01,200\n", table_map)
    assert text == "program,earner,from,value,until\nspiff,7,2011-01-01,100,2011-04-01\n"


def test_rows_that_come_out_equal_are_written_once(tmp_path: Path) -> None:
    table_map = "{table: partners, columns: {partner_id: Shop, name: Name}}"
    result, text = run(tmp_path, "Shop,Name,Day\n1,Anker,Mon\n1,Anker,Tue\n", table_map)
    assert text == "partner_id,name\n1,Anker\n"
    assert (result.received, result.written) == (2, 1)


def test_a_column_that_is_not_there_is_a_finding_and_nothing_is_written(tmp_path: Path) -> None:
    result, text = run(tmp_path, "SKU,Group\nA,BK\n")
    assert text is None
    assert [finding.code for finding in result.findings] == ["column_missing"]
    assert "starts, Price" in result.findings[0].message


def test_two_versions_that_start_together_are_a_finding_and_nothing_is_written(tmp_path: Path) -> None:
    result, text = run(tmp_path, "SKU,starts,Group,Price\nA,2011-07-01,BK,1\nA,2011-07-01,BK,2\n")
    assert text is None
    assert [finding.code for finding in result.findings] == ["versions_start_together"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{table: lines, columns: {line_id: Id}}", "profile"),
        ("{table: partners, columns: {}}", "columns"),
        ("{table: partners, columns: {partner_id: Id}, colour: red}", "colour"),
        ("{table: partners, columns: {partner_id: Id}, where: {region: [EMEA]}}", "region"),
        ("{table: partners", "cannot be read"),
    ],
)
def test_a_faulty_map_is_refused_with_what_is_wrong(tmp_path: Path, document: str, said: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(document)
    with pytest.raises(Refusal, match=said) as caught:
        load_table_map(path)
    assert caught.value.code == "bad_table_map"
