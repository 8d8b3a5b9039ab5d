"""Watched folders, and single lines of programs."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Other ways in."""

    dependencies = [
        ("sales", "0005_reporting"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="WatchedFolder",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=60, unique=True)),
                ("profile", models.CharField(max_length=100)),
                ("watched_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "watched_by",
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
            name="GatheredPost",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=200)),
                ("digest", models.CharField(max_length=64)),
                ("lines", models.JSONField()),
                ("sent_at", models.DateTimeField()),
                ("first_row", models.BigIntegerField(null=True)),
                (
                    "delivery",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="posts",
                        to="sales.delivery",
                    ),
                ),
                (
                    "sent_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("sent_at"), condition=models.Q(("delivery__isnull", True)), name="posts_to_gather"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("sent_by"), models.F("key"), name="one_post_a_key"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("delivery__isnull", True), ("first_row__isnull", True)),
                            models.Q(("delivery__isnull", False), ("first_row__isnull", False)),
                            _connector="OR",
                        ),
                        name="post_has_its_rows",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TakenFile",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("identity", models.CharField(max_length=64)),
                ("refused", models.TextField(blank=True)),
                ("taken_at", models.DateTimeField()),
                (
                    "delivery",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="sales.delivery"
                    ),
                ),
                (
                    "folder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="taken", to="sales.watchedfolder"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(models.F("folder"), models.F("identity"), name="a_file_is_taken_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("delivery__isnull", False), ("refused", "")),
                            models.Q(("delivery__isnull", True), models.Q(("refused", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="a_file_is_delivered_or_refused",
                    ),
                ],
            },
        ),
    ]
