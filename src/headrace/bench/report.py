"""The table of `headrace bench`, for people and as JSON."""

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import duckdb
from rich.table import Table

from headrace.bench.row import Row, Settings

_STYLES = {
    "aim met": "green",
    "equal": "green",
    "within reach": "yellow",
    "short": "red",
    "different": "bold red",
    "failed": "bold red",
    "not installed": "dim",
}


def show(rows: Iterable[Row]) -> Table:
    """Lay the rows out for a terminal."""
    table = Table(title="Speed and size", title_justify="left")
    for heading in ("row", "what", "measured", "reach", "aim", "memory", "verdict"):
        table.add_column(heading, overflow="fold", justify="right" if heading in {"reach", "aim", "memory"} else "left")
    for row in rows:
        memory = "" if row.peak_bytes is None else _gib(row.peak_bytes)
        if row.peak_bytes_max is not None:
            memory += f" of {_gib(row.peak_bytes_max)}"
        style = _STYLES[row.verdict]
        table.add_row(
            row.name, row.what, row.measured, _bound(row.reach), _bound(row.aim), memory, f"[{style}]{row.verdict}[/]"
        )
    return table


def as_json(settings: Settings, rows: Iterable[Row]) -> dict[str, Any]:
    """Give the whole run: what it ran on, and every row with the measurements behind it."""
    return {
        "machine": {
            "processors": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "duckdb": duckdb.__version__,
        },
        "size": asdict(settings.size),
        "repeat": settings.repeat,
        "rows": [asdict(row) for row in rows],
    }


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _gib(count: int) -> str:
    return f"{count / (1 << 30):.2f} GiB"
