"""Where the real data of the examples is: a folder named by the environment, never part of this repository."""

import csv
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def real_folder(name: str) -> Path:
    """Give a folder of real data, or skip the test with the reason."""
    root = os.environ.get("HEADRACE_REAL_DATA")
    if not root:
        pytest.skip("HEADRACE_REAL_DATA is not set: this test runs over real data that is not part of the repository")
    folder = Path(root) / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: HEADRACE_REAL_DATA names a folder without {name}")
    return folder


def records(path: Path) -> Iterator[dict[str, str]]:
    """Read a gzipped CSV file with a header, every cell as text."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as source:
        yield from csv.DictReader(source)
