"""Terms and their versions: drafted by one person, approved by another, then in force."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
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
from headrace.programs import governed
from headrace.programs.governed import Subject
from headrace.programs.models import Program, Version
from headrace.programs.states import events, move
from headrace.runs.record import document as document_of
from headrace.sales import references
from headrace.sales.lake import opened
from headrace.workflow import requests
from headrace.workflow.policies import Stage

KIND = "program_version"
_NEEDS = {
    "submit": Permission.AUTHOR_TERMS,
    "reopen": Permission.AUTHOR_TERMS,
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
    """Submit a draft, or activate, reopen, suspend, resume or end a version.

    Refused where its state, its approval or its governance is against it.
    """
    needs = _NEEDS.get(event)
    if needs is None:
        raise Refusal("step_unknown", f"{event!r} is nothing that is done with a version.")
    access.require(by, VENDOR, needs, at.date())
    try:
        if event == "activate" and _known(version).state == Version.State.APPROVED:
            governed.governor().activating(subject(version), at)
        return _step(version, event, by, at)
    except Refusal as refusal:
        if refusal.code == "terms_not_approved":
            of = subject(version)
            governed.governor().unexplained("activate_version", of.program, refusal.message, by, at)
        raise


def _step(version: uuid.UUID, event: str, by: Person, at: datetime) -> Version:
    with acts.act(f"{event}_version", at=at):
        known = _known(version)
        program = Program.locked(known.program_id)
        moved = Version.locked(version)
        move(moved, event)
        if event == "submit":
            _refuse_faulty(program, moved)
            of = _subject(moved)
            _refuse_against(of, at)
            moved.save()
            if not governed.governor().reviews(of, by, at):
                open_review(version=version, facts={}, further=(), by=by, at=at)
        elif event == "activate":
            _refuse_unapproved(moved)
            _refuse_faulty(program, moved)
            of = _subject(moved)
            _refuse_against(of, at)
            governed.governor().activated(of, by, at)
            moved.activated_at = at
        moved.save()
        if event == "activate":
            from headrace.programs.tasks import bring_up_balances

            bring_up_balances.enqueue()
    return moved


def open_review(
    *, version: uuid.UUID, facts: Mapping[str, Any], further: Sequence[Stage], by: Person, at: datetime
) -> None:
    """Open the request about a version in review. facts: beside the terms, frozen with them. further: stages after the policy's.

    Where the version is not in review any more, nothing is done.
    """
    with acts.act("open_review", at=at):
        Program.locked(_known(version).program_id)
        row = Version.locked(version)
        if row.state != Version.State.IN_REVIEW:
            return
        of = _subject(row)
        told = {
            "program": of.program,
            "version": row.number,
            "terms_hash": row.terms_hash,
            "amends": [terms_hash(each) for each in of.before],
            "says": describe(of.terms),
            **facts,
        }
        stages = (*governed.governor().stages(of, at), *further)
        requests.ask(kind=KIND, subject=str(version), facts=told, by=by, barred=row.editors, further=stages, at=at)


def return_to_draft(*, version: uuid.UUID, at: datetime) -> None:
    """Give a version in review back to its author, before anybody was asked."""
    with acts.act("return_version", at=at):
        row = Version.locked(version)
        if row.state == Version.State.IN_REVIEW:
            move(row, "reject")
            row.save()


def subject(version: uuid.UUID) -> Subject:
    """Give a version as governance looks at it. Refused as `version_unknown` where there is none."""
    return _subject(_known(version))


def findings(version: uuid.UUID, viewer: Person, *, at: datetime) -> tuple[Finding, ...]:
    """Say what governance has against a version as it stands. For people of the vendor who may read all."""
    access.require(viewer, VENDOR, Permission.READ_ALL, at.date())
    return tuple(governed.governor().findings(subject(version), at))


def _known(version: uuid.UUID) -> Version:
    known: Version | None = Version.objects.filter(pk=version).first()
    if known is None:
        raise Refusal("version_unknown", "There is no such version. Load the page of programs again.")
    return known


def _subject(row: Version) -> Subject:
    kept = Version.objects.filter(program_id=row.program_id, state__in=IN_FORCE).exclude(pk=row.pk).order_by("number")
    return Subject(
        version=row.pk,
        program=row.program.code,
        terms=Terms.model_validate(row.document),
        terms_hash=row.terms_hash,
        before=tuple(Terms.model_validate(each.document) for each in kept),
        author=row.author,
        editors=tuple(row.editors),
    )


def _refuse_against(of: Subject, at: datetime) -> None:
    against = governed.governor().findings(of, at)
    if has_errors(against):
        raise Refusal("guardrail", _faults(against, "is against a guardrail"), findings=tuple(against))


def _refuse_faulty(program: Program, version: Version) -> None:
    """Refuse a version that does not go with its other versions, or asks for columns that no table in force has."""
    others = Version.objects.filter(program=program).exclude(state__in=("draft", "in_review")).exclude(pk=version.pk)
    together = [Terms.model_validate(row.document) for row in (*others.order_by("number"), version)]
    with opened() as lake:
        columns = rule_columns(references.tables(lake))
    _, found = loads(dump(*together), program.code, columns=columns)
    if has_errors(found):
        raise Refusal("terms_faulty", _faults(found, "does not fit what is there"), findings=found)


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
    in_force = [terms_hash(each) for each in _subject(version).before]
    if facts.get("amends", in_force) != in_force:
        raise Refusal(
            "amendment_overtaken",
            f"Since version {version.number} was reviewed, another version of the program came into force. Reopen it and submit "
            "it again, so that it is reviewed against what is in force.",
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


def _approved(of: str, by: Person, at: datetime) -> None:
    version = Version.locked(uuid.UUID(of))
    move(version, "approve")
    version.save()
    facts = requests.approved_facts(KIND, of)
    assert facts is not None, "the request was approved in this act"
    governed.governor().approved(_subject(version), facts, at)


def _rejected(of: str, by: Person, reason: str, at: datetime) -> None:
    version = Version.locked(uuid.UUID(of))
    move(version, "reject")
    version.save()


requests.ends(KIND, requests.Ending(approved=_approved, rejected=_rejected))


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest version of a program."""

    terms: Terms
    state: str


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
    return governed.enrolled([Terms.model_validate(row.document) for row in rows])


def latest_agreed(code: str) -> Terms:
    """Give the newest terms of a program that were approved. Refused as `program_unknown` where none were."""
    rows = Version.objects.filter(program__code=code).exclude(state__in=("draft", "in_review", "ended"))
    newest = rows.order_by("-number").first()
    if newest is None:
        raise Refusal("program_unknown", f"No version of {code} is approved. Have one approved first.")
    return Terms.model_validate(newest.document)


def newest(code: str) -> Newest:
    """Give the newest version of a program, whatever its state. Refused as `program_unknown` where there is none."""
    row = Version.objects.filter(program__code=code).order_by("-number").first()
    if row is None:
        raise Refusal("program_unknown", "There is no such program. Load the page of programs again.")
    return Newest(Terms.model_validate(row.document), row.state)


def hold(code: str) -> None:
    """Hold a program until the transaction ends, so that what is decided about it follows one another."""
    Program.locked(Program.objects.get(code=code).pk)


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
