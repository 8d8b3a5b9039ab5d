"""Rows that did not load, and what people do with them."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import headrace.foundation.exact


class Migration(migrations.Migration):
    """The repair desk."""

    dependencies = [
        ("sales", "0002_lease"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Setting",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=60, unique=True)),
                ("value", models.CharField(max_length=60)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="delivery",
            name="columns",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="delivery",
            name="repairs",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="repaired_by", to="sales.delivery"
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="source",
            field=models.CharField(blank=True, max_length=60),
        ),
        migrations.CreateModel(
            name="DeskRow",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("row", models.BigIntegerField()),
                ("outcome", models.CharField(max_length=10)),
                ("line_id", models.TextField(null=True)),
                ("cells", models.JSONField()),
                ("corrected", models.JSONField(null=True)),
                ("quantity", headrace.foundation.exact.ExactField(null=True)),
                ("amount", headrace.foundation.exact.ExactField(null=True)),
                ("currency", models.CharField(blank=True, max_length=10)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("asked", "Asked"),
                            ("ready", "Ready"),
                            ("sent", "Sent"),
                            ("repaired", "Repaired"),
                            ("ignored", "Ignored"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("round", models.IntegerField(default=1)),
                ("released", models.BooleanField(default=False)),
                ("large", models.BooleanField(default=False)),
                ("reason", models.TextField(blank=True)),
                ("editors", models.JSONField(default=list)),
                ("decided_at", models.DateTimeField(null=True)),
                ("repair_row", models.BigIntegerField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rows", to="sales.delivery"
                    ),
                ),
                (
                    "repair",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sent_rows",
                        to="sales.delivery",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DeskFault",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("round", models.IntegerField()),
                ("position", models.IntegerField()),
                ("code", models.CharField(max_length=100)),
                ("column", models.TextField(null=True)),
                ("action", models.CharField(max_length=10)),
                ("message", models.TextField()),
                ("kind", models.CharField(blank=True, max_length=40)),
                ("name", models.CharField(blank=True, max_length=300)),
                ("settled", models.BooleanField(default=False)),
                (
                    "row",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="faults", to="sales.deskrow"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="deskrow",
            index=models.Index(models.F("delivery"), models.F("state"), name="desk_rows_by_state"),
        ),
        migrations.AddConstraint(
            model_name="deskrow",
            constraint=models.UniqueConstraint(models.F("delivery"), models.F("row"), name="one_desk_row_a_row"),
        ),
        migrations.AddConstraint(
            model_name="deskrow",
            constraint=models.UniqueConstraint(
                models.F("repair"), models.F("repair_row"), name="one_desk_row_a_sent_row"
            ),
        ),
        migrations.AddConstraint(
            model_name="deskrow",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ("rejected", "held"))), name="desk_row_did_not_load"
            ),
        ),
        migrations.AddConstraint(
            model_name="deskrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("repair__isnull", False), ("repair_row__isnull", False), ("state__in", ("sent", "repaired"))
                    ),
                    models.Q(
                        ("repair__isnull", True),
                        ("repair_row__isnull", True),
                        ("state__in", ("waiting", "asked", "ready", "ignored")),
                    ),
                    _connector="OR",
                ),
                name="desk_row_is_sent_by_a_delivery",
            ),
        ),
        migrations.AddConstraint(
            model_name="deskrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "ignored"), _negated=True),
                    models.Q(models.Q(("reason", ""), _negated=True), ("decided_by__isnull", False)),
                    _connector="OR",
                ),
                name="desk_row_is_ignored_with_a_reason",
            ),
        ),
        migrations.AddIndex(
            model_name="deskfault",
            index=models.Index(
                models.F("kind"),
                models.F("name"),
                condition=models.Q(models.Q(("name", ""), _negated=True), ("settled", False)),
                name="desk_faults_by_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="deskfault",
            constraint=models.UniqueConstraint(
                models.F("row"), models.F("round"), models.F("position"), name="one_desk_fault_a_position"
            ),
        ),
    ]
