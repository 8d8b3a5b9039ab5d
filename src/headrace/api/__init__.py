"""The REST API under /api/v1: the same services and selectors as the pages, for programs. No rules of its own."""
