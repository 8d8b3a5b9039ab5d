"""The processes of the application: the web process, and the worker that runs jobs."""

import os
import signal
import socket
import threading
from typing import Any

from gunicorn.app.base import BaseApplication

from headrace.engine.findings import Refusal
from headrace.foundation.jobs import Worker
from headrace.server import doctor
from headrace.server.wsgi import application

POLL_SECONDS = 0.25


class Web(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The web application under gunicorn, with threads, since a request waits for the database more than it computes."""

    def __init__(self, address: str, workers: int) -> None:
        self.address, self.workers = address, workers
        super().__init__()

    def load_config(self) -> None:
        """Say where to listen, and how."""
        for name, value in (
            ("bind", self.address),
            ("workers", self.workers),
            ("worker_class", "gthread"),
            ("threads", 8),
            ("timeout", 60),
            ("control_socket_disable", True),
        ):
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Give the application."""
        return application


def serve(address: str, workers: int) -> None:
    """Answer requests until stopped. Refused on a database that lacks migrations."""
    _up_to_date()
    Web(address, workers).run()


def work(*, until_idle: bool) -> None:
    """Run jobs until stopped; the job under way is finished first. until_idle: stop when nothing is due."""
    _up_to_date()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    worker = Worker(f"{socket.gethostname()[:40]}:{os.getpid()}")
    while not stop.is_set():
        if not worker.step():
            if until_idle:
                return
            stop.wait(POLL_SECONDS)


def _up_to_date() -> None:
    missing = doctor.missing_migrations()
    if missing:
        raise Refusal("database_behind", f"The database lacks {missing} migration(s). Run `headrace migrate` first.")
