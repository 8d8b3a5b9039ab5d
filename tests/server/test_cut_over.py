"""Cut-over through the pages: balances of an older system, proposed and approved by two people, and never payable again."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from headrace.foundation import companies
from headrace.ledger import opening, reading
from headrace.ledger.kinds import Kind
from headrace.ledger.models import OpeningJournal
from tests.server.channel import JANUARY, Team, activated, delivered, team, work
from tests.server.conftest import Admins
from tests.server.test_closing import finalise
from tests.server.test_routes import with_second_factor

pytestmark = pytest.mark.django_db
HEAD = ",".join(opening.COLUMNS) + "\n"
Q1 = "2026-01-01/2026-04-01"
PAID = HEAD + f"partner,A,volume,{Q1},USD,settled,40.00,,volume/1\npartner,B,volume,{Q1},USD,accrued,5,,volume/1\n"


@pytest.fixture
def channel(admins: Admins) -> Team:
    """Give the people, and the open books of one company."""
    made = team(admins)
    work()
    return made


def stand() -> dict[tuple[str, str], int]:
    rows = reading.balances(companies.find("US"), kinds=(Kind.ACCRUED, Kind.PAYABLE, Kind.OVERPAID, Kind.EARNED))
    return {(row.account.kind.value, row.account.key.payee): int(-row.amount) for row in rows if row.amount}


def given(text: str) -> dict[str, object]:
    return {"company": "US", "on": "2026-01-01", "file": SimpleUploadedFile("old.csv", text.encode())}


def test_what_was_paid_before_is_not_owed_again(channel: Team) -> None:
    analyst, controller = with_second_factor(channel.analyst), with_second_factor(channel.controller)
    assert analyst.post("/ledger/opening/propose", given(PAID), secure=True).status_code == 302
    journal = OpeningJournal.objects.get()
    address = f"/ledger/opening/{journal.pk}/approve"
    assert analyst.post(address, secure=True).status_code == 409
    page = controller.get("/ledger/opening/", secure=True).content.decode()
    assert "40.00 USD" in page
    assert f'action="{address}"' in page
    assert f'action="{address}"' not in analyst.get("/ledger/opening/", secure=True).content.decode()
    assert stand() == {}
    assert controller.post(address, secure=True).status_code == 302
    assert controller.post(address, secure=True).status_code == 409
    assert stand() == {("accrued", "B"): 5}
    # The lines of the old system are loaded too: A earned 60 on them, of which 40 were paid; B earned the 5 carried over.
    activated(channel)
    delivered(channel, JANUARY)
    assert stand() == {("accrued", "A"): 20, ("accrued", "B"): 5}
    finalise(channel)
    assert stand() == {("accrued", "A"): 20, ("accrued", "B"): 5, ("earned", "A"): 60, ("earned", "B"): 5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("payee\nA\n", "The columns payee_kind, program"),
        ("\xff\x00", "The columns payee_kind"),
        (HEAD, "0 of 0 row(s)"),
        (PAID.replace("40.00", "forty"), "Row 2: &#x27;forty&#x27; is not an amount."),
        (PAID.replace("settled", "paid"), "Row 2: &#x27;paid&#x27; is no balance."),
        (PAID + PAID.splitlines()[1] + "\n", "Row 4: row 2 has the same account."),
    ],
)
def test_faults_are_told_by_row_and_nothing_is_kept(channel: Team, text: str, said: str) -> None:
    analyst = with_second_factor(channel.analyst)
    answer = analyst.post("/ledger/opening/propose", given(text), secure=True)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not OpeningJournal.objects.exists()
