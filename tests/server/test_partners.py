"""Partners: who belongs to whom on a day, accounts, segments, and that nobody sees another's organisation."""

import pytest

from headrace.engine.findings import Refusal
from headrace.foundation import companies
from headrace.foundation.models import Person
from headrace.foundation.roles import Role
from headrace.masterdata import fields, store
from headrace.masterdata.kinds import kind
from headrace.partners import seeing, segments, structure
from tests.server.conftest import NOW, TODAY, Admins, MakePerson
from tests.server.master import codes, day, load
from tests.server.test_access import refusal

# P1 above P2 above P3 until July; then P3 goes to P4. P5 is in the group by itself, P3 has a group of its own from October.
HIERARCHY = """partner_id,name,type,level,region,parent_id,group_id,certified,valid_from,valid_until
P1,Ortega Holding,distributor,gold,EMEA,,G1,true,,
P2,Ortega Sur,reseller,silver,EMEA,P1,,true,,
P3,Ortega Este,reseller,,EMEA,P2,,,,2026-07-01
P3,Ortega Este,reseller,,EMEA,P4,,,2026-07-01,2026-10-01
P3,Ortega Este,reseller,,EMEA,P4,G2,,2026-10-01,
P4,Lund,dealer,gold,APAC,,,false,,
P5,Vega,agent,bronze,EMEA,,G1,false,,
"""
JUNE, AUGUST, NOVEMBER = day("2026-06-30"), day("2026-08-01"), day("2026-11-01")


@pytest.fixture
def operator(person_with: MakePerson) -> Person:
    operator = person_with(Role.CHANNEL_OPERATIONS)
    _, findings = load("partner", HIERARCHY, operator)
    assert findings == ()
    return operator


def entry_id(code: str, viewer: Person) -> object:
    return next(row.id for row in seeing.partners(viewer=viewer, at=NOW) if row.code == code)


def test_who_is_above_and_below_depends_on_the_day(operator: Person) -> None:
    assert structure.above("P3", JUNE) == ("P2", "P1")
    assert structure.above("P3", AUGUST) == ("P4",)
    assert structure.below("P1", JUNE) == {"P2", "P3"}
    assert structure.below("P1", AUGUST) == {"P2"}
    assert structure.children("P4", AUGUST) == {"P3"}


def test_a_group_rolls_up_what_is_below_its_members(operator: Person) -> None:
    assert structure.members("G1", JUNE) == {"P1", "P2", "P3", "P5"}
    assert structure.members("G1", AUGUST) == {"P1", "P2", "P5"}
    assert structure.members("G2", AUGUST) == frozenset()
    assert structure.members("G2", NOVEMBER) == {"P3"}


def test_structure_is_given_as_it_was_known(operator: Person) -> None:
    before = store.last_revision()
    load("partner", "partner_id,parent_id,valid_from\nP2,P4,2020-01-01\n", operator)
    assert structure.above("P2", JUNE) == ("P4",)
    assert structure.above("P2", JUNE, revision=before) == ("P1",)


def test_a_circle_over_the_days_of_others_is_refused(operator: Person) -> None:
    # P3 is below P1 until July only: P1 below P3 makes a circle in June, and none in August.
    _, findings = load("partner", "partner_id,parent_id,valid_from\nP1,P3,2026-06-01\n", operator)
    assert codes(findings) == [("circle_of_parents", 2, "parent_id")]
    assert "P1 is below P3 is below P2 is below P1" in findings[0].message
    _, findings = load("partner", "partner_id,parent_id,valid_from\nP1,P3,2026-07-01\n", operator)
    assert findings == ()
    assert structure.above("P1", AUGUST) == ("P3", "P4")


def test_an_account_ties_a_partner_to_a_company(operator: Person, admins: Admins) -> None:
    companies.open_company(code="US", name="Inc", functional_currency="USD", by=admins[0], at=NOW)
    content = (
        "partner_id,company,customer_number,currency,payment_terms,tax_status\n"
        "P1,US,10017,USD,net 30,exempt\nP1,DE,20001,EUR,net 30,\nP9,US,3,USD,,\nP2,US,4,dollars,,\nP4,US,5,,,\n"
    )
    _, findings = load("account", content, operator)
    assert codes(findings) == [
        ("unknown_reference", 3, "company"),
        ("unknown_reference", 4, "partner_id"),
        ("bad_value", 5, "currency"),
        ("missing_value", 6, "currency"),
    ]
    detail = seeing.partner(partner=entry_id("P1", operator), viewer=operator, at=NOW)  # type: ignore[arg-type]
    assert [(kind("account").parts(a.code), a.value("currency", TODAY)) for a in detail.accounts] == [
        (("P1", "US"), "USD")
    ]


