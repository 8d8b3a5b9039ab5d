"""A distributor sends a month again: only what changed is written, as reversals and new lines, and it adds up."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from headrace.engine.findings import Refusal
from headrace.intake.report import FileReport

from .desk import PROFILE, Desk, codes, counts

APRIL = (dt.date(2026, 4, 1), dt.date(2026, 5, 1))
REPLACE = PROFILE + 'mode: {kind: replace, shrinkage_max: "0.5"}\n'
CHANGES = PROFILE + "mode: changes\n"
FIRST = ("A1;1;03.04.2026;P1;X;1;10", "A1;2;03.04.2026;P1;Y;2;20", "A2;1;04.04.2026;P1;X;3;30")


def _replace(desk: Desk, *rows: str, **asked: Any) -> FileReport:
    return desk.load(REPLACE, *rows, **{"period": APRIL, **asked})


def _compared(report: FileReport) -> tuple[int, int, int, int]:
    assert report.comparison is not None
    c = report.comparison
    return c.unchanged, c.changed, c.new, c.gone


def _net(desk: Desk) -> Decimal:
    return sum((amount for _, _, amount in desk.lines()), Decimal(0))


def test_a_replacement_writes_only_reversals_and_new_lines(desk: Desk) -> None:
    assert counts(_replace(desk, *FIRST)) == (3, 3, 0, 0, 0)
    # A1:1 stays, A1:2 now costs 25, A2:1 is gone, A3:1 is new.
    report = _replace(desk, FIRST[0], "A1;2;03.04.2026;P1;Y;2;25", "A3;1;05.04.2026;P2;X;1;7")
    assert _compared(report) == (1, 1, 1, 1)
    assert counts(report) == (3, 2, 0, 0, 1)
    assert report.reversed_lines == 2
    assert report.comparison is not None
    assert report.comparison.standing.amounts == {"EUR": Decimal(60)}
    assert desk.lines("line_id, kind, occurred_on, quantity, amount, original_line_id") == [
        ("shop:A1:1", "sale", dt.date(2026, 4, 3), 1, 10, None),
        ("shop:A1:2", "sale", dt.date(2026, 4, 3), 2, 20, None),
        ("shop:A1:2~r", "return", dt.date(2026, 4, 3), -2, -20, "shop:A1:2"),
        ("shop:A1:2~v2", "sale", dt.date(2026, 4, 3), 2, 25, None),
        ("shop:A2:1", "sale", dt.date(2026, 4, 4), 3, 30, None),
        ("shop:A2:1~r", "return", dt.date(2026, 4, 4), -3, -30, "shop:A2:1"),
        ("shop:A3:1", "sale", dt.date(2026, 4, 5), 1, 7, None),
    ]
    assert _net(desk) == 42


def test_the_same_month_again_changes_nothing(desk: Desk) -> None:
    _replace(desk, *FIRST)
    before = desk.lines()
    report = _replace(desk, *reversed(FIRST))
    assert report.status == "nothing_new"
    assert counts(report) == (3, 0, 0, 0, 3)
    assert desk.lines() == before


def test_a_line_that_comes_and_goes_gets_a_new_version_each_time(desk: Desk) -> None:
    _replace(desk, *FIRST)
    _replace(desk, *FIRST[1:])
    report = _replace(desk, *FIRST)
    assert _compared(report) == (2, 0, 1, 0)
    _replace(desk, *FIRST[1:])
    _replace(desk, *FIRST)
    ids = [line for line, _, _ in desk.lines() if line.startswith("shop:A1:1")]
    assert ids == ["shop:A1:1", "shop:A1:1~r", "shop:A1:1~v2", "shop:A1:1~v2~r", "shop:A1:1~v3"]
    assert _net(desk) == 60


def test_a_large_shrinkage_asks_and_changes_nothing_until_confirmed(desk: Desk) -> None:
    _replace(desk, *FIRST)
    before = desk.lines()
    with pytest.raises(Refusal, match="2 of the 3 lines"):
        _replace(desk, FIRST[0])
    assert desk.lines() == before
    assert _compared(_replace(desk, FIRST[0], dry_run=True)) == (1, 0, 0, 2)
    assert _compared(_replace(desk, FIRST[0], shrinkage_confirmed=True)) == (1, 0, 0, 2)
    assert _net(desk) == 10


def test_rows_outside_the_period_are_rejected_and_lines_outside_it_stay(desk: Desk) -> None:
    desk.load(PROFILE, "A9;1;31.03.2026;P1;X;1;1")
    report = _replace(desk, *FIRST, "A8;1;01.05.2026;P1;X;1;1")
    assert codes(report) == [(5, "occurred_on", "outside_period")]
    assert _compared(report) == (0, 0, 3, 0)
    assert _net(desk) == 61


def test_a_line_that_moved_into_the_period_from_outside_is_rejected(desk: Desk) -> None:
    desk.load(PROFILE, "A1;1;31.03.2026;P1;X;1;10")
    report = _replace(desk, *FIRST)
    assert codes(report) == [(2, None, "already_loaded")]
    assert "2026-03-31" in report.findings[0].message
    assert _net(desk) == 60


def test_another_reporter_stays_untouched(desk: Desk) -> None:
    other = PROFILE.replace("R1", "R2").replace("source: shop", "source: other")
    desk.load(other, *FIRST)
    _replace(desk, *FIRST)
    report = _replace(desk, *FIRST[:2])
    assert _compared(report) == (2, 0, 0, 1)
    assert _net(desk) == 90


def test_a_replacement_needs_its_period(desk: Desk) -> None:
    with pytest.raises(Refusal):
        desk.load(REPLACE, *FIRST)


def test_a_rejected_row_of_a_replacement_does_not_take_its_line_away(desk: Desk) -> None:
    _replace(desk, *FIRST)
    report = _replace(desk, FIRST[0], FIRST[1], "A2;1;04.04.2026;P1;X;3;x")
    assert [code for _, _, code in codes(report)] == ["bad_number"]
    assert _compared(report) == (2, 0, 0, 0)
    assert _net(desk) == 60


@pytest.mark.parametrize("unknown", ["A2;1;04.04.2026", ";1;04.04.2026;P1;X;3;30"])
def test_a_replacement_with_rows_that_cannot_be_told_changes_nothing(desk: Desk, unknown: str) -> None:
    _replace(desk, *FIRST)
    before = desk.lines()
    report = _replace(desk, FIRST[0], "A1;2;03.04.2026;P1;Y;2;25", unknown)
    assert "replacement_incomplete" in {code for _, _, code in codes(report)}
    assert counts(report) == (3, 0, 1, 2, 0)
    assert desk.lines() == before


def test_changes_correct_the_lines_that_the_file_names_and_no_others(desk: Desk) -> None:
    desk.load(CHANGES, *FIRST)
    report = desk.load(CHANGES, FIRST[0], "A2;1;05.05.2026;P1;X;3;31", "A7;1;04.04.2026;P1;X;1;5")
    assert _compared(report) == (1, 1, 1, 0)
    assert counts(report) == (3, 2, 0, 0, 1)
    assert desk.lines("line_id, occurred_on, amount")[2:] == [
        ("shop:A2:1", dt.date(2026, 4, 4), 30),
        ("shop:A2:1~r", dt.date(2026, 4, 4), -30),
        ("shop:A2:1~v2", dt.date(2026, 5, 5), 31),
        ("shop:A7:1", dt.date(2026, 4, 4), 5),
    ]


def test_a_correction_takes_back_every_amount_of_the_line(desk: Desk) -> None:
    profile = CHANGES.replace("  kind:", "  cost: Kosten\n  gross_amount: Brutto\n  region: Region\n  kind:")
    head = "Rechnung;Position;Datum;Händler;Artikel;Menge;Betrag;Kosten;Brutto;Region"
    desk.load(profile, "A1;1;03.04.2026;P1;X;3;10;7,5;12;Nord", head=head)
    desk.load(profile, "A1;1;03.04.2026;P1;X;3;10;7,5;12;Süd", head=head)
    columns = "kind, quantity, amount, cost, gross_amount, region"
    assert desk.lines(columns) == [
        ("sale", 3, 10, Decimal("7.5"), 12, "Nord"),
        ("return", -3, -10, Decimal("-7.5"), -12, "Nord"),
        ("sale", 3, 10, Decimal("7.5"), 12, "Süd"),
    ]


def test_what_no_line_can_cancel_is_held(desk: Desk) -> None:
    profile = CHANGES.replace("{constant: sale}", "{constant: training}")
    desk.load(profile, "A1;1;03.04.2026;P1;X;1;0")
    report = desk.load(profile, "A1;1;04.04.2026;P1;X;1;0")
    assert codes(report) == [(2, None, "cannot_reverse")]
    assert counts(report) == (1, 0, 0, 1, 0)
    assert len(desk.lines()) == 1


def test_identities_that_look_like_corrections_are_refused(desk: Desk) -> None:
    profile = PROFILE.replace("  kind:", "  line_id: Rechnung\n  kind:")
    report = desk.load(
        profile, "A1~r;1;03.04.2026;P1;X;1;1", "A1~v2;1;03.04.2026;P1;X;1;1", "A1~x;1;03.04.2026;P1;X;1;1"
    )
    assert [(row, code) for row, _, code in codes(report)] == [(2, "reserved_line_id"), (3, "reserved_line_id")]
    assert [line for line, _, _ in desk.lines()] == ["A1~x"]
