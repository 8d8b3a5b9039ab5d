"""Whatever is delivered: it is told what came of it, its counts add up, and no job fails because of it."""

import datetime as dt
from decimal import Decimal
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.engine.findings import Refusal
from headrace.engine.schema import LINES
from headrace.programs import balances
from headrace.sales import deliveries
from headrace.sales.models import Batch, Delivery
from tests.intake.test_never_a_traceback import CELLS, HEAD
from tests.server.channel import HEADER, JANUARY, Team, activated, team, work
from tests.server.conftest import Admins

FEW = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people, and a program in force."""
    made = team(admins)
    activated(made)
    return made


def took(channel: Team, content: bytes, name: str = "any.csv", kind: str = "lines") -> Delivery:
    delivery = deliveries.deliver(
        name=name, content=BytesIO(content), kind=kind, profile="canonical", by=channel.loader, at=timezone.now()
    )
    work()
    delivery.refresh_from_db()
    return delivery


def assert_adds_up(delivery: Delivery) -> None:
    assert delivery.state != "queued"
    if delivery.report:
        parts = [delivery.report[name] for name in ("loaded", "rejected", "held", "unchanged")]
        assert delivery.report["received"]["rows"] == sum(part["rows"] for part in parts)
    assert delivery.state == "loaded" or delivery.findings.exists() or delivery.reason


@FEW
@given(content=st.one_of(st.binary(min_size=1, max_size=300), st.binary(max_size=300).map(lambda tail: HEAD + tail)))
def test_any_bytes(channel: Team, content: bytes) -> None:
    try:
        delivery = took(channel, content)
    except Refusal as refusal:
        if refusal.code != "file_content":
            raise
        return
    assert_adds_up(delivery)


@FEW
@given(rows=st.lists(st.lists(CELLS, min_size=6, max_size=8), min_size=1, max_size=12))
def test_any_cells(channel: Team, rows: list[list[str]]) -> None:
    text = HEAD + "\n".join(",".join(row) for row in rows).encode()
    try:
        delivery = took(channel, text)
    except Refusal as refusal:
        if refusal.code != "file_content":
            raise
        return
    assert_adds_up(delivery)


def earned(channel: Team) -> dict[str, Decimal]:
    found = balances.seen(channel.controller, at=timezone.now())
    return {each.key.payee_id: each.earned for each in found.standings}


@pytest.mark.parametrize(
    "name", ["ナ" * 150 + ".csv", "../../etc/passwd.csv", "-rf;$(x).csv", "..csv", "%s.csv", "a\nb.csv"]
)
def test_a_file_may_be_called_anything(channel: Team, name: str) -> None:
    assert took(channel, JANUARY.encode(), name).state == "loaded"
    assert earned(channel) == {"A": 60, "B": 5}


def test_text_in_utf_16_is_text(channel: Team) -> None:
    assert took(channel, JANUARY.encode("utf-16")).state == "loaded"
    assert earned(channel) == {"A": 60, "B": 5}


def test_a_workbook_loads(channel: Team) -> None:
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet()
    for number, line in enumerate(JANUARY.splitlines()):
        sheet.write_row(number, 0, line.split(","))
    book.close()
    assert took(channel, content.getvalue(), "january.xlsx").state == "loaded"
    assert earned(channel) == {"A": 60, "B": 5}


def parquet(partner: str) -> bytes:
    given = {
        "line_id": "a1", "kind": "sale", "stage": "sell_through", "occurred_on": dt.date(2026, 1, 5), "partner_id": partner,
        "product_id": "K1", "quantity": Decimal(1), "amount": Decimal(600), "currency": "USD",
    }  # fmt: skip
    content = BytesIO()
    pq.write_table(pa.table({name: pa.array([value], LINES[name].type) for name, value in given.items()}), content)
    return content.getvalue()


def test_a_parquet_file_loads(channel: Team) -> None:
    assert took(channel, parquet("A"), "january.parquet").state == "loaded"
    assert earned(channel) == {"A": 60}


@pytest.mark.parametrize("partner", ["A/../B", "<script>alert(1)</script>", "=1+1", "ナ" * 60, "'; drop table"])
def test_an_id_is_any_text_and_harms_nobody(channel: Team, partner: str) -> None:
    delivery = took(channel, parquet(partner), "january.parquet")
    assert_adds_up(delivery)
    if delivery.state == "loaded":
        assert earned(channel) == {partner: 60}
    took(channel, HEADER.encode() + b"b1,sale,sell_through,2026-02-28,B,K1,1,50,USD\n")
    assert earned(channel)["B"] == 5


def test_a_text_that_no_database_takes_is_refused_with_its_line(channel: Team) -> None:
    delivery = took(channel, parquet("A\0B"), "january.parquet")
    assert delivery.state == "refused"
    assert "a1" in delivery.reason
    assert "partner_id" in delivery.reason
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    "content",
    [b"partner_id\n", b"partner_id,level\n,gold\n", b"x\n1\n", b"\xff\xfe\x00", b"partner_id,partner_id\nA,B\n"],
)
def test_a_table_that_is_none_leaves_the_one_before(channel: Team, content: bytes) -> None:
    took(channel, b"partner_id,level\nA,gold\n", "partners.csv", "partners")
    wrong = took(channel, content, "wrong.csv", "partners")
    assert (wrong.state, bool(wrong.reason)) == ("refused", True)
    assert took(channel, JANUARY.encode()).state == "loaded"
    assert earned(channel)["A"] == 60
