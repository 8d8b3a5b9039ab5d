"""The register of all programs: who answers for each, who approved it, its days and region, its budget and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from headrace.foundation.people import Person
from headrace.governance import assigning, budgets
from headrace.programs import versions
from headrace.workflow import requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One program, by its newest version that is agreed to, else by its newest. Amounts are in the budget's currency.

    status: of the budget: none, kept, warned (at its share, or more) or exceeded. committed: the greater of promised and accrued.
    """

    program: str
    name: str
    type: str
    version: int
    state: str
    owner: str
    author: str
    approvers: tuple[str, ...]
    from_: date | None
    until: date | None
    region: str
    currency: str
    budget: Decimal | None
    expected: Decimal | None
    committed: Decimal
    accrued: Decimal
    paid: Decimal
    status: str


HEADER = (
    "program", "name", "type", "version", "state", "owner", "author", "approved by", "from", "until", "region", "currency",
    "budget", "expected", "committed", "accrued", "paid", "status",
)  # fmt: skip


def rows(viewer: Person, *, at: datetime) -> tuple[Row, ...]:
    """List all programs, by name. For people of the vendor who may read all."""
    shown: dict[str, versions.Shown] = {}
    for each in versions.listed(viewer, at=at):
        agreed = each.state not in ("draft", "in_review")
        if each.program not in shown or (agreed and shown[each.program].state in ("draft", "in_review")):
            shown[each.program] = each
    approvers, used = requests.approvers(versions.KIND), budgets.used()
    return tuple(_row(each, approvers.get(str(each.version), ()), used) for each in shown.values())


def _row(shown: versions.Shown, approvers: tuple[str, ...], used: "budgets.Books") -> Row:
    budget = budgets.in_force(shown.program)
    currency = budget.currency if budget else shown.terms.currency
    books = used.get((shown.program, currency), budgets.Used())
    expected = budget.expected if budget else Decimal(0)
    promised = Decimal(0)
    if shown.state in ("active", "suspended"):
        promised = budgets.promised(shown.terms, assigning.partners_in(shown.terms), expected)
    committed = max(promised, books.accrued)
    return Row(
        program=shown.program,
        name=shown.name,
        type=shown.terms.type,
        version=shown.number,
        state=shown.state,
        owner=shown.owner,
        author=shown.author,
        approvers=approvers,
        from_=shown.terms.valid.from_,
        until=shown.terms.valid.until,
        region=budget.region if budget else "",
        currency=currency,
        budget=budget.amount if budget else None,
        expected=budget.expected if budget else None,
        committed=committed,
        accrued=books.accrued,
        paid=books.paid,
        status=budgets.status(budget, committed),
    )


def cells(row: Row) -> Sequence[object]:
    """Give a row as a file holds it."""
    return (
        row.program, row.name, row.type, row.version, row.state, row.owner, row.author, "; ".join(row.approvers),
        row.from_ or "", row.until or "", row.region, row.currency, _text(row.budget), _text(row.expected),
        _text(row.committed), _text(row.accrued), _text(row.paid), row.status,
    )  # fmt: skip


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"
