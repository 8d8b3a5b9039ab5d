"""Decimals of any length, kept as they are: numeric in PostgreSQL, text in SQLite, whose own numbers end at 15 digits."""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class ExactField(models.Field[Any, Any]):
    """A decimal without limit of digits. Compare and add it in Python; in SQLite it is text."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Give the column's type."""
        return "numeric" if connection.vendor == "postgresql" else "text"

    def from_db_value(self, value: Any, *_: Any) -> Decimal | None:
        """Read."""
        return None if value is None else Decimal(value)

    def to_python(self, value: Any) -> Decimal | None:
        """Read what a migration or a fixture wrote."""
        return None if value is None else Decimal(value)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """Write plainly, never with an exponent."""
        if value is None:
            return None
        exact = Decimal(value)
        assert exact.is_finite(), "money is a number"
        return exact if connection.vendor == "postgresql" else f"{exact:f}"
