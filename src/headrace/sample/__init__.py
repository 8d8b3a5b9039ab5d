"""The built-in sample channel: a made-up maker of network gear, its distributors and resellers, two years of their lines.

Everything is drawn from a seed and comes out the same, byte for byte, on any machine. It is written as the files that the
parties would send, with the profiles that read them and programs to run over them. It holds no rules and reads nothing.
"""

import csv
import shutil
from dataclasses import astuple, dataclass, fields
from importlib.resources import files
from pathlib import Path

import duckdb

from headrace.engine.findings import Refusal
from headrace.sample.catalogue import make_products
from headrace.sample.demand import load_deals, load_dimensions
from headrace.sample.draws import Draws
from headrace.sample.layouts import CANONICAL, SalesFile, write_sales_files
from headrace.sample.lines import make_lines
from headrace.sample.parties import make_parties
from headrace.sample.references import write_reference_files

__all__ = ["LINES", "SEED", "SalesFile", "Sample", "make_sample", "write_lines_file"]

SEED = 7
LINES = 200_000
LINES_MIN, LINES_MAX = 2_000, 5_000_000
CONTROL_TOTALS = "control_totals.csv"
FOLDERS = ("sales", "reference", "profiles", "programs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Where a sample channel was written. sales_files: relative to `folder / "sales"`, with their control totals."""

    folder: Path
    sales_files: tuple[SalesFile, ...]

    @property
    def reference(self) -> Path:
        """Give the folder of the reference files."""
        return self.folder / "reference"

    @property
    def programs(self) -> tuple[Path, ...]:
        """Give the program documents, in order of name."""
        return tuple(sorted((self.folder / "programs").glob("*.yaml")))

    def sales(self, layout: str) -> tuple[Path, ...]:
        """Give the sales files of one layout, in order of month and reporter."""
        chosen = [self.folder / "sales" / file.path for file in self.sales_files if file.layout == layout]
        return tuple(sorted(chosen, key=lambda path: (path.stem[-7:], path.stem)))

    def profile(self, layout: str) -> Path:
        """Give the intake profile that reads a layout."""
        return self.folder / "profiles" / f"sample-{layout}.yaml"


def make_sample(folder: Path, *, seed: int = SEED, lines: int = LINES) -> Sample:
    """Write the sample channel of a seed into a folder: sales files, reference files, profiles, programs, control totals.

    `lines` good activity lines are written exactly; rows that are there twice, sent again or dirty come on top. A folder that
    holds an earlier sample is replaced; one that holds anything else is refused.
    """
    _check_lines(lines)
    _clear(folder)
    draws, con = Draws(seed), duckdb.connect()
    try:
        parties, products = make_parties(draws), make_products(draws)
        _draw_lines(con, draws, seed_lines=lines)
        sales_files = tuple(write_sales_files(con, folder / "sales", lines))
        write_reference_files(con, folder / "reference", parties, products, draws)
    finally:
        con.close()
    for name in ("profiles", "programs"):
        _copy_documents(name, folder / name)
    with (folder / CONTROL_TOTALS).open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(column.name for column in fields(SalesFile))
        writer.writerows(astuple(file) for file in sales_files)
    return Sample(folder=folder, sales_files=sales_files)


def write_lines_file(path: Path, *, seed: int = SEED, lines: int = LINES) -> None:
    """Write the good lines of the sample channel as one canonical file, CSV or Parquet by its ending, in order of line_id."""
    _check_lines(lines)
    if path.suffix not in (".csv", ".parquet"):
        raise Refusal(
            "file_kind", f"{path} would be neither CSV nor Parquet: name a file that ends in .csv or .parquet."
        )
    con = duckdb.connect()
    try:
        _draw_lines(con, Draws(seed), seed_lines=lines)
        kind = "format csv, header" if path.suffix == ".csv" else "format parquet, compression zstd"
        target = str(path).replace("'", "''")
        con.execute(f"copy (select {', '.join(CANONICAL)} from line order by line_id) to '{target}' ({kind})")
    finally:
        con.close()


def _check_lines(lines: int) -> None:
    if not LINES_MIN <= lines <= LINES_MAX:
        raise Refusal("sample_lines", f"A sample of {lines} lines cannot be made: ask for {LINES_MIN} to {LINES_MAX}.")


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / CONTROL_TOTALS).exists():
        raise Refusal(
            "folder_not_empty",
            f"{folder} is not empty and holds no sample channel; nothing was written. Name a new folder or empty this one.",
        )
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    # First of all, so that what an interrupted run leaves behind is known for a sample and can be replaced.
    (folder / CONTROL_TOTALS).touch()


def _draw_lines(con: duckdb.DuckDBPyConnection, draws: Draws, *, seed_lines: int) -> None:
    parties, products = make_parties(draws), make_products(draws)
    draws.install(con)
    load_dimensions(con, parties, products)
    load_deals(con, parties, products, draws)
    make_lines(con, seed_lines)


def _copy_documents(name: str, folder: Path) -> None:
    folder.mkdir()
    for document in files("headrace.sample").joinpath(name).iterdir():
        if document.name.endswith((".yaml", ".csv")):
            (folder / document.name).write_bytes(document.read_bytes())
