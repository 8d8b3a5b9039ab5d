"""The tables."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BankAccount",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("request", models.UUIDField(unique=True)),
                ("partner", models.CharField(max_length=400)),
                ("company", models.CharField(max_length=20)),
                ("currency", models.CharField(max_length=3)),
                ("sealed", models.TextField()),
                ("shown", models.CharField(max_length=60)),
                (
                    "state",
                    models.CharField(
                        choices=[("asked", "Asked"), ("approved", "Approved"), ("refused", "Refused")],
                        default="asked",
                        max_length=10,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("usable_from", models.DateTimeField(null=True)),
                ("reason", models.TextField(blank=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by__isnull", True),
                            models.Q(("decided_by", models.F("asked_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="bank_data_takes_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "approved"), _negated=True),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", False),
                                ("usable_from__gt", models.F("decided_at")),
                            ),
                            _connector="OR",
                        ),
                        name="bank_data_cools_down",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "approved"), ("usable_from__isnull", True), _connector="OR"),
                        name="only_approved_bank_data_is_usable",
                    ),
                    models.UniqueConstraint(
                        models.F("partner"),
                        models.F("company"),
                        condition=models.Q(("state", "asked")),
                        name="one_open_bank_data_an_account",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LevelProposal",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("partner", models.CharField(max_length=400)),
                ("from_level", models.CharField(blank=True, max_length=100)),
                ("to_level", models.CharField(blank=True, max_length=100)),
                ("why", models.TextField()),
                ("proposed_on", models.DateField()),
                ("effective_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "Proposed"),
                            ("applied", "Applied"),
                            ("refused", "Refused"),
                            ("lapsed", "Lapsed"),
                        ],
                        default="proposed",
                        max_length=10,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("refused_until", models.DateField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("partner"),
                        condition=models.Q(("state", "proposed")),
                        name="one_open_proposal_a_partner",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "refused"), _negated=True),
                            models.Q(("decided_by__isnull", False), ("refused_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="proposal_refused_by_somebody",
                    ),
                ],
            },
        ),
    ]
