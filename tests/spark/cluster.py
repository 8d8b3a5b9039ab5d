"""A standalone cluster on loopback: one master and two workers, started by Spark's own launch script and stopped at the end."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pyspark

SECONDS_MAX = 900


@contextmanager
def two_workers(folder: Path) -> Iterator[str]:
    """Give the address of the master once both workers have registered; everything ends after SECONDS_MAX at the latest."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    master = f"spark://127.0.0.1:{port}"
    started: list[subprocess.Popen[str]] = []

    def end() -> None:
        for each in started:
            each.kill()

    guard = Timer(SECONDS_MAX, end)
    guard.start()
    try:
        place = ["--host", "127.0.0.1", "--webui-port", "0"]
        started.append(_launch(folder, "master.Master", [*place, "--port", str(port)]))
        _wait(started[0], r"elected leader", 1)
        for number in range(2):
            work = str(folder / f"work-{number}")
            options = [*place, "--cores", "1", "--memory", "1g", "--work-dir", work, master]
            started.append(_launch(folder, "worker.Worker", options))
        _wait(started[0], r"Registering worker", 2)
        yield master
    finally:
        guard.cancel()
        for each in reversed(started):
            each.terminate()
        for each in started:
            each.wait(timeout=30)
            if each.stderr is not None:
                each.stderr.close()


def _launch(folder: Path, kind: str, arguments: list[str]) -> subprocess.Popen[str]:
    script = Path(pyspark.__file__).parent / "bin" / "spark-class"
    settings = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(folder), "SPARK_DAEMON_MEMORY": "512m"}
    is_master = kind.startswith("master")
    return subprocess.Popen(
        [script, f"org.apache.spark.deploy.{kind}", *arguments],
        env={**os.environ, **settings}, cwd=folder, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE if is_master else subprocess.DEVNULL,
    )  # fmt: skip


def _wait(master: subprocess.Popen[str], said: str, times: int) -> None:
    """Read what the master tells until it has said something so many times."""
    assert master.stderr is not None
    told = []
    for line in master.stderr:
        told.append(line)
        times -= re.search(said, line) is not None
        if not times:
            return
    raise AssertionError("the master ended early:\n" + "".join(told[-20:]))
