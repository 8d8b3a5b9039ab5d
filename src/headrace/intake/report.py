"""What an intake did, for people and machines: counts that add up, money by currency, findings, and where the rejects are."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from headrace.engine.findings import Finding, has_errors
from headrace.intake.standing import Comparison
from headrace.intake.verdicts import Reported, Tally
from headrace.intake.waiting import WaitingRow

type Status = Literal["loaded", "checked", "nothing_new", "refused"]
EMPTY = Tally(0, Decimal(0), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One file. received = loaded + rejected + held + unchanged, in rows, units and money.

    status: loaded; checked (dry run); nothing_new (all lines were there); refused (the file as a whole was not taken).
    `reversed_lines` were written beside the loaded ones to cancel lines that stood before. `waiting` are the rejected and held
    rows one by one, if they were asked for and are not too many; `unchanged_rows` the rows of repairs that are there already.
    `reported` says whose rows they are.
    """

    file: str
    profile: str
    status: Status
    received: Tally = EMPTY
    loaded: Tally = EMPTY
    rejected: Tally = EMPTY
    held: Tally = EMPTY
    unchanged: Tally = EMPTY
    reversed_lines: int = 0
    comparison: Comparison | None = None
    control_totals: Mapping[str, tuple[Decimal, Decimal]] | None = None
    findings: tuple[Finding, ...] = ()
    finding_counts: Mapping[str, int] | None = None
    rejects: Path | None = None
    batch_seq: int | None = None
    waiting: tuple[WaitingRow, ...] = ()
    waiting_columns: tuple[str, ...] = ()
    unchanged_rows: tuple[int, ...] = ()
    reported: tuple[Reported, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give a JSON object, decimals as text."""
        comparison = self.comparison
        return {
            "file": self.file,
            "profile": self.profile,
            "status": self.status,
            **{name: getattr(self, name).as_dict() for name in ("received", "loaded", "rejected", "held", "unchanged")},
            "reversed_lines": self.reversed_lines,
            "comparison": comparison
            and {
                "standing": comparison.standing.as_dict(),
                **{name: getattr(comparison, name) for name in ("unchanged", "changed", "new", "gone")},
            },
            "control_totals": self.control_totals
            and {name: {"stated": f"{s:f}", "found": f"{f:f}"} for name, (s, f) in self.control_totals.items()},
            "findings": [finding.as_dict() for finding in self.findings],
            "finding_counts": dict(self.finding_counts or {}),
            "rejects": None if self.rejects is None else str(self.rejects),
            "batch_seq": self.batch_seq,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All files of one intake."""

    files: tuple[FileReport, ...]

    @property
    def findings(self) -> list[Finding]:
        """All findings, by file."""
        return [finding for file in self.files for finding in file.findings]

    @property
    def has_errors(self) -> bool:
        """Tell whether any row was rejected or held, or any file refused."""
        return has_errors(self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Give a JSON object."""
        return {"files": [file.as_dict() for file in self.files]}
