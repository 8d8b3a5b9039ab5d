"""Tiny files written by hand, and the folder of real data if there is one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headrace.lake.store import Lake

from .desk import Desk, close

type WriteFile = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Write a file with the given content into the test's folder."""

    def _write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


@pytest.fixture
def real_data() -> Path:
    """Give the folder of real data; skip where there is none."""
    folder = os.environ.get("HEADRACE_REAL_DATA")
    if not folder:
        pytest.skip("HEADRACE_REAL_DATA is not set: no real data on this machine")
    return Path(folder)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """Give an empty lake."""
    lake = Lake.create(tmp_path / "lake")
    yield lake
    close(lake)


@pytest.fixture
def desk(tmp_path: Path, lake: Lake) -> Desk:
    """Give a desk over the empty lake."""
    return Desk(tmp_path, lake)
