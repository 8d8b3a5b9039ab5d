"""Many files in one go come out as each would alone: what is kept between them saves time and changes nothing."""

from pathlib import Path

import pytest

from headrace.intake.load import Request, intake, load_files
from headrace.intake.profile import parse_profile
from headrace.intake.report import FileReport
from headrace.intake.store import LakeStore
from headrace.lake.store import Lake

from .desk import DAY, HEAD, PROFILE, Desk, close, codes, counts

SUSPECTS = PROFILE.replace("reporter_id: {constant: R1}", "reporter_id: Händler\n  serial_number: SN") + (
    "suspects: [occurred_on, partner_id, product_id, quantity, amount]\nduplicates: hold\n"
)
TWICE = "serial_reported_twice"
# Of each file: its rows, and which of them do not load, with the reason.
FILES = [
    (["A1;1;03.04.2026;P1;X;1;1;", "A1;2;03.05.2026;P1;Y;1;2;S1"], []),
    (["A2;1;03.04.2026;P1;X;1;1;", "A2;2;03.06.2026;P1;Y;1;2;S2"], [(2, None, "suspected_duplicate")]),
    (
        ["A3;1;04.04.2026;P2;X;x;1;", "A3;2;03.06.2026;P2;Y;1;9;S2"],
        [(2, "Menge", "bad_number"), (3, "serial_number", TWICE)],
    ),
    (["A4;1;07.04.2026;P2;Z;1;4;S4"], []),
    (
        ["A5;1;08.04.2026;P3;Z;1;4;S4", "A4;1;07.04.2026;P2;Z;1;5;", "A6;1;09.04.2026;P3;Z;1;6;"],
        [(2, "serial_number", TWICE), (3, None, "already_loaded")],
    ),
]
LOADED = ["shop:A1:1", "shop:A1:2", "shop:A2:2", "shop:A4:1", "shop:A6:1"]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"file{number}.csv" for number in range(len(FILES))]
    for path, (rows, _) in zip(paths, FILES, strict=True):
        path.write_text("\n".join([HEAD + ";SN", *rows]) + "\n", "utf-8")
    return paths


def check(reports: list[FileReport], desk: Desk) -> None:
    assert [codes(report) for report in reports] == [stopped for _, stopped in FILES]
    assert [line[0] for line in desk.lines()] == LOADED


@pytest.mark.parametrize("kept_max", [500_000, 3, 0])
def test_files_of_one_intake_meet_the_lines_of_those_before(
    desk: Desk, files: list[Path], kept_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.intake.remembered.LINES_MAX", kept_max)
    report = intake(
        files, parse_profile(SUSPECTS), LakeStore(desk.lake), request=Request(received_on=DAY), out=desk.folder / "out"
    )
    check(list(report.files), desk)


def test_lines_that_upkeep_moves_to_other_files_are_still_met(
    desk: Desk, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.lake.maintenance._GROUP_FILES_MIN", 2)
    reports = []
    request = Request(received_on=DAY)
    for report in load_files(
        files, parse_profile(SUSPECTS), LakeStore(desk.lake), request=request, out=desk.folder / "out"
    ):
        reports.append(report)
        Lake(desk.lake.folder).maintain(retention_hours=0)
    check(reports, desk)


def test_many_lines_go_through_a_file_and_few_do_not_and_both_are_the_same(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"A{i};1;0{1 + i % 9}.0{1 + i % 4}.2026;P{i % 3};X;{i};{i},5" for i in range(1, 50)]
    desk.load(PROFILE, *rows)
    monkeypatch.setattr("headrace.intake.load.MEMORY_LINES_MAX", 0)
    other = Desk(tmp_path, Lake.create(tmp_path / "other"))
    assert counts(other.load(PROFILE, *rows)) == (49, 49, 0, 0, 0)
    assert counts(other.load(PROFILE, *rows)) == (49, 0, 0, 0, 49)
    assert other.lines("*") == desk.lines("*")
    close(other.lake)
