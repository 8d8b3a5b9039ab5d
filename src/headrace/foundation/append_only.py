"""Triggers that keep a table append only, for SQLite and PostgreSQL, whoever holds the connection.

An operator with the rights of the table's owner can drop a trigger; the chain of `audit` then shows what was changed.
"""

from collections.abc import Sequence

from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def protect(
    editor: BaseDatabaseSchemaEditor,
    table: str,
    key: str,
    *,
    erasable: Sequence[str] = (),
    kept: Sequence[str] = (),
    unique: Sequence[str] = (),
) -> None:
    """Refuse update, delete, truncate and replacing insert on the table.

    key: its primary key. erasable: columns that an update may set to null, all of them together, if every column of
    `kept` stays as it is. unique: conditions on NEW beside the key by which a replacing insert could find a row.
    """
    if editor.connection.vendor == "postgresql":
        statements = _postgresql(table, erasable, kept)
    else:
        statements = _sqlite(table, (f"{key} = NEW.{key}", *unique), erasable, kept)
    for statement in statements:
        editor.execute(statement, params=None)


def _sqlite(table: str, same: Sequence[str], erasable: Sequence[str], kept: Sequence[str]) -> list[str]:
    stop = f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
    erasing = [f"NEW.{name} IS NULL" for name in erasable] + [f"NEW.{name} IS OLD.{name}" for name in kept]
    unless = f"WHEN NOT ({' AND '.join(erasing)}) " if erasable else ""
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {unless}{stop}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {stop}",
        # INSERT OR REPLACE deletes without asking the delete trigger.
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN {' OR '.join(f'EXISTS (SELECT 1 FROM {table} WHERE {one})' for one in same)} {stop}",
    ]


def _postgresql(table: str, erasable: Sequence[str], kept: Sequence[str]) -> list[str]:
    erasing = [f"NEW.{name} IS NULL" for name in erasable] + [
        f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in kept
    ]
    allow = f"IF TG_OP = 'UPDATE' AND {' AND '.join(erasing)} THEN RETURN NEW; END IF;" if erasable else ""
    return [
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {allow} "
        f"RAISE EXCEPTION '{table} is append only' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
    ]
