"""The books in a browser: what finance and auditors see, and the second person on the page of periods."""

import csv
from datetime import date
from itertools import count
from urllib.parse import urlencode

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from headrace.foundation.models import Person, RoleGrant
from headrace.ledger import causes, reading
from headrace.ledger.kinds import Kind
from headrace.workflow import requests
from tests.server.books import Books, key, open_books
from tests.server.conftest import NOW, Admins


def signed_in(person: Person) -> Client:
    TOTP.activate(person, generate_totp_secret())
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def controller(books: Books) -> Client:
    """Sign the first controller in."""
    return signed_in(books.maker)


def page(client: Client, name: str, status: int = 200, query: str = "", **kwargs: object) -> str:
    answer = client.get(reverse(name, kwargs=kwargs or None) + query, secure=True)
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode()


def table(client: Client, name: str, query: str = "") -> list[dict[str, str]]:
    return list(csv.DictReader(page(client, name, query=query).splitlines()))


def test_the_pages_show_what_was_posted(books: Books, controller: Client) -> None:
    for name in ("ledger", "ledger_roll_forward", "ledger_postings"):
        assert 'class="empty"' in page(controller, name)
    books.finalise("120.50")
    books.approve("20.25", date(2026, 2, 3))
    assert "<td>100.25</td>" not in page(controller, "ledger")  # debits and credits are shown, not their difference
    assert "<td>120.50</td>" in page(controller, "ledger")
    assert "<td>20.25</td>" not in page(controller, "ledger", query="?as_of=2026-02-02")
    assert "<td>20.25</td>" in page(controller, "ledger", query="?as_of=2026-02-03")
    rolled = page(controller, "ledger_roll_forward", query="?from_on=2026-01-01&until_on=2026-02-01")
    assert "<td>vol</td>" in rolled
    assert "<td>120.50</td>" in rolled
    assert "20.25 EUR" in page(controller, "ledger_postings", query="?payee=P1&program=vol")
    assert 'class="empty"' in page(controller, "ledger_postings", query="?payee=P2")


def test_the_exports_hold_the_same_figures(books: Books, controller: Client) -> None:
    books.provide("10", key=key("=P1+1"))
    assert [(row["account"], row["debit"], row["credit"]) for row in table(controller, "ledger_file")] == [
        ("contra_revenue", "10.00", "0.00"),
        ("accrued", "0.00", "10.00"),
    ]
    rolled = table(controller, "ledger_roll_forward_file", "?from_on=2026-01-01&until_on=2026-02-01")
    assert [(row["opening"], row["provided"], row["closing"]) for row in rolled] == [("0.00", "10.00", "10.00")]
    row = table(controller, "ledger_postings_file")[0]
    # A spreadsheet must not run a name as a formula.
    assert (row["debit_kind"], row["credit_kind"], row["amount"], row["debit_payee"]) == (
        "contra_revenue", "accrued", "10.00", "'=P1+1",
    )  # fmt: skip


def test_a_posting_opens_to_its_cause(books: Books, controller: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes, "_RESOLVERS", {})
    books.provide("10")
    line = reading.postings(books.company)[0]
    assert "test 1" in page(controller, "ledger_posting", company="DE", posting=line.id)
    causes.show_as("test", lambda cause, _: causes.Opened(f"Delivery {cause}", "/files/1"))
    assert '<a href="/files/1">Delivery 1</a>' in page(controller, "ledger_posting", company="DE", posting=line.id)
    page(controller, "ledger_posting", status=404, company="DE", posting=line.id + 1)
    page(controller, "ledger_posting", status=404, company="XX", posting=line.id)


@pytest.mark.parametrize(
    "query", ["?as_of=yesterday", "?company=XX", "?as_of=2026-02-30", "?company=%00", "?known_on=" + "9" * 400]
)
def test_a_question_that_cannot_be_answered_is_refused(books: Books, controller: Client, query: str) -> None:
    assert "question" in page(controller, "ledger", status=409, query=query)


def test_a_company_may_have_any_code(books: Books, admins: Admins) -> None:
    other = open_books(admins[0], books.maker, books.second, at=NOW, code='A/B "Ü"?')
    other.number = count(100)
    other.provide("10")
    client = signed_in(books.maker)
    query = "?" + urlencode({"company": other.company.code})
    line = reading.postings(other.company)[0]
    address = reverse("ledger_posting", kwargs={"company": other.company.code, "posting": line.id})
    assert f'href="{address}"' in page(client, "ledger_postings", query=query)
    assert "10.00 EUR" in client.get(address, secure=True).content.decode()
    assert [row["account"] for row in table(client, "ledger_file", query)] == ["contra_revenue", "accrued"]


