"""From signing in to a statement, through the pages, with the figures worked by hand; on SQLite and on PostgreSQL."""

import re
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import audit
from headrace.foundation.models import Person
from headrace.programs import balances, finalising, versions
from headrace.programs.models import Finalisation, FinalPosting, LivePosting, LiveStatement, Version
from headrace.sales import deliveries
from headrace.sales.models import Batch, Delivery, DeskFault, DeskRow
from headrace.workflow import requests
from headrace.workflow.models import Request
from tests.server.channel import FEBRUARY, JANUARY, TERMS, Team, activated, delivered, team, work
from tests.server.conftest import Admins
from tests.server.test_routes import with_second_factor as signed_in


class Browser(Client):
    """A client that speaks HTTPS."""

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        return super().generic(*args, **{**kwargs, "secure": True})


def with_second_factor(person: Person) -> Browser:
    """Sign a person in."""
    browser = Browser()
    browser.cookies = signed_in(person).cookies
    return browser


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


def earned(channel: Team) -> dict[str, Decimal]:
    found = balances.seen(channel.controller, at=timezone.now())
    return {each.key.payee_id: each.earned for each in found.standings}


def test_from_sign_in_to_statement_through_the_pages(channel: Team) -> None:
    author, approver = with_second_factor(channel.author), with_second_factor(channel.approver)
    loader, analyst = with_second_factor(channel.loader), with_second_factor(channel.analyst)
    controller, ann = with_second_factor(channel.controller), with_second_factor(channel.partner_a)

    assert author.post("/programs/save", {"text": TERMS}).status_code == 302
    step(author, "submit")
    decide(approver)
    step(author, "activate")

    file = SimpleUploadedFile("january.csv", JANUARY.encode())
    given = {"file": file, "kind": "lines", "profile": "canonical", "rows": "3", "amount": "720"}
    sent = loader.post("/sales/deliver", given)
    assert sent.status_code == 302
    work()
    page = loader.get(sent["Location"]).content.decode()
    # 3 rows came, of 600, 50 and 70; the third has no such day.
    assert "Loaded as batch 1" in page
    assert re.search(
        r'Loaded</th><td class="figure">2</td><td class="figure">2</td><td class="figure">650.00 USD', page
    )
    assert re.search(r"<td>4</td><td>occurred_on</td><td>error</td>", page)
    assert "Amount: stated 720, found 720: agrees" in page

    # A: 600 × 10 %; 400 more to the second tier.
    page = ann.get("/balances/").content.decode()
    assert "60.00 USD" in page
    assert ">400<" in page
    assert "5.00 USD" not in page

    assert analyst.post("/programs/of/volume/finalise", {"from": "2026-01-01"}).status_code == 302
    work()
    asked = decide(analyst, status=409)
    assert "65.00 USD" in asked
    decide(controller)
    work()
    page = ann.get("/statements/").content.decode()
    assert "60.00 USD" in page
    link = re.search(r'href="(/statements/[0-9a-f]+/\?payee=A)"', page)
    assert link is not None
    assert "60.00 USD" in ann.get(link[1]).content.decode()
    written = ann.get(link[1].replace("/?", "/csv?")).content.decode().splitlines()
    assert len(written) == 2
    assert not {"accrued", "forecast"} & set(written[0].split(","))
    assert ann.get(link[1].replace("payee=A", "payee=B")).status_code == 404
    assert controller.get(link[1].replace("payee=A", "payee=B")).status_code == 200
    assert audit.verify().findings == ()


def step(client: Client, event: str) -> None:
    version = Version.objects.get()
    assert client.post(f"/programs/version/{version.pk}/{event}").status_code == 302


def decide(client: Client, status: int = 302) -> str:
    """Approve what is open; gives the page on which it was decided."""
    (waiting,) = Request.objects.filter(state="open")
    page = client.get(f"/requests/{waiting.pk}/")
    assert client.post(f"/requests/{waiting.pk}/approve").status_code == status
    return str(page.content.decode())


