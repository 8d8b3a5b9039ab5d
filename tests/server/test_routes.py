"""Role × route: every address has an expectation for everybody, or this fails."""

import uuid
from collections.abc import Iterator, Set

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from headrace.foundation import access, people
from headrace.foundation.models import Person
from headrace.foundation.roles import PARTNER_ROLES, VENDOR, Role
from tests.server.conftest import PASSWORD, Admins

ANYBODY = "anybody"
"""Not signed in."""
ROLELESS = "roleless"
"""Signed in, without a role."""

SIGN_IN = 302
ALL = {ROLELESS, *Role}
ADMINISTRATORS = {Role.ADMINISTRATOR}
GRANTERS = {Role.ADMINISTRATOR, Role.PARTNER_ADMIN}
READERS = {Role.FINANCE_ANALYST, Role.CONTROLLER, Role.AUDITOR}
CLOSERS = {Role.FINANCE_ANALYST, Role.CONTROLLER}
REVIEWERS = {Role.ADMINISTRATOR, Role.AUDITOR}
PARTNERS = set(PARTNER_ROLES)
STAFF = {
    Role.CHANNEL_OPERATIONS,
    Role.PROGRAM_MANAGER,
    Role.ACCOUNT_MANAGER,
    Role.FINANCE_ANALYST,
    Role.CONTROLLER,
    Role.AUDITOR,
}
LOADERS, AUTHORS = {Role.CHANNEL_OPERATIONS}, {Role.PROGRAM_MANAGER}
FINANCE = {Role.FINANCE_ANALYST, Role.CONTROLLER}
ASSIGNERS = {Role.PROGRAM_MANAGER, Role.ACCOUNT_MANAGER}

