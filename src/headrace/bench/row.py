"""One row of the table with its verdict, and the measurements of one run, each made once however many rows need it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from headrace.bench.lines import Size
from headrace.bench.measure import Measurement, measure

type Verdict = Literal["aim met", "within reach", "short", "equal", "different", "not installed", "failed"]

GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to measure on, and where. repeat: the best of so many runs counts for the rows on finalising."""

    size: Size = field(default_factory=Size)
    folder: Path
    repeat: int = 1
    sample: int = 200_000
    memory_bytes_max: int = 5 * GIB // 2
    batches: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table. figure is compared with reach and aim: at most them, or at least where `more_is_better`."""

    name: str
    what: str
    verdict: Verdict
    measured: str = ""
    figure: float | None = None
    reach: float | None = None
    aim: float | None = None
    peak_bytes: int | None = None
    peak_bytes_max: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


class Bench:
    """The measurements of one run, each made once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._made: dict[tuple[object, ...], Measurement] = {}

    def channel(self, size: Size) -> Path:
        """Give the folder of a made-up channel of this size, made if need be."""
        folder = self.settings.folder / size.name
        self._once(("generate", size), lambda: measure("generate", size=asdict(size), folder=str(folder)))
        return folder

    def yardstick(self, size: Size) -> Measurement:
        """Run the plain SQL."""
        folder = self.channel(size)
        arguments = {"folder": str(folder), "out": str(self.awards("yardstick", size))}
        return self._best("plain_sql", size, arguments)

    def calculate(self, which: str, size: Size, *, backend: str = "duckdb") -> Measurement:
        """Run the engine over one of the sets of programs."""
        folder = self.channel(size)
        out = self.awards(f"{which}-{backend}", size)
        return self._best(
            "calculate", size, {"folder": str(folder), "which": which, "out": str(out), "backend": backend}
        )

    def differences(self, left: Path, right: Path, columns: Iterable[str]) -> Measurement:
        """Count the awards in which two files differ."""
        arguments = {"left": str(left), "right": str(right), "columns": list(columns)}
        return self._once(("differences", left, right, *columns), lambda: measure("differences", **arguments))

    def task(self, name: str, **arguments: object) -> Measurement:
        """Run any other task once."""
        return self._once((name, repr(sorted(arguments.items()))), lambda: measure(name, **arguments))

    def awards(self, name: str, size: Size) -> Path:
        """Say where the awards of a run go."""
        return self.settings.folder / f"awards-{name}-{size.name}.parquet"

    def _best(self, task: str, size: Size, arguments: dict[str, str]) -> Measurement:
        def make() -> Measurement:
            limit = self.settings.memory_bytes_max * (2 if size.lines > 20_000_000 else 1)
            runs = [
                measure(task, size=asdict(size), memory_bytes_max=limit, **arguments)
                for _ in range(self.settings.repeat)
            ]
            bad = next((run for run in runs if run.status != "done"), None)
            best = min(runs, key=lambda run: run.wall)
            return bad or replace(best, peak_bytes=max(run.peak_bytes for run in runs))

        return self._once((task, size, *sorted(arguments.items())), make)

    def _once(self, key: tuple[object, ...], make: Callable[[], Measurement]) -> Measurement:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def judged(row: Row, *, more_is_better: bool = False) -> Row:
    """Give the row with the verdict that follows from its figure and its memory."""
    assert row.figure is not None
    sign = -1 if more_is_better else 1
    memory_kept = row.peak_bytes is None or row.peak_bytes_max is None or row.peak_bytes <= row.peak_bytes_max
    if row.reach is not None and (sign * row.figure > sign * row.reach or not memory_kept):
        return replace(row, verdict="short")
    aim_met = row.aim is None or sign * row.figure <= sign * row.aim
    return replace(row, verdict="aim met" if aim_met else "within reach")


def unmeasured(name: str, what: str, *measurements: Measurement) -> Row | None:
    """Give the row of a measurement that could not be made, or nothing where all were."""
    for measurement in measurements:
        if measurement.status != "done":
            verdict: Verdict = "not installed" if measurement.status == "not installed" else "failed"
            return Row(
                name=name, what=what, verdict=verdict, measured=measurement.message, detail={"task": measurement.task}
            )
    return None


def both(**measurements: Measurement) -> dict[str, Any]:
    """Give the measurements behind a row, for JSON."""
    return {name: asdict(measurement) for name, measurement in measurements.items()}
