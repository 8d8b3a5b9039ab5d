"""JSON text into plain data with line numbers; numbers stay the text that was written, so that none becomes a float."""

import json
import re
from bisect import bisect_right
from json import decoder

from headrace.engine.findings import Finding
from headrace.engine.terms.document import DEPTH_MAX, Data, Document
from headrace.engine.terms.messages import Path, finding

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS: dict[str, Data] = {"true": True, "false": False, "null": None}


def read_json(text: str, source: str | None) -> tuple[list[Document], list[Finding]]:
    """Read the one document of a JSON text, or a list of documents; a fault of syntax ends the reading."""
    reader = _Reader(text, source)
    try:
        documents = reader.read()
    except json.JSONDecodeError as fault:
        return [], [finding("json_syntax", {"problem": fault.msg}, source=source, line=fault.lineno)]
    return documents, []


class _Reader:
    """Walks over the text once; `_at` is the position of the next character."""

    def __init__(self, text: str, source: str | None) -> None:
        self._text = text
        self._source = source
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._document = Document(None, source)

    def read(self) -> list[Document]:
        self._space()
        documents: list[Document] = []
        if self._text.startswith("[", self._at):
            self._at += 1
            while not self._closes("]", first=not documents):
                documents.append(self._one())
        else:
            documents.append(self._one())
        self._space()
        if self._at < len(self._text):
            raise self._fault("Something follows the end of the document")
        return documents

    def _one(self) -> Document:
        self._document = Document(None, self._source)
        self._document.data = self._value(())
        return self._document

    def _value(self, path: Path) -> Data:
        self._space()
        self._document.lines.setdefault(path, self._line())
        if len(path) > DEPTH_MAX:
            raise self._fault(f"Nested deeper than {DEPTH_MAX} levels")
        start = self._text[self._at : self._at + 1]
        if start == "{":
            return self._mapping(path)
        if start == "[":
            return self._list(path)
        if start == '"':
            return self._string()
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        if number := _NUMBER.match(self._text, self._at):
            self._at = number.end()
            return number.group()
        raise self._fault("Expecting a value")

    def _mapping(self, path: Path) -> Data:
        entries: dict[str, Data] = {}
        self._at += 1
        first = True
        while not self._closes("}", first=first):
            first = False
            if not self._text.startswith('"', self._at):
                raise self._fault("Expecting a key in double quotes")
            line = self._line()
            key = self._string()
            self._space()
            if not self._text.startswith(":", self._at):
                raise self._fault("Expecting ':' after a key")
            self._at += 1
            here = (*path, key)
            earlier = self._document.lines.get(here)
            self._document.lines[here] = line
            value = self._value(here)
            if key in entries:
                told = {"key": key, "first": earlier}
                self._document.faults.append(finding("key_twice", told, source=self._source, line=line, path=here))
            else:
                entries[key] = value
        return entries

    def _list(self, path: Path) -> Data:
        items: list[Data] = []
        self._at += 1
        while not self._closes("]", first=not items):
            items.append(self._value((*path, len(items))))
        return items

    def _closes(self, bracket: str, *, first: bool) -> bool:
        """Step over a closing bracket, or over the comma before a further item."""
        self._space()
        if self._text.startswith(bracket, self._at):
            self._at += 1
            return True
        if not first:
            if not self._text.startswith(",", self._at):
                raise self._fault(f"Expecting ',' or '{bracket}'")
            self._at += 1
            self._space()
        return False

    def _string(self) -> str:
        value, self._at = decoder.scanstring(self._text, self._at + 1, True)  # type: ignore[attr-defined]
        return str(value)

    def _space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None
        self._at = match.end()

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1 if self._at else 1

    def _fault(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._at)
