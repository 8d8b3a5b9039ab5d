"""The rules of every edition, parsed and split by whose columns they read.

The parts that read one partner or one product are decided on the reference rows (see facts); the rest is decided on the pairs of
line and edition that those parts leave.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from headrace.engine.book import Edition
from headrace.engine.rules import Columns, ColumnType, Rule, all_of, declare, parse
from headrace.engine.schema import DEALS, LINES, PARTNERS, PRODUCTS, Column, Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One rule in parts that must all hold; null where a part is not there."""

    partner: Rule | None = None
    product: Rule | None = None
    rest: Rule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionRules:
    """The rules of one edition. measuring is null where the measure has no lines of its own."""

    partners: Parts
    lines: Parts
    measuring: Parts | None
    verify: Rule | None
    boosts: tuple[Rule, ...]
    gates: tuple[Rule, ...]


def rule_columns(tables: Tables) -> Columns:
    """Declare every column that a rule may read."""
    lines = {name: kind for name, kind in tables.lines.columns.items() if name != "batch_seq"}
    lines = {**{name: column.type for name, column in LINES.items()}, **lines}
    partner = _columns(PARTNERS, tables.references.get("partners"))
    product = _columns(PRODUCTS, tables.references.get("products"))
    deal = _columns(DEALS, tables.references.get("deals"))
    return declare(
        {"line": lines, "partner": partner, "seller": partner, "buyer": partner, "product": product, "deal": deal}
    )


def _columns(declared: Mapping[str, Column], given: pa.Table | None) -> dict[str, pa.DataType]:
    columns = {name: column.type for name, column in declared.items()}
    if given is not None:
        columns.update({field.name: _plain(field.type) for field in given.schema})
    return columns


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def read_rules(edition: Edition, columns: Columns) -> EditionRules:
    """Parse and split the rules of an edition; raises RuleError naming the program."""
    terms = edition.terms

    def rule(written: str) -> Rule:
        return parse(written, columns, source=edition.label)

    def parts(written: str | None) -> Parts:
        return Parts() if written is None else _split(rule(written))

    return EditionRules(
        partners=parts(terms.partners),
        lines=parts(terms.lines),
        measuring=None if terms.measure.lines is None else parts(terms.measure.lines),
        verify=None if terms.verify is None else rule(terms.verify),
        boosts=tuple(rule(boost.when) for boost in terms.schedule.boosts),
        gates=tuple(rule(gate) for gate in terms.gate),
    )


def _split(rule: Rule) -> Parts:
    split = rule.split_by_owner()
    rest: list[Rule] = [] if split.rest is None else [split.rest]
    partner: Rule | None = None
    product: Rule | None = None
    for owner, part in split.by_owner.items():
        if owner == "partner":
            partner = part
        elif owner == "product":
            product = part
        else:
            rest.append(part)
    return Parts(partner=partner, product=product, rest=all_of(rest) if rest else None)


__all__ = ["ColumnType", "EditionRules", "Parts", "read_rules", "rule_columns"]
