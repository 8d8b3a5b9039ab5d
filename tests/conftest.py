"""What all tests share: one Spark, for the tests that are marked with it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Keep what runs on Spark in one worker, so that one Java process serves it."""
    for item in items:
        if item.get_closest_marker("spark"):
            item.add_marker(pytest.mark.xdist_group("spark"))


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """Give Spark for little data. Without Java its tests are passed over, but never in CI."""
    if "CI" not in os.environ and "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        pytest.skip("Java is not installed; CI runs the tests on Spark")
    from tests.spark.both import small_spark

    with small_spark() as session:
        yield session
