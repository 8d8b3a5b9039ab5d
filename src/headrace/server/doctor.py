"""What stands in the way of running: configuration, database, chain, books, lake, files, mail; each with the way out."""

import os
import smtplib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core import mail
from django.core.checks import run_checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from headrace.closing import alarms
from headrace.foundation import audit, jobs, people
from headrace.ledger import proof


@dataclass(frozen=True, slots=True)
class Checked:
    """One check. fault: what is wrong and how to mend it, null if nothing is."""

    what: str
    fault: str | None


def examine() -> Iterator[Checked]:
    """Check everything; a check that needs a database is left out where there is none."""
    faults = [f"{message.msg} {message.hint or ''}".strip() for message in run_checks() if message.level >= 30]
    yield Checked("configuration", "; ".join(faults) or None)
    try:
        unapplied = missing_migrations()
    except DatabaseError as error:
        yield Checked("database", f"{str(error).strip()}. Check HEADRACE_DATABASE_URL, and that the server runs.")
    else:
        yield Checked(
            "database", f"{unapplied} migration(s) are missing. Run `headrace migrate`." if unapplied else None
        )
        if not unapplied:
            yield from _inside_the_database()
    yield Checked("lake", _writable(Path(settings.HEADRACE_LAKE), "HEADRACE_LAKE"))
    yield Checked("files", _writable(Path(settings.HEADRACE_FILES), "HEADRACE_FILES"))
    yield Checked("mail", _mail())


def missing_migrations() -> int:
    """Give how many migrations the database lacks."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _inside_the_database() -> Iterator[Checked]:
    yield Checked(
        "administrators", None if people.any_person() else "There are none. Run `headrace found FIRST@… SECOND@…`."
    )
    faults = audit.verify().findings
    yield Checked("audit trail", "; ".join(finding.message for finding in faults[:5]) or None)
    faults = proof.prove().findings
    yield Checked("books", "; ".join(finding.message for finding in faults[:5]) or None)
    sounding = alarms.sounding()
    yield Checked("alarms", "; ".join(f"{each.message} First: {each.faults[0]}" for each in sounding) or None)
    failed = jobs.failed()
    yield Checked("jobs", f"{len(failed)} failed. `headrace jobs` lists them and runs them again." if failed else None)


def _writable(folder: Path, name: str) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor", suffix=".tmp") as probe:
            probe.write(os.urandom(16))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}. Give the process that right, or name another in {name}."
    return None


def _mail() -> str | None:
    try:
        with mail.mailers["default"]:
            return None
    except (OSError, smtplib.SMTPException) as error:
        return f"The mail server does not answer: {error}. Check HEADRACE_MAIL_URL."