def test_a_partner_sees_itself_and_no_other_exists(operator: Person, person_with: MakePerson) -> None:
    partner = person_with(Role.PARTNER_USER)
    fields.set_system_of_record(kind_name="partner", field="level", source="crm", by=operator, at=NOW)
    load("alias", "kind,source,name,stands_for\npartner,crm,0017,P1\n", operator)
    assert [row.code for row in seeing.partners(viewer=partner, at=NOW)] == ["P1"]
    own, other = entry_id("P1", operator), entry_id("P2", operator)
    detail = seeing.partner(partner=own, viewer=partner, at=NOW)  # type: ignore[arg-type]
    assert (detail.name, detail.below, detail.same_group, detail.aliases, detail.said) == (
        "Ortega Holding", (), (), (), (),
    )  # fmt: skip
    assert refusal(seeing.partner, partner=other, viewer=partner, at=NOW) == "partner_unknown"
    assert refusal(segments.segments, viewer=partner, at=NOW) == "not_permitted"
    assert [row.code for row in seeing.partners(viewer=partner, at=NOW, text="Lund")] == []


def test_whoever_has_no_role_sees_nothing(operator: Person, person_with: MakePerson, admins: Admins) -> None:
    for nobody in (person_with(email="cleo@example.com"), admins[0]):
        assert refusal(seeing.partners, viewer=nobody, at=NOW) == "not_permitted"


def test_an_internal_field_is_not_for_the_partner(operator: Person, person_with: MakePerson) -> None:
    from headrace.engine.rules import ColumnType

    given = {"kind_name": "partner", "column_type": ColumnType.TEXT, "by": operator, "at": NOW}
    fields.declare_field(name="risk", internal=True, **given)  # type: ignore[arg-type]
    fields.declare_field(name="slogan", internal=False, **given)  # type: ignore[arg-type]
    load("partner", "partner_id,risk,slogan\nP1,high,More\n", operator)
    own = entry_id("P1", operator)
    seen = {
        who: {known.name: known.now for known in seeing.partner(partner=own, viewer=who, at=NOW).known}  # type: ignore[arg-type]
        for who in (operator, person_with(Role.PARTNER_USER))
    }
    assert [("risk" in known, known["slogan"]) for known in seen.values()] == [(True, "More"), (False, "More")]


def test_a_list_is_found_by_any_name_and_by_page(operator: Person) -> None:
    assert [row.code for row in seeing.partners(viewer=operator, at=NOW, text="ortega")] == ["P1", "P2", "P3"]
    assert [row.code for row in seeing.partners(viewer=operator, at=NOW, after="P3")] == ["P4", "P5"]


def test_a_segment_is_previewed_with_those_of_whom_too_little_is_known(operator: Person) -> None:
    # P3 has no level and P3's certification is not known; unknown is not in, and is shown.
    seen = segments.preview(rule="partner.region = 'EMEA' and partner.certified", viewer=operator, at=NOW, day=JUNE)
    assert seen.members == (("P1", "Ortega Holding"), ("P2", "Ortega Sur"))
    assert seen.unknown == (("P3", "Ortega Este"),)
    assert seen.others == 2
    with pytest.raises(Refusal) as refused:
        segments.preview(rule="partner.regon = 'EMEA'", viewer=operator, at=NOW)
    assert refused.value.code == "rule"
    assert "partner.region" in refused.value.message


def test_a_segment_is_dated_and_follows_the_facts(operator: Person, person_with: MakePerson) -> None:
    manager = person_with(Role.PROGRAM_MANAGER)
    gold = {"segment": "top", "name": "Top", "rule": "partner.level = 'gold'"}
    segments.define(**gold, from_on=day("2026-01-01"), by=manager, at=NOW)
    before = store.last_revision()
    wider = {**gold, "rule": "partner.level in ('gold', 'silver')"}
    segments.define(**wider, from_on=day("2026-07-01"), by=manager, at=NOW)
    load("partner", "partner_id,level,valid_from\nP5,gold,2026-08-01\n", operator)
    assert segments.members("top", JUNE) == {"P1", "P4"}
    assert segments.members("top", AUGUST) == {"P1", "P2", "P4", "P5"}
    assert segments.members("top", AUGUST, revision=before) == {"P1", "P4"}
    assert refusal(segments.members, segment="top", day=day("2025-12-31")) == "segment_unknown"
    assert refusal(segments.define, **gold, from_on=TODAY, by=operator, at=NOW) == "not_permitted"
    assert [each.code for each in segments.segments(viewer=operator, at=NOW)] == ["top"]
