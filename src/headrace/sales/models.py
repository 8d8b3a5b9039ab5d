"""The tables of sales data. Private to this app: others call its services and selectors."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from headrace.foundation.exact import ExactField
from headrace.foundation.recorded import Recorded


class Batch(models.Model):
    """One batch of the lake's register (lake.register): what the machine did, hence no business record."""

    batch_seq = models.BigIntegerField(primary_key=True)
    content_hash = models.CharField(max_length=64)
    source = models.TextField()
    state = models.CharField(max_length=10)
    raw = models.TextField(null=True)
    registered_at = models.DateTimeField()
    appended_at = models.DateTimeField(null=True)
    posted_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)
    accepted = models.BigIntegerField(null=True)
    duplicates = models.BigIntegerField(null=True)
    reason = models.TextField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(batch_seq__gt=0), name="batches_count_from_one"),
            models.CheckConstraint(
                condition=Q(state__in=("registered", "appended", "posted", "refused")), name="batch_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("appended", "posted"), accepted__isnull=False, duplicates__isnull=False)
                | Q(state__in=("registered", "refused"), accepted__isnull=True, duplicates__isnull=True),
                name="batch_counts_what_is_in_the_lake",
            ),
            models.CheckConstraint(
                condition=Q(state="refused", reason__isnull=False) | (~Q(state="refused") & Q(reason__isnull=True)),
                name="batch_refused_with_a_reason",
            ),
            models.UniqueConstraint("content_hash", condition=~Q(state="refused"), name="one_batch_a_content"),
        )
        indexes = (models.Index("state", name="batches_by_state", condition=Q(state__in=("registered", "appended"))),)


class LakeLease(models.Model):
    """The one row that says who may write to the lake; locked by whoever changes the register."""

    only_row = models.SmallIntegerField(primary_key=True)
    token = models.BigIntegerField()
    owner = models.TextField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(only_row=1), name="one_lease"),)


class ReferenceTable(Recorded):
    """A reference table in force from `since_at` until a later one of its kind. content_hash: of its snapshot in the lake."""

    sequence = models.BigIntegerField(unique=True)
    kind = models.CharField(max_length=40)
    content_hash = models.CharField(max_length=64)
    source = models.TextField()
    rows = models.BigIntegerField()
    since_at = models.DateTimeField()


class SavedProfile(Recorded):
    """A profile of the installation's own: how one kind of file is read (intake.profile), as its author wrote it."""

    name = models.CharField(max_length=100, unique=True)
    text = models.TextField()
    saved_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    saved_at = models.DateTimeField()


class Delivery(Recorded):
    """One file that was delivered, from upload to what came of it.

    kind: `lines`, or a reference table. batch_seq: noted before its lines reach the lake, so that a second try knows its own.
    source: whose names its lines use, for aliases. columns: of the rows that wait at the repair desk; empty where none do.
    repairs: the delivery whose repaired rows this one sends again.
    report: counts and money of intake, as JSON. rejects: stored file of the rows that did not load. period: half-open, for a
    file that replaces what stands in it.
    """

    class State(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued"
        LOADED = "loaded"
        HELD = "held"
        NOTHING_NEW = "nothing_new"
        REFUSED = "refused"

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"name"})

    file = models.UUIDField(unique=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=40)
    profile = models.CharField(max_length=100)
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    period_from = models.DateField(null=True)
    period_until = models.DateField(null=True)
    stated = models.JSONField(default=dict)
    delivered_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    delivered_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    batch_seq = models.BigIntegerField(null=True, unique=True)
    report = models.JSONField(default=dict)
    rejects = models.UUIDField(null=True)
    reason = models.TextField(blank=True)
    source = models.CharField(max_length=60, blank=True)
    columns = models.JSONField(default=list)
    repairs = models.ForeignKey("self", on_delete=models.PROTECT, related_name="repaired_by", null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(period_from__isnull=True, period_until__isnull=True) | Q(period_from__lt=F("period_until")),
                name="delivery_period_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(state="queued", done_at__isnull=True) | (~Q(state="queued") & Q(done_at__isnull=False)),
                name="delivery_is_done_once",
            ),
        )
        indexes = (models.Index(fields=("-delivered_at",), name="deliveries_by_time"),)


