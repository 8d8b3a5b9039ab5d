"""Collect findings with bounded detail and exact counts.

A file of ten million bad rows must neither fill the memory nor hide its size: of each (code, column) the first rows are
kept in full, and the rest is said in one sentence with its exact number.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from headrace.engine.findings import Finding, Severity

DETAIL_MAX = 1000


@dataclass(slots=True)
class FindingLog:
    """Findings of one file: at most `detail_max` in full of each (code, column), all of them counted."""

    file: str | None
    detail_max: int = DETAIL_MAX
    _kept: list[Finding] = field(default_factory=list)
    _counts: Counter[tuple[str, str | None, Severity]] = field(default_factory=Counter)

    def add(
        self,
        code: str,
        message: str,
        *,
        severity: Severity = "error",
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        """Add one finding."""
        self.extend([Finding(code=code, message=message, severity=severity, file=self.file, row=row, column=column)])

    def extend(self, findings: Iterable[Finding]) -> None:
        """Add several findings, one count each."""
        for finding in findings:
            key = (finding.code, finding.column, finding.severity)
            self._counts[key] += 1
            if self._counts[key] <= self.detail_max:
                self._kept.append(finding)

    def room(self, code: str, column: str | None, severity: Severity = "error") -> int:
        """Tell how many more findings of this kind are kept in full."""
        return max(0, self.detail_max - self._counts[(code, column, severity)])

    def count_more(self, code: str, column: str | None, severity: Severity, more: int) -> None:
        """Count findings whose detail is not kept."""
        if more:
            self._counts[(code, column, severity)] += more

    def counts(self) -> dict[str, int]:
        """Give the exact number of findings by code."""
        by_code: Counter[str] = Counter()
        for (code, _, _), number in self._counts.items():
            by_code[code] += number
        return dict(sorted(by_code.items()))

    def findings(self) -> list[Finding]:
        """Give the findings by row, each kind that was cut short ending in a sentence with what is not listed."""
        kept = Counter((finding.code, finding.column, finding.severity) for finding in self._kept)
        listed = sorted(self._kept, key=lambda f: (f.row is not None, f.row or 0))
        for key, number in self._counts.items():
            code, column, severity = key
            if number > kept[key]:
                more = number - kept[key]
                message = f"{more:,} further rows have the same fault ({number:,} in all); only the first are listed."
                listed.append(Finding(code=code, message=message, severity=severity, file=self.file, column=column))
        return listed
