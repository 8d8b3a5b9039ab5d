"""The pages of partners and catalogue, from the upload of a file to what a partner sees of itself."""

import re
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from headrace.foundation import companies
from headrace.foundation.jobs import Worker
from headrace.foundation.roles import Role
from headrace.masterdata import store
from headrace.masterdata.models import Entry
from tests.server.conftest import Admins
from tests.server.test_routes import signed_in

PARTNERS = """partner_id,name,type,level,region
P1,<script>alert(1)</script>,reseller,gold,EMEA
P2,Lund,shop,,APAC
P3,Vega,dealer,silver,LATAM
"""


def partner_id(code: str) -> uuid.UUID:
    return Entry.objects.get(kind="partner", code=code).pk


def upload(client: Client, content: str, **given: str) -> str:
    """Send a file by the form, run the worker, and give the page of the import."""
    fields = {"what": "partner", "source": "erp", "from_on": "2026-01-01", **given}
    file = SimpleUploadedFile("partners.csv", content.encode())
    sent = client.post(reverse("import_file"), {**fields, "file": file}, secure=True)
    assert sent.status_code == 302, sent.content.decode()
    waiting = client.get(sent["Location"], secure=True).content.decode()
    assert "It waits for a worker" in waiting
    worker = Worker("one")
    while worker.step():
        pass
    return client.get(sent["Location"], secure=True).content.decode()


@pytest.fixture
def operator(admins: Admins) -> Client:
    return signed_in(admins, Role.CHANNEL_OPERATIONS)


def test_a_file_is_brought_in_and_its_findings_are_shown(operator: Client) -> None:
    page = upload(operator, PARTNERS)
    assert "2 of 3 rows were taken" in page
    assert "shop" in page
    assert "bad_value" in page
    listed = operator.get(reverse("partners"), secure=True)
    assert "Vega" in listed.content.decode()
    assert "Lund" not in listed.content.decode()
    assert "default-src 'none'" in listed["Content-Security-Policy"]
    assert "partners.csv" in operator.get(reverse("imports"), secure=True).content.decode()


def test_a_file_that_is_not_taken_is_said_on_the_form(operator: Client) -> None:
    file = SimpleUploadedFile("partners.pdf", b"%PDF-1.7")
    given = {"what": "partner", "source": "erp", "from_on": "2026-01-01", "file": file}
    answer = operator.post(reverse("import_file"), given, secure=True)
    assert answer.status_code == 422
    assert "neither CSV nor XLSX" in answer.content.decode()


def test_what_files_say_is_shown_as_text(operator: Client) -> None:
    upload(operator, PARTNERS)
    for address in (reverse("partners"), reverse("partner", kwargs={"partner": partner_id("P1")})):
        page = operator.get(address, secure=True).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_a_change_by_hand_is_dated_and_shown_with_its_source(operator: Client) -> None:
    upload(operator, PARTNERS)
    address = reverse("partner", kwargs={"partner": partner_id("P3")})
    given = {"field": "level", "value": "gold", "from_on": "2026-06-01", "until_on": ""}
    sent = operator.post(f"{address}/edit", given, secure=True)
    assert (sent.status_code, sent["Location"]) == (302, address)
    page = operator.get(address, secure=True).content.decode()
    assert "until before 2026-06-01" in page
    assert "hand" in page
    refused = operator.post(f"{address}/edit", {**given, "field": "parent_id", "value": "P9"}, secure=True)
    assert refused.status_code == 409
    assert "Load it first" in refused.content.decode()
    named = operator.post(f"{address}/name", {"source": "crm", "name": "0017"}, secure=True)
    assert named.status_code == 302
    assert "crm: 0017" in operator.get(address, secure=True).content.decode()


def test_a_partner_is_opened_by_hand(operator: Client) -> None:
    given = {"code": "P9", "name": "Nuno", "type": "agent", "from_on": ""}
    assert operator.post(reverse("open_partner"), given, secure=True).status_code == 302
    assert "Nuno" in operator.get(reverse("partners"), {"text": "nun"}, secure=True).content.decode()


def test_another_partner_does_not_exist_for_a_partner(operator: Client, admins: Admins) -> None:
    upload(operator, PARTNERS)
    partner = signed_in(admins, Role.PARTNER_ADMIN)
    listed = partner.get(reverse("partners"), secure=True).content.decode()
    assert "P1" in listed
    assert "Vega" not in listed
    assert partner.get(reverse("partner", kwargs={"partner": partner_id("P1")}), secure=True).status_code == 200
    unknown = partner.get(reverse("partner", kwargs={"partner": uuid.UUID(int=7)}), secure=True)
    other = partner.get(reverse("partner", kwargs={"partner": partner_id("P3")}), secure=True)
    assert (other.status_code, unknown.status_code) == (404, 404)
    assert "Vega" not in other.content.decode()
    for act in ("edit_partner", "name_partner", "ask_bank_data"):
        address = reverse(act, kwargs={"partner": partner_id("P3")})
        assert partner.post(address, {}, secure=True).status_code == 404
    before = store.last_revision()
    own = reverse("edit_partner", kwargs={"partner": partner_id("P1")})
    assert partner.post(own, {"field": "level", "value": "gold"}, secure=True).status_code == 403
    assert store.last_revision() == before


