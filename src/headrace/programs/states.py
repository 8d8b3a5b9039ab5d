"""The life of a version: which event leads from which state to which. Whatever is not here is refused."""

from headrace.engine.findings import Refusal
from headrace.programs.models import Version

LIFE: dict[tuple[str, str], str] = {
    ("draft", "submit"): "in_review",
    ("in_review", "approve"): "approved",
    ("in_review", "reject"): "draft",
    ("approved", "activate"): "active",
    ("approved", "reopen"): "draft",
    ("active", "suspend"): "suspended",
    ("suspended", "resume"): "active",
    ("active", "end"): "ended",
    ("suspended", "end"): "ended",
}


def events(state: str) -> tuple[str, ...]:
    """Give the events that a state allows."""
    return tuple(event for (before, event) in LIFE if before == state)


def move(version: Version, event: str) -> None:
    """Bring a version to the state that the event leads to. Refused as `version_state` where it leads nowhere."""
    after = LIFE.get((version.state, event))
    if after is None:
        raise Refusal(
            "version_state",
            f"Version {version.number} is {version.state.replace('_', ' ')}, so it cannot be done: {event}. Load the page again.",
        )
    version.state = after
