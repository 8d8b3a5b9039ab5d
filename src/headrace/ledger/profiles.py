"""What the general ledger must know: its account for a kind of account by program type, and each program's type and cost centre.

Finance asks for a change, and a second person decides (`workflow.requests`); what is in force is what was approved last.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headrace.engine.findings import Refusal
from headrace.foundation import access, companies
from headrace.foundation.companies import Company
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.ledger.kinds import MEMORANDA, Kind
from headrace.ledger.models import PostingProfile, ProgramProfile
from headrace.workflow import requests

ACCOUNT, PROGRAM = "posting_profile", "program_profile"
_LONG_MAX = 60


def ask_account(
    *, company: Company, kind: Kind, account: str, program_type: str = "", by: Person, at: datetime
) -> uuid.UUID:
    """Ask for the general ledger's account for a kind of account, for programs of one type, or (empty) of all others.

    Which account contra-revenue has for a type says whether its programs are charged to revenue or to an expense.
    """
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    if not _fits(account) or len(program_type) > _LONG_MAX or kind in MEMORANDA:
        raise Refusal("profile", f"“{kind.label}” needs the number of an account, unless it is kept beside the books.")
    facts = {
        "company": company.code, "program_type": program_type.strip(), "kind": kind.value, "account": account.strip(),
    }  # fmt: skip
    subject = f"{company.code}/{program_type.strip()}/{kind.value}"
    return requests.ask(kind=ACCOUNT, subject=subject, facts=facts, by=by, at=at)


def ask_program(*, program: str, program_type: str, cost_centre: str, by: Person, at: datetime) -> uuid.UUID:
    """Ask to say of which type a program is, which picks its accounts, and whose cost centre bears it."""
    access.require(by, VENDOR, Permission.CLOSE_PERIOD, at.date())
    if not program.strip() or len(program.strip()) > 100 or not _fits(program_type) or len(cost_centre) > _LONG_MAX:
        raise Refusal("profile", "Name the program and its type; a type or cost centre has at most 60 characters.")
    facts = {"program": program.strip(), "program_type": program_type.strip(), "cost_centre": cost_centre.strip()}
    return requests.ask(kind=PROGRAM, subject=program.strip(), facts=facts, by=by, at=at)


def _fits(text: str) -> bool:
    return 0 < len(text.strip()) <= _LONG_MAX


def _facts(kind: str, subject: str) -> Mapping[str, Any]:
    facts = requests.approved_facts(kind, subject)
    assert facts is not None, "it was approved in this act"
    return facts


def _set_account(subject: str, by: Person, at: datetime) -> None:
    facts = _facts(ACCOUNT, subject)
    named = {"company": companies.find(facts["company"]), "program_type": facts["program_type"], "kind": facts["kind"]}
    row = PostingProfile.objects.filter(**named).first() or PostingProfile(**named)
    row.account = facts["account"]
    row.save()


def _set_program(subject: str, by: Person, at: datetime) -> None:
    facts = _facts(PROGRAM, subject)
    row = ProgramProfile.objects.filter(program=facts["program"]).first() or ProgramProfile(program=facts["program"])
    row.type, row.cost_centre = facts["program_type"], facts["cost_centre"]
    row.save()


def _left(subject: str, by: Person, reason: str, at: datetime) -> None:
    """Leave what is in force as it is."""


requests.ends(ACCOUNT, requests.Ending(approved=_set_account, rejected=_left))
requests.ends(PROGRAM, requests.Ending(approved=_set_program, rejected=_left))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """What is in force. accounts: company, program type, kind, account; programs: program, type, cost centre."""

    accounts: tuple[tuple[str, str, str, str], ...]
    programs: tuple[tuple[str, str, str], ...]


def in_force(viewer: Person, *, at: datetime) -> Profiles:
    """Give the profiles, for people who read the books."""
    access.require(viewer, VENDOR, Permission.READ_LEDGER, at.date())
    accounts = PostingProfile.objects.order_by("company__code", "program_type", "kind")
    programs = ProgramProfile.objects.order_by("program")
    return Profiles(
        accounts=tuple(accounts.values_list("company__code", "program_type", "kind", "account")),
        programs=tuple(programs.values_list("program", "type", "cost_centre")),
    )
