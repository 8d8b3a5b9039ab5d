"""A quarter from the first draft to the locked books, played by its people; figures by hand and by the command line."""

import json
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from django.utils import timezone
from typer.testing import CliRunner

from headrace.cli.app import app
from headrace.closing import pack
from headrace.engine.findings import Refusal
from headrace.foundation import companies, files
from headrace.foundation.people import Person
from headrace.foundation.roles import Role
from headrace.governance import adjusting, assigning, guardrails
from headrace.governance.assigning import Whom
from headrace.governance.guardrails import Limit
from headrace.ledger import proof, reading
from headrace.ledger.kinds import Kind
from headrace.programs import balances, finalising, versions
from headrace.sales import deliveries, desk, repairing
from headrace.sales.models import Delivery
from headrace.workflow import requests
from tests.server.channel import HEADER, TERMS, Team, member_with, team, waiting, work
from tests.server.conftest import NOW, Admins
from tests.server.test_closing import close, found, lock, month, prove

D = Decimal
QUARTER = date(2026, 1, 1)
ENROLLED = TERMS.replace("schedule:", "enrolled: true\nschedule:")
COLUMNS = HEADER.strip().split(",")
# Each file has a row with a day that there is not; what it should have been stands behind it.
JANUARY = [
    ("a1", "sale", "sell_through", "2026-01-05", "A", "K1", "1", "600", "USD"),
    ("b1", "sale", "sell_through", "2026-02-28", "B", "K1", "1", "50", "USD"),
    ("x1", "sale", "sell_through", "2026-13-45", "B", "K1", "1", "70", "USD"),
]
FEBRUARY = [
    ("a2", "sale", "sell_through", "2026-02-05", "A", "K1", "1", "600", "USD"),
    ("x2", "sale", "sell_through", "2026-02-30", "B", "K1", "1", "90", "USD"),
]
MARCH = [
    ("a3", "sale", "sell_through", "2026-03-20", "A", "K1", "1", "300", "USD"),
    ("x3", "sale", "sell_through", "2026-03-32", "A", "K1", "1", "40", "USD"),
]
MEANT = {"x1": "2026-03-01", "x2": "2026-02-28", "x3": "2026-03-31"}
RETURN = ("r1", "return", "sell_through", "2026-04-10", "A", "K1", "-1", "-100", "USD", "a1")


def as_csv(rows: Sequence[tuple[str, ...]], *further: str) -> bytes:
    return "\n".join(",".join(row) for row in [(*COLUMNS, *further), *rows]).encode()


def as_workbook(rows: Sequence[tuple[str, ...]]) -> bytes:
    content = BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([COLUMNS, *rows]):
            sheet.write_row(number, 0, row)
    return content.getvalue()


def as_parquet(rows: Sequence[tuple[str, ...]]) -> bytes:
    content = BytesIO()
    columns = zip(COLUMNS, zip(*rows, strict=True), strict=True)
    pq.write_table(pa.table({name: list(values) for name, values in columns}), content)
    return content.getvalue()


def deliver(people: Team, name: str, content: bytes) -> Delivery:
    made = deliveries.deliver(
        name=name, content=BytesIO(content), kind="lines", profile="canonical", by=people.loader, at=timezone.now()
    )
    work()
    made.refresh_from_db()
    return made


def repair(people: Team, delivery: Delivery) -> None:
    """Correct the one row that did not load, and send it again."""
    (row,) = desk.rows(delivery.pk, people.loader, at=timezone.now())
    cells = {name: value for name, value, _ in row.cells}
    at = timezone.now()
    meant = {"occurred_on": MEANT[str(cells["line_id"])]}
    assert repairing.correct(row=row.row, values=meant, by=people.loader, at=at) == "ready"
    repairing.send_again(delivery=delivery.pk, by=people.loader, at=at)
    work()
    assert desk.account(delivery.pk, people.loader, at=timezone.now()).adds_up


def earned(viewer: Person) -> dict[str, Decimal]:
    return {each.key.payee_id: each.earned for each in balances.seen(viewer, at=timezone.now()).standings}


def decided(people: Team, by: Person) -> None:
    (asked,) = waiting(people)
    requests.approve(request=asked.request, by=by, at=timezone.now())
    work()


def in_force(people: Team, text: str) -> None:
    version = versions.draft(text=text, by=people.author, at=timezone.now())
    versions.step(version=version.pk, event="submit", by=people.author, at=timezone.now())
    decided(people, people.approver)
    versions.step(version=version.pk, event="activate", by=people.author, at=timezone.now())
    work()


