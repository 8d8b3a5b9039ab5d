"""The Django app."""

from django.apps import AppConfig


class Ledger(AppConfig):
    """Owns the tables `ledger_*`."""

    name = "headrace.ledger"
    label = "ledger"
    default_auto_field = "django.db.models.BigAutoField"
