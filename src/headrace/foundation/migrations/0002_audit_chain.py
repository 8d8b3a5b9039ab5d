"""The audit trail becomes append only, its chain gets its start, and what counts tries of sign-in gets its table."""

from django.apps.registry import Apps
from django.core.management import call_command
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from headrace.foundation.acts import START
from headrace.foundation.append_only import protect

KEPT = ("id", "link_id", "position", "record", "record_id", "field", "digest")


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Set up the chain."""
    apps.get_model("foundation", "AuditHead").objects.create(id=1, seq=0, digest=START)
    protect(editor, "foundation_auditlink", "seq")
    protect(editor, "foundation_auditentry", "id", erasable=("before", "after", "salt"), kept=KEPT)
    call_command("createcachetable", database=editor.connection.alias)


class Migration(migrations.Migration):
    """One way: an audit trail is not taken down by a command."""

    dependencies = [("foundation", "0001_initial")]
    operations = [migrations.RunPython(forwards)]
