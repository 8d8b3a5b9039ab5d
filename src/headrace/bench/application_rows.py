"""The rows on the application: a file until it is in the balances, pages for fifty people, finalising into the books."""

import os
from dataclasses import asdict, replace

from headrace.bench.lake_rows import percentile
from headrace.bench.measure import Measurement
from headrace.bench.row import Bench, Row, judged, unmeasured

_USERS, _PAGES = 50, 12
_FINALISED_LINES, _FINALISED_PARTNERS = 1_000_000, 1_000


def upload(bench: Bench, name: str) -> Row:
    """Deliver files one after the other."""
    size = replace(bench.settings.size, partners=min(200, bench.settings.size.partners))
    what = f"a file of 1,000 lines until it is in the balances of 20 programs; history of {size.lines:,} lines"
    made = _made(
        bench, "upload_files", size=asdict(size), channel=str(bench.channel(size)), count=bench.settings.batches
    )
    return _percentiles(name, what, made, reach=1_000)


def pages(bench: Bench, name: str) -> Row:
    """Read pages."""
    size = bench.settings.size
    what = f"pages of balances and statements, {_USERS} people at once; history of {size.lines:,} lines"
    made = _made(bench, "read_pages", size=asdict(size), channel=str(bench.channel(size)), users=_USERS, pages=_PAGES)
    return _percentiles(name, what, made, reach=100)


def finalise_programs(bench: Bench, name: str) -> Row:
    """Finalise into the books."""
    size = replace(
        bench.settings.size,
        lines=min(_FINALISED_LINES, bench.settings.size.lines),
        partners=min(_FINALISED_PARTNERS, bench.settings.size.partners),
    )
    what = (
        f"finalise {size.lines:,} lines in 20 programs of {size.partners:,} partners, worked out, approved and posted"
    )
    made = _made(bench, "finalise_programs", size=asdict(size))
    missing = unmeasured(name, what, made)
    if missing is not None:
        return missing
    if made.detail["faults"]:
        return Row(name=name, what=what, verdict="different", measured="balances differ from their postings")
    measured = f"{made.wall:.1f} s, {made.detail['postings']:,} statements posted"
    return judged(
        Row(
            name=name, what=what, verdict="short", measured=measured, figure=made.wall, reach=60,
            peak_bytes=made.peak_bytes, detail=asdict(made),
        )
    )  # fmt: skip


def _made(bench: Bench, task: str, **arguments: object) -> Measurement:
    url = os.environ.get("HEADRACE_DATABASE_URL", "")
    bench.settings.folder.mkdir(parents=True, exist_ok=True)
    return bench.task(
        task, folder=str(bench.settings.folder), url=url if url.startswith("postgres") else "", **arguments
    )


def _percentiles(name: str, what: str, made: Measurement, *, reach: float) -> Row:
    missing = unmeasured(name, what, made)
    if missing is not None:
        return missing
    slow = percentile(made.laps, 95) * 1000
    measured = f"p95 {slow:.0f} ms, half {percentile(made.laps, 50) * 1000:.0f} ms, of {len(made.laps)}"
    return judged(
        Row(
            name=name, what=what, verdict="short", measured=measured, figure=slow, reach=reach,
            peak_bytes=made.peak_bytes, detail=asdict(made),
        )
    )  # fmt: skip
