"""The Django app."""

from importlib import import_module

from django.apps import AppConfig


class Catalogue(AppConfig):
    """Owns the tables `catalogue_*`."""

    name = "headrace.catalogue"
    label = "catalogue"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register kinds, loaders and jobs."""
        import_module("headrace.catalogue.tasks")
