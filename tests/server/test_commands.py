"""The application from the command line, as an operator sets it up."""

import re
import sqlite3
from pathlib import Path

import psycopg
from django.core.management import call_command

from tests.server import installed


def test_an_installation_is_set_up_proven_and_found_out_when_touched(tmp_path: Path) -> None:
    here = installed.make(tmp_path)
    assert "headrace migrate" in here.run("doctor", code=1)
    here.run("migrate")
    here.run("found", "ada@example.com", "ben@example.com")
    head = here.run("audit", "head").strip()
    assert head.startswith("1:")
    # Two persons of 8 fields, two memberships of 5, two grants of 12.
    assert f"1 links, 50 entries (0 erased) hold. Head {head}" in here.run("audit", "verify", "--head", head)
    here.run("worker", "--until-idle")
    healthy = here.run("doctor")
    assert re.findall(r"^(\w+) (.+)$", healthy, re.M) == [
        ("right", what)
        for what in (
            "configuration",
            "database",
            "administrators",
            "audit trail",
            "books",
            "alarms",
            "jobs",
            "lake",
            "files",
            "mail",
        )
    ]
    forge(here)
    assert "Link 1: the values of foundation.person" in here.run("audit", "verify", code=1)


def test_companies_are_opened_by_administrators_and_books_by_controllers(tmp_path: Path) -> None:
    here = installed.make(tmp_path)
    here.run("migrate")
    here.run("found", "ada@example.com", "ben@example.com")
    opened = here.run("company", "open", "US", "Headrace", "USD", "--by", "ada@example.com")
    assert "US is open. A controller opens its books" in opened
    assert "nobody with the address" in here.run("company", "open", "DE", "H", "EUR", "--by", "x@example.com", code=2)
    books = here.run("company", "books", "US", "2026-01-01", "--by", "ada@example.com", code=2)
    assert "permission" in books


def test_the_migrations_make_the_tables_that_the_models_say(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def forge(here: installed.Installation) -> None:
    """Change the trail with the rights of the owner of the tables."""
    change = "UPDATE foundation_auditentry SET after = '\"eve@example.com\"' WHERE field = 'email'"
    url = here.environment.get("HEADRACE_DATABASE_URL")
    if url:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("ALTER TABLE foundation_auditentry DISABLE TRIGGER USER")
            server.execute(change.encode())
        return
    file = sqlite3.connect(here.home / "headrace.sqlite3")
    file.execute("DROP TRIGGER foundation_auditentry_no_update")
    file.execute(change)
    file.commit()
    file.close()