def finalised(channel: Team) -> Finalisation:
    """Ask for the first quarter, approve it, and let the worker post it."""
    now = timezone.now()
    asked = finalising.ask(program="volume", period_from=date(2026, 1, 1), by=channel.analyst, at=now)
    work()
    (waiting,) = [each for each in requests.listed(channel.controller, at=now) if each.state == "open"]
    requests.approve(request=waiting.request, by=channel.controller, at=now)
    work()
    asked.refresh_from_db()
    return asked


def posted() -> list[tuple[str, Decimal]]:
    return [(row.payee_id, row.amount) for row in FinalPosting.objects.order_by("pk")]


def test_late_lines_are_an_adjustment_of_the_next_finalisation(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    assert finalised(channel).state == "done"
    delivered(channel, FEBRUARY, name="february.csv")
    # A: 1,200 in all, 1,000 × 10 % + 200 × 20 %.
    assert earned(channel) == {"A": 140, "B": 5}
    again = finalised(channel)
    assert (again.state, again.figures["to_post"]) == ("done", {"USD": "80.000000"})
    assert posted() == [("A", Decimal(60)), ("B", Decimal(5)), ("A", Decimal(80))]
    # Nothing came since: nothing is posted, and the period stays as it is.
    assert finalised(channel).run is None
    assert len(posted()) == 3


def test_what_is_posted_is_what_was_approved_or_nothing(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    now = timezone.now()
    asked = finalising.ask(program="volume", period_from=date(2026, 1, 1), by=channel.analyst, at=now)
    work()
    # Later lines do not touch it: it reads the lake as of its batch.
    delivered(channel, FEBRUARY, name="february.csv")
    # New terms do: 2026's first quarter at 30 % from 500 on.
    changed = TERMS.replace("1000, rate: 0.2", "500, rate: 0.3").replace("name:", "version: 2\nname:")
    second = versions.draft(text=changed.replace("from: 2026-01-01", "from: 2026-01-02"), by=channel.author, at=now)
    versions.step(version=second.pk, event="submit", by=channel.author, at=now)
    work()
    by_kind = {each.kind: each for each in requests.listed(channel.controller, at=now) if each.state == "open"}
    requests.approve(request=by_kind["program_version"].request, by=channel.approver, at=now)
    versions.step(version=second.pk, event="activate", by=channel.author, at=now)
    requests.approve(request=by_kind["finalisation"].request, by=channel.controller, at=now)
    work()
    asked.refresh_from_db()
    assert asked.state == "refused"
    assert "not what was approved" in asked.reason
    assert posted() == []


def test_the_same_file_again_adds_nothing(channel: Team) -> None:
    activated(channel)
    first = delivered(channel, JANUARY)
    again = delivered(channel, JANUARY, name="the same.csv")
    assert (first.state, again.state, again.batch_seq) == ("loaded", "nothing_new", None)
    assert (Batch.objects.count(), LivePosting.objects.count()) == (1, 2)


def test_a_second_try_reports_what_the_first_would_have(channel: Team) -> None:
    first = delivered(channel, JANUARY)
    report, findings = first.report, list(first.findings.values_list("row", "code"))
    # As a worker leaves it that is killed after the lines are in the lake and before it says so.
    again = Delivery.objects.get()
    again.state, again.done_at, again.report = "queued", None, {}
    again.save()
    first.findings.all().delete()
    DeskFault.objects.all().delete()
    DeskRow.objects.all().delete()
    assert deliveries.load(delivery=again.pk, at=timezone.now()) == "loaded"
    again.refresh_from_db()
    assert (again.report, list(again.findings.values_list("row", "code")), again.batch_seq) == (report, findings, 1)
    assert Batch.objects.count() == 1


def test_control_totals_that_differ_load_nothing(channel: Team) -> None:
    delivery = delivered(channel, JANUARY, stated={"amount": "721"})
    assert delivery.state == "held"
    assert not Batch.objects.exists()
    shown = deliveries.one(delivery.pk, channel.controller, at=timezone.now())
    assert shown.totals == (("amount", "721", "720.000000", False),)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "no header here"])
