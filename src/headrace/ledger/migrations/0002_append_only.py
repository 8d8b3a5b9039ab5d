"""What the database itself refuses: changing what was posted, postings that cannot be, opening again what left."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from headrace.foundation.append_only import protect

_RANK = "CASE {row}.state WHEN 'open' THEN 0 WHEN 'soft_closed' THEN 1 ELSE 2 END"
_OPENED_AGAIN = (
    f"{_RANK.format(row='NEW')} < {_RANK.format(row='OLD')}"
    " AND EXISTS (SELECT 1 FROM ledger_departure WHERE period_id = OLD.id)"
)
_OTHER_DAYS = "NEW.from_on <> OLD.from_on OR NEW.until_on <> OLD.until_on OR NEW.company_id <> OLD.company_id"

_SQLITE = (
    """CREATE TRIGGER ledger_posting_can_be BEFORE INSERT ON ledger_posting WHEN NOT EXISTS (
        SELECT 1 FROM ledger_entry e, ledger_account d, ledger_account c, ledger_accountingperiod p
        WHERE e.id = NEW.entry_id AND d.id = NEW.debit_id AND c.id = NEW.credit_id AND p.id = NEW.period_id
        AND d.currency = NEW.currency AND c.currency = NEW.currency
        AND d.company_id = e.company_id AND c.company_id = e.company_id AND p.company_id = e.company_id
        AND p.state <> 'locked' AND NEW.booked_on >= p.from_on AND NEW.booked_on < p.until_on)
    BEGIN SELECT RAISE(ABORT, 'ledger_posting: currency, company or period do not fit'); END""",
    f"""CREATE TRIGGER ledger_period_stays BEFORE UPDATE ON ledger_accountingperiod
    WHEN ({_OPENED_AGAIN}) OR {_OTHER_DAYS}
    BEGIN SELECT RAISE(ABORT, 'ledger_accountingperiod: something left, or the days are fixed'); END""",
    """CREATE TRIGGER ledger_period_not_deleted BEFORE DELETE ON ledger_accountingperiod
    BEGIN SELECT RAISE(ABORT, 'ledger_accountingperiod is never deleted'); END""",
    """CREATE TRIGGER ledger_balance_not_deleted BEFORE DELETE ON ledger_balance
    BEGIN SELECT RAISE(ABORT, 'ledger_balance is never deleted'); END""",
)
_POSTGRESQL = (
    # Once a statement, over all its rows: a batch of thousands costs one query.
    """CREATE FUNCTION ledger_posting_can_be() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM 1 FROM ledger_accountingperiod WHERE id IN (SELECT DISTINCT period_id FROM added) FOR SHARE;
    IF (SELECT count(*) FROM added) <> (
        SELECT count(*) FROM added n JOIN ledger_entry e ON e.id = n.entry_id
        JOIN ledger_account d ON d.id = n.debit_id JOIN ledger_account c ON c.id = n.credit_id
        JOIN ledger_accountingperiod p ON p.id = n.period_id
        WHERE d.currency = n.currency AND c.currency = n.currency
        AND d.company_id = e.company_id AND c.company_id = e.company_id AND p.company_id = e.company_id
        AND p.state <> 'locked' AND n.booked_on >= p.from_on AND n.booked_on < p.until_on)
    THEN RAISE EXCEPTION 'ledger_posting: currency, company or period do not fit'
        USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NULL; END $$""",
    """CREATE TRIGGER ledger_posting_can_be AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_posting_can_be()""",
    f"""CREATE FUNCTION ledger_period_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF ({_OPENED_AGAIN}) OR {_OTHER_DAYS} THEN
        RAISE EXCEPTION 'ledger_accountingperiod: something left, or the days are fixed'
        USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER ledger_period_stays BEFORE UPDATE ON ledger_accountingperiod
    FOR EACH ROW EXECUTE FUNCTION ledger_period_stays()""",
    """CREATE FUNCTION ledger_not_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION '% is never deleted', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    *(
        f"CREATE TRIGGER {table}_{when} BEFORE {what} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_not_deleted()"
        for table in ("ledger_accountingperiod", "ledger_balance")
        for when, what in (("not_deleted", "DELETE"), ("not_truncated", "TRUNCATE"))
    ),
)


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Set the triggers."""
    protect(editor, "ledger_account", "id", unique=("digest = NEW.digest",))
    protect(editor, "ledger_entry", "id", unique=("key = NEW.key",))
    position = "entry_id = NEW.entry_id AND position = NEW.position"
    protect(editor, "ledger_posting", "id", unique=("key = NEW.key", position))
    protect(editor, "ledger_departure", "id", unique=("period_id = NEW.period_id AND what = NEW.what",))
    for statement in _POSTGRESQL if editor.connection.vendor == "postgresql" else _SQLITE:
        editor.execute(statement, params=None)


class Migration(migrations.Migration):
    """One way: books are not taken down by a command."""

    dependencies = [("ledger", "0001_initial")]
    operations = [migrations.RunPython(forwards)]
