"""Enters into the books what programs earn: provided with every batch, trued when a period is finalised (decision 0106).

Both run in the transaction that changes what is earned. The ledger is given whole entitlements and posts the difference.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import batched
from typing import NamedTuple

from django.db.models import Q

from headrace.engine.findings import Refusal
from headrace.engine.terms import Terms
from headrace.engine.terms.paying import Accrue
from headrace.foundation import access, acts, companies, events
from headrace.foundation.companies import Company
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger import flows, reading
from headrace.ledger.desk import Key
from headrace.ledger.flows import Item
from headrace.ledger.journal import Cause, Event, Posted, in_parts
from headrace.ledger.kinds import Kind
from headrace.programs.models import FinalPosting, FinalRun, LiveStatement, Version
from headrace.programs.placing import NOTHING, Claim, Owed, Placed, placed
from headrace.programs.unfinished import finalised as finalised_periods
from headrace.programs.versions import IN_FORCE

FINALISATION = "finalisation"
ACCRUALS_DUE = "accruals_due"
"""The event: something changed of programs that accrue otherwise than as achieved."""
_AT_ONCE = 5_000
_NAMED_MAX = 5
_SHOWN_MAX = 200

type Flow = Callable[[Event, list[Item]], Posted]


def provide(cause: str, changed: Collection[Claim], *, at: datetime) -> None:
    """Bring the provisions of what a batch or load changed to what live balances say. cause: `KIND:ID`.

    The caller holds the row of live balances. What has no place in the books is left to `catch_up`.
    """
    if not changed or not companies.listed():
        return
    kind, _, number = cause.partition(":")
    elsewhere = _accrued_elsewhere({each.program for each in changed})
    achieved = [each for each in changed if not elsewhere.holds(each)]
    if len(achieved) < len(changed):
        events.announce(ACCRUALS_DUE)
    live = _live({each.program for each in achieved}, {each.payee for each in achieved})
    owed = {each: live.get(each, NOTHING) for each in achieved}
    _post(flows.provide, Cause(kind, number), placed(owed, at.date()), at)


def finalised(run: FinalRun, *, at: datetime) -> None:
    """State what was earned and true the provision to it; then provide for what live balances say beyond it.

    The caller holds the row of live balances. Refused (`no_place`) where an amount has no place in the books.
    """
    day = run.begun_at.date()
    owed = _final(run)
    places = placed(owed, day)
    _refuse(places.faults)
    _post(flows.finalise, Cause(FINALISATION, run.run), places, at)
    live = _live({run.program}, {each.payee for each in owed})
    further = {each: live.get(each, NOTHING) for each in owed}
    further = {each: one for each, one in further.items() if one.amount != owed[each].amount}
    _post(flows.provide, Cause(FINALISATION, run.run, "later"), placed(further, day), at)
    if accruing({run.program}):
        # What the period held of stock is provided for no longer.
        events.announce(ACCRUALS_DUE)


def refuse_unplaced(amounts: Iterable[tuple[Claim, Decimal]], day: date) -> None:
    """Refuse as `no_place` what a finalisation would post and the books could not take."""
    if not companies.listed():
        raise Refusal("no_place", "There is no company, so there are no books to post to. An administrator opens one.")
    _refuse(placed({claim: Owed(amount, 0) for claim, amount in amounts}, day).faults)


def catch_up(*, at: datetime) -> tuple[str, ...]:
    """Provide what the books miss of live balances, and say what still has no place.

    The caller holds the row of live balances.
    """
    if not companies.listed():
        return ()
    places = _missing(at)
    _post(flows.provide, Cause("catch_up", at.isoformat()), places, at)
    return places.faults


class Missing(NamedTuple):
    """What live balances say and the books do not: of each company, and what has no place in the books, in words."""

    items: tuple[tuple[str, Item], ...]
    faults: tuple[str, ...]


def missing(*, at: datetime) -> Missing:
    """List what the books miss of live balances; nothing where no books are kept."""
    if not companies.listed():
        return Missing((), ())
    places = _missing(at)
    return Missing(tuple((code, each) for (code, _), some in places.items.items() for each in some), places.faults)


def _missing(at: datetime) -> Placed:
    elsewhere = _accrued_elsewhere(None)
    live = {each: one for each, one in _live(None, None).items() if not elsewhere.holds(each)}
    return placed(_moving(live), at.date())


def _moving(owed: Mapping[Claim, Owed]) -> dict[Claim, Owed]:
    """Give those whose provision would move.

    An estimate takes back no more than what is still accrued, so below that nothing does.
    """
    held, nothing = _charged(), _Held(Decimal(0), Decimal(0))
    return {
        each: one
        for each, one in owed.items()
        for kept in (held.get(each.key(), nothing),)
        if kept.charged != max(one.amount, kept.charged - kept.accrued)
    }


class Accrued(NamedTuple):
    """What terms accrue for a claim: on sales, and apart from it on stock in the channel."""

    sales: Owed
    stock: Decimal


def accrue(accrued: Mapping[Claim, Accrued], *, at: datetime) -> tuple[str, ...]:
    """Bring the provisions of programs that accrue otherwise than as achieved to what their terms say; give what has no place.

    The caller holds the row of live balances. A period that is finalised is provided for by what it earned, and holds no stock.
    A claim that is not named any more is provided for no longer.
    """
    elsewhere = _accrued_elsewhere(None)
    owed = {each: one.sales for each, one in accrued.items() if elsewhere.holds(each)}
    stock = {each: Owed(one.stock, one.sales.version) for each, one in accrued.items() if elsewhere.holds(each)}
    for claim, kind in _standing_claims():
        if kind is Kind.ACCRUED_STOCK:
            stock.setdefault(claim, NOTHING)
        elif elsewhere.holds(claim):
            owed.setdefault(claim, NOTHING)
    held = _estimated()
    stock = {each: one for each, one in stock.items() if held.get(each.key(), Decimal(0)) != one.amount}
    places = placed(_moving(owed), at.date())
    on_stock = placed(stock, at.date())
    _post(flows.provide, Cause("accrual", at.isoformat()), places, at)
    _post(partial(flows.estimate, of=Kind.ACCRUED_STOCK), Cause("accrual", at.isoformat(), "stock"), on_stock, at)
    return (*places.faults, *on_stock.faults)


class _Elsewhere(NamedTuple):
    """Programs that accrue otherwise than as achieved, and their periods that are finalised."""

    programs: frozenset[str]
    finalised: frozenset[tuple[str, date | None]]

    def holds(self, claim: Claim) -> bool:
        """Tell whether the claim is provided for by what the terms accrue."""
        return claim.program in self.programs and (claim.program, claim.from_) not in self.finalised


def _accrued_elsewhere(programs: Collection[str] | None) -> _Elsewhere:
    found = accruing(programs)
    return _Elsewhere(found, finalised_periods() if found else frozenset())


def accruing(programs: Collection[str] | None = None) -> frozenset[str]:
    """Give the programs, of these or of all, of which some version in force accrues otherwise than as achieved."""
    rows = Version.objects.filter(state__in=IN_FORCE)
    if programs is not None:
        rows = rows.filter(program__code__in=programs)
    documents = rows.values_list("program__code", "document")
    # A document holds what differs from the defaults, so most of them are not read in full.
    return frozenset(
        program
        for program, document in documents
        if document.get("accrue") and Terms.model_validate(document).accrue != Accrue()
    )


def _standing_claims() -> Iterator[tuple[Claim, Kind]]:
    """Give the claims that the books provide for, on sales or on stock."""
    for company in companies.listed():
        for one in reading.balances(company, kinds=(Kind.ACCRUED, Kind.ACCRUED_STOCK)):
            key = one.account.key
            if one.net:
                start, _, until = key.period.partition("/")
                first, end = (date.fromisoformat(each) if each else None for each in (start, until))
                yield Claim(key.program, key.payee_kind, key.payee, first, end, key.currency), one.account.kind


def _estimated() -> dict[Key, Decimal]:
    sums: dict[Key, Decimal] = {}
    for company in companies.listed():
        for one in reading.balances(company, kinds=(Kind.ACCRUED_STOCK,)):
            sums[one.account.key] = sums.get(one.account.key, Decimal(0)) - one.amount
    return sums


class Entries(NamedTuple):
    """What a statement became in the books of a company."""

    company: Company
    lines: tuple[reading.Line, ...]


def entries_of(run: str, payee: str, viewer: Person, *, at: datetime) -> tuple[Entries, ...]:
    """Give the postings of a final run for a payee, by company; none to whoever may not read the books."""
    if Permission.READ_LEDGER not in access.permitted(viewer, VENDOR, at.date()):
        return ()
    found = (
        Entries(each, reading.postings(each, payee=payee, cause=(FINALISATION, run), size=_SHOWN_MAX))
        for each in companies.listed()
    )
    return tuple(each for each in found if each.lines)


def _post(flow: Flow, cause: Cause, places: Placed, at: datetime) -> None:
    """Post one entry for each company and day, all in one act."""
    if not places.items:
        return
    known = {each.code: each for each in companies.listed()}
    with acts.act(f"post_{cause.kind}", at=at):
        for (code, on), items in places.items.items():
            for number, some in in_parts(items, flows.ITEMS_MAX):
                part = "/".join(text for text in (cause.part, code, str(on), number) if text)
                event = Event(company=known[code], cause=Cause(cause.kind, cause.id, part), on=on, at=at)
                flow(event, list(some))


def _refuse(faults: Collection[str]) -> None:
    if faults:
        raise told(faults)


def told(faults: Collection[str]) -> Refusal:
    """Say what has no place in the books."""
    named = " ".join(sorted(faults)[:_NAMED_MAX])
    return Refusal("no_place", f"{len(faults)} amount(s) have no place in the books. {named}")


def _live(programs: Collection[str] | None, payees: Collection[str] | None) -> dict[Claim, Owed]:
    """Add up live statements over their scopes: of these payees in these programs, or all."""
    rows = LiveStatement.objects.order_by()
    if programs is not None:
        rows = rows.filter(program__in=programs)
    parts = (
        [rows]
        if payees is None
        else [rows.filter(payee_id__in=some) for some in batched(sorted(payees), _AT_ONCE, strict=False)]
    )
    names = ("program", "payee_kind", "payee_id", "period_from", "period_until", "currency", "earned", "version")
    sums: dict[Claim, Owed] = {}
    for part in parts:
        for *named, earned, version in part.values_list(*names):
            _add(sums, Claim(*named), earned, version)
    return sums


def _final(run: FinalRun) -> dict[Claim, Owed]:
    """Add up everything that was finalised in the periods of a run: of its own period also what came to nothing."""
    touched = list(run.postings.values_list("payee_id", "period_from").distinct())
    starts = {run.period_from, *(start for _, start in touched)}
    days = Q(period_from__in=[each for each in starts if each is not None])
    days = days | Q(period_from__isnull=True) if None in starts else days
    names = ("program", "payee_kind", "payee_id", "period_from", "period_until", "currency")
    sums: dict[Claim, Owed] = {}
    for named in LiveStatement.objects.filter(program=run.program, period_from=run.period_from).values_list(*names):
        sums[Claim(*named)] = NOTHING
    final = FinalPosting.objects.filter(days, program=run.program, run__state="final")
    for *named, amount in final.values_list(*names, "amount"):
        _add(sums, Claim(*named), amount, 0)
    mine = set(touched)
    return {
        each: one for each, one in sums.items() if each.from_ == run.period_from or (each.payee, each.from_) in mine
    }


def _add(sums: dict[Claim, Owed], claim: Claim, amount: Decimal, version: int) -> None:
    before = sums.get(claim, NOTHING)
    sums[claim] = Owed(before.amount + amount, max(before.version, version))


class _Held(NamedTuple):
    """The entitlement that the books account for, and what of it is accrued and not approved yet."""

    charged: Decimal
    accrued: Decimal


def _charged() -> dict[Key, _Held]:
    sums: dict[Key, _Held] = {}
    for company in companies.listed():
        for one in reading.balances(company, kinds=(Kind.CONTRA_REVENUE, Kind.OPENING, Kind.ACCRUED)):
            charged, accrued = sums.get(one.account.key, (Decimal(0), Decimal(0)))
            if one.account.kind is Kind.ACCRUED:
                accrued -= one.amount
            else:
                charged += one.amount
            sums[one.account.key] = _Held(charged, accrued)
    return sums
