"""The tables of workflow. Private to this app: others call its services and selectors."""

from django.db import models
from django.db.models import F, Q

from headrace.foundation.recorded import Recorded


class Request(Recorded):
    """Something that one person asks for and others decide. subject: id of what it is about, in the words of its kind.

    facts: what the deciders are shown, as it was when it was asked for; what is done follows them. stages: those of the policy
    at that time, so that a changed policy touches no request under way. barred: others than the maker who took part in making
    it and therefore do not decide either.
    """

    class State(models.TextChoices):
        """Where it stands."""

        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"
        WITHDRAWN = "withdrawn"

    kind = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    maker = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    facts = models.JSONField()
    stages = models.JSONField()
    barred = models.JSONField(default=list)
    stage = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("kind", "subject", condition=Q(state="open"), name="one_open_request_a_subject"),
            models.CheckConstraint(
                condition=Q(state="open", closed_at__isnull=True) | (~Q(state="open") & Q(closed_at__isnull=False)),
                name="request_is_closed_once",
            ),
        )
        indexes = (models.Index(fields=("-made_at",), name="requests_by_time"),)


class Decision(Recorded):
    """What one person decided about one stage of a request. maker: that of the request, so that the database can compare."""

    class Verdict(models.TextChoices):
        """Yes or no."""

        APPROVE = "approve"
        REJECT = "reject"

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="decisions")
    stage = models.PositiveSmallIntegerField()
    maker = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason = models.TextField(blank=True)
    decided_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=~Q(decided_by=F("maker")), name="maker_never_decides"),
            models.UniqueConstraint("request", "stage", name="one_decision_a_stage"),
            models.UniqueConstraint("request", "decided_by", name="one_decision_a_person"),
            models.CheckConstraint(condition=~Q(verdict="reject", reason=""), name="rejected_with_a_reason"),
        )