class DeliveryFinding(models.Model):
    """One finding of a delivery. position: its place in the report."""

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="findings")
    position = models.IntegerField()
    code = models.CharField(max_length=100)
    severity = models.CharField(max_length=10)
    row = models.BigIntegerField(null=True)
    column = models.TextField(null=True)
    message = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint("delivery", "position", name="one_finding_a_position"),)


class DeskRow(models.Model):
    """A row that did not load and waits for people. Made by the machine in numbers; what people do is noted in the trail.

    row: as a spreadsheet counts. cells: as they came; corrected: what is sent in their place. quantity, amount, currency: as it
    came, where they could be read. round: how often it was judged. large: its correction takes a second person. repair,
    repair_row: the delivery that sends it again, and its row there. editors: who corrected it.
    """

    class State(models.TextChoices):
        """Where it stands."""

        WAITING = "waiting"
        ASKED = "asked"
        READY = "ready"
        SENT = "sent"
        REPAIRED = "repaired"
        IGNORED = "ignored"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="rows")
    row = models.BigIntegerField()
    outcome = models.CharField(max_length=10)
    line_id = models.TextField(null=True)
    cells = models.JSONField()
    corrected = models.JSONField(null=True)
    quantity = ExactField(null=True)
    amount = ExactField(null=True)
    currency = models.CharField(max_length=10, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    round = models.IntegerField(default=1)
    released = models.BooleanField(default=False)
    large = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    editors = models.JSONField(default=list)
    decided_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    repair = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="sent_rows", null=True)
    repair_row = models.BigIntegerField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("delivery", "row", name="one_desk_row_a_row"),
            models.UniqueConstraint("repair", "repair_row", name="one_desk_row_a_sent_row"),
            models.CheckConstraint(condition=Q(outcome__in=("rejected", "held")), name="desk_row_did_not_load"),
            models.CheckConstraint(
                condition=Q(state__in=("sent", "repaired"), repair__isnull=False, repair_row__isnull=False)
                | Q(state__in=("waiting", "asked", "ready", "ignored"), repair__isnull=True, repair_row__isnull=True),
                name="desk_row_is_sent_by_a_delivery",
            ),
            models.CheckConstraint(
                condition=~Q(state="ignored") | (~Q(reason="") & Q(decided_by__isnull=False)),
                name="desk_row_is_ignored_with_a_reason",
            ),
        )
        indexes = (models.Index("delivery", "state", name="desk_rows_by_state"),)


class DeskFault(models.Model):
    """What kept a row out when it was judged for the round-th time. kind, name: the unknown name that it is about.

    settled: the name is known by now.
    """

    row = models.ForeignKey(DeskRow, on_delete=models.PROTECT, related_name="faults")
    round = models.IntegerField()
    position = models.IntegerField()
    code = models.CharField(max_length=100)
    column = models.TextField(null=True)
    action = models.CharField(max_length=10)
    message = models.TextField()
    kind = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=300, blank=True)
    settled = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint("row", "round", "position", name="one_desk_fault_a_position"),)
        indexes = (models.Index("kind", "name", name="desk_faults_by_name", condition=~Q(name="") & Q(settled=False)),)


class Setting(Recorded):
    """What the vendor decided about its sales data (sales.rules)."""

    name = models.CharField(max_length=60, unique=True)
    value = models.CharField(max_length=60)


class Correction(Recorded):
    """A batch that is to be undone, or a line that is to be corrected. subject: digest of which; each is done once.

    values: what the line is to say, as text by column. shown: what was decided about. batch_seq: the batch that it became.
    """

    class State(models.TextChoices):
        """Where it stands."""

        ASKED = "asked"
        APPROVED = "approved"
        REJECTED = "rejected"
        DONE = "done"
        REFUSED = "refused"

    kind = models.CharField(max_length=20)
    subject = models.CharField(max_length=64)
    of_batch = models.BigIntegerField(null=True)
    line_id = models.TextField(blank=True)
    values = models.JSONField(default=dict)
    shown = models.JSONField(default=dict)
    reason = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    asked_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    batch_seq = models.BigIntegerField(null=True, unique=True)
    told = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "subject", condition=Q(state__in=("asked", "approved", "done")), name="corrected_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="reverse_batch", of_batch__isnull=False) | (Q(kind="correct_line") & ~Q(line_id="")),
                name="correction_is_of_something",
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(batch_seq__isnull=False), name="correction_is_a_batch"
            ),
        )
        indexes = (models.Index(fields=("-asked_at",), name="corrections_by_time"),)


