"""Single lines that programs send: kept at once, gathered into one delivery a moment later, and loaded like any file.

A call is kept before it is answered, and known by its key, so a call that is sent again changes nothing. What is wrong with a
line is found when the delivery is loaded; a call asks for that by the id of its post.
"""

import csv
import hashlib
import io
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from headrace.engine.findings import Finding, Refusal
from headrace.engine.schema import LINES
from headrace.foundation import access, acts, files
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.sales import deliveries
from headrace.sales.models import Delivery, GatheredPost

GATHERED_FOR = timedelta(milliseconds=250)
LINES_MAX = 1_000
TEXT_MAX = 1_000
POSTS_AT_ONCE = 5_000
PROFILE = "canonical"


def gather(*, lines: Sequence[Mapping[str, str]], idempotency_key: str, by: Person, at: datetime) -> uuid.UUID:
    """Keep lines (text by declared column; line_id is needed) to be loaded with others; gives the id of the post.

    The same key with the same lines gives the same post; with others it is refused (`key_reused`).
    """
    access.require(by, VENDOR, Permission.LOAD_DATA, at.date())
    key = idempotency_key.strip()
    if not key or len(key) > 200:
        raise Refusal("key_missing", "Give each call a key of its own, of at most 200 characters.")
    kept = [_checked(number, line) for number, line in enumerate(lines, start=1)]
    if not 0 < len(kept) <= LINES_MAX:
        raise Refusal(
            "post_size", f"A call brings 1 to {LINES_MAX} lines, and this one has {len(kept)}. Send a file instead."
        )
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    with acts.act("gather_lines", at=at):
        # Two calls with one key follow one another: the second waits here for the first.
        Person.locked(by.pk)
        earlier = GatheredPost.objects.filter(sent_by=by, key=key).first()
        if earlier is not None:
            if earlier.digest != digest:
                raise Refusal("key_reused", f"The key {key!r} was used for other lines. Give these a key of their own.")
            return earlier.pk
        post = GatheredPost.objects.create(sent_by=by, key=key, digest=digest, lines=kept, sent_at=at)
        from headrace.sales.tasks import close_gathering

        close_gathering.using(run_after=at + GATHERED_FOR).enqueue()
    return post.pk


def _checked(number: int, line: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(set(line) - set(LINES))
    if unknown:
        raise Refusal("column_unknown", f"Line {number} has {', '.join(unknown)}, which is no column of a line.")
    if not line.get("line_id", "").strip():
        raise Refusal("missing_key", f"Line {number} has no line_id, without which it could load twice. Give it one.")
    for name, text in line.items():
        if len(text) > TEXT_MAX or "\0" in text:
            raise Refusal("bad_value", f"Line {number}: {name} has at most {TEXT_MAX} characters, none of them U+0000.")
    return dict(line)


def close(*, at: datetime) -> int:
    """Make a delivery of the posts of each sender that wait, and give how many posts that are. A second time finds none."""
    with acts.act("close_gathering", at=at):
        waiting = list(
            GatheredPost.objects.select_for_update(of=("self",))
            .filter(delivery__isnull=True)
            .select_related("sent_by")
            .order_by("sent_at", "pk")[:POSTS_AT_ONCE]
        )
        for sender in {post.sent_by_id: post.sent_by for post in waiting}.values():
            _deliver([post for post in waiting if post.sent_by_id == sender.pk], sender, at)
    return len(waiting)


def _deliver(posts: Sequence[GatheredPost], sender: Person, at: datetime) -> None:
    name = f"lines of {at:%Y-%m-%d %H.%M.%S} {posts[0].pk.hex[:8]}.csv"
    delivery = Delivery(
        file=files.keep(name=name, content=io.BytesIO(_file(posts)), organisation=VENDOR, by=sender, at=at).pk,
        name=name,
        kind=deliveries.LINES,
        profile=PROFILE,
        delivered_by=sender,
        delivered_at=at,
    )
    delivery.save()
    row = 2
    for post in posts:
        post.delivery, post.first_row = delivery, row
        row += len(post.lines)
    GatheredPost.objects.bulk_update(posts, ["delivery", "first_row"], batch_size=500)
    from headrace.sales.tasks import load_delivery

    load_delivery.enqueue(str(delivery.pk))


def _file(posts: Sequence[GatheredPost]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(LINES), restval="", lineterminator="\n")
    writer.writeheader()
    for post in posts:
        writer.writerows(post.lines)
    return text.getvalue().encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What became of a post. state: `waiting`, or that of its delivery. findings: about its own lines, rows counted from 1."""

    post: uuid.UUID
    lines: int
    state: str
    delivery: uuid.UUID | None
    findings: tuple[Finding, ...]


def post_of(*, post: uuid.UUID, viewer: Person, at: datetime) -> Post:
    """Give what became of a post of one's own; anybody else's does not exist (`post_unknown`)."""
    access.require(viewer, VENDOR, Permission.LOAD_DATA, at.date())
    row = GatheredPost.objects.select_related("delivery").filter(pk=post, sent_by=viewer).first()
    if row is None:
        raise Refusal("post_unknown", "There is no such post, or it is not yours to see.")
    if row.delivery is None or row.first_row is None:
        return Post(post=row.pk, lines=len(row.lines), state="waiting", delivery=None, findings=())
    first = row.first_row
    found = row.delivery.findings.filter(row__gte=first, row__lt=first + len(row.lines)).order_by("position")
    return Post(
        post=row.pk,
        lines=len(row.lines),
        state=row.delivery.state,
        delivery=row.delivery_id,
        findings=tuple(
            Finding(
                code=each.code,
                severity=deliveries.severity(each.severity),
                row=(each.row or first) - first + 1,
                column=each.column,
                message=each.message,
            )
            for each in found
        ),
    )
