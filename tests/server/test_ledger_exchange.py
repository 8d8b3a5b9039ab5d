"""Foreign currency, the general ledger's journal and cut-over. Every figure is worked by hand, in the comment beside it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from headrace.engine.findings import Refusal
from headrace.foundation.roles import Role
from headrace.ledger import exchange, flows, general_ledger, opening, periods, proof, reading
from headrace.ledger.journal import Cause
from headrace.ledger.kinds import Column, Kind
from headrace.ledger.models import Entry, Posting
from tests.server.books import Q1, Q2, Books, D, items, key
from tests.server.conftest import NOW, MakePerson

LATER = datetime(2026, 12, 1, tzinfo=UTC)
USD = key(currency="USD")


def functional(books: Books, *kinds: Kind) -> Decimal:
    """Give credits − debits in euros."""
    return D(-sum(row.functional_net for row in reading.balances(books.company, kinds=kinds))) / 100


def revalue(books: Books, month: int, rate: str, run: int = 1) -> int:
    return exchange.revalue(
        company=books.company, period=books.month(month).id, rates={"USD": D(rate)}, at=LATER, run=run
    ).postings


def test_amounts_leave_at_the_average_they_are_carried_at(books: Books) -> None:
    books.provide("100", key=USD, rate="0.90")  # 90.00
    books.provide("150", key=USD, rate="0.95")  # 47.50 more: 137.50 for 150
    books.provide("120", key=USD, rate="0.99")  # 30 leave with 30 ÷ 150 of 137.50 = 27.50, whatever the day's rate
    assert functional(books, Kind.ACCRUED) == D("110.00")
    books.approve("50", key=USD)  # 50 ÷ 120 of 110.00 = 45.8333…
    assert (functional(books, Kind.ACCRUED), functional(books, Kind.PAYABLE)) == (D("64.17"), D("45.83"))
    books.approve("70", key=USD)  # an account at zero carries zero
    assert (functional(books, Kind.ACCRUED), functional(books, Kind.PAYABLE)) == (D(0), D("110.00"))


def test_settling_realises_the_difference(books: Books) -> None:
    books.finalise("100", key=USD, rate="0.90")
    books.approve("100", key=USD)
    books.settle("40", key=USD, rate="0.95")  # carried 36.00, worth 38.00: a loss of 2.00
    assert functional(books, Kind.EXCHANGE_REALISED) == D("-2.00")
    assert functional(books, Kind.RECEIVABLE) == D("38.00")
    memo = books.settle("60", key=USD, rate="0.88")  # carried 54.00, worth 52.80: a gain of 1.20
    assert functional(books, Kind.EXCHANGE_REALISED) == D("-0.80")
    assert functional(books, Kind.RECEIVABLE) == D("90.80")
    assert functional(books, Kind.PAYABLE) == D(0)
    flows.void(books.event(date(2026, 2, 1), Cause("void", str(memo))), settlement=memo)
    assert functional(books, Kind.EXCHANGE_REALISED) == D("-2.00")
    assert (functional(books, Kind.PAYABLE), functional(books, Kind.RECEIVABLE)) == (D("54.00"), D("38.00"))


def test_netting_realises_what_both_sides_are_carried_at_differently(books: Books) -> None:
    new = key(period=Q2, currency="USD")
    books.finalise("100", key=USD, rate="0.90")
    books.approve("100", key=USD)
    books.settle("100", key=USD, rate="0.90")
    books.finalise("50", key=USD, rate="0.92")  # overpaid 50 at 0.92 = 46.00
    books.finalise("80", key=new, rate="1.00")
    books.approve("80", key=new)  # payable 80 at 1.00 = 80.00
    flows.net(books.event(date(2026, 2, 5)), payee_kind="partner", payee="P1", currency="USD")
    # 50 of the payable go, carried at 50.00, against 46.00: a gain of 4.00.
    assert functional(books, Kind.EXCHANGE_REALISED) == D("4.00")
    assert (functional(books, Kind.PAYABLE), functional(books, Kind.OVERPAID)) == (D("30.00"), D(0))
    assert functional(books, Kind.OFFSET) == D(0)
    assert proof.prove().findings == ()


def test_open_foreign_liabilities_are_revalued_month_by_month(books: Books) -> None:
    books.provide("100", date(2026, 1, 10), key=USD, rate="0.90")
    books.provide("500", date(2026, 1, 10), key=key("P2"))
    books.provide("100", date(2026, 2, 1), key=key("P3", currency="USD"), rate="0.50")
    books.close(1, lock=False)
    assert revalue(books, 1, "0.93") == 1  # P1: 93.00 − 90.00; what is booked in February is not open yet
    assert functional(books, Kind.ACCRUED_REVALUED) == D("3.00")
    assert functional(books, Kind.EXCHANGE_UNREALISED) == D("-3.00")
    assert revalue(books, 1, "0.93") == 0
    books.close(1)
    books.provide("0", date(2026, 2, 3), key=key("P3", currency="USD"))
    books.approve("100", date(2026, 2, 10), key=USD)
    books.settle("60", date(2026, 2, 20), key=USD, rate="0.97")  # carried 54.00, worth 58.20: a loss of 4.20
    books.close(2, lock=False)
    # Payable 40 at 0.95 = 38.00, carried 36.00: 2.00. The 3.00 on what was accrued go.
    assert revalue(books, 2, "0.95") == 2
    assert functional(books, Kind.ACCRUED_REVALUED) == D(0)
    assert functional(books, Kind.PAYABLE_REVALUED) == D("2.00")
    assert functional(books, Kind.EXCHANGE_UNREALISED) == D("-2.00")
    assert functional(books, Kind.EXCHANGE_REALISED) == D("-4.20")
    row = reading.roll_forward(books.company, from_on=date(2026, 2, 1), until_on=date(2026, 3, 1))
    assert len(row) == 1
    one = row[0]
    # 500 + 93; P3 came with 50 and went: provided 50 − 50; settled at 54.00; 3.00 back and 2.00 up.
    assert (one.opening, one.closing) == (D("593.00"), D("538.00"))
    assert {name: value for name, value in one.columns.items() if value} == {
        Column.SETTLED: D("-54.00"),
        Column.EXCHANGE: D("-1.00"),
    }
    assert proof.prove().findings == ()


def test_an_overpaid_amount_loses_when_its_currency_falls(books: Books) -> None:
    books.finalise("-100", date(2026, 1, 10), key=USD, rate="0.90")
    books.close(1, lock=False)
    revalue(books, 1, "0.85")  # a claim of 90.00 is worth 85.00
    assert functional(books, Kind.EXCHANGE_UNREALISED) == D("-5.00")
    assert functional(books, Kind.OVERPAID, Kind.OVERPAID_REVALUED) == D("-85.00")


def test_revaluing_wants_a_soft_closed_period_every_rate_and_its_turn(books: Books) -> None:
    books.provide("100", date(2026, 1, 10), key=USD, rate="0.90")
    books.provide("100", date(2026, 2, 10), key=key("P2", currency="CHF"), rate="0.90")

    def refused(month: int, rates: dict[str, Decimal]) -> str:
        with pytest.raises(Refusal) as why:
            exchange.revalue(company=books.company, period=books.month(month).id, rates=rates, at=LATER)
        return why.value.code

    assert refused(1, {"USD": D(1)}) == "period_state"
    books.close(1, 2, lock=False)
    assert refused(2, {"USD": D(1)}) == "rate_missing"
    exchange.revalue(company=books.company, period=books.month(2).id, rates={"USD": D(1), "CHF": D(1)}, at=LATER)
    assert refused(1, {"USD": D(1)}) == "later_revalued"
    flows.provide(books.event(date(2026, 2, 28), closing=True), items("200", USD, "0.90"))
    assert revalue_again(books) == 1


def revalue_again(books: Books) -> int:
    rates = {"USD": D(1), "CHF": D(1)}
    with pytest.raises(Refusal) as why:
        exchange.revalue(company=books.company, period=books.month(2).id, rates={**rates, "CHF": D(2)}, at=LATER)
    assert why.value.code == "key_reused"
    return exchange.revalue(company=books.company, period=books.month(2).id, rates=rates, at=LATER, run=2).postings


def profiles(books: Books) -> None:
    for kind, account in (
        (Kind.CONTRA_REVENUE, "4100"),
        (Kind.ACCRUED, "2300"),
        (Kind.PAYABLE, "2310"),
        (Kind.RECEIVABLE, "1200"),
    ):
        books.profile(kind, account)
    books.profile(Kind.CONTRA_REVENUE, "4150", "spiff")


def test_the_journal_of_a_locked_period_by_account_cost_centre_and_program(books: Books) -> None:
    profiles(books)
    books.describe("spiff", "spiff", "EMEA")
    books.describe("vol", "volume_rebate", "CH")
    books.provide("100")
    books.provide("90")
    books.finalise("95", key=key("P2"))
    books.finalise("20", key=key(program="spiff", currency="USD"), rate="0.9")
    january = books.month(1).id
    hand = {"period": january, "at": LATER}
    with pytest.raises(Refusal) as why:
        general_ledger.hand_over(by=books.maker, **hand)  # type: ignore[arg-type]
    assert why.value.code == "period_state"
    assert books.month(1).left == ()
    books.close(1)
    company, lines = general_ledger.hand_over(by=books.maker, **hand)  # type: ignore[arg-type]
    # vol: P1 100 − 10, P2 95. spiff: 20 USD = 18 EUR, to its own account. What is beside the books is left out.
    shown = [
        (x.account, x.currency, x.cost_centre, x.program, x.debit, x.credit, x.functional_debit, x.functional_credit)
        for x in lines
    ]
    assert shown == [
        ("2300", "EUR", "CH", "vol", D(10), D(195), D(10), D(195)),
        ("2300", "USD", "EMEA", "spiff", D(0), D(20), D(0), D(18)),
        ("4100", "EUR", "CH", "vol", D(195), D(10), D(195), D(10)),
        ("4150", "USD", "EMEA", "spiff", D(20), D(0), D(18), D(0)),
    ]
    assert company == books.company
    assert general_ledger.hand_over(by=books.maker, **hand) == (company, lines)  # type: ignore[arg-type]
    assert books.month(1).left == ("general ledger journal",)
    with pytest.raises(Refusal) as why:
        periods.ask(period=january, to="soft_closed", by=books.maker, at=LATER)
    assert why.value.code == "period_left"


def test_a_journal_without_all_its_accounts_is_not_handed_over(books: Books) -> None:
    books.provide("100")
    books.close(1)
    with pytest.raises(Refusal) as why:
        general_ledger.hand_over(period=books.month(1).id, by=books.maker, at=LATER)
    assert [finding.message.split(" of ")[0] for finding in why.value.findings] == ["“Accrued”", "“Contra revenue”"]
    assert books.month(1).left == ()


def row(balance: str, amount: str, **other: str) -> dict[str, str]:
    return {
        "payee_kind": "partner", "payee": "P1", "program": "vol", "period": Q1, "currency": "EUR", "balance": balance,
        "amount": amount, "functional": "", "version": "vol/1", **other,
    }  # fmt: skip


OLD = [
    row("accrued", "30"),
    row("payable", "20"),
    row("settled", "50"),
    row("earned", "100"),
    row("settled", "12", payee="P2"),
    row("overpaid", "12", payee="P2"),
    row("accrued", "100", payee="P3", currency="USD", functional="91.50"),
]


def test_cut_over_by_one_approved_opening_journal(books: Books) -> None:
    journal = opening.propose(company=books.company, on=date(2026, 1, 20), rows=OLD, by=books.maker, at=NOW)
    assert not Posting.objects.exists()
    with pytest.raises(Refusal) as why:
        opening.approve(journal=journal.pk, by=books.maker, at=NOW)
    assert why.value.code == "second_person"
    assert opening.approve(journal=journal.pk, by=books.second, at=NOW).postings == 7
    # P1 was entitled to 30 + 20 + 50; P2 to nothing, was paid 12 and owes them.
    assert books.of(Kind.OPENING, key()) == D(-100)
    assert books.of(Kind.OPENING, key("P2")) == D(0)
    assert functional(books, Kind.ACCRUED) == D("121.50")
    # What was settled before is not due again: 110 earned in all are 10 more than what came over.
    books.finalise("110")
    assert (books.of(Kind.ACCRUED, key()), books.of(Kind.EARNED, key())) == (D(40), D(110))
    books.finalise("5", key=key("P2"))
    assert books.of(Kind.OVERPAID, key("P2")) == D(-7)
    again = opening.propose(company=books.company, on=date(2026, 1, 20), rows=OLD, by=books.maker, at=NOW)
    with pytest.raises(Refusal) as why:
        opening.approve(journal=again.pk, by=books.second, at=NOW)
    assert why.value.code == "opened_already"
    assert proof.prove().findings == ()


def test_nothing_is_opened_onto_what_was_posted(books: Books) -> None:
    books.provide("1")
    journal = opening.propose(company=books.company, on=date(2026, 1, 20), rows=OLD, by=books.maker, at=NOW)
    before = Entry.objects.count()
    with pytest.raises(Refusal) as why:
        opening.approve(journal=journal.pk, by=books.second, at=NOW)
    assert why.value.code == "opening_late"
    assert Entry.objects.count() == before


def test_every_faulty_row_is_named(books: Books, person_with: MakePerson) -> None:
    rows = [
        row("accrued", "1"),
        row("accrued", "1"),
        row("provision", "1"),
        row("accrued", "ten"),
        row("accrued", "-1", payee="P2"),
        row("accrued", "1.005", payee="P3"),
        row("accrued", "1", payee=""),
        row("accrued", "1", period="Q1"),
        row("accrued", "1", period="2026-04-01/2026-01-01"),
        row("accrued", "1", currency="USD"),
        row("accrued", "1", functional="2", payee="P4"),
    ]
    with pytest.raises(Refusal) as why:
        opening.propose(company=books.company, on=date(2026, 1, 20), rows=rows, by=books.maker, at=NOW)
    assert [(finding.row, finding.code) for finding in why.value.findings] == [
        (3, "row_twice"), (4, "balance"), (5, "amount"), (6, "amount"), (7, "finer_than_currency"), (8, "missing"),
        (9, "period"), (10, "period"), (11, "amount"), (12, "amount"),
    ]  # fmt: skip
    auditor = person_with(Role.AUDITOR)
    with pytest.raises(Refusal) as why:
        opening.propose(company=books.company, on=date(2026, 1, 20), rows=OLD, by=auditor, at=NOW)
    assert why.value.code == "not_permitted"
