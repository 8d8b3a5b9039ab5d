"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Closing(AppConfig):
    """Owns the tables `closing_*`."""

    name = "headrace.closing"
    label = "closing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, the guard of the lock and the scheduled proofs."""
        for module in ("own_checks", "checklist", "tasks"):
            import_module(f"headrace.closing.{module}")
