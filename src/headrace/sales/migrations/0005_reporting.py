"""Who owes reports, and what came of them."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Reporting duty."""

    dependencies = [
        ("sales", "0004_corrections"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Duty",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("reporter", models.CharField(max_length=300)),
                ("stage", models.CharField(max_length=20)),
                ("calendar", models.CharField(max_length=10)),
                ("due_days", models.PositiveSmallIntegerField()),
                ("from_on", models.DateField()),
                ("until_on", models.DateField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("until_on__isnull", True), ("until_on__gt", models.F("from_on")), _connector="OR"
                        ),
                        name="duty_ends_after_it_begins",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("calendar__in", ("month", "quarter", "year"))), name="duty_has_a_calendar"
                    ),
                    models.UniqueConstraint(
                        models.F("reporter"),
                        models.F("stage"),
                        condition=models.Q(("until_on__isnull", True)),
                        name="one_open_duty_a_stage",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NothingToReport",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("period_from", models.DateField()),
                ("received_on", models.DateField()),
                (
                    "duty",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="nothings", to="sales.duty"
                    ),
                ),
                (
                    "entered_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(models.F("duty"), models.F("period_from"), name="one_nothing_a_period")
                ],
            },
        ),
        migrations.CreateModel(
            name="Reported",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reporter", models.TextField()),
                ("stage", models.CharField(max_length=20)),
                ("month", models.DateField(null=True)),
                ("received", models.BigIntegerField()),
                ("loaded", models.BigIntegerField()),
                ("received_at", models.DateTimeField()),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reported", to="sales.delivery"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(models.F("stage"), models.F("month"), name="reported_by_month")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("loaded__gte", 0), ("loaded__lte", models.F("received"))),
                        name="reported_adds_up",
                    )
                ],
            },
        ),
    ]
