"""The API against its own document: whatever is sent, it answers as documented and never falls over."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck
from hypothesis import settings as examples
from pytest_django import Settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests

from headrace.foundation import audit
from headrace.foundation.models import Person
from headrace.foundation.roles import Role
from tests.server.api_client import filled, token_of
from tests.server.channel import Team, team
from tests.server.conftest import Admins, MakePerson

FEW = examples(max_examples=3, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
MANY = examples(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Keep the connection of the test over all requests, as Django's own client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people of an installation that has something of everything."""
    people = team(admins)
    filled(people)
    return people


def faults_of(person: Person, settings: Settings, many: examples) -> list[str]:
    """Send every operation whatever its document allows and what it does not, and list what is not as documented.

    It goes to the real WSGI application.
    """
    settings.SECURE_SSL_REDIRECT = False
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.HEADRACE_API_CALLS_A_MINUTE = 10**9
    config = SchemathesisConfig.from_dict({"seed": 20261122})
    described = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application(), config=config)
    called = {"Authorization": f"Bearer {token_of(person)}"}
    faults = []

    def held(case: Any) -> None:
        case.call_and_validate(headers=called)

    for found in get_all_tests(schema=described, test_func=held, settings=many, given_kwargs=None):
        assert isinstance(found, Ok), found
        operation, sends = found.ok()
        try:
            sends()
        except (FailureGroup, Failure) as fault:
            faults.append(f"{operation.label}: {_told(fault)}")
    return faults


def _told(fault: BaseException) -> str:
    inner = fault.exceptions if isinstance(fault, BaseExceptionGroup) else (fault,)
    return " | ".join(f"{type(each).__name__}: {each}" for each in inner)


@pytest.fixture
def powerful(person_with: MakePerson) -> Person:
    """Give a person with all duties that one person may hold beside granting roles."""
    return person_with(Role.CHANNEL_OPERATIONS, Role.PROGRAM_MANAGER, Role.ADMINISTRATOR, Role.AUDITOR)


@pytest.mark.parametrize("who", ["powerful", "partner_a"])
def test_whatever_is_sent_is_answered_as_documented(
    who: str, channel: Team, powerful: Person, settings: Settings
) -> None:
    faults = faults_of(powerful if who == "powerful" else channel.partner_a, settings, FEW)
    assert not faults, "\n\n".join(faults)
    assert audit.verify().findings == ()


@pytest.mark.soak
@pytest.mark.parametrize("who", ["powerful", "controller", "partner_a"])
def test_much_that_is_sent_is_answered_as_documented(
    who: str, channel: Team, powerful: Person, settings: Settings
) -> None:
    faults = faults_of(powerful if who == "powerful" else getattr(channel, who), settings, MANY)
    assert not faults, "\n\n".join(faults)
    assert audit.verify().findings == ()
