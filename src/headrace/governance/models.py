"""The tables of governance. Private to this app: others call its services and selectors."""

from django.db import models
from django.db.models import F, Q

from headrace.foundation.exact import ExactField
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


class Guardrail(Recorded):
    """A limit set by two people that no author passes.

    program_type, region, role: of which programs and authors it speaks; empty is all. value: a share or an amount, by the kind.
    text: the product family, the column of prices, or the permission of who must review.
    """

    class Kind(models.TextChoices):
        """What it limits."""

        HIGHEST_RATE = "highest_rate"
        PAYOUT = "payout"
        BUDGET = "budget"
        BLACKOUT = "blackout"
        REVIEWER = "reviewer"
        STACK_SHARE = "stack_share"
        STACK_COST = "stack_cost"

    class State(models.TextChoices):
        """Where it stands; while its end is asked for, it holds."""

        PROPOSED = "proposed"
        IN_FORCE = "in_force"
        ENDING = "ending"
        ENDED = "ended"
        REJECTED = "rejected"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    program_type = models.CharField(max_length=60, blank=True)
    region = models.CharField(max_length=60, blank=True)
    role = models.CharField(max_length=40, blank=True)
    value = ExactField(null=True)
    currency = models.CharField(max_length=12, blank=True)
    text = models.CharField(max_length=200, blank=True)
    reason = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    set_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(kind="highest_rate", value__isnull=False, currency="", text="")
                | (Q(kind__in=("payout", "budget"), value__isnull=False, text="") & ~Q(currency=""))
                | (Q(kind__in=("blackout", "reviewer", "stack_cost"), value__isnull=True, currency="") & ~Q(text=""))
                | (Q(kind="stack_share", value__isnull=False, currency="") & ~Q(text="")),
                name="governance_guardrail_says_what",
            ),
        )


class Waiver(Recorded):
    """The wish that one version, with these very terms, passes one guardrail; granted by another person."""

    class State(models.TextChoices):
        """Where it stands."""

        ASKED = "asked"
        GRANTED = "granted"
        REJECTED = "rejected"

    guardrail = models.ForeignKey(Guardrail, on_delete=models.PROTECT, related_name="waivers")
    version = models.UUIDField()
    program = models.CharField(max_length=100)
    number = models.PositiveIntegerField()
    terms_hash = models.CharField(max_length=64)
    reason = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "guardrail",
                "version",
                "terms_hash",
                condition=Q(state__in=("asked", "granted")),
                name="governance_one_waiver",
            ),
            models.CheckConstraint(
                condition=Q(state="asked", decided_by__isnull=True)
                | (Q(state="granted", decided_at__isnull=False) & ~Q(decided_by=F("asked_by")))
                | Q(state="rejected", decided_by__isnull=False),
                name="governance_waiver_takes_two",
            ),
        )


class Budget(Recorded):
    """What a program may cost, and its region, agreed to by two people; the last approved one holds.

    warn_at: share of the amount from which on it warns. expected: what the program is expected to cost.
    """

    class State(models.TextChoices):
        """Where it stands."""

        ASKED = "asked"
        APPROVED = "approved"
        REJECTED = "rejected"

    program = models.CharField(max_length=100)
    region = models.CharField(max_length=60, blank=True)
    amount = ExactField()
    expected = ExactField()
    currency = models.CharField(max_length=12)
    warn_at = ExactField()
    reason = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("program", condition=Q(state="asked"), name="governance_one_budget_asked"),
            models.CheckConstraint(
                condition=Q(state="asked", decided_at__isnull=True)
                | Q(state__in=("approved", "rejected"), decided_at__isnull=False),
                name="governance_budget_decided",
            ),
        )


class Assignment(Recorded):
    """A partner's part in a program, from a day until before another. terms_hash: of the terms that it was offered.

    Where the terms ask to be accepted it is offered first, and enrolled once the partner accepts; it counts from `from_on`.
    """

    class State(models.TextChoices):
        """Where it stands."""

        OFFERED = "offered"
        ENROLLED = "enrolled"
        DECLINED = "declined"

    program = models.CharField(max_length=100)
    partner = models.CharField(max_length=200)
    from_on = models.DateField()
    until_on = models.DateField(null=True)
    terms_hash = models.CharField(max_length=64)
    says = models.JSONField()
    source = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices)
    assigned_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    assigned_at = models.DateTimeField()
    decided_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "program", "partner", condition=Q(state__in=("offered", "enrolled")), name="governance_one_assignment"
            ),
            models.CheckConstraint(
                condition=Q(until_on__isnull=True) | Q(until_on__gte=F("from_on")),
                name="governance_leaves_after_joining",
            ),
        )
        indexes = (models.Index("partner", name="governance_assignments_of"),)
