"""What was said stays: entries, facts and revisions become append only, but for the erasing of personal values."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from headrace.foundation.append_only import protect

KEPT = ("id", "entry_id", "field", "from_on", "until_on", "revision_id", "position")


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Set up."""
    apps.get_model("masterdata", "Head").objects.create(id=1, seq=0)
    protect(editor, "masterdata_revision", "seq")
    protect(editor, "masterdata_entry", "id")
    protect(editor, "masterdata_fact", "id", erasable=("value",), kept=KEPT)


class Migration(migrations.Migration):
    """One way: what was known is not taken down by a command."""

    dependencies = [("masterdata", "0001_initial")]
    operations = [migrations.RunPython(forwards)]
