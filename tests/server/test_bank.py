"""Bank data: encrypted, masked, two people, a cooling period; the numbers are opened for a payment alone."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django.fixtures import Settings

from headrace.foundation import access, companies, people
from headrace.foundation.models import AuditEntry, AuditLink, Person
from headrace.foundation.roles import Role
from headrace.partners import bank
from headrace.partners.bank import COOLING, Numbers
from headrace.partners.models import BankAccount
from headrace.workflow import requests
from tests.server.conftest import NOW, TODAY, Admins, MakePerson
from tests.server.master import load
from tests.server.test_access import refusal

# The example IBANs of ISO 13616's registry.
FIRST = Numbers(holder="Ortega SL", number="ES91 2100 0418 4502 0005 1332")
SECOND = Numbers(holder="Ortega SL", number="DE89370400440532013000", bic="COBADEFFXXX")
LATER = NOW + COOLING


@pytest.fixture
def managers(person_with: MakePerson, admins: Admins) -> tuple[Person, Person]:
    operator = person_with(Role.CHANNEL_OPERATIONS)
    companies.open_company(code="ES", name="SA", functional_currency="EUR", by=admins[0], at=NOW)
    load("partner", "partner_id,name\nP1,Ortega\nP2,Lund\n", operator)
    load("account", "partner_id,company,currency\nP1,ES,EUR\nP2,ES,EUR\n", operator)
    return tuple(person_with(Role.ACCOUNT_MANAGER, email=f"{name}@example.com") for name in ("mia", "nils"))  # type: ignore[return-value]


def ask(by: Person, numbers: Numbers = FIRST, partner: str = "P1") -> dict[str, object]:
    return {"partner": partner, "company": "ES", "currency": "EUR", "numbers": numbers, "by": by, "at": NOW}


def test_it_counts_once_a_second_person_agreed_and_the_cooling_is_over(
    managers: tuple[Person, Person], person_with: MakePerson
) -> None:
    controller = person_with(Role.CONTROLLER)
    asked = bank.ask(**ask(managers[0]))  # type: ignore[arg-type]
    pay = {"partner": "P1", "company": "ES", "by": controller}
    assert refusal(bank.open_for_payment, **pay, at=LATER) == "bank_data_missing"
    assert refusal(requests.approve, request=asked, by=managers[0], at=NOW) == "second_person"
    requests.approve(request=asked, by=managers[1], at=NOW)
    assert refusal(bank.open_for_payment, **pay, at=LATER - timedelta(seconds=1)) == "bank_data_missing"
    opened = bank.open_for_payment(**pay, at=LATER)  # type: ignore[arg-type]
    assert opened == Numbers(holder="Ortega SL", number="ES9121000418450200051332")
    assert AuditLink.objects.order_by("-seq")[0].act == "open_bank_data"


def test_the_former_account_is_paid_to_until_the_new_one_counts(
    managers: tuple[Person, Person], person_with: MakePerson
) -> None:
    controller = person_with(Role.CONTROLLER)
    requests.approve(request=bank.ask(**ask(managers[0])), by=managers[1], at=NOW)  # type: ignore[arg-type]
    second = bank.ask(**ask(managers[1], SECOND))  # type: ignore[arg-type]
    requests.approve(request=second, by=managers[0], at=LATER)
    pay = {"partner": "P1", "company": "ES", "by": controller}
    assert bank.open_for_payment(**pay, at=LATER).number.startswith("ES91")  # type: ignore[arg-type]
    assert bank.open_for_payment(**pay, at=LATER + COOLING).number.startswith("DE89")  # type: ignore[arg-type]
    shown = bank.bank_data(partner="P1", viewer=managers[0], at=LATER)
    assert sorted((row.masked, row.usable) for row in shown) == [("DE •••• 3000", False), ("ES •••• 1332", True)]


def test_numbers_are_nowhere_in_the_clear(managers: tuple[Person, Person]) -> None:
    bank.ask(**ask(managers[0]))  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM partners_bankaccount")
        stored = str(cursor.fetchall())
    trail = str(list(AuditEntry.objects.values_list("before", "after")))
    for text in (stored, trail):
        assert "0418450200051332" not in text
        assert "Ortega SL" not in text
    assert AuditEntry.objects.filter(field="sealed", after='"(secret)"').count() == 1


def test_a_changed_secret_key_is_said(
    managers: tuple[Person, Person], person_with: MakePerson, settings: Settings
) -> None:
    requests.approve(request=bank.ask(**ask(managers[0])), by=managers[1], at=NOW)  # type: ignore[arg-type]
    controller = person_with(Role.CONTROLLER)
    settings.SECRET_KEY = "another" * 10
    code = refusal(bank.open_for_payment, partner="P1", company="ES", by=controller, at=LATER)
    assert code == "secret_key_changed"


def test_a_partner_admin_asks_for_the_own_and_the_vendor_decides(
    managers: tuple[Person, Person], person_with: MakePerson
) -> None:
    admin, user = person_with(Role.PARTNER_ADMIN), person_with(Role.PARTNER_USER)
    assert refusal(bank.ask, **ask(admin, partner="P2")) == "partner_unknown"
    assert refusal(bank.ask, **ask(user)) == "not_permitted"
    asked = bank.ask(**ask(admin))  # type: ignore[arg-type]
    assert refusal(requests.approve, request=asked, by=admin, at=NOW) == "not_permitted"
    requests.reject(request=asked, reason="not on the letter", by=managers[0], at=NOW)
    assert [row.state for row in bank.bank_data(partner="P1", viewer=user, at=NOW)] == ["refused"]
    assert refusal(bank.bank_data, partner="P2", viewer=user, at=NOW) == "partner_unknown"
    assert refusal(requests.approve, request=asked, by=managers[0], at=NOW) == "already_decided"


def test_who_edits_bank_data_never_opens_it_for_a_payment(managers: tuple[Person, Person], admins: Admins) -> None:
    requests.approve(request=bank.ask(**ask(managers[0])), by=managers[1], at=NOW)  # type: ignore[arg-type]
    pay = {"partner": "P1", "company": "ES", "by": managers[0], "at": LATER}
    assert refusal(bank.open_for_payment, **pay) == "not_permitted"
    member = people.invite(email="mia@example.org", name="M", organisation="vendor", by=admins[0], at=NOW)
    grant = access.request_role(membership=member.pk, role=Role.CONTROLLER, by=admins[0], from_on=TODAY, at=NOW)
    access.approve_role(grant=grant.pk, by=admins[1], at=NOW)
    assert refusal(bank.ask, **ask(member.person)) == "not_permitted"


@pytest.mark.parametrize(
    "numbers",
    [
        Numbers(holder="Ortega SL", number="ES91 2100 0418 4502 0005 1333"),
        Numbers(holder="Ortega SL", number="021000021"),
        Numbers(holder="", number="DE89370400440532013000"),
        Numbers(holder="Ortega SL", number="DE89370400440532013000", bic="COBA"),
        Numbers(holder="Ortega SL", number="12;DROP", bank_code="021000021"),
    ],
)
def test_numbers_that_cannot_be_are_refused(numbers: Numbers, managers: tuple[Person, Person]) -> None:
    assert refusal(bank.ask, **ask(managers[0], numbers)) == "bank_data"
    assert not BankAccount.objects.exists()


def test_one_change_waits_at_a_time_and_only_for_an_account(managers: tuple[Person, Person]) -> None:
    bank.ask(**ask(managers[0]))  # type: ignore[arg-type]
    assert refusal(bank.ask, **ask(managers[1], SECOND)) == "bank_data_open"
    assert refusal(bank.ask, **{**ask(managers[0]), "company": "US"}) == "account_unknown"


@pytest.mark.parametrize("change", ["same person", "no cooling", "no second person"])
def test_the_database_itself_wants_two_people_and_the_cooling(change: str, managers: tuple[Person, Person]) -> None:
    row = BankAccount.objects.get(request=bank.ask(**ask(managers[0])))  # type: ignore[arg-type]
    row.state, row.decided_by, row.decided_at, row.usable_from = "approved", managers[1], NOW, LATER
    if change == "same person":
        row.decided_by = managers[0]
    elif change == "no cooling":
        row.usable_from = NOW
    else:
        row.decided_by = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()
