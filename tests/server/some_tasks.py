"""Jobs that behave as the tests need."""

from pathlib import Path

from django.tasks import task

from headrace.engine.findings import Refusal
from headrace.foundation import jobs


@task
def add(one: int, other: int) -> int:
    """Succeed."""
    jobs.progress(1, 2)
    return one + other


@task
def fail() -> None:
    """Fail, as a server that is away would."""
    raise ConnectionError("nobody answers")


@task
def refuse() -> None:
    """Refuse."""
    raise Refusal("too_late", "The period is closed.")


@task
def hang_once(folder: str) -> str:
    """Say that it runs, and then never end; end at once when it is run again."""
    marker = Path(folder) / "ran"
    if marker.exists():
        return "ran again"
    marker.touch()
    (Path(folder) / "running").write_text("started\n")
    (Path(folder) / "never").read_text()
    return "ran once"