def test_bank_data_is_asked_for_by_the_partner_and_approved_by_the_vendor(operator: Client, admins: Admins) -> None:
    upload(operator, PARTNERS)
    companies.open_company(code="ES", name="SA", functional_currency="EUR", by=admins[0], at=timezone.now())
    upload(operator, "partner_id,company,currency\nP1,ES,EUR\n", what="account")
    partner, manager = signed_in(admins, Role.PARTNER_ADMIN), signed_in(admins, Role.ACCOUNT_MANAGER)
    address = reverse("partner", kwargs={"partner": partner_id("P1")})
    given = {"company": "ES", "currency": "EUR", "holder": "Ortega SL", "number": "ES91 2100 0418 4502 0005 1332"}
    assert partner.post(f"{address}/bank", given, secure=True).status_code == 302
    page = manager.get(address, secure=True).content.decode()
    assert "ES •••• 1332" in page
    assert "2100" not in page
    assert "Ortega SL" not in page
    request = re.findall(r'href="/requests/([0-9a-f-]{36}/)"', page)[0]
    shown = manager.get(f"/requests/{request}", secure=True).content.decode()
    assert "ES •••• 1332" in shown
    assert "Ortega SL" not in shown
    assert partner.post(f"/requests/{request}approve", secure=True).status_code == 403
    assert manager.post(f"/requests/{request}approve", secure=True).status_code == 302
    assert "paid to from" in partner.get(address, secure=True).content.decode()


def test_a_segment_is_tried_then_kept(operator: Client, admins: Admins) -> None:
    upload(operator, PARTNERS)
    manager = signed_in(admins, Role.PROGRAM_MANAGER)
    rule = "partner.level = 'gold'"
    tried = manager.get(reverse("segments"), {"rule": rule}, secure=True)
    assert tried.status_code == 200
    assert "<strong>1</strong> in it" in tried.content.decode()
    wrong = manager.get(reverse("segments"), {"rule": "partner.levle = 'gold'"}, secure=True)
    assert wrong.status_code == 422
    assert "partner.level" in wrong.content.decode()
    given = {"segment": "top", "name": "Top partners", "rule": rule, "from_on": "2026-01-01"}
    assert manager.post(reverse("define_segment"), given, secure=True).status_code == 302
    assert "Top partners" in manager.get(reverse("segments"), secure=True).content.decode()
    bad = manager.post(reverse("define_segment"), {**given, "rule": "partner.levle = 1"}, secure=True)
    assert bad.status_code == 422


def test_levels_are_defined_reviewed_and_refused(operator: Client, admins: Admins) -> None:
    upload(operator, PARTNERS)
    manager = signed_in(admins, Role.PROGRAM_MANAGER)
    given = {"level": "gold", "rank": "2", "reach": "partner.region = 'LATAM'", "notice_days": "30"}
    sent = manager.post(reverse("set_level"), {**given, "from_on": "2026-01-01"}, secure=True)
    assert sent.status_code == 302
    given = {"level": "silver", "rank": "2", "reach": "partner.region = 'APAC'", "notice_days": "30"}
    twice = manager.post(reverse("set_level"), {**given, "from_on": "2026-01-01"}, secure=True)
    assert twice.status_code == 422
    assert "rank 2 already" in twice.content.decode()
    sent = manager.post(reverse("set_level"), {**given, "rank": "1", "from_on": "2026-01-01"}, secure=True)
    assert sent.status_code == 302
    from headrace.partners import levels

    levels.review(at=timezone.now())
    page = manager.get(reverse("levels"), secure=True).content.decode()
    assert "P3: silver → gold" in page
    refuse = page.split('action="/levels/')[1].split('"')[0]
    assert manager.post(f"/levels/{refuse}", {"reason": "not this year"}, secure=True).status_code == 302
    assert "not this year" in manager.get(reverse("levels"), secure=True).content.decode()


def test_products_prices_and_rates_are_shown(operator: Client) -> None:
    upload(operator, "product_id,name,family\nR-1,Radio,Radio\n", what="product")
    upload(operator, "price_list,currency\nlist_price,USD\n", what="price_list")
    upload(operator, "price_list,product_id,price\nlist_price,R-1,110.50\n", what="price")
    quotes = "date,from_currency,to_currency,rate\n2026-01-01,EUR,USD,1.0500\n"
    upload(operator, quotes, what="rates", table="company")
    assert "Radio" in operator.get(reverse("products"), secure=True).content.decode()
    product = Entry.objects.get(kind="product", code="R-1").pk
    page = operator.get(reverse("product", kwargs={"product": product}), secure=True).content.decode()
    assert "110.5" in page
    shown = operator.get(reverse("rates"), {"table": "company", "day": "2026-01-01"}, secure=True)
    assert "1.0500" in shown.content.decode()
    assert operator.get(reverse("rates"), {"table": "nothing"}, secure=True).status_code == 404


def test_a_field_is_declared_and_given_to_a_system(operator: Client) -> None:
    given = {"kind_name": "partner", "name": "slogan", "column_type": "text"}
    assert operator.post(reverse("declare_field"), given, secure=True).status_code == 302
    owner = {"kind_name": "partner", "field": "slogan", "source": "crm"}
    assert operator.post(reverse("set_system_of_record"), owner, secure=True).status_code == 302
    page = operator.get(reverse("fields"), secure=True).content.decode()
    assert "slogan" in page
    assert "crm" in page
