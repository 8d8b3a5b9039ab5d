"""The tables of the foundation. Private to this app: others call its services and selectors."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from headrace.foundation.recorded import Recorded, RecordedQuerySet
from headrace.foundation.roles import Role


class PersonManager(BaseUserManager.from_queryset(RecordedQuerySet)):  # type: ignore[misc]
    """Finds persons by e-mail, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> Any:
        """Give the person of an e-mail address."""
        return self.get(email__iexact=username)


class Person(Recorded, AbstractBaseUser):
    """A human being who signs in, or a service that only ever uses tokens.

    What they may do comes from memberships, never from here.
    """

    PERSONAL = frozenset({"email", "name"})
    SECRET = frozenset({"password"})
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    service = models.BooleanField(default=False)
    joined_at = models.DateTimeField()

    objects: ClassVar[Any] = PersonManager()

    class Meta:
        constraints = (models.UniqueConstraint(Lower("email"), name="one_person_an_email"),)

    def __str__(self) -> str:
        """Give the name, or the address where there is none."""
        return self.name or self.email


class Company(Recorded):
    """A legal entity of the vendor. functional_currency: ISO code. Its fiscal year starts on a month and day (1–28)."""

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=200)
    functional_currency = models.CharField(max_length=3)
    fiscal_month = models.PositiveSmallIntegerField(default=1)
    fiscal_day = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(fiscal_month__range=(1, 12), fiscal_day__range=(1, 28)), name="fiscal_start_is_a_day"
            ),
        )


class Membership(Recorded):
    """A person in an organisation, from a day until before another. organisation: `roles.VENDOR` or a partner's id."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships")
    organisation = models.CharField(max_length=64)
    from_on = models.DateField()
    until_on = models.DateField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(until_on__isnull=True) | Q(until_on__gt=F("from_on")),
                name="membership_ends_after_it_begins",
            ),
            models.UniqueConstraint("person", "organisation", "from_on", name="one_membership_a_beginning"),
        )


class RoleGrant(Recorded):
    """A role of a membership: requested by one person, decided by another, valid from a day until before another."""

    class State(models.TextChoices):
        """Where the grant stands."""

        REQUESTED = "requested"
        APPROVED = "approved"
        REFUSED = "refused"

    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=40, choices=[(role.value, role.label) for role in Role])
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    from_on = models.DateField()
    until_on = models.DateField(null=True)
    requested_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    founding = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(until_on__isnull=True) | Q(until_on__gte=F("from_on")), name="grant_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")), name="grant_takes_two_people"
            ),
            models.CheckConstraint(
                condition=Q(state="requested") | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="grant_decided_by_somebody",
            ),
        )


class RolePolicy(Recorded):
    """What a role asks of whoever has it."""

    role = models.CharField(max_length=40, unique=True)
    second_factor = models.BooleanField()


class ApiToken(Recorded):
    """What the API is called with: its start is known, the rest only by a digest.

    One for oneself is active at once; one of a service is asked for by one person, decided by another, and then drawn.
    """

    SECRET = frozenset({"digest"})

    class State(models.TextChoices):
        """Where the token stands."""

        REQUESTED = "requested"
        APPROVED = "approved"
        REFUSED = "refused"
        ACTIVE = "active"
        REVOKED = "revoked"

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="tokens")
    organisation = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=100)
    scopes = models.JSONField()
    second_factor = models.BooleanField()
    state = models.CharField(max_length=10, choices=State.choices)
    start = models.CharField(max_length=12, unique=True, null=True)
    digest = models.CharField(max_length=64, blank=True)
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("made_by")), name="token_takes_two_people"
            ),
            models.CheckConstraint(
                condition=Q(organisation="", person=F("made_by"))
                | Q(state__in=("requested", "revoked"))
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="token_of_a_service_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="active") | (Q(start__isnull=False) & ~Q(digest="")), name="token_active_has_digest"
            ),
        )


class TokenUse(models.Model):
    """When a token was used last, and how often in that minute (number of minutes since 1970)."""

    token = models.OneToOneField(ApiToken, on_delete=models.PROTECT, primary_key=True)
    last_used_at = models.DateTimeField()
    minute = models.BigIntegerField()
    calls = models.IntegerField()


class AuditLink(models.Model):
    """One act in the chain. Append only, by triggers in the database."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=100)
    act = models.CharField(max_length=100)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)


class AuditEntry(models.Model):
    """One changed field. Append only, but for values and salt that become null together when a person is erased."""

    link = models.ForeignKey(AuditLink, on_delete=models.PROTECT, related_name="entries")
    position = models.IntegerField()
    record = models.CharField(max_length=100)
    record_id = models.CharField(max_length=100)
    field = models.CharField(max_length=100)
    before = models.TextField(null=True)
    after = models.TextField(null=True)
    salt = models.CharField(max_length=32, null=True)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = (models.UniqueConstraint("link", "position", name="one_entry_a_position"),)
        indexes = (models.Index("record", "record_id", name="entries_of_a_record"),)


class AuditHead(models.Model):
    """The one row that says where the chain ends; locked last by every act."""

    seq = models.BigIntegerField()
    digest = models.CharField(max_length=64)


class OutboxMessage(models.Model):
    """An outward effect, written in the transaction of its cause. key: the other side knows it too, so twice is once."""

    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=120, unique=True)
    payload = models.JSONField()
    due_at = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    last_error = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index("due_at", name="outbox_due", condition=Q(sent_at__isnull=True, given_up_at__isnull=True)),
        )


class StoredFile(Recorded):
    """An uploaded file: what it is by content, its size in bytes, and who may see it. Its bytes lie under its id."""

    PERSONAL = frozenset({"name"})

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    organisation = models.CharField(max_length=64)
    uploaded_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()


class JobRun(models.Model):
    """What the queue of jobs does not keep: the lease of a running job, its attempts and its progress."""

    task = models.UUIDField(primary_key=True)
    attempts = models.IntegerField(default=0)
    worker = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)


class JobSchedule(models.Model):
    """When a scheduled job is due next."""

    name = models.CharField(primary_key=True, max_length=100)
    due_at = models.DateTimeField()
