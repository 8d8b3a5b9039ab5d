"""The tables."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("foundation", "0002_audit_chain"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Head",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Revision",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("act", models.CharField(max_length=100)),
                ("source", models.CharField(max_length=60)),
            ],
        ),
        migrations.CreateModel(
            name="DeclaredField",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=60)),
                (
                    "type",
                    models.CharField(
                        choices=[("text", "text"), ("decimal", "decimal"), ("date", "date"), ("boolean", "boolean")],
                        max_length=10,
                    ),
                ),
                ("internal", models.BooleanField(default=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(models.F("kind"), models.F("name"), name="one_field_a_name")],
            },
        ),
        migrations.CreateModel(
            name="ImportRun",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                ("source", models.CharField(max_length=60)),
                ("table", models.CharField(blank=True, max_length=60)),
                ("all_or_none", models.BooleanField()),
                ("from_on", models.DateField()),
                ("asked_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("queued", "Queued"), ("loaded", "Loaded"), ("stopped", "Stopped")],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("received", models.IntegerField(default=0)),
                ("loaded", models.IntegerField(default=0)),
                ("facts", models.IntegerField(default=0)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="foundation.storedfile"
                    ),
                ),
                (
                    "revision",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="masterdata.revision",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                ("code", models.CharField(max_length=400)),
                (
                    "revision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="masterdata.revision"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SystemOfRecord",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                ("field", models.CharField(max_length=60)),
                ("source", models.CharField(blank=True, max_length=60)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(models.F("kind"), models.F("field"), name="one_system_of_record_a_field")
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.IntegerField()),
                ("row", models.IntegerField(null=True)),
                ("column", models.CharField(max_length=200, null=True)),
                ("code", models.CharField(max_length=60)),
                ("severity", models.CharField(max_length=10)),
                ("message", models.TextField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="findings", to="masterdata.importrun"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(models.F("run"), models.F("position"), name="one_import_finding_a_position")
                ],
            },
        ),
        migrations.CreateModel(
            name="Fact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("field", models.CharField(max_length=60)),
                ("value", models.TextField(null=True)),
                ("from_on", models.DateField(null=True)),
                ("until_on", models.DateField(null=True)),
                ("position", models.IntegerField()),
                (
                    "entry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="facts", to="masterdata.entry"
                    ),
                ),
                (
                    "revision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="masterdata.revision"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(models.F("entry"), models.F("field"), name="facts_of_an_entry"),
                    models.Index(
                        models.F("field"),
                        models.F("value"),
                        condition=models.Q(("field__in", ("partner_id", "parent_id", "group_id", "stands_for"))),
                        name="facts_by_value",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("from_on__isnull", True),
                            ("until_on__isnull", True),
                            ("until_on__gt", models.F("from_on")),
                            _connector="OR",
                        ),
                        name="fact_ends_after_it_begins",
                    ),
                    models.UniqueConstraint(models.F("revision"), models.F("position"), name="one_fact_a_position"),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(models.F("kind"), models.F("code"), name="one_entry_a_code"),
        ),
    ]
