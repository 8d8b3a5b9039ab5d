"""What happened, told to the apps above: a lower app announces an event in its transaction, and tasks of upper apps run.

An event is queued with what caused it, so it is told if and only if that came to be; at least once, in no order.
"""

from typing import Any

from django.db import connection
from django.tasks.base import Task

_LISTENERS: dict[str, list["Task[..., Any]"]] = {}


def listen(event: str, task: "Task[..., Any]") -> None:
    """Have the task queued whenever the event is announced."""
    listeners = _LISTENERS.setdefault(event, [])
    if task not in listeners:
        listeners.append(task)


def announce(event: str, **payload: Any) -> None:
    """Queue the tasks that listen, each with the payload, in the transaction that is under way."""
    assert connection.in_atomic_block, "an event belongs to the transaction of its cause"
    for task in _LISTENERS.get(event, ()):
        task.enqueue(**payload)
