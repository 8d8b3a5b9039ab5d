"""Where a calculation's inputs come from, and how a written run cites them so that they can be found again.

A source is files given by hand, or a lake as of a batch. Either way it gives the tables that the engine reads and a citation:
for files their absolute paths and content hashes, for a lake the `batch_seq` and the content hash of every reference table.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from headrace.engine.findings import Finding, Refusal
from headrace.engine.schema import LINE, SUM, Tables
from headrace.intake.tables import read_table, read_tables
from headrace.lake import Lake, content_hash
from headrace.runs.book import Posting
from headrace.runs.port import Decided

FIXED = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("program", "payee_kind", "payee_id", "scope")),
        pa.field("from", pa.date32()),
        pa.field("until", pa.date32()),
        pa.field("amount", SUM),
    ]
)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Tables ready to calculate, what was found while reading them, and how to find them again.

    tables is null where the lines could not be read at all; the findings then say why. fixed: what finalised statements
    settled, which a program's limit cannot take back (columns of `FIXED`). awards: files of the lake's award differences.
    """

    tables: Tables | None
    citation: Mapping[str, object]
    findings: tuple[Finding, ...] = ()
    fixed: pa.Table | None = None
    awards: tuple[Path, ...] = ()


def from_files(files: Mapping[str, Path], *, into: Path, schema: Mapping[str, str] | None = None) -> Source:
    """Read the tables from files by their names in engine.schema.TABLES; the lines are staged as Parquet in `into`.

    schema: types of further columns by table name (see intake.tables.read_table). Raises Refusal for wrong use.
    """
    tables, findings = read_tables(files, into=into, schemas=schema)
    cited = {kind: {"path": str(path.resolve()), "sha256": sha256(path)} for kind, path in sorted(files.items())}
    return Source(tables=tables, citation={"files": cited, "schema": dict(schema or {})}, findings=tuple(findings))


def from_cited_files(cited: Mapping[str, object], *, into: Path) -> Source:
    """Read again the files that a run cites.

    Raises Refusal `cited_file_missing` or `cited_file_changed` where a file is not there any more as it was.
    """
    files: dict[str, Path] = {}
    entries = cited["files"]
    assert isinstance(entries, Mapping)
    for kind, entry in entries.items():
        path = Path(entry["path"])
        if not path.is_file():
            raise Refusal(
                "cited_file_missing",
                f"The statement was calculated from {path} ({kind}), which is not there. Put it back to verify.",
            )
        if sha256(path) != entry["sha256"]:
            raise Refusal(
                "cited_file_changed",
                f"{path} ({kind}) is not the file that the statement was calculated from: its content changed since. "
                "Restore the file; statements over a lake do not depend on files.",
            )
        files[kind] = path
    schema = cited.get("schema") or {}
    assert isinstance(schema, Mapping)
    return from_files(files, into=into, schema=schema)


def from_lake(
    lake: Lake,
    book: Decided,
    *,
    batch_seq: int | None = None,
    files: Mapping[str, Path] | None = None,
    into: Path,
    schema: Mapping[str, str] | None = None,
    keep: bool = True,
) -> Source:
    """Take the lines of a lake as of a batch (default: the last), and the reference tables that are in force there.

    files: reference tables given by hand instead of those in force. What was posted before comes from the book, as the table
    `posted`. keep: both are kept in the lake as snapshots, which a written run cites; without it nothing is written there.
    """
    references = dict(book.references())
    findings: list[Finding] = []
    made: dict[str, pa.Table] = {}

    def kept(table: pa.Table) -> str:
        if keep:
            return lake.store_snapshot(table)
        named = content_hash(table)
        made[named] = table
        return named

    for kind, path in (files or {}).items():
        read = read_table(kind, path, into=into, schema_overrides=(schema or {}).get(kind))
        findings.extend(read.findings)
        if read.table is not None:
            references[kind] = kept(read.table)
    fixed = None
    if postings := book.postings():
        fixed = kept(_fixed_table(postings))
        if "posted" not in references:
            references["posted"] = kept(posted_table(postings))
    cited = {
        "path": str(lake.folder.resolve()),
        "batch_seq": lake.last_batch_seq() if batch_seq is None else batch_seq,
        "references": dict(sorted(references.items())),
        "fixed": fixed,
    }
    return _of_lake(lake, cited, tuple(findings), made)


def from_cited_lake(lake: Lake, cited: Mapping[str, object]) -> Source:
    """Take the lines and reference tables that a run over a lake cites: by `batch_seq`, and by content hash.

    Raises Refusal `snapshot_missing`, or `cited_batch_missing` where the lake does not reach the cited batch.
    """
    batch_seq = cited["batch_seq"]
    assert isinstance(batch_seq, int)
    if lake.last_batch_seq() < batch_seq:
        raise Refusal(
            "cited_batch_missing",
            f"The statement was calculated as of batch {batch_seq}; the lake {lake.folder} holds only "
            f"{lake.last_batch_seq()}. Name the lake that it came from.",
        )
    return _of_lake(lake, cited, (), {})


def posted_table(postings: Sequence[Posting]) -> pa.Table:
    """Give postings as the table `posted`: a row for each statement, with its payee and a column for each word of its scope."""
    words = sorted({word for posting in postings for word in json.loads(posting.scope)})
    rows = [
        {
            "program": posting.program,
            "payee_kind": posting.payee_kind,
            "payee_id": posting.payee_id,
            "from": posting.from_,
            "until": posting.until,
            "amount": posting.amount,
            **{word: json.loads(posting.scope).get(word) for word in words},
        }
        for posting in postings
    ]
    text = [pa.field(name, pa.string()) for name in ("program", "payee_kind", "payee_id", *words)]
    fields = [*text, pa.field("from", pa.date32()), pa.field("until", pa.date32()), pa.field("amount", LINE)]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _fixed_table(postings: Sequence[Posting]) -> pa.Table:
    rows = [
        {
            "program": posting.program,
            "payee_kind": posting.payee_kind,
            "payee_id": posting.payee_id,
            "scope": posting.scope,
            "from": posting.from_,
            "until": posting.until,
            "amount": posting.amount,
        }
        for posting in postings
    ]
    return pa.Table.from_pylist(rows, schema=FIXED)


def _of_lake(
    lake: Lake, cited: Mapping[str, object], findings: tuple[Finding, ...], made: Mapping[str, pa.Table]
) -> Source:
    """Load what is cited. made: tables that are not kept in the lake, by the hash of their content."""

    def table(content: str) -> pa.Table:
        return made[content] if content in made else lake.load_snapshot(content)

    references, batch_seq, fixed = cited["references"], cited["batch_seq"], cited.get("fixed")
    assert isinstance(references, Mapping)
    assert isinstance(batch_seq, int)
    tables = {kind: table(content) for kind, content in references.items()}
    return Source(
        tables=Tables(lake.lines(batch_seq), tables),
        citation={"lake": dict(cited)},
        findings=findings,
        fixed=table(str(fixed)) if fixed else None,
        awards=lake.awards(),
    )


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file's content as hexadecimal text."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise Refusal("file_unreadable", f"{path} cannot be read ({error.strerror}). Check the path.") from error
    return digest.hexdigest()
