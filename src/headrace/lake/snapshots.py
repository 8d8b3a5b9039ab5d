"""Reference tables that calculations used, kept under the hash of their content.

The hash is a statement's proof of what it was computed from, so its definition may not change while a statement cites it:

    row     each column, in the order of the names' bytes: the value as text, written as its length in bytes, `:`, the text;
            a null is `-`. Text as it is, decimals with all digits of their scale, whole numbers in base 10, dates ISO,
            booleans `true` or `false`.
    table   SHA-256 over one line per column (`name` TAB `type`, in the same order), an empty line, and the SHA-256 of each
            row in hex, sorted, each followed by a line feed.

Order of rows and columns does not matter; a repeated row does. One file per hash: each table has a schema of its own, so they
are no single Delta table.
"""

import hashlib
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.engine.findings import Refusal
from headrace.lake.datafiles import write_parquet
from headrace.lake.durable import make_folder, publish, sync_folder

_HASH = "row hash"


def content_hash(table: pa.Table) -> str:
    """Give the SHA-256 of a table's content, the same for any order of its rows and columns.

    Raises Refusal `snapshot_type` for a column that is not text, decimal, whole number, date or boolean, or not named once.

    >>> a = pa.table({"id": ["x", "y"], "n": pa.array([1, None], pa.int64())})
    >>> content_hash(a) == content_hash(a.take([1, 0]).select(["n", "id"]))
    True
    """
    return _canonical(table)[1]


def store(folder: Path, table: pa.Table) -> str:
    """Keep a table, durable when this returns, and give its hash; a table that is kept already is left as it is."""
    canonical, digest = _canonical(table)
    path = _path(folder, digest)
    make_folder(folder)
    if path.is_file():
        sync_folder(folder)
    else:
        publish(path, lambda temporary: write_parquet(canonical, temporary))
    return digest


def load(folder: Path, digest: str) -> pa.Table:
    """Give the table of that hash, columns by name. Raises Refusal `snapshot_missing` or `snapshot_damaged`."""
    path = _path(folder, digest)
    if not path.is_file():
        raise Refusal(
            "snapshot_missing",
            f"The lake {folder.parent} holds no snapshot {digest}. Name the lake that the statement was computed from, or bring "
            "it back from a backup.",
        )
    try:
        table = pq.read_table(path, partitioning=None)
        whole = content_hash(table) == digest
    except (pa.ArrowException, OSError):
        whole = False
    if not whole:
        raise Refusal(
            "snapshot_damaged",
            f"The snapshot {path} is not what its name says: it was changed or is damaged. Bring it back from a backup.",
        )
    return table


def _path(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.parquet"


def _canonical(table: pa.Table) -> tuple[pa.Table, str]:
    plain = _plain(table)
    names = plain.schema.names
    head = "".join(f"{column.name}\t{column.type}\n" for column in plain.schema)
    texts = ", ".join(_text(plain.schema.field(name)) for name in names)
    if not names:
        return plain, hashlib.sha256(f"{head}\n".encode()).hexdigest()
    with duckdb.connect() as database:
        database.register("snapshot", plain)
        hashed = database.sql(
            f'select *, sha256(concat({texts})) as "{_HASH}" from snapshot order by "{_HASH}"'
        ).to_arrow_table()
    digest = hashlib.sha256(f"{head}\n".encode())
    for value in hashed[_HASH].to_pylist():
        digest.update(f"{value}\n".encode())
    return hashed.drop_columns([_HASH]).cast(plain.schema), digest.hexdigest()


def _plain(table: pa.Table) -> pa.Table:
    names = sorted(table.schema.names, key=str.encode)
    if len(set(names)) != len(names) or _HASH in names:
        raise _refused(f"column names are repeated or reserved: {', '.join(names)}")
    columns, fields = [], []
    for name in names:
        kind = _plain_type(name, table.schema.field(name).type)
        columns.append(table[name].cast(kind))
        fields.append(pa.field(name, kind))
    return pa.table(columns, schema=pa.schema(fields))


def _plain_type(name: str, kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return pa.string()
    if (
        pa.types.is_string(kind)
        or pa.types.is_decimal128(kind)
        or pa.types.is_date32(kind)
        or pa.types.is_boolean(kind)
    ):
        return kind
    if pa.types.is_integer(kind):
        return pa.int64()
    raise _refused(f"column {name} has the type {kind}")


def _text(column: pa.Field) -> str:
    name = '"' + column.name.replace('"', '""') + '"'
    # Equal in every version: said by format, not left to what a cast to text happens to give.
    text = f"strftime({name}, '%Y-%m-%d')" if pa.types.is_date32(column.type) else f"cast({name} as varchar)"
    return f"case when {name} is null then '-' else concat(strlen({text}), ':', {text}) end"


def _refused(what: str) -> Refusal:
    return Refusal(
        "snapshot_type",
        f"The table cannot be kept as a snapshot: {what}. Columns are text, decimals, whole numbers, dates or booleans, each "
        "named once.",
    )
