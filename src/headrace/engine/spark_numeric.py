"""The arithmetic of `numeric` on Spark: its fragments of SQL in Spark's dialect, with the same digits.

Apart from `numeric`, because sqlglot takes longer to import than most calculations take.
"""

from collections.abc import Callable
from functools import cache

import sqlglot
from sqlglot import exp

from headrace.engine.numeric import whole_share


def to_spark(statement: str) -> str:
    """Rewrite one DuckDB statement into Spark's dialect so that its integers and decimals come out the same.

    Spark has no integer past 64 bits: HUGEINT becomes decimal(38,0). Its `DIV` gives 64 bits too: `a // b` becomes
    (a − a % b) ÷ b, which divides without remainder and is therefore exact.
    """
    return rewritten(sqlglot.parse_one(statement, read="duckdb"), spark_node).sql(dialect="spark")


def rewritten(tree: exp.Expr, rule: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Put what a rule gives in the place of every node of a tree, innermost first, with every share named by its parts.

    Changes the tree. The rule must know what `spark_node` knows.
    """
    open_ones = [tree]
    while open_ones:
        node = open_ones.pop()
        if isinstance(node, exp.IntDiv) and (parts := _parts_of_share(node)):
            node = node.replace(exp.Anonymous(this=_SHARE_ON_SPARK, expressions=parts))
        open_ones += node.iter_expressions()
    # What takes the place of a node holds parts that have been rewritten already.
    for node in reversed(list(tree.walk())):
        made = rule(node)
        if made is not node:
            node.replace(made)
    return tree


def spark_node(node: exp.Expr) -> exp.Expr:
    """Give what one node is on Spark, once everything below it has been rewritten; for `rewritten`."""
    if isinstance(node, exp.DataType) and node.this in (exp.DType.INT128, exp.DType.UINT128):
        return exp.DataType.build("DECIMAL(38, 0)")
    if isinstance(node, exp.IntDiv):
        return _of_one(_QUOTIENT, _row(a=node.this, b=node.expression))
    if is_share(node):
        total, part, whole = node.expressions
        return _of_one(_QUOTIENT, _of_one(_NUDGED, _row(p=exp.Mul(this=total, expression=part), w=whole)))
    return node


def is_share(node: exp.Expr) -> bool:
    """Tell a share that `rewritten` named by its parts."""
    return isinstance(node, exp.Anonymous) and node.name == _SHARE_ON_SPARK


# On Spark the parts of a share and of a quotient are the fields of an array of one row, so that each is written and worked out
# once: a formula that repeats its parts doubles with every share of a share.
#
# A quotient of two types of 38 digits keeps 18 decimals and has room for only 20 digits before them. A divisor of 19 digits
# leaves room for 29; past it, the quotient of two numbers of 38 digits has no more than 19. What is longer still is divided in
# two steps, 19 digits at a time.
_SHARE_ON_SPARK = "share_on_spark"
_E19 = f"CAST('1{'0' * 19}' AS DECIMAL(20, 0))"
_E28 = f"CAST('1{'0' * 28}' AS DECIMAL(29, 0))"
_HALF = "CAST((r.w - r.w % 2) / CAST(2 AS DECIMAL(1, 0)) AS DECIMAL(38, 0))"
_NUDGED = f"named_struct('a', r.p + CASE WHEN (r.p < 0) = (r.w < 0) THEN {_HALF} ELSE -{_HALF} END, 'b', r.w)"
_SHORT = "CAST(({a} - {a} % r.b) / CAST(r.b AS DECIMAL(19, 0)) AS DECIMAL({digits}, 0))"
_HIGH = f"CAST((r.a - r.a % {_E19}) / {_E19} AS DECIMAL(19, 0))"
_STEPS = f"{_SHORT.format(a='r.h', digits=19)} * {_E19} + {_SHORT.format(a=f'(r.h % r.b * {_E19} + r.l)', digits=38)}"
_LONG = (
    f"element_at(transform(array(named_struct('h', {_HIGH}, 'l', r.a % {_E19}, 'b', CAST(r.b AS DECIMAL(19, 0)))), "
    f"r -> {_STEPS}), 1)"
)
_QUOTIENT = (
    f"CASE WHEN abs(r.b) >= {_E19} THEN CAST((r.a - r.a % r.b) / r.b AS DECIMAL(38, 0)) "
    f"WHEN abs(r.a) < {_E28} THEN {_SHORT.format(a='r.a', digits=38)} ELSE {_LONG} END"
)


def _row(**fields: exp.Expr) -> exp.Expr:
    """Write a row of decimal(38,0)."""
    items = [
        each
        for key, value in fields.items()
        for each in (exp.Literal.string(key), exp.cast(value.copy(), "DECIMAL(38, 0)"))
    ]
    return exp.Anonymous(this="named_struct", expressions=items)


def _of_one(formula: str, row: exp.Expr) -> exp.Expr:
    """Write a formula over the fields of one row r."""
    array = exp.Anonymous(this="array", expressions=[row])
    made = exp.Anonymous(this="transform", expressions=[array, _lambda(formula).copy()])
    return exp.Anonymous(this="element_at", expressions=[made, exp.Literal.number(1)])


@cache
def _lambda(formula: str) -> exp.Expr:
    found = sqlglot.parse_one(f"transform(rows, r -> {formula})", read="spark").find(exp.Lambda)
    assert found is not None
    return found


@cache
def _share_form() -> exp.Expr:
    return sqlglot.parse_one(whole_share("total", "part", "whole"), read="duckdb").unnest()


def _parts_of_share(node: exp.IntDiv) -> list[exp.Expr] | None:
    """Give total, part and whole of a division that `whole_share` wrote, the last null where it is 0; nothing for any other."""
    nudged, whole = node.this.unnest(), node.expression
    if not isinstance(nudged, exp.Add) or not isinstance(whole, exp.Nullif):
        return None
    product = nudged.this.unnest()
    if not isinstance(product, exp.Mul):
        return None
    parts = {"total": product.this, "part": product.expression, "whole": whole.this}
    form = _share_form().transform(lambda each: parts[each.name].copy() if isinstance(each, exp.Column) else each)
    return [product.this, product.expression, whole] if form == node else None
