"""The lease of the lake gets its one row."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Make the row."""
    apps.get_model("sales", "LakeLease").objects.create(only_row=1, token=0)


class Migration(migrations.Migration):
    """One way."""

    dependencies = [("sales", "0001_initial")]
    operations = [migrations.RunPython(forwards)]
