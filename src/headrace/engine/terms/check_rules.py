"""Are the rules conditions over columns that are there, of the right types, about what each rule may ask?

Without tables, the columns of the contracts are known and further ones are taken on trust: each gets the type under which
the rule reads best, since nothing is known that speaks against it. With the caller's columns, nothing else is there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from itertools import product

from headrace.engine.findings import Finding
from headrace.engine.rules import Columns, ColumnType, Rule, RuleError, declare, parse
from headrace.engine.schema import DEALS, LINES, PARTNERS, PRODUCTS
from headrace.engine.terms.checking import Checked
from headrace.engine.terms.messages import Path
from headrace.engine.terms.model import Terms

OWNERS = {
    "line": LINES,
    "partner": PARTNERS,
    "seller": PARTNERS,
    "buyer": PARTNERS,
    "product": PRODUCTS,
    "deal": DEALS,
}
CONTRACT: Columns = declare(
    {owner: {name: column.type for name, column in table.items()} for owner, table in OWNERS.items()}
)
_PARTIES = ("partner", "seller", "buyer")
_TRUSTED_MAX = 60
_TRIED_TOGETHER_MAX = 3


def rules_of(terms: Terms) -> Iterator[tuple[Path, str]]:
    """Give every rule of a document with its path."""
    for key in ("partners", "lines", "verify"):
        if (text := getattr(terms, key)) is not None:
            yield (key,), text
    if terms.measure.lines is not None:
        yield ("measure", "lines"), terms.measure.lines
    for position, text in enumerate(terms.gate):
        yield ("gate", position), text
    for position, boost in enumerate(terms.schedule.boosts):
        yield ("schedule", "boosts", position, "when"), boost.when


def check_rules(checked: Checked, columns: Columns | None) -> None:
    """Check every rule, strictly against the caller's columns or on trust against those of the contracts."""
    for path, text in rules_of(checked.terms):
        try:
            rule = parse(text, columns) if columns is not None else parse_trusting(text)
        except RuleError as error:
            line = checked.document.line_of(path)
            for fault in error.faults:
                note = checked.document.finding(path, "rule_fault", problem=fault.pointed(text))
                checked.findings.append(_with_code(note, fault.code, line))
            continue
        _about(checked, path, rule)
        for name in sorted(rule.columns_used) if columns is None else ():
            if near := near_miss(name):
                checked.warn(path, "rule_column_near", column=name, near=near)


def _with_code(note: Finding, code: str, line: int | None) -> Finding:
    return replace(note, code=code, row=line)


def _about(checked: Checked, path: Path, rule: Rule) -> None:
    """Refuse columns that the rule's question cannot read."""
    key = path[0]
    if key not in {"partners", "gate"}:
        return
    allowed = _PARTIES if key == "partners" else ("partner",)
    for name in sorted(rule.columns_used):
        if name.partition(".")[0] not in allowed:
            why = (
                "`partners` is about the parties; write conditions on the line, product or deal under `lines`"
                if key == "partners"
                else "a gate is tested on the earner when the period is finalised, so it reads `partner.` only"
            )
            checked.add(path, "rule_table", column=name, why=why)


def parse_trusting(text: str) -> Rule:
    """Read a rule over the contracts' columns and further ones of unknown type; raises RuleError for any other fault.

    The further columns get the first types under which the rule reads without a fault, text before the others; with many
    of them, each is settled in turn.
    """
    trusted = _Trusting()
    try:
        return parse(text, trusted)
    except RuleError:
        names = trusted.further()
        tries = (
            product(ColumnType, repeat=len(names)) if len(names) <= _TRIED_TOGETHER_MAX else _one_by_one(text, names)
        )
        for kinds in tries:
            trusted.settle(dict(zip(names, kinds, strict=True)))
            if _faults(text, trusted) == _NONE:
                return parse(text, trusted)
        trusted.settle({})
        raise


def near_miss(name: str) -> str | None:
    """Give the contract's column that a further column's name is one slip away from."""
    owner, _, column = name.partition(".")
    near = get_close_matches(column, OWNERS.get(owner, {}), n=1, cutoff=0.85)
    return f"{owner}.{near[0]}" if near and name not in CONTRACT else None


class _Trusting(Mapping[str, ColumnType]):
    """The contracts' columns, and any other column of the same owners: text unless settled otherwise."""

    def __init__(self) -> None:
        self._further: dict[str, ColumnType] = {}

    def __getitem__(self, name: str) -> ColumnType:
        if name in CONTRACT:
            return CONTRACT[name]
        owner, _, column = name.partition(".")
        if owner not in OWNERS or not column or column.casefold() in OWNERS[owner]:
            raise KeyError(name)
        return self._further.setdefault(name, ColumnType.TEXT)

    def __iter__(self) -> Iterator[str]:
        return iter([*CONTRACT, *self._further])

    def __len__(self) -> int:
        return len(CONTRACT) + len(self._further)

    def further(self) -> list[str]:
        """Name the columns that were taken on trust so far."""
        return list(self._further)

    def settle(self, kinds: Mapping[str, ColumnType]) -> None:
        """Give further columns their types."""
        for name in self._further:
            self._further[name] = kinds.get(name, ColumnType.TEXT)


def _one_by_one(text: str, names: list[str]) -> Iterator[tuple[ColumnType, ...]]:
    """Settle each column in turn under the type that leaves fewest faults, and the first of them farthest on."""
    trusted = _Trusting()
    _faults(text, trusted)
    chosen = dict.fromkeys(names, ColumnType.TEXT)
    for name in names[:_TRUSTED_MAX]:
        scores = []
        for kind in ColumnType:
            trusted.settle({**chosen, name: kind})
            scores.append((*_faults(text, trusted), list(ColumnType).index(kind), kind))
        chosen[name] = min(scores)[-1]
    yield tuple(chosen.values())


_NONE = (0, 0)


def _faults(text: str, columns: Columns) -> tuple[int, int]:
    """Give the number of faults and how far before the end the first one stands; the number alone stops at a limit."""
    try:
        parse(text, columns)
    except RuleError as error:
        return len(error.faults), len(text) - (error.faults[0].start or 0)
    return _NONE
