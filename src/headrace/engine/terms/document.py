"""A program document as read from text: plain data in which every number is still text, and the line of every key.

What the keys mean is not known here. Paths are tuples of keys and positions; shown to people, positions count from 1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from headrace.engine.findings import Finding, Severity
from headrace.engine.terms.messages import Path, finding

DEPTH_MAX = 20

type Data = str | bool | list[Data] | dict[str, Data] | None


@dataclass(slots=True)
class Document:
    """One document of a source.

    lines: the line of each path; a path that is not there has that of its parent. elsewhere: paths that were read from
    another file, with its name and line. folder: where the document lies, null for a text without a file. faults: what was
    wrong already when it was read.
    """

    data: Data
    source: str | None
    lines: dict[Path, int] = field(default_factory=dict)
    elsewhere: dict[Path, tuple[str, int]] = field(default_factory=dict)
    folder: FilePath | None = None
    faults: list[Finding] = field(default_factory=list)

    def line_of(self, path: Path) -> int | None:
        """Give the line of the nearest written key at or above this path."""
        for end in range(len(path), -1, -1):
            if (line := self.lines.get(path[:end])) is not None:
                return line
        return None

    def finding(self, path: Path, code: str, /, **parameters: object) -> Finding:
        """Give an error about the key at this path."""
        return self._finding(path, code, "error", parameters)

    def warning(self, path: Path, code: str, /, **parameters: object) -> Finding:
        """Give a warning about the key at this path."""
        return self._finding(path, code, "warning", parameters)

    def _finding(self, path: Path, code: str, severity: Severity, parameters: Mapping[str, object]) -> Finding:
        source, line = self.source, self.line_of(path)
        for end in range(len(path), 0, -1) if self.elsewhere else ():
            if (place := self.elsewhere.get(path[:end])) is not None:
                source, line = place
                break
        return finding(code, parameters, source=source, line=line, path=path, severity=severity)


def at(data: Data, path: Path) -> Data:
    """Give what stands at this path, null where nothing does."""
    for step in path:
        if isinstance(data, Mapping) and isinstance(step, str):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


class Faulty:
    """Paths whose faults are already told, and quick to ask what stands at, above or below one of them."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._at: set[Path] = set()
        self._above: set[Path] = set()
        for path in paths:
            self.add(path)

    def add(self, path: Path) -> None:
        """Note one path."""
        self._at.add(path)
        self._above.update(path[:end] for end in range(len(path)))

    def touches(self, path: Path) -> bool:
        """Tell whether a path stands at, above or below one of these."""
        return path in self._above or any(path[:end] in self._at for end in range(len(path) + 1))
