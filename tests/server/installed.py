"""An installation of its own, run by real processes: for what ends in a killed process or begins on the command line."""

import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Installation:
    """Where it is, and the environment of its processes."""

    home: Path
    environment: dict[str, str]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from headrace.cli import main; main()", *words]

    def run(self, *words: str, code: int = 0) -> str:
        """Run `headrace WORD …`; gives what it printed."""
        return self._ended(self.command(*words), code)

    def python(self, program: str) -> str:
        """Run a program inside the application; gives what it printed."""
        start = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'headrace.server.settings'; django.setup()\n"
        return self._ended([sys.executable, "-c", start + program], 0)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start `headrace WORD …` and leave it running."""
        return subprocess.Popen(
            self.command(*words),
            env=self.environment,
            cwd=self.home,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def _ended(self, command: list[str], code: int) -> str:
        done = subprocess.run(command, env=self.environment, cwd=self.home, check=False, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


def make(home: Path) -> Installation:
    """Make one: on a database of its own of the PostgreSQL that the tests run on, or on a file."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "DJANGO_"))}
    environment = {**kept, "HEADRACE_LOCAL": "1", "HEADRACE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    url = os.environ.get("HEADRACE_DATABASE_URL", "")
    if url.startswith("postgresql"):
        name = f"installed_{uuid.uuid4().hex}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        environment["HEADRACE_DATABASE_URL"] = url.replace("/postgres?", f"/{name}?")
    return Installation(home, environment)
