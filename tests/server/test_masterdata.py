"""Entries and facts: dated twice, never changed, owned by their system of record; files upserted with findings row by row."""

from datetime import timedelta
from io import BytesIO

import pytest
import xlsxwriter
from django.db import DatabaseError, connection, transaction

from headrace.engine.findings import Refusal
from headrace.engine.rules import ColumnType
from headrace.foundation import audit
from headrace.foundation.jobs import Worker
from headrace.foundation.models import AuditEntry, Person
from headrace.foundation.roles import Role
from headrace.masterdata import aliases, editing, erasing, fields, importing, store
from headrace.masterdata.editing import Edit
from headrace.masterdata.importing import Upload
from headrace.masterdata.models import Fact, ImportRun, Revision
from headrace.masterdata.timeline import Span, on
from tests.server.conftest import NOW, TODAY, MakePerson
from tests.server.master import codes, day, load
from tests.server.test_access import refusal

PARTNERS = "partner_id,name,type,level,region\nP1,Ortega,reseller,silver,EMEA\nP2,Lund,dealer,,APAC\n"


@pytest.fixture
def operator(person_with: MakePerson) -> Person:
    return person_with(Role.CHANNEL_OPERATIONS)


def held(code: str, field: str, *, revision: int | None = None, kind: str = "partner") -> tuple[Span, ...]:
    return store.history(kind, codes={code}, revision=revision).get(code, {}).get(field, ())


def test_a_file_opens_entries_since_ever(operator: Person) -> None:
    run, findings = load("partner", PARTNERS, operator)
    assert (run.state, run.received, run.loaded, findings) == ("loaded", 2, 2, ())
    assert held("P1", "level") == (Span(None, None, "silver"),)
    assert held("P2", "level") == ()


