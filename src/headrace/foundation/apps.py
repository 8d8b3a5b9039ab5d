"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Foundation(AppConfig):
    """Owns the tables `foundation_*`."""

    name = "headrace.foundation"
    label = "foundation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the scheduled jobs."""
        import_module("headrace.foundation.tasks")
