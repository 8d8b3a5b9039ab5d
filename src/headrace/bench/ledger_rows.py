"""The row on the ledger: postings a second, batched, on SQLite and, where HEADRACE_DATABASE_URL names one, on PostgreSQL."""

import os

from headrace.bench.row import Bench, Row, both, judged, unmeasured

_BATCHES, _SIZE = 20, 2_500


def ledger(bench: Bench, name: str) -> Row:
    """Post provisions in batches; the figure is that of PostgreSQL where there is one, otherwise SQLite's."""
    url = os.environ.get("HEADRACE_DATABASE_URL", "")
    url = url if url.startswith("postgres") else ""
    bench.settings.folder.mkdir(parents=True, exist_ok=True)
    made = {
        kind: bench.task("post_ledger", folder=str(bench.settings.folder), url=address, batches=_BATCHES, size=_SIZE)
        for kind, address in (("SQLite", ""), *((("PostgreSQL", url),) if url else ()))
    }
    what = f"ledger: postings a second, {_SIZE:,} in an entry, each entry durable and in the chain"
    missing = unmeasured(name, what, *made.values())
    if missing is not None:
        return missing
    if any(each.detail["faults"] for each in made.values()):
        return Row(name=name, what=what, verdict="different", measured="balances differ from their postings")
    speeds = {kind: each.detail["postings"] / each.wall for kind, each in made.items()}
    measured = "; ".join(
        f"{kind} {speed:,.0f}/s ({made[kind].detail['with_new_accounts']:,.0f}/s where every account is new)"
        for kind, speed in speeds.items()
    )
    row = Row(
        name=name, what=what, verdict="short", measured=measured, figure=speeds.get("PostgreSQL", speeds["SQLite"]),
        reach=5_000, peak_bytes=max(each.peak_bytes for each in made.values()), detail=both(**made),
    )  # fmt: skip
    return judged(row, more_is_better=True)
