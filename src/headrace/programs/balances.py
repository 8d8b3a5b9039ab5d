"""Where everybody stands: live balances, brought to the present by a job, read under the eyes of a viewer.

People of the vendor see all; a partner sees what is its own, and what is another's does not exist.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import access
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.lake import Lake
from headrace.live import Posting, Standing
from headrace.programs import entering
from headrace.programs.book import DatabaseBook
from headrace.programs.live_totals import DatabaseTotals, alone
from headrace.runs.compare import Difference
from headrace.runs.live import Live
from headrace.sales import references
from headrace.sales.lake import opened
from headrace.sales.register import DatabaseRegister

_TRIES = 3
PARTNER = "partner"
SHOWN_MAX = 100


def bring_up() -> tuple[int, ...]:
    """Bring all balances to the present, and give the batches that this posted. May run at any time, also twice at once."""
    with opened() as lake, Live(lake, DatabaseBook()) as live:
        return live.catch_up().posted


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Live balances against a calculation in full. standing: how many statements there are. moment: what both were of."""

    standing: int
    differences: tuple[Difference, ...]
    moment: str


def compare() -> Compared:
    """Calculate everything in full, and say which figures do not stand as calculated. Changes nothing.

    Refused as `not_caught_up` where files kept coming in meanwhile, so that the two were never of one moment.
    """
    for _ in range(_TRIES):
        with opened() as lake, Live(lake, DatabaseBook()) as live:
            live.catch_up()
            before = _moment(lake)
            try:
                wrong = live.prove()
            except Refusal as refusal:
                if refusal.code != "not_caught_up":
                    raise
                continue
            standing, undisturbed = len(live.standings()), _moment(lake) == before
        if undisturbed:
            return Compared(standing=standing, differences=tuple(wrong), moment=before)
    raise Refusal("not_caught_up", "Files kept coming in while balances were proven. They are proven again tomorrow.")


def prove() -> int:
    """Compare, and give how many statements stand as calculated. Refused as `balances_differ` where a figure does not."""
    compared = compare()
    if wrong := compared.differences:
        first = "; ".join(f"{each.column}: stands {each.written}, computed {each.computed}" for each in wrong[:5])
        raise Refusal(
            "balances_differ",
            f"{len(wrong)} figure(s) of live balances are not what a calculation in full gives: {first}. Nothing was "
            "changed; report this before the next period is finalised.",
        )
    return compared.standing


def moment() -> str:
    """Name the present moment of balances: the last batch, the last change of what is earned, the reference tables in force."""
    with opened() as lake:
        return _moment(lake)


def provide_missing() -> None:
    """Provide in the books what was left out. Refused as `no_place`, after that, where amounts still have none."""
    with alone():
        faults = entering.catch_up(at=timezone.now())
    if faults:
        raise entering.told(faults)


def _moment(lake: Lake) -> str:
    tables = hashlib.sha256(repr(sorted(references.in_force().items())).encode()).hexdigest()[:16]
    return f"batch {lake.last_batch_seq()}, posting {DatabaseTotals().last_posting()}, tables {tables}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """The balances that a viewer sees. behind: programs that are being worked out anew, by the reason. more: not shown.

    waiting: how many batches are in the lake and not in these figures yet.
    """

    standings: tuple[Standing, ...]
    behind: Mapping[str, str]
    more: int
    waiting: int


def seen(
    viewer: Person,
    *,
    program: str | None = None,
    payee: str | None = None,
    at: datetime,
    most: int | None = SHOWN_MAX,
) -> Balances:
    """Give the balances that the viewer may see, of one program or payee where named. Refused to whoever may see none.

    most: so many at most; null gives all.
    """
    store, more = DatabaseTotals(), 0
    own = own_payees(viewer, at.date())
    if most is not None:
        found, more = store.page(program=program, payee=payee, own=own, most=most)
    elif own is None:
        found = store.standings(program=program, payee=payee)
    else:
        ids = sorted(own if payee is None else own & {payee})
        found = [
            each
            for one in ids
            for each in store.standings(program=program, payee=one)
            if each.key.payee_kind == PARTNER
        ]
    programs = {each.key.program for each in found}
    behind = {each.program: each.stale for each in store.followed() if each.stale and each.program in programs}
    return Balances(standings=tuple(found), behind=behind, more=more, waiting=len(DatabaseRegister().unposted()))


def of(program: str, payee: str, viewer: Person, *, at: datetime) -> tuple[tuple[Standing, ...], tuple[Posting, ...]]:
    """Give the balances of a payee in a program, and every change of them with its cause, the latest first.

    Refused as `balance_unknown` where there is none that the viewer may see.
    """
    found = seen(viewer, program=program, payee=payee, at=at).standings
    if not found:
        raise Refusal("balance_unknown", "There is no such balance.")
    postings = DatabaseTotals().postings(program=program, payee=payee)
    kinds = {each.key.payee_kind for each in found}
    return found, tuple(each for each in reversed(postings) if each.key.payee_kind in kinds)


def own_payees(viewer: Person, day: date) -> frozenset[str] | None:
    """Give whose money the viewer may see: null means everybody's. Refused where it is nobody's."""
    if Permission.READ_ALL in access.permitted(viewer, VENDOR, day):
        return None
    organisations = access.organisations_of(viewer, day) - {VENDOR}
    own = frozenset(each for each in organisations if Permission.READ_OWN in access.permitted(viewer, each, day))
    if not own:
        raise Refusal("not_permitted", "You have no role that sees balances. Ask an administrator for one.")
    return own


def totals(standings: tuple[Standing, ...]) -> dict[str, Decimal]:
    """Add up what is earned, by currency."""
    sums: dict[str, Decimal] = {}
    for each in standings:
        sums[each.currency] = sums.get(each.currency, Decimal(0)) + each.earned
    return sums
