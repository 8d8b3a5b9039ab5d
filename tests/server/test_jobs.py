"""Jobs: in the transaction of their cause, again with back-off, again elsewhere after a killed worker, by schedule."""

import os
import signal
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from headrace.engine.findings import Refusal
from headrace.foundation import jobs
from headrace.foundation.models import JobRun, JobSchedule
from tests.server import installed, some_tasks
from tests.server.conftest import NOW

FIRST, SECOND = timedelta(seconds=15), timedelta(seconds=60)


@dataclass
class Clock:
    """A clock that is set."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock(db: None) -> Clock:
    """Give a clock at a time when nothing is due by schedule."""
    for name in jobs._SCHEDULES:
        JobSchedule.objects.create(name=name, due_at=NOW + timedelta(days=30))
    return Clock(NOW)


@pytest.fixture
def worker(clock: Clock) -> jobs.Worker:
    """Give a worker under that clock."""
    return jobs.Worker("first", clock)


def state(task: str) -> str:
    return str(DBTaskResult.objects.get(pk=task).status)


def test_a_job_of_a_refused_act_was_never_there(worker: jobs.Worker) -> None:
    with transaction.atomic():
        some_tasks.add.enqueue(1, 2)
        transaction.set_rollback(True)
    assert not worker.step()


def test_a_job_runs_once_and_keeps_what_it_gave(worker: jobs.Worker) -> None:
    task = some_tasks.add.enqueue(20, 3).id
    assert worker.step()
    assert not worker.step()
    assert (state(task), DBTaskResult.objects.get(pk=task).return_value) == ("SUCCESSFUL", 23)
    run = JobRun.objects.get(task=task)
    assert (run.done, run.total, run.attempts, run.lease_until) == (1, 2, 1, None)


def test_a_failing_job_is_tried_again_later_and_later(worker: jobs.Worker, clock: Clock) -> None:
    task = some_tasks.fail.enqueue().id
    assert worker.step()
    clock.at = NOW + FIRST - timedelta(seconds=1)
    assert not worker.step()
    clock.at = NOW + FIRST
    assert worker.step()
    clock.at += SECOND - timedelta(seconds=1)
    assert not worker.step()
    clock.at += timedelta(days=1)
    assert worker.step()
    clock.at += timedelta(days=1)
    assert worker.step()
    assert (state(task), jobs.failed()) == ("READY", ())
    clock.at += timedelta(days=1)
    assert worker.step()
    clock.at += timedelta(days=1)
    assert not worker.step()
    (failed,) = jobs.failed()
    assert (str(failed.task), failed.name, failed.attempts) == (task, "fail", 5)
    assert failed.fault == "ConnectionError: nobody answers"


def test_a_refused_job_is_not_tried_again(worker: jobs.Worker, clock: Clock) -> None:
    some_tasks.refuse.enqueue()
    assert worker.step()
    clock.at += timedelta(days=1)
    assert not worker.step()
    assert [job.name for job in jobs.failed()] == ["refuse"]


def test_a_failed_job_is_run_again_by_hand(worker: jobs.Worker, clock: Clock) -> None:
    task = some_tasks.refuse.enqueue().id
    worker.step()
    (failed,) = jobs.failed()
    jobs.run_again(task=failed.task, at=clock.at)
    assert (state(task), jobs.failed()) == ("READY", ())
    assert worker.step()
    assert JobRun.objects.get(task=task).attempts == 1


def test_a_job_that_did_not_fail_is_not_run_again(clock: Clock) -> None:
    task = some_tasks.add.enqueue(1, 2).id
    with pytest.raises(Refusal) as refused:
        jobs.run_again(task=uuid.UUID(task), at=clock.at)
    assert refused.value.code == "job_unknown"


def test_a_running_job_is_left_alone_while_its_lease_lives(worker: jobs.Worker, clock: Clock) -> None:
    task = some_tasks.add.enqueue(1, 2).id
    assert worker._claim() is not None
    assert jobs.take_over(NOW + jobs.LEASE) == 0
    assert jobs.take_over(NOW + jobs.LEASE + timedelta(seconds=1)) == 1
    assert state(task) == "READY"


def test_whoever_lost_the_lease_does_not_say_how_it_ended(worker: jobs.Worker, clock: Clock) -> None:
    task = some_tasks.add.enqueue(1, 2).id
    claimed = worker._claim()
    assert claimed is not None
    clock.at += timedelta(hours=1)
    jobs.take_over(clock.at)
    worker._run(*claimed)
    assert state(task) == "READY"


def test_a_schedule_starts_its_job_once_and_makes_up_for_one_missed_time(clock: Clock, worker: jobs.Worker) -> None:
    proving = DBTaskResult.objects.filter(task_path__endswith="prove_audit_trail")
    clock.at = NOW + timedelta(days=33)
    jobs.start_due(clock.at)
    jobs.start_due(clock.at)
    assert proving.count() == 1
    clock.at += timedelta(days=1)
    jobs.start_due(clock.at)
    assert proving.count() == 2
    while worker.step():
        pass
    assert {row.status for row in proving} == {TaskResultStatus.SUCCESSFUL}


def test_a_job_whose_worker_was_killed_runs_again(tmp_path: Path) -> None:
    here = installed.make(tmp_path)
    here.run("migrate")
    for name in ("running", "never"):
        os.mkfifo(tmp_path / name)
    here.python(f"from tests.server.some_tasks import hang_once; hang_once.enqueue({str(tmp_path)!r})")
    worker = here.start("worker")
    assert (tmp_path / "running").read_text() == "started\n"
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    here.run("worker", "--until-idle")
    status = (
        "from django_tasks_db.models import DBTaskResult as R; r = R.objects.get(task_path__endswith='hang_once')\n"
    )
    assert here.python(status + "print(r.status)").strip() == "RUNNING"
    here.python(
        "from datetime import timedelta; from django.utils import timezone\n"
        "from headrace.foundation.jobs import Worker\n"
        "later = Worker('later', lambda: timezone.now() + timedelta(minutes=5))\n"
        "much_later = Worker('much later', lambda: timezone.now() + timedelta(minutes=10))\n"
        "later.step(); much_later.step()"
    )
    assert here.python(status + "print(r.status, r.return_value)").strip() == "SUCCESSFUL ran again"
