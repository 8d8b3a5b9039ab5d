"""Programs that are killed on the way: what runs in the child, and the parent's handle on it.

The child reads orders from standard input, one a line: `FOLDER calm`, `FOLDER step N` (killed at the N-th act that the disk or
a database file sees) or `FOLDER after MICROSECONDS` (killed at that moment, whatever it is doing). Each order is carried out in
a process of its own; the answer is a line with how it ended and, for a calm one, how many acts there were.
"""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]


class Acts:
    """Counts what the disk and the register are asked to do, and kills the process at one of these acts."""

    def __init__(self, deadly: int | None) -> None:
        self.count = 0
        self.deadly = deadly

    def act(self) -> None:
        self.count += 1
        if self.count == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            self.act()
            result = function(*args, **named)
            self.act()
            return result

        return counted

    def watch(self) -> None:
        acts = self

        class Watched(sqlite3.Connection):
            def execute(self, *args: Any, **named: Any) -> sqlite3.Cursor:
                acts.act()
                cursor = super().execute(*args, **named)
                acts.act()
                return cursor

        connect = sqlite3.connect
        sqlite3.connect = lambda *args, **named: connect(*args, factory=Watched, **named)  # type: ignore[assignment]
        for name in ("fsync", "link", "replace", "unlink", "mkdir"):
            setattr(os, name, self.around(getattr(os, name)))


def serve(work: Callable[[Path], None], *, watch: Callable[[Acts], None] | None = None) -> None:
    """Carry out orders until there are no more; `work` gets the folder of the order. watch: makes further acts count."""
    for line in sys.stdin:
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            # SIGALRM is left to its default: it ends the process at once, without a word, like SIGKILL.
            os.close(read_end)
            try:
                _carry_out(work, watch, line.rstrip("\n").split("\t"), write_end)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        os.close(write_end)
        _, status = os.waitpid(child, 0)
        told = os.read(read_end, 100).decode() or "0"
        os.close(read_end)
        print(os.waitstatus_to_exitcode(status), told, flush=True)


def _carry_out(
    work: Callable[[Path], None], watch: Callable[[Acts], None] | None, order: list[str], answer: int
) -> None:
    folder, how, *number = order
    acts = Acts(int(number[0]) if how == "step" else None)
    if how == "after":
        signal.setitimer(signal.ITIMER_REAL, int(number[0]) / 1e6)
    else:
        # Should the fork of a process with sleeping native threads ever hang, it ends and the test says so.
        signal.alarm(60)
        acts.watch()
        if watch is not None:
            watch(acts)
    work(Path(folder))
    os.write(answer, str(acts.count).encode())


class Crasher:
    """A program that is killed, kept ready to run again and again. module: the one that calls `serve` when it is run."""

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )

    def run(self, *order: str) -> tuple[int, int]:
        """Give how it ended and how many acts it counted."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(order) + "\n")
        self._process.stdin.flush()
        code, acts = self._process.stdout.readline().split()
        return int(code), int(acts)

    def stop(self) -> None:
        """End it."""
        self._process.communicate()
