"""Batches that are undone and lines that are corrected."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Corrections."""

    dependencies = [
        ("sales", "0003_repair_desk"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Correction",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=20)),
                ("subject", models.CharField(max_length=64)),
                ("of_batch", models.BigIntegerField(null=True)),
                ("line_id", models.TextField(blank=True)),
                ("values", models.JSONField(default=dict)),
                ("shown", models.JSONField(default=dict)),
                ("reason", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("done", "Done"),
                            ("refused", "Refused"),
                        ],
                        default="asked",
                        max_length=10,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("batch_seq", models.BigIntegerField(null=True, unique=True)),
                ("told", models.TextField(blank=True)),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["-asked_at"], name="corrections_by_time")],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subject"),
                        condition=models.Q(("state__in", ("asked", "approved", "done"))),
                        name="corrected_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "reverse_batch"), ("of_batch__isnull", False)),
                            models.Q(("kind", "correct_line"), models.Q(("line_id", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="correction_is_of_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True), ("batch_seq__isnull", False), _connector="OR"
                        ),
                        name="correction_is_a_batch",
                    ),
                ],
            },
        ),
    ]
