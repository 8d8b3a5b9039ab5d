"""The checks that every installation has. Those of other apps are registered where these apps know more.

Sales data carries no company, so what waits there stands against every company's close.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

from headrace.closing import proofs
from headrace.closing.checks import Check, Close, Item, Severity, posting_kinds, posts, register
from headrace.ledger import exchange, reading
from headrace.ledger.kinds import REVALUED, Kind
from headrace.programs import balances, entering, finalising, placing, unfinished
from headrace.sales import correcting, outstanding, repairing, reporting
from headrace.workflow import requests

PROOF_DAYS_MAX = 1


def _files_waiting(close: Close) -> Iterator[Item]:
    for each in outstanding.not_loaded():
        yield Item(f"{each.name} is not loaded yet.", "delivery", {"delivery": str(each.delivery)})
    for number, source, state in outstanding.batches_not_posted():
        yield Item(f"Batch {number} ({source}) is {state} and not in the balances.")


def _rows_waiting(close: Close) -> Iterator[Item]:
    since = datetime.combine(close.period.from_on, time.min, UTC)
    for each in outstanding.rows_waiting(since=since):
        what = f"{each.rejected} row(s) rejected, {each.held} held" if each.rejected or each.held else "refused"
        yield Item(f"{each.name}: {what}.", "delivery", {"delivery": str(each.delivery)})


def _feeds_missing(close: Close) -> Iterator[Item]:
    # A report of a quarter or a year is missed by the period in which its time ends.
    for each in reporting.missing_feeds(since=None, until=close.period.until_on, on=close.at.date()):
        if each.period_until > close.period.from_on:
            span = f"{each.period_from} until {each.period_until}"
            yield Item(f"{each.reporter} has not reported {each.stage} of {span}, due on {each.due_on}.")


def _rates_missing(close: Close) -> Iterator[Item]:
    functional = close.company.functional_currency
    open_ = {row.account.key.currency for row in _open_foreign(close)}
    for currency in placing.currencies_without_rate(open_, functional, close.last_on):
        yield Item(f"There is no rate of {currency} in {functional} for {close.last_on}.", "rates")


def _open_foreign(close: Close) -> Sequence[reading.Standing]:
    rows = reading.balances(close.company, kinds=tuple(REVALUED), as_of=close.last_on)
    return [row for row in rows if row.net and row.account.key.currency != close.company.functional_currency]


def _not_revalued(close: Close) -> Iterator[Item]:
    open_ = sorted({row.account.key.currency for row in _open_foreign(close)})
    if open_ and not exchange.revalued(close.company, close.period.from_on):
        yield Item(f"What is open in {', '.join(open_)} was not revalued for this period.")


def _not_provided(close: Close) -> Iterator[Item]:
    found = entering.missing(at=close.at)
    for code, item in found.items:
        if code == close.company.code:
            yield Item(
                f"{item.key}: live balances say {item.amount:f}, the books do not.",
                "balance",
                {"program": item.key.program, "payee": item.key.payee},
            )
    for fault in found.faults:
        yield Item(f"No place in the books: {fault}")


def _balances_unproven(close: Close) -> Iterator[Item]:
    last = proofs.last(proofs.Kind.BALANCES)
    if last is None:
        yield Item("Live balances were never proven against a calculation in full.")
    elif last.found:
        yield Item(f"{last.found} figure(s) differ. First: {last.faults[0]}")
    elif last.moment != balances.moment():
        yield Item(f"Balances were proven at {last.at:%Y-%m-%d %H:%M} UTC, and changed since.")


def _books_unproven(close: Close) -> Iterator[Item]:
    yield from _stale(close, proofs.Kind.BOOKS, reading.last_entry_at(close.company, until=close.period.until_on))


def _chain_unproven(close: Close) -> Iterator[Item]:
    yield from _stale(close, proofs.Kind.AUDIT_TRAIL, None)


def _stale(close: Close, kind: str, since: datetime | None) -> Iterator[Item]:
    last = proofs.last(kind)
    if last is None:
        yield Item("This was never proven.")
    elif last.found:
        yield Item(f"{last.found} fault(s). First: {last.faults[0]}")
    elif (since is not None and last.at < since) or last.at < close.at - timedelta(days=PROOF_DAYS_MAX):
        yield Item(f"Proven last at {last.at:%Y-%m-%d %H:%M} UTC; prove it again.")


def _not_finalised(close: Close) -> Iterator[Item]:
    done = unfinished.finalised()
    open_: dict[tuple[str, str], set[str]] = {}
    for row in reading.balances(close.company, kinds=(Kind.ACCRUED,), as_of=close.last_on):
        start, _, until = row.account.key.period.partition("/")
        first = date.fromisoformat(start) if start else None
        over = bool(until) and date.fromisoformat(until) <= close.period.until_on
        if row.net and over and (row.account.key.program, first) not in done:
            open_.setdefault((row.account.key.program, row.account.key.period), set()).add(row.account.key.payee)
    for (program, period), payees in sorted(open_.items()):
        text = f"{program}, {period}: {len(payees)} payee(s) are provided for and nothing is finalised."
        yield Item(text, "program", {"code": program})


def _requests_open(close: Close) -> Iterator[Item]:
    asked = requests.open_of(posting_kinds())
    for each in asked:
        about = each.facts.get("program") or each.facts.get("company") or each.subject
        yield Item(f"{each.label}: {about} waits for a decision.", "request", {"request_id": str(each.request)})
    decided = {(each.facts.get("program"), each.facts.get("from")) for each in asked if each.kind == finalising.KIND}
    for program, first, state in unfinished.under_way():
        if (program, str(first or "")) not in decided:
            yield Item(f"Finalising {program} from {first or 'its beginning'}: {state}.", "program", {"code": program})


B, E = Severity.BLOCKS, Severity.EXPLAIN
for _kind in (finalising.KIND, repairing.KIND, correcting.BATCH, correcting.LINE):
    posts(_kind)
for _code, _label, _severity, _mend, _look in (
    ("files_waiting", "Files and batches that are not posted", B, "Let the worker finish them.", _files_waiting),
    ("rates_missing", "Missing rates", B, "Load the rates of the period's last day.", _rates_missing),
    ("not_provided", "Differences between live balances and books", B, "Run the job `provide_missing`.", _not_provided),
    ("balances_unproven", "Live balances against a calculation in full", B, "Prove them here.", _balances_unproven),
    ("books_unproven", "Balances of the books against their postings", B, "Prove them here.", _books_unproven),
    ("chain_unproven", "Audit trail", B, "Prove it here.", _chain_unproven),
    ("rows_waiting", "Rows that did not load", E, "Repair them, or say why they may wait.", _rows_waiting),
    ("feeds_missing", "Missing feeds of expected reporters", E, "Ask for them, or say why not.", _feeds_missing),
    ("not_revalued", "Revaluation", E, "Revalue open foreign balances, or say why not.", _not_revalued),
    ("not_finalised", "Ended periods of programs", E, "Finalise them, or say why they may wait.", _not_finalised),
    ("requests_open", "Requests that would post", E, "Decide them, or say why they may wait.", _requests_open),
):
    register(Check(code=_code, label=_label, severity=_severity, mend=_mend, look=_look))
