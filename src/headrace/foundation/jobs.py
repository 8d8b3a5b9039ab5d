"""Jobs: run what is queued, under a lease; again with back-off when it fails; again elsewhere when its worker died; by schedule.

The queue is `django.tasks` in the database, so a job is enqueued in the transaction of the act that needs it. A job may run
twice: its effects must not depend on how often it ran.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, connections, transaction
from django.db.models import Q, QuerySet
from django.tasks import TaskResultStatus
from django.tasks.base import Task
from django.utils import timezone
from django_tasks_db.models import DBTaskResult, get_date_max

from headrace.engine.findings import Refusal
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.models import JobRun, JobSchedule

TRIES_MAX = 5
LEASE = timedelta(seconds=60)
BACK_OFF = timedelta(seconds=15)
"""Before the second try; four times as long before each further one."""

_SCHEDULES: dict[str, "tuple[Task[..., Any], timedelta]"] = {}
_running: ContextVar[uuid.UUID | None] = ContextVar("running_job", default=None)


class WorkerDied(Exception):
    """The worker of a job was gone, as often as a job is tried."""


def scheduled(task: "Task[..., Any]", *, every: timedelta) -> None:
    """Have the task enqueued again and again, that far apart; missed times are made up for once."""
    _SCHEDULES[task.name] = (task, every)


def progress(done: int, total: int | None = None) -> None:
    """Say how far the running job is; shown once its transaction commits. Outside of a job nothing is said."""
    task = _running.get()
    if task is not None:
        JobRun.objects.filter(task=task).update(done=done, total=total)


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker. name: unique among those that run. clock: gives the instant."""

    name: str
    clock: Callable[[], datetime] = timezone.now

    def step(self) -> bool:
        """Do what is due: start schedules, take over from the dead, run one job. Tells whether a job was run."""
        start_due(self.clock())
        take_over(self.clock())
        claimed = self._claim()
        if claimed is None:
            return False
        self._run(*claimed)
        return True

    def _claim(self) -> tuple[DBTaskResult[Any, Any], JobRun] | None:
        at = self.clock()
        ready = Q(run_after=get_date_max()) | Q(run_after__lte=at)
        waiting = DBTaskResult.objects.filter(ready, status=TaskResultStatus.READY)
        # Looking takes no lock: an idle worker is in nobody's way.
        if not waiting.exists():
            return None
        with transaction.atomic():
            queued = _locking(waiting).first()
            if queued is None:
                return None
            queued.claim(self.name)
            run, _ = JobRun.objects.get_or_create(task=queued.pk)
            run.attempts, run.worker, run.lease_until = run.attempts + 1, self.name, at + LEASE
            run.save()
        return queued, run

    def _run(self, queued: "DBTaskResult[Any, Any]", run: JobRun) -> None:
        value, fault = None, None
        token = _running.set(queued.pk)
        try:
            with self._lease_kept(run), acting_as(Actor(None, f"job:{queued.task_name}")):
                given = queued.args_kwargs
                value = queued.task.call(*given["args"], **given["kwargs"])
        except Exception as error:  # kept with the job, and shown in the list of failed jobs
            fault = error
        finally:
            _running.reset(token)
        with transaction.atomic():
            mine = JobRun.objects.select_for_update().filter(task=run.pk, worker=self.name, attempts=run.attempts)
            if not mine.exists():
                return  # the lease was lost, and whoever took over says how it ended
            if fault is None:
                queued.set_successful(value)
            else:
                _failed(queued, run, fault, self.clock())
            mine.update(lease_until=None)

    @contextmanager
    def _lease_kept(self, run: JobRun) -> Iterator[None]:
        over = threading.Event()

        def keep() -> None:
            while not over.wait(LEASE.total_seconds() / 4):
                try:
                    JobRun.objects.filter(task=run.pk, worker=self.name).update(lease_until=timezone.now() + LEASE)
                except OperationalError:
                    continue  # SQLite is held by a long transaction, so nobody can take the job over either
            for each in connections.all(initialized_only=True):
                each.close()
                if each.connection is not None:  # Django does not close a database in memory, which tests have
                    each.connection.close()

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def start_due(at: datetime) -> None:
    """Enqueue every scheduled task that is due, once, whichever worker comes first."""
    for name, (task, every) in _SCHEDULES.items():
        row = JobSchedule.objects.filter(name=name).first()
        if row is not None and row.due_at > at:
            continue
        with transaction.atomic():
            if row is None:
                JobSchedule.objects.get_or_create(name=name, defaults={"due_at": at})
            missed = JobSchedule.objects.filter(name=name, due_at__lte=at)
            if missed.update(due_at=at + every):
                task.enqueue()


def take_over(at: datetime) -> int:
    """Put back the jobs whose worker let its lease run out, and give how many; as often as a job is tried, then it failed."""
    dead = JobRun.objects.filter(lease_until__lt=at).values("task")
    taken = 0
    if not DBTaskResult.objects.filter(pk__in=dead, status=TaskResultStatus.RUNNING).exists():
        return 0
    with transaction.atomic():
        for queued in _locking(DBTaskResult.objects.filter(pk__in=dead, status=TaskResultStatus.RUNNING)):
            run = JobRun.objects.get(task=queued.pk)
            _failed(queued, run, WorkerDied(f"{run.worker} was gone at {at}"), at)
            JobRun.objects.filter(task=queued.pk).update(lease_until=None, worker="")
            taken += 1
    return taken


def _failed(queued: "DBTaskResult[Any, Any]", run: JobRun, fault: Exception, at: datetime) -> None:
    queued.set_failed(fault)
    # A refusal says that the request cannot be done: the same again would be refused again.
    if run.attempts < TRIES_MAX and not isinstance(fault, Refusal):
        queued.status = TaskResultStatus.READY
        queued.run_after = at + BACK_OFF * 4 ** (run.attempts - 1)
        queued.save(update_fields=["status", "run_after"])


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that is not tried any more. fault: the last line of its traceback."""

    task: uuid.UUID
    name: str
    failed_at: datetime | None
    attempts: int
    fault: str


def failed() -> tuple[FailedJob, ...]:
    """List the jobs that failed for good, the latest first."""
    rows = DBTaskResult.objects.filter(status=TaskResultStatus.FAILED).order_by("-finished_at")
    tries = dict(JobRun.objects.filter(task__in=rows.values("pk")).values_list("task", "attempts"))
    return tuple(
        FailedJob(
            row.pk, row.task_name, row.finished_at, tries.get(row.pk, 0), row.traceback.strip().rpartition("\n")[2]
        )
        for row in rows
    )


def run_again(*, task: uuid.UUID, at: datetime) -> None:
    """Queue a failed job again, with all its tries before it. Refused if no failed job has this id."""
    with transaction.atomic():
        rows = DBTaskResult.objects.filter(pk=task, status=TaskResultStatus.FAILED)
        if not rows.update(status=TaskResultStatus.READY, run_after=at):
            raise Refusal("job_unknown", f"No failed job is called {task}. `headrace jobs` lists them.")
        JobRun.objects.filter(task=task).update(attempts=0)


def _locking(rows: "QuerySet[DBTaskResult[Any, Any]]") -> "QuerySet[DBTaskResult[Any, Any]]":
    return rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
