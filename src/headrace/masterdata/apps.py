"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Masterdata(AppConfig):
    """Owns the tables `masterdata_*`."""

    name = "headrace.masterdata"
    label = "masterdata"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register kinds, loaders and jobs."""
        import_module("headrace.masterdata.tasks")
