"""Tokens: made for oneself or, by two people, for a service; never more than their person may do; known by a digest."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.test import Client
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import access, audit, tokens
from headrace.foundation.models import ApiToken, AuditEntry, AuditLink, Person, TokenUse
from headrace.foundation.roles import SCOPES, VENDOR, Permission, Role, Scope
from tests.server.conftest import NOW, PASSWORD, TODAY, Admins, MakePerson
from tests.server.test_routes import with_second_factor

READ = tokens.Wanted(name="nightly", scopes=[Scope.READ], days=30)


def refused(call: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(Refusal) as error:
        call(**given)
    return error.value.code


def test_every_permission_is_in_one_scope() -> None:
    held = [permission for permissions in SCOPES.values() for permission in permissions]
    assert sorted(held) == sorted(Permission)


def test_asvs_11_4_1_a_token_is_kept_as_a_digest_and_never_in_the_trail(person_with: MakePerson) -> None:
    person = person_with(Role.CHANNEL_OPERATIONS)
    token, secret = tokens.make_own(wanted=READ, second_factor=False, by=person, at=NOW)
    sign, start, rest = secret.split("_", 2)
    assert (sign, len(start), len(rest)) == ("hdr", 12, 43)
    row = ApiToken.objects.get(pk=token)
    assert secret not in {str(value) for value in row.__dict__.values()}
    trail = "".join(f"{each.before}{each.after}" for each in AuditEntry.objects.all())
    assert rest not in trail
    assert row.digest not in trail
    assert audit.verify().findings == ()


def test_a_token_acts_for_its_person_within_its_scopes(person_with: MakePerson) -> None:
    person = person_with(Role.CHANNEL_OPERATIONS)
    _, secret = tokens.make_own(wanted=READ, second_factor=False, by=person, at=NOW)
    bearer = tokens.use(secret, at=NOW)
    assert (bearer.person, bearer.scopes, bearer.calls) == (person, ("read",), 1)
    with access.limited_to(bearer.person, bearer.permissions):
        assert access.permitted(person, VENDOR, TODAY) == {Permission.READ_ALL}
        access.require(person, VENDOR, Permission.READ_ALL, TODAY)
        give = {"person": person, "organisation": VENDOR, "day": TODAY}
        assert refused(access.require, permission=Permission.LOAD_DATA, **give) == "scope_missing"
        assert refused(access.require, permission=Permission.FINALISE, **give) == "not_permitted"
    access.require(person, VENDOR, Permission.LOAD_DATA, TODAY)


def test_a_scope_gives_nothing_that_the_person_lost(person_with: MakePerson, admins: Admins) -> None:
    person = person_with(Role.CHANNEL_OPERATIONS)
    everything = tokens.Wanted(name="all", scopes=list(Scope), days=30)
    _, secret = tokens.make_own(wanted=everything, second_factor=False, by=person, at=NOW)
    (standing,) = access.standings(person=person)
    access.end_role(grant=standing.grant, by=admins[0], on=TODAY, at=NOW)
    bearer = tokens.use(secret, at=NOW)
    with access.limited_to(bearer.person, bearer.permissions):
        assert access.permitted(person, VENDOR, TODAY) == frozenset()


def test_tokens_end_by_time_and_by_hand(person_with: MakePerson, admins: Admins) -> None:
    person, other = person_with(Role.CHANNEL_OPERATIONS), person_with(Role.PROGRAM_MANAGER)
    _, secret = tokens.make_own(wanted=READ, second_factor=False, by=person, at=NOW)
    tokens.use(secret, at=NOW + timedelta(days=30) - timedelta(seconds=1))
    assert refused(lambda: tokens.use(secret, at=NOW + timedelta(days=30))) == "token_expired"
    token, secret = tokens.make_own(wanted=READ, second_factor=False, by=person, at=NOW)
    assert refused(tokens.revoke, token=token, by=other, at=NOW) == "token_unknown"
    tokens.use(secret, at=NOW)
    tokens.revoke(token=token, by=admins[0], at=NOW)
    assert refused(lambda: tokens.use(secret, at=NOW)) == "token_invalid"
    tokens.revoke(token=token, by=person, at=NOW)


@pytest.mark.parametrize("secret", ["", "hdr", "hdr_abc", "hdr_000000000000_x", "other_000000000000_x", "hdr_ä_x"])
def test_what_is_no_token_is_refused(secret: str, person_with: MakePerson) -> None:
    tokens.make_own(wanted=READ, second_factor=False, by=person_with(Role.CHANNEL_OPERATIONS), at=NOW)
    assert refused(lambda: tokens.use(secret, at=NOW)) == "token_invalid"


def test_the_start_of_a_token_is_not_enough(person_with: MakePerson) -> None:
    _, secret = tokens.make_own(
        wanted=READ, second_factor=False, by=person_with(Role.CHANNEL_OPERATIONS), at=NOW
    )  # fmt: skip
    wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    assert refused(lambda: tokens.use(wrong, at=NOW)) == "token_invalid"
    assert not TokenUse.objects.exists()


def test_where_a_role_asks_for_a_second_factor_so_does_its_token(person_with: MakePerson, admins: Admins) -> None:
    finance = person_with(Role.FINANCE_ANALYST)
    make = {"wanted": READ, "by": finance, "at": NOW}
    assert refused(tokens.make_own, second_factor=False, **make) == "second_factor_missing"
    _, secret = tokens.make_own(second_factor=True, **make)  # type: ignore[arg-type]
    assert tokens.use(secret, at=NOW).person == finance
    operations = person_with(Role.CHANNEL_OPERATIONS)
    _, weak = tokens.make_own(wanted=READ, second_factor=False, by=operations, at=NOW)
    access.set_second_factor(role=Role.CHANNEL_OPERATIONS, asked=True, by=admins[0], at=NOW)
    assert refused(lambda: tokens.use(weak, at=NOW)) == "second_factor_missing"


def test_calls_are_counted_by_the_minute(person_with: MakePerson) -> None:
    person = person_with(Role.CHANNEL_OPERATIONS)
    _, one = tokens.make_own(wanted=READ, second_factor=False, by=person, at=NOW)
    _, other = tokens.make_own(wanted=READ, second_factor=False, by=person, at=NOW)
    seconds = (0, 59, 60, 30, 125)
    # 12:00:00 and 12:00:59 are one minute; a clock that is behind counts into the minute that began last.
    assert [tokens.use(one, at=NOW + timedelta(seconds=each)).calls for each in seconds] == [1, 2, 1, 2, 1]
    assert tokens.use(other, at=NOW).calls == 1
    shown = tokens.own(person, at=NOW)
    assert NOW + timedelta(seconds=125) in {each.last_used_at for each in shown}


def service(admins: Admins, organisation: str = VENDOR) -> uuid.UUID:
    wanted = tokens.Wanted(name="production", scopes=[Scope.READ, Scope.DATA], days=90)
    return tokens.ask_service(wanted=wanted, service="ERP feed", organisation=organisation, by=admins[0], at=NOW)


def test_a_service_s_token_takes_two_people_and_is_drawn_once(admins: Admins) -> None:
    token = service(admins)
    assert refused(tokens.approve, token=token, by=admins[0], at=NOW) == "second_person"
    assert refused(tokens.draw, token=token, by=admins[0], at=NOW) == "token_state"
    tokens.approve(token=token, by=admins[1], at=NOW)
    assert refused(tokens.approve, token=token, by=admins[1], at=NOW) == "already_decided"
    assert refused(tokens.draw, token=token, by=admins[1], at=NOW) == "not_permitted"
    secret = tokens.draw(token=token, by=admins[0], at=NOW)
    assert refused(tokens.draw, token=token, by=admins[0], at=NOW) == "token_state"
    bearer = tokens.use(secret, at=NOW)
    assert (str(bearer.person), bearer.person.service) == ("ERP feed", True)
    # Its roles are given by two people like anybody's; until then it may do nothing.
    assert access.permitted(bearer.person, VENDOR, TODAY) == frozenset()
    (member,) = [pk for pk, name in access.memberships(TODAY) if "service.invalid" in name]
    asked = access.request_role(membership=member, role=Role.CHANNEL_OPERATIONS, by=admins[0], from_on=TODAY, at=NOW)
    access.approve_role(grant=asked.pk, by=admins[1], at=NOW)
    with access.limited_to(bearer.person, bearer.permissions):
        access.require(bearer.person, VENDOR, Permission.LOAD_DATA, TODAY)
    service(admins)
    assert Person.objects.filter(service=True).count() == 1


def test_a_service_s_token_can_be_refused_with_a_reason(admins: Admins) -> None:
    token = service(admins)
    assert refused(tokens.refuse, token=token, by=admins[1], reason=" ", at=NOW) == "reason_missing"
    tokens.refuse(token=token, by=admins[1], reason="no such system", at=NOW)
    assert refused(tokens.draw, token=token, by=admins[0], at=NOW) == "token_state"
    (shown,) = tokens.of_services(admins[0], at=NOW)
    assert (shown.state, shown.reason) == ("refused", "no such system")


def test_partners_manage_services_of_their_own_only(admins: Admins, person_with: MakePerson) -> None:
    partner = person_with(Role.PARTNER_ADMIN)
    wanted = tokens.Wanted(name="portal", scopes=[Scope.READ], days=90)
    ask = {"wanted": wanted, "service": "Shop", "by": partner, "at": NOW}
    assert refused(tokens.ask_service, organisation=VENDOR, **ask) == "not_permitted"
    assert refused(tokens.ask_service, organisation="P2", **ask) == "not_permitted"
    mine = tokens.ask_service(organisation="P1", **ask)  # type: ignore[arg-type]
    of_vendor = service(admins)
    assert [each.id for each in tokens.of_services(partner, at=NOW)] == [mine]
    assert refused(tokens.approve, token=of_vendor, by=partner, at=NOW) == "not_permitted"
    assert refused(tokens.revoke, token=of_vendor, by=partner, at=NOW) == "token_unknown"
    assert refused(tokens.approve, token=mine, by=partner, at=NOW) == "second_person"
    tokens.approve(token=mine, by=admins[1], at=NOW)


def in_browser(person: Person) -> Client:
    """Sign in with password and authenticator app, as a person does."""
    secret = generate_totp_secret()
    TOTP.activate(person, secret)
    person.set_password(PASSWORD)
    person.save()
    client = Client()
    client.post("/account/login/", {"login": person.email, "password": PASSWORD}, secure=True)
    code = format_hotp_value(hotp_value(secret, int(timezone.now().timestamp()) // 30))
    assert client.post("/account/2fa/authenticate/", {"code": code}, secure=True).status_code == 302
    return client


def test_the_page_makes_a_token_shows_it_once_and_ends_it(person_with: MakePerson) -> None:
    finance = person_with(Role.FINANCE_ANALYST)
    form = {"name": "month end", "scopes": ["read", "read_ledger"], "days": "30"}
    # A session that was not signed in with the second factor makes none.
    weak = with_second_factor(finance)
    assert weak.post("/tokens/make", form, secure=True).status_code == 403
    finance.refresh_from_db()
    Authenticator.objects.filter(user=finance).delete()
    strong = in_browser(finance)
    made = strong.post("/tokens/make", form, secure=True)
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    found = re.search(r"hdr_[0-9a-f]{12}_[\w-]{43}", made.content.decode())
    assert found is not None
    assert tokens.use(found[0], at=timezone.now()).scopes == ("read", "read_ledger")
    page = strong.get("/tokens/", secure=True).content.decode()
    assert found[0] not in page
    assert found[0][:16] in page
    token = ApiToken.objects.get()
    assert strong.post(f"/tokens/{token.pk}/revoke", secure=True).status_code == 302
    assert refused(lambda: tokens.use(found[0], at=timezone.now())) == "token_invalid"
    names = list(AuditLink.objects.filter(actor=f"person:{finance.pk}").values_list("act", flat=True))
    assert [name for name in names if "token" in name] == ["make_token", "revoke_token"]