# name: (method, who gets in, the status they get, the status of others who are signed in)
OURS: dict[str, tuple[str, Set[str], int, int]] = {
    "home": ("get", ALL, 200, 0),
    "roles": ("get", ADMINISTRATORS, 200, 403),
    "request_role": ("post", ADMINISTRATORS, 422, 403),
    "invite_person": ("post", ADMINISTRATORS, 422, 403),
    "access_review": ("get", REVIEWERS, 200, 403),
    "approve_role": ("post", ADMINISTRATORS, 404, 403),
    "refuse_role": ("post", ADMINISTRATORS, 404, 403),
    "end_role": ("post", ADMINISTRATORS, 404, 403),
    "tokens": ("get", ALL, 200, 0),
    "make_token": ("post", ALL, 422, 0),
    "ask_service_token": ("post", GRANTERS, 422, 403),
    "approve_token": ("post", ADMINISTRATORS, 404, 403),
    "refuse_token": ("post", ADMINISTRATORS, 404, 403),
    "draw_token": ("post", ADMINISTRATORS, 404, 403),
    "revoke_token": ("post", ALL, 404, 0),
    "audit_trail": ("get", {Role.AUDITOR}, 200, 403),
    "download_file": ("get", set(), 404, 404),
    "partners": ("get", STAFF | PARTNERS, 200, 403),
    "open_partner": ("post", LOADERS, 422, 403),
    "partner": ("get", STAFF | PARTNERS, 404, 403),
    "edit_partner": ("post", STAFF | PARTNERS, 404, 403),
    "name_partner": ("post", STAFF | PARTNERS, 404, 403),
    "ask_bank_data": ("post", STAFF | PARTNERS, 404, 403),
    "levels": ("get", STAFF, 200, 403),
    "set_level": ("post", {Role.PROGRAM_MANAGER}, 422, 403),
    "refuse_level": ("post", ASSIGNERS, 404, 403),
    "segments": ("get", STAFF, 200, 403),
    "define_segment": ("post", ASSIGNERS, 422, 403),
    "products": ("get", STAFF, 200, 403),
    "product": ("get", STAFF, 404, 403),
    "rates": ("get", STAFF, 200, 403),
    "imports": ("get", STAFF, 200, 403),
    "import_file": ("post", LOADERS, 422, 403),
    "import": ("get", STAFF, 404, 403),
    "fields": ("get", STAFF, 200, 403),
    "declare_field": ("post", LOADERS, 422, 403),
    "set_system_of_record": ("post", LOADERS, 422, 403),
    "sales": ("get", STAFF, 200, 403),
    "deliver": ("post", LOADERS, 422, 403),
    "save_profile": ("post", LOADERS, 422, 403),
    "delivery": ("get", STAFF, 404, 403),
    "delivery_rows": ("get", STAFF, 404, 403),
    "send_again": ("post", LOADERS, 404, 403),
    "repair_desk": ("get", STAFF, 200, 403),
    "map_name": ("post", LOADERS, 422, 403),
    "decide_rule": ("post", FINANCE, 422, 403),
    "desk_row": ("get", STAFF, 404, 403),
    "stock": ("get", STAFF, 200, 403),
    "inbox": ("get", STAFF, 200, 403),
    "watch_folder": ("post", LOADERS, 422, 403),
    "end_folder": ("post", LOADERS, 404, 403),
    "reports": ("get", STAFF, 200, 403),
    "owe_report": ("post", LOADERS, 422, 403),
    "nothing_to_report": ("post", LOADERS, 404, 403),
    "corrections": ("get", STAFF, 200, 403),
    "reverse_batch": ("post", LOADERS, 422, 403),
    "correct_line": ("post", LOADERS, 422, 403),
    "repair_row": ("post", LOADERS, 404, 403),
    "programs": ("get", STAFF, 200, 403),
    "write_terms": ("get", AUTHORS, 200, 403),
    "save_terms": ("post", AUTHORS, 422, 403),
    "step_version": ("post", AUTHORS, 404, 403),
    "program": ("get", STAFF, 404, 403),
    "ask_to_finalise": ("post", FINANCE, 404, 403),
    "requests": ("get", STAFF, 200, 403),
    "request": ("get", STAFF, 404, 403),
    "approve_request": ("post", STAFF, 404, 403),
    "reject_request": ("post", STAFF, 404, 403),
    "withdraw_request": ("post", STAFF, 404, 403),
    "shadows": ("get", STAFF, 200, 403),
    "start_shadow": ("post", AUTHORS, 422, 403),
    "shadow": ("get", STAFF, 404, 403),
    "shadow_again": ("post", AUTHORS, 404, 403),
    "shadow_file": ("get", STAFF, 404, 403),
    "adjustments": ("get", STAFF | PARTNERS, 200, 403),
    "ask_adjustment": ("post", ASSIGNERS, 422, 403),
    "overrides": ("get", STAFF, 200, 403),
    "overrides_file": ("get", STAFF, 200, 403),
    "register": ("get", STAFF, 200, 403),
    "register_file": ("get", STAFF, 200, 403),
    "ask_budget": ("post", AUTHORS, 422, 403),
    "assignments": ("get", STAFF | PARTNERS, 200, 403),
    "assign": ("post", ASSIGNERS, 422, 403),
    "leave_program": ("post", ASSIGNERS, 422, 403),
    "accept_assignment": ("post", STAFF | PARTNERS, 404, 403),
    "decline_assignment": ("post", STAFF | PARTNERS, 404, 403),
    "load_inputs": ("post", AUTHORS, 422, 403),
    "guardrails": ("get", STAFF, 200, 403),
    "propose_guardrail": ("post", FINANCE, 422, 403),
    "end_guardrail": ("post", FINANCE, 404, 403),
    "version_guardrails": ("get", STAFF, 404, 403),
    "ask_exception": ("post", AUTHORS, 404, 403),
    "acceptances": ("get", STAFF | PARTNERS, 200, 403),
    "accept_terms": ("post", STAFF | PARTNERS, 404, 403),
    "decline_terms": ("post", STAFF | PARTNERS, 404, 403),
    "balances": ("get", STAFF | PARTNERS, 200, 403),
    "balance": ("get", STAFF | PARTNERS, 404, 403),
    "statements": ("get", STAFF | PARTNERS, 200, 403),
    "statement": ("get", STAFF | PARTNERS, 404, 403),
    "download_statement": ("get", STAFF | PARTNERS, 404, 403),
    "ledger": ("get", READERS, 200, 403),
    "ledger_file": ("get", READERS, 404, 403),
    "ledger_roll_forward": ("get", READERS, 200, 403),
    "ledger_roll_forward_file": ("get", READERS, 404, 403),
    "ledger_postings": ("get", READERS, 200, 403),
    "ledger_postings_file": ("get", READERS, 404, 403),
    "ledger_posting": ("get", READERS, 404, 403),
    "ledger_periods": ("get", READERS, 200, 403),
    "close_period": ("post", CLOSERS, 404, 403),
    "ask_period": ("post", CLOSERS, 404, 403),
    "decide_period": ("post", CLOSERS, 404, 403),
    "hand_over_journal": ("post", CLOSERS, 404, 403),
    "close": ("get", READERS, 404, 403),
    "explain_check": ("post", CLOSERS, 404, 403),
    "ledger_profiles": ("get", READERS, 200, 403),
    "ask_account": ("post", CLOSERS, 422, 403),
    "ask_program": ("post", CLOSERS, 422, 403),
    "opening_journals": ("get", READERS, 200, 403),
    "propose_opening": ("post", CLOSERS, 422, 403),
    "approve_opening": ("post", CLOSERS, 404, 403),
    "prove": ("post", CLOSERS, 302, 403),
    "ask_for_pack": ("post", CLOSERS, 404, 403),
    "download_pack": ("get", READERS, 404, 403),
}
# Sign-in belongs to whoever it is about, in whatever role: (status to anybody, status to a person).
SIGN_IN_PAGES: dict[str, tuple[int, int]] = {
    "alive": (200, 200),
    "account_login": (200, 302),
    "account_confirm_login_code": (302, 302),
    "account_inactive": (200, 200),
    "account_signup": (200, 302),
    "account_reauthenticate": (302, 200),
    "account_email": (302, 200),
    "account_email_verification_sent": (200, 200),
    "account_confirm_email": (200, 200),
    "account_change_password": (302, 200),
    "account_set_password": (302, 302),
    "account_reset_password": (200, 200),
    "account_reset_password_done": (200, 200),
    "account_reset_password_from_key": (200, 200),
    "account_reset_password_from_key_done": (200, 200),
    "mfa_index": (302, 200),
    "mfa_authenticate": (302, 302),
    "mfa_reauthenticate": (302, 200),
    "mfa_activate_totp": (302, 302),
    "mfa_deactivate_totp": (302, 302),
    "mfa_view_recovery_codes": (302, 404),
    "mfa_generate_recovery_codes": (302, 302),
    "mfa_download_recovery_codes": (302, 404),
    "mfa_list_webauthn": (302, 200),
    "mfa_add_webauthn": (302, 302),
    "mfa_remove_webauthn": (302, 302),
    "mfa_edit_webauthn": (302, 302),
    "mfa_reauthenticate_webauthn": (302, 302),
    "mfa_login_webauthn": (302, 302),
    "usersessions_list": (302, 200),
    "account_logout": (302, 200),
}
ARGUMENTS: dict[str, dict[str, object]] = {
    "approve_role": {"grant": uuid.UUID(int=1)},
    "refuse_role": {"grant": uuid.UUID(int=1)},
    "end_role": {"grant": uuid.UUID(int=1)},
    **{f"{name}_token": {"token": uuid.UUID(int=1)} for name in ("approve", "refuse", "draw", "revoke")},
    "download_file": {"file": uuid.UUID(int=1)},
    **{name: {"partner": uuid.UUID(int=1)} for name in ("partner", "edit_partner", "name_partner", "ask_bank_data")},
    "refuse_level": {"proposal": uuid.UUID(int=1)},
    "product": {"product": uuid.UUID(int=1)},
    "import": {"run": uuid.UUID(int=1)},
    **{name: {"delivery": uuid.UUID(int=1)} for name in ("delivery", "delivery_rows", "send_again")},
    "desk_row": {"row": uuid.UUID(int=1)},
    "nothing_to_report": {"duty": uuid.UUID(int=1)},
    "repair_row": {"row": uuid.UUID(int=1), "act": "correct"},
    "step_version": {"version": uuid.UUID(int=1), "event": "submit"},
    "program": {"code": "unknown"},
    "ask_to_finalise": {"code": "unknown"},
    "request": {"request_id": uuid.UUID(int=1)},
    "approve_request": {"request_id": uuid.UUID(int=1)},
    "reject_request": {"request_id": uuid.UUID(int=1)},
    "withdraw_request": {"request_id": uuid.UUID(int=1)},
    "load_inputs": {"code": "unknown"},
    **{name: {"assignment": uuid.UUID(int=1)} for name in ("accept_assignment", "decline_assignment")},
    "start_shadow": {"version": uuid.UUID(int=1)},
    **{name: {"shadow": uuid.UUID(int=1)} for name in ("shadow", "shadow_again", "shadow_file")},
    "end_guardrail": {"guardrail": uuid.UUID(int=1)},
    "version_guardrails": {"version": uuid.UUID(int=1)},
    "ask_exception": {"guardrail": uuid.UUID(int=1), "version": uuid.UUID(int=1)},
    **{name: {"acceptance": uuid.UUID(int=1)} for name in ("accept_terms", "decline_terms")},
    "statement": {"run": "unknown"},
    "download_statement": {"run": "unknown"},
    "ledger_posting": {"company": "DE", "posting": 1},
    **{
        name: {"period": uuid.UUID(int=1)}
        for name in ("close_period", "ask_period", "decide_period", "hand_over_journal")
    },
    **{name: {"period": uuid.UUID(int=1)} for name in ("close", "explain_check", "ask_for_pack")},
    "approve_opening": {"journal": uuid.UUID(int=1)},
    "download_pack": {"which": uuid.UUID(int=1)},
    "account_confirm_email": {"key": "x"},
    "account_reset_password_from_key": {"uidb36": "x", "key": "y"},
    "mfa_remove_webauthn": {"pk": 1},
    "mfa_edit_webauthn": {"pk": 1},
}


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver) and pattern.app_name == "ninja":
            continue  # the REST API has its own matrix, from its own document
        if isinstance(pattern, URLResolver):
            # The API's operations have a matrix of their own, from its document: test_api_matrix.
            yield from names([] if pattern.namespace == "api" else pattern.url_patterns)
        else:
            yield pattern.name or f"unnamed {pattern.pattern}"


