"""Who belongs to whom on a day: parents and children, groups that roll up, accounts with companies. As known at a revision."""

from collections.abc import Collection
from datetime import date

from headrace.foundation import companies
from headrace.masterdata import store
from headrace.masterdata.kinds import EXISTS
from headrace.masterdata.timeline import on
from headrace.partners.kinds import ACCOUNT, PARTNER


def above(partner: str, day: date, *, revision: int | None = None) -> tuple[str, ...]:
    """Give the parents of a partner, the nearest first."""
    way: list[str] = []
    at = partner
    while True:
        held = store.history(PARTNER.name, codes={at}, fields={"parent_id"}, revision=revision)
        parent = on(held.get(at, {}).get("parent_id", ()), day)
        if parent is None:
            return tuple(way)
        assert parent not in way, "a circle of parents is never taken"
        way.append(parent)
        at = parent


def children(partner: str, day: date, *, revision: int | None = None) -> frozenset[str]:
    """Give the partners right below one that are there on the day."""
    return _naming("parent_id", partner, day, revision)


def below(partner: str, day: date, *, revision: int | None = None) -> frozenset[str]:
    """Give all partners below one, near and far."""
    found: frozenset[str] = frozenset()
    rim = children(partner, day, revision=revision)
    while rim:
        found |= rim
        rim = frozenset().union(*(children(each, day, revision=revision) for each in rim)) - found
    return found


def members(group: str, day: date, *, revision: int | None = None) -> frozenset[str]:
    """Give the partners of a group on the day, with all that are below a member and name no group of their own."""
    named = _naming("group_id", group, day, revision)
    found, rim = named, named
    while rim:
        under = frozenset().union(*(children(each, day, revision=revision) for each in rim)) - found
        own = store.history(PARTNER.name, codes=under, fields={"group_id"}, revision=revision)
        rim = frozenset(code for code in under if on(own.get(code, {}).get("group_id", ()), day) is None)
        found |= rim
    return found


def accounts_of(partner: str) -> frozenset[str]:
    """Give the codes that the accounts of a partner with each company would have."""
    return frozenset(ACCOUNT.code((partner, company.code)) for company in companies.listed())


def companies_of(partners: Collection[str], day: date, *, revision: int | None = None) -> dict[str, frozenset[str]]:
    """Give the codes of the companies with which each of the partners has an account on the day."""
    listed = companies.listed()
    codes = {ACCOUNT.code((one, each.code)): (one, each.code) for one in partners for each in listed}
    held = store.history(ACCOUNT.name, codes=codes.keys(), fields={EXISTS}, revision=revision)
    found: dict[str, frozenset[str]] = {}
    for code, known in held.items():
        if on(known.get(EXISTS, ()), day) is not None:
            partner, company = codes[code]
            found[partner] = found.get(partner, frozenset()) | {company}
    return found


def _naming(field: str, value: str, day: date, revision: int | None) -> frozenset[str]:
    candidates = store.codes_where(PARTNER.name, field, value)
    held = store.history(PARTNER.name, codes=candidates, fields={field, EXISTS}, revision=revision)
    return frozenset(
        code
        for code, known in held.items()
        if on(known.get(field, ()), day) == value and on(known.get(EXISTS, ()), day) is not None
    )
