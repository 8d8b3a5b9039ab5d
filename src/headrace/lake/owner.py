"""Who holds a lease: a name that tells, on the same machine, whether the holder can still be alive.

A wrong "alive" costs waiting until the lease expires; a wrong "dead" costs nothing either, for a holder whose lease was taken
over cannot commit any more.
"""

import os
import secrets
import socket
from pathlib import Path


def owner_name() -> str:
    """Name this process and one use of it: host, process id, start of the process, chance."""
    _, started = _process(os.getpid())
    return "|".join((socket.gethostname(), str(os.getpid()), started, secrets.token_hex(4)))


def is_known_dead(owner: str) -> bool:
    """Tell whether the process that an owner name means has certainly ended."""
    host, number, started, _ = owner.split("|")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    state, now_started = _process(int(number))
    return state in {"Z", "X"} or (started != "" and now_started not in {"", started})


def _process(number: int) -> tuple[str, str]:
    """Give a process's state and its start in ticks since the machine started, empty where the system does not say."""
    try:
        after_name = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return "", ""
    fields = after_name.split()
    return fields[0], fields[19]
