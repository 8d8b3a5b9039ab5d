"""The child process of one measurement: reads an order from standard input, runs the task, writes the answer to a file."""

import json
import sys
from pathlib import Path

from headrace.bench.measure import NotInstalled, Stopwatch, peak_bytes
from headrace.bench.tasks import TASKS
from headrace.engine.findings import Refusal


def main() -> None:
    """Run one task."""
    order = json.loads(sys.stdin.read())
    watch = Stopwatch()
    try:
        detail = TASKS[order["task"]](watch, **order["arguments"])
        answer: dict[str, object] = {"status": "done", "detail": detail}
    except NotInstalled as missing:
        answer = {"status": "not installed", "message": str(missing)}
    except Refusal as refusal:
        answer = {"status": "failed", "message": f"{refusal.code}: {refusal.message}"}
    except Exception as error:  # the process boundary: whatever it was becomes the row's message
        answer = {"status": "failed", "message": f"{type(error).__name__}: {str(error).strip().partition('\n')[0]}"}
    answer |= {"wall": watch.wall, "cpu": watch.cpu, "laps": watch.laps, "peak_bytes": peak_bytes()}
    path = Path(order["answer"])
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(answer))
    partial.rename(path)


if __name__ == "__main__":
    main()
