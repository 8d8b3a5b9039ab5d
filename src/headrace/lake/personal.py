"""Personal fields: kept apart from the facts under a random key, so that they can be erased and no fact changes.

A profile declares groups of columns (a customer's name and e-mail, a rep's name). On the way into the lake each group is
replaced by one column that holds a key. The key is random and says nothing; the same values on lines of the same partner get
the key that they have already. The side table holds one row per key and field. Its log keeps no extent of these columns, so a
value is nowhere but in its data file, and that file is removed when one of its rows is erased.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.engine.findings import Refusal
from headrace.lake.datafiles import FileWriter
from headrace.lake.delta import Commit, DeltaFolder
from headrace.lake.durable import remove_files, sync_folder
from headrace.lake.raw import raw_path
from headrace.lake.writing import Held

SCHEMA = pa.schema(
    [
        pa.field("person_key", pa.string(), nullable=False),
        pa.field("partner_id", pa.string()),
        pa.field("role", pa.string(), nullable=False),
        pa.field("field", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("batch_seq", pa.int64(), nullable=False),
    ]
)
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalColumns:
    """Columns of a batch that together describe a person. key: the text column that takes their place in the lines."""

    key: str
    columns: tuple[str, ...]

    def replaced_in(self, schema: pa.Schema) -> pa.Schema:
        """Give the schema with the key in the place of the columns. Raises Refusal `personal_column` where it cannot be."""
        absent = [name for name in self.columns if name not in schema.names]
        if absent or self.key in schema.names:
            what = f"lack {', '.join(absent)}" if absent else f"have a column {self.key} already"
            raise Refusal(
                "personal_column",
                f"The lines {what}, but the profile keeps {', '.join(self.columns)} apart under the key {self.key}. Correct "
                "the personal columns of the profile.",
            )
        kept = [column for column in schema if column.name not in self.columns]
        return pa.schema([*kept, pa.field(self.key, pa.string())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure removed: keys, rows of personal fields, the batches that brought them, raw files removed."""

    keys: tuple[str, ...]
    rows: int
    batch_seqs: tuple[int, ...]
    raw_files: int = 0

    def with_raw_removed(self, folder: Path, names: Iterable[str]) -> "Erased":
        """Remove raw files for good and count them."""
        paths = [raw_path(folder, name) for name in names]
        removed = remove_files(paths)
        for parent in {path.parent for path in paths if path.parent.is_dir()}:
            sync_folder(parent)
        return replace(self, raw_files=removed)


def split_off(
    table: DeltaFolder, rows: pa.Table, groups: Sequence[PersonalColumns], *, batch_seq: int, at: datetime
) -> pa.Table:
    """Move the personal columns of rows to the side table, durable when this returns; give the rows with keys instead."""
    if not groups:
        return rows
    table.refresh()
    coming: list[pa.Table] = []
    for group in groups:
        keys, new = _keys(table, rows, group, batch_seq)
        rows = rows.drop_columns(list(group.columns))
        place = rows.schema.get_field_index(group.key)
        rows = rows.set_column(place, group.key, keys)
        coming.append(new)
    news = pa.concat_tables(coming)
    if news.num_rows:
        writer = FileWriter(table.path, version=table.version + 1, described=["batch_seq"])
        _commit(table, writer, Commit(operation="WRITE", added=writer.write([({}, news)])), at=at)
    return rows


def read(table: DeltaFolder, keys: Iterable[str] | None) -> pa.Table:
    """Give personal fields, of some keys or all."""
    names = [table.path / name for name in table.files()["path"].to_pylist()]
    parts = [pq.read_table(path, schema=SCHEMA, partitioning=None) for path in names]
    rows = pa.concat_tables([SCHEMA.empty_table(), *parts])
    if keys is None:
        return rows
    return rows.filter(pc.is_in(rows["person_key"], value_set=pa.array(list(keys), pa.string())))


def erase(table: DeltaFolder, *, partner_id: str | None, person_key: str | None, held: Held, at: datetime) -> Erased:
    """Remove personal fields from the disk: rewrite the files that hold them without them, and remove the old ones.

    Raises Refusal `person_unknown` where there is nothing of that partner or key.
    """
    assert (partner_id is None) != (person_key is None), "name a partner or a person, not both"
    column, wanted = ("partner_id", partner_id) if partner_id is not None else ("person_key", person_key)
    writer = FileWriter(table.path, version=table.version + 1, described=["batch_seq"])
    removed, gone = [], []
    for row in table.files().to_pylist():
        rows = pq.read_table(table.path / row["path"], schema=SCHEMA, partitioning=None)
        meant = pc.fill_null(pc.equal(rows[column], wanted), False)
        if not pc.any(meant).as_py():
            continue
        removed.append(row)
        gone.append(rows.filter(meant))
        kept = rows.filter(pc.invert(meant))
        if kept.num_rows:
            writer.write([({}, kept)])
        held.keep()
    if not removed:
        raise Refusal(
            "person_unknown",
            f"The lake {table.path.parent} keeps no personal fields of {column} {wanted!r}. Nothing was erased; look the key "
            "or the partner up first.",
        )
    _commit(table, writer, Commit(operation="ERASE", added=writer.written, removed=removed), at=at)
    remove_files(table.path / row["path"] for row in removed)
    sync_folder(table.path)
    erased = pa.concat_tables(gone)
    return Erased(
        keys=tuple(sorted(set(erased["person_key"].to_pylist()))),
        rows=erased.num_rows,
        batch_seqs=tuple(sorted(set(erased["batch_seq"].to_pylist()))),
    )


def _commit(table: DeltaFolder, writer: FileWriter, commit: Commit, *, at: datetime) -> None:
    try:
        table.commit(commit, at=at)
    except BaseException:
        if not table.was_committed(writer.version, writer.written):
            writer.discard()
        raise


def _keys(table: DeltaFolder, rows: pa.Table, group: PersonalColumns, batch_seq: int) -> tuple[pa.Array, pa.Table]:
    """Give each row's key, null where it has no personal value, and the side table's rows for persons not known yet."""
    columns = ["partner_id", *group.columns]
    texts = pa.table({name: rows[name].cast(pa.string()) for name in columns})
    people = texts.group_by(columns).aggregate([]).to_pylist()
    known = _known(table, group)
    keys: dict[tuple[str | None, ...], str | None] = {}
    new: list[dict[str, object]] = []
    for person in people:
        identity = tuple(person[name] for name in columns)
        fields = {name: person[name] for name in group.columns if person[name] is not None}
        if not fields:
            keys[identity] = None
            continue
        key = known.get(identity) or secrets.token_hex(_KEY_BYTES)
        keys[identity] = key
        if identity not in known:
            about = {"person_key": key, "partner_id": person["partner_id"], "role": group.key, "batch_seq": batch_seq}
            new += [{**about, "field": name, "value": value} for name, value in fields.items()]
    of_row = zip(*(texts[name].to_pylist() for name in columns), strict=True)
    return pa.array([keys[identity] for identity in of_row], pa.string()), pa.Table.from_pylist(new, schema=SCHEMA)


def _known(table: DeltaFolder, group: PersonalColumns) -> dict[tuple[str | None, ...], str]:
    stored: dict[str, dict[str, str | None]] = {}
    rows = read(table, None)
    for row in rows.filter(pc.equal(rows["role"], group.key)).to_pylist():
        stored.setdefault(row["person_key"], {"partner_id": row["partner_id"]})[row["field"]] = row["value"]
    return {
        (fields["partner_id"], *(fields.get(name) for name in group.columns)): key
        for key, fields in stored.items()
        if fields.keys() <= {"partner_id", *group.columns}
    }
