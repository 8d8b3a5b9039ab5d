"""The Django app."""

from django.apps import AppConfig


class Portal(AppConfig):
    """Holds templates and style sheets; no tables."""

    name = "headrace.portal"
    label = "portal"
