"""The rows on a lake: what it takes to add a small batch durably, and whether that grows with what is there already.

Measured on a lake with 200 partners and the asked number of lines, against one with a tenth of them. Each batch is registered,
its raw content kept, checked for duplicates, written, committed and fsynced before the next one starts.
"""

from dataclasses import asdict, replace
from math import ceil

from headrace.bench.lines import Size
from headrace.bench.measure import Measurement
from headrace.bench.row import Bench, Row, both, judged, unmeasured

_GROWTH_MAX = 1.2
_WHOLE = 5


def append(bench: Bench, name: str) -> Row:
    """Add batches of all partners, in order of time."""
    return _row(
        bench, name, "1,000 in-order lines durable in the lake, without balances", late=False, reach=250, aim=120
    )


def append_late(bench: Bench, name: str) -> Row:
    """Add batches of one partner's lines, spread over the two years."""
    return _row(bench, name, "1,000 late lines of one partner durable, without balances", late=True, reach=300, aim=150)


def intake(bench: Bench, name: str) -> Row:
    """Load a clean CSV file onto the lake."""
    size = _large(bench)
    count = min(1_000_000, max(1, size.lines // 10))
    what = (
        f"intake of a clean CSV file of {count:,} lines onto a lake of {size.lines:,}: checked, no duplicates, durable"
    )
    folder, lake = bench.channel(size), _lake(bench, size)
    made = _make_lake(bench, size)
    loaded = bench.task("load_file", size=asdict(size), folder=str(folder), lake=lake, count=count)
    missing = unmeasured(name, what, made, loaded)
    if missing is not None:
        return missing
    speed = count / loaded.wall
    row = Row(
        name=name, what=what, verdict="short", measured=f"{speed:,.0f} lines/s ({loaded.wall:.1f} s)", figure=speed,
        reach=100_000, aim=400_000, peak_bytes=loaded.peak_bytes, detail=both(made=made, loaded=loaded),
    )  # fmt: skip
    return judged(row, more_is_better=True)


def balances(bench: Bench, name: str) -> Row:
    """Post batches of all partners to the balances of additive programs."""
    what = "1,000 in-order lines durable and in the balances of 20 additive programs"
    return _posted(bench, name, what, late=False, ordered=False, reach=250, aim=120)


def balances_ordered(bench: Bench, name: str) -> Row:
    """Post batches of all partners to the balances of ordered programs."""
    what = "1,000 in-order lines durable and in the balances of 20 ordered programs, a touched statement"
    return _posted(bench, name, what, late=False, ordered=True, reach=300, aim=150)


def balances_late(bench: Bench, name: str) -> Row:
    """Post late lines of one partner to the balances of ordered programs."""
    what = "1,000 late lines of one partner durable and in the balances of 20 ordered programs, a touched statement"
    return _posted(bench, name, what, late=True, ordered=True, reach=300, aim=150)


def _posted(bench: Bench, name: str, what: str, *, late: bool, ordered: bool, reach: float, aim: float) -> Row:
    """Measure posting on a lake and on one with a tenth of its lines; for ordered programs a touched statement counts."""
    large = _large(bench)
    small = replace(large, lines=max(1, large.lines // 10))
    what = f"{what}; lake of {large.lines:,} lines against {small.lines:,}"
    few, many = (_post(bench, size, late=late, ordered=ordered) for size in (small, large))
    missing = unmeasured(name, what, few, many)
    if missing is not None:
        return missing
    if few.detail["differences"] or many.detail["differences"]:
        return Row(name=name, what=what, verdict="different", measured="balances differ from the calculation in full")
    slow, fast = percentile(many.laps, 95) * 1000, percentile(few.laps, 95) * 1000
    changed = many.detail["changed"]
    figure = slow / max(1, changed) if ordered else slow
    each = f"; {figure:.1f} ms for each of {changed:,.0f} changed statements" if ordered else ""
    growth = slow / fast
    measured = (
        f"p95 {slow:.0f} ms, half {percentile(many.laps, 50) * 1000:.0f} ms{each}; {growth:.2f} × the smaller lake"
    )
    row = Row(
        name=name, what=what, verdict="short", measured=measured, figure=figure, reach=reach, aim=aim,
        peak_bytes=many.peak_bytes, detail=both(few=few, many=many) | {"growth": growth, "growth_max": _GROWTH_MAX},
    )  # fmt: skip
    if figure > reach or (growth > _GROWTH_MAX and not ordered):
        return row
    return replace(row, verdict="aim met" if figure <= aim else "within reach")


def _post(bench: Bench, size: Size, *, late: bool, ordered: bool) -> Measurement:
    made = _make_lake(bench, size)
    if made.status != "done":
        return made
    # All partners of ordered programs are nearly the whole lake: each of these batches is a calculation of its own.
    count = min(_WHOLE, bench.settings.batches) if ordered and not late else bench.settings.batches
    arguments = {"lake": _lake(bench, size), "count": count, "late": late, "ordered": ordered}
    return bench.task("post_batches", size=asdict(size), **arguments)


def _row(bench: Bench, name: str, what: str, *, late: bool, reach: float, aim: float) -> Row:
    large = _large(bench)
    small = replace(large, lines=max(1, large.lines // 10))
    what = f"{what}; lake of {large.lines:,} lines against {small.lines:,}"
    few, many = _batches(bench, small, late=late), _batches(bench, large, late=late)
    missing = unmeasured(name, what, few, many)
    if missing is not None:
        return missing
    slow, fast = percentile(many.laps, 95) * 1000, percentile(few.laps, 95) * 1000
    growth = slow / fast
    measured = (
        f"p95 {slow:.0f} ms, half {percentile(many.laps, 50) * 1000:.0f} ms; {growth:.2f} × the p95 of the smaller lake"
    )
    row = Row(
        name=name, what=what, verdict="short", measured=measured, figure=slow, reach=reach, aim=aim,
        peak_bytes=many.peak_bytes, detail=both(few=few, many=many) | {"growth": growth, "growth_max": _GROWTH_MAX},
    )  # fmt: skip
    if slow > reach or growth > _GROWTH_MAX:
        return row
    return replace(row, verdict="aim met" if slow <= aim else "within reach")


def _batches(bench: Bench, size: Size, *, late: bool) -> Measurement:
    made = _make_lake(bench, size)
    if made.status != "done":
        return made
    arguments = {"lake": _lake(bench, size), "count": bench.settings.batches, "late": late}
    return bench.task("append_batches", size=asdict(size), **arguments)


def _make_lake(bench: Bench, size: Size) -> Measurement:
    return bench.task("make_lake", size=asdict(size), folder=str(bench.channel(size)), lake=_lake(bench, size))


def _lake(bench: Bench, size: Size) -> str:
    return str(bench.settings.folder / f"lake-{size.name}")


def _large(bench: Bench) -> Size:
    return replace(bench.settings.size, partners=min(200, bench.settings.size.partners))


def percentile(values: tuple[float, ...], percent: int) -> float:
    """Give the smallest value that so many percent of all do not pass (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
