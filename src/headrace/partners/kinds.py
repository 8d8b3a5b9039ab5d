"""What is known of partners and of those around them, as kinds of entries."""

from collections.abc import Iterable, Mapping

from headrace.engine.currencies import is_money
from headrace.engine.findings import Finding, Refusal
from headrace.engine.rules import ColumnType
from headrace.foundation import companies
from headrace.foundation.roles import Permission
from headrace.masterdata.kinds import After, Field, Kind, Line, register, register_outside
from headrace.masterdata.timeline import Span, Spans, clip

TYPES = ("distributor", "reseller", "dealer", "rep_firm", "agent", "vendor")


def currency_fault(value: str) -> str | None:
    """Say what is wrong with a currency."""
    return None if is_money(value) else f"{value!r} is not a currency of ISO 4217. Write it like EUR."


def country_fault(value: str) -> str | None:
    """Say what is wrong with a country's code."""
    fits = len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()
    return None if fits else f"{value!r} is not a country's code of two letters. Write it like DE."


def _rule_fault(value: str) -> str | None:
    from headrace.partners.facts import read_rule  # which reads the fields of the kinds below

    try:
        read_rule(value)
    except Refusal as refusal:
        return refusal.message
    return None


def _no_circles(lines: Iterable[Line], after: After) -> Iterable[Finding]:
    """Find lines that would make a partner its own parent, near or far, on any day."""
    named = [line for line in lines if line.values.get("parent_id") is not None]
    parents = after("parent_id") if named else {}
    for line in named:
        way = _circle(line.code, line.said("parent_id"), parents, (line.code,))
        if way is not None:
            yield Finding(
                code="circle_of_parents",
                message=f"{' is below '.join(way)}, so this parent would make a circle. Correct one of the parents.",
                row=line.row,
                column="parent_id",
            )


def _circle(start: str, link: Span, parents: Mapping[str, Spans], way: tuple[str, ...]) -> tuple[str, ...] | None:
    """Follow a parent upwards over its days; gives the way if it comes back to the start."""
    parent = link.value or ""
    if parent == start:
        return (*way, start)
    if parent in way:
        return None  # a circle further up, which is the fault of another line
    for further in clip(parents.get(parent, ()), link):
        found = _circle(start, further, parents, (*way, parent))
        if found is not None:
            return found
    return None


GROUP = register(Kind(name="group", label="Groups", key=(Field(name="group_id"),), fields=(Field(name="name"),)))
PARTNER = register(
    Kind(
        name="partner",
        label="Partners",
        key=(Field(name="partner_id"),),
        needs=("name",),
        fields=(
            Field(name="name"),
            Field(name="type", choices=TYPES),
            Field(name="parent_id", refers="partner"),
            Field(name="group_id", refers="group", opens=True),
            Field(name="level"),
            Field(name="region"),
            Field(name="territory"),
            Field(name="country", check=country_fault),
            Field(name="currency", check=currency_fault),
            Field(name="certified", type=ColumnType.BOOLEAN),
        ),
        check=_no_circles,
    )
)
ACCOUNT = register(
    Kind(
        name="account",
        label="Accounts",
        key=(Field(name="partner_id", refers="partner"), Field(name="company", refers="company")),
        needs=("currency",),
        fields=(
            Field(name="customer_number"),
            Field(name="currency", check=currency_fault),
            Field(name="payment_terms"),
            Field(name="tax_status"),
            Field(name="tax_number"),
            Field(name="cost_centre", internal=True),
        ),
    )
)
CONTACT = register(
    Kind(
        name="contact",
        label="Contacts",
        key=(Field(name="contact_id"),),
        needs=("partner_id",),
        fields=(
            Field(name="partner_id", refers="partner"),
            Field(name="name", personal=True),
            Field(name="email", personal=True),
            Field(name="phone", personal=True),
            Field(name="function"),
        ),
        fixed=True,
    )
)
CUSTOMER = register(
    Kind(
        name="customer",
        label="End customers",
        key=(Field(name="customer_id"),),
        needs=("name",),
        fields=(
            Field(name="name"),
            Field(name="partner_id", refers="partner"),
            Field(name="country", check=country_fault),
            Field(name="tax_number"),
        ),
    )
)
SEGMENT = register(
    Kind(
        name="segment",
        label="Segments",
        key=(Field(name="segment"),),
        needs=("rule",),
        fields=(Field(name="name"), Field(name="rule", check=_rule_fault)),
        fixed=True,
        permission=Permission.ASSIGN_PROGRAM,
        by_file=False,
    )
)
LEVEL = register(
    Kind(
        name="level",
        label="Levels",
        key=(Field(name="level"),),
        needs=("rank", "reach"),
        fields=(
            Field(name="rank", type=ColumnType.DECIMAL),
            Field(name="reach", check=_rule_fault),
            Field(name="keep", check=_rule_fault),
            Field(name="notice_days", type=ColumnType.DECIMAL),
        ),
        fixed=True,
        permission=Permission.AUTHOR_TERMS,
        by_file=False,
    )
)
register_outside("company", lambda codes: frozenset(codes) & {each.code for each in companies.listed()})
