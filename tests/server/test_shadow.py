"""Shadow mode: a version is calculated beside what was paid the old way, posts nothing, and differences have causes."""

from decimal import Decimal
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from xlsxwriter import Workbook

from headrace.engine.findings import Refusal
from headrace.foundation import companies
from headrace.governance import shadow
from headrace.governance.models import Shadow
from headrace.governance.shadow import Ours, cause_of
from headrace.ledger import reading
from headrace.programs import balances, versions
from headrace.programs.models import Version
from tests.server.channel import JANUARY, TERMS, Team, activated, delivered, team, work
from tests.server.conftest import Admins
from tests.server.test_routes import with_second_factor

pytestmark = pytest.mark.django_db
D = Decimal
LINES = """\
line_id,kind,stage,occurred_on,partner_id,product_id,quantity,amount,currency,received_on
a1,sale,sell_through,2026-01-05,A,K1,1,600,USD,2026-01-05
a2,sale,sell_through,2026-02-05,A,K1,1,600,USD,2026-02-05
b1,sale,sell_through,2026-02-28,B,K1,1,50,USD,2026-02-28
c1,sale,sell_through,2026-01-10,C,K1,1,100,USD,2026-01-10
c2,return,sell_through,2026-02-01,C,K1,-1,-40,USD,2026-02-01
d1,sale,sell_through,2026-01-10,D,K1,1,200,USD,2026-01-10
d2,sale,sell_through,2026-03-30,D,K1,1,100,USD,2026-04-20
f1,sale,sell_in,2026-01-10,F,K1,1,500,USD,2026-01-10
g1,sale,sell_through,2026-01-10,G,K1,1,100,USD,2026-01-10
h1,sale,sell_through,2026-01-10,H,K1,1,100,USD,2026-01-10
"""
PAID = {"A": "140", "B": "5.01", "C": "10", "D": "20", "E": "12", "F": "7", "H": "9"}
OLD = "partner,from,until,amount\n" + "".join(f"{each},2026-01-01,2026-04-01,{paid}\n" for each, paid in PAID.items())


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people, and lines."""
    made = team(admins)
    delivered(made, LINES)
    return made


def drafted(channel: Team, text: str = TERMS) -> Version:
    return versions.draft(text=text, by=channel.author, at=timezone.now())


def held_against(channel: Team, version: Version, content: bytes, name: str = "old.csv") -> shadow.Shown:
    made = shadow.start(version=version.pk, name=name, content=content, by=channel.author, at=timezone.now())
    work()
    return shadow.one(made.pk, channel.controller, at=timezone.now())


def test_differences_are_grouped_by_cause(channel: Team) -> None:
    run = held_against(channel, drafted(channel), OLD.encode())
    assert (run.state, run.as_of_batch, run.currency) == ("done", 1, "USD")
    assert {row["partner"]: (row["old"], row["shadow"], row["difference"], row["cause"]) for row in run.rows} == {
        "A": ("140", "140", "0", "equal"),  # 1,000 × 10 % + 200 × 20 %
        "B": ("5.01", "5", "-0.01", "rounding"),
        "C": ("10", "6", "-4", "returns"),  # 100 × 10 % was paid; 40 came back
        "D": ("20", "30", "10", "late_lines"),  # 100 arrived on 20 April
        "E": ("12", "0", "-12", "no_lines"),
        "F": ("7", "0", "-7", "not_earning"),  # sold in, and sell-through earns
        "G": ("0", "10", "10", "only_here"),
        "H": ("9", "10", "1", "calculation"),
    }
    groups = {each["cause"]: (each["rows"], each["difference"]) for each in run.groups}
    assert groups[shadow.CAUSES["returns"]] == ("1", "-4")
    # Every difference is in one group: 201 in all, and 203.01 were paid.
    assert sum((D(each["difference"]) for each in run.groups), D(0)) == D("201") - D("203.01")
    assert sum((D(each["old"]) for each in run.groups), D(0)) == D("203.01")


def test_it_computes_and_posts_nothing(channel: Team) -> None:
    version = drafted(channel)
    held_against(channel, version, OLD.encode())
    version.refresh_from_db()
    assert version.state == "draft"
    assert balances.seen(channel.controller, at=timezone.now()).standings == ()
    assert reading.balances(companies.find("US")) == ()


def test_more_lines_and_working_it_out_again(channel: Team) -> None:
    run = held_against(channel, drafted(channel), OLD.encode())
    delivered(
        channel, LINES.splitlines()[0] + "\ne1,sale,sell_through,2026-01-10,E,K1,1,120,USD,2026-01-10\n", name="e.csv"
    )
    shadow.again(shadow=run.shadow, by=channel.author, at=timezone.now())
    work()
    again = shadow.one(run.shadow, channel.controller, at=timezone.now())
    assert again.as_of_batch == 2
    (of_e,) = [row for row in again.rows if row["partner"] == "E"]
    assert (of_e["shadow"], of_e["cause"]) == ("12", "equal")


def test_a_workbook_does_as_well(channel: Team) -> None:
    content = BytesIO()
    with Workbook(content) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(OLD.splitlines()):
            sheet.write_row(number, 0, row.split(","))
    run = held_against(channel, drafted(channel), content.getvalue(), "old.xlsx")
    assert {row["partner"] for row in run.rows if row["cause"] == "equal"} == {"A"}


def test_an_amendment_is_shadowed_alone_in_the_place_of_what_is_in_force(channel: Team) -> None:
    activated(channel)
    second = drafted(channel, TERMS.replace("name:", "version: 2\nname:").replace("rate: 0.2", "rate: 0.3"))
    run = held_against(channel, second, OLD.encode())
    # A: 1,000 × 10 % + 200 × 30 %.
    (of_a,) = [row for row in run.rows if row["partner"] == "A"]
    assert (of_a["shadow"], of_a["cause"]) == ("160", "calculation")


@pytest.mark.parametrize(
    ("old", "ours", "cause"),
    [
        ("10", Ours(D(10), D(-2), D(3), 1, 1), "equal"),
        ("10", Ours(D("10.01"), D("0.01"), D(0), 1, 1), "rounding"),
        ("10", Ours(D("10.02"), D(0), D(0), 1, 1), "calculation"),
        ("10", Ours(D(8), D(-2), D(-2), 2, 2), "returns"),
        (None, Ours(D(8), D(0), D(8), 2, 2), "only_here"),
        ("0.01", Ours(), "no_lines"),
        ("0.01", Ours(lines=4), "not_earning"),
    ],
)
def test_the_surest_cause_is_named(old: str | None, ours: Ours, cause: str) -> None:
    assert cause_of(None if old is None else D(old), ours, D("0.01")) == cause


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"partner,amount\nA,5\n", "needs the columns"),
        (b"partner,from,until,amount\n", "fault"),
        (b"partner,from,until,amount\nA,2026-01-01,2026-04-01,many\n", "Row 2"),
        (b"partner,from,until,amount\nA,January,2026-04-01,5\n", "Row 2"),
        (b"partner,from,until,amount\nA,2026-01-01,2026-04-01,NaN\n", "Row 2"),
        (b"partner,from,until,amount\nA,,,5\nA,,,6\n", "Row 3"),
        (b"partner,from,until,amount\n,,,5\n", "Row 2"),
    ],
)
def test_a_file_with_faults_starts_nothing(channel: Team, content: bytes, told: str) -> None:
    with pytest.raises(Refusal, match=told) as refusal:
        held_against(channel, drafted(channel), content)
    assert refusal.value.code == "old_results_faulty"
    assert not Shadow.objects.exists()


def test_before_any_line_everything_is_missing(admins: Admins) -> None:
    made = team(admins)
    run = held_against(made, drafted(made), OLD.encode())
    assert {row["cause"] for row in run.rows} == {"no_lines"}


def test_the_pages_start_and_show_it(channel: Team) -> None:
    version = drafted(channel)
    author = with_second_factor(channel.author)
    faulty = author.post(
        f"/shadow/start/{version.pk}", {"file": SimpleUploadedFile("old.csv", JANUARY.encode())}, secure=True
    )
    assert faulty.status_code == 422
    sent = author.post(
        f"/shadow/start/{version.pk}", {"file": SimpleUploadedFile("old.csv", OLD.encode())}, secure=True
    )
    assert sent.status_code == 302
    work()
    page = author.get(sent["Location"], secure=True).content.decode()
    assert "<td>C</td><td>2026-01-01</td><td>2026-04-01</td><td>returns</td><td>10</td><td>6</td><td>-4</td>" in page
    rows = author.get(sent["Location"] + "/differences.csv", secure=True).content.decode().splitlines()
    assert "H,2026-01-01,2026-04-01,9,10,1,calculation" in rows
    assert author.post(sent["Location"] + "/again", secure=True).status_code == 302
    assert "volume" in author.get("/shadow/", secure=True).content.decode()
