"""The worked example of the guide gives what the guide says."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

from .desk import Desk, codes, counts

GUIDE = Path(__file__).parents[2] / "docs" / "intake.md"


def _blocks() -> list[str]:
    blocks: list[list[str]] = [[]]
    for line in GUIDE.read_text("utf-8").splitlines():
        if line.startswith("    "):
            blocks[-1].append(line[4:])
        elif blocks[-1]:
            blocks.append([])
    return ["\n".join(block) for block in blocks if block]


def test_the_worked_example(desk: Desk) -> None:
    _, file, profile, rejects, *_ = _blocks()
    head, *rows = file.splitlines()
    report = desk.load(profile, *rows, head=head)
    assert counts(report) == (4, 3, 1, 0, 0)
    assert codes(report) == [(5, "Datum", "no_such_date")]
    assert report.rejects is not None
    assert report.rejects.read_text("utf-8").splitlines() == rejects.splitlines()[:2]
    assert desk.lines("line_id, kind, occurred_on, quantity, unit, amount") == [
        ("acme:G-101:1", "return", dt.date(2026, 4, 9), -1, "EA", Decimal("-99.9")),
        ("acme:R-100:1", "sale", dt.date(2026, 4, 3), 24, "EA", Decimal("1234.5")),
        ("acme:R-100:2", "sale", dt.date(2026, 4, 3), 1, "EA", Decimal("99.9")),
    ]
