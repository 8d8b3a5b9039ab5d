"""Whatever the bytes are, file mode gives findings and good rows, and a profile gives a report that adds up."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.intake.load import Request, intake
from headrace.intake.profile import load_profile
from headrace.intake.tables import read_table

HEAD = b"line_id,kind,stage,occurred_on,quantity,amount,currency\n"
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CELLS = st.one_of(
    st.sampled_from(
        [
            "sale",
            "return",
            "sell_in",
            "2026-01-05",
            "1",
            "-1",
            "10.50",
            "USD",
            "",
            '"',
            "'",
            "~r",
            "%s",
            "{x}",
            "\\",
            ";",
            "NULL",
        ]
    ),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.dates().map(str),
    st.text(st.characters(codec="utf-8", exclude_characters=",\r\n\0"), max_size=8),
)


@FEW
@given(content=st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: HEAD + tail)))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    read = read_table("lines", path, into=tmp_path / "out")
    assert read.loaded <= read.received
    assert read.findings or read.lines is not None


@FEW
@given(rows=st.lists(st.lists(CELLS, min_size=6, max_size=8), max_size=12))
def test_any_cells(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(HEAD + "\n".join(",".join(row) for row in rows).encode())
    read_table("lines", path, into=tmp_path / "out")
    request = Request(received_on=dt.date(2026, 1, 1))
    report = intake([path], load_profile("canonical"), None, request=request, out=tmp_path / "out").files[0]
    parts = (report.loaded, report.rejected, report.held, report.unchanged)
    assert report.received.rows == sum(part.rows for part in parts)
    assert report.received.quantity == sum((part.quantity for part in parts), Decimal(0))
