"""Raw SQL against the books, on both databases: what it cannot do, and what the proof finds of the rest."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from headrace.closing import alarms, proofs
from headrace.foundation import companies
from headrace.ledger import funds, periods, proof
from headrace.ledger.kinds import Kind
from headrace.ledger.models import Account, Balance, Posting
from tests.server.books import Books, key, open_books, step
from tests.server.conftest import NOW, Admins

TABLES = ("ledger_account", "ledger_entry", "ledger_posting", "ledger_departure")


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def stopped(statement: str, *values: Any) -> str:
    """Run it and give how the database refuses it; deferred constraints are asked too."""

    @transaction.atomic
    def run() -> None:
        sql(statement, *values)
        if connection.vendor == "postgresql":
            sql("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(DatabaseError) as why:
        run()
    return str(why.value)


@pytest.fixture
def filled(books: Books) -> Books:
    """Post something of everything."""
    books.finalise("100")
    books.provide("50", key=key(currency="JPY"), rate="0.006")
    funds.grant(books.event(), step("10"))
    periods.left(period=books.month(1).id, what="memo 1", at=NOW)
    return books


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_neither_changed_nor_deleted(filled: Books, table: str) -> None:
    column = {"ledger_account": "payee", "ledger_entry": "key", "ledger_departure": "what"}.get(table, "amount")
    assert "append only" in stopped(f"UPDATE {table} SET {column} = {column}")
    assert "append only" in stopped(f"DELETE FROM {table}")
    if connection.vendor == "postgresql":
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        assert "append only" in stopped(f"TRUNCATE {table} CASCADE")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite replaces rows")
@pytest.mark.parametrize("table", TABLES)
def test_rows_are_not_replaced_by_any_of_their_keys(filled: Books, table: str) -> None:
    other_id = {"ledger_entry": f"'{uuid.uuid4().hex}'"}.get(table, "9999")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name FROM pragma_table_info('{table}') WHERE name <> 'id'")
        columns = ", ".join(f'"{row[0]}"' for row in cursor.fetchall())
    for new in ("id", other_id):
        copy = f"INSERT OR REPLACE INTO {table} (id, {columns}) SELECT {new}, {columns} FROM {table} LIMIT 1"
        assert "append only" in stopped(copy)
    same_key_elsewhere = columns.replace('"position"', '"position" + 77').replace('"key"', "'x' || \"key\"")
    if table == "ledger_posting":
        by_position = columns.replace('"key"', "'x' || \"key\"")
        for chosen in (by_position, columns.replace('"position"', '"position" + 77')):
            copy = f"INSERT OR REPLACE INTO {table} (id, {columns}) SELECT 9999, {chosen} FROM {table} LIMIT 1"
            assert "append only" in stopped(copy)
        assert same_key_elsewhere != columns


def posting(**changed: Any) -> tuple[str, tuple[Any, ...]]:
    """Give the statement that adds a copy of the first posting, under a key of its own, with these columns changed."""
    one = Posting.objects.filter(currency="EUR", purpose="true_up").values().get()
    row: dict[str, Any] = {**one, "id": 9_999, "position": 9, "key": "x" * 64, **changed}
    for name in ("entry_id", "period_id"):
        row[name] = row[name].hex if connection.vendor == "sqlite" else row[name]
    names = ", ".join(f'"{name}"' for name in row)
    return f"INSERT INTO ledger_posting ({names}) VALUES ({', '.join(['%s'] * len(row))})", tuple(row.values())


def account(kind: Kind, currency: str = "EUR") -> int:
    return Account.objects.get(kind=kind, currency=currency, fund="", company__code="DE").pk


def test_a_posting_is_of_something_between_two_accounts_of_its_currency(filled: Books) -> None:
    accrued = account(Kind.ACCRUED)
    for changed in (
        {"amount": 0},
        {"amount": -1},
        {"functional": -1},
        {"credit_id": account(Kind.CONTRA_REVENUE)},
        {"credit_id": account(Kind.ACCRUED, "JPY")},
        {"debit_id": account(Kind.CONTRA_REVENUE, "JPY")},
        {"currency": "JPY"},
        {"debit_id": 123_456},
        {"entry_id": uuid.uuid4()},
        {"booked_on": date(2026, 2, 1)},
        {"key": Posting.objects.values_list("key", flat=True)[0]},
    ):
        statement, values = posting(**changed)
        stopped(statement, *values)
    assert Posting.objects.filter(credit=accrued).count() == 1


def test_a_posting_stays_in_its_company(filled: Books, admins: Admins) -> None:
    other = open_books(admins[0], filled.maker, filled.second, at=NOW, code="AT")
    assert companies.find("AT") == other.company
    filled.company = other.company
    filled.number = iter(range(100, 200))  # type: ignore[assignment]
    filled.finalise("100")
    abroad = Account.objects.get(kind=Kind.ACCRUED, company=other.company)
    own = Posting.objects.filter(entry__company=other.company, purpose="true_up").get()
    one = Posting.objects.filter(entry__company__code="DE", purpose="true_up", currency="EUR").get()
    for changed in (
        {"credit_id": abroad.pk},
        {"period_id": own.period_id},
        {"entry_id": own.entry_id},
    ):
        base = {name: getattr(one, name) for name in ("entry_id", "debit_id", "credit_id", "period_id")}
        row: dict[str, Any] = {**Posting.objects.filter(pk=one.pk).values().get(), **base, **changed}
        row |= {"id": 9_999, "position": 9, "key": "y" * 64}
        for name in ("entry_id", "period_id"):
            row[name] = row[name].hex if connection.vendor == "sqlite" else row[name]
        names = ", ".join(f'"{name}"' for name in row)
        why = stopped(f"INSERT INTO ledger_posting ({names}) VALUES ({', '.join(['%s'] * len(row))})", *row.values())
        assert "do not fit" in why


def test_a_locked_period_takes_no_posting(filled: Books) -> None:
    filled.close(1)
    statement, values = posting()
    assert "do not fit" in stopped(statement, *values)


def test_a_balance_stays_on_its_side(filled: Books) -> None:
    accrued, fund = account(Kind.ACCRUED), Account.objects.get(kind=Kind.FUND_AVAILABLE).pk
    stopped("UPDATE ledger_balance SET debits = credits + 1 WHERE account_id = %s", accrued)
    stopped("UPDATE ledger_balance SET credits = debits + 1 WHERE account_id = %s", fund)
    stopped("UPDATE ledger_balance SET functional_debits = -1 WHERE account_id = %s", accrued)
    stopped("DELETE FROM ledger_balance")


def test_a_period_keeps_its_days_and_is_locked_by_two(filled: Books) -> None:
    january = filled.month(1)
    stopped("UPDATE ledger_accountingperiod SET from_on = '2025-12-31'")
    stopped("DELETE FROM ledger_accountingperiod")
    stopped("UPDATE ledger_accountingperiod SET state = 'locked'")
    filled.close(1)
    stopped("UPDATE ledger_accountingperiod SET locked_by_id = lock_asked_by_id")
    # Memo 1 left it.
    for state in ("soft_closed", "open"):
        assert "something left" in stopped("UPDATE ledger_accountingperiod SET state = %s", state)
    assert filled.month(1).state == "locked"
    assert january.left == ("memo 1",)


def findings() -> set[str]:
    return {finding.code for finding in proof.prove().findings}


def test_undisturbed_books_hold(filled: Books) -> None:
    proven = proof.prove()
    # Finalise: true up and earned; provide; grant.
    assert (proven.findings, proven.postings, proven.entries) == ((), 4, 3)


def test_a_balance_that_was_written_over_is_found(filled: Books) -> None:
    Balance.objects.filter(account_id=account(Kind.ACCRUED)).update(credits=99_999)
    assert findings() == {"ledger_balance"}


def test_a_posting_that_was_slipped_in_is_found(filled: Books) -> None:
    statement, values = posting()
    sql(statement, *values)
    # Its balances were not kept, and its entry is not what was sealed.
    assert findings() == {"ledger_balance", "ledger_entry"}
    for side, row in (("debits", "debit_id"), ("credits", "credit_id")):
        one: Any = Posting.objects.values().get(pk=9_999)
        sql(
            f"UPDATE ledger_balance SET {side} = {side} + %s, functional_{side} = functional_{side} + %s"
            " WHERE account_id = %s", one["amount"], one["functional"], one[row],
        )  # fmt: skip
    assert findings() == {"ledger_entry"}


@contextmanager
def owner_of_the_tables(*tables: str) -> Iterator[None]:
    """Act as whoever may drop triggers."""
    for table in tables:
        if connection.vendor == "postgresql":
            sql("SET CONSTRAINTS ALL IMMEDIATE")
            sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        else:
            for what in ("update", "delete", "replace"):
                sql(f"DROP TRIGGER {table}_no_{what}")
    yield


def test_what_the_owner_of_the_tables_changes_is_found(filled: Books) -> None:
    with owner_of_the_tables("ledger_posting"):
        sql("UPDATE ledger_posting SET version = 'vol/2' WHERE currency = 'JPY'")
        assert findings() == {"ledger_entry"}
        sql("UPDATE ledger_posting SET version = 'vol/1' WHERE currency = 'JPY'")
        assert findings() == set()
        sql("DELETE FROM ledger_posting WHERE currency = 'JPY'")
        assert findings() == {"ledger_balance", "ledger_entry"}


def test_an_account_that_changes_hands_is_found(filled: Books) -> None:
    with owner_of_the_tables("ledger_account"):
        sql("UPDATE ledger_account SET payee = 'P666' WHERE currency = 'JPY'")
    assert findings() == {"ledger_entry"}


def test_the_proof_raises_an_alarm_that_names_the_balance(filled: Books) -> None:
    # Six accounts were held to finalise, two to provide, two to grant; and three entries.
    assert proofs.prove("books", at=NOW) == 0
    last = proofs.last("books")
    assert last is not None
    assert last.checked == 13
    Balance.objects.filter(account_id=account(Kind.ACCRUED)).update(credits=99_999)
    assert proofs.prove("books", at=NOW) == 1
    (alarm,) = alarms.sounding()
    assert "“Accrued” of partner P1, vol, 2026-01-01/2026-04-01, EUR says" in alarm.faults[0]
