"""What did not load goes to a file of rejects; a person repairs or releases it, and the same profile loads it."""

import csv
import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from headrace.intake.report import FileReport

from .desk import HEAD, PROFILE, Desk, codes, counts

SUSPECTS = PROFILE + "suspects: [occurred_on, partner_id, product_id, quantity, amount]\n"
COLUMNS = ["_row", "_outcome", "_reasons", "_line_id", "_release"]


def rows_of(path: Path, delimiter: str = ";", encoding: str = "utf-8") -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def write(path: Path, rows: list[list[str]], delimiter: str = ";", encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def rejects_of(report: FileReport) -> Path:
    assert report.rejects is not None
    return report.rejects


def marked(report: FileReport, *marks: str, delimiter: str = ";") -> Path:
    """Write what a reviewer says under _release of each row, in their order."""
    path = rejects_of(report)
    head, *rows = rows_of(path, delimiter)
    place = head.index("_release")
    for row, mark in zip(rows, marks, strict=True):
        row[place] = mark
    return write(path.with_name(f"reviewed-{path.name}"), [head, *rows], delimiter)


def test_a_held_row_is_loaded_when_a_reviewer_says_yes(desk: Desk) -> None:
    report = desk.load(SUSPECTS, *(f"A{n};1;03.04.2026;P1;X;1;1" for n in (1, 2, 3)))
    assert counts(report) == (3, 1, 0, 2, 0)
    reviewed = marked(report, "Yes ", "")
    released = desk.load_file(SUSPECTS, reviewed, release=True)
    assert set(codes(released)) == {(2, None, "suspected_duplicate"), (3, None, "suspected_duplicate")}
    assert released.findings[0].message.endswith(" The row was released.")
    assert counts(released) == (2, 1, 0, 1, 0)
    assert [line[0] for line in desk.lines()] == ["shop:A1:1", "shop:A2:1"]
    again = desk.load_file(SUSPECTS, reviewed, release=True)
    assert counts(again) == (2, 0, 0, 1, 1)
    assert [line[0] for line in desk.lines()] == ["shop:A1:1", "shop:A2:1"]


def test_what_is_marked_stays_held_until_release_is_asked_for(desk: Desk) -> None:
    report = desk.load(SUSPECTS, "A1;1;03.04.2026;P1;X;1;1", "A2;1;03.04.2026;P1;X;1;1")
    again = desk.load_file(SUSPECTS, marked(report, "yes"))
    assert "release_not_asked" in {finding.code for finding in again.findings}
    assert counts(again) == (1, 0, 0, 1, 0)


def test_a_mark_that_is_not_yes_loads_nothing(desk: Desk) -> None:
    report = desk.load(SUSPECTS, "A1;1;03.04.2026;P1;X;1;1", "A2;1;03.04.2026;P1;X;1;1")
    again = desk.load_file(SUSPECTS, marked(report, "maybe"), release=True)
    assert (2, "_release", "unclear_release") in codes(again)
    assert counts(again) == (1, 0, 1, 0, 0)


def test_release_is_refused_for_a_file_that_is_none_of_rejects(desk: Desk) -> None:
    report = desk.load(SUSPECTS, "A1;1;03.04.2026;P1;X;1;1", release=True)
    assert (report.status, codes(report)) == ("refused", [(1, None, "nothing_to_release")])
    assert desk.lines() == []


def test_equal_rows_keep_their_numbers_when_they_are_released_one_by_one(desk: Desk) -> None:
    profile = PROFILE + "duplicates: hold\n"
    report = desk.load(profile, *["A1;1;03.04.2026;P1;X;1;1"] * 3)
    assert counts(report) == (3, 1, 0, 2, 0)
    assert counts(desk.load_file(profile, marked(report, "", "yes"), release=True)) == (2, 1, 1, 0, 0)
    assert [line[0] for line in desk.lines()] == ["shop:A1:1", "shop:A1:1#3"]
    assert counts(desk.load_file(profile, marked(report, "yes", "yes"), release=True)) == (2, 1, 1, 0, 0)
    assert [line[0] for line in desk.lines()] == ["shop:A1:1", "shop:A1:1#2", "shop:A1:1#3"]


def test_a_release_does_not_excuse_a_fault(desk: Desk) -> None:
    profile = PROFILE + (
        "rows:\n  - {when: [{column: Menge, above: 100}], do: hold, code: too_many, because: more than a pallet}\n"
    )
    report = desk.load(profile, "A1;1;03.04.2026;P1;X;101;1", "A1;2;03.04.2026;P1;X;102;x")
    assert counts(report) == (2, 0, 1, 1, 0)
    released = desk.load_file(profile, marked(report, "yes", "yes"), release=True)
    assert counts(released) == (2, 1, 1, 0, 0)
    assert [line[0] for line in desk.lines()] == ["shop:A1:1"]


def test_two_rows_of_one_identity_cannot_both_be_released(desk: Desk) -> None:
    report = desk.load(PROFILE, "A1;1;03.04.2026;P1;X;1;1", "A1;1;03.04.2026;P1;X;1;2", "A1;1;03.04.2026;P1;X;1;3")
    assert counts(report) == (3, 1, 0, 2, 0)
    released = desk.load_file(PROFILE, marked(report, "yes", "yes"), release=True)
    assert counts(released)[:2] == (2, 0)
    assert [(line, amount) for line, _, amount in desk.lines()] == [("shop:A1:1", Decimal(1))]


def test_rejects_of_a_replacing_file_take_no_other_line_away(desk: Desk) -> None:
    profile = SUSPECTS + "mode: replace\n"
    april: dict[str, Any] = {"period": (dt.date(2026, 4, 1), dt.date(2026, 5, 1))}
    report = desk.load(profile, "A1;1;03.04.2026;P1;X;1;1", "A2;1;03.04.2026;P1;X;1;1", **april)
    assert counts(report) == (2, 1, 0, 1, 0)
    released = desk.load_file(profile, marked(report, "yes"), release=True, **april)
    assert (counts(released), released.reversed_lines) == ((1, 1, 0, 0, 0), 0)
    assert [line[0] for line in desk.lines()] == ["shop:A1:1", "shop:A2:1"]


@pytest.mark.parametrize(
    ("form", "delimiter", "encoding"),
    [
        ("", ";", "utf-8"),
        ("file: {delimiter: '|', encoding: cp1252}\n", "|", "cp1252"),
        ('file: {delimiter: "\\t", encoding: utf-16}\n', "\t", "utf-16"),
        ("file: {delimiter: ';', encoding: latin-1, header_row: 3}\n", ";", "latin-1"),
    ],
)
def test_rejects_are_written_as_the_profile_reads_them(desk: Desk, form: str, delimiter: str, encoding: str) -> None:
    before = [["Export"], []] if "header_row" in form else []
    rows = [
        HEAD.split(";"),
        ["A1", "1", "03.04.2026", "Ö;|\t,1", "X", "1", "x"],
        ["A1", "2", "03.04.2026", "P1", "X", "1", "2,5"],
    ]
    path = write(desk.folder / "sent.csv", [*before, *rows], delimiter, encoding)
    report = desk.load_file(PROFILE + form, path)
    assert counts(report) == (2, 1, 1, 0, 0)
    head, rejected = rows_of(rejects_of(report), delimiter, encoding)
    assert head == [*COLUMNS, *HEAD.split(";")]
    assert rejected == [str(len(before) + 2), "rejected", "Betrag: bad_number", "shop:A1:1", "", *rows[1]]
    repaired = write(desk.folder / "back.csv", [head, [*rejected[:-1], "1,25"]], delimiter, encoding)
    assert counts(desk.load_file(PROFILE + form, repaired)) == (1, 1, 0, 0, 0)
    assert desk.lines("partner_id, amount") == [("Ö;|\t,1", Decimal("1.25")), ("P1", Decimal("2.5"))]


def test_a_row_with_a_wrong_number_of_columns_is_among_the_rejects(desk: Desk) -> None:
    report = desk.load(
        PROFILE, "A1;1;03.04.2026;P1;X;1", "A1;2;03.04.2026;P1;X;1;x", "A1;3;03.04.2026;P1;X;1;5;;9", "A1;4;03.04.2026;P1;X;1;4"
    )  # fmt: skip
    assert counts(report) == (4, 1, 3, 0, 0)
    head, *rows = rows_of(rejects_of(report))
    assert [(row[0], row[2], row[5:]) for row in rows] == [
        ("3", "Betrag: bad_number", ["A1", "2", "03.04.2026", "P1", "X", "1", "x"]),
        ("2", "ragged_row", ["A1", "1", "03.04.2026", "P1", "X", "1"]),
        ("4", "ragged_row", ["A1", "3", "03.04.2026", "P1", "X", "1", "5", "", "9"]),
    ]
    unrepaired = desk.load_file(PROFILE, rejects_of(report))
    assert counts(unrepaired) == (3, 0, 3, 0, 0)
    assert sorted(row[5:] for row in rows_of(rejects_of(unrepaired))[1:]) == sorted(row[5:] for row in rows)
    fixed = [[*rows[0][:-1], "2"], [*rows[1], "1"], rows[2][:-2]]
    assert counts(desk.load_file(PROFILE, write(desk.folder / "back.csv", [head, *fixed]))) == (3, 3, 0, 0, 0)
    assert [(line, amount) for line, _, amount in desk.lines()] == [
        ("shop:A1:1", 1), ("shop:A1:2", 2), ("shop:A1:3", 5), ("shop:A1:4", 4),
    ]  # fmt: skip


def test_a_row_of_a_sheet_that_goes_past_the_last_column_is_counted_and_among_the_rejects(desk: Desk) -> None:
    path = desk.folder / "shop.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, HEAD.split(";"))
        sheet.write_row(1, 0, ["A1", 1, "03.04.2026", "P1", "X", 1.5, 2, "why?"])
        sheet.write_row(2, 0, ["A1", 2, "03.04.2026", "P1", "X", 1, 0.5])
    report = desk.load_file(PROFILE, path)
    assert counts(report) == (2, 1, 1, 0, 0)
    head, row = rows_of(rejects_of(report), ",")
    assert row == ["2", "rejected", "ragged_row", "", "", "A1", "1", "03.04.2026", "P1", "X", "1,5", "2", "why?"]
    assert counts(desk.load_file(PROFILE, write(desk.folder / "back.csv", [head, row[:-1]], ","))) == (1, 1, 0, 0, 0)
    assert desk.lines("quantity, amount") == [(Decimal("1.5"), 2), (1, Decimal("0.5"))]


def test_numbers_of_a_typed_file_come_back_in_the_notation_of_the_profile(desk: Desk) -> None:
    path = desk.folder / "shop.parquet"
    rows = {
        "Rechnung": ["A1", "A2"],
        "Position": [1, 1],
        "Datum": [dt.date(2026, 4, 3), dt.date(1960, 1, 1)],
        "Händler": ["P1", "P1"],
        "Artikel": ["X", "X"],
        "Menge": [1.5, 1234.25],
        "Betrag": pa.array([Decimal("2.5"), Decimal("1234.5")], pa.decimal128(18, 6)),
    }
    pq.write_table(pa.table(rows), path)
    report = desk.load_file(PROFILE, path)
    assert counts(report) == (2, 1, 1, 0, 0)
    head, row = rows_of(rejects_of(report), ",")
    row[head.index("Datum")] = "04.04.2026"
    assert counts(desk.load_file(PROFILE, write(desk.folder / "back.csv", [head, row], ","))) == (1, 1, 0, 0, 0)
    assert desk.lines("quantity, amount") == [(Decimal("1.5"), Decimal("2.5")), (Decimal("1234.25"), Decimal("1234.5"))]
