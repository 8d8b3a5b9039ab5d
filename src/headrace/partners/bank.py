"""Bank data of partners: encrypted, shown masked, changed by two people, used only after a cooling period.

The second person decides a request of workflow, of which the facts are masked too; whoever releases payments may not. Opening the
numbers, which a payment file needs, is an act of its own in the trail.
"""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from headrace.engine.currencies import is_money
from headrace.engine.findings import Refusal
from headrace.foundation import access, acts, sealing
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission
from headrace.masterdata import store
from headrace.partners.kinds import ACCOUNT
from headrace.partners.models import BankAccount
from headrace.partners.seeing import visible
from headrace.workflow import requests

COOLING = timedelta(days=3)
"""Between the second person's approval and the first payment to the account: time to notice a fraud."""
KIND = "bank_data"
_PURPOSE = "bank data"
_IBAN = re.compile("[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_BIC = re.compile("[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_NUMBER = re.compile("[A-Z0-9-]{4,34}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Where to pay. number: an IBAN, or an account number with the bank's own code. bic: empty where there is none."""

    holder: str
    number: str
    bank_code: str = ""
    bic: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """Bank data as a page shows it: never more than the last digits. usable: it is what is paid to at the instant."""

    id: uuid.UUID
    request: uuid.UUID
    company: str
    currency: str
    masked: str
    state: str
    asked_by: str
    decided_by: str
    usable_from: datetime | None
    usable: bool
    reason: str


def checked(numbers: Numbers) -> Numbers:
    """Give the numbers without blanks; refused (`bank_data`) if an IBAN's check digits or the shape of another is wrong.

    >>> checked(Numbers(holder="Ortega SL", number="de89 3704 0044 0532 0130 00")).number
    'DE89370400440532013000'
    """
    number, bank_code, bic = (
        re.sub(r"\s", "", text).upper() for text in (numbers.number, numbers.bank_code, numbers.bic)
    )
    if not numbers.holder.strip() or len(numbers.holder) > 140:
        raise Refusal("bank_data", "Name the holder of the account, in at most 140 characters.")
    if bic and _BIC.fullmatch(bic) is None:
        raise Refusal("bank_data", "The BIC has 8 or 11 signs. Compare it with the bank's letter.")
    if bank_code:
        if _NUMBER.fullmatch(number) is None or _NUMBER.fullmatch(bank_code) is None:
            raise Refusal("bank_data", "Account number and bank code are 4 to 34 letters and digits. Compare them.")
    elif _IBAN.fullmatch(number) is None or not _iban_holds(number):
        raise Refusal("bank_data", "This is no IBAN: its check digits do not fit. Compare it, or give a bank code too.")
    return Numbers(holder=numbers.holder.strip(), number=number, bank_code=bank_code, bic=bic)


def _iban_holds(iban: str) -> bool:
    # ISO 13616: the first four signs to the end, letters as 10 to 35, and the whole is 1 modulo 97.
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1


def ask(*, partner: str, company: str, currency: str, numbers: Numbers, by: Person, at: datetime) -> uuid.UUID:
    """Ask for new bank data of an account, by the partner or the vendor; gives the request that a second person decides."""
    day = at.date()
    seen = visible(by, day)
    if seen is not None and partner not in seen:
        raise Refusal("partner_unknown", "There is no such partner. Look for it in the list.")
    access.require(by, VENDOR if seen is None else partner, Permission.EDIT_BANK_DATA, day)
    account = ACCOUNT.code((partner, company))
    if account not in store.known_codes(ACCOUNT.name, {account}):
        raise Refusal("account_unknown", f"{partner} has no account with {company}. Open the account first.")
    if not is_money(currency):
        raise Refusal("currency", f"{currency!r} is not a currency of ISO 4217. Write it like EUR.")
    kept = checked(numbers)
    with acts.act("ask_bank_data", at=at):
        if BankAccount.objects.filter(partner=partner, company=company, state=BankAccount.State.ASKED).exists():
            raise Refusal("bank_data_open", "New bank data of this account waits for a second person. Decide it first.")
        asked = BankAccount(
            partner=partner,
            company=company,
            currency=currency,
            sealed=sealing.seal(json.dumps([kept.holder, kept.number, kept.bank_code, kept.bic]), _PURPOSE),
            shown=_masked(kept),
            asked_by=by,
            asked_at=at,
        )
        facts = {"partner": partner, "company": company, "currency": currency, "account": asked.shown}
        asked.request = requests.ask(kind=KIND, subject=str(asked.pk), facts=facts, by=by, at=at)
        asked.save()
    return asked.request


def _masked(numbers: Numbers) -> str:
    start = numbers.number[:2] + " " if not numbers.bank_code else ""
    return f"{start}•••• {numbers.number[-4:]}"


def _approved(subject: str, by: Person, at: datetime) -> None:
    row = BankAccount.locked(uuid.UUID(subject))
    row.state, row.decided_by, row.decided_at = BankAccount.State.APPROVED, by, at
    row.usable_from = at + COOLING
    row.save()


def _rejected(subject: str, by: Person, reason: str, at: datetime) -> None:
    row = BankAccount.locked(uuid.UUID(subject))
    row.state, row.reason = BankAccount.State.REFUSED, reason
    if by.pk != row.asked_by_id:
        row.decided_by, row.decided_at = by, at
    row.save()


def bank_data(*, partner: str, viewer: Person, at: datetime) -> tuple[Shown, ...]:
    """List the bank data of a partner, masked, the latest first. Refused (`partner_unknown`) to whoever does not see it."""
    seen = visible(viewer, at.date())
    if seen is not None and partner not in seen:
        raise Refusal("partner_unknown", "There is no such partner. Look for it in the list.")
    rows = BankAccount.objects.filter(partner=partner).select_related("asked_by", "decided_by").order_by("-asked_at")
    used = {row.pk for company in {row.company for row in rows} if (row := _in_use(partner, company, at)) is not None}
    return tuple(
        Shown(
            row.pk,
            row.request,
            row.company,
            row.currency,
            row.shown,
            row.state,
            str(row.asked_by),
            str(row.decided_by or ""),
            row.usable_from,
            row.pk in used,
            row.reason,
        )
        for row in rows
    )


def _in_use(partner: str, company: str, at: datetime) -> BankAccount | None:
    usable = BankAccount.objects.filter(
        partner=partner, company=company, state=BankAccount.State.APPROVED, usable_from__lte=at
    )
    return usable.order_by("-usable_from", "-asked_at").first()


def open_for_payment(*, partner: str, company: str, by: Person, at: datetime) -> Numbers:
    """Give the numbers that a payment goes to now, and note in the trail that they were opened. Needs RELEASE_PAYMENT."""
    access.require(by, VENDOR, Permission.RELEASE_PAYMENT, at.date())
    row = _in_use(partner, company, at)
    if row is None:
        raise Refusal(
            "bank_data_missing",
            f"{partner} has no bank data with {company} that may be used yet: it takes a second person and then "
            f"{COOLING.days} days.",
        )
    try:
        holder, number, bank_code, bic = json.loads(sealing.unseal(row.sealed, _PURPOSE))
    except sealing.KeyChanged:
        raise Refusal(
            "secret_key_changed",
            f"The bank data of {partner} cannot be read, because the secret key of the installation was changed. Put the "
            "old key back, or ask for the bank data again.",
        ) from None
    with acts.act("open_bank_data", at=at) as act:
        act.note("partners.bankaccount", str(row.pk), {}, {"opened_by": str(by.pk)})
    return Numbers(holder=holder, number=number, bank_code=bank_code, bic=bic)


requests.ends(KIND, requests.Ending(approved=_approved, rejected=_rejected))
