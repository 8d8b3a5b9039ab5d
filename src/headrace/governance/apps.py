"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Governance(AppConfig):
    """Owns the tables `governance_*`."""

    name = "headrace.governance"
    label = "governance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("headrace.governance.governor")
        import_module("headrace.governance.tasks")
