"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Programs(AppConfig):
    """Owns the tables `programs_*`."""

    name = "headrace.programs"
    label = "programs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("headrace.programs.tasks")
