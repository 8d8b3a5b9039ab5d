"""Findings: faults of data or terms, collected as rows and never raised one by one; and the one refusal.

A finding says which record, what is wrong and the way out. Code that finds faults returns them beside its result; code
that cannot go on at all raises `Refusal`. Anything else that goes wrong is a defect and may stop the process.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

type Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault of data or terms.

    file: path or name of the source as the user gave it, null when the fault has no file. row: 1-based number of the record
    in a data file as a spreadsheet shows it (the header is row 1), or the line number in a terms document. column: column
    name, or dotted path of the key in a document (`schedule.tiers[2].rate`). code: stable, snake_case. message: what is
    wrong, which record, and what to do, as a sentence.
    """

    code: str
    message: str
    severity: Severity = "error"
    file: str | None = None
    row: int | None = None
    column: str | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        """Give the object of the public contract: file, row, column, code, severity, message."""
        fields = asdict(self)
        return {name: fields[name] for name in ("file", "row", "column", "code", "severity", "message")}


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether any finding is of severity error."""
    return any(finding.severity == "error" for finding in findings)


class Refusal(Exception):
    """The request cannot be done: a stable code and a message with what, why, which record and what to do next."""

    def __init__(self, code: str, message: str, *, findings: Iterable[Finding] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.findings = tuple(findings)
