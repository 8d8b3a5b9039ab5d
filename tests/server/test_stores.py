"""Companies, files and the outbox."""

import zipfile
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from headrace.engine.findings import Refusal
from headrace.foundation import access, companies, files, outbox, people
from headrace.foundation.models import Company, OutboxMessage, StoredFile
from headrace.foundation.roles import Role
from tests.server.conftest import NOW, TODAY, Admins, MakePerson


def workbook(*names: str) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), "<x/>")  # dated 1980: the same bytes in every process
    return packed.getvalue()


WORKBOOK = workbook("[Content_Types].xml", "xl/workbook.xml")


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    """Keep files in a folder of the test."""
    settings.HEADRACE_FILES = tmp_path
    return tmp_path


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("sales.csv", b"line_id,amount\na,1\n", "csv"),
        ("sales.TXT", "Händler\t1\n".encode("cp1252"), "csv"),
        ("sales.xlsx", WORKBOOK, "xlsx"),
        ("invoice.pdf", b"%PDF-1.7 ...", "pdf"),
        ("logo.PNG", b"\x89PNG\r\n\x1a\n...", "png"),
    ],
)
def test_a_file_is_what_its_content_says(name: str, data: bytes, kind: str) -> None:
    assert files.kind_of(name, data) == kind


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("page.html", b"<html>", "file_kind"),
        ("run.exe", b"MZ", "file_kind"),
        ("none", b"x", "file_kind"),
        ("sales.csv", b"MZ\x90\x00", "file_content"),
        ("sales.csv", WORKBOOK, "file_content"),
        ("sales.xlsx", b"a,b\n", "file_content"),
        ("sales.xlsx", workbook("word/document.xml"), "file_content"),
        ("sales.xlsx", workbook("[Content_Types].xml", "xl/workbook.xml", "xl/vbaProject.bin"), "file_content"),
        ("sales.xlsx", WORKBOOK[:40], "file_content"),
        ("invoice.pdf", b"<script>", "file_content"),
    ],
)
def test_asvs_5_2_2_content_that_is_not_what_the_name_says_is_refused(name: str, data: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        files.kind_of(name, data)
    assert refused.value.code == code


def test_asvs_5_2_1_too_large_and_empty_files_are_refused(
    folder: Path, person_with: MakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SIZE_MAX", 10)
    operator = person_with(Role.CHANNEL_OPERATIONS)
    for data in (b"", b"12345678901"):
        with pytest.raises(Refusal) as refused:
            files.store(name="a.csv", content=BytesIO(data), organisation="vendor", by=operator, at=NOW)
        assert refused.value.code == "file_size"
    assert list(folder.iterdir()) == []
    files.store(name="a.csv", content=BytesIO(b"1234567890"), organisation="vendor", by=operator, at=NOW)


def test_asvs_5_3_2_a_name_never_becomes_a_path(folder: Path, person_with: MakePerson) -> None:
    operator = person_with(Role.CHANNEL_OPERATIONS)
    stored = files.store(name="../../x.csv", content=BytesIO(b"a"), organisation="vendor", by=operator, at=NOW)
    assert stored.name == "x.csv"
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [stored.pk.hex]


def test_a_file_is_handed_to_whoever_may_see_it(folder: Path, admins: Admins, person_with: MakePerson) -> None:
    partner, auditor, other = person_with(Role.PARTNER_USER), person_with(Role.AUDITOR), person_with(Role.SALES_REP)
    stored = files.store(name="sales.csv", content=BytesIO(b"a,b\n"), organisation="P1", by=partner, at=NOW)
    for viewer in (partner, auditor):
        assert files.open_stored(file=stored.pk, viewer=viewer, at=NOW)[1].read_bytes() == b"a,b\n"
    for viewer in (other, admins[0]):
        with pytest.raises(Refusal) as refused:
            files.open_stored(file=stored.pk, viewer=viewer, at=NOW)
        assert refused.value.code == "file_unknown"
    access.end_role(grant=partner.memberships.get().grants.get().pk, by=admins[0], on=TODAY, at=NOW)
    with pytest.raises(Refusal):
        files.open_stored(file=stored.pk, viewer=partner, at=NOW)


def test_asvs_5_4_1_a_file_comes_as_an_attachment(client: Client, folder: Path, person_with: MakePerson) -> None:
    partner = person_with(Role.PARTNER_USER)
    stored = files.store(name="sales.csv", content=BytesIO(b"a,b\n"), organisation="P1", by=partner, at=NOW)
    client.force_login(partner)
    answer = client.get(reverse("download_file", kwargs={"file": stored.pk}), secure=True)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sales.csv"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert b"".join(answer.streaming_content) == b"a,b\n"  # type: ignore[attr-defined]


def test_nobody_keeps_a_file_in_an_organisation_of_others(folder: Path, person_with: MakePerson) -> None:
    partner = person_with(Role.PARTNER_USER)
    with pytest.raises(Refusal) as refused:
        files.store(name="a.csv", content=BytesIO(b"a"), organisation="P2", by=partner, at=NOW)
    assert refused.value.code == "not_permitted"
    assert not StoredFile.objects.exists()


def test_a_fiscal_year_starts_on_its_day(admins: Admins) -> None:
    company = companies.open_company(
        code="DE", name="Headrace GmbH", functional_currency="EUR", fiscal_month=7, by=admins[0], at=NOW
    )
    assert companies.fiscal_year(company, date(2026, 6, 30)) == (date(2025, 7, 1), date(2026, 7, 1))
    assert companies.fiscal_year(company, date(2026, 7, 1)) == (date(2026, 7, 1), date(2027, 7, 1))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"functional_currency": "EURO"}, "currency"),
        ({"fiscal_day": 29}, "fiscal_start"),
        ({"fiscal_month": 13}, "fiscal_start"),
        ({"code": " "}, "company_unnamed"),
    ],
)
def test_a_company_that_cannot_be_is_refused(changed: dict[str, object], code: str, admins: Admins) -> None:
    asked = {"code": "DE", "name": "Headrace GmbH", "functional_currency": "EUR", **changed}
    with pytest.raises(Refusal) as refused:
        companies.open_company(**asked, by=admins[0], at=NOW)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert not Company.objects.exists()


