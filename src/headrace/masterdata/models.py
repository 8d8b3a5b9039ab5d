"""The tables of master data. Private to this app: others call its services and selectors."""

import uuid

from django.db import models
from django.db.models import F, Q

from headrace.engine.rules import ColumnType
from headrace.foundation.recorded import Recorded


class Head(models.Model):
    """The one row that every writer locks: how many revisions there are."""

    seq = models.BigIntegerField()


class Revision(models.Model):
    """One act of writing. seq rises without gaps, at never falls. source: the system that said it. Append only."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    act = models.CharField(max_length=100)
    source = models.CharField(max_length=60)


class Entry(models.Model):
    """A partner, a product … : nothing but its kind and code. Append only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    code = models.CharField(max_length=400)
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = (models.UniqueConstraint("kind", "code", name="one_entry_a_code"),)


class Fact(models.Model):
    """What a field of an entry is on some days, known since a revision. Append only; a personal value can be erased."""

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="facts")
    field = models.CharField(max_length=60)
    value = models.TextField(null=True)
    from_on = models.DateField(null=True)
    until_on = models.DateField(null=True)
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    position = models.IntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(from_on__isnull=True) | Q(until_on__isnull=True) | Q(until_on__gt=F("from_on")),
                name="fact_ends_after_it_begins",
            ),
            models.UniqueConstraint("revision", "position", name="one_fact_a_position"),
        )
        indexes = (
            models.Index("entry", "field", name="facts_of_an_entry"),
            models.Index(
                "field",
                "value",
                name="facts_by_value",
                condition=Q(field__in=("partner_id", "parent_id", "group_id", "stands_for")),
            ),
        )


class DeclaredField(Recorded):
    """A further field of a kind."""

    kind = models.CharField(max_length=40)
    name = models.CharField(max_length=60)
    type = models.CharField(max_length=10, choices=[(each.value, each.value) for each in ColumnType])
    internal = models.BooleanField(default=True)

    class Meta:
        constraints = (models.UniqueConstraint("kind", "name", name="one_field_a_name"),)


class SystemOfRecord(Recorded):
    """The only source that changes a field; empty: every source may."""

    kind = models.CharField(max_length=40)
    field = models.CharField(max_length=60)
    source = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint("kind", "field", name="one_system_of_record_a_field"),)


class ImportRun(Recorded):
    """One file brought in. received: rows in it; loaded: rows taken; facts: what they changed. revision: null if nothing."""

    class State(models.TextChoices):
        """How far it is."""

        QUEUED = "queued"
        LOADED = "loaded"
        STOPPED = "stopped"

    kind = models.CharField(max_length=40)
    source = models.CharField(max_length=60)
    table = models.CharField(max_length=60, blank=True)
    file = models.ForeignKey("foundation.StoredFile", on_delete=models.PROTECT, related_name="+")
    all_or_none = models.BooleanField()
    from_on = models.DateField()
    asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    received = models.IntegerField(default=0)
    loaded = models.IntegerField(default=0)
    facts = models.IntegerField(default=0)
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+", null=True)
    ended_at = models.DateTimeField(null=True)


class ImportFinding(models.Model):
    """What was found in a file, in the order of its rows."""

    run = models.ForeignKey(ImportRun, on_delete=models.PROTECT, related_name="findings")
    position = models.IntegerField()
    row = models.IntegerField(null=True)
    column = models.CharField(max_length=200, null=True)
    code = models.CharField(max_length=60)
    severity = models.CharField(max_length=10)
    message = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint("run", "position", name="one_import_finding_a_position"),)
