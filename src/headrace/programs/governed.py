"""What governance says about versions: a port that an app above fills, and that programs ask without knowing who answers.

Alone, programs live by terms and a second person (`Ungoverned`). Guardrails, effects, enrolments and budgets stand behind it
(decision 0140).
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headrace.engine.findings import Finding
from headrace.engine.terms import Terms
from headrace.engine.terms.model import Input
from headrace.foundation.people import Person
from headrace.workflow.policies import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A version as governance looks at it. before: the versions of its program whose balances are kept, by number.

    editors: ids of everybody who wrote at it.
    """

    version: uuid.UUID
    program: str
    terms: Terms
    terms_hash: str
    before: tuple[Terms, ...]
    author: Person
    editors: tuple[str, ...]


class Ungoverned:
    """Nothing is said. Whoever governs overrides what it has a word in."""

    def findings(self, subject: Subject, at: datetime) -> Sequence[Finding]:
        """Say what stands against a version; an error keeps it from being submitted and from coming into force."""
        return ()

    def reviews(self, subject: Subject, by: Person, at: datetime) -> bool:
        """Tell whether governance opens the request itself, by a job that it has queued."""
        return False

    def stages(self, subject: Subject, at: datetime) -> Sequence[Stage]:
        """Give the stages that its request needs after those of the policy."""
        return ()

    def approved(self, subject: Subject, facts: Mapping[str, Any], at: datetime) -> None:
        """Follow the approval of a version, in its act."""

    def activating(self, subject: Subject, at: datetime) -> None:
        """Refuse what must not come into force; asked before anything is locked, so it may take its time."""

    def activated(self, subject: Subject, by: Person, at: datetime) -> None:
        """Refuse or follow a version's coming into force, in its act, with its program held."""

    def inputs(self, programs: Collection[str]) -> Mapping[str, tuple[Input, ...]]:
        """Give further rows of `inputs` by program: who was enrolled since the terms were approved."""
        return {}

    def unexplained(self, what: str, program: str, reason: str, by: Person, at: datetime) -> None:
        """Record an attempt to owe what no approved version explains; called after it was refused."""


_governor: Ungoverned = Ungoverned()


def governed_by(governor: Ungoverned) -> None:
    """Have these words asked for from now on."""
    global _governor  # noqa: PLW0603 (one installation is governed by one app)
    _governor = governor


def governor() -> Ungoverned:
    """Give who governs."""
    return _governor


def enrolled(terms: Sequence[Terms]) -> tuple[Terms, ...]:
    """Give terms that ask for enrolment with the enrolments that governance adds behind their own inputs."""
    further = _governor.inputs({each.program for each in terms})
    return tuple(
        each.model_copy(update={"inputs": (*each.inputs, *further[each.program])})
        if each.enrolled and further.get(each.program)
        else each
        for each in terms
    )
