"""Terms and their versions: drafted by one person, approved by another, then in force."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headrace.engine.findings import Finding, Refusal, has_errors
from headrace.engine.rulebook import rule_columns
from headrace.engine.schema import Tables
from headrace.engine.terms import Terms, describe, dump, loads, terms_hash
from headrace.foundation import access, acts
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.programs.models import Program, Version
from headrace.programs.states import events, move
from headrace.runs.record import document as document_of
from headrace.sales import references
from headrace.sales.lake import opened
from headrace.workflow import requests

KIND = "program_version"
_NEEDS = {
    "submit": Permission.AUTHOR_TERMS,
    "activate": Permission.RUN_PROGRAM,
    "suspend": Permission.RUN_PROGRAM,
    "resume": Permission.RUN_PROGRAM,
    "end": Permission.RUN_PROGRAM,
}
IN_FORCE = (Version.State.ACTIVE, Version.State.SUSPENDED, Version.State.ENDED)
"""Once in force, what a version promised stays owed, and late lines still count: its balances are kept for good."""


def draft(*, text: str, by: Person, at: datetime) -> Version:
    """Write a program document: a new program, a new version of one, or a draft anew.

    Refused with every fault as a finding (`terms_faulty`), if it is not one document, or if that version left its draft.
    """
    access.require(by, VENDOR, Permission.AUTHOR_TERMS, at.date())
    terms = _read(text)
    with acts.act("draft_terms", at=at):
        program = Program.objects.filter(code=terms.program).first()
        if program is None:
            program = Program(code=terms.program, owner=by, opened_at=at)
            program.save()
        program = Program.locked(program.pk)
        version = Version.objects.filter(program=program, number=terms.version).first()
        if version is None:
            last = Version.objects.filter(program=program).order_by("-number").first()
            if last is not None and last.number > terms.version:
                raise Refusal(
                    "version_behind",
                    f"{terms.program} has a version {last.number}; a new one has a higher number than that.",
                )
            version = Version(program=program, number=terms.version)
        elif version.state != Version.State.DRAFT:
            raise Refusal(
                "version_taken",
                f"Version {terms.version} of {terms.program} is {version.state.replace('_', ' ')} and never changes. "
                "Give the changed terms a higher version number.",
            )
        version.written, version.document = text, document_of(terms)
        version.terms_hash, version.author, version.drafted_at = terms_hash(terms), by, at
        version.editors = sorted({*version.editors, str(by.pk)})
        version.save()
    return version


def step(*, version: uuid.UUID, event: str, by: Person, at: datetime) -> Version:
    """Submit a draft, or activate, suspend, resume or end a version. Refused where its state or its approval is against it."""
    needs = _NEEDS.get(event)
    if needs is None:
        raise Refusal("step_unknown", f"{event!r} is nothing that is done with a version.")
    access.require(by, VENDOR, needs, at.date())
    with acts.act(f"{event}_version", at=at):
        known = Version.objects.filter(pk=version).first()
        if known is None:
            raise Refusal("version_unknown", "There is no such version. Load the page of programs again.")
        program = Program.locked(known.program_id)
        moved = Version.locked(version)
        move(moved, event)
        if event == "submit":
            _refuse_faulty(program, moved)
            _ask(program, moved, by, at)
        elif event == "activate":
            _refuse_unapproved(moved)
            _refuse_faulty(program, moved)
            moved.activated_at = at
        moved.save()
        if event == "activate":
            from headrace.programs.tasks import bring_up_balances

            bring_up_balances.enqueue()
    return moved


def _ask(program: Program, version: Version, by: Person, at: datetime) -> None:
    terms = Terms.model_validate(version.document)
    facts = {
        "program": program.code,
        "version": version.number,
        "terms_hash": version.terms_hash,
        "says": describe(terms),
    }
    requests.ask(kind=KIND, subject=str(version.pk), facts=facts, by=by, barred=version.editors, at=at)


def _refuse_faulty(program: Program, version: Version) -> None:
    """Refuse a version that does not go with its other versions, or asks for columns that no table in force has."""
    others = Version.objects.filter(program=program).exclude(state__in=("draft", "in_review")).exclude(pk=version.pk)
    together = [Terms.model_validate(row.document) for row in (*others.order_by("number"), version)]
    with opened() as lake:
        columns = rule_columns(references.tables(lake))
    _, findings = loads(dump(*together), program.code, columns=columns)
    if has_errors(findings):
        raise Refusal("terms_faulty", _faults(findings, "does not fit what is there"), findings=findings)


def faults_against(tables: Tables) -> list[Finding]:
    """List why versions in force could not be calculated over the tables."""
    columns = rule_columns(tables)
    faults: list[Finding] = []
    for row in Version.objects.filter(state__in=IN_FORCE).select_related("program"):
        _, findings = loads(dump(Terms.model_validate(row.document)), row.program.code, columns=columns)
        faults += [each for each in findings if each.severity == "error"]
    return faults


references.checked_by(faults_against)


def _refuse_unapproved(version: Version) -> None:
    """Refuse a version whose very terms nobody approved: no amount is owed that no approved version explains."""
    facts = requests.approved_facts(KIND, str(version.pk))
    computed = terms_hash(Terms.model_validate(version.document))
    if facts is None or {facts["terms_hash"], computed} != {version.terms_hash}:
        raise Refusal(
            "terms_not_approved",
            f"The terms of version {version.number} are not those that were approved. Draft a new version and submit it.",
        )


def _read(text: str) -> Terms:
    read, findings = loads(text, "the document")
    if has_errors(findings):
        raise Refusal("terms_faulty", _faults(findings, "cannot be taken"), findings=findings)
    if len(read) != 1:
        raise Refusal("one_document", f"A version is one program document; this text holds {len(read)}.")
    return read[0]


def _faults(findings: Iterable[Finding], what: str) -> str:
    errors = [each.message for each in findings if each.severity == "error"]
    return f"The document {what}; it has {len(errors)} fault{'s' if len(errors) != 1 else ''}: {' '.join(errors[:3])}"


def _ended(event: str) -> Any:
    def follow(subject: str, *_: Any) -> None:
        version = Version.locked(uuid.UUID(subject))
        move(version, event)
        version.save()

    return follow


requests.ends(KIND, requests.Ending(approved=_ended("approve"), rejected=_ended("reject")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One version, as pages show it. says: its terms in words. steps: what its state allows."""

    version: uuid.UUID
    program: str
    number: int
    state: str
    name: str
    written: str
    says: tuple[str, ...]
    author: str
    drafted_at: datetime
    activated_at: datetime | None
    steps: tuple[str, ...]