class Reported(models.Model):
    """What one delivery said of one reporter, stage and month: rows received and rows that loaded, or were there already.

    month: its first day, null for rows whose day could not be read. received_at: when the file came, of repaired rows the first.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="reported")
    reporter = models.TextField()
    stage = models.CharField(max_length=20)
    month = models.DateField(null=True)
    received = models.BigIntegerField()
    loaded = models.BigIntegerField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(loaded__gte=0, loaded__lte=F("received")), name="reported_adds_up"),
        )
        indexes = (models.Index("stage", "month", name="reported_by_month"),)


class Duty(Recorded):
    """Who owes reports of what: a reporter, a stage, each period of the calendar that lies wholly in the days of the duty.

    due_days: a period's report is due on that day after the period's last.
    """

    reporter = models.CharField(max_length=300)
    stage = models.CharField(max_length=20)
    calendar = models.CharField(max_length=10)
    due_days = models.PositiveSmallIntegerField()
    from_on = models.DateField()
    until_on = models.DateField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(until_on__isnull=True) | Q(until_on__gt=F("from_on")), name="duty_ends_after_it_begins"
            ),
            models.CheckConstraint(condition=Q(calendar__in=("month", "quarter", "year")), name="duty_has_a_calendar"),
            models.UniqueConstraint(
                "reporter", "stage", condition=Q(until_on__isnull=True), name="one_open_duty_a_stage"
            ),
        )


class NothingToReport(Recorded):
    """A reporter had nothing to report in a period of a duty; entered by a person."""

    duty = models.ForeignKey(Duty, on_delete=models.PROTECT, related_name="nothings")
    period_from = models.DateField()
    received_on = models.DateField()
    entered_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = (models.UniqueConstraint("duty", "period_from", name="one_nothing_a_period"),)


class GatheredPost(models.Model):
    """Lines that a program sent in one call, until they are part of a delivery. key: of the sender, once for each person.

    digest: of the lines, so that a key that is used for others is found out. first_row: of the delivery's file.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sent_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    lines = models.JSONField()
    sent_at = models.DateTimeField()
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="posts", null=True)
    first_row = models.BigIntegerField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("sent_by", "key", name="one_post_a_key"),
            models.CheckConstraint(
                condition=Q(delivery__isnull=True, first_row__isnull=True)
                | Q(delivery__isnull=False, first_row__isnull=False),
                name="post_has_its_rows",
            ),
        )
        indexes = (models.Index("sent_at", name="posts_to_gather", condition=Q(delivery__isnull=True)),)


class WatchedFolder(Recorded):
    """A folder in the inbox whose files are delivered. Each file is delivered in the name of whoever had it watched."""

    name = models.CharField(max_length=60, unique=True)
    profile = models.CharField(max_length=100)
    watched_by = models.ForeignKey("foundation.Person", on_delete=models.PROTECT, related_name="+")
    watched_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)


class TakenFile(Recorded):
    """A file that was taken from a watched folder. identity: what tells it from a later file of the same name.

    refused: why it was not delivered; empty for one that was.
    """

    folder = models.ForeignKey(WatchedFolder, on_delete=models.PROTECT, related_name="taken")
    name = models.TextField()
    identity = models.CharField(max_length=64)
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="+", null=True)
    refused = models.TextField(blank=True)
    taken_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint("folder", "identity", name="a_file_is_taken_once"),
            models.CheckConstraint(
                condition=Q(delivery__isnull=False, refused="") | (Q(delivery__isnull=True) & ~Q(refused="")),
                name="a_file_is_delivered_or_refused",
            ),
        )
