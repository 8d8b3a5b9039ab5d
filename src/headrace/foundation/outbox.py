"""Outward effects: written in the transaction of their cause, delivered by a job afterwards, known to the other side by key.

Delivery is at least once; a handler hands the key on, so that the other side takes a second delivery for the first.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from headrace.foundation.models import OutboxMessage

type Handler = Callable[[str, Any], None]

ATTEMPTS_MAX = 12


def write(*, kind: str, key: str, payload: Any, at: datetime) -> None:
    """Write a message to be delivered once the transaction that is under way commits. The same key again changes nothing."""
    assert connection.in_atomic_block, "an outward effect belongs to the transaction of its cause"
    OutboxMessage.objects.get_or_create(key=key, defaults={"kind": kind, "payload": payload, "due_at": at})


def deliver(handlers: Mapping[str, Handler], *, at: datetime, size: int = 100) -> int:
    """Deliver what is due, the oldest first, and give how many were. handlers: by kind, called with key and payload.

    A message is claimed by moving its due time, in a transaction of its own, so nothing is locked while a handler talks to
    the other side. A try that raises, or whose process dies, is made again after 2, 4, 8 … minutes; after `ATTEMPTS_MAX`
    tries the message is given up and stays to be seen, with its last fault.
    """
    sent = 0
    waiting = OutboxMessage.objects.filter(sent_at__isnull=True, given_up_at__isnull=True, kind__in=tuple(handlers))
    for message in waiting.filter(due_at__lte=at).order_by("due_at", "pk")[:size]:
        tried = message.attempts + 1
        claim = waiting.filter(pk=message.pk, attempts=message.attempts)
        if tried > ATTEMPTS_MAX:
            claim.update(given_up_at=at)
            continue
        if not claim.update(attempts=tried, due_at=at + timedelta(minutes=2**tried)):
            continue
        try:
            handlers[message.kind](message.key, message.payload)
        except Exception as error:  # whatever the other side does: the fault is kept, and the next try is due
            waiting.filter(pk=message.pk).update(last_error=f"{type(error).__name__}: {error}")
        else:
            OutboxMessage.objects.filter(pk=message.pk).update(sent_at=at, last_error="")
            sent += 1
    return sent