def listed(viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List all versions, by program, the latest first. For people of the vendor who may read all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    rows = Version.objects.select_related("program", "author").order_by("program__code", "-number")
    return tuple(_shown(row, viewer, at) for row in rows)


def shown(version: Version, viewer: Person, *, at: datetime) -> Shown:
    """Give a version that the viewer just made or moved."""
    return _shown(version, viewer, at)


def of_program(code: str, viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List the versions of one program. Refused as `program_unknown` where there is none."""
    found = tuple(each for each in listed(viewer, at=at) if each.program == code)
    if not found:
        raise Refusal("program_unknown", "There is no such program. Load the page of programs again.")
    return found


def terms_in_force(code: str) -> tuple[Terms, ...]:
    """Give the versions of a program whose balances are kept; refused while one is suspended, or where there is none."""
    rows = list(Version.objects.filter(program__code=code, state__in=IN_FORCE).order_by("number"))
    if not rows:
        raise Refusal("program_unknown", f"No version of {code} was ever in force.")
    if any(row.state == Version.State.SUSPENDED for row in rows):
        raise Refusal("program_suspended", f"{code} is suspended, so no period of it is finalised. Resume it first.")
    return tuple(Terms.model_validate(row.document) for row in rows)


def _shown(row: Version, viewer: Person, at: datetime) -> Shown:
    terms = Terms.model_validate(row.document)
    permissions = access.permitted(viewer, VENDOR, at.date())
    return Shown(
        version=row.pk,
        program=row.program.code,
        number=row.number,
        state=row.state,
        name=terms.name,
        written=row.written,
        says=tuple(describe(terms)),
        author=str(row.author),
        drafted_at=row.drafted_at,
        activated_at=row.activated_at,
        steps=tuple(each for each in events(row.state) if each in _NEEDS and _NEEDS[each] in permissions),
    )