def test_a_file_that_is_none_is_told_and_never_a_failed_job(channel: Team, text: str) -> None:
    delivery = delivered(channel, text)
    assert delivery.state == "refused"
    assert delivery.findings.exists()
    assert not Batch.objects.exists()


@pytest.mark.parametrize(("text", "code"), [("", "file_size"), ("\x00\x01", "file_content")])
def test_what_is_no_text_is_not_taken(channel: Team, text: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        delivered(channel, text)
    assert refused.value.code == code
    assert not Delivery.objects.exists()


def test_partners_see_their_own_and_nothing_else_exists(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    now = timezone.now()
    seen = balances.seen(channel.partner_b, at=now)
    assert [(each.key.payee_id, each.earned) for each in seen.standings] == [("B", Decimal(5))]
    assert balances.seen(channel.partner_b, payee="A", at=now).standings == ()
    bob = with_second_factor(channel.partner_b)
    assert bob.get("/balances/of?program=volume&payee=A").status_code == 404
    assert bob.get("/balances/of?program=volume&payee=nobody").status_code == 404
    assert bob.get("/balances/of?program=volume&payee=B").status_code == 200
    assert "60.00" not in bob.get("/balances/?payee=A").content.decode()


def test_reference_tables_come_in_as_files_too(channel: Team) -> None:
    gold = TERMS.replace("schedule:", "partners: \"partner.level = 'gold'\"\nschedule:")
    with pytest.raises(Refusal, match=r"There is no column partner\.level") as refused:
        activated(channel, gold)
    assert refused.value.code == "terms_faulty"
    delivered(channel, JANUARY)
    table = delivered(channel, "partner_id,level\nA,gold\nB,silver\n", name="partners.csv", kind="partners", profile="")
    assert table.state == "loaded"
    activated(channel, gold)
    work()
    assert earned(channel) == {"A": 60}
    delivered(channel, "partner_id,level\nA,silver\nB,gold\n", name="partners.csv", kind="partners", profile="")
    assert earned(channel) == {"B": 5}
    without = delivered(channel, "partner_id,region\nA,EMEA\n", name="regions.csv", kind="partners", profile="")
    assert without.state == "refused"
    assert earned(channel) == {"B": 5}


def test_terms_that_were_changed_behind_the_services_calculate_nothing(channel: Team) -> None:
    version = activated(channel)
    changed = {**version.document, "schedule": {"tiers": [{"from": "0", "rate": "0.9"}]}}
    QuerySet.update(Version.objects.filter(pk=version.pk), document=changed)
    with pytest.raises(Refusal) as refused:
        balances.bring_up()
    assert refused.value.code == "terms_not_approved"


def test_a_file_that_is_not_in_the_figures_yet_is_told(channel: Team) -> None:
    activated(channel)
    now = timezone.now()
    delivery = deliveries.deliver(
        name="january.csv",
        content=BytesIO(JANUARY.encode()),
        kind="lines",
        profile="canonical",
        by=channel.loader,
        at=now,
    )
    deliveries.load(delivery=delivery.pk, at=now)
    controller = with_second_factor(channel.controller)
    assert "1 file is loaded and not in these figures yet" in controller.get("/balances/").content.decode()
    work()
    assert "not in these figures" not in controller.get("/balances/").content.decode()


def test_balances_are_proven_by_a_job(channel: Team) -> None:
    activated(channel)
    delivered(channel, JANUARY)
    assert balances.prove() == 2
    LiveStatement.objects.filter(payee_id="B").update(earned="6")
    with pytest.raises(Refusal, match=r"earned: stands 6, computed 5") as refused:
        balances.prove()
    assert refused.value.code == "balances_differ"


def test_a_period_that_lasts_is_not_finalised(channel: Team) -> None:
    activated(channel, TERMS.replace("2027-01-01", "2036-01-01"))
    far = JANUARY.replace("2026-01-05", "2035-01-05")
    delivered(channel, far)
    with pytest.raises(Refusal) as refused:
        finalising.ask(program="volume", period_from=date(2035, 1, 1), by=channel.analyst, at=timezone.now())
    assert refused.value.code == "period_open"
    assert not Finalisation.objects.exists()
