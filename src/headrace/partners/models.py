"""The tables of partners. Private to this app: others call its services and selectors."""

from django.db import models
from django.db.models import F, Q

from headrace.foundation.recorded import Recorded


class BankAccount(Recorded):
    """Where a partner is paid. sealed: holder and numbers, encrypted. shown: masked. Never edited: a new one takes over.

    It counts from `usable_from` on, some days after a second person approved the request of workflow, until a later one counts.
    """

    SECRET = frozenset({"sealed"})

    class State(models.TextChoices):
        """Where it stands."""

        ASKED = "asked"
        APPROVED = "approved"
        REFUSED = "refused"

    request = models.UUIDField(unique=True)
    partner = models.CharField(max_length=400)
    company = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    sealed = models.TextField()
    shown = models.CharField(max_length=60)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    usable_from = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("asked_by")), name="bank_data_takes_two_people"
            ),
            models.CheckConstraint(
                condition=~Q(state="approved")
                | Q(decided_by__isnull=False, usable_from__gt=F("decided_at"), decided_at__isnull=False),
                name="bank_data_cools_down",
            ),
            models.CheckConstraint(
                condition=Q(state="approved") | Q(usable_from__isnull=True), name="only_approved_bank_data_is_usable"
            ),
            models.UniqueConstraint(
                "partner", "company", condition=Q(state="asked"), name="one_open_bank_data_an_account"
            ),
        )


class LevelProposal(Recorded):
    """A change of level that the rules ask for: applied by the job on its day, unless a person refused it before.

    from_level, to_level: empty for none.
    """

    class State(models.TextChoices):
        """Where it stands."""

        PROPOSED = "proposed"
        APPLIED = "applied"
        REFUSED = "refused"
        LAPSED = "lapsed"

    partner = models.CharField(max_length=400)
    from_level = models.CharField(max_length=100, blank=True)
    to_level = models.CharField(max_length=100, blank=True)
    why = models.TextField()
    proposed_on = models.DateField()
    effective_on = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    decided_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    reason = models.TextField(blank=True)
    refused_until = models.DateField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("partner", condition=Q(state="proposed"), name="one_open_proposal_a_partner"),
            models.CheckConstraint(
                condition=~Q(state="refused") | Q(decided_by__isnull=False, refused_until__isnull=False),
                name="proposal_refused_by_somebody",
            ),
        )
