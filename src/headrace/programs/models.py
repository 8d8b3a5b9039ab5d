"""The tables of programs. Private to this app: others call its services and selectors."""

from django.db import models
from django.db.models import Q

from headrace.foundation.exact import ExactField
from headrace.foundation.recorded import Recorded


class Program(Recorded):
    """One program. code: the name by which its documents call it. owner: who answers for it."""

    code = models.CharField(max_length=100, unique=True)
    owner = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()


class Version(Recorded):
    """One version of a program's terms; `document` never changes once it left the draft.

    written: the document as its author wrote it. document: the whole document as JSON, by which it is calculated. author: who
    wrote it last. editors: ids of everybody who wrote at it; none of them approves it.
    """

    class State(models.TextChoices):
        """Where it stands in its life."""

        DRAFT = "draft"
        IN_REVIEW = "in_review"
        APPROVED = "approved"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        ENDED = "ended"

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    written = models.TextField()
    document = models.JSONField()
    terms_hash = models.CharField(max_length=64)
    author = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    editors = models.JSONField(default=list)
    drafted_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("program", "number", name="one_version_a_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="versions_count_from_one"),
            models.CheckConstraint(
                condition=Q(state__in=("draft", "in_review", "approved"), activated_at__isnull=True)
                | Q(state__in=("active", "suspended", "ended"), activated_at__isnull=False),
                name="version_in_force_was_activated",
            ),
        )


class LiveHead(models.Model):
    """The one row that whoever works live balances locks first, so that batches are posted one after the other."""

    only_row = models.SmallIntegerField(primary_key=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(only_row=1), name="one_live_head"),)


class LiveFollowed(models.Model):
    """A program whose balances are kept (live.totals.Followed)."""

    program = models.CharField(primary_key=True, max_length=100)
    basis = models.CharField(max_length=64)
    loaded_as_of = models.BigIntegerField()
    moneys = models.JSONField()
    stale = models.TextField(null=True)


class LiveTotal(models.Model):
    """One part of one scope. scope_key: digest of program, scope and period. Sums in whole millionths."""

    scope_key = models.CharField(max_length=64)
    program = models.CharField(max_length=100)
    part = models.CharField(max_length=200)
    measure = ExactField()
    base = ExactField()
    units = ExactField()
    quantity = ExactField()
    lines = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("scope_key", "part"), name="one_total_a_part"),)
        indexes = (models.Index("program", name="totals_of_a_program"),)


class OfStatement(models.Model):
    """What names a statement. statement_key: digest of all of it, since an unbounded period is null. scope: canonical JSON."""

    statement_key = models.CharField(max_length=64)
    program = models.CharField(max_length=100)
    payee_kind = models.CharField(max_length=20)
    payee_id = models.CharField(max_length=200)
    scope = models.TextField()
    period_from = models.DateField(null=True)
    period_until = models.DateField(null=True)

    class Meta:
        abstract = True


class LiveStatement(OfStatement):
    """One statement as it stands (live.totals.Standing)."""

    version = models.IntegerField()
    measure = ExactField()
    base = ExactField()
    tier = models.IntegerField(null=True)
    earned = ExactField()
    unverified = ExactField()
    currency = models.CharField(max_length=20)
    lines = models.BigIntegerField()
    next_from = ExactField(null=True)
    next_distance = ExactField(null=True)
    carried = ExactField(null=True)
    carried_in = ExactField(null=True)
    payable_on = models.DateField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("statement_key",), name="one_live_statement_a_key"),)
        indexes = (
            models.Index("program", "payee_id", "period_from", name="live_by_program"),
            models.Index("payee_id", name="live_by_payee"),
        )


class LivePosting(OfStatement):
    """By how much `earned` of a statement changed, and why. Append only, by triggers in the database."""

    version = models.IntegerField()
    cause = models.CharField(max_length=100)
    amount = ExactField()
    currency = models.CharField(max_length=20)

    class Meta:
        constraints = (models.UniqueConstraint("statement_key", "cause", "currency", name="one_posting_a_cause"),)
        indexes = (models.Index("program", name="live_postings_by_program"),)


class LiveAwaited(models.Model):
    """A sale that a return names and that is not in the lake yet."""

    line_id = models.TextField(primary_key=True)


class Finalisation(Recorded):
    """The wish to finalise one period of a program as of a batch, from the asking until its run is final or refused.

    figures: of the preliminary run, which is what a second person approves; empty until it ran. run: null where nothing changed,
    or until it is done.
    """

    class State(models.TextChoices):
        """Where it stands."""

        ASKED = "asked"
        TO_DECIDE = "to_decide"
        REJECTED = "rejected"
        APPROVED = "approved"
        DONE = "done"
        REFUSED = "refused"

    program = models.CharField(max_length=100)
    period_from = models.DateField(null=True)
    period_until = models.DateField(null=True)
    batch_seq = models.BigIntegerField()
    figures = models.JSONField(default=dict)
    asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    asked_at = models.DateTimeField()
    run = models.CharField(max_length=64, null=True)
    done_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "program",
                condition=Q(state__in=("asked", "to_decide", "approved")),
                name="one_finalisation_a_program_at_a_time",
            ),
        )


class FinalRun(models.Model):
    """One run of finalising (runs.book.RunRow), pending until its postings are written."""

    run = models.CharField(primary_key=True, max_length=64)
    program = models.CharField(max_length=100)
    period_from = models.DateField(null=True)
    period_until = models.DateField(null=True)
    batch_seq = models.BigIntegerField()
    sequence = models.IntegerField()
    state = models.CharField(max_length=10)
    begun_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint("program", "sequence", name="one_run_a_place"),
            models.CheckConstraint(condition=Q(state__in=("pending", "final")), name="run_state_is_known"),
        )


class FinalPosting(OfStatement):
    """What one run posted for one statement. Append only, by triggers in the database."""

    run = models.ForeignKey(FinalRun, on_delete=models.PROTECT, related_name="postings")
    amount = ExactField()
    currency = models.CharField(max_length=20)

    class Meta:
        constraints = (models.UniqueConstraint("run", "statement_key", name="one_final_posting_a_run"),)
        indexes = (
            models.Index("program", name="final_by_program"),
            models.Index("payee_id", name="final_by_payee"),
        )
