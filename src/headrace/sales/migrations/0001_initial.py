"""The tables of sales."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """The first."""

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ReferenceTable",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("sequence", models.BigIntegerField(unique=True)),
                ("kind", models.CharField(max_length=40)),
                ("content_hash", models.CharField(max_length=64)),
                ("source", models.TextField()),
                ("rows", models.BigIntegerField()),
                ("since_at", models.DateTimeField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("batch_seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("content_hash", models.CharField(max_length=64)),
                ("source", models.TextField()),
                ("state", models.CharField(max_length=10)),
                ("raw", models.TextField(null=True)),
                ("registered_at", models.DateTimeField()),
                ("appended_at", models.DateTimeField(null=True)),
                ("posted_at", models.DateTimeField(null=True)),
                ("refused_at", models.DateTimeField(null=True)),
                ("accepted", models.BigIntegerField(null=True)),
                ("duplicates", models.BigIntegerField(null=True)),
                ("reason", models.TextField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("state"),
                        condition=models.Q(("state__in", ("registered", "appended"))),
                        name="batches_by_state",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("batch_seq__gt", 0)), name="batches_count_from_one"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("registered", "appended", "posted", "refused"))),
                        name="batch_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("accepted__isnull", False),
                                ("duplicates__isnull", False),
                                ("state__in", ("appended", "posted")),
                            ),
                            models.Q(
                                ("accepted__isnull", True),
                                ("duplicates__isnull", True),
                                ("state__in", ("registered", "refused")),
                            ),
                            _connector="OR",
                        ),
                        name="batch_counts_what_is_in_the_lake",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason__isnull", False), ("state", "refused")),
                            models.Q(models.Q(("state", "refused"), _negated=True), ("reason__isnull", True)),
                            _connector="OR",
                        ),
                        name="batch_refused_with_a_reason",
                    ),
                    models.UniqueConstraint(
                        models.F("content_hash"),
                        condition=models.Q(("state", "refused"), _negated=True),
                        name="one_batch_a_content",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("file", models.UUIDField(unique=True)),
                ("name", models.CharField(max_length=200)),
                ("kind", models.CharField(max_length=40)),
                ("profile", models.CharField(max_length=100)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("loaded", "Loaded"),
                            ("held", "Held"),
                            ("nothing_new", "Nothing New"),
                            ("refused", "Refused"),
                        ],
                        default="queued",
                        max_length=12,
                    ),
                ),
                ("period_from", models.DateField(null=True)),
                ("period_until", models.DateField(null=True)),
                ("stated", models.JSONField(default=dict)),
                ("delivered_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("batch_seq", models.BigIntegerField(null=True, unique=True)),
                ("report", models.JSONField(default=dict)),
                ("rejects", models.UUIDField(null=True)),
                ("reason", models.TextField(blank=True)),
                (
                    "delivered_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DeliveryFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.IntegerField()),
                ("code", models.CharField(max_length=100)),
                ("severity", models.CharField(max_length=10)),
                ("row", models.BigIntegerField(null=True)),
                ("column", models.TextField(null=True)),
                ("message", models.TextField()),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="findings", to="sales.delivery"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="LakeLease",
            fields=[
                ("only_row", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("token", models.BigIntegerField()),
                ("owner", models.TextField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("only_row", 1)), name="one_lease")],
            },
        ),
        migrations.CreateModel(
            name="SavedProfile",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("text", models.TextField()),
                ("saved_at", models.DateTimeField()),
                (
                    "saved_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["-delivered_at"], name="deliveries_by_time"),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("period_from__isnull", True), ("period_until__isnull", True)),
                    ("period_from__lt", models.F("period_until")),
                    _connector="OR",
                ),
                name="delivery_period_is_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("done_at__isnull", True), ("state", "queued")),
                    models.Q(models.Q(("state", "queued"), _negated=True), ("done_at__isnull", False)),
                    _connector="OR",
                ),
                name="delivery_is_done_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="deliveryfinding",
            constraint=models.UniqueConstraint(
                models.F("delivery"), models.F("position"), name="one_finding_a_position"
            ),
        ),
    ]
