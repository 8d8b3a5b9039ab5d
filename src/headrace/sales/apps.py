"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Sales(AppConfig):
    """Owns the tables `sales_*`."""

    name = "headrace.sales"
    label = "sales"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the scheduled jobs, and what follows from requests."""
        import_module("headrace.sales.tasks")
        import_module("headrace.sales.repairing")
