"""Proofs that are kept: live balances equal a calculation in full, balances their postings, the audit chain itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from headrace.closing import alarms
from headrace.closing.models import Proof
from headrace.foundation import access, acts, audit
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger import proof as books
from headrace.programs import balances

Kind = Proof.Kind
_MESSAGES = {
    Kind.BALANCES: "{found} figure(s) of live balances are not what a calculation in full gives. Finalise nothing before.",
    Kind.BOOKS: "{found} balance(s) or entries of the books are not as they were posted.",
    Kind.AUDIT_TRAIL: "{found} link(s) of the audit trail do not verify.",
}


class _Made(NamedTuple):
    moment: str
    checked: int
    faults: Sequence[str]


def prove(kind: str, *, at: datetime) -> int:
    """Make one proof, keep it, and raise or clear the alarm of its kind; give how many faults it found.

    Raises Refusal `not_caught_up` where files kept coming in while balances were proven: then nothing is kept.
    """
    made = _MAKE[Kind(kind)]()
    with acts.act("prove", at=at):
        Proof(
            kind=kind, at=at, moment=made.moment, checked=made.checked, found=len(made.faults),
            faults=list(made.faults[: alarms.SHOWN_MAX]),
        ).save()  # fmt: skip
        if made.faults:
            message = _MESSAGES[Kind(kind)].format(found=len(made.faults))
            alarms.sound(kind=f"proof_{kind}", message=message, faults=made.faults, at=at)
        else:
            alarms.clear(kind=f"proof_{kind}", because=f"Proven at {at:%Y-%m-%d %H:%M} UTC: nothing differs.", at=at)
    return len(made.faults)


def ask_for_proofs(*, by: Person, at: datetime) -> None:
    """Queue all proofs."""
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    from headrace.closing.tasks import prove_audit_trail, prove_balances, prove_books

    with acts.act("ask_for_proofs", at=at):
        for task in (prove_balances, prove_books, prove_audit_trail):
            task.enqueue()


def last(kind: str) -> Proof | None:
    """Give the last proof of a kind."""
    return Proof.objects.filter(kind=kind).order_by("-at").first()


def _balances() -> _Made:
    compared = balances.compare()
    return _Made(
        compared.moment,
        compared.standing,
        [
            f"{each.record}: {each.column} stands {each.written}, computed {each.computed}"
            for each in compared.differences
        ],
    )


def _books() -> _Made:
    proven = books.prove()
    return _Made("", proven.balances + proven.entries, [each.message for each in proven.findings])


def _audit_trail() -> _Made:
    verified = audit.verify()
    return _Made(str(verified.head), verified.links, [each.message for each in verified.findings])


_MAKE = {Kind.BALANCES: _balances, Kind.BOOKS: _books, Kind.AUDIT_TRAIL: _audit_trail}
