"""Checks of a close: each only reads, and says item by item what stands against locking a period. Apps register theirs."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from headrace.foundation.acts import canonical
from headrace.foundation.companies import Company
from headrace.ledger.periods import Standing


class Severity(StrEnum):
    """blocks: has to be mended first. explain: may stand if somebody of finance says why."""

    BLOCKS = "blocks"
    EXPLAIN = "explain"


@dataclass(frozen=True, slots=True)
class Close:
    """What is closed: the period of a company, seen at an instant."""

    company: Company
    period: Standing
    at: datetime

    @property
    def last_on(self) -> date:
        """Give the period's last day."""
        return self.period.until_on - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is open. page: the name of the page that shows it, `of` its arguments; empty where there is none."""

    text: str
    page: str = ""
    of: Mapping[str, str] = field(default_factory=dict)


type Look = Callable[[Close], Iterable[Item]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. mend: what to do about its items."""

    code: str
    label: str
    severity: Severity
    mend: str
    look: Look


_CHECKS: dict[str, Check] = {}
_POSTING_KINDS: set[str] = set()


def register(check: Check) -> None:
    """Have a check made at every close."""
    assert _CHECKS.get(check.code, check) is check, f"{check.code} is registered already"
    _CHECKS[check.code] = check


def posts(kind: str) -> None:
    """Say that an open request of this kind would post into an open period."""
    _POSTING_KINDS.add(kind)


def posting_kinds() -> frozenset[str]:
    """Give the kinds of requests that would post."""
    return frozenset(_POSTING_KINDS)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. digest: names exactly these items."""

    check: Check
    items: tuple[Item, ...]

    @property
    def digest(self) -> str:
        """Give the digest of the items, whatever their order."""
        return hashlib.sha256(canonical(sorted(item.text for item in self.items)).encode()).hexdigest()


def examine(close: Close) -> tuple[Checked, ...]:
    """Make every check, those that block first."""
    ordered = sorted(_CHECKS.values(), key=lambda each: (each.severity != Severity.BLOCKS, each.code))
    return tuple(Checked(each, tuple(each.look(close))) for each in ordered)
