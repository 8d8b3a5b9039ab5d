"""From files and texts to checked terms: every fault is a finding with file, line and key; nothing else ever comes out."""

from collections.abc import Iterable, Sequence
from pathlib import Path as FilePath

from pydantic import ValidationError

from headrace.engine.findings import Finding, has_errors
from headrace.engine.rules import Columns
from headrace.engine.terms.check import check
from headrace.engine.terms.check_together import Loaded, check_together
from headrace.engine.terms.document import Data, Document, Faulty, at
from headrace.engine.terms.expanding import expand
from headrace.engine.terms.faults import faults, written_path
from headrace.engine.terms.json_text import read_json
from headrace.engine.terms.messages import Path, finding
from headrace.engine.terms.model import Terms
from headrace.engine.terms.rate_table import read_rate_table
from headrace.engine.terms.yaml_text import read_yaml

BYTES_MAX = 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".json")
_ROUNDS_MAX = 12
_PLACEHOLDERS: dict[str, Data] = {
    "program": "unnamed",
    "currency": "USD",
    "schedule": {"tiers": [{"from": "0", "rate": "0"}]},
}


def load_terms(
    paths: Iterable[str | FilePath], *, columns: Columns | None = None
) -> tuple[tuple[Terms, ...], list[Finding]]:
    """Read and check program documents from files, or all of those in a folder (by name).

    Gives the documents that have no error of their own, in the order read, and the findings on all of them and on how they
    meet. `columns` as in `check`.
    """
    loaded: list[Loaded] = []
    found: list[Finding] = []
    for path in _files(paths):
        text, problems = _text_of(path)
        found.extend(problems)
        if text is not None:
            documents, faults_found = _documents(text, str(path), path.parent)
            found.extend(faults_found)
            _take(documents, columns, loaded, found)
    found.extend(check_together(loaded))
    return tuple(terms for terms, _ in loaded), found


def loads(
    text: str, source: str | None = None, *, columns: Columns | None = None, folder: FilePath | None = None
) -> tuple[tuple[Terms, ...], list[Finding]]:
    """Read and check the program documents of one text; `source` names it in findings, `folder` holds its table files."""
    size = len(text.encode("utf-8", "replace"))
    if size > BYTES_MAX:
        told = {"file": source or "the text", "size": size, "most": BYTES_MAX}
        return (), [finding("file_too_large", told, source=source, line=None)]
    loaded: list[Loaded] = []
    documents, found = _documents(text, source, folder)
    _take(documents, columns, loaded, found)
    found.extend(check_together(loaded))
    return tuple(terms for terms, _ in loaded), found


def read_document(document: Document, *, columns: Columns | None = None) -> tuple[Terms | None, list[Finding]]:
    """Read one document's data into terms and check them; no terms where anything is wrong.

    The data may come from anywhere (a form, an interface): mappings, lists and texts. What can still be judged beside a
    fault is judged too: faulty keys are set aside and the rest is read without them.
    """
    if not isinstance(document.data, dict):
        found = "a list" if isinstance(document.data, list) else f"the value {str(document.data)[:60]}"
        code = "document_empty" if document.data is None else "document_not_mapping"
        return None, [*document.faults, document.finding((), code, found=found)]
    faulty, findings = expand(document)
    findings.extend(document.faults)
    findings.extend(_table_file(document, faulty))
    terms = _modelled(document, faulty, findings)
    if terms is not None:
        findings.extend(check(terms, columns=columns, document=document, faulty=faulty))
    findings.sort(key=lambda each: (each.file != document.source, each.row or 0))
    return (None if has_errors(findings) else terms), findings


def _take(documents: Sequence[Document], columns: Columns | None, loaded: list[Loaded], found: list[Finding]) -> None:
    for document in documents:
        terms, findings = read_document(document, columns=columns)
        found.extend(findings)
        if terms is not None:
            loaded.append((terms, document))


def _files(paths: Iterable[str | FilePath]) -> Iterable[FilePath]:
    for given in paths:
        path = FilePath(given)
        if path.is_dir():
            yield from sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES and each.is_file())
        else:
            yield path