def test_only_an_administrator_opens_a_company(person_with: MakePerson) -> None:
    with pytest.raises(Refusal) as refused:
        companies.open_company(code="A", name="A", functional_currency="EUR", by=person_with(Role.CONTROLLER), at=NOW)
    assert refused.value.code == "not_permitted"


def test_a_message_goes_out_once_and_only_if_its_cause_stands(db: None) -> None:
    sent: list[tuple[str, object]] = []
    with transaction.atomic():
        outbox.write(kind="mail", key="refused", payload={}, at=NOW)
        transaction.set_rollback(True)
    for _ in range(2):
        outbox.write(kind="mail", key="memo-1", payload={"to": "a"}, at=NOW)
    outbox.write(kind="other", key="other-1", payload={}, at=NOW)
    handlers = {"mail": lambda key, payload: sent.append((key, payload))}
    assert outbox.deliver(handlers, at=NOW) == 1
    assert outbox.deliver(handlers, at=NOW + timedelta(days=1)) == 0
    assert sent == [("memo-1", {"to": "a"})]


def test_a_message_that_fails_waits_longer_each_time_and_is_given_up(db: None) -> None:
    tries: list[int] = []

    def away(key: str, payload: object) -> None:
        tries.append(1)
        raise ConnectionError("away")

    outbox.write(kind="mail", key="memo-1", payload={}, at=NOW)
    assert outbox.deliver({"mail": away}, at=NOW) == 0
    assert outbox.deliver({"mail": away}, at=NOW + timedelta(seconds=119)) == 0
    assert len(tries) == 1
    for day in range(1, 30):
        outbox.deliver({"mail": away}, at=NOW + timedelta(days=10 * day))
    message = OutboxMessage.objects.get()
    assert len(tries) == message.attempts == 12
    assert message.last_error == "ConnectionError: away"
    assert message.given_up_at is not None


def test_people_are_known_by_their_address_in_any_case(admins: Admins) -> None:
    member = people.invite(email="ADA@Example.com", name="", organisation="P9", by=admins[1], at=NOW)
    assert member.person == admins[0]
