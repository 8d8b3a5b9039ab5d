"""Role × operation, from the OpenAPI document: every operation has an expectation for everybody, or this fails."""

import json
import re
from collections.abc import Iterator, Set
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from headrace.api.operations import api
from headrace.foundation import access, people, tokens
from headrace.foundation.roles import PARTNER_ROLES, VENDOR, Role, Scope
from tests.server.api_client import Caller
from tests.server.conftest import Admins
from tests.server.test_routes import (
    ADMINISTRATORS,
    ALL,
    ASSIGNERS,
    AUTHORS,
    CLOSERS,
    FINANCE,
    LOADERS,
    PARTNERS,
    READERS,
    REVIEWERS,
    ROLELESS,
    STAFF,
)  # fmt: skip

SEES = STAFF | PARTNERS
MANAGER = {Role.PROGRAM_MANAGER}
NOBODY = "00000000-0000-4000-8000-000000000001"

# operation: (who gets in, the status they get, the status of others with a token)
EXPECTED: dict[str, tuple[Set[str], int, int]] = {
    "get_me": (ALL, 200, 0),
    "list_deliveries": (STAFF, 200, 403),
    "deliver_file": (LOADERS, 409, 403),
    "get_delivery": (STAFF, 404, 403),
    "list_delivery_findings": (STAFF, 404, 403),
    "list_profiles": (STAFF, 200, 403),
    "save_profile": (LOADERS, 409, 403),
    "get_file": (set(), 404, 404),
    "list_versions": (STAFF, 200, 403),
    "draft_version": (AUTHORS, 409, 403),
    "step_version": (AUTHORS, 404, 403),
    "list_program_periods": (STAFF, 404, 403),
    "ask_to_finalise": (FINANCE, 404, 403),
    "list_requests": (STAFF, 200, 403),
    "get_request": (STAFF, 404, 403),
    "approve_request": (STAFF, 404, 403),
    "reject_request": (STAFF, 404, 403),
    "withdraw_request": (STAFF, 404, 403),
    "list_balances": (SEES, 200, 403),
    "get_balance": (SEES, 404, 403),
    "list_statements": (SEES, 200, 403),
    "get_statement": (SEES, 404, 403),
    "get_statement_csv": (SEES, 404, 403),
    "list_companies": (STAFF | ADMINISTRATORS, 200, 403),
    "open_company": (ADMINISTRATORS, 409, 403),
    "open_books": (CLOSERS, 404, 403),
    "list_account_balances": (READERS, 404, 403),
    "get_trial_balance": (READERS, 404, 403),
    "get_roll_forward": (READERS, 404, 403),
    "list_postings": (READERS, 404, 403),
    "get_posting": (READERS, 404, 403),
    "list_accounting_periods": (READERS, 404, 403),
    "soft_close_period": (CLOSERS, 404, 403),
    "ask_period": (CLOSERS, 404, 403),
    "decide_period": (CLOSERS, 404, 403),
    "hand_over_journal": (CLOSERS, 404, 403),
    "list_partners": (SEES, 200, 403),
    "open_partner": (LOADERS, 409, 403),
    "get_partner": (SEES, 404, 403),
    "edit_partner": (SEES, 404, 403),
    "name_partner": (SEES, 404, 403),
    "list_bank_data": (SEES, 404, 403),
    "ask_bank_data": (SEES, 404, 403),
    "list_products": (STAFF, 200, 403),
    "get_product": (STAFF, 404, 403),
    "list_rate_tables": (STAFF, 200, 403),
    "list_quotes": (STAFF, 404, 403),
    "list_imports": (STAFF, 200, 403),
    "import_file": (LOADERS, 409, 403),
    "get_import": (STAFF, 404, 403),
    "list_fields": (STAFF, 200, 403),
    "declare_field": (LOADERS, 409, 403),
    "set_system_of_record": (LOADERS, 409, 403),
    "list_levels": (STAFF, 200, 403),
    "set_level": (MANAGER, 409, 403),
    "list_level_proposals": (STAFF, 200, 403),
    "refuse_level": (ASSIGNERS, 404, 403),
    "list_segments": (STAFF, 200, 403),
    "preview_segment": (STAFF, 409, 403),
    "define_segment": (ASSIGNERS, 409, 403),
    "list_roles": (REVIEWERS, 200, 403),
    "request_role": (ADMINISTRATORS, 404, 403),
    "approve_role": (ADMINISTRATORS, 404, 403),
    "refuse_role": (ADMINISTRATORS, 404, 403),
    "end_role": (ADMINISTRATORS, 404, 403),
    "invite_person": (ADMINISTRATORS, 409, 403),
    "list_acts": ({Role.AUDITOR}, 200, 403),
    "list_failed_jobs": (ADMINISTRATORS, 200, 403),
    "run_job_again": (ADMINISTRATORS, 404, 403),
}
# What each write is sent: whole, but refused by the service, so that no call depends on another.
BODIES: dict[str, dict[str, Any]] = {
    "deliver_file": {"file": "no,sales", "kind": "nothing"},
    "save_profile": {"text": "profile: canonical"},
    "draft_version": {"text": "program: 1"},
    "step_version": {"event": "submit"},
    "ask_to_finalise": {"period_from": None},
    "reject_request": {"reason": "no"},
    "open_company": {"code": "US", "name": "US", "functional_currency": "XXX"},
    "open_books": {"first_on": "2026-01-01"},
    "ask_period": {"to": "locked"},
    "decide_period": {"approve": True},
    "open_partner": {"code": "P9", "name": " ", "type": "reseller", "from_on": None},
    "edit_partner": {"values": {"name": "P"}},
    "name_partner": {"source": "crm", "name": "P"},
    "ask_bank_data": {"company": "US", "currency": "USD", "holder": "P", "number": "1"},
    "import_file": {"file": "a", "what": "nothing", "source": "erp", "from_on": "2026-01-01"},
    "declare_field": {"kind": "nothing", "name": "x", "type": "text"},
    "set_system_of_record": {"kind": "nothing", "field": "x"},
    "set_level": {"level": "gold", "rank": 1, "reach": "nothing", "from_on": "2026-01-01"},
    "refuse_level": {"reason": "no"},
    "define_segment": {"segment": "s", "name": "s", "rule": "nothing", "from_on": "2026-01-01"},
    "request_role": {"membership": NOBODY, "role": "auditor", "from_on": "2026-01-01"},
    "refuse_role": {"reason": "no"},
    "invite_person": {"email": "no address", "organisation": "vendor"},
}
PLACES = {"program": "unknown", "run": "unknown", "company": "XX", "table": "unknown", "posting": "1"}
ASKED = {
    "get_balance": "?program=unknown&payee=A",
    "get_statement": "?payee=A",
    "get_statement_csv": "?payee=A",
    "get_roll_forward": "?from_on=2026-01-01&until_on=2026-02-01",
    "list_quotes": "?day=2026-01-01",
    "preview_segment": "?rule=nothing",
}


