"""Signing in: what a browser is told, what a wrong password costs, and which roles ask for a second factor."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core import mail
from django.test import Client, override_settings
from django.urls import reverse

from headrace.foundation.models import AuditEntry, AuditLink, Person
from headrace.foundation.roles import Role
from headrace.server import settings as production
from tests.server.conftest import PASSWORD, Admins, MakePerson

LOGIN = "/account/login/"


@pytest.fixture
def ada(admins: Admins) -> Person:
    """Give an administrator with a password."""
    return with_password(admins[0])


def with_password(person: Person) -> Person:
    person.set_password(PASSWORD)
    person.save()
    return person


def sign_in(client: Client, person: Person, password: str = PASSWORD) -> str:
    """Try to sign in; gives where it led, or nothing if the page came back."""
    answer = client.post(LOGIN, {"login": person.email, "password": password}, secure=True)
    return answer.headers.get("Location", "")


def code_of(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def test_asvs_3_4_3_pages_may_run_nothing_that_is_written_into_them(client: Client, db: None) -> None:
    policy = client.get(LOGIN, secure=True).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy + ";"
    assert "style-src 'self';" in policy + ";"
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("name", ["account_login", "account_reset_password"])
def test_asvs_3_4_3_pages_have_no_script_and_no_style_of_their_own(name: str, client: Client, db: None) -> None:
    page = client.get(reverse(name), secure=True).content.decode()
    inline = re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>|<style|\sstyle=|\son\w+=", page)
    assert inline == []


def test_asvs_3_4_1_browsers_are_told_to_stay_on_https(client: Client, db: None) -> None:
    answer = client.get(LOGIN, secure=True)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    plain = client.get(LOGIN)
    assert (plain.status_code, plain.headers["Location"]) == (301, f"https://testserver{LOGIN}")


def test_asvs_3_3_1_cookies_are_for_this_host_over_https(client: Client, ada: Person) -> None:
    sign_in(client, ada)
    session = client.cookies["__Host-session"]
    assert (session["secure"], session["httponly"], session["samesite"], session["path"]) == (True, True, "Lax", "/")
    assert not session["domain"]


def test_asvs_11_4_2_passwords_are_kept_by_argon2() -> None:
    with override_settings(PASSWORD_HASHERS=production.PASSWORD_HASHERS):
        assert make_password(PASSWORD).startswith("argon2$argon2id$")


def test_asvs_7_2_4_signing_in_gives_a_new_session(client: Client, ada: Person) -> None:
    client.get(LOGIN, secure=True)
    session = client.session
    session["left_by"] = "somebody else"
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    sign_in(client, ada)
    assert client.session.session_key != session.session_key


def test_asvs_6_3_1_tries_are_limited(client: Client, ada: Person) -> None:
    for _ in range(5):
        assert sign_in(client, ada, "wrong password") == ""
    assert sign_in(client, ada) == ""


def test_asvs_16_3_1_tries_are_in_the_trail_without_what_was_typed(client: Client, ada: Person) -> None:
    sign_in(client, ada, "wrong password")
    failed = AuditLink.objects.get(act="sign_in_failed")
    kept = list(AuditEntry.objects.filter(link=failed).values_list("field", "after"))
    assert kept == [("outcome", '"failed"'), ("address", '"127.0.0.1"')]
    sign_in(client, ada)
    assert AuditEntry.objects.filter(record_id=str(ada.pk), field="last_login").exists()


def test_asvs_6_3_8_nobody_learns_which_addresses_are_known(client: Client, ada: Person) -> None:
    def page(email: str) -> tuple[int, str]:
        answer = client.post(LOGIN, {"login": email, "password": "wrong password"}, secure=True)
        hidden = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())
        return answer.status_code, hidden.replace(email, "")

    assert page(ada.email) == page("nobody@example.com")


def test_asvs_6_2_1_short_and_common_passwords_are_refused(client: Client, ada: Person) -> None:
    client.force_login(ada)
    TOTP.activate(ada, generate_totp_secret())
    for weak in ("short", "password1234", "ada@example.com"):
        form = {"oldpassword": PASSWORD, "password1": weak, "password2": weak}
        client.post(reverse("account_change_password"), form, secure=True)
        ada.refresh_from_db()
        assert ada.check_password(PASSWORD), weak


def test_asvs_6_3_3_a_role_that_asks_for_a_second_factor_gets_nowhere_without(client: Client, ada: Person) -> None:
    assert sign_in(client, ada) == "/"
    for name in ("home", "roles", "usersessions_list", "account_change_password"):
        assert client.get(reverse(name), secure=True).headers["Location"] == reverse("mfa_index")
    assert client.get(reverse("mfa_index"), secure=True).status_code == 200


def test_a_role_that_asks_for_none_signs_in_with_a_password(client: Client, person_with: MakePerson) -> None:
    sign_in(client, with_password(person_with(Role.PARTNER_USER)))
    assert client.get("/", secure=True).status_code == 200


def test_asvs_6_5_1_a_code_of_the_app_is_asked_for_and_works_once(ada: Person) -> None:
    secret = generate_totp_secret()
    TOTP.activate(ada, secret)
    client, code = Client(), code_of(secret)
    assert sign_in(client, ada) == reverse("mfa_authenticate")
    assert client.get("/", secure=True).status_code == 302
    client.post(reverse("mfa_authenticate"), {"code": code}, secure=True)
    assert client.get("/", secure=True).status_code == 200
    other = Client()
    sign_in(other, ada)
    other.post(reverse("mfa_authenticate"), {"code": code}, secure=True)
    assert other.get("/", secure=True).status_code == 302


def test_asvs_13_3_1_secrets_of_apps_are_encrypted_in_the_database(ada: Person) -> None:
    secret = generate_totp_secret()
    TOTP.activate(ada, secret)
    assert secret not in str(Authenticator.objects.get(user=ada).data)


def test_an_invited_person_chooses_a_password_by_mail(client: Client, person_with: MakePerson) -> None:
    cleo = person_with(Role.PARTNER_USER)
    client.post(reverse("account_reset_password"), {"email": cleo.email}, secure=True)
    found = re.search(r"https://testserver(/account/password/reset/key/\S+)", str(mail.outbox[0].body))
    assert found is not None
    address = client.get(found[1], secure=True).headers["Location"]
    client.post(address, {"password1": PASSWORD, "password2": PASSWORD}, secure=True)
    cleo.refresh_from_db()
    assert cleo.check_password(PASSWORD)
    assert sign_in(Client(), cleo) == "/"


def test_asvs_7_4_3_other_sessions_end_when_the_password_changes(ada: Person) -> None:
    TOTP.activate(ada, generate_totp_secret())
    here, there = Client(), Client()
    here.force_login(ada)
    there.force_login(ada)
    form = {"oldpassword": PASSWORD, "password1": "quite another one 7", "password2": "quite another one 7"}
    here.post(reverse("account_change_password"), form, secure=True)
    assert there.get("/", secure=True).headers["Location"].startswith(LOGIN)
