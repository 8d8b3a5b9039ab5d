"""The audit pack of a close, added up again from its files by plain Python; figures worked by hand, both databases."""

import csv
import hashlib
import io
import json
import uuid
import zipfile
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from headrace.closing import pack
from headrace.closing.models import AuditPack
from headrace.engine.findings import Refusal
from headrace.foundation import audit
from tests.server.channel import HEADER, JANUARY, Team, activated, delivered, team, work
from tests.server.conftest import Admins
from tests.server.test_closing import close, explain, finalise, lock, month, prove
from tests.server.test_routes import with_second_factor

pytestmark = pytest.mark.django_db
D = Decimal
NOT_HERE = HEADER + (
    "t1,training,sell_through,2026-01-07,A,K1,1,0,USD\n"
    "a7,sale,sell_in,2026-01-08,A,K1,1,90,USD\n"
    "a8,sale,sell_through,2026-04-02,A,K1,1,35,USD\n"
    "e1,training,sell_through,2026-01-09,B,K1,2,40,EUR\n"
)


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give a quarter that is finalised, with rejected rows, unchanged ones, and lines that do not count, each known by hand."""
    made = team(admins)
    work()
    activated(made)
    delivered(made, JANUARY)
    delivered(made, JANUARY, name="again.csv")
    delivered(made, NOT_HERE, name="others.csv")
    finalise(made)
    return made


def locked(channel: Team) -> uuid.UUID:
    close(channel, 1, 2, 3)
    prove()
    for number in (1, 2, 3):
        explain(channel, "rows_waiting", number)
        lock(channel, number)
    return month(3)


def files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def added(rows: list[dict[str, str]], value: str, *by: str) -> dict[tuple[str, ...], Any]:
    sums: dict[tuple[str, ...], Any] = Counter()
    for row in rows:
        sums[tuple(row[name] for name in by)] += D(row[value])
    return dict(sums)


def test_every_step_ties_out_and_the_files_add_up_again(channel: Team) -> None:
    built = pack.build(locked(channel))
    assert [one for one in built.steps if one.difference] == []
    found = files(built.content)
    parts = added(table(found["deliveries.csv"]), "value", "part", "unit")
    # 3 + 3 + 4 rows came: 720, the same again, 90 + 35 dollars and 40 euros; the row without a day is rejected twice.
    assert parts["received", "rows"] == 10
    assert (parts["loaded", "rows"], parts["rejected", "rows"], parts["unchanged", "rows"]) == (6, 2, 2)
    assert (parts["received", "USD"], parts["loaded", "USD"], parts["unchanged", "USD"]) == (1565, 775, 650)
    for unit in ("rows", "USD", "EUR"):
        others = sum(parts.get((part, unit), D(0)) for part in ("loaded", "rejected", "held", "unchanged"))
        assert parts["received", unit] == others
    batches = added(table(found["batches.csv"]), "value", "unit")
    assert batches == {("rows",): 6, ("USD",): 775, ("EUR",): 40}

    lines = added(table(found["lines.csv"]), "value", "outcome", "unit")
    assert (lines["earned", "rows"], lines["earned", "USD"]) == (2, 650)
    # April is another quarter; training is no sale, and the sell-in is of another stage.
    assert lines["qualified for another period", "USD"] == 35
    assert (lines["kind", "rows"], lines["kind", "EUR"]) == (2, 40)
    assert (lines["stage", "rows"], lines["stage", "USD"]) == (1, 90)
    assert sum(value for (_, unit), value in lines.items() if unit == "rows") == batches["rows",]
    assert sum(value for (_, unit), value in lines.items() if unit == "EUR") == 40

    # A: 600 × 10 %; B: 50 × 10 %.
    awards = added(table(found["awards.csv"]), "award", "payee", "currency")
    statements = added(table(found["statements.csv"]), "to_post", "payee", "currency")
    assert awards == statements == {("A", "USD"): 60, ("B", "USD"): 5}
    postings = table(found["postings.csv"])
    assert added([row for row in postings if row["purpose"] == "earn"], "amount", "payee", "currency") == awards
    moved: dict[tuple[str, str], Any] = Counter()
    for row in postings:
        moved[row["debit"], row["currency"]] -= D(row["amount"])
        moved[row["credit"], row["currency"]] += D(row["amount"])
    balances = {(row["account"], row["currency"]): row for row in table(found["balances.csv"])}
    assert {key: D(row["moved"]) for key, row in balances.items()} == dict(moved)
    assert all(D(row["before"]) + D(row["moved"]) == D(row["after"]) for row in balances.values())
    assert D(balances["accrued", "USD"]["after"]) == 65
    (rolled,) = table(found["roll_forward.csv"])
    assert (rolled["provided"], rolled["closing"]) == ("65.00", "65.00")


def test_the_same_close_gives_the_same_bytes_whatever_came_after(channel: Team) -> None:
    period = locked(channel)
    first = pack.build(period).content
    delivered(channel, HEADER + "z1,sale,sell_through,2026-03-05,A,K1,1,5,USD\n", name="later.csv")
    prove()
    assert pack.build(period).content == first
    manifest = json.loads(files(first)["manifest.json"])
    for name, data in files(first).items():
        if name != "manifest.json":
            assert manifest[name]["sha256"] == hashlib.sha256(data).hexdigest()
    chain = json.loads(files(first)["chain.json"])
    # The head is that of the lock, and still a link of the chain.
    assert audit.verify(audit.Head.parse(chain["audit_chain_head"])).findings == ()


def test_the_sample_brings_its_evidence(channel: Team) -> None:
    found = files(pack.build(locked(channel)).content)
    samples = sorted({name.split("/")[1] for name in found if name.startswith("sample/")})
    assert samples == ["01", "02"]
    for each in samples:
        evidence = json.loads(found[f"sample/{each}/evidence.json"])
        (statement,) = table(found[f"sample/{each}/statement.csv"])
        lines = table(found[f"sample/{each}/lines.csv"])
        assert statement["payee_id"] == evidence["payee"]
        assert sum(D(row["award"]) for row in lines) == D(statement["to_post"])
        assert evidence["verified"] == {"differences": 0, "statements": 2, "awards": 2, "first": []}
        assert evidence["batch_seq"] == 2
        assert len(evidence["terms"][0]["hash"]) == 64


def test_a_run_that_was_changed_is_told_on_the_cover(channel: Team) -> None:
    period = locked(channel)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE programs_finalposting DISABLE TRIGGER ALL")
        else:
            cursor.execute("DROP TRIGGER programs_finalposting_no_update")
        cursor.execute("UPDATE programs_finalposting SET amount = '61' WHERE payee_id = 'A'")
    built = pack.build(period)
    wrong = [(one.name, one.left, one.right) for one in built.steps if one.difference]
    assert wrong == [("5 payable", D(65), D(66)), ("6 in the books", D(66), D(65))]
    assert "2 of" in files(built.content)["cover.html"].decode()
    assert "do NOT tie out" in files(built.content)["cover.html"].decode()


def test_what_was_explained_and_decided_is_in_it(channel: Team) -> None:
    found = files(pack.build(locked(channel)).content)
    (said,) = table(found["overrides.csv"])
    assert (said["check"], said["reason"], said["by"]) == (
        "rows_waiting", "B settles by hand.", f"person:{channel.analyst.pk}",
    )  # fmt: skip
    kinds = [row["kind"] for row in table(found["requests.csv"])]
    assert kinds == ["program_version", "finalisation"]
    assert "B settles by hand." in found["cover.html"].decode()
    changes = table(found["reference_changes.csv"])
    assert [(row["what"], row["kind"], row["source"]) for row in changes] == [("terms", "volume", "version 1")]


def test_a_pack_is_asked_for_made_by_the_worker_and_handed_out(channel: Team) -> None:
    analyst, auditor = with_second_factor(channel.analyst), with_second_factor(channel.auditor)
    loader = with_second_factor(channel.loader)
    with pytest.raises(Refusal, match="Lock it first"):
        pack.ask(period=month(1), by=channel.analyst, at=timezone.now())
    period = locked(channel)
    assert loader.post(f"/closing/{period}/pack", secure=True).status_code == 403
    assert analyst.post(f"/closing/{period}/pack", secure=True).status_code == 302
    assert analyst.post(f"/closing/{period}/pack", secure=True).status_code == 302
    made = AuditPack.objects.get()
    address = f"/closing/packs/{made.pk}"
    assert auditor.get(address, secure=True).status_code == 404
    work()
    made.refresh_from_db()
    answer: Any = auditor.get(address, secure=True)
    content = b"".join(answer.streaming_content)
    assert hashlib.sha256(content).hexdigest() == made.sha256
    assert (made.differences, len(content)) == (0, made.size)
    assert loader.get(address, secure=True).status_code == 403
    assert f'href="{address}"' in auditor.get(f"/closing/{period}/", secure=True).content.decode()
    # Made again, as after a worker that was killed before it noted the pack: the same.
    AuditPack.objects.model._base_manager.filter(pk=made.pk).update(
        sha256="", size=None, differences=None, made_at=None
    )
    assert pack.make(pack=made.pk, at=timezone.now()) == made.sha256
