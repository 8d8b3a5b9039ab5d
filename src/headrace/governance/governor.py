"""What governance answers where programs asks (`programs.governed`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from headrace.foundation.people import Person
from headrace.governance import reviewing
from headrace.programs.governed import Subject, Ungoverned, governed_by


class Governor(Ungoverned):
    """The governance of this installation."""

    def reviews(self, subject: Subject, by: Person, at: datetime) -> bool:
        """Have an amendment's effect worked out before anybody is asked."""
        if not subject.before:
            return False
        reviewing.begin(subject, by, at)
        return True

    def approved(self, subject: Subject, facts: Mapping[str, Any], at: datetime) -> None:
        """Ask the partners who lose."""
        reviewing.approved(subject, facts, at)

    def activating(self, subject: Subject, at: datetime) -> None:
        """Refuse an amendment whose effect grew since it was approved."""
        reviewing.refuse_greater_effect(subject)

    def activated(self, subject: Subject, by: Person, at: datetime) -> None:
        """Refuse an amendment that a partner who loses has not accepted."""
        reviewing.refuse_unaccepted(subject)


governed_by(Governor())
