"""Run a command beside a PostgreSQL of its own: `python -m tests.with_postgresql pytest tests/server`.

The server listens on a Unix socket in a temporary folder and is gone afterwards. `initdb` refuses root, so root starts it
as an unprivileged user. Where the server is not installed, root installs Debian's; anybody else is told what to install.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USERS = ("postgres", "nobody")


def binaries() -> Path:
    """Give the folder of the newest server binaries, installing them where that is possible."""
    found = _binaries()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"]
        subprocess.run(install, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        found = _binaries()
    if found is None:
        sys.exit(
            "The tests need a PostgreSQL server. Install it (Debian: apt-get install postgresql) and run them again."
        )
    return found


def _binaries() -> Path | None:
    by_version = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if by_version:
        return by_version[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def server() -> Iterator[str]:
    """Run a server, and give the address of its database."""
    tools = binaries()
    folder = Path(tempfile.mkdtemp(prefix="headrace-pg-", dir="/tmp"))  # a socket's path is short
    owner = pwd.getpwnam(next(name for name in USERS if _exists(name))) if os.geteuid() == 0 else None
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)

    def run(*words: object) -> None:
        user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
        command = [str(word) for word in words]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, **user)  # type: ignore[call-overload]
        if done.returncode:
            sys.exit(f"PostgreSQL could not be started for the tests: {' '.join(command)}\n{done.stdout}{done.stderr}")

    log = folder / "log"
    run(
        tools / "initdb",
        "-D",
        folder / "data",
        "-A",
        "trust",
        "-U",
        "headrace",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    )
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=50"
    with log.open("w"):
        os.chown(log, owner.pw_uid, owner.pw_gid) if owner else None
    # Its output goes to the log: a pipe that the server inherits would never end.
    run("sh", "-c", f"{tools}/pg_ctl -D data -w -s -o '{options}' -l {log} start >/dev/null 2>&1 </dev/null")
    try:
        yield f"postgresql://headrace@/postgres?host={folder}"
    finally:
        run(tools / "pg_ctl", "-D", folder / "data", "-w", "-s", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _exists(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


if __name__ == "__main__":
    with server() as address:
        ended = subprocess.run(sys.argv[1:], check=False, env={**os.environ, "HEADRACE_DATABASE_URL": address})
    sys.exit(ended.returncode)
