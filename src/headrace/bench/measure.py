"""Measures one task in a process of its own: wall time, processor time, peak memory.

A fresh process for each measurement, so that neither a warm cache of the interpreter nor the memory of an earlier task
shows up in a later one. The task itself says which part of it counts, with a `Stopwatch`.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class NotInstalled(Exception):
    """A part that the task measures is not there."""


class Stopwatch:
    """Adds up wall and processor seconds (of this process and the children it waited for) while it is entered."""

    def __init__(self) -> None:
        self.wall = 0.0
        self.cpu = 0.0
        self.laps: list[float] = []

    def __enter__(self) -> Self:
        self._started = time.perf_counter(), _processor_seconds()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wall, cpu = self._started
        self.laps.append(time.perf_counter() - wall)
        self.wall += self.laps[-1]
        self.cpu += _processor_seconds() - cpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one task took. `detail` is what it said of its result; `status` is done, not installed or failed."""

    task: str
    status: str = "done"
    message: str = ""
    wall: float = 0.0
    cpu: float = 0.0
    peak_bytes: int = 0
    laps: tuple[float, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


def measure(task: str, **arguments: object) -> Measurement:
    """Run one task of `headrace.bench.tasks` in a child process and give what it took."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        order = json.dumps({"task": task, "arguments": arguments, "answer": str(answer)})
        child = subprocess.run(
            [sys.executable, "-m", "headrace.bench.child"], input=order, text=True, capture_output=True, check=False
        )
        if not answer.exists():
            last = (child.stderr.strip() or f"ended with {child.returncode}").splitlines()[-1]
            return Measurement(task=task, status="failed", message=last)
        given = json.loads(answer.read_text())
        return Measurement(task=task, **(given | {"laps": tuple(given.get("laps", ()))}))


def peak_bytes() -> int:
    """Give the most memory this process has held, plus that of its largest child that has ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss is inherited from the parent across exec on Linux; the high-water mark of the address space is not.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 + children
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit + children


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