def test_older_postings_are_on_the_next_page(books: Books, controller: Client) -> None:
    for cents in range(51):
        books.provide(f"{cents + 1}")
    first = page(controller, "ledger_postings")
    oldest, second = sorted(line.id for line in reading.postings(books.company, size=100))[:2]
    link = f"before={second}"
    assert link in first
    assert f">{oldest}</a>" not in first
    assert f">{oldest}</a>" in page(controller, "ledger_postings", query=f"?{link}")
    page(controller, "ledger_postings", status=409, query="?before=x")


def test_the_number_of_queries_does_not_grow(books: Books, controller: Client) -> None:
    counted: list[list[int]] = []
    page(controller, "home")  # the first page of a session also notes that it is in use
    for payees in (1, 12):
        for number in range(payees):
            books.provide("10", key=key(f"P{payees}-{number}"))
        counted.append([])
        for name in ("ledger", "ledger_postings", "ledger_roll_forward"):
            with CaptureQueriesContext(connection) as queries:
                page(controller, name, query="?from_on=2026-01-01&until_on=2026-02-01" if "roll" in name else "")
            counted[-1].append(len(queries))
    assert counted[0] == counted[1]


def test_a_period_is_closed_and_locked_by_two_and_its_journal_handed_over(books: Books, controller: Client) -> None:
    # The pages know what day it is, so the controllers' roles must hold today.
    assert RoleGrant.objects.filter(until_on__isnull=False).count() == 0
    assert timezone.now() > NOW
    books.provide("10")
    for kind, account in ((Kind.CONTRA_REVENUE, "4100"), (Kind.ACCRUED, "2300")):
        books.profile(kind, account)
    second = signed_in(books.second)
    january = {"period": books.month(1).id}

    def act(client: Client, name: str, status: int, **data: str) -> str:
        answer = client.post(reverse(name, kwargs=january), data, secure=True)
        assert answer.status_code == status, answer.content.decode()
        return answer.content.decode()

    act(controller, "hand_over_journal", 409)
    act(controller, "close_period", 302)
    act(controller, "ask_period", 409, to="nonsense")
    act(controller, "ask_period", 302, to="locked")
    assert "second_person" in act(controller, "decide_period", 409, approve="yes")
    assert "Approve" in page(second, "ledger_periods")
    act(second, "decide_period", 302, approve="yes")
    rows = list(csv.DictReader(act(controller, "hand_over_journal", 200).splitlines()))
    assert [(row["account"], row["debit"], row["credit"]) for row in rows] == [
        ("2300", "0.00", "10.00"),
        ("4100", "10.00", "0.00"),
    ]
    assert "general ledger journal" in page(controller, "ledger_periods")
    assert "period_left" in act(controller, "ask_period", 409, to="soft_closed")


def test_an_account_of_the_general_ledger_takes_two_people(books: Books, controller: Client) -> None:
    second = signed_in(books.second)
    address = reverse("ledger_profiles")
    given = {"company": "DE", "kind": "contra_revenue", "account": "6400", "program_type": "mdf"}
    assert controller.post(reverse("ask_account"), {**given, "account": ""}, secure=True).status_code == 422
    assert controller.post(reverse("ask_account"), {**given, "kind": "earned"}, secure=True).status_code == 422
    assert controller.post(reverse("ask_account"), given, secure=True).status_code == 302
    program = {"program": "vol", "program_type": "mdf", "cost_centre": "CC-7"}
    assert controller.post(reverse("ask_program"), program, secure=True).status_code == 302
    assert "6400" not in controller.get(address, secure=True).content.decode()
    for waiting in requests.open_of(["posting_profile", "program_profile"]):
        approve = reverse("approve_request", kwargs={"request_id": waiting.request})
        assert controller.post(approve, secure=True).status_code == 409
        assert second.post(approve, secure=True).status_code == 302
    page = controller.get(address, secure=True).content.decode()
    assert "<td>mdf</td><td>contra revenue</td><td>6400</td>" in page
    assert "<td>vol</td><td>mdf</td><td>CC-7</td>" in page
