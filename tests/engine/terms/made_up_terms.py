"""Short program documents that tests start from, and what a reader of findings sees of them."""

from headrace.engine.findings import Finding
from headrace.engine.terms import Terms, loads

TIERS = "schedule: { tiers: [ { from: 0, rate: 0.02 } ] }"
HEAD = "program: a\ncurrency: USD\n"


def one(text: str) -> Terms:
    """Read a text that holds one program without any finding."""
    terms, findings = loads(text, "a.yaml")
    assert findings == []
    (program,) = terms
    return program


def said(text: str) -> list[tuple[str, int | None, str | None]]:
    """Give code, line and key of each finding."""
    return [(each.code, each.row, each.column) for each in loads(text, "a.yaml")[1]]


def codes(text: str) -> set[str]:
    """Give the codes of the findings."""
    return {code for code, _, _ in said(text)}


def only(text: str) -> Finding:
    """Give the one finding of a text."""
    (finding,) = loads(text, "a.yaml")[1]
    return finding
