"""The flows of an incentive through the books. Every figure is worked by hand, in the comment beside it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from headrace.engine.findings import Refusal
from headrace.foundation.roles import Role
from headrace.ledger import flows, funds, proof, reading
from headrace.ledger.journal import Cause
from headrace.ledger.kinds import Column, Kind
from headrace.ledger.models import Entry, Posting
from tests.server.books import Q1, Q2, Books, D, items, key, step
from tests.server.conftest import MakePerson

OPEN = (Kind.ACCRUED, Kind.PAYABLE, Kind.OVERPAID)


def refused(books: Books, act: object, *args: object, **named: object) -> str:
    """Give the code of the refusal, after which nothing has changed."""
    before = (books.stand(), Entry.objects.count(), Posting.objects.count())
    with pytest.raises(Refusal) as why:
        act(*args, **named)  # type: ignore[operator]
    assert (books.stand(), Entry.objects.count(), Posting.objects.count()) == before
    return why.value.code


def test_a_provision_follows_the_estimate_up_and_down(books: Books) -> None:
    books.provide("100.00")
    books.provide("150.50")
    books.provide("120.25")
    # 100 up, 50.50 up, 30.25 down.
    assert books.stand() == {"accrued": D("120.25"), "contra_revenue": D("-120.25")}
    assert [row.amount for row in reading.postings(books.company)] == [D("30.25"), D("50.50"), D("100.00")]


def test_a_person_is_an_expense_and_a_partner_less_revenue(books: Books) -> None:
    flows.provide(books.event(), items("10"), charge=Kind.EXPENSE)
    assert books.stand() == {"accrued": D(10), "expense": D(-10)}


def test_from_provision_to_credit_memo(books: Books) -> None:
    books.provide("120")
    books.finalise("130")  # 10 more
    books.approve("100")  # 30 stay accrued
    books.settle("60")  # 40 stay payable
    assert books.stand() == {
        "contra_revenue": D(-130),
        "accrued": D(30),
        "payable": D(40),
        "receivable": D(60),
        "earned": D(130),
        "earned_control": D(-130),
    }
    flows.release(books.event(), items("30"))
    assert books.stand(*OPEN, Kind.RELEASED) == {"payable": D(40), "released": D(30)}


def test_finalising_again_posts_nothing(books: Books) -> None:
    books.finalise("130")
    books.approve("100")
    books.settle("60")
    flows.release(books.event(), items("10"))
    before = Posting.objects.count()
    books.finalise("130")
    assert Posting.objects.count() == before


def test_what_is_less_takes_from_the_provision_then_the_payable_then_is_overpaid(books: Books) -> None:
    books.finalise("100")
    books.approve("80")
    books.settle("50")  # 20 accrued, 30 payable, 50 settled
    books.finalise("90")
    assert books.stand(*OPEN) == {"accrued": D(10), "payable": D(30)}
    books.finalise("65")  # 25 less: 10 of the provision, 15 of the payable
    assert books.stand(*OPEN) == {"payable": D(15)}
    books.finalise("40")  # 25 less: 15 of the payable, 10 paid too much
    assert books.stand(*OPEN) == {"overpaid": D(-10)}
    books.finalise("47")  # 7 more heal 7 of the 10
    assert books.stand(*OPEN) == {"overpaid": D(-3)}
    books.finalise("60")  # 13 more: 3 heal, 10 are due
    assert books.stand(*OPEN) == {"accrued": D(10)}
    assert books.stand(Kind.EARNED, Kind.CONTRA_REVENUE) == {"earned": D(60), "contra_revenue": D(-60)}


def test_a_negative_entitlement_is_owed_by_the_partner(books: Books) -> None:
    books.finalise("-25")
    assert books.stand(*OPEN, Kind.EARNED) == {"overpaid": D(-25), "earned": D(-25)}


def test_an_estimate_takes_nothing_back_that_was_approved(books: Books) -> None:
    books.provide("100")
    books.approve("80")
    books.provide("50")  # only the 20 that are not approved can go
    assert books.stand(*OPEN) == {"payable": D(80)}
    books.finalise("50")  # 30 less of the payable
    assert books.stand(*OPEN) == {"payable": D(50)}


def test_no_more_is_approved_than_accrued_nor_paid_than_payable(books: Books) -> None:
    books.provide("100")
    assert refused(books, books.approve, "100.01") == "balance_short"
    books.approve("100")
    assert refused(books, books.settle, "100.01") == "balance_short"
    assert refused(books, books.approve, "0.01") == "balance_short"
    assert refused(books, flows.release, books.event(), items("0.01")) == "balance_short"
    assert refused(books, flows.write_off, books.event(), items("0.01")) == "balance_short"
    other = key(period=Q2)
    assert refused(books, books.settle, "1", key=other) == "balance_short"


def test_a_void_restores_what_was_payable_and_is_done_once(books: Books) -> None:
    books.finalise("100")
    books.approve("100")
    memo = books.settle("70")
    void = Cause("void", str(memo))
    assert refused(books, flows.void, books.event(cause=Cause("void", "other")), settlement=memo) == "void_cause"
    unknown = Cause("test", "none")
    asked = books.event(cause=Cause("void", str(unknown)))
    assert refused(books, flows.void, asked, settlement=unknown) == "settlement_unknown"
    event = books.event(date(2026, 2, 3), void)
    flows.void(event, settlement=memo)
    assert books.stand(Kind.PAYABLE, Kind.RECEIVABLE) == {"payable": D(100)}
    assert flows.void(event, settlement=memo).repeated
    books.settle("100")
    assert books.stand(Kind.PAYABLE, Kind.RECEIVABLE) == {"receivable": D(100)}


def test_overpaid_amounts_are_netted_from_the_oldest_on(books: Books) -> None:
    old, new, other = key(), key(period=Q2), key(program="spiff", period=Q2)
    for one, earned in ((old, "100"), (new, "40"), (other, "25")):
        books.finalise(earned, key=one)
        books.approve(earned, key=one)
    books.settle("100", key=old)
    books.finalise("45", key=old)  # 55 paid too much
    flows.net(books.event(date(2026, 2, 5)), payee_kind="partner", payee="P1", currency="EUR")
    # Payable of Q2, by program: spiff 25 goes wholly, of vol's 40 the other 30.
    assert books.stand(*OPEN) == {"payable": D(10)}
    assert books.of(Kind.PAYABLE, new) == D(10)
    assert books.of(Kind.OFFSET, old) == D(-55)
    assert (books.of(Kind.OFFSET, new), books.of(Kind.OFFSET, other)) == (D(30), D(25))
    # Netting is settling: nothing is earned or charged anew.
    before = Posting.objects.count()
    books.finalise("45", key=old)
    books.finalise("40", key=new)
    assert Posting.objects.count() == before


def test_what_stays_overpaid_is_claimed_back_or_written_off(books: Books) -> None:
    books.finalise("100")
    books.approve("100")
    books.settle("100")
    books.finalise("70")
    flows.recover(books.event(), items("20"))
    flows.write_off(books.event(), items("10"))
    # The memo of 100 less the debit memo of 20.
    assert books.stand(*OPEN, Kind.RECEIVABLE, Kind.WRITTEN_OFF) == {"receivable": D(80), "written_off": D(-10)}


def test_a_retry_changes_nothing_and_a_key_with_other_content_is_refused(books: Books) -> None:
    event = books.event()
    first = flows.provide(event, items("100"))
    assert (first.postings, first.repeated) == (1, False)
    again = flows.provide(event, items("100"))
    assert (again.entry, again.postings, again.repeated) == (first.entry, 0, True)
    assert refused(books, flows.provide, event, items("100.01")) == "key_reused"
    assert refused(books, flows.approve, event, items("100")) == "key_reused"
    books.provide("150")
    # The retry of an older batch does not move the provision back to it.
    assert flows.provide(event, items("100")).repeated
    assert books.stand(*OPEN) == {"accrued": D(150)}


def test_an_event_that_had_nothing_to_post_is_not_made_up_for_later(books: Books) -> None:
    books.provide("100")
    same = books.event()
    assert flows.provide(same, items("100")).postings == 0
    books.provide("150")
    assert flows.provide(same, items("100")).repeated
    assert books.stand(*OPEN) == {"accrued": D(150)}


def test_one_cause_in_parts_posts_a_movement_once(books: Books) -> None:
    flows.provide(books.event(cause=Cause("batch", "7", "1")), items("100"))
    flows.provide(books.event(cause=Cause("batch", "7", "2")), items("30", key("P2")))
    part = books.event(cause=Cause("batch", "7", "3"))
    assert refused(books, flows.provide, part, items("120")) == "key_reused"


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("10.005", "EUR", "finer_than_currency"),
        ("10.5", "JPY", "finer_than_currency"),
        ("NaN", "EUR", "amount"),
        ("Infinity", "EUR", "amount"),
        ("1E+30", "EUR", "amount_too_large"),
        ("50000000000000000", "EUR", "amount_too_large"),
        ("1", "eur", "currency"),
        ("1E-1000000", "EUR", "finer_than_currency"),
    ],
)
def test_an_amount_that_cannot_be_is_refused(books: Books, amount: str, currency: str, code: str) -> None:
    assert refused(books, books.provide, amount, key=key(currency=currency)) == code


def test_items_that_cannot_be_are_refused(books: Books) -> None:
    event = books.event()
    assert refused(books, flows.provide, event, []) == "items"
    assert refused(books, flows.provide, event, [*items("1"), *items("2")]) == "item_twice"
    nameless = [flows.Item(key=key(), amount=D(1), version="")]
    assert refused(books, flows.provide, event, nameless) == "no_version"
    for amount in ("0", "-1"):
        assert refused(books, flows.approve, event, items(amount)) == "amount"
    for rate in ("0", "-1", "NaN"):
        assert refused(books, flows.provide, event, items("1", key(currency="USD"), rate)) == "rate"


@pytest.mark.parametrize(
    "name", ['a"b', "a\\b", "a,b", "{a}", "Ünïcödé 漢字", "a'b", " a ", "NULL", "%s", "a\nb", "\\", '"']
)
def test_any_name_is_kept_as_it_is(books: Books, name: str) -> None:
    one = key(name, program=name, fund=name)
    flows.provide(books.event(cause=Cause("test", name)), [flows.Item(key=one, amount=D(10), version=name)])
    line = reading.postings(books.company)[0]
    assert (line.debit.key, line.version, line.cause) == (one, name, ("test", name))
    assert books.of(Kind.ACCRUED, one) == D(10)
    assert proof.prove().findings == ()


def test_a_name_that_cannot_be_kept_is_refused(books: Books) -> None:
    for wrong in (key("x" * 65), key(program="x" * 101), key("a\x00b")):
        assert refused(books, books.provide, "1", key=wrong) == "text"
    assert refused(books, flows.provide, books.event(cause=Cause("test", "x" * 141)), items("1")) == "text"
    long = [flows.Item(key=key(), amount=D(1), version="x" * 101)]
    assert refused(books, flows.provide, books.event(), long) == "text"
    books.provide("1", key=key("x" * 64, program="x" * 100))


def test_an_entry_is_all_or_nothing(books: Books) -> None:
    books.provide("100")
    both = [*items("60"), *items("1", key("P2"))]
    assert refused(books, flows.approve, books.event(), both) == "balance_short"


def test_a_fund_is_reserved_spent_and_released_and_never_below_zero(books: Books) -> None:
    funds.grant(books.event(), step("1000"))
    assert refused(books, funds.reserve, books.event(), step("1000.01")) == "balance_short"
    funds.reserve(books.event(), step("700"))
    assert refused(books, funds.reserve, books.event(), step("300.01")) == "balance_short"
    funds.spend(books.event(), step("450"))
    assert refused(books, funds.spend, books.event(), step("250.01")) == "balance_short"
    funds.give_back(books.event(), step("250"))
    # 1,000 less 450 spent.
    assert books.stand() == {"fund_granted": D(1000), "fund_available": D(-550), "fund_spent": D(-450)}
    assert refused(books, funds.end, books.event(), step("550.01")) == "balance_short"
    funds.end(books.event(), step("550"))
    assert books.stand() == {"fund_granted": D(450), "fund_spent": D(-450)}
    assert refused(books, funds.grant, books.event(), step("0")) == "fund_step"


def rolled(books: Books, month: int, **asked: object) -> dict[str, Decimal]:
    row = reading.roll_forward(
        books.company,
        from_on=date(2026, month, 1),
        until_on=date(2026, month + 1, 1),
        **asked,  # type: ignore[arg-type]
    )
    assert len(row) == 1
    one = row[0]
    assert one.opening + sum(one.columns.values(), D(0)) == one.closing
    parts: dict[str, Decimal] = {"opening": one.opening, "closing": one.closing}
    parts |= {column.value: value for column, value in one.columns.items()}
    return {name: value for name, value in parts.items() if value}


def test_a_roll_forward_of_three_months(books: Books) -> None:
    books.provide("100", date(2026, 1, 10))
    books.provide("160", date(2026, 1, 20))
    books.provide("150", date(2026, 2, 5))
    books.finalise("170", date(2026, 2, 10))
    books.approve("120", date(2026, 2, 11))
    memo = books.settle("90", date(2026, 2, 20))
    flows.void(books.event(date(2026, 3, 1), Cause("void", str(memo))), settlement=memo)
    books.settle("100", date(2026, 3, 2))
    flows.release(books.event(date(2026, 3, 3)), items("50"))
    assert rolled(books, 1) == {Column.PROVIDED: D(160), "closing": D(160)}
    # 160 − 10 provided + 20 trued up − 90 settled.
    assert rolled(books, 2) == {
        "opening": D(160), Column.PROVIDED: D(-10), Column.TRUED: D(20), Column.SETTLED: D(-90), "closing": D(80),
    }  # fmt: skip
    # 80 + 90 voided − 100 settled − 50 released: 20 stay payable.
    assert rolled(books, 3) == {"opening": D(80), Column.SETTLED: D(-10), Column.RELEASED: D(-50), "closing": D(20)}
    assert books.stand(*OPEN) == {"payable": D(20)}
    assert proof.prove().findings == ()


def test_a_roll_forward_tells_programs_and_ages_apart(books: Books) -> None:
    books.provide("10", key=key(period="2025-10-01/2026-01-01"))
    books.provide("20", key=key(program="spiff", period=""))
    books.provide("30")
    rows = reading.roll_forward(books.company, from_on=date(2026, 1, 1), until_on=date(2026, 2, 1))
    # On 31 January the last quarter's end, 31 December, is 31 days past.
    assert [(row.program, row.age, row.closing) for row in rows] == [
        ("spiff", "no period", D(20)),
        ("vol", "31–90 days", D(10)),
        ("vol", "not over", D(30)),
    ]
    with pytest.raises(Refusal):
        reading.roll_forward(books.company, from_on=date(2026, 2, 1), until_on=date(2026, 2, 1))


def test_balances_as_of_a_day_and_as_they_were_known(books: Books) -> None:
    books.provide("100", date(2026, 1, 10))
    known = books.now
    books.provide("130", date(2026, 1, 5))  # comes later, and is of an earlier day
    books.provide("150", date(2026, 2, 1))
    of = Kind.ACCRUED
    assert books.of(of) == D(150)
    assert books.of(of, as_of=date(2026, 1, 4)) == D(0)
    assert books.of(of, as_of=date(2026, 1, 5)) == D(30)
    assert books.of(of, as_of=date(2026, 1, 31)) == D(130)
    assert books.of(of, known_at=known) == D(100)
    assert books.of(of, as_of=date(2026, 1, 9), known_at=known) == D(0)


def test_a_trial_balance_agrees_per_currency(books: Books) -> None:
    books.finalise("100")
    books.provide("1000", key=key(currency="JPY"), rate="0.006")
    figures = reading.trial_balance(books.company)
    assert [(one.kind, one.currency, one.debit, one.credit, one.functional_debit) for one in figures] == [
        (Kind.CONTRA_REVENUE, "EUR", D(100), D(0), D(100)),
        (Kind.CONTRA_REVENUE, "JPY", D(1000), D(0), D(6)),
        (Kind.ACCRUED, "EUR", D(0), D(100), D(0)),
        (Kind.ACCRUED, "JPY", D(0), D(1000), D(0)),
        (Kind.EARNED, "EUR", D(0), D(100), D(0)),
        (Kind.EARNED_CONTROL, "EUR", D(100), D(0), D(100)),
    ]
    for currency in ("EUR", "JPY"):
        of = [one for one in figures if one.currency == currency]
        assert sum(one.debit for one in of) == sum(one.credit for one in of)


def test_a_posting_opens_to_its_cause(books: Books) -> None:
    books.provide("100")
    line = reading.postings(books.company)[0]
    shown, cause = reading.opened(books.company, line.id)
    assert (shown.cause, cause.text, cause.address) == (("test", "1"), "test 1", None)
    assert (shown.version, shown.debit.key.period, shown.on) == ("vol/1", Q1, date(2026, 1, 15))
    with pytest.raises(Refusal):
        reading.opened(books.company, line.id + 1)


@pytest.mark.parametrize(
    "flow",
    [
        flows.approve, flows.release, flows.recover, flows.write_off, partial(flows.settle, by=Kind.CASH),
        lambda event, _: flows.void(event, settlement=Cause("test", "1")),
        lambda event, _: flows.net(event, payee_kind="partner", payee="P1", currency="EUR"),
    ],
)  # fmt: skip
def test_what_moves_money_names_somebody_who_may(books: Books, person_with: MakePerson, flow: Any) -> None:
    books.provide("100")
    before = books.stand()
    nobody = person_with(Role.PROGRAM_MANAGER)
    for by in (None, nobody):
        event = replace(books.event(), by=by)
        assert refused(books, flow, event, items("10")) == "not_permitted"
    assert books.stand() == before
