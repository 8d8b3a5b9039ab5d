"""The tables of closing. Private to this app: others call its services and selectors."""

from django.db import models
from django.db.models import Q

from headrace.foundation.recorded import Recorded


class Proof(Recorded):
    """One proof that was made. moment: what it is of. checked: how many figures. found: how many were wrong; faults: in words."""

    class Kind(models.TextChoices):
        """What was proven."""

        BALANCES = "balances"
        BOOKS = "books"
        AUDIT_TRAIL = "audit_trail"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    at = models.DateTimeField()
    moment = models.CharField(max_length=200)
    checked = models.BigIntegerField()
    found = models.BigIntegerField()
    faults = models.JSONField(default=list)

    class Meta:
        indexes = (models.Index(fields=("kind", "-at"), name="closing_last_proof"),)


class Alarm(Recorded):
    """Something that is wrong until it is cleared. faults: each in words. last_at: when it was found last."""

    class Severity(models.TextChoices):
        """How soon somebody has to look."""

        WARNING = "warning"
        CRITICAL = "critical"

    kind = models.CharField(max_length=40)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    message = models.TextField()
    found = models.BigIntegerField()
    faults = models.JSONField(default=list)
    raised_at = models.DateTimeField()
    last_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)
    cleared_because = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("kind", condition=Q(cleared_at__isnull=True), name="closing_one_open_alarm_a_kind"),
            models.CheckConstraint(
                condition=Q(cleared_at__isnull=True) | ~Q(cleared_because=""),
                name="closing_alarm_cleared_with_a_reason",
            ),
        )


class Explanation(Recorded):
    """Why a check that asks to be explained may stand for a period. digest: of the items that were seen."""

    period = models.UUIDField()
    check_code = models.CharField(max_length=60)
    digest = models.CharField(max_length=64)
    items = models.BigIntegerField()
    reason = models.TextField()
    explained_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    explained_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint("period", "check_code", "digest", name="closing_one_explanation_of_the_same"),
            models.CheckConstraint(condition=~Q(reason=""), name="closing_explained_with_a_reason"),
        )


class AuditPack(Recorded):
    """The pack of one close of a period. sha256: of the archive, empty until it is made; differences: how many steps differ."""

    period = models.UUIDField()
    locked_at = models.DateTimeField()
    asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.BigIntegerField(null=True)
    differences = models.IntegerField(null=True)
    made_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("period", "locked_at", name="closing_one_pack_a_close"),
            models.CheckConstraint(
                condition=Q(sha256="", size__isnull=True, differences__isnull=True, made_at__isnull=True)
                | (~Q(sha256="") & Q(size__isnull=False, differences__isnull=False, made_at__isnull=False)),
                name="closing_pack_made_whole",
            ),
        )
