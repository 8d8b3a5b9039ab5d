"""The tables of governance. Private to this app: others call its services and selectors."""

from django.db import models
from django.db.models import Q

from headrace.foundation.recorded import Recorded


class Review(Recorded):
    """The working out of what a version would change, from its submission until its request is open or it went back.

    version: id of the version, whose terms had the hash. effect: the facts of the request; empty until they are worked out.
    """

    class State(models.TextChoices):
        """Where it stands."""

        WORKING = "working"
        ASKED = "asked"
        REFUSED = "refused"

    version = models.UUIDField()
    program = models.CharField(max_length=100)
    number = models.PositiveIntegerField()
    terms_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WORKING)
    asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    effect = models.JSONField(default=dict)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("version", condition=Q(state="working"), name="governance_one_review_at_work"),
        )
        indexes = (models.Index("version", "asked_at", name="governance_reviews"),)


class Acceptance(Recorded):
    """What a partner is asked to accept: that less is earned than was already. lowered: rows of the review's effect."""

    class State(models.TextChoices):
        """Where it stands."""

        WAITING = "waiting"
        ACCEPTED = "accepted"
        DECLINED = "declined"

    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="acceptances")
    partner = models.CharField(max_length=200)
    lowered = models.JSONField()
    says = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    decided_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("review", "partner", name="governance_one_acceptance_a_partner"),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_by__isnull=True, decided_at__isnull=True)
                | Q(state__in=("accepted", "declined"), decided_by__isnull=False, decided_at__isnull=False),
                name="governance_acceptance_by_somebody",
            ),
        )
