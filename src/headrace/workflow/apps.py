"""The Django app."""

from django.apps import AppConfig


class Workflow(AppConfig):
    """Owns the tables `workflow_*`."""

    name = "headrace.workflow"
    label = "workflow"
    default_auto_field = "django.db.models.BigAutoField"
