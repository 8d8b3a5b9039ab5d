"""A desk at which tests load files into a lake and look at what came of them."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from headrace.intake.load import Request, intake
from headrace.intake.profile import Profile, parse_profile
from headrace.intake.report import FileReport
from headrace.intake.store import LakeStore
from headrace.lake.register_sqlite import SqliteRegister
from headrace.lake.store import Lake

DAY = dt.date(2026, 4, 2)
PROFILE = """
profile: shop
name: A shop
source: shop
dates: {order: dmy}
numbers: {decimal: ",", thousands: "."}
line_key: {columns: [Rechnung, Position]}
fields:
  kind: {constant: sale}
  occurred_on: Datum
  partner_id: Händler
  product_id: Artikel
  quantity: Menge
  amount: Betrag
  currency: {constant: EUR}
  reporter_id: {constant: R1}
"""
HEAD = "Rechnung;Position;Datum;Händler;Artikel;Menge;Betrag"
TOTALS = ("received", "loaded", "rejected", "held", "unchanged")


def close(lake: Lake) -> None:
    register = lake.register
    assert isinstance(register, SqliteRegister)
    register.close()


class Desk:
    """Loads texts as files and looks at what came of them."""

    def __init__(self, folder: Path, lake: Lake) -> None:
        self.folder, self.lake, self.number = folder, lake, 0

    def load(self, profile: str | Profile, *rows: str, head: str = HEAD, **asked: Any) -> FileReport:
        """Load rows under a header."""
        self.number += 1
        path = self.folder / f"file{self.number}.csv"
        path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
        return self.load_file(profile, path, **asked)

    def load_file(self, profile: str | Profile, path: Path, **asked: Any) -> FileReport:
        """Load a file, and prove that its counts and its money add up."""
        profile = parse_profile(profile) if isinstance(profile, str) else profile
        request = Request(**{"received_on": DAY, **asked})
        report = intake([path], profile, LakeStore(self.lake), request=request, out=self.folder / "out").files[0]
        received, *parts = (getattr(report, name) for name in TOTALS)
        assert received.rows == sum(part.rows for part in parts)
        assert received.quantity == sum((part.quantity for part in parts), Decimal(0))
        for currency, amount in received.amounts.items():
            assert amount == sum((part.amounts.get(currency, Decimal(0)) for part in parts), Decimal(0))
        return report

    def lines(self, columns: str = "line_id, quantity, amount", *, order: bool = True) -> list[tuple[Any, ...]]:
        """Give what is in the lake, by line_id (or sums of it, in no order)."""
        files = [str(path) for path in self.lake.lines().paths]
        if not files:
            return []
        with duckdb.connect() as con:
            return con.execute(
                f"SELECT {columns} FROM read_parquet({files}, union_by_name = true){' ORDER BY line_id' if order else ''}"
            ).fetchall()


def codes(report: FileReport) -> list[tuple[int | None, str | None, str]]:
    return [(f.row, f.column, f.code) for f in report.findings if f.severity != "info"]


def counts(report: FileReport) -> tuple[int, ...]:
    return tuple(getattr(report, name).rows for name in TOTALS)
