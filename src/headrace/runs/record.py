"""One calculation from inputs to a written run, and the same run computed again from what it cites."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import headrace
from headrace.engine import Request, Result, calculate
from headrace.engine.findings import Finding, Refusal
from headrace.engine.terms import Terms
from headrace.engine.terms.canonical import terms_hash
from headrace.runs.changes import covered, write_changes
from headrace.runs.compare import AWARD_KEY, STATEMENT_KEY, Difference, differences
from headrace.runs.sources import Source
from headrace.runs.written import read_citation, write_run

_DIFFERENCES_MAX = 200

type Backend = Literal["duckdb", "spark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A calculation that was carried out. result is null where the inputs had faults that left nothing to calculate."""

    result: Result | None
    findings: tuple[Finding, ...]
    written: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A written run against the same run computed again. engine_written: the version that wrote it."""

    differences: tuple[Difference, ...]
    statements: int
    awards: int | None
    engine_written: str


def carry_out(
    programs: Sequence[Terms],
    source: Source,
    *,
    as_of: date | None = None,
    backend: Backend = "duckdb",
    out: Path | None = None,
    findings: Sequence[Finding] = (),
) -> Run:
    """Calculate the programs over a source and, where `out` is given, write the run there.

    findings: faults found before (of the documents); they come back together with those of the tables and of the engine.
    Raises Refusal as `calculate` and `write_run` do.
    """
    found = (*findings, *source.findings)
    if source.tables is None or not programs:
        return Run(result=None, findings=found)
    awards = None
    if out is not None:
        _make(out)
        awards = out / "awards.parquet"
    request = Request(programs=tuple(programs), tables=source.tables, as_of=as_of, backend=backend, fixed=source.fixed)
    result = calculate(request, awards=awards)
    found = (*found, *result.findings)
    written: list[Path] = []
    if out is not None:
        citation = cite(programs, source, result, backend)
        written = write_run(
            out, statements=result.statements, reasons=result.reasons, findings=found, citation=citation
        )
        if result.awards is not None:
            written.append(result.awards)
    return Run(result=result, findings=found, written=tuple(written))


def cite(programs: Sequence[Terms], source: Source, result: Result, backend: Backend) -> dict[str, object]:
    """Say all that is needed to compute a result again: engine, as-of day, terms in full, and where the inputs are."""
    return {
        "engine": headrace.__version__,
        "backend": backend,
        "as_of": result.as_of.isoformat(),
        "terms": [
            {
                "program": terms.program,
                "version": terms.version,
                "hash": terms_hash(terms),
                "document": document(terms),
            }
            for terms in programs
        ],
        "source": dict(source.citation),
    }


def verify(
    statement: Path, open_source: Callable[[Mapping[str, object], Path], AbstractContextManager[Source]]
) -> Verification:
    """Compute a written run again from what it cites and compare every statement and, where written, every award.

    statement: the run's folder, its run.json or its statements.parquet. open_source gives the tables of a cited source,
    using the folder that it is handed for staging. Raises Refusal where the citation cannot be followed.
    """
    citation = read_citation(statement)
    programs = [_cited_terms(entry) for entry in _entries(citation["terms"])]
    source_cited = citation["source"]
    assert isinstance(source_cited, Mapping)
    folder = statement if statement.is_dir() else statement.parent
    written = pq.read_table(folder / "statements.parquet").replace_schema_metadata(None)
    written_awards = folder / "awards.parquet"
    with tempfile.TemporaryDirectory(prefix="headrace-verify-") as scratch:
        into = Path(scratch)
        with open_source(source_cited, into) as source:
            if source.tables is None:
                raise Refusal("cited_source_unreadable", "The cited inputs cannot be read.", findings=source.findings)
            awards = into / "awards.parquet" if written_awards.is_file() else None
            request = Request(
                programs=tuple(programs),
                tables=source.tables,
                as_of=date.fromisoformat(str(citation["as_of"])),
                backend=_backend(citation["backend"]),
                fixed=source.fixed,
            )
            result = calculate(request, awards=awards)
            statements = result.statements
            if "finalised" in citation and awards is not None:
                finalised = _mapping(citation["finalised"])
                statements = covered(
                    statements,
                    [_day(text) for text in _entries(finalised["starts"])],
                    program=programs,
                    fixed=source.fixed,
                )
                changes = into / "changes.parquet"
                before = tuple(map(str, _entries(finalised["runs_before"])))
                write_changes(awards, source.awards, str(finalised["program"]), statements, changes, runs=before)
                awards = changes
        found = differences(written, statements, STATEMENT_KEY)
        count = None
        if awards is not None:
            found += _award_differences(written_awards, awards)
            count = pq.read_metadata(written_awards).num_rows
    return Verification(
        differences=tuple(found), statements=written.num_rows, awards=count, engine_written=str(citation["engine"])
    )


def _award_differences(written: Path, computed: Path) -> list[Difference]:
    # Set difference in the database first: ten million equal awards never become Python objects.
    with duckdb.connect() as con:
        tables: list[pa.Table] = []
        for mine, theirs in ((written, computed), (computed, written)):
            query = f"FROM {_parquet(mine)} EXCEPT ALL FROM {_parquet(theirs)} LIMIT {_DIFFERENCES_MAX}"
            tables.append(con.sql(query).to_arrow_table())
    return differences(tables[0], tables[1], AWARD_KEY)


def _parquet(path: Path) -> str:
    quoted = str(path).replace("'", "''")
    return f"read_parquet('{quoted}')"


def document(terms: Terms) -> dict[str, object]:
    """Give terms as JSON-able data, every decimal as text; `Terms.model_validate` gives them back."""
    return terms.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _cited_terms(entry: Mapping[str, object]) -> Terms:
    terms = Terms.model_validate(entry["document"])
    if terms_hash(terms) != entry["hash"]:
        raise Refusal(
            "terms_changed",
            f"The terms of {entry['program']} version {entry['version']} in this statement do not have the hash that it "
            "cites: the file was edited after it was written.",
        )
    return terms


def _entries(value: object) -> list[Any]:
    assert isinstance(value, list)
    return value


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping)
    return value


def _day(text: object) -> date | None:
    return None if text is None else date.fromisoformat(str(text))


def _backend(value: object) -> Backend:
    if value not in ("duckdb", "spark"):
        raise Refusal("unknown_engine", f"There is no engine {value!r}. Give duckdb or spark.")
    return value


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Refusal(
            "out_unwritable", f"The folder {folder} cannot be written ({error.strerror}). Choose another with --out."
        ) from error
