"""What governance answers where programs asks (`programs.governed`)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from headrace.engine.findings import Finding
from headrace.engine.terms.model import Input
from headrace.foundation.people import Person
from headrace.governance import assigning, guardrails, reviewing
from headrace.programs.governed import Subject, Ungoverned, governed_by
from headrace.workflow.policies import Stage


class Governor(Ungoverned):
    """The governance of this installation."""

    def findings(self, subject: Subject, at: datetime) -> Sequence[Finding]:
        """Say which guardrails the terms do not keep."""
        return guardrails.findings(subject, at)

    def stages(self, subject: Subject, at: datetime) -> Sequence[Stage]:
        """Give the stages of mandatory reviewers."""
        return guardrails.stages(subject, at)

    def reviews(self, subject: Subject, by: Person, at: datetime) -> bool:
        """Have an amendment's effect, and what is tried on history, worked out before anybody is asked."""
        if not subject.before and not guardrails.stacks(subject, at):
            return False
        reviewing.begin(subject, by, at)
        return True

    def inputs(self, programs: Collection[str]) -> Mapping[str, tuple[Input, ...]]:
        """Give who was enrolled by assignment."""
        return assigning.inputs(programs)

    def approved(self, subject: Subject, facts: Mapping[str, Any], at: datetime) -> None:
        """Ask the partners who lose."""
        reviewing.approved(subject, facts, at)

    def activating(self, subject: Subject, at: datetime) -> None:
        """Refuse what does not keep the stack, and an amendment whose effect grew since it was approved."""
        reviewing.refuse_stacked(subject, at)
        reviewing.refuse_greater_effect(subject)

    def activated(self, subject: Subject, by: Person, at: datetime) -> None:
        """Refuse an amendment that a partner who loses has not accepted."""
        reviewing.refuse_unaccepted(subject)


governed_by(Governor())
