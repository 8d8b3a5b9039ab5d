"""A quote that was known stays."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from headrace.foundation.append_only import protect


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Set up."""
    protect(editor, "catalogue_quote", "id")


class Migration(migrations.Migration):
    """One way: what was known is not taken down by a command."""

    dependencies = [("catalogue", "0001_initial")]
    operations = [migrations.RunPython(forwards)]
