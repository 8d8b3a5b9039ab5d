"""What a posting opens to: the apps above say how a cause of theirs is shown."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.ledger.desk import Key


@dataclass(frozen=True, slots=True)
class Opened:
    """A cause in words. address: the page that shows it, null where it has none."""

    text: str
    address: str | None = None


_RESOLVERS: dict[str, Callable[[str, Key], Opened]] = {}


def show_as(kind: str, resolver: Callable[[str, Key], Opened]) -> None:
    """Say how causes of this kind are shown; the resolver gets the cause's id, and whom and what a posting is about."""
    assert _RESOLVERS.get(kind, resolver) is resolver, f"causes of kind {kind} are shown already"
    _RESOLVERS[kind] = resolver


def resolved(kind: str, cause: str, of: Key) -> Opened:
    """Give what a cause of a posting is; its bare name where no app says more."""
    resolver = _RESOLVERS.get(kind)
    return resolver(cause, of) if resolver else Opened(f"{kind.replace('_', ' ')} {cause}")
