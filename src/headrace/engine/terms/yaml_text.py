"""YAML text into plain data with line numbers, safely: nothing is resolved, constructed or expanded.

Only the parser's events are used, so that every plain word stays the text that was written (`0.02`, `no`, `012`, `1:30`);
only `null`, `~` and nothing at all are null. Anchors, aliases, tags and merge keys are refused: a reviewed document says
what it means where it means it, and a document of a few bytes cannot grow into a large one.
"""

from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from headrace.engine.findings import Finding
from headrace.engine.terms.document import DEPTH_MAX, Data, Document
from headrace.engine.terms.messages import Path, finding

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_KEY_CHARS_MAX = 60


def read_yaml(text: str, source: str | None) -> tuple[list[Document], list[Finding]]:
    """Read the documents of a YAML text; a fault of syntax ends the reading, and then there are no documents."""
    reader = _Reader(source)
    try:
        reader.read(YAML(typ="safe", pure=True).parse(text))
    except _Stop as stop:
        return [], [*reader.faults(), stop.finding]
    except (YAMLError, ValueError, RecursionError) as fault:
        return [], [*reader.faults(), _syntax_fault(fault, text, source)]
    return reader.documents, []


class _Stop(Exception):
    """Nothing sensible can be read from here on."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class _Reader:
    """Builds documents from a parser's events; the events come in well-formed order, so ends always match."""

    def __init__(self, source: str | None) -> None:
        self.documents: list[Document] = []
        self._source = source
        self._document = Document(None, source)

    def read(self, events: Iterator[Event]) -> None:
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self._document = Document(None, self._source)
                self.documents.append(self._document)
                if event.version or event.tags:
                    self._fault((), event, "yaml_directive")
                root = next(events)
                self._document.data = self._node(root, events, ())
                self._document.lines[()] = _line(root)

    def faults(self) -> list[Finding]:
        """Give what was wrong in the documents so far."""
        return [fault for document in self.documents for fault in document.faults]

    def _node(self, event: Event, events: Iterator[Event], path: Path) -> Data:
        self._document.lines[path] = _line(event)
        if isinstance(event, AliasEvent):
            self._fault(path, event, "yaml_alias", name=getattr(event, "anchor", ""))
            return None
        if anchor := getattr(event, "anchor", None):
            self._fault(path, event, "yaml_anchor", name=anchor)
        if tag := getattr(event, "tag", None):
            self._fault(path, event, "yaml_tag", tag=str(tag))
        if len(path) > DEPTH_MAX:
            raise _Stop(self._document.finding(path[:3], "too_deep", most=DEPTH_MAX))
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, path)
        assert isinstance(event, ScalarEvent)
        return None if event.style is None and event.value in _NULLS else str(event.value)

    def _mapping(self, events: Iterator[Event], path: Path) -> Data:
        entries: dict[str, Data] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._key(event, events, path)
            here = (*path, key)
            first = self._document.lines.get(here)
            # What is written twice keeps the lines of the first.
            place = here if key not in entries else (*here, "again")
            value = self._node(next(events), events, place)
            self._document.lines[place] = _line(event)
            if key == "<<":
                self._fault(here, event, "yaml_merge")
            elif key in entries:
                self._fault(here, event, "key_twice", key=key, first=first)
            else:
                entries[key] = value
        return entries

    def _key(self, event: Event, events: Iterator[Event], path: Path) -> str:
        if isinstance(event, ScalarEvent):
            if event.anchor:
                self._fault(path, event, "yaml_anchor", name=event.anchor)
            if event.tag:
                self._fault(path, event, "yaml_tag", tag=str(event.tag))
            return str(event.value)[: _KEY_CHARS_MAX * 2]
        raise _Stop(self._located(path, event, "key_not_word"))

    def _sequence(self, events: Iterator[Event], path: Path) -> Data:
        items: list[Data] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _fault(self, path: Path, event: Event, code: str, /, **parameters: object) -> None:
        self._document.faults.append(self._located(path, event, code, **parameters))

    def _located(self, path: Path, event: Event, code: str, /, **parameters: object) -> Finding:
        return finding(code, parameters, source=self._source, line=_line(event), path=path)


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark is not None else 1


def _syntax_fault(fault: Exception, text: str, source: str | None) -> Finding:
    if isinstance(fault, ReaderError):
        place = text.count("\n", 0, fault.position) + 1
        return finding(
            "yaml_character", {"character": f"U+{_code_point(fault.character):04X}"}, source=source, line=place
        )
    line: int | None = None
    problem = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
    if isinstance(fault, MarkedYAMLError):
        mark = fault.problem_mark or fault.context_mark
        line = mark.line + 1 if mark is not None else None
        problem = ", ".join(str(part) for part in (fault.problem, fault.context) if part)
    here = text.splitlines()[line - 1 : line] if line else []
    if here and "\t" in here[0]:
        return finding("yaml_tab", source=source, line=line)
    return finding("yaml_syntax", {"problem": problem}, source=source, line=line)


def _code_point(character: object) -> int:
    return character if isinstance(character, int) else ord(str(character)[:1] or "\0")
