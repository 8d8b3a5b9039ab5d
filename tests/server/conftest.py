"""People for the tests: two administrators who founded the installation, and anybody with a role that both agreed to."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import Settings

from headrace.foundation import access, people
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.models import Person
from headrace.foundation.roles import PARTNER_ROLES, VENDOR, Role
from headrace.ledger import periods
from tests.server.books import Books, open_books

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TODAY = NOW.date()
PASSWORD = "a long password of 4 words"

type Admins = tuple[Person, Person]
type MakePerson = Callable[..., Person]


@pytest.fixture(autouse=True)
def acting() -> Iterator[None]:
    """Act as the tests, from an address of the documentation's range."""
    with acting_as(Actor(None, "test", "192.0.2.7")):
        yield


@pytest.fixture(autouse=True)
def own_folders(settings: Settings, tmp_path: Path) -> None:
    """Give each test a lake and files of its own, as it has a database of its own."""
    home = tmp_path / "home"
    settings.HEADRACE_LAKE, settings.HEADRACE_FILES = home / "lake", home / "files"
    settings.HEADRACE_INBOX = home / "inbox"


@pytest.fixture
def admins(db: None) -> Admins:
    """Found the installation."""
    ada, ben = people.found(emails=("ada@example.com", "ben@example.com"), at=NOW)
    return ada, ben


@pytest.fixture
def person_with(admins: Admins) -> MakePerson:
    """Make a person with roles: asked for by the first administrator, approved by the second."""

    def make(*roles: Role, email: str = "") -> Person:
        email = email or f"{'-'.join(roles) or 'nobody'}@example.com"
        organisation = "P1" if set(roles) & PARTNER_ROLES else VENDOR
        member = people.invite(email=email, name="Cleo", organisation=organisation, by=admins[0], at=NOW)
        for role in roles:
            asked = access.request_role(membership=member.pk, role=role, by=admins[0], from_on=TODAY, at=NOW)
            access.approve_role(grant=asked.pk, by=admins[1], at=NOW)
        return member.person

    return make


@pytest.fixture
def books(admins: Admins, person_with: MakePerson, monkeypatch: pytest.MonkeyPatch) -> Books:
    """Open the books of a company in euros, by themselves: without the checklist of a close, which stands above them."""
    monkeypatch.setattr(periods, "_GUARDS", [])
    maker, second = (person_with(Role.CONTROLLER, email=f"{name}@example.com") for name in ("cleo", "dora"))
    return open_books(admins[0], maker, second, at=NOW)
