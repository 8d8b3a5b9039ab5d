"""The tables of programs."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import headrace.foundation.exact


class Migration(migrations.Migration):
    """The first."""

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LiveAwaited",
            fields=[
                ("line_id", models.TextField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name="LiveFollowed",
            fields=[
                ("program", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("basis", models.CharField(max_length=64)),
                ("loaded_as_of", models.BigIntegerField()),
                ("moneys", models.JSONField()),
                ("stale", models.TextField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="FinalRun",
            fields=[
                ("run", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("program", models.CharField(max_length=100)),
                ("period_from", models.DateField(null=True)),
                ("period_until", models.DateField(null=True)),
                ("batch_seq", models.BigIntegerField()),
                ("sequence", models.IntegerField()),
                ("state", models.CharField(max_length=10)),
                ("begun_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(models.F("program"), models.F("sequence"), name="one_run_a_place"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("pending", "final"))), name="run_state_is_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LiveHead",
            fields=[
                ("only_row", models.SmallIntegerField(primary_key=True, serialize=False)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("only_row", 1)), name="one_live_head")],
            },
        ),
        migrations.CreateModel(
            name="LivePosting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("statement_key", models.CharField(max_length=64)),
                ("program", models.CharField(max_length=100)),
                ("payee_kind", models.CharField(max_length=20)),
                ("payee_id", models.CharField(max_length=200)),
                ("scope", models.TextField()),
                ("period_from", models.DateField(null=True)),
                ("period_until", models.DateField(null=True)),
                ("version", models.IntegerField()),
                ("cause", models.CharField(max_length=100)),
                ("amount", headrace.foundation.exact.ExactField()),
                ("currency", models.CharField(max_length=20)),
            ],
            options={
                "indexes": [models.Index(models.F("program"), name="live_postings_by_program")],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("statement_key"), models.F("cause"), models.F("currency"), name="one_posting_a_cause"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LiveStatement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("statement_key", models.CharField(max_length=64)),
                ("program", models.CharField(max_length=100)),
                ("payee_kind", models.CharField(max_length=20)),
                ("payee_id", models.CharField(max_length=200)),
                ("scope", models.TextField()),
                ("period_from", models.DateField(null=True)),
                ("period_until", models.DateField(null=True)),
                ("version", models.IntegerField()),
                ("measure", headrace.foundation.exact.ExactField()),
                ("base", headrace.foundation.exact.ExactField()),
                ("tier", models.IntegerField(null=True)),
                ("earned", headrace.foundation.exact.ExactField()),
                ("unverified", headrace.foundation.exact.ExactField()),
                ("currency", models.CharField(max_length=20)),
                ("lines", models.BigIntegerField()),
                ("next_from", headrace.foundation.exact.ExactField(null=True)),
                ("next_distance", headrace.foundation.exact.ExactField(null=True)),
                ("carried", headrace.foundation.exact.ExactField(null=True)),
                ("carried_in", headrace.foundation.exact.ExactField(null=True)),
                ("payable_on", models.DateField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(models.F("program"), name="live_by_program"),
                    models.Index(models.F("payee_id"), name="live_by_payee"),
                ],
                "constraints": [models.UniqueConstraint(fields=("statement_key",), name="one_live_statement_a_key")],
            },
        ),
        migrations.CreateModel(
            name="LiveTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("scope_key", models.CharField(max_length=64)),
                ("program", models.CharField(max_length=100)),
                ("part", models.CharField(max_length=200)),
                ("measure", headrace.foundation.exact.ExactField()),
                ("base", headrace.foundation.exact.ExactField()),
                ("units", headrace.foundation.exact.ExactField()),
                ("quantity", headrace.foundation.exact.ExactField()),
                ("lines", models.BigIntegerField()),
            ],
            options={
                "indexes": [models.Index(models.F("program"), name="totals_of_a_program")],
                "constraints": [models.UniqueConstraint(fields=("scope_key", "part"), name="one_total_a_part")],
            },
        ),
        migrations.CreateModel(
            name="Program",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=100, unique=True)),
                ("opened_at", models.DateTimeField()),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Finalisation",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("program", models.CharField(max_length=100)),
                ("period_from", models.DateField(null=True)),
                ("period_until", models.DateField(null=True)),
                ("batch_seq", models.BigIntegerField()),
                ("figures", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("to_decide", "To Decide"),
                            ("rejected", "Rejected"),
                            ("approved", "Approved"),
                            ("done", "Done"),
                            ("refused", "Refused"),
                        ],
                        default="asked",
                        max_length=10,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("run", models.CharField(max_length=64, null=True)),
                ("done_at", models.DateTimeField(null=True)),
                ("reason", models.TextField(blank=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("program"),
                        condition=models.Q(("state__in", ("asked", "to_decide", "approved"))),
                        name="one_finalisation_a_program_at_a_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="FinalPosting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("statement_key", models.CharField(max_length=64)),
                ("program", models.CharField(max_length=100)),
                ("payee_kind", models.CharField(max_length=20)),
                ("payee_id", models.CharField(max_length=200)),
                ("scope", models.TextField()),
                ("period_from", models.DateField(null=True)),
                ("period_until", models.DateField(null=True)),
                ("amount", headrace.foundation.exact.ExactField()),
                ("currency", models.CharField(max_length=20)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="postings", to="programs.finalrun"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(models.F("program"), name="final_by_program"),
                    models.Index(models.F("payee_id"), name="final_by_payee"),
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("run"), models.F("statement_key"), name="one_final_posting_a_run")
                ],
            },
        ),
        migrations.CreateModel(
            name="Version",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("in_review", "In Review"),
                            ("approved", "Approved"),
                            ("active", "Active"),
                            ("suspended", "Suspended"),
                            ("ended", "Ended"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("written", models.TextField()),
                ("document", models.JSONField()),
                ("terms_hash", models.CharField(max_length=64)),
                ("editors", models.JSONField(default=list)),
                ("drafted_at", models.DateTimeField()),
                ("activated_at", models.DateTimeField(null=True)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "program",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="programs.program"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(models.F("program"), models.F("number"), name="one_version_a_number"),
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="versions_count_from_one"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("activated_at__isnull", True), ("state__in", ("draft", "in_review", "approved"))),
                            models.Q(("activated_at__isnull", False), ("state__in", ("active", "suspended", "ended"))),
                            _connector="OR",
                        ),
                        name="version_in_force_was_activated",
                    ),
                ],
            },
        ),
    ]
