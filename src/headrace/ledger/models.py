"""The tables of the ledger. Private to this app: others call its services and selectors.

Amounts are whole numbers of minor units (decision 0120). Accounts, entries, postings and departures are append only by triggers.
"""

import uuid

from django.db import models
from django.db.models import F, Q

from headrace.foundation.recorded import Recorded
from headrace.ledger.kinds import Kind, Purpose, Side


class Account(models.Model):
    """One account. digest: of its whole key. period: the program period `FROM/UNTIL`, or empty. of_currency: what is revalued."""

    digest = models.CharField(max_length=64)
    company = models.ForeignKey("foundation.Company", on_delete=models.PROTECT, related_name="+")
    payee_kind = models.CharField(max_length=20)
    payee = models.CharField(max_length=64)
    program = models.CharField(max_length=100)
    period = models.CharField(max_length=21)
    fund = models.CharField(max_length=64)
    currency = models.CharField(max_length=12)
    of_currency = models.CharField(max_length=12)
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.label) for kind in Kind])

    class Meta:
        constraints = (
            models.UniqueConstraint("digest", name="ledger_one_account_a_digest"),
            models.UniqueConstraint(
                "company", "payee_kind", "payee", "program", "period", "fund", "currency", "of_currency", "kind",
                name="ledger_one_account_a_key",
            ),
        )  # fmt: skip
        indexes = (models.Index("company", "kind", name="ledger_accounts_of_a_kind"),)


class Balance(models.Model):
    """The totals of one account's postings, kept in the transaction that posts. side: `Side` of the account's kind."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="balance")
    side = models.CharField(max_length=6)
    debits = models.BigIntegerField(default=0)
    credits = models.BigIntegerField(default=0)
    functional_debits = models.BigIntegerField(default=0)
    functional_credits = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(debits__gte=0, credits__gte=0, functional_debits__gte=0, functional_credits__gte=0),
                name="ledger_totals_only_grow",
            ),
            models.CheckConstraint(
                condition=Q(side=Side.EITHER)
                | Q(side=Side.DEBIT, debits__gte=F("credits"))
                | Q(side=Side.CREDIT, credits__gte=F("debits")),
                name="ledger_balance_on_its_side",
            ),
        )


class Entry(models.Model):
    """One business event and its postings. key: unique name of the cause. request: digest of what was asked for."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=200)
    request = models.CharField(max_length=64)
    company = models.ForeignKey("foundation.Company", on_delete=models.PROTECT, related_name="+")
    cause_kind = models.CharField(max_length=40)
    cause = models.CharField(max_length=140)
    at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint("key", name="ledger_one_entry_a_key"),)
        indexes = (models.Index("cause_kind", "cause", name="ledger_entries_of_a_cause"),)


class AccountingPeriod(Recorded):
    """A fiscal month of a company, half-open. Locking takes two people; so does opening again."""

    class State(models.TextChoices):
        """Where it stands."""

        OPEN = "open"
        SOFT_CLOSED = "soft_closed"
        LOCKED = "locked"

    company = models.ForeignKey("foundation.Company", on_delete=models.PROTECT, related_name="+")
    from_on = models.DateField()
    until_on = models.DateField()
    state = models.CharField(max_length=11, choices=State.choices, default=State.OPEN)
    asked = models.CharField(max_length=11, blank=True)
    asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    lock_asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    locked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    locked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("company", "from_on", name="ledger_one_period_a_beginning"),
            models.CheckConstraint(condition=Q(until_on__gt=F("from_on")), name="ledger_period_ends_after_it_begins"),
            models.CheckConstraint(condition=Q(asked="") | Q(asked_by__isnull=False), name="ledger_asked_by_somebody"),
            models.CheckConstraint(
                condition=~Q(state="locked")
                | (
                    Q(lock_asked_by__isnull=False, locked_by__isnull=False, locked_at__isnull=False)
                    & ~Q(locked_by=F("lock_asked_by"))
                ),
                name="ledger_locking_takes_two",
            ),
        )


class WeekCalendar(Recorded):
    """A company whose fiscal months are whole weeks. weekday: on which they begin, Monday is 0."""

    company = models.OneToOneField("foundation.Company", on_delete=models.PROTECT, related_name="+")
    pattern = models.CharField(max_length=5)
    weekday = models.PositiveSmallIntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(pattern__in=("4-4-5", "4-5-4", "5-4-4"), weekday__lte=6), name="ledger_weeks_are_a_calendar"
            ),
        )


class Departure(models.Model):
    """Something of a period that left: a journal, a memo, a statement. From then on the period is never opened again."""

    period = models.ForeignKey(AccountingPeriod, on_delete=models.PROTECT, related_name="departures")
    what = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint("period", "what", name="ledger_one_departure"),)


class Posting(models.Model):
    """One movement: debit and credit of the same currency and company. functional: the amount in the company's currency."""

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="postings", db_index=False)
    position = models.IntegerField()
    key = models.CharField(max_length=64)
    debit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    credit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount = models.BigIntegerField()
    functional = models.BigIntegerField()
    currency = models.CharField(max_length=12)
    purpose = models.CharField(max_length=10, choices=[(purpose.value, purpose.value) for purpose in Purpose])
    version = models.CharField(max_length=100)
    on = models.DateField()
    booked_on = models.DateField()
    period = models.ForeignKey(AccountingPeriod, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = (
            models.UniqueConstraint("key", name="ledger_one_posting_a_key"),
            models.UniqueConstraint("entry", "position", name="ledger_one_posting_a_position"),
            models.CheckConstraint(condition=Q(amount__gt=0, functional__gte=0), name="ledger_amount_is_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="ledger_two_accounts"),
        )
        indexes = (
            models.Index("debit", "booked_on", name="ledger_postings_by_debit"),
            models.Index("credit", "booked_on", name="ledger_postings_by_credit"),
        )


class ProgramProfile(Recorded):
    """What the general ledger must know of a program: its type, which picks the posting profile, and its cost centre."""

    program = models.CharField(max_length=100, unique=True)
    type = models.CharField(max_length=60)
    cost_centre = models.CharField(max_length=60, blank=True)


class PostingProfile(Recorded):
    """The general ledger's account for a kind of account, for one program type or (empty) for all others."""

    company = models.ForeignKey("foundation.Company", on_delete=models.PROTECT, related_name="+")
    program_type = models.CharField(max_length=60, blank=True)
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.label) for kind in Kind])
    account = models.CharField(max_length=60)

    class Meta:
        constraints = (models.UniqueConstraint("company", "program_type", "kind", name="ledger_one_profile_a_kind"),)


class OpeningJournal(Recorded):
    """Balances carried over from an older system: proposed by one person, approved by another, posted once a company."""

    company = models.ForeignKey("foundation.Company", on_delete=models.PROTECT, related_name="+")
    on = models.DateField()
    rows = models.JSONField()
    proposed_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    approved_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    approved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True)
                | (~Q(approved_by=F("proposed_by")) & Q(approved_at__isnull=False)),
                name="ledger_opening_takes_two",
            ),
            models.UniqueConstraint("company", condition=Q(approved_by__isnull=False), name="ledger_opened_once"),
        )