def test_every_address_has_an_expectation() -> None:
    assert set(names(get_resolver().url_patterns)) == {*OURS, *SIGN_IN_PAGES}


def signed_in(admins: Admins, who: str) -> Client:
    """Sign somebody in who has the role from today on, and a second factor."""
    now = timezone.now()
    organisation = "P1" if who in PARTNER_ROLES else VENDOR
    member = people.invite(email=f"{who}@example.com", name=who, organisation=organisation, by=admins[0], at=now)
    if who != ROLELESS:
        asked = access.request_role(membership=member.pk, role=Role(who), by=admins[0], from_on=now.date(), at=now)
        access.approve_role(grant=asked.pk, by=admins[1], at=now)
    return with_second_factor(member.person)


def with_second_factor(person: Person) -> Client:
    TOTP.activate(person, generate_totp_secret())
    person.set_password(PASSWORD)
    person.save()
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.parametrize("who", [ANYBODY, ROLELESS, *Role])
def test_asvs_8_3_1_everybody_sees_what_is_expected_and_no_more(who: str, admins: Admins) -> None:
    client = Client() if who == ANYBODY else signed_in(admins, who)
    seen, expected = {}, {}
    for name, (method, allowed, status, otherwise) in OURS.items():
        address = reverse(name, kwargs=ARGUMENTS.get(name))
        starts = ("refuse_", "reject_", "explain_", "decline_", "end_", "ask_exc")
        data = {"reason": "not needed"} if name.startswith(starts) else {}
        seen[name] = getattr(client, method)(address, data, secure=True).status_code
        expected[name] = SIGN_IN if who == ANYBODY else status if who in allowed else otherwise
    for name, (to_anybody, to_a_person) in SIGN_IN_PAGES.items():
        seen[name] = client.get(reverse(name, kwargs=ARGUMENTS.get(name)), secure=True).status_code
        expected[name] = to_anybody if who == ANYBODY else to_a_person
    assert seen == expected


@pytest.mark.parametrize("name", sorted(name for name, row in OURS.items() if row[0] == "post"))
def test_asvs_3_5_3_what_changes_something_is_not_a_link(name: str, admins: Admins) -> None:
    client = with_second_factor(admins[0])
    assert client.get(reverse(name, kwargs=ARGUMENTS.get(name)), secure=True).status_code == 405


@pytest.mark.parametrize("name", sorted(name for name, row in OURS.items() if row[0] == "post"))
def test_asvs_3_5_1_a_form_of_another_site_is_refused(name: str, admins: Admins) -> None:
    client = Client(enforce_csrf_checks=True)
    TOTP.activate(admins[0], generate_totp_secret())
    client.force_login(admins[0])
    assert client.post(reverse(name, kwargs=ARGUMENTS.get(name)), secure=True).status_code == 403
