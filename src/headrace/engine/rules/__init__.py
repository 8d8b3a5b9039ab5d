"""Eligibility rules: SQL conditions over declared columns, checked when they are read, decided alike in SQL and in Python.

`parse` reads text, `from_rows` the condition rows of a form; both give a `Rule` or raise `RuleError` with every fault that was
found. A rule can be written as normalised text, as rows, as SQL for DuckDB and Spark and as plain words, and be decided for
one record. This package knows nothing of incentives: whoever declares columns can use it.
"""

from headrace.engine.rules.columns import Columns, ColumnType, declare
from headrace.engine.rules.faults import Fault, RuleError
from headrace.engine.rules.rows import Rows
from headrace.engine.rules.rule import NODES_MAX, TEXT_LENGTH_MAX, Rule, Split, all_of, from_rows, parse
from headrace.engine.rules.sql import Dialect

__all__ = [
    "NODES_MAX",
    "TEXT_LENGTH_MAX",
    "ColumnType",
    "Columns",
    "Dialect",
    "Fault",
    "Rows",
    "Rule",
    "RuleError",
    "Split",
    "all_of",
    "declare",
    "from_rows",
    "parse",
]