def _text_of(path: FilePath) -> tuple[str | None, list[Finding]]:
    source = str(path)
    try:
        if not path.is_file():
            return None, [finding("file_missing", {"file": source}, source=source, line=None)]
        with path.open("rb") as stream:
            raw = stream.read(BYTES_MAX + 1)
        if len(raw) > BYTES_MAX:
            told = {"file": source, "size": path.stat().st_size, "most": BYTES_MAX}
            return None, [finding("file_too_large", told, source=source, line=None)]
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError as fault:
        line = raw[: fault.start].count(b"\n") + 1
        return None, [finding("not_utf8", {"position": fault.start + 1}, source=source, line=line)]
    except (OSError, ValueError) as fault:
        problem = getattr(fault, "strerror", None) or str(fault)
        return None, [finding("file_unreadable", {"file": source, "problem": problem}, source=source, line=None)]


def _documents(text: str, source: str | None, folder: FilePath | None) -> tuple[list[Document], list[Finding]]:
    text = text.removeprefix("\ufeff")
    is_json = source.lower().endswith(".json") if source else text.lstrip().startswith(("{", "["))
    if not text.strip():
        return [], [finding("document_empty", source=source, line=1)]
    documents, found = read_json(text, source) if is_json else read_yaml(text, source)
    if not documents and not found:
        found.append(finding("document_empty", source=source, line=1))
    # A marker at the end opens a document with nothing in it, which says nothing and is no fault beside others.
    filled = [document for document in documents if document.data is not None] or documents[:1]
    for document in filled:
        document.folder = folder
    return filled, found


def _table_file(document: Document, faulty: Faulty) -> list[Finding]:
    schedule = at(document.data, ("schedule",))
    if not isinstance(schedule, dict) or not isinstance(name := schedule.get("table_file"), str):
        return []
    keys: Path = ("schedule", "table_file")
    if any(schedule.get(key) is not None for key in ("table", "tiers", "package", "free_goods", "price_change")):
        return []
    rows, found = read_rate_table(name, document, keys)
    if found:
        faulty.add(keys)
    del schedule["table_file"]
    if rows:
        schedule["table"] = [row.data for row in rows]
        for position, row in enumerate(rows):
            document.elsewhere[("schedule", "table", position)] = (row.source, row.line)
    return found


def _modelled(document: Document, faulty: Faulty, findings: list[Finding]) -> Terms | None:
    """Read the data into the model, setting faulty keys aside until the rest can be read."""
    data = _copied(document.data)
    for _ in range(_ROUNDS_MAX):
        try:
            return Terms.model_validate(data, by_alias=True, by_name=False)
        except ValidationError as error:
            shown = Document(data, document.source, document.lines, document.elsewhere)
            findings.extend(_untold(faults(error, shown), findings))
            for detail in error.errors(include_url=False, include_input=False, include_context=False):
                path = written_path(detail["loc"], data, missing=detail["type"] in {"missing", "extra_forbidden"})
                faulty.add(path)
                _set_aside(data, path)
    return None


def _untold(told: list[Finding], findings: list[Finding]) -> list[Finding]:
    """Leave out what is already said of the same key."""
    columns = {finding.column for finding in findings}
    return [fault for fault in told if fault.column not in columns]


def _copied(data: Data) -> Data:
    if isinstance(data, dict):
        return {key: _copied(value) for key, value in data.items()}
    return [_copied(value) for value in data] if isinstance(data, list) else data


def _set_aside(data: Data, path: Path) -> None:
    """Remove the key at this path, or the nearest one above that can go; what must be there gets a placeholder."""
    for end in range(len(path), 0, -1):
        above, step = at(data, path[: end - 1]), path[end - 1]
        if isinstance(above, dict) and isinstance(step, str):
            if end == 1 and step in _PLACEHOLDERS:
                above[step] = _copied(_PLACEHOLDERS[step])
                return
            if step in above:
                del above[step]
                return
