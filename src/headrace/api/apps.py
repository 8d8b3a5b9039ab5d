"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Api(AppConfig):
    """Owns the tables `api_*`."""

    name = "headrace.api"
    label = "api"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the scheduled jobs."""
        import_module("headrace.api.tasks")
