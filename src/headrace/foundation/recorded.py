"""Business records: tables whose every change goes into the audit trail, and whose rows are never deleted."""

import uuid
from typing import Any, ClassVar, Never, Self

from django.db import models

from headrace.foundation import acts


class RecordedQuerySet[M: models.Model](models.QuerySet[M]):
    """Reads like any other; writing past the audit trail is a defect."""

    def _past_the_trail(self, *_: Any, **__: Any) -> Never:
        raise AssertionError(f"{self.model.__name__} is changed by save(), so that the audit trail sees it")

    update = _past_the_trail
    delete = _past_the_trail
    bulk_create = _past_the_trail
    bulk_update = _past_the_trail


class Recorded(models.Model):
    """A record with its history. PERSONAL: fields whose values can be erased. SECRET: fields whose values are never kept."""

    PERSONAL: ClassVar[frozenset[str]] = frozenset()
    SECRET: ClassVar[frozenset[str]] = frozenset()

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(RecordedQuerySet)()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, and note what changed in the act that is under way, or in an act of its own."""
        with acts.joined(f"change_{self._meta.model_name}") as act:
            before = self._stored()
            super().save(*args, **kwargs)
            act.note(self._meta.label_lower, str(self.pk), before, self._stored(), secret=self.SECRET)

    def delete(self, *_: Any, **__: Any) -> Never:
        """Refuse: a record ends, it is not deleted."""
        raise AssertionError(f"{type(self).__name__} is never deleted")

    def _stored(self) -> dict[str, Any]:
        stored: dict[str, Any] | None = type(self)._base_manager.filter(pk=self.pk).values().first()  # type: ignore[assignment]
        return stored or {}

    @classmethod
    def locked(cls, pk: uuid.UUID) -> Self:
        """Read one record and hold it until the transaction ends.

        Its key stays, so rows that only refer to it are written meanwhile and never wait for it.
        """
        found: Self = cls._base_manager.select_for_update(of=("self",), no_key=True).get(pk=pk)
        return found
