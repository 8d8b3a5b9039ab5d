"""The inputs that commands share: documents, tables from files or a lake, the as-of day, and where a Source comes from.

A command declares the options that it takes by these types, and opens what was given with `opened`.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace.engine.findings import Finding, Refusal
from headrace.engine.terms import Terms, load_terms
from headrace.lake import Lake
from headrace.runs.book import Book
from headrace.runs.sources import Source, from_cited_files, from_cited_lake, from_files, from_lake

TermsPaths = Annotated[list[Path], typer.Argument(metavar="TERMS…", help="Program documents, YAML or JSON.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Day = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Count lines that occurred and arrived up to this day."),
]
Schema = Annotated[
    list[str] | None,
    typer.Option(help="Types of further columns: [dim]lines=flag:boolean,code:text[/]; may be repeated."),
]
LakeFolder = Annotated[
    Path | None,
    typer.Option("--lake", help="Take the lines, and the tables that are in force, from the lake in this folder."),
]


def _table(kind: str, what: str) -> Any:
    return typer.Option(f"--{kind}", help=f"{what} (CSV, XLSX or Parquet).", rich_help_panel="Tables from files")


Lines = Annotated[Path | None, _table("lines", "Activity lines")]
Partners = Annotated[Path | None, _table("partners", "Partners, with dated rows")]
Products = Annotated[Path | None, _table("products", "Products, with dated rows")]
Rates = Annotated[Path | None, _table("rates", "Exchange rates; the ECB's history layout is understood")]
Stock = Annotated[Path | None, _table("stock", "Stock on hand")]
Targets = Annotated[Path | None, _table("targets", "Targets")]
Forecasts = Annotated[Path | None, _table("forecasts", "Forecasts")]
Deals = Annotated[Path | None, _table("deals", "Registered deals and authorizations")]
Posted = Annotated[Path | None, _table("posted", "Amounts posted before")]
Calendar = Annotated[Path | None, _table("calendar", "Fiscal calendar")]


def documents(paths: Sequence[Path]) -> tuple[tuple[Terms, ...], list[Finding]]:
    """Read the program documents that a command was given. Raises Refusal `file_not_found` where one is not there."""
    for path in paths:
        if not path.exists():
            raise Refusal("file_not_found", f"There is no program document {path}. Check the path.")
    return load_terms(paths)


@contextmanager
def opened(
    given: Mapping[str, Path | None], *, lake: Path | None = None, schema: Sequence[str] | None = None
) -> Iterator[Source]:
    """Open the tables that a command was given: files by their names in engine.schema.TABLES, or a lake, or both.

    Beside a lake, files take the place of the lake's reference tables. Raises Refusal `no_lines` and `two_sources`.
    """
    files = {kind: path for kind, path in given.items() if path is not None}
    with tempfile.TemporaryDirectory(prefix="headrace-") as scratch:
        if lake is not None:
            if "lines" in files:
                raise Refusal("two_sources", "Lines come either from --lines or from --lake. Leave out one of them.")
            # The lake before the book, which makes its file where there is none.
            with closing(Lake(lake)) as facts, Book(lake) as book:
                yield from_lake(facts, book, files=files, into=Path(scratch), schema=_schemas(schema, files))
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
