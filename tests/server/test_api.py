"""The API: from a program document to a statement by calls alone, and what every call has in common."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from headrace.foundation import audit, tokens
from headrace.foundation.models import ApiToken, AuditEntry, AuditLink, TokenUse
from headrace.foundation.roles import Scope
from headrace.sales.models import Delivery
from tests.server.api_client import Caller, filled, token_of
from tests.server.channel import JANUARY, TERMS, Team, team, work
from tests.server.conftest import Admins
from tests.server.test_routes import with_second_factor


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


def file(text: str, name: str = "january.csv") -> BytesIO:
    content = BytesIO(text.encode())
    content.name = name
    return content


def approve(by: Caller) -> None:
    (waiting,) = by.get("/requests?state=open")["items"]
    assert by.post(f"/requests/{waiting['request']}/approve") == {"last": True}


def test_from_terms_to_a_statement(channel: Team) -> None:
    author, approver, loader = (Caller.of(each) for each in (channel.author, channel.approver, channel.loader))
    analyst, controller, ann = (Caller.of(each) for each in (channel.analyst, channel.controller, channel.partner_a))

    version = author.post("/versions", {"text": TERMS}, 201)
    assert (version["program"], version["number"], version["state"]) == ("volume", 1, "draft")
    author.post(f"/versions/{version['version']}/steps", {"event": "submit"})
    own = Caller.of(channel.author)
    (waiting,) = own.get("/requests")["items"]
    assert own.post(f"/requests/{waiting['request']}/approve", status=409)["code"] == "second_person"
    approve(approver)
    assert author.post(f"/versions/{version['version']}/steps", {"event": "activate"})["state"] == "active"

    delivery = loader.post("/deliveries", {"file": file(JANUARY), "rows": "3", "amount": "720"}, 201)
    assert (delivery["state"], delivery["kind"], delivery["profile"]) == ("queued", "lines", "canonical")
    work()
    delivery = loader.get(f"/deliveries/{delivery['delivery']}")
    # 3 rows came, of 600, 50 and 70; the third has no such day.
    assert delivery["state"] == "loaded"
    counts = {each["name"]: (each["rows"], each["amounts"]) for each in delivery["counts"]}
    assert counts["loaded"] == (2, {"USD": "650.000000"})
    assert {"name": "amount", "stated": "720", "found": "720.000000", "agrees": True} in delivery["totals"]
    (found,) = loader.get(f"/deliveries/{delivery['delivery']}/findings")["items"]
    assert (found["row"], found["column"], found["severity"]) == (4, "occurred_on", "error")
    assert "2026-13-45" in loader.get(f"/files/{delivery['rejects']}")

    # A: 600 × 10 %; 400 more to the second tier.
    (balance,) = ann.get("/balances")["items"]
    assert (balance["key"]["payee_id"], balance["earned"], balance["next_distance"]) == ("A", "60.000000", "400.000000")
    assert balance["key"]["from"] == "2026-01-01"
    opened = ann.get("/balances/of?program=volume&payee=A")
    assert [each["amount"] for each in opened["changes"]] == ["60.000000"]

    asked = analyst.post("/programs/volume/finalisations", {"period_from": "2026-01-01"}, 201)
    assert asked["state"] == "asked"
    work()
    approve(controller)
    work()
    (period,) = analyst.get("/programs/volume/periods")["items"]
    assert [each["state"] for each in period["asked"]] == ["done"]
    (stated,) = ann.get("/statements")["items"]
    assert (stated["payee_id"], stated["amount"], stated["currency"]) == ("A", "60.000000", "USD")
    (row,) = ann.get(f"/statements/{stated['run']}?payee=A")["rows"]
    assert (row["earned"], row["posted"], row["to_post"]) == ("60.000000", "0.000000", "60.000000")
    assert (row["accrued"], row["forecast"]) == (None, None)
    assert ann.get(f"/statements/{stated['run']}/csv?payee=A").count("\n") == 2
    assert [each["amount"] for each in analyst.get("/statements")["items"]] == ["60.000000", "5.000000"]

    # 65 were earned by both; the books say so from both sides.
    figures = analyst.get("/companies/US/trial-balance")["items"]
    by_kind = {each["kind"]: (each["debit"], each["credit"]) for each in figures}
    assert by_kind["contra_revenue"] == ("65.00", "0.00")
    assert by_kind["accrued"] == ("0.00", "65.00")
    assert audit.verify().findings == ()


def test_the_trail_names_the_token_and_where_it_called_from(channel: Team) -> None:
    Caller.of(channel.author).post("/versions", {"text": TERMS}, 201)
    link = AuditLink.objects.get(act="draft_terms")
    start = ApiToken.objects.get().start
    assert link.actor == f"person:{channel.author.pk}"
    told = dict(AuditEntry.objects.filter(link=link, record="act").values_list("field", "after"))
    assert told == {"address": '"127.0.0.1"', "via": f'"api token hdr_{start}"'}


def test_a_session_s_cookie_counts_for_nothing(channel: Team) -> None:
    browser = with_second_factor(channel.controller)
    answer = browser.get("/api/v1/me", secure=True)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["code"] == "token_missing"
    # Nor does it stand in the way of a token.
    unfit = Client(headers={"Authorization": f"Bearer {token_of(channel.loader)}"})
    unfit.force_login(channel.controller)
    assert unfit.get("/api/v1/me", secure=True).json()["email"] == "loader@example.com"


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer hdr_000000000000_x", "hdr_000000000000_x"])
def test_without_a_token_nothing_is_answered(header: str, channel: Team) -> None:
    answer = Client(headers={"Authorization": header} if header else {}).get("/api/v1/balances", secure=True)
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")


def test_a_scope_is_the_most_that_a_token_does(channel: Team) -> None:
    reader = Caller.of(channel.loader, Scope.READ)
    assert reader.get("/deliveries")["items"] == []
    told = reader.post("/deliveries", {"file": file(JANUARY)}, 403)
    assert told["code"] == "scope_missing"
    assert "scope data" in told["detail"]
    assert not Delivery.objects.exists()
    assert reader.get("/me")["permissions"] == {"vendor": ["read_all"]}


def test_a_revoked_and_an_expired_token_are_told_so(channel: Team) -> None:
    loader = Caller.of(channel.loader)
    row = ApiToken.objects.get()
    row.expires_at = timezone.now() - timedelta(seconds=1)
    row.save()
    assert loader.get("/me", 401)["code"] == "token_expired"
    tokens.revoke(token=row.pk, by=channel.loader, at=timezone.now())
    assert loader.get("/me", 401)["code"] == "token_invalid"


def test_faults_are_findings_of_the_problem(channel: Team) -> None:
    author = Caller.of(channel.author)
    told = author.post("/versions", {"text": TERMS.replace("0.1 }", "a lot }")}, 409)
    assert (told["code"], told["status"], told["title"]) == ("terms_faulty", 409, "Conflict")
    assert [each["row"] for each in told["findings"]] == [7]
    told = author.post("/versions", {"txt": TERMS}, 422)
    assert told["code"] == "request_invalid"
    assert {each["column"] for each in told["findings"]} == {"body.given.text", "body.given.txt"}


def test_a_zero_character_in_a_document_is_a_fault_of_it(channel: Team) -> None:
    told = Caller.of(channel.author).post("/versions", {"text": TERMS + "\0"}, 409)
    assert told["code"] == "terms_faulty"
    told = Caller.of(channel.loader).post("/profiles", {"text": "profile: a\0"}, 409)
    assert told["code"] == "bad_profile"


def test_what_reaches_no_operation_is_a_problem_too(channel: Team) -> None:
    loader = Caller.of(channel.loader)
    assert loader.get("/nothing", 404)["code"] == "address_unknown"
    assert loader.call("delete", "/me", 405)["code"] == "method_not_allowed"
    assert loader.headers["Allow"] == "GET"
    assert loader.get("/balances?program=%00", 422)["code"] == "zero_character"
    headers = {"Authorization": f"Bearer {loader.secret}", "Idempotency-Key": "k"}
    answer = Client(headers=headers).post("/api/v1/versions", "<x/>", content_type="text/xml", secure=True)
    assert (answer.status_code, answer.json()["code"]) == (415, "content_type")
    broken = Client(headers=headers).post("/api/v1/versions", "{", content_type="application/json", secure=True)
    assert (broken.status_code, broken.json()["code"]) == (400, "request_unreadable")


def test_a_token_that_calls_too_often_waits(channel: Team, settings: Settings) -> None:
    settings.HEADRACE_API_CALLS_A_MINUTE = 3
    one, other = Caller.of(channel.loader), Caller.of(channel.loader)
    left = []
    for _ in range(3):
        one.get("/me")
        # A minute that has yet to come takes the calls until then, so that none of these begins a new one.
        TokenUse.objects.update(minute=int(timezone.now().timestamp()) // 60 + 5)
        left.append((one.headers["RateLimit-Limit"], one.headers["RateLimit-Remaining"]))
    assert left == [("3", "2"), ("3", "1"), ("3", "0")]
    assert one.get("/me", 429)["code"] == "too_many_calls"
    assert one.headers["Retry-After"] == "60"
    other.get("/me")


def pages(caller: Caller, path: str) -> list[Any]:
    """Read a list to its end, page by page."""
    rows, cursor = [], ""
    while True:
        page = caller.get(f"{path}{cursor}")
        rows += page["items"]
        if page["next"] is None:
            return rows
        assert len(page["items"]) == 1
        cursor = f"&cursor={page['next']}"


LISTS = [
    "/deliveries?", "/requests?", "/imports?", "/statements?", "/balances?", "/partners?", "/audit?",
    "/companies/US/postings?", "/companies/US/balances?", "/companies/US/trial-balance?", "/fields?", "/roles?",
    "/companies/US/periods?",
]  # fmt: skip


def test_lists_are_read_page_by_page_to_the_same_end(channel: Team) -> None:
    filled(channel)
    auditor = Caller.of(channel.auditor)
    for path in LISTS:
        whole = auditor.get(f"{path}size=200")["items"]
        assert len(whole) > 1, path
        assert pages(auditor, f"{path}size=1") == whole, path
    told = auditor.get("/audit?cursor=bm8", 409)
    assert told["code"] == "cursor_unknown"


def test_what_comes_in_meanwhile_moves_no_page(channel: Team) -> None:
    loader = Caller.of(channel.loader)
    for number in range(3):
        loader.post("/deliveries", {"file": file(JANUARY, f"{number}.csv")}, 201)
    first = loader.get("/deliveries?size=2")
    loader.post("/deliveries", {"file": file(JANUARY, "3.csv")}, 201)
    second = loader.get(f"/deliveries?size=2&cursor={first['next']}")
    names = [[each["name"] for each in page["items"]] for page in (first, second)]
    assert names == [["2.csv", "1.csv"], ["0.csv"]]
    assert second["next"] is None


def test_another_partner_s_record_answers_as_one_that_does_not_exist(channel: Team) -> None:
    filled(channel)
    staff, bob = Caller.of(channel.controller), Caller.of(channel.partner_b)
    partners = {each["code"]: each["id"] for each in staff.get("/partners")["items"]}
    run = staff.get("/statements")["items"][0]["run"]
    file_id = staff.get("/deliveries")["items"][0]["file"]
    nobody = "00000000-0000-4000-8000-000000000000"
    for theirs, none in (
        (f"/partners/{partners['A']}", f"/partners/{nobody}"),
        (f"/partners/{partners['A']}/bank-data", f"/partners/{nobody}/bank-data"),
        ("/balances/of?program=volume&payee=A", "/balances/of?program=volume&payee=nobody"),
        (f"/statements/{run}?payee=A", "/statements/none?payee=A"),
        (f"/statements/{run}/csv?payee=A", "/statements/none/csv?payee=A"),
        (f"/files/{file_id}", f"/files/{nobody}"),
    ):
        staff.get(theirs)
        assert bob.get(theirs, 404) == bob.get(none, 404), theirs
    assert [each["code"] for each in bob.get("/partners")["items"]] == ["B"]
    assert {each["key"]["payee_id"] for each in bob.get("/balances")["items"]} == {"B"}
    assert {each["payee_id"] for each in bob.get("/statements")["items"]} == {"B"}
    assert bob.get("/balances?payee=A")["items"] == []
    assert bob.get("/statements?payee=A")["items"] == []
