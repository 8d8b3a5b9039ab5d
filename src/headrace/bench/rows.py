"""The rows of the table: what each measures, its reach and its aim.

`run` measures the asked rows in one go.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace

from headrace.bench import application_rows, lake_rows, ledger_rows
from headrace.bench.row import GIB, Bench, Row, Settings, both, judged, unmeasured

AWARD_KEY = ("line_id", "award")


def run(settings: Settings, names: Iterable[str]) -> Iterator[Row]:
    """Measure the rows of these names, in the order of the table, each given as soon as it is known."""
    asked = set(names)
    assert asked <= set(NAMES), asked - set(NAMES)
    bench = Bench(settings)
    for name, row in _ROWS.items():
        if name in asked:
            yield row(bench, name)


def _finalise(bench: Bench, name: str) -> Row:
    size = bench.settings.size
    what = f"finalise one program, {size.lines:,} lines, against the plain SQL"
    plain, engine = bench.yardstick(size), bench.calculate("one", size)
    missing = unmeasured(name, what, plain, engine)
    if missing is not None:
        return missing
    apart = bench.differences(bench.awards("one-duckdb", size), bench.awards("yardstick", size), AWARD_KEY)
    if apart.status != "done" or any(apart.detail.values()):
        measured = f"awards differ from the plain SQL: {dict(apart.detail) or apart.message}"
        return Row(name=name, what=what, verdict="different", measured=measured, detail=dict(apart.detail))
    ratio = engine.wall / plain.wall
    measured = (
        f"{ratio:.2f} × ({engine.wall:.1f} s against {plain.wall:.1f} s; processor {engine.cpu / plain.cpu:.2f} ×)"
    )
    return judged(
        Row(
            name=name, what=what, verdict="short", measured=measured, figure=ratio, reach=1.0, aim=0.5,
            peak_bytes=engine.peak_bytes, peak_bytes_max=3 * GIB, detail=both(plain=plain, engine=engine),
        )
    )  # fmt: skip


def _against(which: str, other: str, reach: float, aim: float, what: str) -> Callable[[Bench, str], Row]:
    """Give a row that compares the time of one set of programs with that of another, on the same lines."""

    def row(bench: Bench, name: str) -> Row:
        size = bench.settings.size
        base, more = bench.calculate(other, size), bench.calculate(which, size)
        missing = unmeasured(name, what, base, more)
        if missing is not None:
            return missing
        ratio = more.wall / base.wall
        measured = f"{ratio:.2f} × ({more.wall:.1f} s against {base.wall:.1f} s; {more.detail['awards']:,} awards)"
        return judged(
            Row(
                name=name, what=what, verdict="short", measured=measured, figure=ratio, reach=reach, aim=aim,
                peak_bytes=more.peak_bytes, peak_bytes_max=3 * GIB, detail=both(**{other: base, which: more}),
            )
        )  # fmt: skip

    return row


def _hundred(bench: Bench, name: str) -> Row:
    size = bench.settings.size
    large = replace(size, lines=size.lines * 10)
    what = f"{large.lines:,} lines: seconds per line against {size.lines:,}"
    base, ten_times = bench.calculate("one", size), bench.calculate("one", large)
    missing = unmeasured(name, what, base, ten_times)
    if missing is not None:
        return missing
    ratio = ten_times.wall / base.wall / 10
    measured = f"{ratio:.2f} × per line ({ten_times.wall:.1f} s against {base.wall:.1f} s)"
    return judged(
        Row(
            name=name, what=what, verdict="short", measured=measured, figure=ratio, reach=1.3,
            peak_bytes=ten_times.peak_bytes, peak_bytes_max=6 * GIB, detail=both(base=base, ten_times=ten_times),
        )
    )  # fmt: skip


def _spark(bench: Bench, name: str) -> Row:
    size = replace(bench.settings.size, lines=min(bench.settings.size.lines, 1_000_000))
    what = f"Spark, local[2], twenty programs over {size.lines:,} lines: every award equal to DuckDB's"
    duck, spark = bench.calculate("twenty", size), bench.calculate("twenty", size, backend="spark")
    missing = unmeasured(name, what, duck, spark)
    if missing is not None:
        return missing
    columns = ("program", "payee_id", "from", *AWARD_KEY, "tier", "measure_after")
    apart = bench.differences(bench.awards("twenty-duckdb", size), bench.awards("twenty-spark", size), columns)
    missing = unmeasured(name, what, apart)
    if missing is not None:
        return missing
    equal = not any(apart.detail.values())
    measured = f"{duck.detail['awards']:,} awards, {'all equal' if equal else f'different: {dict(apart.detail)}'}"
    return Row(
        name=name, what=what, verdict="equal" if equal else "different", measured=measured,
        peak_bytes=spark.peak_bytes, detail=both(duckdb=duck, spark=spark),
    )  # fmt: skip


def _loop(bench: Bench, name: str) -> Row:
    settings = bench.settings
    what = "against a plain Python Decimal loop from file to file, per line"
    folder = bench.channel(settings.size)
    sample = min(settings.sample, settings.size.lines)
    out = str(settings.folder / "awards-decimal-loop.parquet")
    loop = bench.task("decimal_loop", size=asdict(settings.size), folder=str(folder), sample=sample, out=out)
    engine = bench.calculate("one", settings.size)
    missing = unmeasured(name, what, loop, engine)
    if missing is not None:
        return missing
    count, line = loop.detail["lines"], engine.wall / settings.size.lines
    times, alone = loop.wall / count / line, loop.detail["alone_seconds"] / count / line
    measured = (
        f"{times:.0f} × as fast, from file to file ({loop.wall:.1f} s for {count:,} lines); {alone:.1f} × the loop without "
        "its reading and writing"
    )
    return judged(
        Row(
            name=name, what=what, verdict="short", measured=measured, figure=times, reach=10, aim=30,
            detail=both(loop=loop, engine=engine),
        ),
        more_is_better=True,
    )  # fmt: skip


_ROWS: Mapping[str, Callable[[Bench, str], Row]] = {
    "finalise": _finalise,
    "programs20": _against("twenty", "one", 4.0, 2.5, "twenty programs over the same lines, against one"),
    "programs500": _against("five_hundred", "twenty", 2.0, 1.3, "five hundred programs, against the twenty"),
    "hundred": _hundred,
    "append": lake_rows.append,
    "append_late": lake_rows.append_late,
    "balances": lake_rows.balances,
    "balances_ordered": lake_rows.balances_ordered,
    "balances_late": lake_rows.balances_late,
    "intake": lake_rows.intake,
    "ledger": ledger_rows.ledger,
    "upload": application_rows.upload,
    "pages": application_rows.pages,
    "finalise_programs": application_rows.finalise_programs,
    "spark": _spark,
    "decimal_loop": _loop,
}
NAMES = tuple(_ROWS)