def operations() -> Iterator[tuple[str, str, str]]:
    """Give id, method and path of every operation in the document."""
    for address, methods in api.get_openapi_schema(path_prefix="")["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method, address


def called(caller: Caller, name: str, method: str, address: str) -> int:
    """Call an operation, and give the status."""
    place = re.sub(r"\{(?:\w+:)?(\w+)\}", lambda found: PLACES.get(found[1], NOBODY), address)
    headers = {"Authorization": f"Bearer {caller.secret}", "Idempotency-Key": name}
    body: Any = BODIES.get(name)
    sent: dict[str, Any] = {}
    if body and "file" in body:
        file = BytesIO(body["file"].encode())
        file.name = "a.csv"
        sent = {"data": {**body, "file": file}}
    elif body is not None:
        sent = {"data": json.dumps(body), "content_type": "application/json"}
    client = Client(headers=headers if caller.secret else {})
    answer = getattr(client, method)(f"/api/v1{place}{ASKED.get(name, '')}", secure=True, **sent)
    if answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json", (name, answer.content)
        assert json.loads(answer.content)["code"] != "address_unknown", name
    return int(answer.status_code)


def test_every_operation_has_an_expectation() -> None:
    assert {name for name, _, _ in operations()} == set(EXPECTED)


def test_the_document_is_published_to_anybody(db: None) -> None:
    published = Client().get("/api/v1/openapi.json", secure=True).json()
    assert published["openapi"] == "3.1.0"
    assert set(published["paths"]) == {f"/api/v1{address}" for _, _, address in operations()}


def with_role(admins: Admins, who: str) -> Caller:
    """Give a token with every scope of somebody who has the role from today on."""
    now = timezone.now()
    organisation = "P1" if who in PARTNER_ROLES else VENDOR
    member = people.invite(email=f"{who}@example.com", name=who, organisation=organisation, by=admins[0], at=now)
    if who != ROLELESS:
        asked = access.request_role(membership=member.pk, role=Role(who), by=admins[0], from_on=now.date(), at=now)
        access.approve_role(grant=asked.pk, by=admins[1], at=now)
    return Caller.of(member.person)


def statuses(caller: Caller) -> dict[str, int]:
    return {name: called(caller, name, method, address) for name, method, address in operations()}


@pytest.mark.parametrize("who", [ROLELESS, *Role])
def test_asvs_8_2_1_everybody_may_call_what_is_expected_and_no_more(who: str, admins: Admins) -> None:
    seen = statuses(with_role(admins, who))
    expected = {name: status if who in allowed else other for name, (allowed, status, other) in EXPECTED.items()}
    assert seen == expected


def test_asvs_8_2_1_without_a_token_or_with_one_that_ended_nobody_calls_anything(admins: Admins) -> None:
    ended = with_role(admins, Role.CONTROLLER)
    tokens.revoke(token=tokens.own(people.with_email("controller@example.com"), at=timezone.now())[0].id,
                  by=admins[0], at=timezone.now())  # fmt: skip
    for caller in (Caller(""), ended):
        assert set(statuses(caller).values()) == {401}


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_alone_gives_no_more_than_it_says(scope: Scope, admins: Admins) -> None:
    """Whatever one scope lets a person do, all scopes together let them do too, and a scope of others lets nothing."""
    everything = with_role(admins, Role.CONTROLLER)
    one = Caller.of(people.with_email("controller@example.com"), scope)
    whole, part = statuses(everything), statuses(one)
    assert {name for name in part if part[name] != 403} <= {name for name in whole if whole[name] != 403}
    if scope in (Scope.DATA, Scope.PROGRAMS, Scope.BANK, Scope.ADMINISTER):
        # A controller has none of these duties.
        assert {name for name, status in part.items() if status != 403} == {"get_me", "get_file"}