def test_the_same_file_again_changes_nothing(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    before = store.last_revision()
    run, _ = load("partner", PARTNERS, operator, at=NOW + timedelta(days=40))
    assert (run.facts, run.revision, store.last_revision()) == (0, None, before)


def test_a_row_without_days_counts_from_the_import_for_an_entry_that_is_known(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    later = NOW + timedelta(days=30)
    run, _ = load("partner", "partner_id,level\nP1,gold\n", operator, at=later)
    assert run.facts == 1
    assert held("P1", "level") == (Span(None, later.date(), "silver"), Span(later.date(), None, "gold"))
    assert held("P1", "region") == (Span(None, None, "EMEA"),)


def test_rows_with_days_say_just_those_days(operator: Person) -> None:
    content = (
        "partner_id,name,level,Valid from,valid_until\n"
        "P1,Ortega,silver,,2026-01-01\nP1,Ortega,gold,2026-01-01,\nP3,Vega,gold,2026-02-01,\n"
    )
    load("partner", content, operator)
    assert held("P1", "level") == (Span(None, day("2026-01-01"), "silver"), Span(day("2026-01-01"), None, "gold"))
    assert held("P1", "name") == (Span(None, None, "Ortega"),)
    assert held("P3", "exists") == (Span(day("2026-02-01"), None, "true"),)


def test_what_was_known_before_stays_known_as_it_was(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    first = store.last_revision()
    edit = Edit(kind="partner", code="P1", values={"level": "gold"}, from_on=day("2025-01-01"))
    editing.say(edit, by=operator, at=NOW + timedelta(hours=1))
    assert held("P1", "level", revision=first) == (Span(None, None, "silver"),)
    assert on(held("P1", "level"), day("2025-06-01")) == "gold"
    assert on(held("P1", "level"), day("2024-06-01")) == "silver"
    assert store.revision_known(NOW) == first
    assert store.revision_known(NOW + timedelta(hours=2)) == first + 1


def test_an_earlier_clock_never_makes_an_earlier_revision(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    edit = Edit(kind="partner", code="P1", values={"level": "gold"}, from_on=None)
    editing.say(edit, by=operator, at=NOW - timedelta(minutes=5))
    assert list(Revision.objects.order_by("seq").values_list("at", flat=True)) == [NOW, NOW]


def test_a_blank_cell_says_none_and_a_missing_column_says_nothing(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    load("partner", "partner_id,level,valid_from\nP1,,2026-03-01\n", operator)
    assert held("P1", "level") == (Span(None, day("2026-03-01"), "silver"),)
    assert held("P1", "name") == (Span(None, None, "Ortega"),)


FAULTY = """partner_id,name,type,country,parent_id,certified,colour,valid_from,valid_until
P1,Ortega,reseller,ES,,yes,red,,
P2,Lund,shop,SE,,yes,red,,
P3,Vega,reseller,ES,P9,no,red,,
P4,Nuno,reseller,ES,P3,no,red,,
P5,,reseller,ES,,no,red,,
P6,Rossi,reseller,Italy,,no,red,,
,Nobody,reseller,ES,,no,red,,
P7,Berg,reseller,SE,,maybe,red,,
P8,Holm,reseller,SE,,no,red,2026-02-01,2026-02-01
P1,Ortega,reseller,ES,,yes,red,2026-01-01,
PA,Adler,reseller,DE,PB,no,red,,
PB,Bauer,reseller,DE,PA,no,red,,
PC,Claus,reseller,DE,PB,no,red,,
"""


def test_each_fault_is_a_finding_with_its_row_and_the_rest_is_taken(operator: Person) -> None:
    run, findings = load("partner", FAULTY, operator)
    assert codes(findings) == [
        ("unknown_column", None, "colour"),
        ("bad_value", 3, "type"),
        ("unknown_reference", 4, "parent_id"),
        ("unknown_reference", 5, "parent_id"),
        ("missing_value", 6, "name"),
        ("bad_value", 7, "country"),
        ("missing_value", 8, "partner_id"),
        ("bad_value", 9, "certified"),
        ("empty_interval", 10, "valid_until"),
        ("rows_overlap", 11, None),
        ("circle_of_parents", 12, "parent_id"),
        ("circle_of_parents", 13, "parent_id"),
        ("unknown_reference", 14, "parent_id"),
    ]
    assert (run.received, run.loaded, run.state) == (13, 1, "loaded")
    assert sorted(store.history("partner")) == ["P1"]


def test_all_or_none_takes_nothing_where_there_is_a_fault(operator: Person) -> None:
    run, findings = load("partner", FAULTY, operator, all_or_none=True)
    assert (run.state, run.loaded, run.facts, store.last_revision()) == ("stopped", 0, 0, 0)
    assert len(findings) == 13
    run, _ = load("partner", PARTNERS, operator, all_or_none=True)
    assert (run.state, run.loaded) == ("loaded", 2)


def test_a_file_without_its_key_or_without_sense_is_stopped(operator: Person) -> None:
    run, findings = load("partner", "name,level\nOrtega,gold\n", operator)
    assert (run.state, codes(findings)) == ("stopped", [("missing_column", None, "partner_id")])
    run, findings = load("partner", 'partner_id,name\nP1,"never closed\n', operator)
    assert (run.state, run.loaded) == ("stopped", 0)
    assert findings


def test_what_is_too_long_is_a_finding(operator: Person) -> None:
    long, longer = "x" * 301, "y" * 20_001
    content = f"partner_id,name,group_id,region\n{long},A,,\nP1,B,{long},\nP2,C,,{longer}\nP3,{long},{long[1:]},\n"
    run, findings = load("partner", content, operator)
    assert codes(findings) == [
        ("bad_value", 2, "partner_id"),
        ("bad_value", 3, "group_id"),
        ("bad_value", 4, "region"),
    ]
    assert run.loaded == 1
    half = "z" * 200
    _, findings = load("account", f"partner_id,company,currency\n{half},{half},EUR\n", operator)
    assert codes(findings) == [("bad_value", 2, "partner_id")]
    aliases_file = f"kind,source,name,stands_for\npartner,crm,N,{long}\npartner,{half},{half},P3\n"
    _, findings = load("alias", aliases_file, operator)
    assert codes(findings) == [("bad_value", 2, "stands_for"), ("bad_value", 3, "kind")]


def test_a_workbook_is_read_like_text(operator: Person) -> None:
    target = BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([("partner_id", "name", "certified"), ("P1", "Ortega", "true")]):
            sheet.write_row(row, 0, cells)
    run, _ = load("partner", target.getvalue(), operator)
    assert run.loaded == 1
    assert held("P1", "certified") == (Span(None, None, "true"),)


def test_a_field_of_another_system_is_kept_from_files_and_from_hands(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    fields.set_system_of_record(kind_name="partner", field="level", source="crm", by=operator, at=NOW)
    content = "partner_id,level,region,valid_from\nP1,gold,LATAM,2026-01-01\nP2,,EMEA,2026-01-01\n"
    _, findings = load("partner", content, operator, source="erp")
    assert [(f.code, f.severity, f.row, f.column) for f in findings] == [("owned_elsewhere", "warning", 2, "level")]
    assert "'gold' was left out, and 'silver' stays. Change it in crm." in findings[0].message
    assert on(held("P1", "region"), TODAY) == "LATAM"
    assert on(held("P1", "level"), TODAY) == "silver"
    edit = Edit(kind="partner", code="P1", values={"level": "gold"}, from_on=TODAY)
    assert refusal(editing.say, edit=edit, by=operator, at=NOW) == "owned_elsewhere"
    _, findings = load("partner", content, operator, source="crm")
    assert findings == ()
    assert on(held("P1", "level"), TODAY) == "gold"


def test_an_edit_is_refused_as_a_file_would_be_and_changes_nothing(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    before = (store.last_revision(), audit.head())
    for values, code in (
        ({"type": "shop"}, "bad_value"),
        ({"parent_id": "P9"}, "unknown_reference"),
        ({"parent_id": "P1"}, "circle_of_parents"),
        ({"colour": "red"}, "field_unknown"),
    ):
        edit = Edit(kind="partner", code="P1", values=values, from_on=TODAY)
        assert refusal(editing.say, edit=edit, by=operator, at=NOW) == code
    unknown = Edit(kind="partner", code="P9", values={"level": "gold"}, from_on=TODAY)
    assert refusal(editing.say, edit=unknown, by=operator, at=NOW) == "entry_unknown"
    assert (store.last_revision(), audit.head()) == before


def test_only_those_who_may_load_and_repair(person_with: MakePerson, operator: Person) -> None:
    load("partner", PARTNERS, operator)
    manager = person_with(Role.PROGRAM_MANAGER)
    edit = Edit(kind="partner", code="P1", values={"level": "gold"}, from_on=TODAY)
    assert refusal(editing.say, edit=edit, by=manager, at=NOW) == "not_permitted"
    upload = Upload(what="partner", source="erp", name="a.csv", content=PARTNERS.encode(), from_on=TODAY)
    assert refusal(importing.request_import, upload=upload, by=manager, at=NOW) == "not_permitted"
    assert refusal(fields.declare_field, kind_name="partner", name="x", column_type=ColumnType.TEXT, by=manager, at=NOW)
    assert ImportRun.objects.count() == 1


def test_every_change_is_in_the_trail_with_what_held_before(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    edit = Edit(kind="partner", code="P1", values={"level": "gold"}, from_on=day("2026-01-01"))
    editing.say(edit, by=operator, at=NOW)
    entry = AuditEntry.objects.get(link__act="edit_entry", record="masterdata.partner")
    assert entry.field == "level"
    assert (entry.before, entry.after) == ('[["2026-01-01",null,"silver"]]', '[["2026-01-01",null,"gold"]]')
    assert audit.verify().findings == ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE masterdata_fact SET value = 'gold'",
        "UPDATE masterdata_fact SET from_on = '2020-01-01'",
        "UPDATE masterdata_fact SET value = NULL, field = 'x'",
        "DELETE FROM masterdata_fact",
        "UPDATE masterdata_entry SET code = 'P9'",
        "DELETE FROM masterdata_revision",
    ],
)
def test_the_database_refuses_to_change_what_was_said(statement: str, operator: Person) -> None:
    load("partner", PARTNERS, operator)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert held("P1", "level") == (Span(None, None, "silver"),)


def test_a_source_is_understood_in_its_own_names(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    names = "kind,source,name,stands_for\npartner,crm,0017,P1\npartner,crm,0018,P9\n"
    _, findings = load("alias", names + "shop,crm,1,P1\n", operator, source="crm")
    assert codes(findings) == [("unknown_reference", 3, "stands_for"), ("unknown_reference", 4, "kind")]
    run, _ = load("partner", "partner_id,region,parent_id\n0017,NA,\nP2,APAC,0017\n", operator, source="crm")
    assert run.loaded == 2
    assert on(held("P1", "region"), TODAY) == "NA"
    assert on(held("P2", "parent_id"), TODAY) == "P1"
    assert sorted(store.history("partner")) == ["P1", "P2"]
    aliases.remember(kind="partner", source="crm", name="Lund AB", code="P2", by=operator, at=NOW)
    assert aliases.codes_for("partner", "crm", {"Lund AB", "0017", "other"}) == {"Lund AB": "P2", "0017": "P1"}
    assert aliases.codes_for("partner", "erp", {"Lund AB"}) == {}
    assert aliases.aliases_of("partner", "P2", NOW) == (("crm", "Lund AB"),)
    wrong = {"kind": "partner", "source": "crm", "name": "X", "code": "P7"}
    assert refusal(aliases.remember, **wrong, by=operator, at=NOW) == "unknown_reference"


def test_declared_fields_are_typed(operator: Person) -> None:
    given = {"kind_name": "partner", "by": operator, "at": NOW}
    fields.declare_field(name="specialised_security", column_type=ColumnType.BOOLEAN, **given)  # type: ignore[arg-type]
    fields.declare_field(name="sales_last_year", column_type=ColumnType.DECIMAL, **given)  # type: ignore[arg-type]
    for name in ("level", "partner_id", "valid_from", "exists", "Sales", "sales_last_year"):
        assert refusal(fields.declare_field, name=name, column_type=ColumnType.TEXT, **given)
    content = 'partner_id,name,specialised security,sales_last_year\nP1,Ortega,Yes,1500.50\nP2,Lund,no,"1,500"\n'
    _run, findings = load("partner", content, operator)
    assert codes(findings) == [("bad_value", 3, "sales_last_year")]
    assert held("P1", "sales_last_year") == (Span(None, None, "1500.5"),)
    assert held("P1", "specialised_security") == (Span(None, None, "true"),)


def test_an_ended_entry_is_not_there_and_can_be_there_again(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    editing.end(kind_name="partner", code="P1", on_day=day("2026-05-01"), by=operator, at=NOW)
    assert held("P1", "exists") == (Span(None, day("2026-05-01"), "true"),)
    again = {"kind_name": "partner", "code": "P1", "on_day": day("2026-06-01")}
    assert refusal(editing.end, **again, by=operator, at=NOW) == "entry_unknown"
    edit = Edit(kind="partner", code="P1", values={}, from_on=day("2026-09-01"), opens=True)
    editing.say(edit, by=operator, at=NOW)
    assert held("P1", "exists")[1] == Span(day("2026-09-01"), None, "true")


def test_personal_values_are_erased_for_good(operator: Person) -> None:
    load("partner", PARTNERS, operator)
    load("contact", "contact_id,partner_id,name,email,function\nC1,P1,Inés Vidal,ines@vidal.example,sales\n", operator)
    assert erasing.erase(kind_name="contact", code="C1", by=operator, at=NOW) == 2
    left = str(list(Fact.objects.values_list("value"))) + str(list(AuditEntry.objects.values_list("before", "after")))
    assert "Vidal" not in left
    assert "vidal" not in left
    assert held("C1", "function", kind="contact") == (Span(None, None, "sales"),)
    assert held("C1", "email", kind="contact") == ()
    assert audit.verify().findings == ()


def test_the_job_brings_a_file_in_once(operator: Person) -> None:
    upload = Upload(what="partner", source="erp", name="a.csv", content=PARTNERS.encode(), from_on=TODAY)
    run = importing.request_import(upload, by=operator, at=NOW)
    worker = Worker("one")
    while worker.step():
        pass
    shown, _ = importing.run_with_findings(run=run, viewer=operator, at=NOW)
    assert (shown.state, shown.loaded) == ("loaded", 2)
    importing.run_import(run=run, at=NOW)
    assert store.last_revision() == 1


def test_a_file_of_another_sort_is_refused_before_it_is_kept(operator: Person) -> None:
    for what, source, name, data, code in (
        ("nothing", "erp", "a.csv", b"a", "kind_unknown"),
        ("partner", "hand", "a.csv", b"a", "source_name"),
        ("partner", "E R P", "a.csv", b"a", "source_name"),
        ("partner", "erp", "a.pdf", b"%PDF-1", "file_kind"),
    ):
        upload = Upload(what=what, source=source, name=name, content=data, from_on=TODAY)
        with pytest.raises(Refusal) as refused:
            importing.request_import(upload, by=operator, at=NOW)
        assert refused.value.code == code
    assert not ImportRun.objects.exists()
