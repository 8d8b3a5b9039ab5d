"""Opens the tables that a command was given, or that a written run cites."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from headrace.engine.findings import Refusal
from headrace.lake import Lake
from headrace.runs.book import Book
from headrace.runs.sources import Source, from_cited_files, from_cited_lake, from_files, from_lake


@contextmanager
def opened(
    given: Mapping[str, Path | None],
    *,
    lake: Path | None = None,
    schema: Sequence[str] | None = None,
    keep: bool = False,
) -> Iterator[Source]:
    """Open the tables that a command was given: files by their names in engine.schema.TABLES, or a lake, or both.

    Beside a lake, files take the place of the lake's reference tables. keep: for a run that is written and cites the lake;
    without it nothing is written there. Raises Refusal `no_lines` and `two_sources`.
    """
    files = {kind: path for kind, path in given.items() if path is not None}
    with tempfile.TemporaryDirectory(prefix="headrace-") as scratch:
        if lake is not None:
            if "lines" in files:
                raise Refusal("two_sources", "Lines come either from --lines or from --lake. Leave out one of them.")
            with closing(Lake(lake)) as facts, Book(lake, to_read=True) as book:
                yield from_lake(facts, book, files=files, into=Path(scratch), schema=_schemas(schema, files), keep=keep)
        elif "lines" in files:
            yield from_files(files, into=Path(scratch), schema=_schemas(schema, files))
        else:
            raise Refusal("no_lines", "There are no lines to calculate from. Give --lines FILE or --lake DIR.")


@contextmanager
def cited(source: Mapping[str, object], into: Path, *, lake: Path | None = None) -> Iterator[Source]:
    """Open the inputs that a written run cites. lake: the cited lake's folder today, where it is not the cited one."""
    found = source.get("lake")
    if isinstance(found, Mapping):
        with closing(Lake(lake or Path(str(found["path"])))) as facts:
            yield from_cited_lake(facts, found)
    else:
        yield from_cited_files(source, into=into)


def _schemas(texts: Sequence[str] | None, files: Mapping[str, Path]) -> dict[str, str]:
    schemas: dict[str, str] = {}
    for text in texts or ():
        kind, equals, types = text.partition("=")
        if not equals:
            kind, types = "lines", text
        if kind not in files:
            raise Refusal("schema_without_table", f"--schema {text!r} names the table {kind!r}, which is not given.")
        schemas[kind] = types
    return schemas
