"""Writes what is published of the document model into a checkout: `python -m headrace.engine.terms` in its root."""

from pathlib import Path

from headrace.engine.terms.published import publish

publish(Path.cwd())
