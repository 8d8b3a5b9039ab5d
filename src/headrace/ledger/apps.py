"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Ledger(AppConfig):
    """Owns the tables `ledger_*`."""

    name = "headrace.ledger"
    label = "ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what follows from approved profiles."""
        import_module("headrace.ledger.profiles")
