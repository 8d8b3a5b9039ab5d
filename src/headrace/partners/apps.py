"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Partners(AppConfig):
    """Owns the tables `partners_*`."""

    name = "headrace.partners"
    label = "partners"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register kinds, loaders and jobs."""
        import_module("headrace.partners.tasks")
