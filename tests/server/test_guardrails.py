"""Guardrails: said when drafted, held when submitted and activated, passed by an exception of another person only."""

from decimal import Decimal

import pytest
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.engine.terms import loads
from headrace.foundation.people import Person
from headrace.foundation.roles import Role
from headrace.governance import budgets, checking, guardrails
from headrace.governance.budgets import Wanted
from headrace.governance.guardrails import Limit
from headrace.governance.models import Guardrail, Waiver
from headrace.programs import versions
from headrace.programs.models import Version
from headrace.workflow import requests
from tests.server.channel import HEADER, TERMS, Team, activated, delivered, member_with, team, waiting, work
from tests.server.conftest import Admins
from tests.server.test_routes import with_second_factor

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people."""
    return team(admins)


@pytest.fixture
def second_controller(admins: Admins) -> Person:
    return member_with(admins, "carl", Role.CONTROLLER, at=timezone.now())


def in_force(channel: Team, kind: str, **limit: object) -> Guardrail:
    """Have a guardrail proposed by the analyst and agreed to by the controller."""
    made = guardrails.propose(
        limit=Limit(kind=kind, **limit),  # type: ignore[arg-type]
        reason="Corporate policy",
        by=channel.analyst,
        at=timezone.now(),
    )
    decide(channel, channel.controller)
    return Guardrail.objects.get(pk=made.pk)


def decide(channel: Team, by: Person, kind: str = "") -> None:
    (asked,) = [each for each in waiting(channel) if not kind or each.kind == kind]
    requests.approve(request=asked.request, by=by, at=timezone.now())


def drafted(channel: Team, text: str = TERMS) -> Version:
    return versions.draft(text=text, by=channel.author, at=timezone.now())


def said(channel: Team, version: Version) -> list[str]:
    return [each.code for each in versions.findings(version.pk, channel.author, at=timezone.now())]


def submit(channel: Team, version: Version) -> None:
    versions.step(version=version.pk, event="submit", by=channel.author, at=timezone.now())


def refused(channel: Team, version: Version, event: str = "submit") -> str:
    with pytest.raises(Refusal) as refusal:
        versions.step(version=version.pk, event=event, by=channel.author, at=timezone.now())
    assert refusal.value.code == "guardrail"
    return refusal.value.message


def terms(schedule: str, more: str = "") -> str:
    return f"program: p\ncurrency: USD\nvalid: {{ from: 2026-01-01, until: 2027-01-01 }}\n{more}schedule:\n{schedule}"


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [
        ("  tiers: [ { from: 0, rate: 0.1 }, { from: 1000, rate: 0.2 } ]\n", "0.2"),
        # Every tier that is reached pays on everything: 10 % and 20 %.
        ("  mode: total\n  tiers: [ { from: 0, rate: 0.1 }, { from: 1000, rate: 0.2 } ]\n", "0.3"),
        # The dearer of two boosts counts; multiplied, they are 2 × 1.5.
        (
            "  tiers: [ { from: 0, rate: 0.1 } ]\n  boosts: [ { when: \"line.unit = 'a'\", factor: 2 }, "
            "{ when: \"line.unit = 'b'\", factor: 1.5 } ]\n",
            "0.2",
        ),
        (
            "  boost_rule: multiply\n  tiers: [ { from: 0, rate: 0.1 } ]\n  boosts: [ { when: \"line.unit = 'a'\", factor: 2 }, "
            "{ when: \"line.unit = 'b'\", factor: 1.5 } ]\n",
            "0.3",
        ),
        (
            "  tiers: [ { from: 0, rate: 0.1 } ]\n  changes: [ { on: 2026-07-01, tiers: [ { from: 0, rate: 0.4 } ] } ]\n",
            "0.4",
        ),
        ("  table: [ { product: K1, rate: 0.25 }, { per_unit: 3 } ]\n", "0.25"),
        ("  tiers: [ { from: 0, rate: 0.1 } ]\ninputs: [ { earner: A, rate: 0.5 } ]\n", "0.5"),
    ],
)
def test_the_highest_rate_is_worked_out_of_everything_that_can_raise_it(schedule: str, rate: str) -> None:
    read, findings = loads(terms(schedule), "p")
    assert [each for each in findings if each.severity == "error"] == []
    assert checking.highest_rate(read[0]) == D(rate)


@pytest.mark.parametrize(
    ("rule", "earns"),
    [
        (None, True),
        ("product.family = 'radio'", False),
        ("product.family <> 'cable'", False),
        ("product.family in ('radio', 'cable')", True),
        ("line.unit = 'box'", True),
        ("line.unit = 'box' and product.family <> 'cable'", False),
        ("line.unit = 'box' or product.family <> 'cable'", True),
        ("not (product.family like 'ca%')", False),
        # Whether a value is missing is not known here: it might be there on one line and not on another.
        ("line.unit is null and product.family <> 'radio'", True),
        ("not (line.unit is null)", True),
    ],
)
def test_a_family_is_out_only_where_the_rule_excludes_it_for_certain(rule: str | None, earns: bool) -> None:
    more = f'lines: "{rule}"\n' if rule else ""
    read, findings = loads(terms("  tiers: [ { from: 0, rate: 0.1 } ]\n", more), "p")
    assert [each for each in findings if each.severity == "error"] == []
    assert checking.may_earn(read[0], "cable") is earns


def test_a_guardrail_takes_two_people_and_so_does_its_end(channel: Team) -> None:
    limit = Limit(kind="highest_rate", value=D("0.15"))
    for other in (channel.author, channel.loader, channel.partner_a):
        with pytest.raises(Refusal) as refusal:
            guardrails.propose(limit=limit, reason="policy", by=other, at=timezone.now())
        assert refusal.value.code == "not_permitted"
    made = guardrails.propose(limit=limit, reason="policy", by=channel.analyst, at=timezone.now())
    version = drafted(channel)
    assert said(channel, version) == []
    with pytest.raises(Refusal) as refusal:
        decide(channel, channel.analyst)
    assert refusal.value.code == "second_person"
    decide(channel, channel.controller)
    assert said(channel, version) == ["guardrail_highest_rate"]
    guardrails.propose_end(guardrail=made.pk, reason="too strict", by=channel.controller, at=timezone.now())
    assert said(channel, version) == ["guardrail_highest_rate"]
    decide(channel, channel.analyst)
    assert said(channel, version) == []


def test_what_says_nothing_is_no_guardrail(channel: Team) -> None:
    for limit in (
        Limit(kind="highest_rate"),
        Limit(kind="highest_rate", value=D(2)),
        Limit(kind="payout", value=D(5)),
        Limit(kind="blackout"),
        Limit(kind="reviewer", text="nobody"),
        Limit(kind="other"),
    ):
        with pytest.raises(Refusal) as refusal:
            guardrails.propose(limit=limit, reason="policy", by=channel.analyst, at=timezone.now())
        assert refusal.value.code == "guardrail_faulty"
    assert not Guardrail.objects.exists()


def test_it_is_said_when_drafted_and_held_when_submitted_and_activated(channel: Team) -> None:
    version = drafted(channel)
    submit(channel, version)
    decide(channel, channel.approver)
    # A guardrail that comes after the approval holds before anything is promised.
    in_force(channel, "highest_rate", value=D("0.15"))
    assert "can earn 0.2" in refused(channel, version, "activate")
    version.refresh_from_db()
    assert version.state == "approved"
    author = with_second_factor(channel.author)
    saved = author.post("/programs/save", {"text": TERMS.replace("volume", "other")}, secure=True)
    assert saved.status_code == 302
    assert "No rate above 0.15" in author.get(saved["Location"], secure=True).content.decode()
    other = Version.objects.get(program__code="other")
    assert "No rate above 0.15" in refused(channel, other)
    shown = author.get(f"/guardrails/of/{other.pk}", secure=True).content.decode()
    assert "can earn 0.2" in shown


def test_an_exception_is_another_persons_and_bounded_to_these_terms(channel: Team, second_controller: Person) -> None:
    rail = in_force(channel, "highest_rate", value=D("0.15"))
    version = drafted(channel)
    guardrails.ask_exception(
        guardrail=rail.pk, version=version.pk, reason="A launch", by=channel.author, at=timezone.now()
    )
    refused(channel, version)
    for other in (channel.author, channel.approver, channel.analyst):
        with pytest.raises(Refusal):
            decide(channel, other)
    decide(channel, channel.controller)
    assert said(channel, version) == []
    # Other terms, or another version, do not pass with it.
    drafted(channel, TERMS.replace("rate: 0.2", "rate: 0.9"))
    refused(channel, version)
    drafted(channel)
    submit(channel, version)
    decide(channel, channel.approver)
    assert versions.step(version=version.pk, event="activate", by=channel.author, at=timezone.now()).state == "active"
    (kept,) = guardrails.exceptions(channel.controller, at=timezone.now())
    assert (kept.state, kept.asked_by, kept.decided_by) == ("granted", "author", "controller")
    assert Waiver.objects.get().terms_hash == version.terms_hash


def test_guardrails_speak_of_a_type_a_region_and_a_role(channel: Team) -> None:
    version = drafted(channel)
    in_force(channel, "highest_rate", value=D("0.15"), program_type="spiff")
    in_force(channel, "highest_rate", value=D("0.15"), role="account_manager")
    assert said(channel, version) == []
    # Without an approved budget the program has no region, and keeps those of every region.
    in_force(channel, "highest_rate", value=D("0.15"), region="EMEA")
    assert said(channel, version) == ["guardrail_highest_rate"]
    budget(channel, region="APAC")
    assert said(channel, version) == []
    in_force(channel, "highest_rate", value=D("0.15"), program_type="custom", role="program_manager", region="APAC")
    assert said(channel, version) == ["guardrail_highest_rate"]


def budget(channel: Team, amount: str = "1000", **further: str) -> None:
    wanted = Wanted(amount=D(amount), expected=D(0), currency="USD", **further)  # type: ignore[arg-type]
    budgets.ask(program="volume", wanted=wanted, reason="plan", by=channel.author, at=timezone.now())
    decide(channel, channel.analyst, "budget")


def test_payouts_are_capped_and_budgets_agreed_to(channel: Team) -> None:
    in_force(channel, "payout", value=D(500), currency="USD")
    in_force(channel, "budget", value=D(2000), currency="USD")
    version = drafted(channel)
    assert said(channel, version) == ["guardrail_payout", "guardrail_budget"]
    capped = TERMS + "limits: { payout: { per_scope: 600 } }\ninputs: [ { earner: A, cap: 700 } ]\n"
    drafted(channel, capped)
    assert said(channel, version) == ["guardrail_payout", "guardrail_payout", "guardrail_budget"]
    drafted(channel, capped.replace("600", "500").replace("700", "400"))
    assert said(channel, version) == ["guardrail_budget"]
    budget(channel, "3000")
    assert said(channel, version) == ["guardrail_budget"]
    budget(channel, "2000")
    assert said(channel, version) == []


def test_mandatory_reviewers_are_stages_of_their_own(channel: Team) -> None:
    in_force(channel, "reviewer", text="approve_budget", program_type="custom")
    version = drafted(channel)
    submit(channel, version)
    decide(channel, channel.approver)
    version.refresh_from_db()
    assert version.state == "in_review"
    decide(channel, channel.analyst)
    version.refresh_from_db()
    assert version.state == "approved"


PRODUCTS = "product_id,list,book_cost\nK1,100,70\n"
SOLD = HEADER + (
    "s1,sale,sell_through,2026-01-05,A,K1,10,1000,USD\n"
    "s2,sale,sell_through,2026-01-06,A,K1,1,90,USD\n"
    "s3,sale,sell_through,2026-01-07,A,K2,1,90,USD\n"
)
OTHER = TERMS.replace("volume", "other").replace("rate: 0.1 ", "rate: 0.15 ").replace("rate: 0.2 ", "rate: 0.15 ")


def test_the_stack_is_tried_on_history_by_the_engines_awards(channel: Team) -> None:
    delivered(channel, PRODUCTS, name="products.csv", kind="products", profile="")
    delivered(channel, SOLD)
    activated(channel)
    in_force(channel, "stack_share", value=D("0.25"), text="list")
    # s1: 10 % + 15 % of 1,000 = 250 of 10 × 100, just kept. s2: 20 % + 15 % of 90 = 31.50 of 100, not kept. K2 has no price.
    version = drafted(channel, OTHER)
    submit(channel, version)
    work()
    version.refresh_from_db()
    assert version.state == "draft"
    page = with_second_factor(channel.author).get("/programs/of/other/", secure=True).content.decode()
    assert "1 of 3 lines of history would not keep it, such as line s2: incentives 31.5, at most 25 USD" in page
    # At 5 % s2 takes 18 + 4.50 = 22.50.
    drafted(channel, OTHER.replace("0.15", "0.05"))
    submit(channel, version)
    work()
    (asked,) = waiting(channel)
    assert asked.facts["tried_on_history"] == [
        "All incentives on a line at most 0.25 of its list: kept on 2 lines of history, 1 could not be judged"
    ]


def test_the_price_after_incentives_covers_the_cost(channel: Team) -> None:
    delivered(channel, PRODUCTS, name="products.csv", kind="products", profile="")
    delivered(channel, SOLD)
    rail = in_force(channel, "stack_cost", text="book_cost")
    # s1: 1,000 − 100 covers 700. s2: 90 − 18 = 72 covers 70.
    version = drafted(channel)
    submit(channel, version)
    work()
    (asked,) = waiting(channel)
    requests.reject(request=asked.request, by=channel.approver, reason="Give more.", at=timezone.now())
    # At 25 % of 90, 67.50 are left.
    drafted(channel, TERMS.replace("rate: 0.2", "rate: 0.25"))
    submit(channel, version)
    work()
    version.refresh_from_db()
    assert (version.state, waiting(channel)) == ("draft", [])
    guardrails.ask_exception(
        guardrail=rail.pk, version=version.pk, reason="Clearance", by=channel.author, at=timezone.now()
    )
    decide(channel, channel.controller)
    submit(channel, version)
    work()
    decide(channel, channel.approver)
    assert versions.step(version=version.pk, event="activate", by=channel.author, at=timezone.now()).state == "active"


def test_a_price_that_is_not_there_is_said(channel: Team) -> None:
    delivered(channel, SOLD)
    in_force(channel, "stack_cost", text="book_cost")
    version = drafted(channel)
    submit(channel, version)
    work()
    page = with_second_factor(channel.author).get("/programs/of/volume/", secure=True).content.decode()
    assert "no such column" in page


def test_the_pages_propose_and_ask(channel: Team) -> None:
    analyst, author = with_second_factor(channel.analyst), with_second_factor(channel.author)
    given = {"kind": "blackout", "text": "cable", "reason": "Discontinued"}
    assert analyst.post("/guardrails/propose", given, secure=True).status_code == 302
    assert analyst.post("/guardrails/propose", {**given, "text": ""}, secure=True).status_code == 422
    decide(channel, channel.controller)
    version = drafted(channel)
    assert "write into `lines`: and product.family" in refused(channel, version)
    rail = Guardrail.objects.get()
    asked = author.post(f"/guardrails/{rail.pk}/except/{version.pk}", {"reason": "Stock"}, secure=True)
    assert asked.status_code == 302
    assert "Nothing is earned on the product family cable" in author.get("/guardrails/", secure=True).content.decode()
    decide(channel, channel.controller)
    submit(channel, version)
