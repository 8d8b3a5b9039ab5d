"""Files as they really arrive: any delimiter, encoding and damage. Never a traceback, never half a file."""

import gzip
from pathlib import Path

import pytest

from headrace.intake.tables import TableRead, read_table

from .conftest import WriteFile

HEAD = "partner_id,name,city"


def _read(path: Path, tmp_path: Path) -> TableRead:
    return read_table("partners", path, into=tmp_path / "out")


def _table(read: TableRead) -> list[list[str | None]]:
    assert read.table is not None, read.findings
    return [list(row.values()) for row in read.table.to_pylist()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_finds_the_delimiter_and_the_line_end(write: WriteFile, tmp_path: Path, delimiter: str, newline: str) -> None:
    text = newline.join([HEAD.replace(",", delimiter), f'P1{delimiter}"a{delimiter}b"{delimiter}Ulm', ""])
    read = _read(write("p.csv", text), tmp_path)
    assert not read.findings
    assert _table(read) == [["P1", f"a{delimiter}b", "Ulm"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_reads_marked_encodings_without_a_word(write: WriteFile, tmp_path: Path, encoding: str) -> None:
    read = _read(write("p.csv", f"{HEAD}\nP1,Käse & Söhne €,Sèvres\n".encode(encoding)), tmp_path)
    assert not read.findings
    assert _table(read) == [["P1", "Käse & Söhne €", "Sèvres"]]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_reads_latin_1_with_a_warning_that_names_the_line(write: WriteFile, tmp_path: Path, encoding: str) -> None:
    read = _read(write("p.csv", f"{HEAD}\nP0,x,y\nP1,Käse,Sèvres\n".encode(encoding)), tmp_path)
    assert [(f.row, f.code, f.severity) for f in read.findings] == [(3, "encoding_assumed", "warning")]
    assert _table(read) == [["P0", "x", "y"], ["P1", "Käse", "Sèvres"]]


def test_utf_16_without_a_mark_is_read(write: WriteFile, tmp_path: Path) -> None:
    read = _read(write("p.csv", f"{HEAD}\nP1,x,y\n".encode("utf-16-le")), tmp_path)
    assert _table(read) == [["P1", "x", "y"]]


def test_a_mark_that_lies_is_an_error(write: WriteFile, tmp_path: Path) -> None:
    read = _read(write("p.csv", b"\xef\xbb\xbf" + f"{HEAD}\nP1,K\xe4se,x\n".encode("latin-1")), tmp_path)
    assert [(f.row, f.code) for f in read.findings] == [(2, "wrong_encoding")]
    assert read.table is None


def test_quoted_line_breaks_stay_in_the_value_and_rows_are_counted_as_records(write: WriteFile, tmp_path: Path) -> None:
    read = _read(write("p.csv", f'{HEAD}\nP1,"two\nlines",Ulm\n\nP2,x\nP3,"say ""hi""",Ulm\n'), tmp_path)
    assert [(f.row, f.code) for f in read.findings] == [(4, "ragged_row")]
    assert _table(read) == [["P1", "two\nlines", "Ulm"], ["P3", 'say "hi"', "Ulm"]]


def test_row_numbers_hold_over_many_blocks(write: WriteFile, tmp_path: Path) -> None:
    rows = [f"P{i},{'n' * 40},c" for i in range(60_000)]
    rows[30_000] = "P30000,x"
    rows[59_998] = "P59998,x,y,z"
    read = _read(
        write(
            "p.csv",
            "\n".join([HEAD + ",valid_from", *(f"{row},2026-01-01" for row in rows), "P1,n,c,2026-01-01", "Q,n,c,x"]),
        ),
        tmp_path,
    )
    assert [(f.row, f.code) for f in read.findings] == [
        (30_002, "ragged_row"),
        (60_000, "ragged_row"),
        (60_002, "overlapping_validity"),
        (60_003, "bad_date"),
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n  \n", "empty_file"),
        (b"\xef\xbb\xbf", "empty_file"),
        (b"partner_id,name\n", "no_rows"),
        (b"partner_id,name", "no_rows"),
        (b"partner_id,Name,name\nP1,a,b\n", "duplicate_column"),
        (b"name,city\nx,y\n", "missing_column"),
        (b"partner_id,name\n\0\0\0,x\n", "binary_file"),
        (b"PK\x03\x04 no archive", "unsupported_file"),
        (b"PAR1 cut", "unreadable_file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "unsupported_file"),
        (gzip.compress(b"partner_id,name\nP1,x\n" * 999, mtime=0)[:-20], "unreadable_file"),
        (b"partner_id,name\nP1," + b"x" * 3_000_000 + b"\nP2,y\n", "record_too_long"),
        (b"x" * 3_000_000, "record_too_long"),
        (b'partner_id,name\nP1,"x\n' + b"P2,y\n" * 600_000, "record_too_long"),
        (b'partner_id,name\nP1,"x\nP2,y\n', "unclosed_quote"),
        (b'partner_id,name\nP1,"x,\nP2,y\nP3', "unclosed_quote"),
    ],
)
def test_what_is_no_table_is_one_finding(write: WriteFile, tmp_path: Path, content: bytes, code: str) -> None:
    read = _read(write("p.csv", content), tmp_path)
    assert [f.code for f in read.findings] == [code]
    assert read.loaded == 0


def test_a_quote_that_swallows_a_delimiter_is_said_in_the_ragged_row(write: WriteFile, tmp_path: Path) -> None:
    read = _read(write("p.csv", f'{HEAD}\nP1,"x,y\nP2,x,y"\nP3,x,y\n'), tmp_path)
    assert [(f.row, f.code) for f in read.findings] == [(2, "ragged_row")]
    assert "quote" in read.findings[0].message
    assert _table(read) == [["P3", "x", "y"]]


def test_a_damaged_workbook_is_one_finding(write: WriteFile, tmp_path: Path) -> None:
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", "<broken")
    read = _read(write("p.xlsx", buffer.getvalue()), tmp_path)
    assert [f.code for f in read.findings] == ["unreadable_file"]


def test_a_delimiter_at_each_line_end_is_no_column(write: WriteFile, tmp_path: Path) -> None:
    read = _read(write("p.csv", "partner_id,name,\nP1,x,\nP2,y,\n"), tmp_path)
    assert not read.findings
    assert read.table is not None
    assert read.table.column_names == ["partner_id", "name"]
