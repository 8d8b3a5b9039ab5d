"""Levels: rules promote and demote, by a job, with notice; a person may refuse; not knowing demotes nobody."""

from datetime import datetime, timedelta

import pytest

from headrace.engine.rules import ColumnType
from headrace.foundation.jobs import Worker
from headrace.foundation.models import Person
from headrace.foundation.roles import Role
from headrace.masterdata import editing, fields, importing, store
from headrace.masterdata.editing import Edit
from headrace.masterdata.timeline import on
from headrace.partners import levels
from headrace.partners.levels import REFUSED_FOR, Definition, Reviewed
from headrace.partners.models import LevelProposal
from tests.server.conftest import NOW, TODAY, MakePerson
from tests.server.master import day, load
from tests.server.test_access import refusal

GOLD = Definition(level="gold", rank=2, reach="partner.sales >= 1000", keep="partner.sales >= 800", notice_days=30)
SILVER = Definition(level="silver", rank=1, reach="partner.sales >= 100", notice_days=0)
# Sales and level of each: up to gold, kept, below what gold keeps, nothing known, up from none, not in the ladder, lost all.
PARTNERS = """partner_id,name,level,sales
UP,A,silver,1000
KEPT,B,gold,800
DOWN,C,gold,799
UNKNOWN,D,gold,
NEW,E,,100
OTHER,F,honorary,5000
OUT,G,silver,99
"""


@pytest.fixture
def manager(person_with: MakePerson) -> Person:
    operator, manager = person_with(Role.CHANNEL_OPERATIONS), person_with(Role.PROGRAM_MANAGER)
    given = {"kind_name": "partner", "column_type": ColumnType.DECIMAL, "by": operator, "at": NOW}
    fields.declare_field(name="sales", **given)  # type: ignore[arg-type]
    load("partner", PARTNERS, operator)
    for definition in (GOLD, SILVER):
        levels.set_level(definition, from_on=day("2026-01-01"), by=manager, at=NOW)
    return manager


def now_at(code: str, at: datetime) -> str | None:
    return on(store.history("partner", codes={code})[code].get("level", ()), at.date())


def open_changes() -> list[tuple[str, str, str, int]]:
    rows = LevelProposal.objects.filter(state="proposed").order_by("partner")
    return [(row.partner, row.from_level, row.to_level, (row.effective_on - TODAY).days) for row in rows]


def test_what_the_rules_ask_for_is_proposed_and_what_has_no_notice_is_applied(manager: Person) -> None:
    assert levels.review(at=NOW) == Reviewed(proposed=4, applied=2, lapsed=0)
    # A demotion has the notice of the level that is lost, a promotion that of the level that is won.
    assert open_changes() == [("DOWN", "gold", "silver", 30), ("UP", "silver", "gold", 30)]
    assert (now_at("NEW", NOW), now_at("OUT", NOW)) == ("silver", None)
    assert (now_at("UNKNOWN", NOW), now_at("KEPT", NOW), now_at("OTHER", NOW)) == ("gold", "gold", "honorary")
    assert levels.review(at=NOW) == Reviewed(0, 0, 0)


def test_a_change_is_applied_from_its_day_on(manager: Person) -> None:
    levels.review(at=NOW)
    almost, due = NOW + timedelta(days=29), NOW + timedelta(days=30)
    assert levels.review(at=almost).applied == 0
    assert levels.review(at=due + timedelta(days=2)).applied == 2
    assert (now_at("UP", almost), now_at("UP", due)) == ("silver", "gold")
    assert (now_at("DOWN", almost), now_at("DOWN", due)) == ("gold", "silver")


def test_a_change_that_the_rules_ask_for_no_more_lapses(manager: Person, person_with: MakePerson) -> None:
    levels.review(at=NOW)
    operator = person_with(Role.CHANNEL_OPERATIONS, email="two@example.com")
    load("partner", "partner_id,sales\nUP,999\nDOWN,50\n", operator, at=NOW + timedelta(days=1))
    done = levels.review(at=NOW + timedelta(days=1))
    assert done == Reviewed(proposed=1, applied=0, lapsed=2)
    # Silver is not kept at 50 either, so that DOWN would now have no level.
    assert open_changes() == [("DOWN", "gold", "", 31)]


def test_a_refused_change_is_not_proposed_again_for_a_while(manager: Person) -> None:
    levels.review(at=NOW)
    proposal = LevelProposal.objects.get(partner="DOWN", state="proposed").pk
    assert refusal(levels.refuse, proposal=proposal, reason=" ", by=manager, at=NOW) == "reason_missing"
    levels.refuse(proposal=proposal, reason="a large order is under way", by=manager, at=NOW)
    assert refusal(levels.refuse, proposal=proposal, reason="x", by=manager, at=NOW) == "already_decided"
    later = NOW + REFUSED_FOR
    assert levels.review(at=later - timedelta(days=1)) == Reviewed(0, 1, 0)
    assert now_at("DOWN", later) == "gold"
    assert levels.review(at=later) == Reviewed(1, 0, 0)


def test_rules_leave_levels_alone_that_another_system_keeps(manager: Person, person_with: MakePerson) -> None:
    operator = person_with(Role.CHANNEL_OPERATIONS, email="two@example.com")
    fields.set_system_of_record(kind_name="partner", field="level", source="crm", by=operator, at=NOW)
    assert levels.review(at=NOW) == Reviewed(0, 0, 0)
    fields.set_system_of_record(kind_name="partner", field="level", source=levels.SOURCE, by=operator, at=NOW)
    assert levels.review(at=NOW).proposed == 4


def test_a_level_is_defined_by_who_writes_terms_and_with_a_rank_of_its_own(
    manager: Person, person_with: MakePerson
) -> None:
    operator = person_with(Role.CHANNEL_OPERATIONS, email="two@example.com")
    given = {"from_on": TODAY, "at": NOW}
    assert refusal(levels.set_level, definition=GOLD, by=operator, **given) == "not_permitted"
    twice = Definition(level="iron", rank=2, reach="partner.sales > 1")
    before = store.last_revision()
    assert refusal(levels.set_level, definition=twice, by=manager, **given) == "level_rank"
    wrong = Definition(level="iron", rank=0, reach="partner.turnover > 1")
    assert refusal(levels.set_level, definition=wrong, by=manager, **given) == "rule"
    assert store.last_revision() == before
    assert [level.name for level in levels.ladder(TODAY)] == ["gold", "silver"]


def test_there_is_no_way_around_who_writes_rules(manager: Person, person_with: MakePerson) -> None:
    operator = person_with(Role.CHANNEL_OPERATIONS, email="two@example.com")
    before = store.last_revision()
    for kind in ("level", "segment"):
        assert kind not in dict(importing.importable())
        edit = Edit(kind=kind, code="gold", values={}, from_on=TODAY)
        assert refusal(editing.say, edit=edit, by=operator, at=NOW) == "not_permitted"
        ended = {"kind_name": kind, "code": "gold", "on_day": TODAY}
        assert refusal(editing.end, **ended, by=operator, at=NOW) == "not_permitted"
    wrong = Edit(kind="level", code="gold", values={"reach": "partner.turnover > 1"}, from_on=TODAY)
    assert refusal(editing.say, edit=wrong, by=manager, at=NOW) == "bad_value"
    assert store.last_revision() == before


def test_the_review_is_a_scheduled_job(manager: Person) -> None:
    worker = Worker("one", clock=lambda: NOW)
    while worker.step():
        pass
    assert LevelProposal.objects.count() == 4
