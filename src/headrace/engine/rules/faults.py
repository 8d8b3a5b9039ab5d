"""What is wrong with a rule, where in its text, and what was probably meant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from headrace.engine.findings import Finding, Refusal

FAULTS_MAX = 20
_LINE_SHOWN_MAX = 110

# Where a part of a rule stands: start and end in its text, or the path of a condition row, or nowhere.
type Place = tuple[int, int] | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a rule.

    start, end: half-open range of characters of the rule's text, null for condition rows. path: which condition row
    (`all[1].value`), null for text. suggestion: what to write instead, where one is near.
    """

    code: str
    message: str
    start: int | None = None
    end: int | None = None
    path: str | None = None
    suggestion: str | None = None

    def pointed(self, text: str) -> str:
        """Give the message over the line of the text, with carets under the word."""
        if self.start is None or self.end is None:
            return f"{self.path}: {self.message}" if self.path else self.message
        line_from = text.rfind("\n", 0, self.start) + 1
        line_until = text.find("\n", self.start)
        line = text[line_from : line_until if line_until >= 0 else len(text)]
        column = self.start - line_from
        if column > _LINE_SHOWN_MAX // 2:
            cut = column - _LINE_SHOWN_MAX // 2
            line, column = "…" + line[cut + 1 :], column - cut
        line = "".join(character if character.isprintable() else " " for character in line[:_LINE_SHOWN_MAX])
        width = max(1, min(self.end - self.start, len(line) - column))
        return f"{self.message}\n  {line}\n  {' ' * column}{'^' * width}"


class RuleError(Refusal):
    """The rule cannot be read: every fault that was found, with its place in the text.

    `faults` are the rule's own; `findings` the same as rows of the public contract, with `file` = the source named by the caller.
    """

    def __init__(self, text: str, faults: Sequence[Fault], *, source: str | None = None) -> None:
        assert faults, "a rule is refused for a reason"
        self.text = text
        self.faults = tuple(faults)
        super().__init__(
            "invalid_rule",
            " ".join(fault.message for fault in faults),
            findings=[Finding(code=fault.code, message=fault.message, file=source) for fault in faults],
        )

    def pointed(self) -> str:
        """Give every message over its line of the text, with carets under the word."""
        return "\n".join(fault.pointed(self.text) for fault in self.faults)


class FaultList:
    """Collects faults, the first twenty of them."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._faults)

    @property
    def full(self) -> bool:
        """Tell that further faults are no longer kept, and need no search for what was meant."""
        return len(self._faults) >= FAULTS_MAX

    def add(self, code: str, message: str, at: Place, suggestion: str | None = None) -> None:
        """Note one fault; the same fault at the same place is noted once."""
        start, end = at if isinstance(at, tuple) else (None, None)
        path = at if isinstance(at, str) else None
        fault = Fault(code=code, message=message, start=start, end=end, path=path, suggestion=suggestion)
        if not self.full and fault not in self._faults:
            self._faults.append(fault)

    def in_order(self) -> list[Fault]:
        """Give the faults in the order of the text."""
        return sorted(self._faults, key=lambda fault: fault.start or 0)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known name that `word` was probably meant to be: equal but for case, or nearly equal letters."""
    by_folded = {name.casefold(): name for name in sorted(known)}
    found = get_close_matches(word.casefold()[:100], by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None
