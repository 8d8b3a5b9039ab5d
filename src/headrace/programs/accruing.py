"""What terms accrue beside what is earned: a named tier, a forecast, stock in the channel; calculated in full, by the engine.

Live balances keep no accruals, so programs that accrue otherwise than as achieved are worked out by a job, after each change and
every day. Programs that accrue as achieved are provided for with every batch (`entering`).
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from headrace.engine import Request, calculate
from headrace.engine.findings import Refusal
from headrace.engine.terms import Terms
from headrace.programs import balances, entering
from headrace.programs.book import DatabaseBook
from headrace.programs.entering import Accrued
from headrace.programs.live_totals import alone
from headrace.programs.placing import Claim, Owed
from headrace.runs.sources import from_lake
from headrace.sales.lake import opened

_TRIES = 3


def provide(*, at: datetime) -> int:
    """Bring provisions to what terms accrue as of the day; give for how many payees, programs and periods that was asked.

    Refused as `no_place`, once the others are provided for, where an amount has none; as `not_caught_up` where files kept coming.
    """
    if not entering.accruing():
        return 0
    for _ in range(_TRIES):
        before = balances.moment()
        accrued = _work_out(at.date())
        with alone():
            if balances.moment() != before:
                continue
            faults = entering.accrue(accrued, at=at)
        if faults:
            raise entering.told(faults)
        return len(accrued)
    raise Refusal("not_caught_up", "Files kept coming in while accruals were worked out. They are worked out again.")


def _work_out(day: date) -> dict[Claim, Accrued]:
    """Calculate all programs, since some depend on others; and those that hold stock once more without it."""
    terms = [Terms.model_validate(document) for document in DatabaseBook().programs()]
    mine = entering.accruing()
    without = [
        each.model_copy(update={"accrue": each.accrue.model_copy(update={"basis": "activity"})}) for each in terms
    ]
    with_stock, sales = _accrued(terms, day, mine), _accrued(without, day, mine)
    return {
        claim: Accrued(one, max(Decimal(0), with_stock.get(claim, one).amount - one.amount))
        for claim, one in sales.items()
    }


def _accrued(terms: Sequence[Terms], day: date, programs: frozenset[str]) -> Mapping[Claim, Owed]:
    with tempfile.TemporaryDirectory(prefix="headrace-accruals-") as scratch, opened() as lake:
        source = from_lake(lake, DatabaseBook(), into=Path(scratch), keep=False)
        assert source.tables is not None
        result = calculate(Request(programs=tuple(terms), tables=source.tables, fixed=source.fixed, as_of=day))
    sums: dict[Claim, Owed] = {}
    for row in result.statements.to_pylist():
        if row["program"] in programs:
            claim = Claim(
                row["program"], row["payee_kind"], row["payee_id"], row["from"], row["until"], row["currency"]
            )
            before = sums.get(claim, Owed(Decimal(0), 0))
            sums[claim] = Owed(before.amount + row["accrued"], max(before.version, row["version"]))
    return sums