def calculated(folder: Path) -> dict[str, Decimal]:
    """Calculate the quarter by the command line, from a file of the lines as they should be."""
    rows = [(*row[:3], MEANT.get(row[0], row[3]), *row[4:], "") for row in (*JANUARY, *FEBRUARY, *MARCH)]
    (folder / "lines.csv").write_bytes(as_csv([*rows, RETURN], "original_line_id"))
    inputs = "".join(f"  - {{ earner: {each}, enrolled_from: 2026-01-01 }}\n" for each in "AB")
    (folder / "terms.yaml").write_text(f"{ENROLLED}inputs:\n{inputs}", encoding="utf-8")
    words = ["calculate", str(folder / "terms.yaml"), "--lines", str(folder / "lines.csv"), "--json"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    statements = json.loads(ended.stdout)["statements"]
    return {
        each["payee"]["id"]: D(each["earned"]) for each in statements if each["period"]["from"] == QUARTER.isoformat()
    }


@pytest.mark.django_db
def test_a_quarter_from_the_draft_to_the_locked_books(admins: Admins, tmp_path: Path) -> None:
    people = team(admins, NOW)
    manager = member_with(admins, "may", Role.ACCOUNT_MANAGER, at=NOW)
    limit = Limit(kind="highest_rate", value=D("0.25"))
    guardrails.propose(limit=limit, reason="Corporate policy", by=people.analyst, at=timezone.now())
    decided(people, people.controller)

    # A rate of 35 % is more than corporate allows; 20 % is not.
    greedy = versions.draft(text=ENROLLED.replace("0.2", "0.35"), by=people.author, at=timezone.now())
    with pytest.raises(Refusal) as refusal:
        versions.step(version=greedy.pk, event="submit", by=people.author, at=timezone.now())
    assert refusal.value.code == "guardrail"
    in_force(people, ENROLLED)
    whom = Whom(partners=("A", "B"))
    assigning.assign(program="volume", whom=whom, from_on=QUARTER, by=people.author, at=timezone.now())

    january = deliver(people, "january.csv", as_csv(JANUARY))
    assert earned(people.controller) == {"A": 60, "B": 5}
    repair(people, january)
    assert earned(people.controller) == {"A": 60, "B": 12}
    february = deliver(people, "february.xlsx", as_workbook(FEBRUARY))
    assert earned(people.controller) == {"A": 140, "B": 12}  # 1,000 × 10 % + 200 × 20 %
    repair(people, february)
    march = deliver(people, "march.parquet", as_parquet(MARCH))
    repair(people, march)
    assert earned(people.controller) == {"A": 208, "B": 21}  # 100 + 540 × 20 %; 210 × 10 %
    # A return in April leaves the place of its sale, which was in January.
    deliver(people, "return.csv", as_csv([RETURN], "original_line_id"))
    assert earned(people.controller) == {"A": 188, "B": 21}
    assert earned(people.partner_a) == {"A": 188}
    assert calculated(tmp_path) == {"A": 188, "B": 21}

    finalising.ask(program="volume", period_from=QUARTER, by=people.analyst, at=timezone.now())
    work()
    decided(people, people.controller)
    stated = finalising.statements(people.partner_a, at=timezone.now())
    assert [(each.payee_id, each.amount) for each in stated] == [("A", D(188))]

    asked_at = timezone.now()
    adjusting.ask(wanted=goodwill(), evidence=evidence(manager, asked_at), by=manager, at=asked_at)
    decided(people, people.controller)
    assert liabilities() == {"A": 213, "B": 21}

    close(people, 1, 2, 3)
    prove()
    for number in (1, 2, 3):
        assert found(people, number) == {}
        lock(people, number)
    built = pack.build(month(3))
    assert built.steps
    assert [step for step in built.steps if step.difference] == []
    assert proof.prove().findings == ()


def goodwill() -> adjusting.Wanted:
    return adjusting.Wanted(
        program="volume", version=1, partner="A", from_=QUARTER, until=date(2026, 4, 1), amount=D(25), currency="USD",
        reason_code="goodwill", note="The portal was down for a week.", lines={},
    )  # fmt: skip


def evidence(by: Person, at: datetime) -> uuid.UUID:
    return files.store(name="mail.csv", content=BytesIO(b"agreed,25\n"), organisation="vendor", by=by, at=at).pk


def liabilities() -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for row in reading.balances(companies.find("US"), kinds=(Kind.ACCRUED, Kind.PAYABLE)):
        sums[row.account.key.payee] = sums.get(row.account.key.payee, D(0)) - row.amount
    return sums
