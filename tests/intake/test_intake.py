"""Loading files through a profile into a lake: every row ends loaded, rejected, held or unchanged, and the money adds up."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import xlsxwriter

from headrace.engine.findings import Refusal
from headrace.intake.profile import ControlTotals
from headrace.lake.store import Lake

from .desk import DAY, HEAD, PROFILE, Desk, close, codes, counts


def test_reads_a_source_in_its_own_words_and_notation(desk: Desk) -> None:
    report = desk.load(PROFILE, "A1;1;03.04.2026;P1;X;1.000;1.234,56", "A1;2;3/4/2026;P1;Y;-2;-0,5")
    assert codes(report) == [(3, None, "negative_sale")]
    assert report.status == "loaded"
    assert report.batch_seq == 1
    assert desk.lines(
        "line_id, occurred_on, partner_id, product_id, quantity, amount, currency, stage, received_on"
    ) == [
        ("shop:A1:1", dt.date(2026, 4, 3), "P1", "X", Decimal(1000), Decimal("1234.56"), "EUR", "sell_through", DAY),
        ("shop:A1:2", dt.date(2026, 4, 3), "P1", "Y", Decimal(-2), Decimal("-0.5"), "EUR", "sell_through", DAY),
    ]
    assert report.loaded.amounts == {"EUR": Decimal("1234.06")}


@pytest.mark.parametrize(
    ("cell", "column", "code"),
    [
        ("A1;1;13.13.2026;P1;X;1;1", "Datum", "no_such_date"),
        ("A1;1;31.02.2026;P1;X;1;1", "Datum", "no_such_date"),
        ("A1;1;3.4.26;P1;X;1;1", "Datum", "bad_date"),
        ("A1;1;01.01.0001;P1;X;1;1", "Datum", "date_out_of_range"),
        ("A1;1;03.04.2026;P1;X;1.00;1", "Menge", "bad_number"),
        ("A1;1;03.04.2026;P1;X;1;1,234.56", "Betrag", "bad_number"),
        ("A1;1;03.04.2026;P1;X;1;", "Betrag", "missing_value"),
        (";1;03.04.2026;P1;X;1;1", None, "missing_key"),
        ("A1;1;03.04.2026;P1;X;1", None, "ragged_row"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_reason_and_kept(
    desk: Desk, cell: str, column: str, code: str
) -> None:
    report = desk.load(PROFILE, cell, "A2;1;03.04.2026;P1;X;1;1")
    assert codes(report) == [(2, column, code)]
    assert counts(report) == (2, 1, 1, 0, 0)
    assert [line[0] for line in desk.lines()] == ["shop:A2:1"]


def test_rejects_can_be_repaired_and_sent_again(desk: Desk) -> None:
    report = desk.load(PROFILE, "A1;1;03.04.2026;P1;X;1;x", "A1;2;03.04.2026;P1;Ä;1;5", "A1;3;03.04.2026;P1;X;y;2,5")
    assert report.rejects is not None
    text = report.rejects.read_text("utf-8")
    assert text.splitlines()[0] == f"_row;_outcome;_reasons;_line_id;_release;{HEAD}"
    assert "Betrag: bad_number" in text
    repaired = desk.folder / "repaired.csv"
    repaired.write_text(text.replace(";x\n", ";1,25\n").replace(";y;", ";2;"), "utf-8")
    again = desk.load_file(PROFILE, repaired)
    assert counts(again) == (2, 2, 0, 0, 0)
    assert [(line, amount) for line, _, amount in desk.lines()] == [
        ("shop:A1:1", Decimal("1.25")),
        ("shop:A1:2", Decimal(5)),
        ("shop:A1:3", Decimal("2.5")),
    ]


def test_the_same_file_again_adds_nothing(desk: Desk) -> None:
    rows = ("A1;1;03.04.2026;P1;X;1;1", "A1;2;03.04.2026;P1;X;1;1")
    desk.load(PROFILE, *rows)
    before = desk.lines()
    report = desk.load(PROFILE, *rows)
    assert report.status == "nothing_new"
    assert counts(report) == (2, 0, 0, 0, 2)
    assert desk.lines() == before


def test_a_line_that_was_loaded_before_is_rejected_and_the_new_ones_load(desk: Desk) -> None:
    desk.load(PROFILE, "A1;1;03.04.2026;P1;X;1;1")
    for dry_run in (True, False):
        report = desk.load(PROFILE, "A1;1;03.04.2026;P1;X;1;9", "A1;2;03.04.2026;P1;X;1;2", dry_run=dry_run)
        assert codes(report) == [(2, None, "already_loaded")]
        assert counts(report) == (2, 1, 1, 0, 0)
    assert [line[0::2] for line in desk.lines()] == [("shop:A1:1", Decimal(1)), ("shop:A1:2", Decimal(2))]


def test_a_dry_run_reports_the_same_and_adds_nothing(desk: Desk) -> None:
    report = desk.load(PROFILE, "A1;1;03.04.2026;P1;X;1;1", "A1;2;03.04.2026;P1;X;1;x", dry_run=True)
    assert report.status == "checked"
    assert counts(report) == (2, 1, 1, 0, 0)
    assert desk.lines() == []


@pytest.mark.parametrize(
    ("policy", "expected", "ids"),
    [
        ("load", (3, 3, 0, 0, 0), ["shop:A1:1", "shop:A1:1#2", "shop:A1:1#3"]),
        ("hold", (3, 1, 0, 2, 0), ["shop:A1:1"]),
        ("reject", (3, 1, 2, 0, 0), ["shop:A1:1"]),
    ],
)
def test_equal_rows_of_a_file_follow_the_profile(
    desk: Desk, policy: str, expected: tuple[int, ...], ids: list[str]
) -> None:
    report = desk.load(f"{PROFILE}duplicates: {policy}\n", *["A1;1;03.04.2026;P1;X;1;1"] * 3)
    assert [code for _, _, code in codes(report)] == ["equal_row", "equal_row"]
    assert counts(report) == expected
    assert [line[0] for line in desk.lines()] == ids


def test_one_key_with_other_values_is_held_not_dropped(desk: Desk) -> None:
    report = desk.load(PROFILE, "A1;1;03.04.2026;P1;X;1;1", "A1;1;03.04.2026;P1;X;1;2")
    assert codes(report) == [(3, None, "duplicate_line_id")]
    assert counts(report) == (2, 1, 0, 1, 0)


def test_keys_that_hold_the_separator_stay_apart(desk: Desk) -> None:
    desk.load(PROFILE, "A:1;2;03.04.2026;P1;X;1;1", "A;1:2;03.04.2026;P1;X;1;1", "A#;~v2;03.04.2026;P1;X;1;1")
    assert [line[0] for line in desk.lines()] == ["shop:A%23:%7Ev2", "shop:A%3A1:2", "shop:A:1%3A2"]


def test_content_tells_lines_apart_where_there_is_no_line_number(desk: Desk) -> None:
    profile = PROFILE.replace("{columns: [Rechnung, Position]}", "{columns: [Rechnung], content: true}")
    report = desk.load(profile, "A1;1;03.04.2026;P1;X;1;1", "A1;2;03.04.2026;P1;Y;1;1", "A1;3;03.04.2026;P1;X;1;1")
    # Position is read by nothing in this profile: rows 2 and 4 are equal.
    assert codes(report) == [(4, None, "equal_row")]
    ids = [line[0] for line in desk.lines()]
    assert len(ids) == 3
    assert sum(line.endswith("#2") for line in ids) == 1
    assert counts(desk.load(profile, "A1;9;03.04.2026;P1;Y;1;1")) == (1, 0, 0, 0, 1)


def test_kinds_and_signs_of_returns(desk: Desk) -> None:
    profile = PROFILE.replace("  kind: {constant: sale}\n", "") + (
        'returns: positive_in_source\nkinds:\n  - {when: [{column: Rechnung, matches: "^G"}], kind: return}\n'
    )
    desk.load(profile, "G1;1;03.04.2026;P1;X;2;10", "A1;1;03.04.2026;P1;X;2;10")
    assert desk.lines("line_id, kind, quantity, amount") == [
        ("shop:A1:1", "sale", Decimal(2), Decimal(10)),
        ("shop:G1:1", "return", Decimal(-2), Decimal(-10)),
    ]
    wrong = profile.replace("positive_in_source", "negative_in_source")
    assert codes(desk.load(wrong, "G2;1;03.04.2026;P1;X;2;10")) == [(2, None, "return_not_negative")]


def test_rows_that_meet_a_rule_are_held_with_the_reason_of_the_profile(desk: Desk) -> None:
    profile = PROFILE + (
        "rows:\n  -"
        " {when: [{column: Artikel, in: [PORTO]}, {column: Betrag, above: 5}], do: hold, code: fee, because: Postage.}\n"
    )
    report = desk.load(profile, "A1;1;03.04.2026;P1;PORTO;1;5,01", "A1;2;03.04.2026;P1;PORTO;1;5")
    assert codes(report) == [(2, "Artikel", "fee")]
    assert report.findings[0].message.startswith("Postage.")
    assert counts(report) == (2, 1, 0, 1, 0)


def test_value_maps_refuse_what_they_do_not_name(desk: Desk) -> None:
    profile = PROFILE.replace("product_id: Artikel", "product_id: {column: Artikel, values: {x: X-100}, case: lower}")
    report = desk.load(profile, "A1;1;03.04.2026;P1;X;1;5", "A1;2;03.04.2026;P1;z;1;5")
    assert codes(report) == [(3, "Artikel", "unmapped_value")]
    assert desk.lines("line_id, product_id") == [("shop:A1:1", "X-100")]


def test_control_totals_that_differ_load_nothing(desk: Desk) -> None:
    rows = ("A1;1;03.04.2026;P1;X;1;1,10", "A1;2;03.04.2026;P1;X;2;2,20")
    wrong = ControlTotals(rows=2, quantity=Decimal(3), amount=Decimal("3.31"))
    report = desk.load(PROFILE, *rows, expected=wrong)
    assert [code for _, _, code in codes(report)] == ["control_total_differs", "file_held", "file_held"]
    assert counts(report) == (2, 0, 0, 2, 0)
    assert desk.lines() == []
    right = ControlTotals(rows=2, quantity=Decimal(3), amount=Decimal("3.30"))
    report = desk.load(PROFILE, *rows, expected=right)
    assert counts(report) == (2, 2, 0, 0, 0)
    assert report.control_totals == {
        "rows": (Decimal(2), Decimal(2)),
        "quantity": (Decimal(3), Decimal(3)),
        "amount": (Decimal("3.3"), Decimal("3.3")),
    }


def test_units_become_base_units_exactly(desk: Desk) -> None:
    profile = PROFILE.replace("  kind:", "  unit: Einheit\n  unit_price: Preis\n  kind:") + (
        "units:\n  base: EA\n  factors: {CS: 12, HALF: 0.5}\n  per_product: {Y: {CS: 24}}\n"
    )
    head = HEAD + ";Einheit;Preis"
    report = desk.load(
        profile,
        "A1;1;03.04.2026;P1;X;2;24;CS;10",
        "A1;2;03.04.2026;P1;Y;2;24;CS;12",
        "A1;3;03.04.2026;P1;X;3;1;EA;1",
        "A1;4;03.04.2026;P1;X;3;1;HALF;1",
        "A1;5;03.04.2026;P1;X;3;1;PAL;1",
        head=head,
    )
    assert codes(report) == [(6, "unit", "unknown_unit")]
    # 10 ÷ 12 = 0.8333333…, rounded to six decimals; 12 ÷ 24 = 0.5; 1 ÷ 0.5 = 2.
    assert desk.lines("quantity, unit, unit_price") == [
        (Decimal(24), "EA", Decimal("0.833333")),
        (Decimal(48), "EA", Decimal("0.5")),
        (Decimal(3), "EA", Decimal(1)),
        (Decimal("1.5"), "EA", Decimal(2)),
    ]


def test_products_of_two_fields_are_exact(desk: Desk) -> None:
    profile = PROFILE.replace("amount: Betrag", "unit_price: Betrag\n  amount: {multiply: [quantity, unit_price]}")
    report = desk.load(
        profile, "A1;1;03.04.2026;P1;X;3;0,1", "A1;2;03.04.2026;P1;X;999999999;999999999", "A1;3;03.04.2026;P1;X;3;"
    )
    assert [(row, code) for row, _, code in codes(report)] == [(3, "number_out_of_range"), (4, "missing_value")]
    assert [amount for _, _, amount in desk.lines()] == [Decimal("0.3")]


def test_an_unknown_partner_loads_with_one_warning_unless_required(desk: Desk) -> None:
    partners = pa.table({"partner_id": ["P1"]})
    rows = ("A1;1;03.04.2026;P1;X;1;1", "A1;2;03.04.2026;P9;X;1;1", "A1;3;03.04.2026;P9;X;1;1")
    report = desk.load(PROFILE, *rows, references={"partners": partners}, dry_run=True)
    assert codes(report) == [(3, "partner_id", "unknown_partner")]
    assert "2 rows" in report.findings[-1].message
    assert counts(report) == (3, 3, 0, 0, 0)
    report = desk.load(f"{PROFILE}require_known: [partner]\n", *rows, references={"partners": partners})
    assert codes(report) == [(3, "partner_id", "unknown_partner"), (4, "partner_id", "unknown_partner")]
    assert counts(report) == (3, 1, 2, 0, 0)


def test_prices_are_compared_with_the_price_list_of_the_day(desk: Desk) -> None:
    products = pa.table(
        {
            "product_id": ["X", "X", "Y"],
            "valid_from": pa.array([None, dt.date(2026, 4, 1), None], pa.date32()),
            "valid_until": pa.array([dt.date(2026, 4, 1), None, None], pa.date32()),
            "dealer_price": [Decimal("10.00"), Decimal("20.00"), None],
        }
    )
    profile = PROFILE + 'price: {list_price: dealer_price, at_least: "0.5", at_most: "1.1"}\n'
    report = desk.load(
        profile,
        "A1;1;31.03.2026;P1;X;2;22,00",
        "A1;2;31.03.2026;P1;X;2;22,01",
        "A1;3;01.04.2026;P1;X;2;22,01",
        "A1;4;01.04.2026;P1;X;2;19,99",
        "A1;5;01.04.2026;P1;Y;2;999999",
        "A1;6;01.04.2026;P1;X;-2;-44",
        references={"products": products},
    )
    assert [(row, code) for row, _, code in codes(report) if code != "negative_sale"] == [
        (3, "implausible_price"),
        (5, "implausible_price"),
    ]


def test_a_file_with_too_many_faulty_rows_is_held_as_a_whole(desk: Desk) -> None:
    profile = PROFILE + 'quarantine_above: "0.5"\n'
    good, bad = "A{0};1;03.04.2026;P1;X;1;1", "A{0};1;03.04.2026;P1;X;1;x"
    report = desk.load(profile, good.format(1), bad.format(2))
    assert counts(report) == (2, 1, 1, 0, 0)
    report = desk.load(profile, good.format(3), bad.format(4), bad.format(5))
    assert counts(report) == (3, 0, 2, 1, 0)
    assert "file_quarantined" in {code for _, _, code in codes(report)}
    assert [line[0] for line in desk.lines()] == ["shop:A1:1"]


def test_suspected_duplicates_are_held_within_a_file_and_against_the_lake(desk: Desk) -> None:
    profile = PROFILE + "suspects: [occurred_on, partner_id, product_id, quantity, amount]\n"
    report = desk.load(profile, "A1;1;03.04.2026;P1;X;1;1", "A2;1;03.04.2026;P1;X;1;1")
    assert codes(report) == [(3, None, "suspected_duplicate")]
    assert counts(report) == (2, 1, 0, 1, 0)
    report = desk.load(profile, "A3;1;03.04.2026;P1;X;1;1", "A3;2;03.04.2026;P1;X;1;2")
    assert codes(report) == [(2, None, "suspected_duplicate")]
    assert "shop:A1:1" in report.findings[0].message


def test_one_serial_from_two_reporters_holds_both(desk: Desk) -> None:
    profile = PROFILE.replace("reporter_id: {constant: R1}", "reporter_id: Händler\n  serial_number: SN")
    head = HEAD + ";SN"
    report = desk.load(
        profile, "A1;1;03.04.2026;P1;X;1;1;S1", "A2;1;03.04.2026;P2;X;1;1;S1", "A3;1;03.04.2026;P1;X;1;1;S2", head=head
    )
    assert [(row, code) for row, _, code in codes(report)] == [
        (2, "serial_reported_twice"),
        (3, "serial_reported_twice"),
    ]
    report = desk.load(profile, "A4;1;03.04.2026;P2;X;1;1;S2", head=head)
    assert [(row, code) for row, _, code in codes(report)] == [(2, "serial_reported_twice")]
    assert "shop:A3:1" in report.findings[0].message


def test_personal_fields_are_kept_apart_from_the_lines(desk: Desk) -> None:
    profile = PROFILE.replace("  kind:", "  contact: Kontakt\n  kind:") + "personal: {contact_key: [contact]}\n"
    report = desk.load(profile, "A1;1;03.04.2026;P1;X;1;1;Erika Muster", head=HEAD + ";Kontakt")
    assert counts(report) == (1, 1, 0, 0, 0)
    columns = desk.lake.lines().columns
    assert "contact" not in columns
    assert desk.lake.people().column("value").to_pylist() == ["Erika Muster"]


def test_a_file_that_lacks_a_column_of_the_profile_is_refused_as_a_whole(desk: Desk) -> None:
    report = desk.load(PROFILE, "A1;1", head="Rechnung;Position")
    assert report.status == "refused"
    assert {f.code for f in report.findings} == {"missing_column"}
    assert counts(report) == (0, 0, 0, 0, 0)


def test_a_file_that_is_not_there_is_refused_before_anything_is_loaded(desk: Desk) -> None:
    with pytest.raises(Refusal):
        desk.load_file(PROFILE, desk.folder / "none.csv")


def test_a_report_is_json(desk: Desk) -> None:
    report = desk.load(PROFILE, "A1;1;03.04.2026;P1;X;1;1,5", "A1;2;03.04.2026;P1;X;1;x")
    document = json.loads(json.dumps(report.as_dict()))
    assert document["received"] == {"rows": 2, "quantity": "2.000000", "amounts": {"EUR": "1.500000"}}
    assert document["finding_counts"] == {"bad_number": 1}


def test_an_xlsx_of_a_comma_source_reads_number_cells_and_text_cells_alike(desk: Desk) -> None:
    path = desk.folder / "shop.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        sheet, day = workbook.add_worksheet(), workbook.add_format({"num_format": "dd.mm.yyyy"})
        sheet.write_row(0, 0, HEAD.split(";"))
        sheet.write_row(1, 0, ["A1", 1, "03.04.2026", "P1", "X", 1, "1.234,5"])
        sheet.write_row(2, 0, ["A1", 2, "", "P1", "X", 1, 1234.5])
        sheet.write_datetime(2, 2, dt.datetime(2026, 4, 3), day)  # noqa: DTZ001
    report = desk.load_file(PROFILE, path)
    assert codes(report) == []
    assert desk.lines("line_id, occurred_on, amount") == [
        ("shop:A1:1", dt.date(2026, 4, 3), Decimal("1234.5")),
        ("shop:A1:2", dt.date(2026, 4, 3), Decimal("1234.5")),
    ]


def test_the_file_in_two_parts_loads_what_the_whole_loads(desk: Desk, tmp_path: Path) -> None:
    rows = [f"A{i % 7};{i};0{1 + i % 9}.04.2026;P{i % 3};X;{i};{i},5" for i in range(40)]
    desk.load(PROFILE, *rows[25:])
    desk.load(PROFILE, *rows[:25])
    whole = Desk(tmp_path, Lake.create(tmp_path / "other"))
    whole.load(PROFILE, *rows)
    assert desk.lines() == whole.lines()
    close(whole.lake)


def test_written_files_are_removed_from_the_scratch_folder(desk: Desk) -> None:
    desk.load(PROFILE, "A1;1;03.04.2026;P1;X;1;1")
    assert list((desk.folder / "out").iterdir()) == []
