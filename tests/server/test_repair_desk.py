"""The repair desk: whatever is done with a row, all rows and all money of the file are somewhere, and nothing loads twice."""

import hashlib
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings

from headrace.engine.findings import Refusal
from headrace.foundation import audit, files
from headrace.foundation.models import AuditEntry, AuditLink, Person
from headrace.masterdata import aliases
from headrace.programs import balances
from headrace.sales import desk, repairing, rules
from headrace.sales.models import Batch, Delivery, DeskRow
from headrace.workflow import requests
from headrace.workflow.models import Request
from tests.server.channel import Team, team, work
from tests.server.conftest import Admins
from tests.server.master import load
from tests.server.shop import FAULTY, HEAD, loader_too, opened, row_of, shop_file
from tests.server.test_routes import with_second_factor


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people, a program in force, and a shop whose partners and products are known."""
    made = team(admins)
    opened(made)
    return made


@pytest.fixture
def second(channel: Team, admins: Admins) -> Person:
    """Give a second person who repairs."""
    return loader_too(channel, admins)


def parts(channel: Team, delivery: Delivery) -> dict[str, tuple[int, Decimal | int]]:
    """Give rows and dollars of each part that is not empty, and prove that they add up to what was received."""
    account = desk.account(delivery.pk, channel.loader, at=timezone.now())
    assert account.adds_up
    told = {"received": account.received, **account.parts}
    return {name: (part.rows, sum(part.amounts.values(), Decimal(0))) for name, part in told.items() if part.rows}


def earned(channel: Team) -> dict[str, Decimal]:
    found = balances.seen(channel.controller, at=timezone.now())
    return {each.key.payee_id: each.earned for each in found.standings}


def state_of(delivery: Delivery, number: int) -> str:
    return str(DeskRow.objects.get(delivery=delivery, row=number).state)


def refused(what: object, **asked: object) -> str:
    with pytest.raises(Refusal) as told:
        what(**asked, at=timezone.now())  # type: ignore[operator]
    return told.value.code


def test_every_row_that_did_not_load_is_at_the_desk_with_its_faults(channel: Team) -> None:
    delivery = shop_file(channel)
    assert parts(channel, delivery) == {
        "received": (8, 1550),
        "loaded": (1, 600),
        "rejected": (6, 350),
        "held": (1, 600),
    }
    shown = desk.rows(delivery.pk, channel.loader, at=timezone.now())
    assert [(each.number, each.outcome, [code for code, _ in each.faults]) for each in shown] == [
        (3, "rejected", ["unknown_partner"]),
        (4, "rejected", ["unknown_partner"]),
        (5, "rejected", ["no_such_date"]),
        (6, "held", ["suspected_duplicate"]),
        (7, "rejected", ["unknown_product"]),
        (8, "rejected", ["ragged_row"]),
        (9, "rejected", ["bad_number"]),
    ]
    assert shown[2].cells[2] == ("day", "2026-13-45", "2026-13-45")
    (waits,) = desk.waiting(channel.loader, at=timezone.now())
    assert (waits.name, waits.counts) == ("shop.csv", {"waiting": 7})


def test_a_name_that_is_mapped_takes_all_its_rows_along_and_the_next_file_loads_clean(channel: Team) -> None:
    delivery = shop_file(channel)
    names = desk.unknown_names(channel.loader, at=timezone.now())
    assert [(each.kind, each.source, each.name, each.rows) for each in names] == [
        ("partner", "shop", "Acme Incorp.", 2),
        ("product", "shop", "K9", 1),
    ]
    # “Acme Incorp.” is nearest to “Acme Inc”, the name of A.
    assert [(each.code, each.name) for each in names[0].suggestions[:1]] == [("A", "Acme Inc")]
    done = repairing.map_name(
        kind="partner", source="shop", name="Acme Incorp.", code="A", by=channel.loader, at=timezone.now()
    )
    assert (done.sent, done.asked, done.left) == (2, 0, 0)
    assert parts(channel, delivery)["rejected"] == (6, 350), "rows on their way are where they were"
    work()
    assert parts(channel, delivery) == {
        "received": (8, 1550), "loaded": (1, 600), "rejected": (4, 200), "held": (1, 600), "repaired": (2, 150),
    }  # fmt: skip
    assert earned(channel) == {"A": 75}  # 750 × 10 %
    (repair,) = delivery.repaired_by.all()
    assert (repair.name, repair.state, repair.batch_seq) == ("shop.csv repaired 1.csv", "loaded", 2)
    assert Batch.objects.get(pk=2).source == repair.name
    assert aliases.of_source("shop") == {"partner": {"Acme Incorp.": "A"}}

    clean = shop_file(channel, HEAD + "R9,1,2026-02-01,Acme Incorp.,K1,1,10\n", "next.csv")
    assert (clean.state, clean.columns) == ("loaded", [])
    assert list(clean.findings.values_list("code", "severity")) == [("name_resolved", "info")]
    assert earned(channel) == {"A": 76}


def test_rows_are_corrected_released_ignored_and_sent_again(channel: Team) -> None:
    delivery = shop_file(channel)
    at, by = timezone.now(), channel.loader
    raw = files.path_of(delivery.file).read_bytes()
    assert repairing.correct(row=row_of(delivery, 5), values={"day": "2026-02-28"}, by=by, at=at) == "ready"
    assert repairing.release(row=row_of(delivery, 6), reason="Two were sold", by=by, at=at) == "ready"
    repairing.ignore(row=row_of(delivery, 7), reason="A test row of theirs", by=by, at=at)
    cut_short = {"item": "K1", "qty": "1", "amount": "30"}
    assert repairing.correct(row=row_of(delivery, 8), values=cut_short, by=by, at=at) == "ready"
    assert repairing.correct(row=row_of(delivery, 9), values={"qty": "y"}, by=by, at=at) == "waiting"
    assert repairing.correct(row=row_of(delivery, 9), values={"qty": "1"}, by=by, at=at) == "ready"
    repairing.send_again(delivery=delivery.pk, by=by, at=at)
    assert refused(repairing.send_again, delivery=delivery.pk, by=by) == "nothing_ready"
    work()
    # Repaired: 70 + 600 + nothing readable + 90 as they came; the row that was cut short loaded with 30.
    assert parts(channel, delivery) == {
        "received": (8, 1550), "loaded": (1, 600), "rejected": (2, 150), "ignored": (1, 40), "repaired": (4, 760),
    }  # fmt: skip
    # A: 1,200 earn 100 + 200 × 20 %; B: 70 + 30 + 90 = 190 earn 10 %.
    assert earned(channel) == {"A": 140, "B": 19}
    assert files.path_of(delivery.file).read_bytes() == raw == FAULTY.encode()
    told = {"row": str(row_of(delivery, 7))}
    changed = AuditEntry.objects.filter(record="sales.deskrow", record_id=told["row"])
    assert {(each.field, each.after) for each in changed} >= {
        ("state", '"ignored"'),
        ("reason", '"A test row of theirs"'),
    }
    assert set(AuditLink.objects.values_list("act", flat=True)) >= {
        "correct_row",
        "release_row",
        "ignore_row",
        "send_again",
    }
    assert audit.verify().findings == ()


def test_a_row_that_is_there_already_is_confirmed_or_stays_out(channel: Team) -> None:
    delivery = shop_file(channel)
    at, by = timezone.now(), channel.loader
    assert refused(repairing.confirm, row=row_of(delivery, 5), by=by) == "not_suspected"
    repairing.confirm(row=row_of(delivery, 6), by=by, at=at)
    assert parts(channel, delivery)["ignored"] == (1, 600)
    assert refused(repairing.ignore, row=row_of(delivery, 6), reason="again", by=by) == "row_closed"
    # The sender repairs row 9 as well, and is quicker.
    assert repairing.correct(row=row_of(delivery, 9), values={"qty": "1"}, by=by, at=at) == "ready"
    shop_file(channel, HEAD + "R8,1,2026-01-10,B,K1,1,90\n", "sent anew.csv")
    repairing.send_again(delivery=delivery.pk, by=by, at=at)
    work()
    shown = desk.one_row(row_of(delivery, 9), by, at=at)
    assert (shown.state, [code for code, _ in shown.faults]) == ("waiting", ["already_there"])
    repairing.confirm(row=row_of(delivery, 9), by=by, at=at)
    assert parts(channel, delivery)["ignored"] == (2, 690)
    assert earned(channel) == {"A": 60, "B": 9}


def test_a_large_correction_takes_a_second_person(channel: Team, second: Person) -> None:
    delivery = shop_file(channel)
    at, row = timezone.now(), row_of(delivery, 9)
    # From 90 to 1,090 is 1,000, which one person may; a cent more is not.
    assert repairing.correct(row=row, values={"qty": "1", "amount": "1090"}, by=channel.loader, at=at) == "ready"
    assert repairing.correct(row=row, values={"amount": "1090.01"}, by=channel.loader, at=at) == "asked"
    assert refused(repairing.ignore, row=row, reason="x", by=second) == "row_closed"
    asked = Request.objects.get(kind="repair_row")
    assert asked.facts == {"file": "shop.csv", "row": 9, "qty": "x → 1", "amount": "90 → 1090.01"}
    assert refused(repairing.send_again, delivery=delivery.pk, by=channel.loader) == "nothing_ready"
    assert refused(requests.approve, request=asked.pk, by=channel.loader) == "second_person"
    assert refused(requests.approve, request=asked.pk, by=channel.controller) == "not_permitted"
    requests.approve(request=asked.pk, by=second, at=at)
    repairing.send_again(delivery=delivery.pk, by=channel.loader, at=at)
    work()
    assert parts(channel, delivery)["repaired"] == (1, 90)
    assert earned(channel)["B"] == 118  # 100 + 90.01 × 20 % = 118.002


def test_a_large_correction_that_is_rejected_is_undone(channel: Team, second: Person) -> None:
    delivery = shop_file(channel)
    at, row = timezone.now(), row_of(delivery, 9)
    assert repairing.correct(row=row, values={"qty": "102"}, by=channel.loader, at=at) == "asked"
    asked = Request.objects.get(kind="repair_row")
    requests.reject(request=asked.pk, by=second, reason="They sold two", at=at)
    seen = DeskRow.objects.get(pk=row)
    assert (seen.state, seen.corrected) == ("waiting", None)
    assert repairing.correct(row=row, values={"qty": "100"}, by=second, at=at) == "ready"


def test_finance_decides_the_limit_and_repairers_do_not(channel: Team) -> None:
    delivery = shop_file(channel)
    assert refused(rules.decide, name="repair_amount_max", text="5", by=channel.loader) == "not_permitted"
    assert refused(rules.decide, name="repair_amount_max", text="-5", by=channel.controller) == "bad_value"
    rules.decide(name="repair_amount_max", text="5", by=channel.controller, at=timezone.now())
    row = row_of(delivery, 9)
    values = {"qty": "1", "amount": "96"}
    assert repairing.correct(row=row, values=values, by=channel.loader, at=timezone.now()) == "asked"


def test_a_mapped_name_does_not_carry_a_large_correction_past_the_second_person(channel: Team, second: Person) -> None:
    delivery = shop_file(channel)
    at = timezone.now()
    values = {"amount": "5000"}
    assert repairing.correct(row=row_of(delivery, 3), values=values, by=channel.loader, at=at) == "waiting"
    done = repairing.map_name(kind="partner", source="shop", name="Acme Incorp.", code="A", by=second, at=at)
    assert (done.sent, done.asked) == (1, 1)
    asked = Request.objects.get(kind="repair_row")
    # Whoever corrected the row does not decide about it, whoever asked.
    assert refused(requests.approve, request=asked.pk, by=channel.loader) == "second_person"


def test_who_may_not_repair_is_refused_and_what_is_not_there_does_not_exist(channel: Team) -> None:
    delivery = shop_file(channel)
    row = row_of(delivery, 9)
    for other in (channel.analyst, channel.author, channel.partner_a):
        assert refused(repairing.correct, row=row, values={"qty": "1"}, by=other) == "not_permitted"
        assert refused(repairing.ignore, row=row, reason="x", by=other) == "not_permitted"
        assert refused(repairing.send_again, delivery=delivery.pk, by=other) == "not_permitted"
        assert (
            refused(repairing.map_name, kind="partner", source="shop", name="x", code="A", by=other) == "not_permitted"
        )
    assert refused(repairing.correct, row=delivery.pk, values={}, by=channel.loader) == "row_unknown"
    assert refused(repairing.send_again, delivery=row, by=channel.loader) == "delivery_unknown"
    assert refused(repairing.correct, row=row, values={"colour": "red"}, by=channel.loader) == "column_unknown"
    assert refused(repairing.ignore, row=row, reason=" ", by=channel.loader) == "reason_missing"
    assert refused(repairing.release, row=row, reason="meant", by=channel.loader) == "row_rejected"


def test_a_row_is_judged_anew_when_what_it_lacked_is_there(channel: Team) -> None:
    delivery = shop_file(channel)
    row = row_of(delivery, 3)
    assert repairing.correct(row=row, values={}, by=channel.loader, at=timezone.now()) == "waiting"
    load("partner", "partner_id,name\nAcme Incorp.,Acme\n", channel.loader, at=timezone.now())
    work()
    assert repairing.correct(row=row, values={}, by=channel.loader, at=timezone.now()) == "ready"
    seen = DeskRow.objects.get(pk=row)
    assert (seen.corrected, seen.editors, seen.round) == (None, [], 2)


def test_a_file_that_is_held_as_a_whole_cannot_be_waved_through(channel: Team) -> None:
    from tests.server.channel import delivered

    delivery = delivered(channel, HEAD + "R1,1,2026-01-05,A,K1,1,600\n", profile="shop", stated={"amount": "601"})
    assert (delivery.state, parts(channel, delivery)["held"]) == ("held", (1, 600))
    assert refused(repairing.release, row=row_of(delivery, 2), reason="x", by=channel.loader) == "not_releasable"


def test_cells_may_hold_whatever_a_file_can(channel: Team) -> None:
    odd = 'a "quoted", name\nof two lines; =1+1 ナ'
    text = HEAD + 'R1,1,2026-01-05,"' + odd.replace('"', '""') + '",K1,1,5\nR2,1,2026-01-05,A,K1,x,6\n'
    delivery = shop_file(channel, text)
    done = repairing.map_name(kind="partner", source="shop", name=odd, code="B", by=channel.loader, at=timezone.now())
    assert done.sent == 1
    repairing.correct(row=row_of(delivery, 3), values={"qty": "1"}, by=channel.loader, at=timezone.now())
    repairing.send_again(delivery=delivery.pk, by=channel.loader, at=timezone.now())
    work()
    assert earned(channel) == {"A": Decimal("0.6"), "B": Decimal("0.5")}


def test_equal_rows_that_were_two_lines_stay_two_lines(channel: Team) -> None:
    text = HEAD + "R1,1,2026-01-05,Acme Incorp.,K1,1,5\n" * 2
    delivery = shop_file(channel, text)
    assert sorted(str(each.line_id) for each in DeskRow.objects.all()) == ["shop:R1:1", "shop:R1:1#2"]
    repairing.map_name(
        kind="partner", source="shop", name="Acme Incorp.", code="A", by=channel.loader, at=timezone.now()
    )
    work()
    shown = desk.rows(delivery.pk, channel.loader, at=timezone.now())
    assert [each.state for each in shown] == ["repaired", "repaired"]
    assert earned(channel) == {"A": 1}


def test_the_database_itself_keeps_a_row_from_being_closed_without_a_reason(channel: Team) -> None:
    delivery = shop_file(channel)
    row = DeskRow.objects.filter(delivery=delivery)
    for wrong in ({"state": "ignored"}, {"state": "sent"}, {"outcome": "loaded"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            row.update(**wrong)


def test_the_repair_file_is_the_same_bytes_for_the_same_rows(channel: Team) -> None:
    delivery = shop_file(channel)
    repairing.map_name(
        kind="partner", source="shop", name="Acme Incorp.", code="A", by=channel.loader, at=timezone.now()
    )
    (repair,) = delivery.repaired_by.all()
    sent = (
        "_row,_outcome,_reasons,_line_id,_release,invoice,pos,day,dealer,item,qty,amount\n"
        "3,rejected,,shop:R2:1,,R2,1,2026-01-06,Acme Incorp.,K1,2,100\n"
        "4,rejected,,shop:R3:1,,R3,1,2026-01-07,Acme Incorp.,K1,1,50\n"
    )
    assert hashlib.sha256(files.path_of(repair.file).read_bytes()).digest() == hashlib.sha256(sent.encode()).digest()


def test_the_pages_lead_from_a_fault_to_the_line(channel: Team, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = False
    delivery = shop_file(channel)
    browser = with_second_factor(channel.loader)
    row = row_of(delivery, 9)
    assert "shop.csv" in browser.get("/sales/desk/").content.decode()
    shown = browser.get(f"/sales/{delivery.pk}/rows").content.decode()
    assert "1,550" in shown
    assert "do not add up" not in shown
    told = browser.post(f"/sales/desk/{row}/correct", {"cell:qty": "y"}, follow=True).content.decode()
    assert "still has faults" in told
    told = browser.post(f"/sales/desk/{row}/correct", {"cell:qty": "1"}, follow=True).content.decode()
    assert "ready to be sent" in told
    assert browser.post(f"/sales/desk/{row}/release", {"reason": "x"}).status_code == 422
    assert browser.post(f"/sales/desk/{row_of(delivery, 6)}/confirm").status_code == 302
    named = {"kind": "partner", "source": "shop", "name": "Acme Incorp.", "code": "A"}
    told = browser.post("/sales/desk/name", named, follow=True).content.decode()
    assert "2 rows were sent again" in told
    assert browser.post("/sales/desk/name", {**named, "code": "nobody"}).status_code == 422
    browser.post(f"/sales/{delivery.pk}/send")
    work()
    assert earned(channel) == {"A": 75, "B": 9}
    assert browser.post("/sales/desk/rule", {"name": "repair_amount_max", "value": "1"}).status_code == 403
