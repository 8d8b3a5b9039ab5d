"""The rule itself: one checked condition, and everything that can be done with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from headrace.engine.rules.build import Builder
from headrace.engine.rules.columns import Columns
from headrace.engine.rules.evaluate import decide
from headrace.engine.rules.faults import FaultList, RuleError
from headrace.engine.rules.reader import read
from headrace.engine.rules.rows import Rows, read_rows, write_rows
from headrace.engine.rules.sql import Dialect, SqlWriter
from headrace.engine.rules.text import write
from headrace.engine.rules.tokens import scan
from headrace.engine.rules.tree import And, Column, Condition, joined, walk
from headrace.engine.rules.words import WordWriter

TEXT_LENGTH_MAX = 20_000
NODES_MAX = 1_000


@dataclass(frozen=True)
class Rule:
    """A condition over declared columns; made by `parse` and `from_rows`, equal where its tree is equal."""

    condition: Condition

    def __str__(self) -> str:
        return self.text

    @cached_property
    def text(self) -> str:
        """The rule in its one normal spelling; parsing it gives an equal rule."""
        return write(self.condition)

    @cached_property
    def columns_used(self) -> frozenset[str]:
        """The declared names of the columns that it reads."""
        return frozenset(node.name for node in walk(self.condition) if isinstance(node, Column))

    @cached_property
    def owners(self) -> frozenset[str]:
        """Whose columns it reads: line, partner, product, …"""
        return frozenset(name.partition(".")[0] for name in self.columns_used)

    def uses(self, owner: str) -> bool:
        """Tell whether it reads a column of that owner."""
        return owner in self.owners

    @property
    def conjuncts(self) -> tuple["Rule", ...]:
        """The parts that must all hold, as rules of their own; itself where it is not joined by and."""
        match self.condition:
            case And(conditions):
                return tuple(Rule(each) for each in conditions)
            case _:
                return (self,)

    def split_by_owner(self) -> "Split":
        """Split the top-level and: what reads columns of one owner only, and the rest.

        A record meets the rule exactly if it meets every part.
        """
        by_owner: dict[str, list[Condition]] = {}
        rest: list[Condition] = []
        for part in self.conjuncts:
            single = len(part.owners) == 1
            (by_owner.setdefault(next(iter(part.owners)), []) if single else rest).append(part.condition)
        return Split(
            {owner: Rule(joined(And, parts)) for owner, parts in by_owner.items()},
            Rule(joined(And, rest)) if rest else None,
        )

    def to_sql(self, columns: Callable[[str], str], dialect: Dialect = "duckdb") -> str:
        """Write a boolean SQL expression; `columns` spells a declared column, as `p."region"` for partner.region.

        Decimal columns must be decimal(18,6) or narrower. The expression is true, false or null, as `evaluate` is.
        """
        return SqlWriter(columns, dialect).condition(self.condition)

    def evaluate(self, record: Mapping[str, object]) -> bool | None:
        """Tell whether one record meets the rule: true, false, or None where a null leaves it open.

        The record holds every column that is used: str, Decimal or int, date, bool, or None. Raises KeyError for a column that it
        lacks and TypeError for a value that the column cannot hold.
        """
        return decide(self.condition, record)

    def to_rows(self) -> Rows:
        """Give the rule as nested condition rows, ready for JSON; `from_rows` gives the same rule back."""
        return write_rows(self.condition)

    def describe(self, names: Mapping[str, str] | None = None) -> str:
        """Say the rule in plain English; `names` gives better words for columns, by declared name."""
        return WordWriter(names or {}).condition(self.condition)


@dataclass(frozen=True, slots=True)
class Split:
    """A rule in parts: per owner what reads its columns only, and the rest (several owners at once, or no column)."""

    by_owner: Mapping[str, Rule]
    rest: Rule | None


def parse(text: str, columns: Columns, *, source: str | None = None) -> Rule:
    """Read a rule; `columns` declares what it may name, `source` names where the text stands for the findings.

    Raises RuleError, with every fault that was found, for any text that is not a rule.

    >>> from headrace.engine.rules import ColumnType
    >>> rule = parse("partner.level IN ('gold','platinum')", {"partner.level": ColumnType.TEXT})
    >>> rule.text
    "partner.level in ('gold', 'platinum')"
    >>> rule.evaluate({"partner.level": "silver"})
    False
    """
    faults = FaultList()
    if len(text) > TEXT_LENGTH_MAX:
        faults.add("too_long", f"The rule has {len(text):,} characters; at most {TEXT_LENGTH_MAX:,} are read.", (0, 1))
        raise RuleError(text, faults.in_order(), source=source)
    tokens = scan(text, faults)
    condition = None if faults else read(tokens, Builder(columns, faults), faults)
    return _finished(condition, text, faults, source)


def from_rows(rows: object, columns: Columns, *, source: str | None = None) -> Rule:
    """Read a rule from condition rows (see `Rule.to_rows`), which may come from anywhere.

    Raises RuleError, with every fault that was found and the path of its row, for anything that is not a rule.
    """
    faults = FaultList()
    return _finished(read_rows(rows, Builder(columns, faults), faults), "", faults, source)


def all_of(rules: Sequence[Rule]) -> Rule:
    """Join rules by and."""
    return Rule(joined(And, [rule.condition for rule in rules]))


def _finished(condition: Condition | None, text: str, faults: FaultList, source: str | None) -> Rule:
    """Give the rule if no fault was found and it keeps within the limits, in its normal spelling too."""
    whole = (0, len(text)) if text else None
    if condition is not None and not faults:
        if sum(1 for _ in walk(condition)) > NODES_MAX:
            message = (
                f"The rule has more than {NODES_MAX:,} parts (columns, values and operators); use a table instead."
            )
            faults.add("too_many_parts", message, whole)
        elif len(write(condition)) > TEXT_LENGTH_MAX:
            faults.add("too_long", f"Written out, the rule has more than {TEXT_LENGTH_MAX:,} characters.", whole)
        else:
            return Rule(condition)
    raise RuleError(text, faults.in_order(), source=source)
