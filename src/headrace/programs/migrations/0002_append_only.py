"""Postings become append only, and whoever works live balances gets the row to lock."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from headrace.foundation.append_only import protect


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Set it up."""
    apps.get_model("programs", "LiveHead").objects.create(only_row=1)
    protect(editor, "programs_liveposting", "id")
    protect(editor, "programs_finalposting", "id")


class Migration(migrations.Migration):
    """One way."""

    dependencies = [("programs", "0001_initial")]
    operations = [migrations.RunPython(forwards)]
