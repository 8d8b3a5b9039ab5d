"""The vendor's legal entities: functional currency, and the day on which their fiscal year starts."""

from datetime import date, datetime

from headrace.engine.findings import Refusal
from headrace.engine.numeric import MINOR_UNITS
from headrace.foundation import access, acts
from headrace.foundation.models import Company, Person
from headrace.foundation.roles import VENDOR, Permission


def open_company(
    *,
    code: str,
    name: str,
    functional_currency: str,
    fiscal_month: int = 1,
    fiscal_day: int = 1,
    by: Person,
    at: datetime,
) -> Company:
    """Open a company. Refused if the code is taken, the currency is not one of ISO 4217, or the year starts on no day."""
    access.require(by, VENDOR, Permission.MANAGE_COMPANIES, at.date())
    code, name = code.strip(), name.strip()
    if not code or not name:
        raise Refusal("company_unnamed", "A company needs a code and a name.")
    if functional_currency not in MINOR_UNITS:
        raise Refusal("currency", f"{functional_currency!r} is not a currency of ISO 4217. Write it like EUR.")
    if not (1 <= fiscal_month <= 12 and 1 <= fiscal_day <= 28):
        raise Refusal("fiscal_start", "A fiscal year starts on a day from 1 to 28 of a month from 1 to 12.")
    with acts.act("open_company", at=at):
        if Company.objects.filter(code=code).exists():
            raise Refusal("company_code", f"There is a company {code} already. Choose another code.")
        company = Company(
            code=code,
            name=name,
            functional_currency=functional_currency,
            fiscal_month=fiscal_month,
            fiscal_day=fiscal_day,
        )
        company.save()
    return company


def fiscal_year(company: Company, day: date) -> tuple[date, date]:
    """Give the fiscal year that holds the day, from its first day until the first of the next."""
    start = date(day.year, company.fiscal_month, company.fiscal_day)
    if day < start:
        start = start.replace(year=start.year - 1)
    return start, start.replace(year=start.year + 1)


def codes() -> tuple[str, ...]:
    """List the codes of the companies."""
    return tuple(Company.objects.order_by("code").values_list("code", flat=True))
