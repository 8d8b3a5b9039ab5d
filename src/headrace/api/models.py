"""The tables of the API. Private to this app."""

from django.db import models


class AnsweredCall(models.Model):
    """A write that was done, by its `Idempotency-Key`: written in its transaction, so there is one or there is neither."""

    token = models.ForeignKey("foundation.ApiToken", on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)

    class Meta:
        constraints = (models.UniqueConstraint("token", "key", name="one_answer_a_key"),)
